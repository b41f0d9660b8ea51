"""sharpness.py: single draws, the x at which each turns over, and what of it is sharp."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.derived.boundary import attention_x, critical_x, setting_at
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments import sharpness
from benign_ref.experiments.sharpness import (
    Draw,
    base_of,
    critical_x_in_limit,
    critical_x_of_draw,
    limit_column,
    measure,
    point,
    summary,
)
from benign_ref.paper.setting import Setting

SMALL = Draw(M=3, N=2, d=500, d_h=8, seed=1)
WIDE = Draw(M=8, N=2, d=10**7, d_h=128, seed=0)


def test_point_is_benign_beyond_the_boundary_and_harmful_before_it():
    test_loss, standard_error, attention, steps, converged = point(WIDE, 0.5)
    assert converged and attention < 0.05 and test_loss > 0.5
    assert 0 < standard_error < 0.01 and steps > 100
    test_loss, _, attention, _, converged = point(WIDE, 6.0)
    assert converged and attention > 0.95 and test_loss < 0.07


def test_point_agrees_with_the_limit_when_d_is_large():
    for x in (1.0, 4.0):
        limit = train_in_limit(setting_at(x, WIDE.M, WIDE.N, base_of(WIDE)))
        test_loss, _, attention, *_ = point(WIDE, x)
        assert test_loss == pytest.approx(limit.test_loss, rel=0.03)
        assert attention == pytest.approx(limit.attention["ss"], abs=0.01)


@pytest.mark.parametrize("quantity", ["test_loss", "attention"])
@pytest.mark.parametrize("start", [1.0, 4.0])
def test_a_draw_turns_over_at_its_critical_x_whatever_the_start(quantity, start):
    x = critical_x_of_draw(SMALL, quantity, start)
    before, beyond = (
        point(SMALL, x * factor, sharpness.SEARCH_SAMPLES) for factor in (np.exp(-0.0026), np.exp(0.0026))
    )
    level = sharpness.LEVELS[quantity]
    if quantity == "test_loss":
        assert before[0] > level >= beyond[0]
    else:
        assert before[2] < level <= beyond[2]


def test_critical_x_far_from_the_start_is_nan():
    assert np.isnan(critical_x_of_draw(SMALL, "attention", start=0.02))
    assert np.isnan(critical_x_of_draw(SMALL, "test_loss", start=200.0))


def test_same_draw_same_numbers_and_another_seed_another():
    assert point(SMALL, 2.0) == point(SMALL, 2.0)
    assert point(SMALL, 2.0)[0] != point(SMALL._replace(seed=2), 2.0)[0]


def test_critical_x_of_draws_gathers_at_the_limit():
    wide = [critical_x_of_draw(WIDE._replace(seed=seed), "attention") for seed in range(4)]
    narrow = [critical_x_of_draw(WIDE._replace(d=300, d_h=4, seed=seed), "attention") for seed in range(4)]
    limit = critical_x_in_limit(WIDE, "attention")
    assert summary(wide).spread < 0.02 < summary(narrow).spread
    assert abs(summary(wide).x / limit - 1) < 0.02


def test_factor_on_sigma_h_and_epsilon_reach_the_setting():
    plain, scaled = (
        setting_at(2.0, 8, 6, base_of(Draw(8, 6, 1000, 32, 0, epsilon, factor)))
        for epsilon, factor in ((0.01, 1.0), (0.02, 3.0))
    )
    assert scaled.sigma_h == pytest.approx(3 * plain.sigma_h) and scaled.epsilon == 0.02
    assert (scaled.eta, scaled.C_p, scaled.snr) == (plain.eta, plain.C_p, plain.snr)
    assert plain == Setting(N=6, M=8, d=1000, d_h=32, snr=plain.C_p * (2 / 6) ** 0.5)


@pytest.mark.parametrize(
    "quantity, search, level", [("test_loss", critical_x, 0.2), ("attention", attention_x, 0.5)]
)
def test_critical_x_in_limit_is_that_of_the_draws_setting(quantity, search, level):
    draw = Draw(4, 6, 1, 16, 0, 0.02, 2.0)
    base = Setting(N=6, M=4, d_h=16, epsilon=0.02)
    base = base.replace(sigma_h=2 * 0.2 * 16**-0.25 / base.C_p)  # at x = 2 token 2 is the longest
    assert critical_x_in_limit(draw._replace(d=1000), quantity) == pytest.approx(
        search(4, 6, level=level, base=base), rel=0.002
    )


def test_critical_x_in_limit_is_nan_where_the_level_is_not_crossed():
    assert np.isnan(critical_x_in_limit(SMALL._replace(epsilon=0.4), "test_loss"))


def test_summary_is_the_geometric_mean_with_its_standard_error():
    got = summary([2.0, np.nan, 2.2, 2.42])
    assert got.x == pytest.approx(2.2) and got.count == 3
    assert got.spread == pytest.approx(np.log(1.1))
    assert got.error == pytest.approx(2.2 * np.log(1.1) / 3**0.5)
    assert str(got) == "2.200 +- 0.121"
    one, none = summary([3.0]), summary([np.nan])
    assert one.x == pytest.approx(3.0) and np.isnan(one.spread) and np.isnan(one.error) and one.count == 1
    assert np.isnan(none.x) and none.count == 0


def test_tasks_of_the_figures_are_the_functions():
    assert measure("point", 2.0, *SMALL) == point(SMALL, 2.0)
    assert measure("attention", 1.9, *SMALL) == critical_x_of_draw(SMALL, "attention", 1.9)


def test_column_of_the_map_is_the_limit_at_even_N_and_between_neighbours_at_odd():
    base = Setting(N=2, M=5, d_h=16)
    column = limit_column(6.0, Ns=(4.0, 5.0, 6.0), base=base)
    assert column[0] == train_in_limit(base.replace(N=4, snr=6.0)).test_loss
    assert column[2] == train_in_limit(base.replace(N=6, snr=6.0)).test_loss
    assert column[0] > column[1] > column[2]


def test_attention_in_the_limit_steps_within_a_hundredth_of_x_while_the_test_loss_takes_a_factor():
    low, high = (attention_x(8, 6, level=level, tolerance=1e-4) for level in (0.1, 0.9))
    assert 1 < high / low < 1.01
    assert critical_x(8, 6, level=0.2) / critical_x(8, 6, level=0.4) > 1.2


def test_critical_x_of_attention_does_not_depend_on_epsilon_and_that_of_test_loss_does():
    fine, coarse = Draw(8, 6, 1000, 32, 0, 0.002), Draw(8, 6, 1000, 32, 0, 0.02)
    assert critical_x_in_limit(fine, "attention") == pytest.approx(
        critical_x_in_limit(coarse, "attention"), rel=0.002
    )
    assert critical_x_in_limit(coarse, "test_loss") / critical_x_in_limit(fine, "test_loss") > 1.03


@pytest.mark.parametrize(
    "changes, wrong",
    [
        ({"quantity": "loss"}, "quantity must be one of"),
        ({"start": -1.0}, "start must be"),
        ({"tolerance": 0.0}, "tolerance must be"),
    ],
)
def test_bad_arguments_are_named(changes, wrong):
    with pytest.raises(ValueError, match=wrong):
        critical_x_of_draw(**{"draw": SMALL, "quantity": "attention", **changes})


def test_fresh_data_have_a_stream_of_their_own():
    run = sharpness.run_of(SMALL, 2.0)
    start, fresh = (run.test_loss(50, br.make_rng(SMALL.seed, (stream,))) for stream in (0, 1))
    assert point(SMALL, 2.0, 50)[0] == fresh != start
    again = br.train_in_law(run.model.setting, br.make_rng(SMALL.seed, (0,)))
    assert np.array_equal(again.losses, run.losses)
