"""The ledger's own M1 and M2, and derivatives of them: they share nothing with the code under audit.

triple_loop    scalars and loops only          outputs, loss    einsum, for complex numbers too
complex_step, central    derivatives

At saturated attention the value of the most attended token is taken off the others before they are weighed,
in outputs as in triple_loop: the weights sum to 1, so that this changes no number, and a weight near 1, which
holds the small ones only as its difference from 1, is multiplied by 0.
"""

import math

import numpy as np

STEP = 1e-20  # of the complex step: its square is far below rounding, and e^-650 STEP is no underflow


def triple_loop(theta, X):
    """M1 with scalars only: f (N,) and S (N,M,M)."""
    W_Q, W_K, W_V, w_O = (np.asarray(W).tolist() for W in theta)
    inner = lambda A, B: [[sum(a * b for a, b in zip(row, other)) for other in B] for row in A]  # noqa: E731
    outputs, attention = [], []
    for x in np.asarray(X).tolist():
        P = inner(inner(x, [*zip(*W_Q)]), inner(x, [*zip(*W_K)]))
        c = [sum(a * w * o for a, row in zip(x_j, W_V) for w, o in zip(row, w_O)) for x_j in x]
        e = [[math.exp(p - max(row)) for p in row] for row in P]
        S = [[value / sum(row) for value in row] for row in e]
        tops = [c[row.index(max(row))] for row in P]
        rows = [top + sum(s * (c_j - top) for s, c_j in zip(row, c)) for top, row in zip(tops, S)]
        outputs.append(sum(rows) / len(x))
        attention.append(S)
    return np.array(outputs), np.array(attention)


def slope(z):
    """ell'(z) = -1/(1 + e^z) of a number z from -700 to 700."""
    return -math.exp(-z) / (1 + math.exp(-z)) if z >= 0 else -1 / (1 + math.exp(z))


def logits(theta, X):
    """P (N,M,M), P[n,l,j] = x_l^T W_Q W_K^T x_j."""
    return np.einsum("nlh,njh->nlj", X.dot(theta[0]), X.dot(theta[1]))


def values(theta, X):
    """c (N,M), c[n,l] = x_l^T W_V w_O."""
    return X.dot(theta[2].dot(theta[3]))


def softmax(P):
    """e^P / sum e^P over the last axis, for real or complex P."""
    e = np.exp(P - P.real.max(axis=-1, keepdims=True))
    return e / np.einsum("...j->...", e)[..., None]


def mean_values(P, c):
    """phi(P) . c for each row of P (...,M,M) and c (...,M), for real or complex numbers: (...,M)."""
    c_top = np.take_along_axis(c, P.real.argmax(axis=-1), axis=-1)  # of each row
    return c_top + np.einsum("...lj,...lj->...l", softmax(P), c[..., None, :] - c_top[..., None])


def outputs(theta, X):
    """M1: f (N,) by einsum, for real or complex theta."""
    return mean_values(logits(theta, X), values(theta, X)).sum(axis=1) / X.shape[1]


def loss(theta, X, y):
    """M2 by log(1 + e^{-yf}), for |f| up to 700."""
    return np.log1p(np.exp(-y * outputs(theta, X))).sum() / len(y)


def moving(theta, block):
    """For each entry of one block a function of a step: theta with that entry moved by it."""
    for unit in np.eye(theta[block].size).reshape(-1, *theta[block].shape):
        yield lambda step, unit=unit: [*theta[:block], theta[block] + step * unit, *theta[block + 1 :]]


def by_entry(slope, theta, blocks):
    """slope(at) for every entry of these blocks, as a list of arrays: at(step) is theta with that entry
    moved.
    """
    return [np.reshape([slope(at) for at in moving(theta, b)], theta[b].shape) for b in blocks]


def complex_step(function, theta, blocks=range(4), h=STEP):
    """The derivatives of function(theta) by every entry of these blocks: Im f(theta + ih)/h."""
    return by_entry(lambda at: function(at(1j * h)).imag / h, theta, blocks)


def central(function, theta, block, reach):
    """The derivatives by every entry of one block by central differences of fourth order at step `reach`."""
    weights = {-2: 1, -1: -8, 1: 8, 2: -1}
    slope = lambda at: sum(w * function(at(k * reach)) for k, w in weights.items()) / (12 * reach)  # noqa: E731
    return by_entry(slope, theta, [block])[0]
