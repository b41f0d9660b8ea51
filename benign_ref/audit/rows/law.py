"""LAW: the draw in law against direct draws of vectors (two samples, in standard errors), and its run against
GD in d dimensions.
"""

import numpy as np

from .. import literal
from ..core import Row, equal, relative_residual, within, worst
from ..problems import GENERIC, INITIAL, MIXED, Problem
from .data import DRAWN

EXACT = 1e-9  # measured on 100 seeds: at most 3.4e-12
# standard errors of the difference of two samples, judged as in data.py; on 100 seeds: at most 4.5
ERRORS = 6.0
DRAWS = 1200


def _settings(audited, problem):
    """Small Settings: noise projected or in all of d dimensions; d leaves more degrees of freedom to the
    residual than columns, fewer, or (d = T) none. N 1-3, M 2-4, d_h 1-5, and 3-5 in the first, where a fresh
    key sees more than queries and signals do; the labels drawn one by one in one.
    """
    scales = {
        GENERIC: dict(snr=1.5, sigma_p=0.4, C_p=2.0, sigma_h=0.4, sigma_V=0.8, w_O_norm=1.7, eta=0.1),
        INITIAL: dict(snr=3.0, w_O_norm=1.5),
    }[problem.scale]
    rng = problem.rng(0)
    for noise, free in (("orthogonal", 7), ("full", 1), ("orthogonal", 0)):
        N, M, d_h = (int(rng.integers(*ends)) for ends in ((1, 4), (2, 5), (3 if free == 7 else 1, 6)))
        d = 2 + N * (M - 1) + (free + 2 * d_h if free > 1 else free)
        yield audited.setting.Setting(
            N=N, M=M, d=d, d_h=d_h, d_v=1, noise=noise, balanced=free != 1, max_steps=2, epsilon=1e-12,
            **scales)  # fmt: skip


def _differences(a, b):
    """The largest difference of the means of two samples (n,...), and of their squares, in standard errors.

    Entries without spread must be equal.
    """
    found = []
    for one, two in ((a, b), (a**2, b**2)):
        spread = np.sqrt(one.var(axis=0) / len(one) + two.var(axis=0) / len(two))
        gap = np.abs(one.mean(axis=0) - two.mean(axis=0))
        size = np.maximum(np.abs(one).max(axis=0), np.abs(two).max(axis=0))
        other = np.where(gap <= 1e-9 * size, 0.0, np.inf)  # NaN is no equality
        found.append(np.divide(gap, spread, out=other, where=spread > 1e-12 * size).max())
    return max(found)


def _levels(s):
    """sigma_i of the noise tokens of s.N samples, written out."""
    return np.array([s.sigma_p * (s.C_p if i == 0 else 1.0) for _ in range(s.N) for i in range(s.M - 1)])


def _grams(rows):
    return rows @ rows.swapaxes(1, 2)


def _direct(s, rng, count):
    """Tokens Z (count,T,d), signals along two axes, and W(0) = [W_Q | W_K | W_V w_O] (count,d,p): D1 and
    theta(0) as they stand.
    """
    Z, seen = np.zeros((count, s.T, s.d)), 0 if s.noise == "full" else 2
    Z[:, 0, 0] = Z[:, 1, 1] = s.snr * s.sigma_p * np.sqrt(s.d)
    Z[:, 2:, seen:] = _levels(s)[:, None] * rng.standard_normal((count, s.T - 2, s.d - seen))
    W = s.sigma_h * rng.standard_normal((count, s.d, 2 * s.d_h + 1))
    W[:, :, -1] = s.sigma_V * rng.standard_normal((count, s.d, 4)) @ np.full(4, s.w_O_norm / 2)
    return Z, W


def _draws(audited, problem, k, s):
    """Grams of the tokens, the start's coordinates in their span, and the Gram of the rest."""
    theirs, drawn = audited.data.make_rng(problem.seed, (30, k)), f"noise {s.noise}, d - T = {s.d - s.T}"
    Z, W = _direct(s, problem.rng(30, k), DRAWS)
    F = np.linalg.qr(Z.swapaxes(1, 2))[0]  # (.,d,T)
    F *= np.sign(np.einsum("ndt,ntd->nt", F, Z))[:, None, :]
    U = F.swapaxes(1, 2) @ W
    roots, spans, others = (
        [draw(s, theirs) for _ in range(DRAWS)]
        for draw in (audited.law.token_root, audited.law.span_coordinates, audited.law.residual_root)
    )
    size = np.sqrt(np.einsum("naa->na", _grams(Z)).mean(axis=0))
    pairs = {
        "Gram of the tokens": [_grams(rows) / np.outer(size, size) for rows in (np.array(roots), Z)],
        "W(0) in their span": (np.array(spans), U),
    }
    if s.d > s.T:  # else there is nothing beyond the span
        pairs["Gram of W(0) beyond it"] = [
            _grams(rows.swapaxes(1, 2)) for rows in (np.array(others), W - F @ U)
        ]
    yield from within(
        {f"{name}, {drawn}: direct draws": _differences(*pair) for name, pair in pairs.items()}, ERRORS
    )


def _run(audited, problem, k, s):
    """Two steps, against GD by complex step on explicit vectors with the same Grams; then fresh data, against
    explicit fresh vectors.
    """
    run = audited.law.train_in_law(s, audited.data.make_rng(problem.seed, (31, k)))
    y, A, U, R = audited.law.draw(s, audited.data.make_rng(problem.seed, (31, k)))
    h, noise_of = s.d_h, lambda n: 2 + n * (s.M - 1)
    O = np.linalg.qr(problem.rng(31, k).standard_normal((s.d, s.d)))[0]  # rows: a basis, the span first
    Z, W = A @ O[: s.T], O[: s.T].T @ U + O[s.T : s.T + len(R)].T @ R
    X = np.array([[Z[int(y[n] < 0)], *Z[noise_of(n) : noise_of(n + 1)]] for n in range(s.N)])
    w_O = np.array([s.w_O_norm])
    theta = (W[:, :h], W[:, h : 2 * h], W[:, -1:] / s.w_O_norm, w_O)
    losses, (*_, (W_Q, W_K, W_V, _)) = Problem(problem.scale, problem.seed, theta, X, y, s.eta).path(2, False)
    W_t = np.concatenate([W_Q, W_K, W_V @ w_O[:, None]], axis=1)
    yield from within({
        "train_in_law: falls of the loss, by complex step in d dimensions": relative_residual(
            run.losses - run.losses[0], losses - losses[0]),
        "train_in_law: movement of W, by complex step in d dimensions": worst(
            (run.model.U - U).T, (O[: s.T] @ (W_t - W)).T),
    }, EXACT)  # fmt: skip
    yield from _fresh(audited, problem, k, run.model, O, W_t)


def _whole(z, g, root, h):
    """All coordinates (M-1,r) of a sample's noise tokens: z, and g along orthonormal vectors of the others,
    made by Gram-Schmidt of what the queries z see of them, or (as many numbers as others) of what any could.
    """
    others = root[z.shape[1] :, h + 3 :] @ root[: z.shape[1], :h].T  # (r-a,a)
    if g.shape[1] == len(others):
        return np.concatenate([z, g @ np.linalg.qr(others)[0].T], axis=1)
    basis, upper = np.linalg.qr(others @ z.T)  # (r-a,M-1), (M-1,M-1)
    return np.concatenate([z, g @ (basis * np.sign(np.diag(upper))).T], axis=1)


def _fresh(audited, problem, k, model, O, W):
    """Outputs on fresh data: f drawn in law, and by the literal model on vectors of D1; the signals are O[0],
    O[1]. Under labels drawn one by one both occur.
    """
    s, n, h, ours = model.setting, 2000, model.setting.d_h, problem.rng(34, k)
    rng = lambda number: audited.data.make_rng(problem.seed, (number, k))  # noqa: E731
    fresh, levels = model.fresh_noise(), _levels(s)[: s.M - 1, None]
    signals = s.snr * s.sigma_p * np.sqrt(s.d) * O[:2]  # (2,d)
    off = lambda noise: noise if s.noise == "full" else noise - (noise @ O[:2].T) @ O[:2]  # noqa: E731
    seen = off(W.T)  # of W, by fresh noise: (p,d)
    columns = np.concatenate([seen[:h], seen[-1:], signals @ W[:, :h] @ seen[h:-1], seen[h:-1]])  # as in root
    a, y = len(fresh.B), np.array([1.0, -1.0, 1.0])
    x = ours.standard_normal((3, s.M - 1, a + fresh.beyond(s.M - 1)))
    tokens = np.array([_whole(x_n[:, :a], x_n[:, a:], fresh.root, h) for x_n in x]) @ fresh.root
    noise = levels * tokens[:, :, [*range(h), *range(h + 3, 2 * h + 3), h]]  # q, k, V
    rows = np.concatenate([(signals[(y < 0).astype(int)] @ W)[:, None], noise], axis=1)
    by_model = lambda W, X: literal.outputs((W[:, :h], W[:, h:-1], W[:, -1:], np.ones(1)), X)  # noqa: E731
    yield from equal({
        "fresh noise: covariance W^T Pi W, or W^T W": (fresh.root.T @ fresh.root, columns @ columns.T),
        "outputs: the literal model on rows [q | k | V]": (
            model.outputs(y, x, fresh), by_model(np.eye(2 * h + 1), rows)),
    }, EXACT)  # fmt: skip
    labels, f = model.sample_outputs(n, rng(32))
    y = ours.choice([-1.0, 1.0], n)
    noise = off(ours.standard_normal((n, s.M - 1, s.d)) * levels)
    own = by_model(W, np.concatenate([signals[(y < 0).astype(int)][:, None], noise], axis=1))
    yield (
        "sample_outputs: direct draws, by label",
        max(_differences(f[labels == sign], own[y == sign]) for sign in (-1.0, 1.0)),
        ERRORS,
    )
    pairs, drawn = rng(36), 4 * (not s.balanced)
    square = np.mean([model.sample_outputs(2, pairs)[0].sum() ** 2 for _ in range(100)])
    yield (
        f"fresh labels of two, balanced {s.balanced}: squared sums",
        abs(square - drawn / 2) / (np.sqrt(drawn / 100) if drawn else 1),
        ERRORS * (drawn > 0),
    )
    labels, f = model.sample_outputs(400, rng(33))
    yield from within({
        "test_loss - log 2: mean over the outputs": relative_residual(
            model.test_loss(400, rng(33)) - np.log(2), np.log(1 + np.exp(-labels * f)).mean() - np.log(2)),
        "error_rate: mean over the outputs": abs(
            model.error_rate(400, rng(33)) - (labels * f <= 0).mean()),
    }, EXACT)  # fmt: skip


def _LAW(audited, problem):
    """Grams and determinants of Gaussian vectors; for each Setting the draws, the run and the fresh data."""
    ours, theirs = problem.rng(35), audited.data.make_rng(problem.seed, (35,))
    size = int(ours.integers(1, 5))
    roots = np.array([audited.law.bartlett(size, size + 1, theirs) for _ in range(DRAWS)])
    grams = _grams(roots), _grams(ours.standard_normal((DRAWS, size, size + 1)))
    yield from within({
        "bartlett: Grams of Gaussian vectors": _differences(*grams),
        "bartlett: logarithms of determinants of Gaussian Grams": _differences(
            np.log(np.linalg.det(roots) ** 2), np.log(np.linalg.det(grams[1]))),
    }, ERRORS)  # fmt: skip
    for k, s in enumerate(_settings(audited, problem)):
        yield from _draws(audited, problem, k, s)
        yield from _run(audited, problem, k, s)


ROWS = [
    Row(
        "LAW",
        "noise Gram sigma_i sigma_j (L L^T)_ij, L_ii ~ chi_{d-2-i+1}; W(0) in the tokens' span i.i.d. "
        "Gaussian, beyond it Wishart with d-T "
        "degrees of freedom; fresh (q,k,V) ~ N(0, sigma^2 (U_n^T U_n + Gamma))",
        "none: the same run in law",
        "[D]",
        (
            "derived/law.py:train_in_law",
            "derived/law.py:draw",
            "derived/law.py:bartlett",
            "derived/law.py:token_root",
            "derived/law.py:span_coordinates",
            "derived/law.py:residual_root",
            "derived/fresh.py:LawModel.fresh_noise",
            "derived/fresh.py:LawModel.outputs",
            "derived/fresh.py:LawModel.sample_outputs",
            "derived/fresh.py:LawModel.test_loss",
            "derived/fresh.py:LawModel.error_rate",
        ),
        _LAW,
        "Equality in law is checked by first and second moments of the drawn numbers and of their "
        "squares, 1200 draws a side.",
        scales=DRAWN,
        shapes=(MIXED,),
    ),
]
