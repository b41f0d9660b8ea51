"""The figure of the theorems: T over its order, and what is printed, from made-up ends."""

import numpy as np
import pytest

from benign_ref.experiments import theorem
from figures import theorem as figure


def made_up(size="quick"):
    """Rows whose T is 3 (benign) or 0.2 (harmful) times the order, one seed 10% above."""
    rows = []
    for regime, factor, L_D in (("benign", 3.0, 0.1), ("harmful", 0.2, 0.6)):
        for N, epsilon, margin in figure.places(size):
            s = theorem.condition_setting(theorem.X[regime], N, epsilon, d_margin=margin)
            order = (
                1 / (s.eta * epsilon * s.mu_norm**2)
                if regime == "benign"
                else N / (s.eta * epsilon * s.noise_norm**2)
            )
            for engine, seed, off in (("limit", "", 1.0), ("law", 0, 1.0), ("law", 1, 1.1)):
                steps = factor * off * order
                rows.append(figure.row_of(engine, regime, N, epsilon, margin, seed, steps, L_D))
    return rows


def test_T_over_its_order_is_the_factor_put_in():
    for row in made_up():
        expected = (3.0 if row.regime == "benign" else 0.2) * (1.1 if row.seed == 1 else 1.0)
        assert row.T_over_order == pytest.approx(expected)
    assert len({row.d for row in made_up()}) == 5  # two N by two epsilon, and one further d


def test_the_summary_says_how_far_the_draws_are_from_the_limit():
    exponent = theorem.Exponent("T", "eta", (1.0, 2.0), (4.0, 2.0), -1)
    lines, words = figure.summary(made_up(), {"benign": [exponent], "harmful": [exponent]}, "quick")
    assert "20 runs: T within 10.0% of the limit's, L_D within 0.0%" in lines[0]
    assert "T / order 3 to 3.3, L_D 0.1 to 0.1" in lines[1]
    assert words["verdicts"] == "T1: eta holds over this range; T2: eta holds over this range"


def test_every_row_is_drawn_where_it_belongs():
    rows = made_up()
    figure_, panels = figure.plt.subplots(3, 3)
    figure.paint(panels, rows, "quick")
    for line, regimes in enumerate((("benign",), ("harmful",), ("benign", "harmful"))):
        drawn = sum(len(line_.get_xdata()) for line_ in panels[line][0].lines if line_.get_marker() == ".")
        assert drawn == 8 * len(regimes)  # two N, two epsilon, two draws
        assert panels[line][0].get_ylim()[1] > np.max(
            [line_.get_ydata().max() for line_ in panels[line][0].lines]
        )
    figure.plt.close(figure_)
