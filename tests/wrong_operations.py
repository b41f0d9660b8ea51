"""Wrong derivations of V1-V9 on purpose: an operation of the vision transformer with its right forward and
one mistake in its gradient, each one that a derivation by hand can make.
"""

from typing import Callable, NamedTuple

import numpy as np

from benign_ref.vision import transformer
from benign_ref.vision.public import adam
from benign_ref.vision.transformer import (
    EPSILON,
    HEADS,
    attention,
    block,
    embed,
    gelu,
    layer_norm,
    linear,
    log_softmax,
    relu,
)


class WrongOperation(NamedTuple):
    """label: the statement; operation: the name of the right one; name: the mistake; wrong: called as the
    right one is.
    """

    label: str
    operation: str
    name: str
    wrong: Callable


def _with(operation, mistake):
    """The operation with back(dy) = mistake(right(dy), dy, *inputs), right being its own back."""

    def wrong(*inputs):
        y, right = operation(*inputs)
        return y, lambda dy: mistake(right(dy), dy, *inputs)

    return wrong


def _mean(a):
    return a.mean(axis=-1, keepdims=True)


def _root(x):
    return np.sqrt(_mean(x * x) - _mean(x) ** 2 + EPSILON)  # of the layer norm


def _without_mean(dz, x):
    z = (x - _mean(x)) / _root(x)
    return (dz - z * _mean(dz * z)) / _root(x)  # right: dz - mean dz - z mean(z dz)


def _queries_and_keys(factor):
    """dqkv with dq and dk multiplied by a factor."""
    return lambda dqkv, dO, qkv: dqkv * np.repeat([factor, factor, 1.0], dO.shape[-1])


def _interleaved(dO):
    """The heads' columns in turn, 0 1 2 3 0 1 2 3 ..., in place of one head after the other."""
    return dO.reshape(*dO.shape[:-1], -1, HEADS).swapaxes(-1, -2).reshape(dO.shape)


_MISTAKES = [  # statement, operation, name, the gradient in place of the right one, d
    ("V1", linear, "bias averaged over rows",
     lambda d, dy, x, W, *b: (*d[:2], d[2] * W.shape[1] / dy.size)),
    ("V2", embed, "class token's position missing",
     lambda d, dx, *_: (*d[:3], d[3] * (np.arange(len(d[3])) > 0)[:, None])),
    ("V2", embed, "class token of the first image only",
     lambda d, dx, *_: (*d[:2], dx[0, 0], d[3])),
    ("V3", layer_norm, "mean not differentiated",
     lambda d, dy, x, g, b: (_without_mean(dy * g, x), *d[1:])),
    ("V3", layer_norm, "root not differentiated",
     lambda d, dy, x, g, b: ((dy * g - _mean(dy * g)) / _root(x), *d[1:])),
    ("V3", layer_norm, "scale g dropped",
     lambda d, dy, x, g, b: (layer_norm(x, 0 * g + 1, b)[1](dy)[0], *d[1:])),
    ("V4", attention, "1/sqrt(d/H) for 1/sqrt(d)", _queries_and_keys(HEADS**0.5)),
    ("V4", attention, "softmax taken as constant", _queries_and_keys(0.0)),
    ("V4", attention, "heads interleaved",
     lambda d, dO, qkv: attention(qkv)[1](_interleaved(dO))),
    ("V4", attention, "dq and dk exchanged",
     lambda d, dO, qkv: np.concatenate([np.split(d, 3, axis=-1)[part] for part in (1, 0, 2)], axis=-1)),
    ("V5", gelu, "Phi not differentiated", lambda d, dy, x: dy * transformer.normal_cdf(x)),
    ("V6", relu, "passed on everywhere", lambda d, dy, x: dy),
    ("V7", log_softmax, "log of the sum not differentiated", lambda d, dy, z: dy),
    ("V8", block, "through A and F only, not past them", lambda d, dy, p, x: (d[0] - dy, d[1])),
]  # fmt: skip
WRONG = [WrongOperation(label, right.__name__, name, _with(right, d)) for label, right, name, d in _MISTAKES]
_uncorrected = lambda theta, slopes, m, v, t: adam(theta, slopes, m, v, 10**6)  # noqa: E731
WRONG.append(WrongOperation("V9", "adam", "1 - beta^t missing", _uncorrected))
