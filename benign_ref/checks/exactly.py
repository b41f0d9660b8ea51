"""A claimed gradient in exact arithmetic: residual zero, or not passed. No tolerance, no step, no scale.

    from benign_ref import checks
    result = checks.check_exactly(f, grad, point)     # the arguments of check_gradient
    print(result)
    assert result.passed

One block at a time, f is run on Numbers (exact.py) drawn around the point, moving along a drawn direction v
of the block; its slope is to equal <grad, v>. As a linear form in v that differs from 0 vanishes at few v,
one run of f decides all entries of the block. Where they differ, halving finds how many of them it takes, and
so the first entry that does.

What differs as drawn may be true by e^(a+b) = e^a e^b or the like; equality.py tells the two apart.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import numpy as np

from .. import validate
from .blocks import Block, Report, claims, copies, split, subject
from .equality import EQUAL, REJECTED, UNDECIDED, chance, on_fields, values, verdict
from .exact import DRAWN_FROM, Field, Number, along

EXPLAINED = {
    REJECTED: "the claimed gradient is not the derivative of f (if claimed and found agree to 12 digits: "
    "unless a constant was rounded on the way, such as 1/3 as a float)",
    UNDECIDED: "unequal as drawn, equal to all digits of the true e^a, log a, tanh a, root: it needs "
    "e^(a+b) = e^a e^b or the like (a softmax shifted on one side only), which this cannot prove",
}
NEAR = Fraction(1, 2**40)  # how far from an entry it is drawn, relative


@dataclass(frozen=True)
class ExactBlock(Block):
    """One block: the verdict, EQUAL or a key of EXPLAINED; the first wrong entry with what was claimed and
    found there, rounded; and the degree of the difference, which gives `chance`.
    """

    chance: float  # at most this: the probability that "residual 0" is said of a wrong gradient


@dataclass(frozen=True)
class ExactCheck(Report):
    """What check_exactly found; prints as a table. `passed` (also its truth value) needs "residual 0" in
    every block.
    """

    GOOD, EXPLAINED = EQUAL, EXPLAINED
    rows: tuple[ExactBlock, ...]

    def __str__(self) -> str:
        meaning = (
            "residual 0: equal as fractions; a wrong gradient is called so with a probability of at most "
            f"its degree over 2^{DRAWN_FROM.bit_length() - 1}, the chance"
        )
        return self._table(
            "gradient in exact arithmetic, on fractions drawn around the point; no tolerance",
            f"{'chance':>9}",
            lambda row: f"{row.chance:>9.1e}",
            [meaning] * any(row.verdict == self.GOOD for row in self.rows),
        )


def check_exactly(
    f: Callable[[Any], Any],
    grad: Callable[[Any], Any],
    point: Any,
    *,
    blocks: list[str] | None = None,
    seed: int = 0,
) -> ExactCheck:
    """Is grad the derivative of f, exactly? Block by block, as ExactCheck; [D], see the pages above.

    f(point)     one number, from + - * /, powers, comparisons, abs, max, exp, log, log1p, tanh, sqrt
    grad(point)  the claimed derivatives, with the names and shapes of point
    point        dict or NamedTuple of float64 arrays; each entry is drawn at random within 1e-12 of its own
                 size, so that edges and kinks stay on their side (a zero between -1 and 1)
    blocks       names of the blocks to check; None: all
    seed         of what is drawn, an integer >= 0: the same seed, the same numbers

    Raises ValueError, with the reason, where f or grad leaves exact arithmetic: np.logaddexp, np.linalg,
    casts to float, powers other than whole ones and roots, division by 0; and for other names or shapes.
    TypeError for arrays that are not float64, an f or grad that is no function, blocks that are no list.
    """
    seed = validate.integer("seed", seed, 0)
    pack, arrays, names = subject(f, grad, point, blocks)
    route = on_fields(lambda field: _Route(f, grad, pack, arrays, names, field), seed)
    return ExactCheck(tuple(_check_block(name, arrays[name].shape, route) for name in names))


class _Route:
    """f and the claimed gradient at one drawn point of a Field; computed when first asked for."""

    def __init__(
        self,
        f: Callable[[Any], Any],
        grad: Callable[[Any], Any],
        pack: Callable[[Any], Any],
        arrays: dict[str, np.ndarray],
        names: list[str],
        field: Field,
    ) -> None:
        self.f, self.grad, self.pack, self.names, self.field = f, grad, pack, names, field
        self.point = {name: field.near(a, NEAR) for name, a in arrays.items()}
        self.ways = {name: field.draw((a.size,)) for name, a in arrays.items()}

    @cached_property
    def claimed(self) -> dict[str, np.ndarray]:
        """The claimed blocks, each as Numbers in a row."""
        wanted = _follow("grad", lambda: self.grad(self.pack(copies(self.point))))
        blocks = claims(split("grad(point)", wanted)[1], self.point, self.names)
        numbers = np.frompyfunc(partial(_number, self.field), 1, 1)
        return _follow("grad", lambda: {name: numbers(blocks[name].ravel()) for name in self.names})

    def sides(self, name: str, start: int, stop: int) -> tuple[Number, Number]:
        """(claimed, found) along entries start to stop of the block's direction v: <grad, v> and df/dv, as
        values of Numbers.
        """
        at, v = copies(self.point), self.ways[name][start:stop]
        moving = at[name].reshape(-1)
        moving[start:stop] = along(moving[start:stop], v)
        value = _follow("f", lambda: _number(self.field, self.f(self.pack(at))))
        return self.claimed[name][start:stop] @ v, value.derivative


def _check_block(name: str, shape: tuple[int, ...], route: Callable[[int | None], _Route]) -> ExactBlock:
    """One ExactBlock: all entries at once; if they differ, the first of those that decide how."""

    def judged(start: int, stop: int) -> tuple[str, float]:
        return verdict(lambda digits: route(digits).sides(name, start, stop))

    drawn, size = route(None), math.prod(shape)
    said, bound = judged(0, size)
    bound += chance(drawn.claimed[name])
    if said == EQUAL:
        return ExactBlock(name, shape, said, "", np.nan, np.nan, bound)
    first = bisect_left(range(size - 1), True, key=lambda k: judged(0, k + 1)[0] == said)
    sides = drawn.sides(name, first, first + 1)
    claimed, found = values([side / drawn.ways[name][first] for side in sides]).tolist()
    where = str([int(i) for i in np.unravel_index(first, shape)])
    return ExactBlock(name, shape, said, where, claimed, found, bound)


def _follow(what: str, run: Callable[[], Any]) -> Any:
    """run(), with whatever cannot be done on Numbers told in words."""
    try:
        with np.errstate(all="ignore"):  # what a Number is in floats may be infinite
            return run()
    except (TypeError, AttributeError, ValueError, ArithmeticError) as error:
        reason = "division by 0" if isinstance(error, ZeroDivisionError) else error
        raise ValueError(
            f"{what} cannot be followed in exact arithmetic: {reason}. Allowed are + - * / @, whole powers, "
            "comparisons, abs, max, exp, log, log1p, tanh, sqrt; not np.logaddexp (take max(-z, 0) + "
            "log1p(exp(-abs(z))) for it), np.linalg, casts to float"
        ) from error


def _number(field: Field, value: Any) -> Number:
    """What f gives, or an entry of the gradient, as a Number. TypeError if it is none."""
    value = np.asarray(value, dtype=object)
    validate.require(not value.ndim, f"one number is wanted, got an array of shape {value.shape}", TypeError)
    number, kind = field.number(value.item()), type(value.item()).__name__
    validate.require(number is not NotImplemented, f"{kind} is no real number", TypeError)
    return number
