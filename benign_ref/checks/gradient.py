"""Checks of a gradient that anyone can call, on any scalar function of named arrays.

    from benign_ref import checks
    # f(point) a number, grad(point) the claimed blocks, point a dict or NamedTuple
    result = checks.check_gradient(f, grad, point)
    print(result)
    assert result.passed

Two routes, complex step and central differences; lines.py derives both and says what they cannot see. Errors
are relative to the largest entry of the block, and there is no absolute tolerance: at a small initialisation
|dL_S/dW_Q| ~ 1e-6, and every absolute tolerance in common use then accepts whatever is claimed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import validate
from .blocks import Block, Report, claims, copies, subject, unpack
from .lines import MARGIN, ROUNDING, Line, sees, value_of

METHODS = ("complex_step", "central")
TOLERANCE = {"complex_step": 1e-10, "central": 1e-5}
EXPLAINED = {
    "differs": "the claimed gradient is not the derivative of f",
    "vacuous": "claimed and found are zero in the whole block, so nothing was checked: choose another point",
    "unresolved": "the error may be rounding, or near and far differences disagree (a kink): try another "
    "point, the complex step, or check_exactly",
    "not finite": "the claimed gradient holds NaN or infinity",
}


@dataclass(frozen=True)
class BlockCheck(Block):
    """One block: the verdict, "agrees" or a key of EXPLAINED; its largest entry (claimed or found), the worst
    error relative to it and where that is; how many entries lie below the tolerance, so that nothing was
    checked there; and how large, relative to the block, a term may be that is not holomorphic and was not
    seen (0 for differences).
    """

    largest: float
    error: float
    unchecked: int
    hidden: float


@dataclass(frozen=True)
class GradientCheck(Report):
    """What check_gradient found; prints as a table. `passed` (also its truth value) needs the verdict
    "agrees" in every block.
    """

    GOOD, EXPLAINED = "agrees", EXPLAINED
    method: str
    tolerance: float
    rows: tuple[BlockCheck, ...]

    def __str__(self) -> str:
        notes = []
        for row in self.rows:
            if row.unchecked:
                notes.append(
                    f"{row.block}: {row.unchecked} entries are below {self.tolerance:g} of the largest: "
                    "whatever is claimed there, up to that size, is not checked"
                )
            if row.hidden > self.tolerance:
                size = f"below {row.hidden:.0e} of it" if row.hidden < 1 else "whatever its size"
                notes.append(f"{row.block}: a term not holomorphic, {size}, would not be seen")
        return self._table(
            f"gradient by {self.method.replace('_', ' ')}; errors relative to the block's largest entry, "
            f"allowed {self.tolerance:g}",
            f"{'largest':>10}{'worst error':>13}",
            lambda row: f"{row.largest:>10.3g}{row.error:>13.2g}",
            notes,
        )


def check_gradient(
    f: Callable[[Any], Any],
    grad: Callable[[Any], Any],
    point: Any,
    *,
    method: str = "complex_step",
    directions: int | None = None,
    blocks: list[str] | None = None,
    rng: np.random.Generator | None = None,
    tolerance: float | None = None,
) -> GradientCheck:
    """Is grad(point) the derivative of f at point? Block by block, as GradientCheck.

    f(point)     one number in double precision. For method="complex_step" f takes complex arrays too and is
                 holomorphic in them: no abs, .real, np.vdot or cast to float on the way (the shift of a
                 softmax by the largest real part is harmless)
    grad(point)  the claimed derivatives, with the names and shapes of point
    point        dict or NamedTuple of float64 arrays
    method       "complex_step" (allowed error 1e-10) or "central" (1e-5), see above; `tolerance` replaces the
                 allowed error
    directions   None: every entry. k >= 1, for large shapes: k random unit directions v in each block, <grad,
                 v> against the derivative along v. One wrong entry among n then shows about sqrt(n) times
                 less than in full
    blocks       names of the blocks to check; None: all
    rng          numpy Generator for the directions; None: a fixed one

    The complex step also tests the Cauchy-Riemann equations along one direction in each block, so that an f
    that drops or conjugates imaginary parts is refused instead of giving 0; what rounding may hide of that is
    said. Raises TypeError for arrays or values not in double precision; ValueError for what is not finite,
    for other names or shapes, for an f that does not carry complex numbers and, by the complex step, at a
    kink. A block of zeros is "vacuous", which is no pass.
    """
    validate.choice("method", method, METHODS)
    directions = 0 if directions is None else validate.integer("directions", directions, 1)
    tolerance = TOLERANCE[method] if tolerance is None else validate.real("tolerance", tolerance)
    rng = np.random.default_rng(0) if rng is None else validate.generator("rng", rng)
    pack, arrays, names = subject(f, grad, point, blocks)
    start = value_of(f, pack(copies(arrays)))
    validate.require(np.isfinite(start), f"f(point) must be finite, got {start}")
    claimed = claims(unpack("grad(point)", grad(pack(copies(arrays))))[1], arrays, names)
    rows = []
    for name in names:
        shape, line = arrays[name].shape, partial(Line, f, pack, arrays, name)
        ways: Any = [(..., _direction(rng, shape)) for _ in range(directions)]
        ways = ways or ((index, 1.0) for index in np.ndindex(shape))
        rows.append(_check_block(line, claimed[name], ways, abs(start), method, rng, tolerance))
    return GradientCheck(method, tolerance, tuple(rows))


def derivative(function: Callable[[np.ndarray], Any], x: Any) -> np.ndarray:
    """The derivative of a scalar function at the array x, entry by entry, by complex step (allowed to be 0,
    unlike in check_gradient).
    """
    x = np.asarray(x, dtype=np.float64)
    line = partial(Line, lambda p: function(p["x"]), dict, {"x": x}, "x")
    return np.array([line(index).complex_step() for index in np.ndindex(x.shape)]).reshape(x.shape)


def _check_block(
    line: Callable[..., Line],
    claimed: np.ndarray,
    ways: Any,
    size: float,
    method: str,
    rng: np.random.Generator,
    tolerance: float,
) -> BlockCheck:
    """One BlockCheck, along each of `ways`: (index, 1) of entries, or (..., direction); size: |f| at the
    point.
    """
    places: list[str] = []
    table, hidden = [], 0.0
    for where, v in ways:
        one, entry = line(where, v), where is not ...
        places.append(str(list(where)) if entry else f"direction {len(places) + 1}")
        wanted = (claimed[where] * v).sum()
        if method == "complex_step":
            step = one.complex_step()
            table.append((wanted, step, 0.0, step, 0.0))
        else:
            table.append((wanted, *one.differences()))
    wanted, found, rough, nearest, jumps = np.array(table).T
    finite = bool(np.isfinite(claimed).all())
    largest = float(max(np.abs(claimed).max(), np.abs(found).max())) if finite else np.nan
    error, allowed = np.abs(wanted - found), tolerance * largest
    worst = int(np.where(np.isfinite(error), error, np.inf).argmax())
    if method == "complex_step":
        v = _direction(rng, claimed.shape)
        hidden = _refuse_unless_holomorphic(line(..., v / np.abs(v).max()), tolerance, found)
    if not finite:
        verdict = "not finite"
    elif largest == 0:
        verdict = "vacuous"
    elif max(error.max(), rough.max()) <= allowed:
        verdict = "agrees"
    else:
        differs = error > np.maximum(max(allowed, ROUNDING * size / one.scale), MARGIN * rough)
        differs &= np.abs(wanted - nearest) > MARGIN * jumps
        verdict = "differs" if differs.any() else "unresolved"
    small = np.maximum(np.abs(wanted), np.abs(found))
    unchecked = int(((small > 0) & (small <= allowed)).sum()) if entry else 0
    relative = float(error[worst] / largest if largest > 0 else error[worst])
    place = places[worst], float(wanted[worst]), float(found[worst])
    return BlockCheck(one.name, claimed.shape, verdict, *place, largest, relative, unchecked, hidden)


def _refuse_unless_holomorphic(line: Line, tolerance: float, found: np.ndarray) -> float:
    """ValueError if the Cauchy-Riemann equations are seen to be violated along the line; else what could be
    hidden, relative to the largest derivative found.
    """
    largest = float(np.abs(found).max())
    circle = seen, hidden = line.violation(tolerance * largest)
    kink = f"f has a kink at the point, in block {line.name!r}: no derivative; try another point"
    validate.require(line.jump() <= largest / 10, kink)
    validate.require(
        not sees(circle, tolerance * largest),
        f"f is not complex-safe: in block {line.name!r} it violates the Cauchy-Riemann equations by "
        f"{seen:.2g}, its largest derivative being {largest:.2g}. Something in f drops or conjugates "
        "imaginary parts (.real, abs, np.vdot, a cast to float), or it has a kink at the point; mend f "
        "or use method='central'",
    )
    return hidden / largest if largest > 0 else 0.0


def _direction(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A random array of a shape and of norm 1."""
    v = np.asarray(rng.standard_normal(shape))
    return v / np.sqrt((v * v).sum())
