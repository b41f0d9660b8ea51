"""M1-M3: the model and the loss against loops over scalars and closed forms; the softmax Jacobian by complex
step.
"""

import math

import numpy as np

from .. import literal
from ..core import Row, relative_residual
from ..problems import ONE_TOKEN, SHAPES

EXACT = 1e-10  # measured on 100 seeds: at most 1.5e-12


def side_by_side(problem, keys=None):
    """Rows [q | k | c] (NM,2d_h+1) and tokens (N,M) for the kernels; with keys (NM,M) logits for queries."""
    N, M, d = problem.X.shape
    x = problem.X.reshape(N * M, d)
    c = literal.values(problem.theta, problem.X).reshape(-1, 1)
    q, k = x @ problem.theta[0], x @ problem.theta[1]
    if keys is not None:
        q, k = literal.logits(problem.theta, problem.X).reshape(N * M, M), keys
    return np.concatenate([q, k, c], axis=1), np.arange(N * M).reshape(N, M)


def attended(audited, problem, keys=None):
    """The engines' Attention after its loss at the problem, L_S."""
    rows, tokens = side_by_side(problem, keys)
    attention = audited.attention.Attention(tokens, rows.shape[1] // 2)
    attention.L_S = attention.loss(rows, problem.y)
    return attention


def cotangents(audited, problem, keys):
    """[dq | dk | dc] (NM,2d_h+1) of the engines, with these keys and logits for queries."""
    attention = attended(audited, problem, keys)
    drows = np.zeros((attention.tokens.size, 2 * attention.q.shape[2] + 1))
    attention.add_cotangents(drows)
    return drows


def check_M1(audited, problem):
    """Outputs and attention of both twins."""
    theta, X = audited.model.Parameters(*problem.theta), problem.X
    M, (f, S) = X.shape[1], problem.exact
    spaces, api, model = audited.parameter_space, audited.api, audited.model
    yield "forward: loops over scalars", relative_residual(model.forward(theta, X), f), EXACT
    one_by_one = [model.output_of(theta, X_n) for X_n in X]
    yield "output_of: loops over scalars", relative_residual(one_by_one, f), EXACT
    got = spaces.forward_numba(theta, X, chunk=2 * M)
    yield "forward_numba: loops over scalars", relative_residual(got, f), EXACT
    public = [*api.forward(theta, X), *api.attention(theta, X).ravel()]
    yield "public names: loops over scalars", relative_residual(public, [*f, *S.ravel()]), EXACT
    got = model.forward(theta, X[:, :1])
    wanted = [theta.w_O @ (theta.W_V.T @ x[0]) for x in X]
    yield "one token: f = x W_V w_O", relative_residual(got, wanted), EXACT
    attention = attended(audited, problem)
    yield "Attention.forward: loops over scalars", relative_residual(attention.f, f), EXACT
    yield from check_attention(audited, problem)


def check_attention(audited, problem):
    """Attention as it differs from 1/M, and the softmax of logits from -300 to 300, small weights too."""
    theta, X, S = audited.model.Parameters(*problem.theta), problem.X, problem.exact[1]
    M, model = X.shape[1], audited.model
    found = {
        "attention": (model.attention(theta, X), S),
        "attention_of": ([model.attention_of(theta, X_n) for X_n in X], S),
        "Attention": (attended(audited, problem).S, S),
    }
    for name, (got, wanted) in found.items():
        if M > 1:
            residual = relative_residual(np.asarray(got) - 1 / M, wanted - 1 / M)
        else:
            residual = relative_residual(got, wanted)
        yield f"{name}: loops over scalars, deviation from 1/M", residual, EXACT
    P = literal.logits(problem.theta, X)
    P = P * (300 / np.abs(P).max() if problem.saturated else 30 / np.abs(P).max())
    e = [[[math.exp(p - max(row)) for p in row] for row in P_n] for P_n in P]
    wanted = np.array([[[v / sum(row) for v in row] for row in e_n] for e_n in e])
    error = np.max(np.abs(model.softmax(P) / wanted - 1))
    yield "softmax: e^p by scalars, each weight relative to itself", float(error), EXACT


def check_M2(audited, problem):
    """The loss, its slope, the error rate. Of a loss near log 2 its distance from there is compared, which is
    the part that the weights make.
    """
    theta, X, y = audited.model.Parameters(*problem.theta), problem.X, problem.y
    f, model, api = problem.exact[0], audited.model, audited.api
    base = 0.0 if problem.saturated else math.log(2)
    ell = [max(-y_n * f_n, 0.0) + math.log1p(math.exp(-abs(f_n))) for y_n, f_n in zip(y, f)]
    wanted = sum(ell) / len(y) - base
    found = {
        "loss": model.loss(theta, X, y),
        "public loss": api.loss(theta, X, y),
        "public loss, numba": api.loss(theta, X, y, backend="numba"),
        "public test_loss": api.test_loss(theta, X, y),
        "Attention.loss": attended(audited, problem).L_S,
    }
    for name, got in found.items():
        yield f"{name}: sum over scalars", relative_residual(got - base, wanted), EXACT
    labels = np.sign(f) * np.where(np.arange(len(f)) == 0, -1, 1)  # one error, and no half
    yield "error rate: one error made on purpose", abs(api.error_rate(theta, X, labels) - 1 / len(f)), 1e-15
    yield from check_logistic(model, problem)


def check_logistic(model, problem):
    """ell and ell' from -700 to 700, each relative to itself; at complex numbers by complex step."""
    z = np.array([-700.0, -40, -3, -1e-3, 0, 1e-3, 0.7, 3, 40, 700])
    z += problem.rng(0).uniform(-0.5, 0.5, 10) * 1e-3
    wanted = [max(-v, 0.0) + math.log1p(math.exp(-abs(v))) for v in z]
    slope = np.array([literal.slope(v) for v in z])
    moderate = z[np.abs(z) < 20]
    by_step = np.log(1 + np.exp(-(moderate + 1j * literal.STEP))).imag / literal.STEP
    own_step = model.logistic(moderate + 1j * literal.STEP).imag / literal.STEP
    for name, got, expected in (
        ("ell: scalars from -700 to 700", model.logistic(z), wanted),
        ("ell': scalars from -700 to 700", model.logistic_slope(z), slope),
        ("ell': complex step of log(1 + e^-z)", model.logistic_slope(moderate), by_step),
        ("ell of complex z: complex step of log(1 + e^-z)", own_step, by_step),
    ):
        yield f"{name}, each relative to itself", float(np.max(np.abs(got / expected - 1))), EXACT


def coupling_by_step(P_n, c_n):
    """df_n/dP_n (M,M) by complex step of (1/M) sum_l phi(P_l) . c."""

    def f(p):
        P = p.reshape(P_n.shape)
        return literal.mean_values(P, c_n + 0j * P[0]).mean(keepdims=True)

    return literal.jacobian(f, P_n.ravel()).reshape(P_n.shape)


def by_rows(got, expected):
    """The largest residual of any row, each relative to its own largest entry."""
    M = expected.shape[-1]
    pairs = zip(np.reshape(got, (-1, M)), expected.reshape(-1, M))
    return max(float(np.abs(a - b).max()) if M == 1 else relative_residual(a, b) for a, b in pairs)


def check_M3(audited, problem):
    """J(phi), D_n of both twins, by complex step, row by row; for one token both are 0, exactly."""
    P, S = literal.logits(problem.theta, problem.X), problem.exact[1]
    c, (N, M) = literal.values(problem.theta, problem.X), S.shape[:2]
    moderate = P[0] * 3 / np.abs(P).max()  # beside a weight near 1 the Jacobian's entries have no digits
    J = np.array([literal.jacobian(literal.softmax, P_l) for P_l in moderate])
    got = [audited.gradients.softmax_jacobian(phi) for phi in literal.softmax(moderate)]
    yield "softmax_jacobian: complex step of softmax", by_rows(got, J), EXACT
    D = np.array([coupling_by_step(P_n, c_n) for P_n, c_n in zip(P, c)])
    got = [audited.gradients.coupling(S_n, c_n) for S_n, c_n in zip(S, c)]
    yield "coupling: complex step of f in the logits, row by row", by_rows(got, D), EXACT
    # q = a row of logits and k = e_j make dq of the kernel g_n D_n itself
    dq = cotangents(audited, problem, np.tile(np.eye(M), (N, 1)))[:, :M].reshape(P.shape)
    yield (
        "Attention.add_cotangents, k = identity: complex step, row by row",
        by_rows(dq, problem.cotangent[:, None, None] * D),
        EXACT,
    )


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
        check_M1,
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
        check_M2,
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
        check_M3,
        shapes=(*SHAPES, ONE_TOKEN),
    ),
]
