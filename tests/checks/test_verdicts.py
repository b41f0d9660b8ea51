"""Where the verdicts of check_gradient and check_exactly begin and end, on f = <c, x>."""

from fractions import Fraction

import numpy as np
import pytest

from benign_ref.checks import METHODS, check_exactly, check_gradient, derivative
from benign_ref.checks.exactly import truly_differs
from benign_ref.checks.gradient import TOLERANCE, _direction

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


def test_the_exact_check_shows_the_first_wrong_entry_as_it_was_claimed_and_found():
    wrong = np.array([0.0, 0.0, 1.0, 5.0])
    square = lambda p: (p["a"] ** 2).sum()  # noqa: E731
    (row,) = check_exactly(square, lambda p: {"a": 2 * p["a"] + wrong}, POINT).rows
    assert (row.verdict, row.where) == ("rejected", "[2]")
    assert row.found == pytest.approx(4, rel=1e-9) and row.claimed == pytest.approx(5, rel=1e-9)


@pytest.mark.parametrize("rule, digits, verdict", [
    (False, 39, "rejected"), (False, 200, "rejected"), (True, 85, "rejected"), (True, 95, "not decided")
])  # fmt: skip
def test_a_true_difference_stays_down_to_90_digits_and_where_nothing_cancels_at_any(rule, digits, verdict):
    f = lambda p: np.exp(p["a"]).sum()  # noqa: E731
    slope = lambda a: np.exp(a / 2) ** 2 if rule else np.exp(a)  # noqa: E731
    claim = lambda p: {"a": slope(p["a"]) * (1 + Fraction(1, 10**digits))}  # noqa: E731
    (row,) = check_exactly(f, claim, POINT).rows
    assert row.verdict == verdict


@pytest.mark.parametrize("small, differs", [(0, False), (99, False), (100, False), (101, True), (-101, True)])
def test_a_difference_is_true_if_30_digits_of_60_do_not_shrink_it(small, differs):
    """The gap at 120 digits over that at 60, in units of 1e-32."""
    gaps = {60: Fraction(-5), 120: Fraction(5 * small, 10**32)}
    assert truly_differs(gaps.__getitem__) == differs
    assert not truly_differs(lambda digits: Fraction(7, 10**digits))


def test_circles_move_the_fastest_entry_by_powers_of_four_of_the_block_s_largest():
    """The point's largest entry is 2; with so small a tolerance the first circle is as large as that."""
    moved = []

    def f(p):
        moved.append(np.abs(p["a"] - POINT["a"]).max())
        return linear(p)

    check(C, f, tolerance=1e-16)
    powers = np.log([one / 2 for one in moved if one > 1e-3]) / np.log(4)
    assert 0 in np.round(powers, 6) and powers == pytest.approx(np.round(powers), abs=1e-6)
