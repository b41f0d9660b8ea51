"""The steps of the vision transformer's walk-through with one mistake each, as steps.py has them."""

import numpy as np

from ..paper.model import softmax
from .steps import Mistake


def _mean(a):
    return a.mean(axis=1, keepdims=True)


def _variance(x):
    return _mean((x - _mean(x)) ** 2)


def _through_root(dz, u, root):
    return (dz - u * _mean(dz * u) / root**2) / root


def _heads(qkv, columns, root):
    """Multi-head attention with these columns for the heads, logits divided by root."""
    d = qkv.shape[1] // 3
    parts = [[qkv[:, part * d + h] for part in range(3)] for h in columns(d)]
    return np.concatenate([softmax(q @ k.T / root) @ v for q, k, v in parts], axis=1)


VISION = [
    Mistake(
        "normalise",
        "variance with 1/(d-1)",
        "layer norm divides by d",
        lambda x, epsilon: (x - _mean(x)) / np.sqrt(_variance(x) * x.shape[1] / (x.shape[1] - 1) + epsilon),
    ),
    Mistake(
        "normalise",
        "divided by the variance",
        "z is divided by the root of variance + epsilon",
        lambda x, epsilon: (x - _mean(x)) / (_variance(x) + epsilon),
    ),
    Mistake("scale_back", "scale g dropped", "y = g z + b: g stands beside z", lambda dy, g: dy),
    Mistake(
        "root_back",
        "root not differentiated",
        "the root is of u, so it moves with u: quotient rule",
        lambda dz, z, root: dz / root,
    ),
    Mistake(
        "root_back",
        "sign",
        "the root stands below: its derivative enters with a minus",
        lambda dz, z, root: (dz + z * _mean(dz * z)) / root,
    ),
    Mistake(
        "layer_norm_back",
        "mean not differentiated",
        "u = x - mean x: every entry of x is in all of u",
        lambda dy, x, g, epsilon: _through_root(dy * g, x - _mean(x), np.sqrt(_variance(x) + epsilon)),
    ),
    Mistake(
        "layer_norm_back",
        "root not differentiated",
        "the root is of u, so it moves with u: quotient rule",
        lambda dy, x, g, epsilon: (dy * g - _mean(dy * g)) / np.sqrt(_variance(x) + epsilon),
    ),
    Mistake(
        "heads_output",
        "heads interleaved",
        "in q, in k and in v the heads stand one after the other",
        lambda qkv, heads: _heads(qkv, lambda d: np.arange(d).reshape(-1, heads).T, 2),
    ),
    Mistake(
        "heads_output",
        "1/sqrt(d/H) for 1/sqrt(d)",
        "the root is of the whole width d, as published",
        lambda qkv, heads: _heads(qkv, lambda d: np.split(np.arange(d), heads), np.sqrt(2)),
    ),
    Mistake(
        "values_back",
        "S not transposed",
        "a value is summed over the rows that look at it",
        lambda dO_h, S_h: S_h @ dO_h,
    ),
    Mistake(
        "softmax_back",
        "softmax term -S S^T dropped",
        "the denominator depends on every logit of the row",
        lambda dS_h, S_h: S_h * dS_h,
    ),
    Mistake(
        "softmax_back",
        "sum over columns",
        "the softmax goes along rows, and so does the sum",
        lambda dS_h, S_h: S_h * (dS_h - (S_h * dS_h).sum(axis=0)),
    ),
    Mistake(
        "queries_back",
        "Q for K",
        "Z_h = Q_h K_h^T / sqrt d: beside dQ_h stand the keys",
        lambda dZ_h, Q_h, K_h: dZ_h @ Q_h / 2,
    ),
    Mistake(
        "queries_back",
        "Z transposed",
        "queries belong to the rows of Z_h",
        lambda dZ_h, Q_h, K_h: dZ_h.T @ K_h / 2,
    ),
    Mistake(
        "queries_back",
        "1/sqrt(d) missing",
        "the logits are divided by sqrt(d)",
        lambda dZ_h, Q_h, K_h: dZ_h @ K_h,
    ),
]
