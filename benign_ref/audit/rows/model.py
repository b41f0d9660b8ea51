"""M1-M3: the model and the loss against loops over scalars and closed forms; the softmax Jacobian by complex
step.
"""

import math

import numpy as np

from .. import literal
from ..core import Row, worst

EXACT = 1e-10  # measured on 100 seeds: at most 1.5e-12


def check_M1(audited, problem):
    """Outputs and attention of both twins."""
    theta, X = audited.model.Parameters(*problem.theta), problem.X
    f, S = problem.exact
    spaces, api, model = audited.parameter_space, audited.api, audited.model
    yield "forward: loops over scalars", worst(model.forward(theta, X), f), EXACT
    yield "output_of: loops over scalars", worst([model.output_of(theta, X_n) for X_n in X], f), EXACT
    yield (
        "attention: loops over scalars, deviation from 1/M",
        worst(model.attention(theta, X) - 1 / X.shape[1], S - 1 / X.shape[1]),
        EXACT,
    )
    yield "attention_of: loops over scalars", worst([model.attention_of(theta, X_n) for X_n in X], S), EXACT
    yield (
        "forward_numba: loops over scalars",
        worst(spaces.forward_numba(theta, X, chunk=2 * X.shape[1]), f),
        EXACT,
    )
    yield (
        "public names: loops over scalars",
        worst([*api.forward(theta, X), *api.attention(theta, X).ravel()], [*f, *S.ravel()]),
        EXACT,
    )
    P = (
        30 * literal.logits(theta, X) / np.abs(literal.logits(theta, X)).max()
    )  # logits up to 30, so that the shift matters
    yield (
        "softmax: e^p by scalars",
        worst(
            model.softmax(P),
            [[[math.exp(p) / sum(map(math.exp, row)) for p in row] for row in P_n] for P_n in P],
        ),
        EXACT,
    )
    yield (
        "one token: f = x W_V w_O",
        worst(model.forward(theta, X[:, :1]), [theta.w_O @ (theta.W_V.T @ x[0]) for x in X]),
        EXACT,
    )
    rows = np.concatenate(
        [
            np.concatenate([x @ theta.W_Q, x @ theta.W_K, (x @ theta.W_V @ theta.w_O)[:, None]], axis=1)
            for x in X
        ]
    )
    attention = audited.attention.Attention(np.arange(len(rows)).reshape(X.shape[:2]), theta.W_Q.shape[1])
    yield "Attention.forward: loops over scalars", worst(attention.forward(rows), f), EXACT
    M = X.shape[1]
    yield (
        "Attention: loops over scalars, deviation of the attention from 1/M",
        worst(attention.S - 1 / M, S - 1 / M),
        EXACT,
    )


def check_M2(audited, problem):
    """The loss, its slope, the error rate."""
    theta, X, y = audited.model.Parameters(*problem.theta), problem.X, problem.y
    f, _ = problem.exact
    model, api, spaces = audited.model, audited.api, audited.parameter_space
    mean = sum(math.log1p(math.exp(-y_n * f_n)) for y_n, f_n in zip(y, f)) / len(y)
    # the part of the loss that the weights make, log 2 being there without them
    yield (
        "loss - log 2: sum over scalars",
        worst(model.loss(theta, X, y) - math.log(2), mean - math.log(2)),
        EXACT,
    )
    public = [api.loss(theta, X, y), api.loss(theta, X, y, backend="numba"), api.test_loss(theta, X, y)]
    yield (
        "public names: sum over scalars",
        worst(np.array(public) - math.log(2), [mean - math.log(2)] * 3),
        EXACT,
    )
    got = spaces.ParameterSpace(theta, X, y).evaluate()
    yield "Attention.loss: sum over scalars", worst(got - math.log(2), mean - math.log(2)), EXACT
    labels = np.sign(f) * np.where(np.arange(len(f)) == 0, -1, 1)  # one error, and no half
    yield "error rate: one error made on purpose", abs(api.error_rate(theta, X, labels) - 1 / len(f)), 1e-15
    z = (
        np.array([-700.0, -40.0, -3.0, -1e-3, 0.0, 1e-3, 0.7, 3.0, 40.0, 700.0])
        + problem.rng(0).uniform(-0.5, 0.5, 10) * 1e-3
    )
    wanted = [max(-v, 0.0) + math.log1p(math.exp(-abs(v))) for v in z]
    yield (
        "ell: scalars from -700 to 700, each relative to itself",
        float(np.max(np.abs(model.logistic(z) / wanted - 1))),
        EXACT,
    )
    slope = [-math.exp(-v) / (1 + math.exp(-v)) if v >= 0 else -1 / (1 + math.exp(v)) for v in z]
    yield (
        "ell': scalars from -700 to 700, each relative to itself",
        float(np.max(np.abs(model.logistic_slope(z) / slope - 1))),
        EXACT,
    )
    moderate = z[np.abs(z) < 20]
    by_step = np.log(1 + np.exp(-(moderate + 1j * literal.STEP))).imag / literal.STEP
    yield (
        "ell': complex step of log(1 + e^-z)",
        float(np.max(np.abs(model.logistic_slope(moderate) / by_step - 1))),
        EXACT,
    )
    yield (
        "ell of complex z: complex step against ell'",
        worst(model.logistic(moderate + 1j * literal.STEP).imag / literal.STEP, by_step),
        EXACT,
    )


def coupling_by_step(P_n, c_n):
    """df_n/dP_n (M,M) by complex step of (1/M) sum_l phi(P_l) . c."""
    f = lambda p: (literal.softmax(p.reshape(P_n.shape)) @ c_n).mean(keepdims=True)  # noqa: E731
    return literal.step_of(f, P_n.ravel()).reshape(P_n.shape)


def check_M3(audited, problem):
    """J(phi), D_n of both twins, by complex step; c random, as against ones the derivative of a softmax is
    0.
    """
    P = literal.logits(problem.theta, problem.X)
    S = problem.exact[1]
    c = np.einsum("nld,dv,v->nl", problem.X, *problem.theta[2:])
    M = S.shape[1]
    J = np.array([literal.step_of(literal.softmax, P_l) for P_l in P[0]])
    yield (
        "softmax_jacobian: complex step of softmax",
        worst([audited.gradients.softmax_jacobian(phi) for phi in S[0]], J),
        EXACT,
    )
    D = np.array([coupling_by_step(P_n, c_n) for P_n, c_n in zip(P, c)])
    yield (
        "coupling: complex step of f in the logits",
        worst([audited.gradients.coupling(S_n, c_n) for S_n, c_n in zip(S, c)], D),
        EXACT,
    )
    # q = a row of logits and k = e_j make dq of the kernel g_n D_n itself
    tokens = np.arange(P.size // M).reshape(P.shape[:2])
    rows = np.concatenate([P.reshape(-1, M), np.tile(np.eye(M), (len(P), 1)), c.reshape(-1, 1)], axis=1)
    drows = np.zeros_like(rows)
    attention = audited.attention.Attention(tokens, M)
    attention.loss(rows, problem.y)
    attention.add_cotangents(drows)
    g = -problem.y / (1 + np.exp(problem.y * problem.exact[0])) / len(P)
    yield (
        "Attention.add_cotangents, k = identity: complex step",
        worst(drows[:, :M].reshape(P.shape), g[:, None, None] * D),
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
    ),
    Row(
        "M3",
        "J(phi) = diag(phi) - phi phi^T; D_n[l,:] = df_n/dP_n[l,:] = (1/M) J(S_n[l,:]) c_n, c_n = X_n W_V w_O",
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
    ),
]
