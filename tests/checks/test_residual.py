"""The relative residual against numbers written out."""

import math

import numpy as np
import pytest

from benign_ref.checks import Vacuous, relative_residual


def test_it_is_the_largest_difference_over_the_largest_expected_entry():
    assert relative_residual([1.0, 2.5], [1.0, 2.0]) == 0.25
    assert relative_residual([[1.0, -4.0]], [[2.0, -4.0]]) == 0.25
    assert relative_residual(3.0, 4.0) == 0.25 and relative_residual(1e-300, 2e-300) == 0.5
    assert relative_residual([3 + 4j], [5 + 0j]) == pytest.approx(math.hypot(2, 4) / 5)


def test_another_shape_and_what_is_not_finite_are_infinitely_wrong():
    assert relative_residual([1.0], [1.0, 2.0]) == math.inf == relative_residual([math.nan, 1.0], [1.0, 1.0])
    assert relative_residual([[1.0]], [1.0]) == math.inf == relative_residual([math.inf], [1.0])


@pytest.mark.parametrize("nothing", [np.zeros(3), np.zeros(0)])
def test_a_comparison_with_zeros_is_vacuous(nothing):
    with pytest.raises(Vacuous, match="nothing was checked"):
        relative_residual(nothing, nothing)
