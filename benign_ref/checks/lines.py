"""Derivatives of a scalar function along one straight line, by the two routes of gradient.py, and what each
of them can and cannot see. [D] all.

**Complex step.** f'(x) = Im f(x + ih)/h + O(h^2) at h = 1e-30. Nothing is subtracted, so the error is that of
f's own arithmetic. It holds for a holomorphic f that is real on the real axis. In general f moves with z and
with its conjugate, and the route gives f' - 2 Re df/dzbar. So it is wrong by exactly what the Cauchy-Riemann
equations are violated by, which can be seen at a finite step r, since the violation needs no small one:
    df/dzbar = (1/r) mean_k e^{i theta_k} f(x + r e^{i theta_k}) + O(r^7),  theta_k = 2 pi k/8,
which is 0 for every power (z-x)^j, j = 0, ..., 6; as is the mean with e^{-i theta_k} less the complex step.
What hides a violation is rounding over r: of f, of the point, and f's own noise, which shows in the
coefficients of e^{-2i theta} and e^{-3i theta}, that a violation has not on small circles, and in what f
gives at x +- r as real and as complex numbers. Where rounding leaves the real part of f fewer than four
values (a saturated f hardly moves), it would look like a violation, so nothing is seen there. Circles are
4^k times the block's scale. The first is the smallest on which rounding hides no more than is asked for, and
no larger than the scale. A circle around a pole, a kink or the edge of a domain shows a violation that is
none, which a smaller one does not: circles shrink until nothing is left to be found, seen or hidden, or
rounding would hide that much on the next. The one with the least counts. If that hides too much, circles
widen, since small weights leave f nearly linear, until one is no better. A kink at the point itself shows in
the complex steps 32 units in the last place to either side of it.

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
standstill. If the shortest steps move f by more than its rounding explains, whatever their length, f is noisy
there or as steep as a step: what they alone would allow is then not called wrong. And if the slopes ahead and
behind differ however short the steps are (4 s(h) - s(4h) = 3 s(0) for the half of their difference), there is
a kink at the point, and no derivative: the error is that.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..validate import require
from .blocks import refuse_rough

EPS, TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)
COMPLEX_STEP = 1e-30  # its square is far below rounding of anything, itself far above underflow
ROUNDING = 64 * EPS  # of f, relative: a sum of n terms loses about sqrt(n) eps, here n = 4096
NEAREST, FARTHEST = 4.0**-12, 4.0**5  # steps, in units of a scale
ROUNDED = 4 * EPS  # of f, relative, at the least: the sum of a few
MARGIN = 8  # between what a few samples of noise show of it and what it may be
FROZEN = (0.0, np.inf)  # on a circle on which rounding holds f still nothing is seen, everything hidden
CIRCLE = np.exp(2j * np.pi * np.arange(8) / 8)


@dataclass
class Line:
    """f along one line through the point, within one block: t -> f(point with x[where] at x[where] + t v).

    where: the index of one entry; or ... for the whole block x, and v an array of its shape.
    """

    f: Callable[[Any], Any]
    pack: Callable[[dict[str, np.ndarray]], Any]
    arrays: dict[str, np.ndarray]
    name: str
    where: Any
    v: Any = 1.0

    @cached_property
    def scale(self) -> float:
        """The block's largest entry; that of the point if the block is 0, and 1 if the point is."""
        largest = {name: float(np.abs(a).max()) for name, a in self.arrays.items()}
        return largest[self.name] or max(largest.values()) or 1.0

    @cached_property
    def reach(self) -> float:
        """The scale, or how far the line goes until an entry has moved by its own size, if less."""
        here, speed = np.abs(self.arrays[self.name][self.where]), np.abs(self.v)
        own = np.divide(here, speed, where=speed > 0, out=np.zeros_like(here))
        return float(np.min(own, where=own > 0, initial=self.scale))

    def at(self, t: complex) -> Any:
        """f at x + t v; if t is complex, every block is complex, so that f meets one type."""
        moved = {name: a.astype(np.result_type(t, np.float64)) for name, a in self.arrays.items()}
        moved[self.name][self.where] += t * self.v
        return value_of(self.f, self.pack(moved), complex_point=isinstance(t, complex))

    def complex_step(self, t: float = 0.0) -> float:
        """Im f(x + (t + ih) v)/h. ValueError if that is not finite."""
        # a power of 2 changes no digit of the derivative; no entry moves by more than 1e-30 of its size
        h = max(COMPLEX_STEP * (np.spacing(min(self.reach, 1.0)) / EPS), TINY)
        found = float(self.at(t + 1j * h).imag / h)
        says = f"f has no finite complex step in block {self.name!r} at this point, got {found}"
        require(np.isfinite(found), says)
        return found

    def violation(self, enough: float) -> tuple[float, float]:
        """(seen, hidden): how far the Cauchy-Riemann equations are violated along the line, as an error of
        the complex step, and below what nothing would be seen. No more is asked for than `enough`.
        """
        step = self.complex_step()
        floor = ROUNDED * (abs(self.at(0.0)) + self.reach * abs(step))  # f and the point are rounded
        r = self.scale
        while MARGIN * floor < enough * r / 4:
            r /= 4
        least, first = self._circle(r, step, floor), r
        circle = least
        moves = EPS * self.reach  # on a smaller circle no entry does but a 0
        while (
            max(circle) > enough and max(circle) * r / 4 > MARGIN * floor and circle != FROZEN and r > moves
        ):
            r /= 4
            circle = self._circle(r, step, floor)
            least = min(least, circle, key=lambda one: (sees(one, enough), sum(one)))
        r = first
        while least[1] > enough and not sees(least, enough):
            r *= 4
            wider = self._circle(r, step, floor)
            if sees(wider, enough) or sum(wider) >= sum(least):
                break
            least = wider
        return least

    def jump(self) -> float:
        """By how much the slope differs 32 units in the last place to either side: a kink, if it is much."""
        t = 32 * EPS * self.reach
        return abs(self.complex_step(t) - self.complex_step(-t))

    def _circle(self, r: float, step: float, floor: float) -> tuple[float, float]:
        """(seen, hidden) on the circle of radius r; all infinite where f is not finite."""
        with np.errstate(all="ignore"):
            f = np.array([self.at(complex(r * turn)) for turn in CIRCLE])
            wanted = {1: 0.0, -1: r * step, 2: 0.0, 3: 0.0}
            back, first, *noise = (float(abs((CIRCLE**k * f).mean() - c)) / r for k, c in wanted.items())
            as_real = max(abs(self.at(r) - f[0]), abs(self.at(-r) - f[4]))
            rounding = max(floor, MARGIN * as_real, ROUNDED * float(np.abs(f).max()))
            hidden = rounding / r + MARGIN * max(noise)
        if not np.isfinite(hidden + back):
            return np.inf, np.inf
        return (max(2 * back, first), hidden) if len(np.unique(f.real)) > 3 else FROZEN

    def differences(self) -> tuple[float, float, float, float]:
        """(derivative, error) by central differences, and of the shortest step alone what it gives and
        how far that may be off by jumps of f that are larger than its rounding. ValueError if f is finite at
        no two neighbouring steps.
        """
        ratio = FARTHEST * self.scale / (NEAREST * self.reach)
        h = FARTHEST * self.scale * 4.0 ** -np.arange(np.ceil(np.log(ratio) / np.log(4)) + 1)
        with np.errstate(all="ignore"):
            ahead, behind = np.array([(self.at(step), self.at(-step)) for step in h]).T
            d, moved = (ahead - behind) / (2 * h), np.abs(ahead - behind)
            bend = (ahead + behind - 2 * self.at(0.0)) / (2 * h)
            e, h = (16 * d[1:] - d[:-1]) / 15, h[1:]
            change = np.abs(np.diff(e))
            rounding = ROUNDING * abs(ahead[-1])
            still = moved[-1] == 0
            seen = moved[moved > 0][-1:] if still else (change * h[1:])[-2:]
            noise = max([rounding, *seen]) / h
            error = np.maximum(np.append(change, np.inf), noise)
            for j in range(len(h)):
                error[j] = max(error[j], (np.abs(e[j] - e[j:]) - MARGIN * error[j:]).max())
            error[~np.isfinite(error)] = np.inf
            best = int(error.argmin())
            if still:  # by rounding, or by a kink?
                apart = np.abs(e[best] - e[best:])
                error[best] = max(error[best], (apart - rounding / h[best:]).max())
            kink = abs(4 * bend[-1] - bend[-2]) / 3 - MARGIN * noise[-1]
            error[best] = max(error[best], kink)
        says = f"f is not finite near the point in block {self.name!r}: no central difference exists"
        require(np.isfinite(error[best]), says)
        jumps = noise[-1] if not still and max(seen) > rounding else 0.0
        return float(e[best]), float(error[best]), float(e[-1]), float(jumps)


def sees(circle: tuple[float, float], enough: float) -> bool:
    """Whether more is seen on a circle than is allowed, and than rounding explains."""
    seen, hidden = circle
    return seen > max(enough, hidden)


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
    kind = value.dtype.kind
    if value.ndim or kind not in "iufc":
        raise TypeError(
            f"f must return one number, got an array of shape {value.shape} and dtype {value.dtype}"
        )
    require(
        kind == "c" or not complex_point,
        "f is real at a complex point: it drops the imaginary part, which is the derivative; use "
        "method='central'",
    )
    if not complex_point and kind == "c":
        raise TypeError(f"f must be real at a real point, got {value}")
    if kind in "fc":
        refuse_rough("f", value)
    return value[()] if complex_point else float(value)
