"""The ledger's own M1 and M2, and derivatives of them: they share nothing with the code under audit.

triple_loop  scalars and loops only          outputs, loss  einsum, complex-safe          complex_step,
             central  derivatives, block by block
"""

import math

import numpy as np

STEP = 1e-30  # of the complex step: nothing is subtracted, so it can be as small as this


def triple_loop(theta, X):
    """M1 with scalars only: f (N,) and S (N,M,M)."""
    W_Q, W_K, W_V, w_O = (np.asarray(W).tolist() for W in theta)
    d, d_h, d_v = len(W_Q), len(W_Q[0]), len(w_O)
    outputs, attention = [], []
    for x in np.asarray(X).tolist():
        M, total, S = len(x), 0.0, []
        for l in range(M):
            p = []
            for j in range(M):
                q = [sum(x[l][i] * W_Q[i][h] for i in range(d)) for h in range(d_h)]
                k = [sum(x[j][i] * W_K[i][h] for i in range(d)) for h in range(d_h)]
                p.append(sum(a * b for a, b in zip(q, k)))
            e = [math.exp(value - max(p)) for value in p]
            S.append([value / sum(e) for value in e])
            for j in range(M):
                total += S[l][j] * sum(x[j][i] * W_V[i][r] * w_O[r] for i in range(d) for r in range(d_v))
        outputs.append(total / M)
        attention.append(S)
    return np.array(outputs), np.array(attention)


def logits(theta, X):
    """P (N,M,M), P[n,l,j] = x_l^T W_Q W_K^T x_j."""
    return np.einsum("nld,dh,eh,nje->nlj", X, theta[0], theta[1], X, optimize=True)


def softmax(P):
    """e^P / sum e^P over the last axis, for real or complex P of moderate size."""
    e = np.exp(P - P.real.max(axis=-1, keepdims=True))
    return e / np.einsum("...j->...", e)[..., None]


def outputs(theta, X):
    """M1: f (N,) by einsum, for real or complex theta."""
    return (
        np.einsum("nlj,njd,dv,v->n", softmax(logits(theta, X)), X, theta[2], theta[3], optimize=True)
        / X.shape[1]
    )


def loss(theta, X, y):
    """M2 by log(1 + e^{-yf}) as it stands, for moderate f."""
    return np.log(1 + np.exp(-y * outputs(theta, X))).sum() / len(y)


def shifted(theta, block, index, step):
    """theta with one entry of one block moved by `step`."""
    moved = list(theta)
    moved[block] = moved[block].astype(np.result_type(moved[block], step))
    moved[block][index] += step
    return moved


def by_entry(slope, theta):
    """slope(block, index) for every entry of every block, as a list of four arrays."""
    return [
        np.array([slope(b, index) for index in np.ndindex(W.shape)]).reshape(W.shape)
        for b, W in enumerate(theta)
    ]


def complex_step(function, theta):
    """The derivatives of function(theta) by every entry: Im f(theta + ih)/h."""
    return by_entry(lambda b, index: function(shifted(theta, b, index, 1j * STEP)).imag / STEP, theta)


def central(function, theta, reach):
    """The same by central differences of fourth order at step `reach[block]`."""

    def slope(b, index):
        h = reach[b]
        f = [function(shifted(theta, b, index, k * h)) for k in (-2, -1, 1, 2)]
        return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)

    return by_entry(slope, theta)


def step_of(function, x):
    """The Jacobian of function at x (n,) by complex step, (outputs, n)."""
    return np.array([function(x + 1j * STEP * e).imag / STEP for e in np.eye(len(x))]).T
