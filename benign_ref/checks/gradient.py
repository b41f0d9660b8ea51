"""Checks of a gradient that anyone can call, on any scalar function of named arrays; the invariants are in
invariants.py.

    from benign_ref import checks
    # f(point) a number, grad(point) the claimed blocks, point a dict or NamedTuple
    result = checks.check_gradient(f, grad, point)
    print(result)
    assert result.passed

Two routes, [D] both:
    complex step         df/dx = Im f(x + i h) / h + O(h^2), h = 1e-30: nothing is subtracted, so the error is that of f's own arithmetic
    central differences  df/dx = (16 d(h) - d(4h)) / 15 + O(h^4), d(h) = (f(x+h) - f(x-h)) / 2h, at steps h from 256 times the block's
                         scale (its largest entry) down to 6e-8 of it; taken is the step at which the estimate
                         changes least
Errors are relative to the largest entry of the block, and there is no absolute tolerance: at a small
initialisation |dL_S/dW_Q| ~ 1e-6, and every absolute tolerance in common use then accepts whatever is
claimed.

What is attained on this model, N <= 4, M, d <= 5, 40 draws, weights of scale s, worst block: the complex step
7e-15 at s = 1e-2 to 1e-4; central differences 2e-9 at s = 1e-2, 2e-7 at 1e-3, 3e-5 (above the allowed 1e-5,
so "unresolved") at 1e-4, where dL_S/dW_Q ~ 1e-9.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from .. import validate
from .blocks import claims, refuse_rough, unpack

METHODS = ("complex_step", "central")
TOLERANCE = {"complex_step": 1e-10, "central": 1e-5}
COMPLEX_STEP = 1e-30  # its square is far below rounding of anything, itself far above underflow
STEPS = 4.0 ** np.arange(
    5, -13, -1
)  # in units of the block's scale; far ones too, since small weights leave f nearly linear far out
FLAT = (
    4096 * np.finfo(float).eps
)  # an error that moves f by less than this part of it, over a step of the block's scale, may be rounding
SAFE = 1e-4  # the two routes must agree as well as this, or f is not complex-safe

EXPLAINED = {
    "differs": "the claimed gradient is not the derivative of f",
    "vacuous": "claimed and found are zero in the whole block, so nothing was checked: choose another point",
    "unresolved": "the error is above the tolerance, but may be rounding, so small is it beside f: try another point, or the complex step",
    "not finite": "the claimed gradient holds NaN or infinity",
}


@dataclass(frozen=True)
class BlockCheck:
    """One block: its largest entry (claimed or found), the worst error relative to it and where that is, the
    verdict.
    """

    block: str
    shape: tuple
    largest: float
    error: float
    where: str  # an index, or the number of a direction
    claimed: float
    found: float
    verdict: str  # "agrees", or a key of EXPLAINED


@dataclass(frozen=True)
class GradientCheck:
    """What check_gradient found; prints as a table. `passed` (also its truth value) needs the verdict
    "agrees" in every block.
    """

    method: str
    tolerance: float
    rows: tuple

    @property
    def passed(self):
        """Whether there is a block, and the verdict of every block is "agrees"."""
        return bool(self.rows) and all(row.verdict == "agrees" for row in self.rows)

    def __bool__(self):
        return self.passed

    def __str__(self):
        width = max(len("block"), *(len(row.block) for row in self.rows))
        lines = [
            f"gradient by {self.method.replace('_', ' ')}; errors relative to the block's largest entry, allowed {self.tolerance:g}"
        ]
        head = f"{'shape':<10}{'largest':>10}{'worst error':>13}  {'where':<12}{'claimed':>14}{'found':>14}"
        lines.append(f"{'block':<{width}}  {head}  verdict")
        for row in self.rows:
            shape = "x".join(map(str, row.shape)) or "number"
            numbers = f"{row.largest:>10.3g}{row.error:>13.2g}  {row.where:<12}{row.claimed:>14.6g}{row.found:>14.6g}"
            lines.append(f"{row.block:<{width}}  {shape:<10}{numbers}  {row.verdict}")
        for verdict in dict.fromkeys(row.verdict for row in self.rows if row.verdict != "agrees"):
            lines.append(f"{verdict}: {EXPLAINED[verdict]}")
        return "\n".join(lines + ["passed" if self.passed else "NOT passed"])


def check_gradient(
    f, grad, point, *, method="complex_step", directions=None, blocks=None, rng=None, tolerance=None
):
    """Is grad(point) the derivative of f at point? Block by block, as GradientCheck.

    f(point)     one number in double precision. For method="complex_step" f takes complex arrays too and is
                 holomorphic in them: no abs,
                 .real, np.vdot or cast to float on the way (the shift of a softmax by the largest real part
                 is harmless)
    grad(point)  the claimed derivatives, with the names and shapes of point
    point        dict or NamedTuple of float64 arrays
    method       "complex_step" (allowed error 1e-10) or "central" (1e-5), see above; `tolerance` replaces the
                 allowed error
    directions   None: every entry. k >= 1, for large shapes: k random unit directions v in each block, <grad,
                 v> against the derivative
                 along v. One wrong entry among n then shows about sqrt(n) times less than in full
    blocks       names of the blocks to check; None: all
    rng          numpy Generator for the directions; None: a fixed one

    The complex step also compares itself with central differences along one direction in each block, so that
    an f that drops imaginary parts is refused instead of giving 0. Raises TypeError for arrays or values not
    in double precision; ValueError for what is not finite, for other names or shapes, and for an f that does
    not carry complex numbers. A block of zeros is "vacuous", which is no pass.
    """
    validate.choice("method", method, METHODS)
    if directions is not None:
        directions = validate.integer("directions", directions, 1)
    tolerance = TOLERANCE[method] if tolerance is None else validate.real("tolerance", tolerance)
    rng = np.random.default_rng(0) if rng is None else validate.generator("rng", rng)
    pack, arrays = unpack("point", point)
    names = list(arrays) if blocks is None else list(blocks)
    if not names or any(name not in arrays for name in names):
        raise ValueError(f"blocks must name some of {', '.join(arrays)}, got {blocks!r}")
    for name, a in arrays.items():
        if not np.isfinite(a).all():
            raise ValueError(f"point[{name!r}] must be finite, got {a[~np.isfinite(a)][0]}")
    start = _value(f, pack({name: a.copy() for name, a in arrays.items()}))
    if not np.isfinite(start):
        raise ValueError(f"f(point) must be finite, got {start}")
    wanted = unpack("grad(point)", grad(pack({name: a.copy() for name, a in arrays.items()})))[1]
    claimed = claims(wanted, arrays, names)
    flat = FLAT * abs(start)
    rows = [
        _check_block(_Lines(f, pack, arrays, name), claimed[name], flat, method, directions, rng, tolerance)
        for name in names
    ]
    return GradientCheck(method, tolerance, tuple(rows))


def derivative(function, x):
    """The derivative of a scalar function at the array x, entry by entry, by complex step (allowed to be 0,
    unlike in check_gradient).
    """
    lines = _Lines(lambda blocks: function(blocks["x"]), dict, {"x": np.asarray(x, dtype=np.float64)}, "x")
    return np.array([lines.by_complex_step(v) for v in _units(lines.here.shape)]).reshape(lines.here.shape)


def _check_block(lines, claimed, flat, method, directions, rng, tolerance):
    """One BlockCheck, along every entry or along `directions` random unit directions; a change of f by `flat`
    may be rounding.
    """
    shape = lines.here.shape
    ways = list(_units(shape)) if directions is None else [_unit(rng, shape) for _ in range(directions)]
    if method == "complex_step":
        lines.refuse_unless_complex_safe(_unit(rng, shape))
        found, rough = np.array([lines.by_complex_step(v) for v in ways]), 0.0
    else:
        found, rough = np.array([lines.by_differences(v) for v in ways]).T
    wanted = np.array([(claimed * v).sum() for v in ways])
    finite = bool(np.isfinite(claimed).all())
    largest = max(np.abs(claimed).max(), np.abs(found).max()) if finite else np.nan
    error = np.abs(wanted - found)  # absolute so far
    worst = int(np.where(np.isfinite(error), error, np.inf).argmax())
    relative = error[worst] / largest if largest > 0 else error[worst]
    if not finite:
        verdict = "not finite"
    elif largest == 0:
        verdict = "vacuous"
    elif relative <= tolerance:
        verdict = "agrees"
    else:
        beyond_rounding = error > np.maximum(tolerance * largest, np.maximum(10 * rough, flat / lines.scale))
        verdict = "differs" if beyond_rounding.any() else "unresolved"
    where = f"direction {worst + 1}" if directions else str([int(i) for i in np.unravel_index(worst, shape)])
    return BlockCheck(
        lines.name,
        shape,
        float(largest),
        float(relative),
        where,
        float(wanted[worst]),
        float(found[worst]),
        verdict,
    )


class _Lines:
    """f along straight lines through the point within one block: t -> f(point with block + t v)."""

    def __init__(self, f, pack, arrays, name):
        self.f, self.pack, self.arrays, self.name, self.here = f, pack, arrays, name, arrays[name]
        self.scale = np.abs(self.here).max() or max(np.abs(a).max() for a in arrays.values()) or 1.0

    def at(self, shift):
        """f with the block moved by `shift`; if that is complex, every block is complex, so that f meets one
        type.
        """
        kind = np.result_type(shift, np.float64)
        moved = {name: a.astype(kind) for name, a in self.arrays.items()}
        moved[self.name] = np.asarray(self.here + shift)
        return _value(self.f, self.pack(moved), complex_point=np.iscomplexobj(shift))

    def by_complex_step(self, v):
        """Im f(x + i h v) / h."""
        found = float(self.at(1j * COMPLEX_STEP * v).imag / COMPLEX_STEP)
        if not np.isfinite(found):
            raise ValueError(
                f"f has no finite complex step in block {self.name!r} at this point, got {found}"
            )
        return found

    def by_differences(self, v):
        """(derivative, roughness) along v: fourth-order central differences at the best of STEPS; far steps
        may overflow or saturate.
        """
        h = self.scale * STEPS
        with np.errstate(all="ignore"):
            ahead, behind = np.array([(self.at(step * v), self.at(-step * v)) for step in h]).T
            d = (ahead - behind) / (2 * h)
            fourth, h = (16 * d[1:] - d[:-1]) / 15, h[1:]
            change = np.abs(np.diff(fourth))
            moved = np.abs(ahead - behind)
            quantum = (
                moved[moved > 0][-1:] if moved[-1] == 0 else moved[:0]
            )  # the least f moves by, if short steps do not move it at all
            rounding = max(
                np.finfo(float).eps * np.abs(ahead[-1]), *(change * h[1:])[-2:], *quantum
            )  # shortest steps show nothing else
            rough = np.maximum(np.append(change, np.inf), rounding / h)
            # a far estimate is no better than its distance to the nearer ones: where f saturates it would not
            # change at all
            for j in range(len(h)):
                rough[j] = max(rough[j], (np.abs(fourth[j] - fourth[j:]) - 10 * rough[j:]).max())
        rough[~np.isfinite(rough)] = np.inf
        best = int(rough.argmin())
        if not np.isfinite(rough[best]):
            raise ValueError(
                f"f is not finite near the point in block {self.name!r}: no central difference exists"
            )
        if (
            abs(fourth[best]) <= 10 * rough[best]
        ):  # f did not move: that says little about its slope beyond steps of the block's scale
            rough[best] = max(rough[best], rounding / self.scale)
        return fourth[best], rough[best]

    def refuse_unless_complex_safe(self, v):
        """ValueError unless the complex step and central differences along v agree to SAFE, or to what the
        differences resolve.
        """
        step, (difference, rough) = self.by_complex_step(v), self.by_differences(v)
        if abs(step - difference) > max(SAFE * max(abs(step), abs(difference)), 100 * rough):
            raise ValueError(
                f"f is not complex-safe: in block {self.name!r} its complex step is {step:.6g}, its central difference {difference:.6g}. "
                "Something in f drops or conjugates imaginary parts (.real, abs, np.vdot, a cast to float); mend f or use method='central'"
            )


def _units(shape):
    """The unit arrays of a shape, one entry 1 and the others 0, in C order."""
    for index in np.ndindex(shape):
        v = np.zeros(shape)
        v[index] = 1.0
        yield v


def _unit(rng, shape):
    """A random array of a shape and of norm 1."""
    v = np.asarray(rng.standard_normal(shape))
    return v / np.sqrt((v * v).sum())


def _value(f, blocks, complex_point=False):
    """f(blocks) as a float or complex number; refuses what is no number in double precision, and a real one
    at a complex point.
    """
    try:
        with warnings.catch_warnings():
            if complex_point:
                warnings.simplefilter(
                    "error", np.exceptions.ComplexWarning
                )  # a cast to float inside f would drop the derivative
            value = np.asarray(f(blocks))
    except (TypeError, np.exceptions.ComplexWarning) as error:
        if not complex_point:
            raise
        raise ValueError(
            f"f cannot be followed through complex numbers ({error}); mend f or use method='central'"
        ) from error
    if value.ndim != 0 or value.dtype.kind not in "iufc":
        raise TypeError(
            f"f must return one number, got an array of shape {value.shape} and dtype {value.dtype}"
        )
    if complex_point and value.dtype.kind != "c":
        raise ValueError(
            "f is real at a complex point: it drops the imaginary part, which is the derivative; use method='central'"
        )
    if not complex_point and value.dtype.kind == "c":
        raise TypeError(f"f must be real at a real point, got {value}")
    if value.dtype.kind in "fc":
        refuse_rough("f", value)
    return value[()] if complex_point else float(value)
