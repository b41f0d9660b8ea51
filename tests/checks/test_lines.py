"""One line: its scale, its circles and its steps, on functions whose derivatives are known in closed form."""

import numpy as np
import pytest

from benign_ref.checks import lines
from benign_ref.checks.lines import Line


def line(f, a, way=(0,), **others):
    """The line through entry `way` of block a, or along the array `way`; f sees block a alone."""
    arrays = {"a": np.asarray(a, dtype=float), **others}
    return Line(lambda blocks: f(blocks["a"]), dict, arrays, "a", way)


def test_the_scale_is_that_of_the_block_or_of_the_point_or_one():
    assert line(np.sum, [0.5, -3.0]).scale == 3 and line(np.sum, [0.0], b=np.array([7.0, -9.0])).scale == 9
    assert line(np.sum, [0.0]).scale == 1


def test_the_line_reaches_until_an_entry_has_moved_by_its_own_size():
    assert line(np.sum, [0.5, -3.0]).reach == 0.5 and line(np.sum, [0.5, -3.0], way=(1,)).reach == 3
    assert line(np.sum, [0.0, -3.0]).reach == 3  # an entry that is 0 has no size
    assert line(np.sum, [0.5, -3.0], way=np.array([2.0, 0.0])).reach == 0.25
    assert line(np.sum, [0.5, -3.0], way=np.array([0.0, -4.0])).reach == 0.75


def test_f_is_taken_on_the_line():
    square = lambda a: a[0] ** 2 + 10 * a[1]  # noqa: E731
    assert line(square, [3.0, 1.0]).at(2.0) == 35 and line(square, [3.0, 1.0], way=(1,)).at(-0.5) == 14
    along = line(square, [3.0, 1.0], way=np.array([1.0, 2.0]))
    assert along.at(0.5) == 3.5**2 + 20 and along.at(1j) == (3 + 1j) ** 2 + 10 + 20j
    assert along.complex_step() == pytest.approx(26, rel=1e-15)
    assert along.complex_step(0.5) == pytest.approx(27, rel=1e-15)


@pytest.mark.parametrize("power", range(1, 8))
@pytest.mark.parametrize("r", [0.5, 2.0])
def test_a_circle_sees_nothing_in_the_powers_up_to_six_and_the_seventh_as_it_is(power, r):
    at = line(lambda a: (a[0] - 1) ** power, [1.0])
    seen, hidden = at._circle(r, at.complex_step(), 0.0)
    assert seen == pytest.approx(2 * r**6 if power == 7 else 0, rel=1e-9, abs=1e-13 * r**power)
    alias = 8 * r ** (power - 1) if power in (5, 6) else 0  # of e^{-3i theta}, e^{-2i theta} at 8 points
    assert hidden == pytest.approx(alias, rel=1e-9, abs=1e-12 * r**power)
    if power == 2:  # what holomorphic functions have not and no violation of first order has is noise
        twisted = line(lambda a: np.conj(a[0] - 1) ** 2, [1.0])._circle(r, 0.0, 0.0)
        assert twisted == (pytest.approx(0, abs=1e-14), pytest.approx(8 * r, rel=1e-9))


@pytest.mark.parametrize("r", [0.25, 1.0, 3.0])
def test_a_circle_sees_a_violation_as_large_as_the_error_that_it_makes(r):
    """f = z + c |z|^2: df/dzbar = c z, and Im f(x + ih)/h is 1, so that it is off by 2 c x."""
    x, c = 1.5, 0.01
    at = line(lambda a: a[0] + c * a[0] * np.conj(a[0]), [x])
    seen, hidden = at._circle(r, at.complex_step(), 0.0)
    assert at.complex_step() == pytest.approx(1) and seen == pytest.approx(2 * c * x, rel=1e-9)
    assert hidden < 1e-13
    assert at._circle(r, at.complex_step() + 1, 0.0)[0] == pytest.approx(1 - c * x, rel=1e-9)


def test_a_circle_hides_what_rounding_hides_and_a_frozen_one_everything():
    at = line(lambda a: 8.0 + 0.1 * a[0], [1.0])
    assert at._circle(0.5, 0.1, 1e-9)[1] == pytest.approx(2e-9, rel=0.01)
    assert at._circle(0.5, 0.1, 0.0)[1] >= 4 * lines.EPS * 8 / 0.5
    assert at._circle(1e-30, 0.1, 0.0) == lines.FROZEN
    assert line(lambda a: np.log(a[0] - 1.5), [2.0])._circle(0.5, 2.0, 0.0) == (np.inf, np.inf)


def test_a_kink_is_the_jump_of_the_slope():
    assert line(lambda a: a[0] if a[0].real > 2 else 3 * a[0], [2.0]).jump() == pytest.approx(2)
    assert line(lambda a: a[0] ** 2, [2.0]).jump() < 1e-12


@pytest.mark.parametrize("f", [np.exp, np.sin, lambda z: z**5, lambda z: 1 / (4 + z)])
@pytest.mark.parametrize("x", [0.3, -1.0])
def test_a_holomorphic_f_violates_nothing_that_is_not_hidden(f, x):
    at = line(lambda a: f(a[0]), [x])
    for enough in (1e-6, 1e-9):
        seen, hidden = at.violation(enough)
        assert seen <= max(hidden, enough) and hidden <= 2 * enough


@pytest.mark.parametrize("c", [1e-3, 1e-6])
def test_a_violation_is_found_whatever_is_around_it(c):
    at = line(lambda a: np.exp(a[0]) + c * a[0] * np.conj(a[0]), [0.8])
    seen, hidden = at.violation(1e-9)
    assert seen == pytest.approx(2 * c * 0.8, rel=0.05) and hidden < seen


def test_differences_are_exact_for_polynomials_of_the_fourth_degree():
    at = line(lambda a: 2 + 3 * a[0] - a[0] ** 2 + 0.5 * a[0] ** 3 - 0.25 * a[0] ** 4, [1.0])
    found, error, nearest, steep = at.differences()
    assert found == pytest.approx(3 - 2 + 1.5 - 1, abs=1e-9) and abs(found - 1.5) <= error < 1e-8
    assert nearest == pytest.approx(1.5, rel=1e-5) and steep == 0


def test_steps_run_by_factors_of_four_from_far_to_far_below_the_entry():
    seen, a = [], [1e-3, 2.0]
    line(lambda b: seen.append(b[0] - a[0]) or np.sin(b[0]), a).differences()
    h = sorted({abs(t) for t in seen} - {0.0}, reverse=True)
    h = np.array([one for one in h if one > 1e-12])
    assert h[0] == pytest.approx(2 * 1024) and 6e-8 * 1e-3 / 4.01 <= h[-1] <= 6e-8 * 1e-3
    steps = np.unique(np.round(np.log(h) / np.log(4), 3))
    assert np.diff(steps) == pytest.approx(1, abs=0.02)


def test_the_error_of_a_difference_covers_what_is_wrong_with_it():
    rng = np.random.default_rng(5)
    for x in rng.uniform(-2, 2, 20):
        for f, slope in ((np.sin, np.cos), (np.tanh, lambda z: 1 / np.cosh(z) ** 2), (np.exp, np.exp)):
            found, error, *_ = line(lambda a, f=f: f(a[0]), [x]).differences()
            assert abs(found - slope(x)) <= 2 * error < 1e-6
    kinked = line(lambda a: abs(a[0] - 1.0), [1.0]).differences()
    assert kinked[1] >= 0.9  # between slopes -1 and 1 there is no derivative
    dead = line(lambda a: max(a[0], 0.0), [-1e-3]).differences()
    assert dead[1] >= 0.1 or dead[0] == pytest.approx(0, abs=1e-12)


def test_where_f_is_rounded_the_error_says_so():
    coarse = line(lambda a: np.round(np.sin(a[0]) * 1e6) / 1e6, [0.7]).differences()
    assert abs(coarse[0] - np.cos(0.7)) <= coarse[1] and coarse[1] > 1e-7
    with pytest.raises(ValueError, match="no central difference exists"):
        line(lambda a: 0.0 if a[0] == 1 else np.nan, [1.0]).differences()
