"""M1-M3: the model and the loss against loops over scalars and closed forms; the softmax Jacobian by complex
step.
"""

import math

import numpy as np

from .. import literal
from ..core import Row, apart, equal, relative_residual, within
from ..problems import ONE_TOKEN, SHAPES

EXACT = 1e-10  # measured on 100 seeds: at most 3e-12
BY_LOOPS = "loops over scalars"


def attended(audited, problem, keys=None):
    """The engines' Attention on rows [q | k | c] (NM,2d_h+1) of the problem, and its loss L_S; with keys
    (NM,M) logits stand for the queries.
    """
    N, M, d = problem.X.shape
    x, c = problem.X.reshape(N * M, d), literal.values(problem.theta, problem.X).reshape(-1, 1)
    P = literal.logits(problem.theta, problem.X).reshape(N * M, M)
    q, k = (x @ problem.theta[0], x @ problem.theta[1]) if keys is None else (P, keys)
    attention = audited.attention.Attention(np.arange(N * M).reshape(N, M), q.shape[1])
    return attention, attention.loss(np.concatenate([q, k, c], axis=1), problem.y)


def cotangents(audited, problem, keys):
    """[dq | dk | dc] (NM,2d_h+1) of the engines, with these keys and logits for queries."""
    attention, _ = attended(audited, problem, keys)
    drows = np.zeros((attention.tokens.size, 2 * attention.q.shape[2] + 1))
    attention.add_cotangents(drows)
    return drows


def _M1(audited, problem):
    theta, X, (f, S) = audited.model.Parameters(*problem.theta), problem.X, problem.exact
    M, model, api, (engine, _) = X.shape[1], audited.model, audited.api, attended(audited, problem)
    yield from equal({
        f"forward: {BY_LOOPS}": (model.forward(theta, X), f),
        f"output_of: {BY_LOOPS}": ([model.output_of(theta, X_n) for X_n in X], f),
        f"forward_numba: {BY_LOOPS}": (audited.parameter_space.forward_numba(theta, X, chunk=2 * M), f),
        f"public names: {BY_LOOPS}": (
            [*api.forward(theta, X), *api.attention(theta, X).ravel()], [*f, *S.ravel()]),
        "one token: f = x W_V w_O": (
            model.forward(theta, X[:, :1]), [theta.w_O @ (theta.W_V.T @ x[0]) for x in X]),
        f"Attention.forward: {BY_LOOPS}": (engine.f, f),
    }, EXACT)  # fmt: skip
    base = 1 / M if M > 1 else 0.0  # near the start S differs from 1/M by little, and that is compared
    attentions = {
        "attention": model.attention(theta, X),
        "attention_of": [model.attention_of(theta, X_n) for X_n in X],
        "Attention": engine.S,
    }
    yield from within({
        f"{name}: {BY_LOOPS}, deviation from 1/M": relative_residual(np.asarray(got) - base, S - base)
        for name, got in attentions.items()
    }, EXACT)  # fmt: skip
    P = literal.logits(problem.theta, X)  # made up to 300 in size, where small weights are there too
    P = P * (300 / np.abs(P).max() if problem.saturated else 30 / np.abs(P).max())
    e = [[math.exp(p - max(row)) for p in row] for P_n in P for row in P_n]
    wanted = np.reshape([[v / sum(row) for v in row] for row in e], P.shape)
    yield "softmax: e^p by scalars, each weight relative to itself", apart(model.softmax(P), wanted), EXACT


def _M2(audited, problem):
    theta, X, y = audited.model.Parameters(*problem.theta), problem.X, problem.y
    f, model, api = problem.exact[0], audited.model, audited.api
    base = 0.0 if problem.saturated else math.log(2)  # what the weights make is the distance from there
    ell = lambda z: max(-z, 0.0) + math.log1p(math.exp(-abs(z)))  # noqa: E731
    wanted = sum(ell(y_n * f_n) for y_n, f_n in zip(y, f)) / len(y) - base
    # samples of both labels may cancel in it, but not the values of tokens, of half of which a loss is made
    size = 0.0 if problem.saturated else np.abs(literal.values(problem.theta, X)).max() / 2
    losses = {
        "loss": model.loss(theta, X, y),
        "public loss": api.loss(theta, X, y),
        "public loss, numba": api.loss(theta, X, y, backend="numba"),
        "public test_loss": api.test_loss(theta, X, y),
        "Attention.loss": attended(audited, problem)[1],
    }
    yield from within({
        f"{name}: sum over scalars": abs(got - base - wanted) / max(abs(wanted), size)
        for name, got in losses.items()
    }, EXACT)  # fmt: skip
    labels = np.sign(f) * np.where(np.arange(len(f)) == 0, -1, 1)  # one error, and no half
    yield "error rate: one error made on purpose", abs(api.error_rate(theta, X, labels) - 1 / len(f)), 1e-15
    jitter = problem.rng(0).uniform(-0.5, 0.5, 10) * 1e-3
    z = np.array([-700.0, -40, -3, -1e-3, 0, 1e-3, 0.7, 3, 40, 700]) + jitter
    moderate = z[np.abs(z) < 20]
    moving = moderate + 1j * literal.STEP
    by_step, each = np.log(1 + np.exp(-moving)).imag / literal.STEP, "each relative to itself"
    yield from within({
        f"ell: scalars from -700 to 700, {each}": apart(model.logistic(z), [ell(v) for v in z]),
        f"ell': scalars from -700 to 700, {each}": apart(
            model.logistic_slope(z), [literal.slope(v) for v in z]),
        f"ell': complex step of log(1 + e^-z), {each}": apart(model.logistic_slope(moderate), by_step),
        f"ell of complex z: complex step of log(1 + e^-z), {each}": apart(
            model.logistic(moving).imag / literal.STEP, by_step),
    }, EXACT)  # fmt: skip


def coupling_by_step(P_n, c_n):
    """df_n/dP_n (M,M) by complex step of (1/M) sum_l phi(P_l) . c."""
    return literal.complex_step(lambda at: literal.mean_values(at[0], c_n).mean(), [P_n], [0])[0]


def or_zero(zero, got, expected):
    """The relative residual; of what has to be 0 on both sides (zero), its largest entries."""
    if zero and np.shape(got) == np.shape(expected):
        return float(np.abs(got).max() + np.abs(expected).max())
    return relative_residual(got, expected)


def by_rows(got, expected):
    """The largest residual of any row, each relative to its own largest entry; of one token both are 0."""
    M = expected.shape[-1]
    return max(or_zero(M == 1, *rows) for rows in zip(np.reshape(got, (-1, M)), expected.reshape(-1, M)))


def _M3(audited, problem):
    P, S = literal.logits(problem.theta, problem.X), problem.exact[1]
    c, (N, M) = literal.values(problem.theta, problem.X), S.shape[:2]
    moderate = P[0] * 3 / np.abs(P).max()  # beside a weight near 1 the Jacobian's entries have no digits
    moving = moderate[:, None] + 1j * literal.STEP * np.eye(M)  # logit j of row l moves in [l,j]
    J = literal.softmax(moving).imag.swapaxes(1, 2) / literal.STEP
    D = np.array([coupling_by_step(P_n, c_n) for P_n, c_n in zip(P, c)])
    # q = a row of logits and k = e_j make dq of the kernel g_n D_n itself
    dq = cotangents(audited, problem, np.tile(np.eye(M), (N, 1)))[:, :M].reshape(P.shape)
    yield from within({
        "softmax_jacobian: complex step of softmax": by_rows(
            [audited.gradients.softmax_jacobian(phi) for phi in literal.softmax(moderate)], J),
        "coupling: complex step of f in the logits, row by row": by_rows(
            [audited.gradients.coupling(S_n, c_n) for S_n, c_n in zip(S, c)], D),
        "Attention.add_cotangents, k = identity: complex step, row by row": by_rows(
            dq, problem.cotangent[:, None, None] * D),
    }, EXACT)  # fmt: skip


ROWS = [
    Row(
        "M1",
        "f(X,theta) = (1/M) sum_l phi(x_l^T W_Q W_K^T X^T) X W_V w_O, phi = softmax over the M tokens",
        "the model",
        "[P*]",
        (
            "paper/model.py:forward",
            "paper/model.py:output_of",
            "paper/model.py:attention",
            "paper/model.py:attention_of",
            "paper/model.py:softmax",
            "engines/parameter_space.py:forward_numba",
            "engines/attention.py:Attention.forward",
            "engines/kernels.py:gather",
            "engines/kernels.py:subtract_largest",
            "engines/kernels.py:average",
            "api.py:forward",
            "api.py:attention",
        ),
        _M1,
        shapes=(*SHAPES, ONE_TOKEN),
    ),
    Row(
        "M2",
        "L_S(theta) = (1/N) sum_n ell(y_n f(X_n,theta)), ell(z) = log(1 + e^{-z}), ell'(z) = -1/(1 + e^z)",
        "training and test loss",
        "[P*]",
        (
            "paper/model.py:loss",
            "paper/model.py:logistic",
            "paper/model.py:logistic_slope",
            "engines/attention.py:Attention.loss",
            "engines/kernels.py:couple",
            "api.py:loss",
            "api.py:test_loss",
            "api.py:error_rate",
        ),
        _M2,
        shapes=(*SHAPES, ONE_TOKEN),
    ),
    Row(
        "M3",
        "J(phi) = diag(phi) - phi phi^T; D_n[l,:] = df_n/dP_n[l,:] = (1/M) J(S_n[l,:]) c_n, c_n = X_n "
        "W_V w_O",
        "softmax Jacobian",
        "[D]",
        (
            "paper/gradients.py:softmax_jacobian",
            "paper/gradients.py:coupling",
            "engines/kernels.py:couple",
            "engines/attention.py:Attention.add_cotangents",
            "engines/kernels.py:scatter_add",
        ),
        _M3,
        shapes=(*SHAPES, ONE_TOKEN),
    ),
]
