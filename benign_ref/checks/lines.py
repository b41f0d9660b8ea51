"""Derivatives of a scalar function along one straight line, by the two routes of gradient.py, and what each
of them can and cannot see. [D] all.

**Complex step.** f'(x) = Im f(x + ih)/h + O(h^2) at h = 1e-30. Nothing is subtracted, so the error is that of
f's own arithmetic. It holds for a holomorphic f that is real on the real axis. In general f moves with z and
with its conjugate, and the route gives f' - 2 Re df/dzbar. So it is wrong by exactly what the Cauchy-Riemann
equations are violated by, which can be seen at a finite step r, since the violation needs no small one:
    df/dzbar = (1/r) mean_k e^{i theta_k} f(x + r e^{i theta_k}) + O(r^7),  theta_k = 2 pi k/8,
which is 0 for every power (z-x)^j, j = 0, ..., 6; as is the mean with e^{-i theta_k} less the complex step.
What hides a violation is rounding over r, and f's own noise, which shows in the coefficients of e^{-2i theta}
and e^{-3i theta} that a violation has not on small circles. So r is as large as the error that is asked for
needs, and at first no larger than the block's scale; if that is not enough, circles widen as long as nothing
is seen on them, since small weights leave f nearly linear. A circle around a pole, a kink or the edge of a
domain shows a violation that is none, which a smaller one does not: circles shrink while something is seen,
and the one counts on which what is seen or hidden is least.

**Central differences.** d(h) = (f(x+h) - f(x-h))/2h = f' + h^2 f'''/6 + ..., so that e(h) = (16 d(h) -
d(4h))/15 = f' + O(h^4). Steps run by factors of 4 from 256 times the block's scale (far ones too, since small
weights leave f nearly linear) to 6e-8 of the scale, or of the entry that moves, if that is smaller. Two
errors bound e(h): the truncation, of which |e(h) - e(h/4)| is a fair measure, and rounding, f's error over h.
That error is at least ROUNDING |f|, and more where the shortest two steps show more. A far estimate is no
better than its distance to the nearer ones beyond their own errors, as far out a saturated f looks
flat or straight; the least error counts.

**Where no difference decides.** If the short steps do not move f at all and longer ones do, two explanations
are left: f is rounded on the way, or there is a kink (max(a, 0) at a = -0.001). The far estimate is right in
the first case, 0 in the second. So the two are the error of each other, unless ROUNDING |f| explains the
standstill.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocks import refuse_rough

COMPLEX_STEP = 1e-30  # its square is far below rounding of anything, itself far above underflow
ROUNDING = 64 * np.finfo(float).eps  # of f, relative: a sum of n terms loses about sqrt(n) eps, here n = 4096
NEAREST, FARTHEST = 4.0**-12, 4.0**5  # in units of a scale
CIRCLE = np.exp(2j * np.pi * np.arange(8) / 8)


class Line:
    """f along one line through the point, within one block: t -> f(point with the block at x + t v).

    way: the index of one entry, or an array v of the block's shape. here: the block. scale: its largest
    entry.
    """

    def __init__(
        self,
        f: Callable[[Any], Any],
        pack: Callable[[dict[str, np.ndarray]], Any],
        arrays: dict[str, np.ndarray],
        name: str,
        way: Any,
    ) -> None:
        self._f, self._pack, self._arrays, self._name, self._way = f, pack, arrays, name, way
        self._here = arrays[name]
        self.scale = float(np.abs(self._here).max() or max(np.abs(a).max() for a in arrays.values()) or 1.0)

    def at(self, t: complex) -> Any:
        """f at x + t v; if t is complex, every block is complex, so that f meets one type."""
        moved = {name: a.astype(np.result_type(t, np.float64)) for name, a in self._arrays.items()}
        if isinstance(self._way, np.ndarray):
            moved[self._name] = np.asarray(self._here + t * self._way)
        else:
            moved[self._name][self._way] += t
        return value_of(self._f, self._pack(moved), complex_point=isinstance(t, complex))

    def complex_step(self) -> float:
        """Im f(x + ih v)/h. ValueError if that is not finite."""
        found = float(self.at(1j * COMPLEX_STEP).imag / COMPLEX_STEP)
        if not np.isfinite(found):
            raise ValueError(
                f"f has no finite complex step in block {self._name!r} at this point, got {found}"
            )
        return found

    def violation(self, enough: float) -> tuple[float, float]:
        """(seen, hidden): how far the Cauchy-Riemann equations are violated along the line, as an error of
        the complex step, and below what nothing would be seen. No more is asked for than `enough`.
        """
        step = self.complex_step()
        r = first = min(self.scale, 2 * ROUNDING * abs(self.at(0.0)) / enough) if enough > 0 else self.scale
        floor = 4 * np.finfo(float).eps * abs(self.at(0.0))  # what hides on a circle of radius 1
        least = self._circle(r, step)
        while max(least) > max(enough, 4 * floor / r) and r > NEAREST * self._reach():
            r /= 4
            least = min(least, self._circle(r, step), key=max)
        while r >= first and least[1] > enough and r < FARTHEST * self.scale:
            r *= 4
            wider = self._circle(r, step)
            if max(wider) >= max(least):
                break
            least = wider
        return least

    def _circle(self, r: float, step: float) -> tuple[float, float]:
        """(seen, hidden) on the circle of radius r; infinite where f is not finite."""
        with np.errstate(all="ignore"):
            f = np.array([self.at(complex(r * turn)) for turn in CIRCLE])
            wanted = {1: 0.0, -1: r * step, 2: 0.0, 3: 0.0}
            back, first, *noise = (float(abs((CIRCLE**k * f).mean() - c)) / r for k, c in wanted.items())
            hidden = 4 * np.finfo(float).eps * float(np.abs(f).max()) / r + 8 * max(noise)
        seen = max(2 * back, first)
        return (seen, hidden) if np.isfinite(seen + hidden) else (np.inf, np.inf)

    def differences(self) -> tuple[float, float]:
        """(derivative, error) by central differences; ValueError if f is finite at no two neighbouring
        steps.
        """
        h = self._steps()
        with np.errstate(all="ignore"):
            ahead, behind = np.array([(self.at(step), self.at(-step)) for step in h]).T
            d, moved = (ahead - behind) / (2 * h), np.abs(ahead - behind)
            e, h = (16 * d[1:] - d[:-1]) / 15, h[1:]
            change = np.abs(np.diff(e))
            rounding = ROUNDING * abs(ahead[-1])
            still = moved[-1] == 0
            seen = moved[moved > 0][-1:] if still else (change * h[1:])[-2:]
            error = np.maximum(np.append(change, np.inf), max([rounding, *seen]) / h)
            for j in range(len(h)):
                error[j] = max(error[j], (np.abs(e[j] - e[j:]) - 10 * error[j:]).max())
            error[~np.isfinite(error)] = np.inf
            best = int(error.argmin())
            if still:  # by rounding, or by a kink?
                apart = np.abs(e[best] - e[best:])
                error[best] = max(error[best], apart[apart > rounding / h[best:]].max(initial=0))
        if not np.isfinite(error[best]):
            raise ValueError(
                f"f is not finite near the point in block {self._name!r}: no central difference exists"
            )
        return float(e[best]), float(error[best])

    def _steps(self) -> np.ndarray:
        """Steps falling by factors of 4 from far to near."""
        ratio = FARTHEST * self.scale / (NEAREST * self._reach())
        return FARTHEST * self.scale * 4.0 ** -np.arange(min(np.ceil(np.log(ratio) / np.log(4)), 60) + 1)

    def _reach(self) -> float:
        """The scale, or how far the line goes until an entry that moves has moved by its own size, if
        less.
        """
        dense = isinstance(self._way, np.ndarray)
        reach = np.abs(self._here if dense else self._here[self._way])
        if dense:
            reach = np.divide(reach, np.abs(self._way), where=self._way != 0, out=np.zeros_like(reach))
        return min(self.scale, float(np.min(reach, where=reach > 0, initial=np.inf)))


def value_of(f: Callable[[Any], Any], blocks: Any, complex_point: bool = False) -> Any:
    """f(blocks) as a float or complex number; refuses what is no number in double precision, and a real one
    at a complex point.
    """
    try:
        with warnings.catch_warnings():
            if complex_point:  # a cast to float inside f would drop the derivative
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
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
            "f is real at a complex point: it drops the imaginary part, which is the derivative; use "
            "method='central'"
        )
    if not complex_point and value.dtype.kind == "c":
        raise TypeError(f"f must be real at a real point, got {value}")
    if value.dtype.kind in "fc":
        refuse_rough("f", value)
    return value[()] if complex_point else float(value)
