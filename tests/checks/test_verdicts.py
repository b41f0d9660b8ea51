"""Where the verdicts of check_gradient and check_exactly begin and end, on f = <c, x>."""

from fractions import Fraction

import numpy as np
import pytest

from benign_ref.checks import METHODS, check_exactly, check_gradient, derivative
from benign_ref.checks.gradient import TOLERANCE, _direction
from benign_ref.checks.lines import Line

C = np.array([3.0, -2.0, 0.5, 8.0])
POINT = {"a": np.array([0.4, -1.3, 2.0, 0.7])}


def linear(p):
    return (C * p["a"]).sum()


def check(claim, f=linear, **options):
    (row,) = check_gradient(f, lambda p: {"a": claim}, POINT, **options).rows
    return row


def test_the_tolerances_are_the_stated_ones():
    assert TOLERANCE == {"complex_step": 1e-10, "central": 1e-5} and METHODS == ("complex_step", "central")


@pytest.mark.parametrize("method, tolerance", [*TOLERANCE.items(), ("central", 1e-6), ("complex_step", 0.01)])
@pytest.mark.parametrize("entry", range(3))
def test_an_error_is_allowed_up_to_the_tolerance_of_the_largest_entry(method, tolerance, entry):
    options = {"method": method, "tolerance": tolerance}
    for factor, verdict in ((0.99, "agrees"), (1.01, "differs"), (-0.99, "agrees"), (-1.01, "differs")):
        row = check(C + factor * tolerance * 8 * np.eye(4)[entry], **options)
        assert row.verdict == verdict and row.where == f"[{entry}]" and row.largest == pytest.approx(8)
        assert row.error == pytest.approx(abs(factor) * tolerance, rel=1e-2)
        assert row.found == pytest.approx(C[entry], rel=1e-7) and row.shape == (4,)


def test_the_largest_entry_is_that_of_either_side():
    row = check(C + np.array([92.0, 0, 0, 0]))
    assert row.largest == 95 and row.error == pytest.approx(92 / 95) and row.verdict == "differs"
    assert check(0 * C).largest == pytest.approx(8) and check(0 * C).error == pytest.approx(1)


def test_entries_below_the_tolerance_are_counted():
    tiny = np.array([8.0, 7e-10, 9e-10, 0.0])
    row = check(tiny, lambda p: (tiny * p["a"]).sum())
    assert row.verdict == "agrees" and row.unchecked == 1  # 8e-10 is the limit; 0 is no entry to check
    wrong = check(tiny + np.array([0, 0, 0, 7e-10]), lambda p: (tiny * p["a"]).sum())
    assert wrong.unchecked == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_directional_check_weighs_the_claim_by_the_direction(method):
    rng = np.random.default_rng(3)
    (row,) = check_gradient(
        linear, lambda p: {"a": C + np.eye(4)[1]}, POINT, method=method, directions=3, rng=rng
    ).rows
    ways = [_direction(np.random.default_rng(3), (4,))]  # the first of them
    assert row.verdict == "differs" and row.where.startswith("direction ") and row.unchecked == 0
    assert np.linalg.norm(ways[0]) == pytest.approx(1, rel=1e-14)
    if row.where == "direction 1":
        assert row.claimed == pytest.approx((C + np.eye(4)[1]) @ ways[0], rel=1e-12)
        assert row.found == pytest.approx(C @ ways[0], rel=1e-6)


def test_a_kink_at_the_point_is_told():
    f = lambda p: linear(p) + 4 * np.maximum(p["a"] - POINT["a"], 0).sum()  # noqa: E731
    with pytest.raises(ValueError, match="has a kink at the point|violates the Cauchy"):
        check(C, f)


def test_derivatives_of_an_array_keep_its_shape():
    x = np.arange(6.0).reshape(2, 3)
    assert derivative(lambda a: (a**3).sum(), x) == pytest.approx(3 * x**2, rel=1e-14)


def test_the_exact_check_draws_next_to_the_point_and_counts_degrees():
    seen = []

    def f(p):
        seen.append([float(one.value) for one in p["a"]])
        return (p["a"] ** 2).sum()

    (row,) = check_exactly(f, lambda p: {"a": 2 * p["a"]}, POINT).rows
    assert np.allclose(seen, POINT["a"], rtol=1e-12, atol=0) and row.verdict == "residual 0"
    # df/dv is the slope of a sum of four squares of moving numbers (degree 2), <grad, v> of degree 2, grad 1
    assert row.chance == 2 * (2 * 4 * 4 + 4 * 2 + 4 * 1) / 2**64


def test_it_draws_within_the_stated_distance_and_all_over_it():
    ones, seen = np.ones(200), []
    check_exactly(lambda p: seen.extend(p["a"]) or p["a"].sum(), lambda p: {"a": 0 * p["a"] + 1}, {"a": ones})
    away = max(abs(one.value - 1) for one in seen)
    assert 0.9 * 2**-40 < away <= 2**-40 < 1e-12


def test_a_table_says_the_shape_of_each_block():
    point = {"a": np.array(2.0), "B": np.ones((2, 3))}
    f, grad = lambda p: 3 * p["a"] + p["B"].sum(), lambda p: {"a": 0 * p["a"] + 3, "B": 0 * p["B"] + 1}
    for check in (check_exactly, check_gradient):
        _, _, *rows, _ = map(str.split, str(check(f, grad, point)).splitlines())
        assert [row[:2] for row in rows if row[0] in point] == [["a", "number"], ["B", "2x3"]]


TABLES = {
    check_gradient: """
block   shape        largest  worst error  where              claimed         found  verdict
a       2                  4         0.25  [1]                      4             3  differs
longer  2x1                1            0  [0, 0]                   1             1  agrees
""",
    check_exactly: """
block   shape        chance  where              claimed         found  verdict
a       2           2.8e-18  [1]                      4             3  rejected
longer  2x1         2.4e-18                                            residual 0
""",
}


@pytest.mark.parametrize("check", TABLES, ids=lambda check: check.__name__)
def test_the_table_has_its_columns_under_each_other(check):
    point = {"a": np.array([1.0, 3.0]), "longer": np.ones((2, 1))}
    wrong = lambda p: {"a": p["a"] + np.array([0, 1]), "longer": 0 * p["longer"] + 1}  # noqa: E731
    text = str(check(lambda p: p["a"] @ p["a"] / 2 + p["longer"].sum(), wrong, point))
    assert TABLES[check] in text and text.endswith("NOT passed")


def test_the_exact_check_shows_the_first_wrong_entry_as_it_was_claimed_and_found():
    wrong = np.array([0.0, 0.0, 1.0, 5.0])
    square = lambda p: (p["a"] ** 2).sum()  # noqa: E731
    (row,) = check_exactly(square, lambda p: {"a": 2 * p["a"] + wrong}, POINT).rows
    assert (row.verdict, row.where) == ("rejected", "[2]")
    assert row.found == pytest.approx(4, rel=1e-9) and row.claimed == pytest.approx(5, rel=1e-9)
    assert type(row.found) is type(row.claimed) is float


@pytest.mark.parametrize("method", METHODS)
def test_a_claim_beyond_all_numbers_along_a_direction_differs(method):
    v = _direction(np.random.default_rng(3), (9,))
    options = {"method": method, "directions": 1, "rng": np.random.default_rng(3)}
    with np.errstate(over="ignore"):
        (row,) = check_gradient(
            lambda p: p["a"].sum(), lambda p: {"a": 1.7e308 * np.sign(v)}, {"a": np.ones(9)}, **options
        ).rows
    assert (row.verdict, row.claimed, row.found) == ("differs", np.inf, pytest.approx(v.sum()))


@pytest.mark.parametrize("method", METHODS)
def test_a_number_is_checked_along_a_direction_too(method):
    def check(wrong):
        return check_gradient(
            lambda p: p["a"] ** 2, lambda p: {"a": wrong * 2 * p["a"]}, {"a": np.array(3.0)}, method=method,
            directions=1,
        ).rows[0].verdict  # fmt: skip

    assert (check(1), check(1.1)) == ("agrees", "differs")


@pytest.mark.parametrize("rule, digits, verdict", [
    (False, 39, "rejected"), (False, 200, "rejected"), (True, 85, "rejected"), (True, 95, "not decided")
])  # fmt: skip
def test_a_true_difference_stays_down_to_90_digits_and_where_nothing_cancels_at_any(rule, digits, verdict):
    f = lambda p: np.exp(p["a"]).sum()  # noqa: E731
    slope = lambda a: np.exp(a / 2) ** 2 if rule else np.exp(a)  # noqa: E731
    claim = lambda p: {"a": slope(p["a"]) * (1 + Fraction(1, 10**digits))}  # noqa: E731
    (row,) = check_exactly(f, claim, POINT).rows
    assert row.verdict == verdict


def test_circles_move_the_fastest_entry_by_powers_of_four_of_the_block_s_largest():
    """The point's largest entry is 2; with so small a tolerance the first circle is as large as that."""
    moved = []

    def f(p):
        moved.append(np.abs(p["a"] - POINT["a"]).max())
        return linear(p)

    check(C, f, tolerance=1e-16)
    powers = np.log([one / 2 for one in moved if one > 1e-3]) / np.log(4)
    assert 0 in np.round(powers, 6) and powers == pytest.approx(np.round(powers), abs=1e-6)


def one(f, claim, **options):
    """The verdict on the claimed derivative of f at 1, and all that is said with it."""
    (row,) = check_gradient(lambda p: f(p["x"][0]), lambda p: {"x": np.array([claim])}, ONE, **options).rows
    return row


ONE = {"x": np.array([1.0])}


def test_an_error_of_exactly_the_tolerance_agrees_and_an_entry_of_exactly_that_is_unchecked():
    assert one(lambda x: x, 2.0, tolerance=0.5).verdict == "agrees"  # 1 of 2
    assert one(lambda x: x, np.nextafter(2.0, 3), tolerance=0.5).verdict == "differs"
    eighth = np.array([8.0, 1.0, np.nextafter(1, 2)])
    (row,) = check_gradient(
        lambda p: (eighth * p["a"]).sum(), lambda p: {"a": eighth}, {"a": np.ones(3)}, tolerance=0.125
    ).rows
    assert row.verdict == "agrees" and row.unchecked == 1


def test_what_rounding_of_f_explains_is_not_called_wrong():
    """f = 2^20 + x: 64 units in its last place over the block's scale, 1."""
    most = 64 * 2.0**-52 * (2**20 + 1)
    high = lambda x: 2.0**20 + x  # noqa: E731
    for factor, verdict in ((0.99, "unresolved"), (1.01, "differs")):
        assert one(high, 1 + factor * most, tolerance=1e-16).verdict == verdict
    point, claim = {"x": np.array([4.0])}, {"x": np.array([1 + 0.5 * most])}
    high_at_4 = lambda p: 2.0**20 + p["x"][0]  # noqa: E731
    (row,) = check_gradient(high_at_4, lambda p: claim, point, tolerance=1e-16).rows
    assert row.verdict == "differs"  # over 4


@pytest.mark.parametrize("factor, verdict", [(7.9, "unresolved"), (8.1, "differs")])
def test_a_difference_is_called_wrong_beyond_eight_times_its_error(factor, verdict):
    f = lambda x: np.round(np.sin(x) * 2**20) / 2**20  # noqa: E731
    found, error, _, jumps = Line(lambda p: f(p["x"][0]), dict, ONE, "x", (0,)).differences()
    assert jumps == 0 and error > 1e-9
    for claim in (found + factor * error, found - factor * error):
        assert one(f, claim, method="central", tolerance=1e-12).verdict == verdict


@pytest.mark.parametrize("factor, verdict", [(7.9, "unresolved"), (8.1, "differs")])
def test_where_the_shortest_step_jumps_what_is_called_wrong_is_beyond_eight_times_that(factor, verdict):
    f = lambda x: np.sin(x) + 1e-6 * np.sin(1e12 * x)  # noqa: E731
    _, error, nearest, jumps = Line(lambda p: f(p["x"][0]), dict, ONE, "x", (0,)).differences()
    assert jumps > 1 > error
    for claim in (nearest + factor * jumps, nearest - factor * jumps):
        assert one(f, claim, method="central").verdict == verdict


def test_a_jump_of_a_tenth_of_the_largest_slope_is_a_kink_and_of_a_smaller_one_is_said_what_hides():
    f = lambda jump: lambda x: 10 * x + (jump * (x - 1) if np.real(x) > 1 else 0)  # noqa: E731
    with pytest.raises(ValueError, match="kink at the point"):
        one(f(1.01), 10.0)
    with pytest.raises(ValueError, match="kink at the point"):
        one(f(-1.01), 10.0)
    assert one(f(0.99), 10.0).hidden > 0.01


def test_of_a_block_without_effect_nothing_is_hidden_and_its_error_is_absolute():
    row = one(lambda x: 3 + 0 * x, 0.0)
    assert (row.verdict, row.hidden, row.error, row.largest) == ("vacuous", 0, 0, 0)
