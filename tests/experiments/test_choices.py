"""What was fixed before anything was measured [C], or read in the authors' files [A]: no formula gives these
numbers, and to change one is to change the experiment. So they are said twice.
"""

from inspect import signature

import pytest

from benign_ref.experiments import (
    border,
    cell,
    claims,
    convergence,
    departures,
    dynamics,
    figure1,
    fits,
    grid,
    images,
    phases,
    sharpness,
    theorem,
)
from benign_ref.experiments.published import published_setting
from benign_ref.paper.setting import Setting

CHOICES = {
    figure1: {"NS": tuple(range(2, 21, 2)), "MUS": tuple(range(1, 101)), "DRAWS": 10, "LEVEL": 0.2,
              "RED": 1000.0, "NEVER": {2: 9}, "N_TEST": 100, "ENOUGH": 20.0, "BATCH": 10, "MOST": 80},
    border: {"NS": tuple(range(3000, 9000, 600)), "EPOCHS": 15, "LEVEL": 0.35,
             "EXTRACT_NS": (800, 1000, 1200, 1400, 1600), "HELD_OUT": 0.2},
    claims: {"RMS_Z": 1.2, "MEAN_Z": 0.2, "MEDIAN": 0.015},
    convergence: {"M": 8, "ETA_BY_M": 0.9, "LARGEST": {"benign": 40.0, "harmful": 28.3}, "HOLD_AT": 2},
    departures: {"RATIO": 1.05, "LOWEST": 0.75, "HIGHEST": 1.35, "COSTLY_N": 10, "HIGHEST_IF_COSTLY": 1.2},
    dynamics: {"REGIMES": {"benign": 16.0, "harmful": 2.0}},
    grid: {"MOST_CELLS": 10**7},
    images: {"PIXELS": 28 * 28, "HELD_OUT": 0.4},
    phases: {"LEAVES": 0.1, "SETTLES": 0.9},
    sharpness: {"LEVELS": {"test_loss": 0.2, "attention": 0.5}, "FACTOR": 1.12, "TOLERANCE": 0.005,
                "SAMPLES": 2000, "SEARCH_SAMPLES": 400},
    theorem: {"NEARER": 0.25, "MARGIN": 10, "X": {"benign": 8.0, "harmful": 0.25}, "TEST_SAMPLES": 2000,
              "EPSILON": {"benign": 0.003, "harmful": 0.01}, "N_FACTORS": (0.7, 0.85, 1.0, 1.2, 1.4)},
}  # fmt: skip
DEFAULTS = {
    cell.run_cell: {"source": cell.draw_D1},
    convergence.base_setting: {"N": 8, "epsilon": 1e-3},
    convergence.epsilon_setting: {"N": 8},
    dynamics.trajectory: {"per_decade": 24, "n_test": 200},
    fits.boundary_constant: {"level": 0.2},
    grid.phase_diagram: {"n_test": 500, "engine": "proof"},
    images.load_extract: {"share": 0.4},
    sharpness.point: {"samples": 2000},
    sharpness.critical_x_of_draw: {"start": 2.2, "tolerance": 0.005},
    theorem.base_setting: {"N": 20},
    theorem.condition_setting: {"margin": 10},
}


@pytest.mark.parametrize("module", CHOICES, ids=lambda module: module.__name__.split(".")[-1])
def test_what_was_fixed_beforehand_is_as_it_was(module):
    assert {name: getattr(module, name) for name in CHOICES[module]} == CHOICES[module]


@pytest.mark.parametrize("function", DEFAULTS, ids=lambda function: function.__name__)
def test_what_is_taken_where_nothing_is_said(function):
    parameters = signature(function).parameters
    assert {name: parameters[name].default for name in DEFAULTS[function]} == DEFAULTS[function]


def test_factors_are_quarters_of_an_octave_and_of_a_decade_about_the_base():
    assert [round(factor**4, 12) for factor in theorem.FACTORS] == [0.25, 0.5, 1, 2, 4]
    assert [round(factor**4, 12) for factor in theorem.EPSILON_FACTORS] == [100, 10, 1, 0.1, 0.01]


def test_the_two_sizes_of_a_figure_of_dynamics():
    one = {"N": 10, "M": 16, "d": 1024, "C_p": 20.0}
    full, quick = dynamics.SIZES["full"], dynamics.SIZES["quick"]
    assert full == (one | {"d_h": 64, "d_v": 64, "epsilon": 1e-3}, {"per_decade": 24, "n_test": 200})
    assert quick == (one | {"d_h": 32, "d_v": 32, "epsilon": 1e-2}, {"per_decade": 12, "n_test": 100})


def test_the_crossings_of_the_authors_data():
    """N: mean over draws, its standard error, and where the mean test loss crosses; in their file."""
    means = (923, 917, 889, 916, 961, 957, 991, 975, 995)
    errors, of_mean = (12, 25, 10, 13, 12, 8, 7, 10, 8), (870, 839, 861, 898, 952, 950, 979, 964, 985)
    assert figure1.CROSSINGS == dict(zip(range(4, 21, 2), zip(means, errors, of_mean)))


def test_departures_of_width_and_of_scales():
    of = departures.setting_of("width", 10)
    assert of.d_h == of.d_v == 64 and departures.setting_of("w_O", 10).w_O_norm == 1
    for name in ("figure 3", "C_p"):
        assert departures.setting_of(name, 10).epsilon == 0.01
    assert departures.setting_of("published", 10).mu_norm == pytest.approx(departures.MU_1) == 1.0


def test_added_draws_are_of_the_published_plane():
    assert figure1.BASE == published_setting("figure1", N=2, mu=1.0)


@pytest.mark.parametrize("quantity, search", [("test_loss", "critical_x"), ("attention", "attention_x")])
def test_the_limit_is_searched_to_a_fifth_of_the_tolerance_of_draws(monkeypatch, quantity, search):
    asked = []
    monkeypatch.setattr(sharpness, search, lambda M, N, **how: asked.append((M, N, how)) or 1.5)
    draw = sharpness.Draw(4, 6, 100, 8, 0)
    assert sharpness.critical_x_in_limit(draw, quantity) == 1.5
    ((M, N, how),) = asked
    assert (M, N, how["level"], how["tolerance"]) == (4, 6, sharpness.LEVELS[quantity], 0.001)


@pytest.mark.parametrize("axis, value", [("Ns", 0), ("snrs", 0.0), ("snrs", -1.0)])
def test_a_grid_has_no_place_without_samples_or_signal(axis, value):
    axes = {"snrs": [2.0], "Ns": [2]}
    with pytest.raises(ValueError, match=axis):
        grid.phase_diagram(**{**axes, axis: [value]}, seeds=1, base=Setting(M=3, d=32, d_h=4))
