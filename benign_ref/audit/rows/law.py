"""LAW: the draw in law against direct draws of vectors (two samples, in standard errors), and its run against
GD in d dimensions.
"""

from contextlib import contextmanager

import numpy as np

from .. import literal
from ..core import Row, worst
from ..problems import GENERIC, Problem

EXACT = 1e-9  # measured on 100 seeds: at most 3.4e-12
ERRORS = 6.0  # standard errors of the difference of two samples; measured on 100 seeds: at most 4.5
DRAWS = 1200


def setting(audited, problem, **changes):
    """N=2, M=3, so T=6; d_h=2, so p=5 columns; d=13 leaves more degrees of freedom to the residual than
    columns, d=8 fewer.
    """
    by_hand = dict(snr=1.5, sigma_p=0.4, C_p=2.0, sigma_h=0.7, sigma_V=0.8, w_O_norm=1.7, eta=0.1)
    rest = by_hand if problem.scale == GENERIC else dict(snr=3.0, w_O_norm=1.5)
    return audited.setting.Setting(
        **{**dict(N=2, M=3, d=13, d_h=2, d_v=1, max_steps=2, epsilon=1e-12), **rest, **changes}
    )


def differences(a, b):
    """The largest difference of the means of two samples (n,...), and of their squares, in standard errors.

    Entries without spread must be equal.
    """
    found = 0.0
    for one, two in ((a, b), (a**2, b**2)):
        spread = np.sqrt(one.var(axis=0) / len(one) + two.var(axis=0) / len(two))
        gap = np.abs(one.mean(axis=0) - two.mean(axis=0))
        size = np.maximum(np.abs(one).max(axis=0), np.abs(two).max(axis=0))
        random = spread > 1e-12 * size
        if (gap[~random] > 1e-9 * size[~random]).any():
            return np.inf
        found = max(found, float((gap[random] / spread[random]).max(initial=0.0)))
    return found


def levels(s):
    """sigma_i of the noise tokens of s.N samples, written out."""
    return np.array([s.sigma_p * (s.C_p if i == 0 else 1.0) for _ in range(s.N) for i in range(s.M - 1)])


def direct(s, rng, count):
    """Tokens Z (count,T,d), signals along two axes, and W(0) = [W_Q | W_K | W_V w_O] (count,d,p): D1 and
    theta(0) as they stand.
    """
    Z = np.zeros((count, s.T, s.d))
    Z[:, 0, 0] = Z[:, 1, 1] = s.snr * s.sigma_p * np.sqrt(s.d)
    Z[:, 2:, 2:] = levels(s)[:, None] * rng.standard_normal((count, s.T - 2, s.d - 2))
    W = s.sigma_h * rng.standard_normal((count, s.d, 2 * s.d_h + 1))
    w_O = np.full(4, s.w_O_norm / 2)
    W[:, :, -1] = s.sigma_V * rng.standard_normal((count, s.d, 4)) @ w_O
    return Z, W


def check_draws(audited, problem):
    """Grams of the tokens, the start's coordinates in their span, and the Gram of the rest, in both ranges of
    d.
    """
    law, ours = audited.law, problem.rng(30)
    for d in (13, 8):
        s, theirs = setting(audited, problem, d=d), audited.data.make_rng(problem.seed, (30, d))
        Z, W = direct(s, ours, DRAWS)
        F = np.linalg.qr(Z.swapaxes(1, 2))[0]  # (.,d,T)
        F *= np.sign(np.einsum("ndt,ntd->nt", F, Z))[:, None, :]
        U, rest = F.swapaxes(1, 2) @ W, W - F @ (F.swapaxes(1, 2) @ W)
        roots = np.array([law.token_root(s, theirs) for _ in range(DRAWS)])
        spans = np.array([law.span_coordinates(s, theirs) for _ in range(DRAWS)])
        others = [law.residual_root(s, theirs) for _ in range(DRAWS)]
        gram = np.einsum("nab,ncb->nac", roots, roots), Z @ Z.swapaxes(1, 2)
        size = np.sqrt(np.einsum("naa->na", gram[1]).mean(axis=0))
        yield (
            f"Gram of the tokens, d = {d}: direct draws",
            differences(*(G / np.outer(size, size) for G in gram)),
            ERRORS,
        )
        yield f"W(0) in their span, d = {d}: direct draws", differences(spans, U), ERRORS
        residual = np.array([R.T @ R for R in others]), rest.swapaxes(1, 2) @ rest
        yield f"Gram of W(0) beyond it, d = {d}: direct draws", differences(*residual), ERRORS
    L = np.array([law.bartlett(3, 5, theirs) for _ in range(DRAWS)])
    x = ours.standard_normal((DRAWS, 3, 5))
    yield (
        "bartlett: Grams of Gaussian vectors",
        differences(L @ L.swapaxes(1, 2), x @ x.swapaxes(1, 2)),
        ERRORS,
    )
    yield (
        "bartlett: determinants of Gaussian Grams",
        differences(np.linalg.det(L) ** 2, np.linalg.det(x @ x.swapaxes(1, 2))),
        ERRORS,
    )


@contextmanager
def heard(module, *names):
    """A dict that receives what these functions of a module return while the `with` lasts."""
    kept, returned = {name: getattr(module, name) for name in names}, {}
    for name, function in kept.items():

        def listening(*arguments, _name=name, _function=function):
            returned.setdefault(_name, _function(*arguments))
            return returned[_name]

        setattr(module, name, listening)
    try:
        yield returned
    finally:
        for name, function in kept.items():
            setattr(module, name, function)


def check_run(audited, problem):
    """Two steps, against GD by complex step on explicit vectors with the same Grams; then fresh data, against
    explicit fresh vectors.
    """
    s, seed = setting(audited, problem), problem.seed
    with heard(audited.law, "token_root", "span_coordinates", "residual_root", "sample_labels") as drawn:
        run = audited.law.train_in_law(s, audited.data.make_rng(seed, (31,)))
    A, U, R, y = (
        drawn[name] for name in ("token_root", "span_coordinates", "residual_root", "sample_labels")
    )
    rng, h = problem.rng(31), s.d_h
    O = np.linalg.qr(rng.standard_normal((s.d, s.d)))[0]  # rows: an orthonormal basis, the tokens' span first
    Z, W = A @ O[: s.T], O[: s.T].T @ U + O[s.T : s.T + len(R)].T @ R
    X = np.array(
        [
            [Z[0] if label > 0 else Z[1], *Z[2 + n * (s.M - 1) : 2 + (n + 1) * (s.M - 1)]]
            for n, label in enumerate(y)
        ]
    )
    w_O = np.array([s.w_O_norm])
    theta = (W[:, :h], W[:, h : 2 * h], W[:, -1:] / s.w_O_norm, w_O)
    losses, (W_Q, W_K, W_V, _) = Problem(problem.scale, seed, theta, X, y, s.eta).path(2, False)
    yield (
        "train_in_law: falls of the loss, by complex step in d dimensions",
        worst(run.losses - run.losses[0], losses - losses[0]),
        EXACT,
    )
    W_t = np.concatenate([W_Q, W_K, W_V @ w_O[:, None]], axis=1)
    got, wanted = run.model.U - U, O[: s.T] @ (W_t - W)
    yield (
        "train_in_law: movement of W, by complex step in d dimensions",
        max(worst(got[:, i], wanted[:, i]) for i in range(2 * h + 1)),
        EXACT,
    )
    yield from check_fresh(audited, problem, run.model, O, W_t)


def check_fresh(audited, problem, model, O, W):
    """Outputs on fresh data: f drawn in law, and by the literal model on vectors of D1 off the signals O[0],
    O[1].
    """
    s, n, h = model.setting, 2000, model.setting.d_h
    fresh, off = model.fresh_noise(), W - O[:2].T @ (O[:2] @ W)
    yield "fresh noise: covariance W^T Pi W", worst(fresh.root.T @ fresh.root, off.T @ off), EXACT
    ours, y = problem.rng(34), np.array([1.0, -1.0, 1.0])
    z = ours.standard_normal((3, s.M - 1, len(fresh.root)))
    signal = s.snr * s.sigma_p * np.sqrt(s.d) * (O[(y < 0).astype(int)] @ W)
    rows = np.concatenate([signal[:, None], levels(s)[: s.M - 1, None] * (z @ fresh.root)], axis=1)
    own = literal.outputs((np.eye(2 * h + 1)[:, :h], np.eye(2 * h + 1)[:, h : 2 * h],
                           np.eye(2 * h + 1)[:, -1:], np.ones(1)), rows)  # fmt: skip
    yield "outputs: the literal model on rows [q | k | V]", worst(model.outputs(y, z, fresh), own), EXACT
    labels, f = model.sample_outputs(n, audited.data.make_rng(problem.seed, (32,)))
    rng = problem.rng(32)
    y = rng.choice([-1.0, 1.0], n)
    noise = rng.standard_normal((n, s.M - 1, s.d)) * levels(s)[: s.M - 1, None]
    noise -= (noise @ O[:2].T) @ O[:2]  # D1 on vectors, off the signals O[0], O[1]
    X = np.concatenate([s.snr * s.sigma_p * np.sqrt(s.d) * O[(y < 0).astype(int)][:, None], noise], axis=1)
    own = literal.outputs((W[:, :h], W[:, h : 2 * h], W[:, -1:], np.ones(1)), X)
    yield (
        "sample_outputs: direct draws, by label",
        max(differences(f[labels == k], own[y == k]) for k in (-1.0, 1.0)),
        ERRORS,
    )
    rngs = [audited.data.make_rng(problem.seed, (33,)) for _ in range(3)]
    labels, f = model.sample_outputs(400, rngs[0])
    loss = np.log(1 + np.exp(-labels * f)).mean() - np.log(2)
    yield (
        "test_loss - log 2: mean over the outputs",
        worst(model.test_loss(400, rngs[1]) - np.log(2), loss),
        EXACT,
    )
    yield (
        "error_rate: mean over the outputs",
        abs(model.error_rate(400, rngs[2]) - (labels * f <= 0).mean()),
        EXACT,
    )


def check_LAW(audited, problem):
    """The draws, then the run and the fresh data."""
    yield from check_draws(audited, problem)
    yield from check_run(audited, problem)


ROWS = [
    Row(
        "LAW",
        "noise Gram sigma_i sigma_j (L L^T)_ij, L_ii ~ chi_{d-2-i+1}; W(0) in the tokens' span i.i.d. Gaussian, beyond it Wishart with d-T "
        "degrees of freedom; fresh (q,k,V) ~ N(0, sigma^2 (U_n^T U_n + Gamma))",
        "none: the same run in law",
        "[D]",
        (
            "derived/law.py:train_in_law",
            "derived/law.py:bartlett",
            "derived/law.py:token_root",
            "derived/law.py:span_coordinates",
            "derived/law.py:residual_root",
            "derived/law.py:LawModel.fresh_noise",
            "derived/law.py:LawModel.outputs",
            "derived/law.py:LawModel.sample_outputs",
            "derived/law.py:LawModel.test_loss",
            "derived/law.py:LawModel.error_rate",
        ),
        check_LAW,
        "Equality in law is checked by first and second moments of the drawn numbers and of their squares, 1200 draws a side.",
    ),
]
