"""The one verdict on two sides, equal, rejected or not decided, at any scale, and the runs behind it."""

from fractions import Fraction

import numpy as np
import pytest

from benign_ref.checks.equality import EQUAL, REJECTED, UNDECIDED, gap, on_fields, verdict
from benign_ref.checks.exact import Field


def test_a_gap_is_taken_entry_by_entry_and_other_shapes_are_apart():
    a = np.frompyfunc(Field(0).number, 1, 1)([[1, 0.5], [2, 3]])
    assert not gap(a, np.array([[1, 0.5], [2, 3]])).any() and not gap(a[0, 1], 0.5).any()
    assert gap(a, np.array([[1, 0.5], [2.5, 4]])).tolist() == [[0, 0], [Fraction(-1, 2), -1]]
    assert gap(a, a[0]).item() == 1 == gap(a[0, 0], a[:1, 0]).item()


@pytest.mark.parametrize(
    "small, said",
    [(0, UNDECIDED), (99, UNDECIDED), (100, UNDECIDED), (101, REJECTED), (-101, REJECTED)],
)
def test_a_difference_is_true_if_30_digits_of_60_do_not_shrink_it(small, said):
    """The gap at 120 digits over that at 60, in units of 1e-32; beside it one that is rounding."""
    gaps = {None: [1, 0], 60: [Fraction(-5), Fraction(7, 10**60)]}
    gaps[120] = [Fraction(5 * small, 10**32), Fraction(7, 10**120)]
    assert verdict(lambda digits: (gaps[digits], [0, 0]))[0] == said


def test_what_is_equal_as_drawn_is_not_tried_again():
    asked = []
    assert verdict(lambda digits: asked.append(digits) or ([1, 2], [1, 2])) == (EQUAL, 0)
    assert asked == [None]


def on_numbers(sides, seed=0):
    """The verdict on sides(a, b), two Numbers drawn."""
    return verdict(on_fields(lambda field: sides(*field.draw((2,))), seed))


def test_another_shape_is_rejected_and_the_chance_is_that_of_both_sides():
    assert on_numbers(lambda a, b: ([a], [a, a]))[0] == REJECTED
    assert on_numbers(lambda a, b: ([a * b, a], [b * a, a])) == (EQUAL, 2 * 6 / 2**64)


@pytest.mark.parametrize("scale", [Fraction(1, 10**300), Fraction(1), Fraction(10**300)])
def test_a_wrong_entry_is_seen_beside_one_that_is_any_number_of_times_larger(scale):
    """The first entry needs e^(a+b) = e^a e^b; the second is right or wrong, at its own scale."""

    def sides(wrong):
        return lambda a, b: ([np.exp(a + b), scale * a * wrong], [np.exp(a) * np.exp(b), scale * a])

    assert on_numbers(sides(1))[0] == UNDECIDED
    assert on_numbers(sides(1 + Fraction(1, 10**20)))[0] == REJECTED


def test_zero_by_a_rule_is_not_decided_though_nothing_is_there_to_compare_it_with():
    assert on_numbers(lambda a, b: (np.exp(a + b) - np.exp(a) * np.exp(b), 0))[0] == UNDECIDED


def test_each_run_is_made_once_and_all_at_the_same_point():
    made = []
    run = on_fields(lambda field: made.append(field) or [field.draw(()).item(), field.number(1).exp()], 4)
    drawn, true, truer = (run(digits) for digits in (None, 60, 120))
    assert [run(digits) for digits in (None, 60, 120)] == [drawn, true, truer] and len(made) == 3
    assert drawn[0] == true[0] == truer[0] == Field(4).draw(()).item()
    assert float(drawn[1].value) != float(true[1].value) == pytest.approx(np.e, rel=1e-15)
    assert 0 < abs(true[1].value - truer[1].value) < Fraction(10, 10**60)
