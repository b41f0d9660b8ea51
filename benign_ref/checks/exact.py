"""Numbers without rounding, on which a function written in NumPy is run to prove a gradient or an identity.

**The numbers.** A Number is a pair of fractions, a value and a slope: the derivative of the value along one
direction, carried by the rules of sum, product and quotient. An array of Numbers has dtype=object, and NumPy
hands its + - * / @, comparisons, abs and max to the entries: the code under test is run as it stands.

**Functions that are not rational.** np.exp of such an array calls .exp() of each entry. e^a is no fraction,
so a fraction is drawn at random for it, E(a), once for each different argument a, from one table (a Field)
for all that is compared; E(0) = 1, E(-a) = 1/E(a), and the slope is E(a) times that of a. log, log1p and tanh
likewise. If an identity holds for whatever numbers stand for the e^a, it holds for the e^a themselves. The
converse is not so: an identity that needs e^(a+b) = e^a e^b fails on drawn numbers though it is true. Such a
one is not decided here, and must not be called wrong: Fields of true values, to 60 and to 120 digits, tell
the two apart (equality.py).

**Why zero on drawn fractions is proof, up to a stated probability.** Both sides are quotients of polynomials
in the numbers drawn, so their difference is one, with a numerator of some degree at most k. If it is not
identically zero, at most k/|R| of the points have a zero there when each coordinate is drawn independently
and uniformly from a set R (Schwartz and Zippel: by induction over the variables, as a polynomial of degree k
in one variable has at most k zeros). R has 2^64 members here, so a false identity passes with probability at
most k/2^64, which is printed. A comparison (abs, max, where) cuts space into pieces; the statement then is
about the piece in which the point lies, and the bound holds for each piece by itself. A drawn E(a) may lie on
another side than e^a. So each Number carries what it is at the point in floating point too, `near`, which
alone decides <, <=, >, >= and the sign in abs; where two are equal to all bits, the drawn values decide.

**The degree** is carried along. Write the value as n/d and the slope as s/(dt) with polynomials n, d, t of
degree at most k and s of degree at most 2k. Then sums and products have k = k1 + k2: (s1 n2 t2 + n1 s2 t1)
/(d1 d2 t1 t2) is the slope of a product, of degree 2k1 + 2k2 above. The slope of a quotient is (s1 t2 n2 - n1
s2 t1) d2/(d1 n2 t1 t2 n2): k = k1 + 2 k2. e^a is one more variable E, of slope E s/(dt): k = 1 + 2 k1, and so
for log, of slope s/(tn), and tanh, of slope (1 - T^2) s/(dt).

A root is exact of the square of a fraction (4, 1/9, b*b), and drawn, R(a), of any other a > 0, its slope that
of a over 2 R(a), so k = 1 + 2 k1; what needs R(a)^2 = a is not decided. Refused is everything that leaves
fractions: a cast to float, np.logaddexp, np.linalg.
"""

import math
import operator
from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np

DRAWN_FROM = 2**64  # how many fractions each number is drawn from


class Field:
    """One table of drawn numbers for all that is compared. seed: integer >= 0. With a unit, not drawn but
    true to so many digits: e^(unit a), tanh(unit a), log(a)/unit, which obey the rules of e^a, tanh a, log a
    for any unit; a small one tames large a. What follows the digits is drawn, so that no two that are equal
    to all digits by a rule are equal by chance.
    """

    def __init__(self, seed: int, unit: Fraction | None = None, digits: int = 60) -> None:
        self._seed, self._rng = seed, np.random.default_rng(seed)
        self._unit, self._digits = unit, digits
        self._table: dict[tuple[str, Fraction], Fraction] = {}

    def fraction(self) -> Fraction:
        """A fraction between 0 and 1, uniformly one of DRAWN_FROM."""
        return Fraction(1 + int(self._rng.integers(DRAWN_FROM, dtype=np.uint64)), DRAWN_FROM)

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of Numbers between -1 and 1."""
        drawn = [Number(self, 2 * self.fraction() - 1, degree=1) for _ in range(math.prod(shape))]
        return np.array(drawn, dtype=object).reshape(shape)

    def near(self, array: np.ndarray, spread: Fraction = Fraction(1, 2)) -> np.ndarray:
        """Numbers drawn at random around an array: each within `spread` of its entry, relative, and between
        -1 and 1 where the entry is 0.
        """
        drawn = ((float(a), u.value) for a, u in zip(np.ravel(array), self.draw(np.shape(array)).flat))
        values = ((Fraction(a) * (1 + spread * u) if a else u, a) for a, u in drawn)
        numbers = [Number(self, value, degree=1, near=a) for value, a in values]
        return np.array(numbers, dtype=object).reshape(np.shape(array))

    def moving(self, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """An array of Numbers, moving along a drawn direction, and that direction: (moving, direction)."""
        ways = self.draw(array.shape)
        return np.asarray(along(array, ways)), ways

    def number(self, a: Any) -> Any:
        """A number as Number; NotImplemented for an array or whatever else is no real number."""
        if isinstance(a, Number):
            return a
        if not isinstance(a, (int, float, Fraction, np.integer, np.floating, np.bool_)):
            return NotImplemented
        return Number(self, Fraction(a.item() if isinstance(a, np.generic) else a))

    def look_up(self, function: str, a: Fraction) -> Fraction:
        """What stands for `function` ("exp", "log", "tanh", "sqrt") of a, by E(0) = 1, E(-a) = 1/E(a),
        log 1 = 0, log(1/a) = -log a, tanh(-a) = -tanh a.
        """
        key = function, max(a, 1 / a) if function == "log" else abs(a)
        if key[1] == (function == "log"):  # log 1, tanh 0, e^0
            return Fraction(function == "exp")
        if key not in self._table:
            drawn = self.fraction()
            free = drawn + (function == "exp")  # e^a > 1
            self._table[key] = free if self._unit is None else self._true(*key, drawn)
        one = self._table[key]
        return one if key[1] == a else 1 / one if function == "exp" else -one

    def _true(self, function: str, a: Fraction, drawn: Fraction) -> Fraction:
        """What stands for `function` of a > 0 to our digits, with `drawn` after them."""
        if function == "tanh":
            e = self._true("exp", 2 * a, drawn)
            return (e - 1) / (e + 1)
        unit, decimal = self._unit or Fraction(1), Context(prec=self._digits)
        a = a * unit if function == "exp" else a
        number = decimal.divide(Decimal(a.numerator), Decimal(a.denominator))
        value = Fraction({"exp": decimal.exp, "log": decimal.ln, "sqrt": decimal.sqrt}[function](number))
        return (value / unit if function == "log" else value) * (1 + drawn / 10**self._digits)

    def with_true_values(self, digits: int) -> "Field":
        """A Field that draws the same, of true values to so many digits, whose unit makes the arguments seen
        here at most 50: products of two of the e^a span 10^43 up and down then, of the 90 digits in which a
        difference is seen (equality.py).
        """
        seen = (a for function, a in self._table if function in ("exp", "tanh"))
        return Field(self._seed, 1 / max([Fraction(1), *(a / 50 for a in seen)]), digits)


def _rule(rule: Callable) -> Callable:
    """The method of a rule on two Numbers, of which the second may be a plain number."""

    def method(a: Any, b: Any) -> Any:
        b = a.field.number(b)
        return b if b is NotImplemented else rule(a, b)

    return method


def _in_floats(rule: Callable, *near: Any) -> float:
    """rule(*near) of floats; infinity beyond them, and NaN, which decides nothing, without a value."""
    try:
        return rule(*near)
    except OverflowError:
        return math.inf
    except (ArithmeticError, ValueError):
        return math.nan


def rounded(exact: Fraction) -> float:
    """A fraction as a float, infinite beyond them."""
    return _in_floats(float, abs(exact)) * (1 if exact >= 0 else -1)


def _order(holds: Callable) -> Callable:
    """A comparison: at the point, or, where that does not tell the two apart, as drawn."""

    def decide(a: Any, b: Any) -> bool:
        apart = a.near < b.near or a.near > b.near
        return holds(a.near, b.near) if apart else holds(a.value, b.value)

    return _rule(decide)


class Number:
    """A value and its slope, as fractions; `degree` and `near` as the page says. Made by a Field."""

    def __init__(
        self,
        field: Field,
        value: Fraction,
        slope: Fraction = Fraction(0),
        degree: int = 0,
        near: float | None = None,
    ) -> None:
        self.field, self.value, self.slope, self.degree = field, value, slope, degree
        self.near = rounded(value) if near is None else near

    def along(self, slope: Fraction) -> "Number":
        """The same value, moving with the given slope."""
        return Number(self.field, self.value, slope, self.degree + 1, self.near)

    @property
    def derivative(self) -> "Number":
        """The slope, as a Number that stands still."""
        return Number(self.field, self.slope, degree=2 * self.degree)

    @_rule
    def __add__(self, b: Any) -> Any:
        near = self.near + b.near
        return Number(self.field, self.value + b.value, self.slope + b.slope, self.degree + b.degree, near)

    @_rule
    def __mul__(self, b: Any) -> Any:
        slope = self.slope  # of what stands still, 0: most of what is multiplied does
        if slope or b.slope:
            slope = slope * b.value + self.value * b.slope
        return Number(self.field, self.value * b.value, slope, self.degree + b.degree, self.near * b.near)

    @_rule
    def __truediv__(self, b: Any) -> Any:
        value, near = self.value / b.value, _in_floats(operator.truediv, self.near, b.near)
        slope = (self.slope - value * b.slope) / b.value
        return Number(self.field, value, slope, self.degree + 2 * b.degree, near)

    __radd__, __rmul__ = __add__, __mul__
    __sub__, __rsub__ = _rule(lambda a, b: a + -b), _rule(lambda a, b: b + -a)
    __rtruediv__ = _rule(lambda a, b: b / a)
    __lt__, __le__, __gt__, __ge__ = map(_order, (operator.lt, operator.le, operator.gt, operator.ge))
    __eq__ = _rule(lambda a, b: a.value == b.value)  # and no hash: equal values may have different slopes

    def __neg__(self) -> "Number":
        return Number(self.field, -self.value, -self.slope, self.degree, -self.near)

    def __pos__(self) -> "Number":
        return self

    def __abs__(self) -> "Number":
        return self if self >= 0 else -self

    def __bool__(self) -> bool:
        return self.value != 0

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, np.ndarray):
            return NotImplemented
        if exponent != int(exponent) and exponent not in (0.5, -0.5):
            raise TypeError(f"a power of a fraction needs a whole exponent, got {exponent}")
        if exponent < 0:
            return 1 / self**-exponent
        if exponent == 0.5:
            return self.sqrt()
        return math.prod([self] * int(exponent), start=self.field.number(1))

    def _function(self, name: str, value: Fraction, rate: Fraction) -> "Number":
        """A function that is not rational, by its value and its derivative."""
        near = _in_floats(getattr(math, name), self.near)
        return Number(self.field, value, rate * self.slope, 1 + 2 * self.degree, near)

    def exp(self) -> "Number":
        """E(a): np.exp calls this, and so on below."""
        E = self.field.look_up("exp", self.value)
        return self._function("exp", E, E)

    def log(self) -> "Number":
        """log a, for a > 0."""
        if self.value <= 0:
            raise ValueError(f"log of {float(self.value):g}")
        return self._function("log", self.field.look_up("log", self.value), 1 / self.value)

    def log1p(self) -> "Number":
        """log(1 + a)."""
        return (1 + self).log()

    def tanh(self) -> "Number":
        """tanh a."""
        T = self.field.look_up("tanh", self.value)
        return self._function("tanh", T, 1 - T * T)

    def sqrt(self) -> "Number":
        """The root of a >= 0: exact of the square of a fraction, else R(a)."""
        if self.value < 0 or (self.value == 0 and self.slope != 0):
            raise ValueError(f"root of {float(self.value):g}")
        root = Fraction(math.isqrt(self.value.numerator), math.isqrt(self.value.denominator))
        if root * root != self.value:
            root = self.field.look_up("sqrt", self.value)
        elif self.degree == 0:
            return self.field.number(root)
        return self._function("sqrt", root, 1 / (2 * root) if root else root)  # 0 stands still

    conjugate, real, imag = __pos__, property(__pos__), 0  # Numbers are real; np.vdot asks

    def __float__(self) -> Any:
        raise TypeError("a cast to float rounds")

    __int__ = __complex__ = __index__ = __float__

    def __repr__(self) -> str:
        return f"Number({float(self.value):g}, slope {float(self.slope):g}, degree {self.degree})"


along = np.frompyfunc(lambda a, way: a.along(way.value), 2, 1)  # arrays of Numbers, moving along an array
