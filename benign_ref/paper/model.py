"""M1-M3: softmax self-attention, a linear head, the logistic loss. Line by line, in NumPy alone.

    N samples   M tokens a sample   d token dimension   d_h query/key width   d_v value width
    X (N,M,d)   y (N,)   W_Q, W_K (d,d_h)   W_V (d,d_v)   w_O (d_v,)

Nothing is checked here (the functions that check their arguments are `benign_ref.forward` and so on), and
complex parameters pass through: a derivative check by complex step needs the model itself, not a copy.
"""

from typing import NamedTuple

import numpy as np


class Parameters(NamedTuple):
    """theta = (W_Q (d,d_h), W_K (d,d_h), W_V (d,d_v), w_O (d_v,)); gradients come in the same four blocks."""

    W_Q: np.ndarray
    W_K: np.ndarray
    W_V: np.ndarray
    w_O: np.ndarray


def softmax(p):
    """phi(p)_j = e^{p_j} / sum_i e^{p_i} along the last axis; p of any shape, real or complex.

    Shifting p by one number changes nothing; shifting by the largest (real part) keeps e^p <= 1.
    """
    e = np.exp(p - p.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention_of(theta, X_n):
    """M1 [P*]: S_n (M,M) of one sample X_n (M,d). Row l is phi(x_l^T W_Q W_K^T X_n^T), softmax over the M
    tokens; rows sum to 1.
    """
    W_Q, W_K, _, _ = theta
    return np.array([softmax(x_l @ W_Q @ W_K.T @ X_n.T) for x_l in X_n])


def output_of(theta, X_n):
    """M1 [P*]: f(X_n) = (1/M) sum_l phi(x_l^T W_Q W_K^T X_n^T) X_n W_V w_O, a number."""
    W_Q, W_K, W_V, w_O = theta
    M = len(X_n)
    total = 0.0
    for x_l in X_n:
        total = total + softmax(x_l @ W_Q @ W_K.T @ X_n.T) @ X_n @ W_V @ w_O
    return total / M


def attention(theta, X):
    """M1 [P*]: S (N,M,M), S[n] = S_n."""
    return np.array([attention_of(theta, X_n) for X_n in X])


def forward(theta, X):
    """M1 [P*]: f (N,), f[n] = f(X_n, theta)."""
    return np.array([output_of(theta, X_n) for X_n in X])


def logistic(z):
    """ell(z) = log(1 + e^{-z}) [P*], for z of any shape and size; complex z too (then by the same formula,
    arranged not to overflow).
    """
    if not np.iscomplexobj(z):
        return np.logaddexp(0.0, -z)
    sign = np.where(z.real >= 0, 1.0, -1.0)  # e^{-sign z} never overflows
    return np.where(sign > 0, 0.0, -z) + np.log1p(np.exp(-sign * z))


def logistic_slope(z):
    """ell'(z) = -1/(1 + e^z) [D], without overflow at any z: for z >= 0 it is -e^{-z}/(1 + e^{-z})."""
    e = np.exp(-np.abs(z))  # e^{-|z|} <= 1
    return np.where(z >= 0, -e, -1.0) / (1.0 + e)


def loss(theta, X, y):
    """M2 [P*]: L_S(theta) = (1/N) sum_n ell(y_n f(X_n, theta)), a number."""
    return logistic(y * forward(theta, X)).mean()
