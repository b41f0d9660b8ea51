import json
from math import exp

import numpy as np
import pytest

import benign_ref as br
from benign_ref.derived.law import sample_labels
from benign_ref.experiments import dynamics
from benign_ref.experiments.cell import streams
from benign_ref.experiments.phases import Phases
from figures import phases as picture

SMALL = br.Setting(N=6, M=8, d=1024, d_h=16, d_v=16, epsilon=1e-3)
SNRS = {"benign": 16.0, "harmful": 2.0}
SEEDS = range(10)


def trajectory(*arguments, **how):
    """A run in law as a Trajectory."""
    return dynamics.Trajectory.from_lists(*dynamics.trajectory(*arguments, **how))


def small(regime):
    """A tenth of the work of Figures 3 and 4: the same SNRs at smaller N and M, the step size three times the
    default.
    """
    s = SMALL.replace(snr=SNRS[regime])
    return s.replace(eta=3 * s.eta)


@pytest.fixture(scope="module")
def runs():
    return {
        regime: [trajectory(small(regime), seed, per_decade=16, n_test=50) for seed in SEEDS]
        for regime in SNRS
    }


@pytest.fixture(scope="module")
def limits(runs):
    """The limit at the steps of the first run."""
    return {regime: dynamics.limit_trajectory(small(regime), runs[regime][0].steps) for regime in SNRS}


def at_the_end(runs, name):
    return np.array([run.quantities[name][-1] for run in runs])


def test_in_the_benign_regime_attention_goes_to_the_signal_and_the_test_loss_is_small(runs):
    benign = runs["benign"]
    assert all(run.converged for run in benign) and at_the_end(benign, "train_loss").max() <= SMALL.epsilon
    assert at_the_end(benign, "S_ss").min() > 0.99 and at_the_end(benign, "test_loss").max() < 0.1
    assert {run.phases.winner for run in benign} == {"signal"}


def test_in_the_harmful_regime_attention_goes_to_xi_2_and_the_test_loss_is_large(runs):
    harmful = runs["harmful"]
    assert all(run.converged for run in harmful) and at_the_end(harmful, "train_loss").max() <= SMALL.epsilon
    assert at_the_end(harmful, "S_22").min() > 0.99 and at_the_end(harmful, "test_loss").min() > 0.5
    assert {run.phases.winner for run in harmful} == {"xi_2"}


@pytest.mark.parametrize("regime", SNRS)
def test_the_three_phases_are_found_for_at_least_9_of_10_seeds(runs, regime):
    assert sum(run.phases.found for run in runs[regime]) >= 9


@pytest.mark.parametrize("regime", SNRS)
def test_in_phase_I_values_grow_while_attention_stays_and_in_phase_III_the_loss_times_the_step_varies_little(
    runs, regime
):
    for run in runs[regime]:
        if not run.phases.found:
            continue
        first, third = run.steps < 0.5 * run.phases.leaves, run.steps > run.phases.settles
        grown = run.quantities["V_plus" if regime == "benign" else "V_2"][first]
        assert grown[-1] > 20 * grown[0] and np.ptp(run.quantities["S_ss"][first]) < 0.05
        loss_times_step = (run.quantities["train_loss"] * run.steps)[third]
        loss = run.quantities["train_loss"][third]
        assert loss[0] / loss[-1] > 1.5 * loss_times_step.max() / loss_times_step.min()


@pytest.mark.parametrize("regime", SNRS)
def test_runs_follow_the_limit(runs, limits, regime):
    one, limit = runs[regime][0], limits[regime]
    assert limit.phases.winner == one.phases.winner and limit.converged
    assert limit.steps[-1] == pytest.approx(one.steps[-1], rel=0.15)
    assert limit.phases.leaves == pytest.approx(one.phases.leaves, rel=0.3)
    at = np.searchsorted(limit.steps, one.steps[one.steps <= limit.steps[-1]])
    allowed = {
        "V_plus": 0.1,
        "V_2": 0.1,
        "S_ss": 0.02,
        "S_22": 0.02,
        "S_i2": 0.02,
        "test_loss": 0.05,
        "P_is": 0.3,
        "P_ss": 1.5,
    }
    for name, within in allowed.items():
        got, expected = one.quantities[name][30 : len(at)], limit.quantities[name][at][30:]
        late = slice(-8, None)  # after the jump of attention, whose step differs from run to run
        assert np.abs(got[late] - expected[late]).max() <= within * max(1.0, np.abs(expected[late]).max()), (
            name
        )


def test_quantities_are_those_of_the_definition():
    s = br.Setting(N=4, M=5, d=40, d_h=6, d_v=3, snr=4.0, C_p=3.0, epsilon=0.3)
    data, theta = br.sample_dataset(s, br.make_rng(1)), br.init_parameters(s, br.make_rng(2))
    run = br.train(s, data, theta, record_every=10**6)
    theta, N, M = run.parameters, s.N, s.M
    v = theta.W_V @ theta.w_O
    record = run.records[-1]._replace(observed=(data.mu_plus @ v, data.mu_minus @ v, 0.25))
    found = dynamics.quantities_of(record, data.y, run.losses[-1])
    S, P = br.attention(theta, data.X), (data.X @ theta.W_Q) @ (data.X @ theta.W_K).swapaxes(1, 2)
    tokens = {"s": [0], "2": [1], "i": range(2, M)}
    for pair in dynamics.PAIRS:
        for name, matrices in (("S_" + pair, S), ("P_" + pair, P)):
            entries = [matrices[n, l, j] for n in range(N) for l in tokens[pair[0]] for j in tokens[pair[1]]]
            assert found[name] == pytest.approx(sum(entries) / len(entries), rel=1e-9), name
    slopes = [1 / (1 + exp(y * f)) for y, f in zip(data.y, br.forward(theta, data.X))]
    assert (
        found["slope_ratio"] == pytest.approx(max(slopes) / min(slopes), rel=1e-9)
        and found["slope_ratio"] > 1
    )
    assert found["V_2"] == pytest.approx(np.mean([abs(data.X[n, 1] @ v) for n in range(N)]), rel=1e-9)
    assert found["V_i"] == pytest.approx(
        np.mean([abs(data.X[n, i] @ v) for n in range(N) for i in range(2, M)]), rel=1e-9
    )
    assert (found["V_plus"], found["minus_V_minus"]) == (data.mu_plus @ v, -(data.mu_minus @ v))
    assert (found["train_loss"], found["test_loss"]) == (run.losses[-1], 0.25) and set(found) == set(
        dynamics.QUANTITIES
    )


def test_values_of_the_signals_and_labels_are_those_of_the_draw():
    s = small("benign").replace(epsilon=0.01)
    run = br.train_in_law(s, br.make_rng(3, (0,)), record_every=10**6)
    y = sample_labels(s, br.make_rng(3, (0,)), s.N)  # the first thing that a run in law draws
    assert run.y.tolist() == y.tolist()
    one = trajectory(s, 3, per_decade=2, n_test=10)
    signal = run.records[-1].values[:, 0]
    assert one.quantities["V_plus"][-1] == pytest.approx(signal[y > 0][0], rel=1e-9)
    assert one.quantities["minus_V_minus"][-1] == pytest.approx(-signal[y < 0][0], rel=1e-9)
    assert (
        one.steps[0] == 0
        and one.steps[-1] == run.steps
        and one.quantities["test_loss"][-1] == run.test_loss(10, br.make_rng(3, (1,)))
    )


def test_a_run_that_stops_early_is_the_beginning_of_the_whole_one():
    short, whole = (
        trajectory(small("benign").replace(max_steps=3), 0),
        trajectory(small("benign"), 0),
    )
    assert not short.converged and whole.converged and short.steps.tolist() == [0, 1, 2, 3]
    for name in ("V_plus", "minus_V_minus", "slope_ratio", "P_ss"):
        assert np.array_equal(short.quantities[name], whole.quantities[name][:4])


def made_up(steps, **values):
    """A Trajectory whose quantities are 1 but for those given."""
    quantities = {
        name: np.array(values.get(name, [1] * len(steps)), dtype=float) for name in dynamics.QUANTITIES
    }
    return dynamics.Trajectory(np.array(steps), quantities, Phases("signal", 1.0, 2.0, steps[-1]), True)


def test_a_logarithm_that_some_run_has_not_is_no_number_in_the_average():
    one, two = (made_up([0, 1, 2], S_ss=[0.1] * 3, test_loss=[1, value, 2]) for value in (1, 0))
    average = dynamics.average([one, two])
    assert np.isnan(average.mean["test_loss"]).tolist() == [False, True, False]
    assert np.isnan(average.low["test_loss"][1]) and np.isnan(average.high["test_loss"][1])


def test_the_average_ends_with_the_shortest_run_and_its_band_is_two_sigma():
    one = made_up([0, 1, 2, 4, 9], S_ss=[0.1, 0.2, 0.3, 0.4, 0.9], test_loss=[1, 1, 1, 4, 9])
    two = made_up([0, 1, 2, 4, 5], S_ss=[0.3, 0.2, 0.5, 0.4, 0.9], test_loss=[1, 1, 4, 1, 7])
    average = dynamics.average([one, two])
    assert average.steps.tolist() == [0, 1, 2, 4]
    assert average.mean["S_ss"] == pytest.approx([0.2, 0.2, 0.4, 0.4])
    sigma = np.array([0.1, 0, 0.1, 0]) * 2**0.5
    assert average.high["S_ss"] == pytest.approx(average.mean["S_ss"] + 2 * sigma)
    assert average.low["S_ss"] == pytest.approx(average.mean["S_ss"] - 2 * sigma)
    assert average.mean["test_loss"] == pytest.approx([1, 1, 2, 2])  # geometric
    factor = np.exp(2 * np.log(2) * 2**0.5)
    assert (average.low["test_loss"][2], average.high["test_loss"][2]) == pytest.approx(
        (2 / factor, 2 * factor)
    )


def test_where_a_value_is_not_positive_its_logarithmic_mean_is_left_out():
    average = dynamics.average([made_up([0, 1], V_plus=[-1, 1]), made_up([0, 1], V_plus=[1, 1])])
    assert np.isnan(average.mean["V_plus"][0]) and average.mean["V_plus"][1] == 1
    with pytest.raises(ValueError, match="at least 2"):
        dynamics.average([made_up([0, 1])])


def test_trajectories_survive_json_bit_for_bit(runs):
    one, asked = runs["harmful"][0], {"per_decade": 16, "n_test": 50}
    text = json.dumps(dynamics.trajectory(small("harmful"), 0, **asked))
    back = dynamics.Trajectory.from_lists(*json.loads(text))
    assert back.phases == one.phases and back.converged and back.steps.tolist() == one.steps.tolist()
    assert list(back.quantities) == list(dynamics.QUANTITIES)
    assert all(
        back.quantities[name].tolist() == one.quantities[name].tolist() for name in dynamics.QUANTITIES
    )


def test_settings_of_the_figures_are_as_stated_and_others_are_refused():
    s = dynamics.setting_of("benign", "full")
    assert (s.N, s.M, s.snr, s.epsilon, s.C_p) == (10, 16, 16.0, 1e-3, 20.0) and dynamics.setting_of(
        "harmful", "full"
    ).snr == 2.0
    assert (s.d, s.d_h) == (1024, 64) and dynamics.setting_of("harmful", "quick").epsilon == 1e-2
    for size in dynamics.SIZES:  # values are as wide as queries and keys, in one space
        s = dynamics.setting_of("harmful", size)
        assert s.d_v == s.d_h and s.d == 1024 and s.T < s.d
    for regime, size in (("mild", "full"), ("benign", "small")):
        with pytest.raises(ValueError, match="must be one of"):
            dynamics.setting_of(regime, size)


@pytest.mark.parametrize("regime", SNRS)
def test_the_picture_says_what_the_runs_did_and_clips_nothing(runs, limits, regime):
    few, limit = runs[regime][:3], limits[regime]
    average = dynamics.average(few)
    lines = picture.lines_of(few, limit, small(regime), regime)
    leaves = np.mean([one.phases.leaves for one in few])
    assert "three phases found in 3 of 3" in lines[0] and f"phase II begins at step {leaves:.0f} " in lines[1]
    rows = list(picture.rows_of(few, average, limit, [0, 1, 2]))
    assert {len(row) for row in rows} == {6} and (
        "seed 1",
        "phase II begins",
        few[1].phases.leaves,
        "",
        "",
        "",
    ) in rows
    figure, panels = picture.plt.subplots(6, 1, figsize=(3.5, 11.0), sharex=True)
    picture.paint(panels, few, average, limit, small(regime), picture.bounds_of(few))
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    picture.plt.close(figure)


def test_the_published_quantities_are_those_of_the_trained_model():
    """Against parameters trained on the same draw and rebuilt by `train`, at step 500."""
    s = br.published_setting("figure4")
    for_data, for_start, for_test = streams(s.snr, s.N, 3)
    data, theta = br.sample_dataset(s, for_data), br.init_parameters(s, for_start)
    run = br.train(s, data, theta, engine="proof")
    one = dynamics.Trajectory.from_lists(*dynamics.published_draw("harmful", 3, 250, 10))
    assert one.steps.tolist() == [0, 250, 500] and not one.converged
    fresh, first = br.sample_dataset(s, for_test, 10), list(data.y).index(1.0)
    X = data.X[first]
    S, V = br.attention(run.parameters, data.X)[first], X @ run.parameters.W_V @ run.parameters.w_O
    P = X @ run.parameters.W_Q @ (X @ run.parameters.W_K).T
    expected = {
        "train_loss": run.losses[-1],
        "test_loss": br.test_loss(run.parameters, fresh.X, fresh.y),
        "S_s": S[:, 0].mean(), "S_2": S[:, 1].mean(), "V_s": V[0], "V_2": V[1],
        "P_ss": P[0, 0], "P_s2": P[0, 1], "P_is": P[2, 0], "P_i2": P[2, 1],
    }  # fmt: skip
    assert tuple(expected) == tuple(dynamics.PUBLISHED_QUANTITIES)
    for name, value in expected.items():
        assert one.quantities[name][-1] == pytest.approx(value, rel=1e-7), name


@pytest.mark.parametrize("regime, winner", [("benign", "signal"), ("harmful", "xi_2")])
def test_the_published_limit_averages_attention_over_the_queries(regime, winner):
    limit = dynamics.published_limit(regime, [0, 500])
    end = {name: values[-1] for name, values in limit.quantities.items()}
    run = br.train_in_limit(br.published_setting(dynamics.PUBLISHED[regime]))
    rows = [run.attention[row + "2"] for row in ("s", "2", "i", "i")]  # M = 4: tokens s, 2, i, i
    assert end["S_2"] == pytest.approx(np.mean(rows), rel=1e-12) and limit.phases.winner == winner
    assert all(limit.quantities["S_" + key][0] == pytest.approx(0.25) for key in "s2")
    assert (end["V_s"], end["P_i2"]) == (run.V_s, run.logits["i2"])
