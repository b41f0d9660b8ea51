"""The one relative residual, by which the ledger, the walk-through and the tests compare arrays."""

import math

import numpy as np
from numpy.typing import ArrayLike


class Vacuous(ArithmeticError):
    """A comparison with zeros, by which nothing is checked."""


def relative_residual(got: ArrayLike, expected: ArrayLike) -> float:
    """The largest difference relative to the largest expected entry; there is no absolute tolerance.

    Infinity where `got` is not finite or has another shape. Raises Vacuous if every expected entry is 0.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return math.inf
    largest = np.abs(expected).max(initial=0)
    if largest == 0:
        raise Vacuous("every expected entry is 0, so nothing was checked")
    error = np.abs(got - expected).max() / largest
    return float(error) if np.isfinite(error) else math.inf
