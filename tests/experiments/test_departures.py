"""Departures: each changes what it says and nothing else; rows lie about the limit's crossing."""

import math

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import departures
from benign_ref.experiments.cell import run_cell
from benign_ref.experiments.figure1 import N_TEST
from benign_ref.experiments.fits import Crossing, crossing

CHANGED = {
    "published": set(),
    "noise": {"noise"},
    "law": {"init"},
    "start": {"sigma_h"},
    "start of V": {"sigma_V"},
    "step": {"eta", "max_steps"},
    "width": {"d_h", "d_v", "sigma_h"},
    "w_O": {"w_O_norm"},
    "extra step": {"extra_steps"},
}


@pytest.mark.parametrize("name", CHANGED)
def test_each_departure_changes_what_it_says_and_nothing_else(name):
    base = br.published_setting("figure1", N=10, mu=departures.MU_1).values()
    values = departures.setting_of(name, 10).values()
    assert {key for key in base if values[key] != base[key]} == CHANGED[name]


def test_the_factors_are_those_in_the_names():
    of = {name: departures.setting_of(name, 10).replace(snr=5.0) for name in departures.DEPARTURES}
    published = of["published"]
    assert math.isclose(published.sigma_h / of["start"].sigma_h, 3.4, rel_tol=0.03)
    assert math.isclose(published.sigma_V / of["start of V"].sigma_V, 8, rel_tol=0.2)
    assert math.isclose(published.eta / of["step"].eta, 113)
    kappas = [of[name].sigma_h ** 2 * of[name].d_h for name in ("published", "width")]
    assert math.isclose(*kappas)
    small = of["all"]
    assert (small.noise, small.init, small.extra_steps, small.M, small.C_p) == (
        "orthogonal",
        "gaussian",
        0,
        16,
        20,
    )
    assert (of["figure 3"].C_p, of["C_p"].C_p, of["C_p"].M) == (20, 10, 4)
    steps = [s.eta * s.w_O_norm**2 * s.largest_norm**2 / s.M for s in (of["step"], small)]
    assert math.isclose(*steps, rel_tol=0.02)  # what the departure of the step size makes equal


def test_rows_lie_about_the_limits_crossing_on_one_lattice():
    for name, N, highest in (("published", 4, 1.35), ("w_O", 10, 1.35), ("step", 4, 1.35), ("step", 10, 1.2)):
        middle, snrs = departures.computed(name, N), np.array(departures.places(name, N))
        at = N * snrs**2
        assert 0.75 * middle <= at[0] < 0.79 * middle and highest / 1.06 * middle < at[-1] < highest * middle
        powers = np.log(at) / np.log(departures.RATIO)
        assert np.allclose(powers, np.round(powers), atol=1e-9) and np.allclose(np.diff(powers), 1)
        assert departures.places(name, N, 3) == snrs[::3].tolist()
    assert departures.places("published", 4) == departures.places("noise", 4)


def test_a_row_is_the_last_fall_over_the_cells_of_its_setting():
    s, snrs = departures.setting_of("noise", 4), departures.places("noise", 4, 4)
    cells = [run_cell(snr, 4, 3, base=s, engine="proof", n_test=N_TEST) for snr in snrs]
    fallen, *_ = crossing(np.log(4 * np.array(snrs) ** 2), np.array([c.test_loss for c in cells]), 0.2)
    assert np.isfinite(fallen) and departures.row("noise", 4, 3, 4) == np.exp(fallen)
    with pytest.raises(ValueError, match="^name must be one of 'published'"):
        departures.setting_of("weather", 4)


@pytest.mark.parametrize(
    "mean, error, said",
    [
        (950, 10, "moves it"),
        (850, 10, "moves it"),
        (915, 10, "no difference beyond chance"),
        (935, 10, "cannot be decided"),
        (915, 40, "cannot be decided"),
        (float("nan"), 10, "cannot be decided"),
        (950, float("nan"), "cannot be decided"),
    ],
)
def test_the_verdict_needs_small_errors_to_see_nothing(mean, error, said):
    crossing = lambda mean, error: Crossing(mean, error, 8, 8, mean)  # noqa: E731
    assert departures.verdict(crossing(mean, error), crossing(900, 10)) == said
