"""One line: its scale, its circles and its steps, on functions whose derivatives are known in closed form."""

import numpy as np
import pytest

from benign_ref.checks import lines
from benign_ref.checks.lines import Line


def line(f, a, way=(0,), **others):
    """The line through entry `way` of block a, or along the array `way`; f sees block a alone."""
    arrays = {"a": np.asarray(a, dtype=float), **others}
    where, v = (way, 1.0) if isinstance(way, tuple) else (..., way)
    return Line(lambda blocks: f(blocks["a"]), dict, arrays, "a", where, v)


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


class Scripted(Line):
    """f = a[0] at 1, so that rounding is 2 x 4 EPS, 64 EPS = 2^-46 with the margin; what is on a circle of
    radius r is said by `script`, and the radii are kept.
    """

    def on(self, script, enough):
        self.radii = []
        self._circle = lambda r, step, floor: self.radii.append(r) or script(r)
        return self.violation(enough), self.radii


@pytest.fixture
def scripted():
    return Scripted(lambda blocks: blocks["a"][0], dict, {"a": np.array([1.0])}, "a", (0,))


def powers(*exponents):
    return [4.0**k for k in exponents]


@pytest.mark.parametrize("enough, first", [(0, 0), (2.0**-44, 0), (1.01 * 2.0**-44, -1), (2.0**-40, -2)])
def test_the_first_circle_is_the_smallest_on_which_rounding_hides_no_more_than_is_asked_for(
    scripted, enough, first
):
    assert scripted.on(lambda r: (0, 0), enough) == ((0, 0), powers(first))
    steeper = Line(lambda blocks: 3 * blocks["a"][1] - 9, dict, {"a": np.array([8.0, 2.0])}, "a", (1,))
    seen = []
    steeper._circle = lambda r, step, floor: seen.append((r, step, floor)) or (0, 0)
    steeper.violation(0.0)
    assert seen == [(8, 3, 4 * lines.EPS * (3 + 2 * 3))]


@pytest.mark.parametrize(
    "seen, smallest", [(2.0**-44, 0), (1.01 * 2.0**-44, -1), (2.0**-40, -2), (1.01 * 2.0**-40, -3)]
)
def test_circles_shrink_while_something_is_seen_that_rounding_would_not_hide_on_the_next(
    scripted, seen, smallest
):
    found, radii = scripted.on(lambda r: (seen, 0), 0.0)
    assert radii == powers(*range(0, smallest - 1, -1)) and found == (seen, 0)
    hidden = scripted.on(lambda r: (0, seen) if r <= 1 else (0, 2 * seen), 0.0)
    assert hidden == ((0, seen), powers(*range(0, smallest - 1, -1), 1))
    assert scripted.on(lambda r: (seen, 0), seen) == ((seen, 0), scripted.radii) and len(scripted.radii) == 1


def test_a_circle_on_which_nothing_is_seen_counts_before_the_others_and_then_that_with_the_least(scripted):
    script = {
        1: (np.inf, np.inf),
        1 / 4: (1e-3, 1e-6),
        1 / 16: (1e-8, 1e-2),
        1 / 64: (0, 1e-2),
        1 / 256: (0, 0),
    }
    assert scripted.on(script.__getitem__, 1e-15)[0] == (0, 0)
    script |= {1 / 256: (1e-12, 1e-12)}  # as much as is hidden is not seen
    assert scripted.on(lambda r: script.get(r, lines.FROZEN), 2e-15)[0] == (1e-12, 1e-12)
    script |= {1 / 256: (1e-12, 0.9e-12)}  # more is: the least of the others counts
    assert scripted.on(lambda r: script.get(r, lines.FROZEN), 1e-15)[0] == (0, 1e-2)
    script |= {1 / 256: (1e-12, 0.9e-12)}  # but not more than is allowed
    assert scripted.on(lambda r: script.get(r, lines.FROZEN), 1e-12)[0] == (1e-12, 0.9e-12)


def test_circles_widen_while_that_hides_less(scripted):
    hides = {1: 1e-3, 4: 1e-4, 16: 1e-5, 64: 1e-6}
    script = lambda r: (0, hides.get(r, 1e-6)) if r >= 1 else lines.FROZEN  # noqa: E731
    assert scripted.on(script, 1e-15) == ((0, 1e-6), powers(0, -1, 1, 2, 3, 4))  # 256 is no better
    enough = lambda r: (0, 2.0**-44 if r > 1 else 1e-3) if r >= 1 else lines.FROZEN  # noqa: E731
    assert scripted.on(enough, 2.0**-44) == ((0, 2.0**-44), powers(0, -1, 1))
    wider = lambda seen: lambda r: (0, hides[1]) if r == 1 else (seen, 1e-9) if r > 1 else lines.FROZEN  # noqa: E731
    assert scripted.on(wider(1e-6), 1e-15)[0] == (0, 1e-3)  # a pole
    assert scripted.on(wider(1e-10), 1e-15)[0] == (1e-10, 1e-9)  # nothing, beyond what is hidden
    said = scripted.on(lambda r: (1e-3, 1e-4) if 1 / 4 <= r <= 1 else lines.FROZEN, 1e-15)
    assert said == (lines.FROZEN, powers(0, -1, -2, 1))


def test_where_rounding_holds_f_still_circles_shrink_no_more_and_none_is_smaller_than_the_point_s_rounding(
    scripted,
):
    assert scripted.on(lambda r: lines.FROZEN if r <= 1 else (0, 0), 1e-15) == ((0, 0), powers(0, 1))
    found, radii = scripted.on(lambda r: (np.inf, np.inf), 1e-15)
    assert found == (np.inf, np.inf) and min(radii) == lines.EPS and max(radii) == 4
    edge = line(lambda a: a[0] if a[0].real >= 0 else np.nan * a[0], [0.0])
    assert edge.violation(1e-10) == (np.inf, np.inf)


def test_what_is_seen_must_be_more_than_is_allowed_and_than_is_hidden():
    for circle, enough, said in [
        ((2, 1), 1, True), ((2, 2), 1, False), ((2, 1), 2, False), ((2, 3), 1, False), ((2, 1), 3, False)
    ]:  # fmt: skip
        assert lines.sees(circle, enough) == said


@pytest.mark.parametrize(
    "x, h", [(8.0, 1e-30), (1.0, 1e-30), (0.3, 1e-30 / 4), (0.25, 1e-30 / 4), (1e-300, lines.TINY)]
)
def test_the_imaginary_step_is_a_power_of_two_below_the_entry(x, h):
    steps = []
    at = line(lambda a: steps.append(a[0].imag) or 3 * a[0], [x])
    assert at.complex_step() == pytest.approx(3, rel=1e-15) and steps == [h]


def test_the_slopes_of_a_jump_are_taken_32_units_to_either_side():
    at, asked = line(np.sum, [0.5, -3.0]), []
    at.complex_step = lambda t: asked.append(t) or (7.0 if t > 0 else 9.5)
    assert at.jump() == 2.5 and sorted(asked) == [-16 * lines.EPS, 16 * lines.EPS]


def test_rounding_of_f_and_of_its_real_path_are_hidden_with_their_margins():
    big = line(lambda a: 2.0**40 + 2.0**37 * a[0], [0.0])
    f = 2.0**40 + 2.0**39 * lines.CIRCLE
    noise = max(abs((lines.CIRCLE**k * f).mean()) for k in (2, 3))
    hidden = 4 * big._circle(4.0, 2.0**37, 0.0)[1] - 8 * noise
    assert hidden == pytest.approx(4 * lines.EPS * 1.5 * 2**40, rel=1e-6)
    for side in (1, -1):

        def off(a, side=side):
            return a[0] + 1e-3 * (a.dtype == float and side * a[0] > 0)

        assert line(off, [0.0])._circle(0.5, 1.0, 0.0)[1] == pytest.approx(8 * 1e-3 / 0.5)


def test_with_four_values_a_circle_is_not_frozen_and_with_three_it_is():
    for scale, shift, values in ((1.5, 0.9, 4), (1.0, 0.5, 3)):
        coarse = lambda t, c=scale, shift=shift: complex(np.floor(c * np.real(t) + shift), np.imag(t))  # noqa: E731
        assert len({coarse(turn).real for turn in lines.CIRCLE}) == values
        at = line(np.sum, [0.0])
        at.at = coarse
        assert (at._circle(1.0, 1.0, 0.0) == lines.FROZEN) == (values == 3)


def test_the_error_is_at_least_64_units_of_f_over_the_longest_step():
    found, error, nearest, jumps = line(lambda a: 2.0**20 + a[0], [1.0]).differences()
    assert found == 1 == nearest and jumps == 0
    assert error == pytest.approx(64 * lines.EPS * (2**20 + 1) / 256, rel=1e-9)


def test_where_the_shortest_step_moves_nothing_the_least_movement_is_the_noise():
    """In steps of 2^-22, 64 units in the last place of f: +-4^-11 moves by two of them, +-4^-12 by none."""
    found, error, nearest, jumps = line(
        lambda a: 2.0**24 + np.round(a[0] * 2**22) / 2**22, [1.0]
    ).differences()
    assert found == 1 and error == pytest.approx(2 * 2.0**-22 / 256, rel=1e-9)
    assert nearest == pytest.approx(-1 / 15) and jumps == 0


def test_a_standstill_that_rounding_does_not_explain_is_as_wrong_as_far_and_near_are_apart():
    found, error, nearest, jumps = line(lambda a: np.maximum(a[0], 0), [-1e-3]).differences()
    assert (
        nearest == 0 == jumps and 0.4 < found <= error < 16 / 15 * found
    )  # a step across overshoots by 1/15


def test_noise_is_what_the_last_two_changes_show_and_no_earlier_one():
    """A jump of f by 2c between -4^-k and 4^-k alone changes d there by c 4^k."""
    c = 1e-3
    for k, noise in ((9, c / 15 / 4**2), (10, c * 17 / 15 / 4), (12, c * 16 / 15)):
        at = line(np.sum, [1.0])
        at.at = lambda t, k=k: t + c * np.sign(t) * (abs(t) == 4.0**-k)
        assert at.differences()[3] == pytest.approx(noise * 4**12, rel=1e-6)
