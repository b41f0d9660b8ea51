"""The numbers of exact arithmetic: their rules against integers and closed forms, how they are drawn, and the
degrees that bound the chance of a false zero.
"""

import math
from decimal import Context, Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from benign_ref.checks.equality import chance
from benign_ref.checks.exact import Field, Number


def test_the_numbers_obey_the_rules_of_arithmetic_and_of_derivatives():
    field = Field(3)
    x, y = (field.near(np.array(a)).item() for a in (0.7, -1.3))
    x, y = x.along(Fraction(2)), y.along(Fraction(-3))
    assert ((x + y) * (x - y)) == x * x - y * y and (x / y) * y == x
    product, quotient = (x * y), x / y
    assert product.slope == 2 * y.value - 3 * x.value
    assert quotient.slope == (2 * y.value + 3 * x.value) / y.value**2
    assert (x**-3).slope == -3 * 2 / x.value**4 and (x**0).value == 1
    assert x**-0.5 * x**0.5 == 1 and x**-0.5 != x**0.5 == x.sqrt() and (1 / x**2) == x**-2
    assert (
        (1 - x).slope == -2
        and (2 / x).slope == -4 / x.value**2
        and (x + 0.5).value == x.value + Fraction(1, 2)
    )
    assert x.exp().slope == 2 * x.exp().value and x.exp() * (-x).exp() == 1
    assert x.log1p().slope == 2 / (1 + x.value) and x.log() == -(1 / x).log()
    assert x.tanh().slope == 2 * (1 - x.tanh().value ** 2) and (-x).tanh() == -x.tanh()
    assert abs(y) == -y and abs(y).slope == 3 and max(x, y) is x and bool(x) and not bool(x - x)
    zero = x - x
    assert zero.exp() == 1 and zero.log1p() == 0 and zero.tanh() == 0
    nine = field.number(Fraction(9, 4)).sqrt()
    assert nine == Fraction(3, 2) and nine.degree == 0
    for number in (np.float64(2), np.int64(2), np.bool_(True), 2, 0.5):
        for a in (number * x, x * number, number + x, number / x, number - x):
            assert isinstance(a, Number)
    assert x.__mul__(np.ones(2)) is NotImplemented and (x * np.ones(2)).shape == (2,)


def test_the_drawn_numbers_are_those_of_the_seed_and_one_for_each_argument():
    one, same, other = Field(5), Field(5), Field(6)
    a, b, c = (field.draw((3,)) for field in (one, same, other))
    assert (a == b).all() and not (a == c).any()
    assert (np.exp(a) == np.exp(b)).all() and (np.exp(a) == np.exp(a + 1 - 1)).all()
    assert len({x.value for x in np.exp(a)}) == 3
    true = Field(5, unit=Fraction(1))
    for value in (-3.7, 1e-3, 40.0):
        x = true.number(value)
        assert float(x.exp().value) == pytest.approx(math.exp(value), rel=1e-15)
        assert float(x.tanh().value) == pytest.approx(math.tanh(value), rel=1e-15)
        assert float(abs(x).log().value) == pytest.approx(math.log(abs(value)), rel=1e-15)


def polynomial_degree(values):
    """The degree of a polynomial from its values at 0, 1, 2, ...: the order of the last nonzero
    difference.
    """
    degree, order = 0, 0
    while values:
        degree = order if any(values) else degree
        values, order = [b - a for a, b in zip(values, values[1:])], order + 1
    return degree


@pytest.mark.parametrize("seed", range(5))
def test_the_degree_bounds_that_of_numerator_and_denominator(seed):
    """Along a random line the numerator of value and slope are polynomials of one variable, whose degree
    shows in their differences once all denominators are multiplied out.
    """
    rng = np.random.default_rng(seed)
    points, field = range(1, 60), Field(seed)
    p, q = ([int(k) for k in rng.integers(1, 9, 2)] for _ in range(2))
    x, y = ([Number(field, Fraction(u + v * t), Fraction(v), 1, math.nan) for t in points] for u, v in (p, q))
    for expression, denominator in (
        (lambda a, b: a * b + a, lambda a, b: 1),
        (lambda a, b: a / b + b / a, lambda a, b: a * b),
        (lambda a, b: (a + 1) / (a * b) / (b + 2), lambda a, b: a * b * (b + 2)),
    ):
        found = [expression(a, b) for a, b in zip(x, y)]
        below = [Fraction(denominator(a.value, b.value)) for a, b in zip(x, y)]
        assert polynomial_degree([z.value * d for z, d in zip(found, below)]) <= found[0].degree
        assert polynomial_degree([z.slope * d * d for z, d in zip(found, below)]) <= 2 * found[0].degree
    assert 0 < chance(np.array([x[0], y[0]])) == 4 / 2**64
    assert chance(np.array([x[0], 3]), np.ones(2)) == 2 / 2**64  # numbers that were not drawn add nothing


def test_the_degree_of_what_is_not_rational_and_of_what_moves():
    x = Field(1).draw((1,))[0]
    assert x.degree == 1 and x.along(Fraction(3)).degree == 2 and x.derivative.degree == 2
    moved = x.along(Fraction(3))
    assert moved.derivative == 3 and moved.derivative.slope == 0 and moved.derivative.degree == 4
    for function in (np.exp, np.tanh):
        assert function(x).degree == 3 and function(function(x)).degree == 7  # 1 + 2 k
    assert abs(x).log().degree == abs(x).sqrt().degree == 3 and (x * x).sqrt().degree == 5
    assert (x**3).degree == 3 and (1 / x).degree == 2 and (-x).degree == 1 and x.field.number(0.5).degree == 0


def test_numbers_are_drawn_around_what_they_stand_for():
    field = Field(2)
    drawn = field.near(np.array([8.0, -8.0, 0.0] * 40), Fraction(1, 4))
    value = np.array([float(one.value) for one in drawn]).reshape(-1, 3)
    assert (np.abs(value[:, 0] - 8) <= 2).all() and (np.abs(value[:, 1] + 8) <= 2).all()
    assert (np.abs(value[:, 2]) <= 1).all()
    for column, width in zip(value.T, (2, 2, 1)):  # and all over that range
        assert column.max() - column.min() > 1.7 * width
    assert all(one.slope == 0 and one.degree == 1 for one in drawn)
    fractions = [field.fraction() for _ in range(200)]
    assert 0 < min(fractions) < 0.05 and 0.95 < max(fractions) <= 1
    moving, ways = field.moving(np.array([[1, 2]]) * drawn[0])
    assert moving.shape == ways.shape == (1, 2) and moving[0, 1].slope == ways[0, 1].value
    far = field.near(np.array([1.0] * 40))
    assert max(abs(float(one.value) - 1) for one in far) > 0.4  # half of it, where nothing is said


def test_what_stands_for_a_function_has_its_signs_and_its_order_about_one():
    field = Field(4)
    for a in (Fraction(1, 3), Fraction(5, 2), Fraction(40)):
        E, T = field.look_up("exp", a), field.look_up("tanh", a)
        assert 1 < E <= 2 and 0 < T <= 1 and field.look_up("sqrt", a) > 0
        assert field.look_up("exp", -a) == 1 / E and field.look_up("tanh", -a) == -T
        L = field.look_up("log", a)
        assert field.look_up("log", 1 / a) == -L != 0 and (L > 0) == (a > 1)
        assert field.look_up("exp", a) == E  # the same again
    for function, value in (("exp", 1), ("tanh", 0)):
        assert field.look_up(function, Fraction(0)) == value
    assert field.look_up("log", Fraction(1)) == 0


def test_true_values_of_large_arguments_are_tamed_by_a_unit():
    field = Field(0)
    for a in (3, -5000, 2000):
        field.look_up("exp", Fraction(a))
    true = field.with_true_values(60)
    assert math.log(float(true.look_up("exp", Fraction(500)))) == pytest.approx(5)  # unit 1/100
    small = Field(0)
    small.look_up("tanh", Fraction(1, 2))
    assert float(small.with_true_values(60).look_up("exp", Fraction(1))) == pytest.approx(math.e)
    assert float(true.look_up("sqrt", Fraction(2))) == pytest.approx(2**0.5)
    assert float(true.look_up("log", Fraction(2))) == pytest.approx(100 * math.log(2))
    assert float(true.number(700).exp().log().value) == pytest.approx(700)  # log e^a = a, whatever the unit
    assert float(true.number(70).tanh().value) == pytest.approx(math.tanh(0.7))
    assert float(Field(0).with_true_values(60).look_up("exp", Fraction(-60))) == pytest.approx(math.exp(-60))


@pytest.mark.parametrize("digits", [40, 60, 120])
def test_true_values_have_the_digits_asked_for_and_no_more(digits):
    """Against 300 digits: what follows the digits is drawn, between 0 and 1 in units of the last."""
    true = Field(3).with_true_values(digits)
    for function in ("exp", "log", "sqrt"):
        off = []
        for k in range(2, 12):
            better = Context(prec=300)
            number = {"exp": better.exp, "log": better.ln, "sqrt": better.sqrt}[function](Decimal(k))
            off.append((true.look_up(function, Fraction(k)) / Fraction(number) - 1) * 10**digits)
        assert min(off) > -10 and 0.5 < max(off) < 10 and len(set(off)) == 10


def test_comparisons_are_those_of_values():
    one, two = (Field(0).number(k) for k in (1, 2))
    assert one < two and one <= two and not one > two and not one >= two and one != two and not one == two
    assert one <= 1 and one >= 1 and one == 1 and not one < 1 and not one > 1 and 1 < two and -one < one
    assert bool(one) and not bool(one - 1) and +one is one and one.conjugate() is one


def test_a_drawn_fraction_is_one_of_the_2_to_the_64th_parts_of_1_and_never_0():
    field = Field(0)
    for drawn, fraction in ((0, Fraction(1, 2**64)), (2**64 - 1, Fraction(1))):
        field._rng = SimpleNamespace(integers=lambda high, dtype, drawn=drawn: drawn)
        assert field.fraction() == fraction
