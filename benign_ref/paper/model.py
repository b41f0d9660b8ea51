"""M1, M2: softmax self-attention, a linear head, the logistic loss. Line by line, in NumPy alone.

    N samples   M tokens a sample   d token dimension   d_h query/key width   d_v value width
    X (N,M,d)   y (N,)   W_Q, W_K (d,d_h)   W_V (d,d_v)   w_O (d_v,)

Nothing is checked here (the functions that check their arguments are `benign_ref.forward` and so on), and
entries need not be floats: complex ones pass (a derivative by complex step needs the model itself, not a
copy), and so do arrays of objects that know + - * / <, abs, exp() and log1p() (exact arithmetic).
"""

from typing import Any, NamedTuple

import numpy as np


class Parameters(NamedTuple):
    """theta = (W_Q (d,d_h), W_K (d,d_h), W_V (d,d_v), w_O (d_v,)); gradients come in the same four blocks."""

    W_Q: np.ndarray
    W_K: np.ndarray
    W_V: np.ndarray
    w_O: np.ndarray


def softmax(p: np.ndarray) -> np.ndarray:
    """phi(p)_j = e^{p_j} / sum_i e^{p_i} along the last axis; p of any shape.

    Shifting p by one number changes nothing; the largest (real part) keeps e^p <= 1. This shift is for range.
    """
    e = np.exp(p - p.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def shifted(c: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """c_j - c_*, (M,), with c_* the value of the token that the weights phi (M,) attend to most.

    As phi sums to 1, shifting c by one number changes no derivative of phi . c. This shift is for digits: a
    phi_* near 1 loses what the others gain, and as a difference from 1 that has few digits left, or none.
    Times c_* - c_* = 0 it is not needed, and each of the others is a small number with all its digits.
    """
    return c - c[phi.real.argmax()]


def mean_value(phi: np.ndarray, c: np.ndarray) -> np.ndarray:
    """phi . c, a number, for weights phi (M,) that sum to 1: c_* + sum_j phi_j (c_j - c_*), see `shifted`."""
    return c[phi.real.argmax()] + phi @ shifted(c, phi)


def attention_of(theta: Parameters, X_n: np.ndarray) -> np.ndarray:
    """M1 [P*]: S_n (M,M) of one sample X_n (M,d), row l phi(x_l^T W_Q W_K^T X_n^T); rows sum to 1."""
    W_Q, W_K, _, _ = theta
    return np.array([softmax(x_l @ W_Q @ W_K.T @ X_n.T) for x_l in X_n])


def output_of(theta: Parameters, X_n: np.ndarray) -> np.ndarray:
    """M1 [P*]: f(X_n) = (1/M) sum_l phi(x_l^T W_Q W_K^T X_n^T) X_n W_V w_O, a number."""
    W_Q, W_K, W_V, w_O = theta
    total: Any = 0
    for x_l in X_n:
        total = total + mean_value(softmax(x_l @ W_Q @ W_K.T @ X_n.T), X_n @ W_V @ w_O)
    return total / len(X_n)


def attention(theta: Parameters, X: np.ndarray) -> np.ndarray:
    """M1 [P*]: S (N,M,M), S[n] = S_n."""
    return np.array([attention_of(theta, X_n) for X_n in X])


def forward(theta: Parameters, X: np.ndarray) -> np.ndarray:
    """M1 [P*]: f (N,), f[n] = f(X_n, theta)."""
    return np.array([output_of(theta, X_n) for X_n in X])


def logistic(z: np.ndarray) -> np.ndarray:
    """ell(z) = log(1 + e^{-z}) [P*], z of any shape and size: log(1 + e^{-|z|}), and -z more where z < 0."""
    sign = np.where(z.real >= 0, 1, -1)  # |z| = sign z, and for complex z too that is smooth
    return np.where(sign == 1, 0, -z) + np.log1p(np.exp(-sign * z))


def logistic_slope(z: np.ndarray) -> np.ndarray:
    """ell'(z) = -1/(1 + e^z) [D], without overflow at any z: for z >= 0 it is -e^{-z}/(1 + e^{-z})."""
    e = np.exp(-np.abs(z))  # e^{-|z|} <= 1
    return np.where(z >= 0, -e, -1) / (1 + e)


def loss(theta: Parameters, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """M2 [P*]: L_S(theta) = (1/N) sum_n ell(y_n f(X_n, theta)), a number."""
    return logistic(y * forward(theta, X)).mean()
