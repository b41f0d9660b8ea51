"""Whether two sides are equal, exactly: one verdict for claimed gradients (exactly.py), the ledger's
identities, walk-throughs and exercises. The same code is run on Numbers (exact.py) of several Fields.

**What is equal as drawn** is equal, up to the chance that is said.

**What differs as drawn** may be true by e^(a+b) = e^a e^b or the like. So the difference D is taken once more
with true values of e^a, log a, tanh a and roots, to 60 digits and to 120, at the same point. If D is 0 but
for what follows the digits, it is 10^60 times smaller at 120 digits (or less, where D has a zero of higher
order); if it is not, it is the same. The bound lies in the middle, at 10^30. There is nothing that D must be
compared with, so no scale: each entry is judged by itself, and the sides may be rounding themselves, as those
of the claim 0 for f = e^(a+b) - e^a e^b. A wrong entry hides below 10^-90 of the terms that cancel.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from .exact import DRAWN_FROM, Field, Number, rounded

EQUAL, REJECTED, UNDECIDED = "residual 0", "rejected", "not decided"


_fractions = np.frompyfunc(lambda x: x.value if isinstance(x, Number) else Fraction(x), 1, 1)


def values(array: Any) -> np.ndarray:
    """The values of an array of Numbers or plain numbers, rounded to floats, to be shown."""
    return np.asarray(np.frompyfunc(rounded, 1, 1)(_fractions(array)), dtype=float)


def chance(*arrays: Any) -> float:
    """The probability at which arrays of Numbers that are equal as drawn are not so identically: at most the
    sum of all their degrees (of slopes: twice) over DRAWN_FROM.
    """
    total = sum(getattr(a, "degree", 0) for array in arrays for a in np.asarray(array, dtype=object).ravel())
    return 2 * total / DRAWN_FROM


def on_fields(make: Callable[[Field], Any], seed: int) -> Callable[[int | None], Any]:
    """run(digits), which is make(field), once for each: of drawn numbers for None, which comes first, else of
    true values to so many digits, at the same point.
    """
    drawn = Field(seed)
    return cache(lambda digits: make(drawn.with_true_values(digits) if digits else drawn))


def gap(got: Any, expected: Any) -> np.ndarray:
    """got - expected, entry by entry, as fractions; 1 if they have not the same shape."""
    alike = np.shape(got) == np.shape(expected)
    return np.asarray(_fractions(got) - _fractions(expected) if alike else Fraction(1), dtype=object)


def verdict(sides: Callable[[int | None], tuple[Any, Any]]) -> tuple[str, float]:
    """(EQUAL, REJECTED or UNDECIDED; the chance that EQUAL is said of what is not), as the page says.

    sides(digits): the two arrays to be compared, of Numbers or of plain numbers; as drawn for None, else with
    true values to so many digits.
    """
    drawn = sides(None)
    said = EQUAL
    if gap(*drawn).any():
        differs = np.abs(gap(*sides(120))) > np.abs(gap(*sides(60))) / 10**30
        said = REJECTED if np.any(differs) else UNDECIDED
    return said, chance(*drawn)
