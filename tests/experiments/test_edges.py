"""Ties, ends and single cases of runs and cells: where `>` and `>=`, the first and the last differ."""

from math import sqrt
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import (
    cell,
    convergence,
    dynamics,
    grid,
    theorem,
)

# cell


def test_tokens_of_fresh_samples_lie_in_no_more_memory_than_they_need():
    s = br.Setting(N=3, M=4, d=6, d_h=1)
    for n, fresh, sizes in (
        (cell.CHUNK + 1, True, [cell.CHUNK, 1]),
        (cell.CHUNK + 1, False, [cell.CHUNK + 1]),
    ):
        parts = [(len(y), Z) for y, Z, _ in cell.draw_D1(s, br.make_rng(0), n, fresh)]
        assert [size for size, _ in parts] == sizes
        assert all(Z.base.shape == (2 + 3 * sizes[0], 6) for _, Z in parts)


# convergence


@pytest.mark.parametrize("regime, longest", [("benign", 40.0), ("harmful", 28.3)])
def test_the_base_of_convergence_to_the_last_value(regime, longest):
    given = {"sigma_p": 1 / 64, "C_p": 5 * sqrt(8), "eta": 7.2 / longest**2, "max_steps": 10**6}
    plain = br.Setting(N=6, M=8, d=4096, d_h=16, d_v=1, snr=convergence.SNRS[regime], epsilon=0.02, **given)
    for name, value in plain.values().items():
        expected = pytest.approx(value, rel=1e-14) if isinstance(value, float) else value
        assert getattr(convergence.base_setting(regime, 6, 0.02), name) == expected, name


def test_the_streams_of_a_draw_are_those_of_its_seed():
    s = br.Setting(N=2, M=3, d=9, d_h=2, d_v=1)
    data, theta = convergence.drawn(s, 5)
    assert np.array_equal(data.X, br.sample_dataset(s, br.make_rng(5, (0,))).X)
    assert np.array_equal(theta.W_K, br.init_parameters(s, br.make_rng(5, (1,))).W_K)


def test_T_in_the_limit_is_the_first_step_at_epsilon_or_nan(monkeypatch):
    asked, losses = [], np.array([0.5, 0.01, 0.004, 0.002, 0.0])

    def run(s):
        asked.append(s.epsilon)
        return SimpleNamespace(losses=losses)

    monkeypatch.setattr(convergence, "train_in_limit", run)
    for end, T in ((0.001, 4.0), (0.0011, float("nan"))):
        losses[-1] = end
        times = convergence.limit_times("benign", "eta", 1.0, 2, 4)
        assert times == pytest.approx([1.0, 3.0, T], nan_ok=True) and asked[-1] == pytest.approx(1e-3)


def test_held_times_follow_the_recursion_whatever_K(problem):
    rng = np.random.default_rng(2)
    f, y, K = rng.standard_normal(4), np.array([1.0, -1, -1, 1]), np.eye(4) + 0.3 * rng.random((4, 4))
    loss = lambda f: np.mean(np.log1p(np.exp(-y * f)))  # noqa: E731
    epsilons = [loss(f), 0.2, 0.05]  # the first is met at once
    expected, t, at = [], 0, f
    for epsilon in epsilons:
        while loss(at) > epsilon * (1 + 1e-12):
            at = at + K @ (y / (1 + np.exp(y * at)) / 4)
            t += 1
        expected.append(t)
    assert convergence.held_times(f, y, K, epsilons) == expected and expected[0] == 0 < expected[1]


def test_passages_end_with_the_steps_of_the_setting(monkeypatch):
    s = br.Setting(N=4, M=3, d=64, d_h=4, d_v=1, snr=20.0, eta=0.01)
    monkeypatch.setattr(convergence, "epsilon_setting", lambda regime: s)
    monkeypatch.setattr(convergence, "half_decades", lambda count: np.array([0.4, 0.3, 0.2]))
    found, held = convergence.passages("benign", 0, 2)
    times = [T for _, T, *_ in found]
    assert len(times) == 3 and held == times[2:] and times[0] < times[1] < times[2]
    for most, count in ((times[2] - 1, 2), (times[1], 2), (times[1] - 1, 1), (times[0] - 1, 0)):
        s = s.replace(max_steps=most)
        again, held = convergence.passages("benign", 0, 2)
        assert again == found[:count] and held == []


# diagram, dynamics


def test_a_diagram_that_is_made_by_hand_has_computed_and_reused_nothing():
    numbers = np.zeros((1, 1, 1))
    one = grid.PhaseDiagram(*[np.ones(1)] * 3, numbers.astype(str), *[numbers] * 4, {})
    assert (one.computed, one.reused) == (0, 0)


def test_the_sample_of_the_published_panels_is_the_first_of_label_one(monkeypatch):
    s = br.Setting(N=6, M=4, d=40, d_h=5, d_v=3, snr=6.0, init="uniform", noise="full", max_steps=4)
    monkeypatch.setattr(dynamics, "published_setting", lambda name: s)
    for seed in range(6):
        y, Z, index = next(cell.draw_D1(s, cell.streams(s.snr, s.N, seed)[0], s.N, False))
        data, start = cell.streams(s.snr, s.N, seed)[:2]
        run = br.train(
            s, br.sample_dataset(s, data), br.init_parameters(s, start), record_every=2, engine="proof"
        )
        steps, found, *_ = dynamics.published_draw("benign", seed, 2, 3)
        sample = y.tolist().index(1.0)
        for k, record in enumerate(run.records):
            assert steps[k] == record.step and found["train_loss"][k] == pytest.approx(
                run.losses[record.step]
            )
            P, S, c = record.logits[sample], record.attention[sample], record.values[sample]
            expected = {"S_s": S[:, 0].mean(), "S_2": S[:, 1].mean(), "V_s": c[0], "V_2": c[1],
                        "P_ss": P[0, 0], "P_s2": P[0, 1], "P_is": P[2, 0], "P_i2": P[2, 1]}  # fmt: skip
            assert {name: found[name][k] for name in expected} == pytest.approx(expected, rel=1e-9)
        fresh = br.sample_dataset(s, cell.streams(s.snr, s.N, seed)[2], 3)
        assert found["test_loss"][-1] == pytest.approx(
            br.test_loss(run.parameters, fresh.X, fresh.y), rel=1e-9
        )


def test_attention_of_the_limit_over_the_queries_at_any_M():
    for M in (3, 5):
        s = br.Setting(N=4, M=M, d=64, d_h=4, snr=6.0, max_steps=30)
        one = dynamics.limit_trajectory(s, [0, 20])
        S = br.train_in_limit(s, record_every=[0, 20], backend="numpy").history.attention
        for key in "s2":
            rows = [S["s" + key], S["2" + key], *[S["i" + key]] * (M - 2)]
            assert one.quantities["S_" + key] == pytest.approx(np.mean(rows, axis=0), rel=1e-12)
        assert (one.quantities["slope_ratio"] == 1).all() and not one.converged


@pytest.mark.parametrize("train", [dynamics.limit_trajectory, None])
def test_without_small_tokens_their_quantities_are_no_numbers_and_all_others_are(train):
    s = br.Setting(N=4, M=2, d=64, d_h=4, snr=6.0, max_steps=30)
    in_law = dynamics.trajectory(s, 0, per_decade=2, n_test=5)
    one = train(s, [0, 20]) if train else dynamics.Trajectory.from_lists(*in_law)
    without = {name for name, values in one.quantities.items() if np.isnan(values).all()}
    assert without == {"V_i", *(what + pair for what in ("S_", "P_") for pair in ("si", "2i", "is", "i2"))}
    assert all(np.isfinite(values).all() for name, values in one.quantities.items() if name not in without)
    if train:
        S = br.train_in_limit(s, record_every=[0, 20]).history.attention
        for key in "s2":
            assert one.quantities["S_" + key] == pytest.approx((S["s" + key] + S["2" + key]) / 2, rel=1e-12)
        assert (one.phases.end, one.steps[0]) == (30, 0)


# theorem


def test_a_rival_as_near_as_the_claim_is_not_beaten():
    verdict = theorem.verdict
    assert verdict([-1.25], -1) == verdict([-0.75], -1) == verdict([0.25], None) == theorem.FAILS
    assert verdict([-1.2499], -1) == verdict([-0.7501], -1) == verdict([0.2501], None) == theorem.HOLDS


def test_T_is_the_first_step_at_epsilon(monkeypatch):
    base = theorem.base_setting("benign")
    values = [base.epsilon * factor for factor in theorem.EPSILON_FACTORS]
    run = SimpleNamespace(losses=np.array([0.69, *values]))
    monkeypatch.setattr(theorem, "train_in_limit", lambda s: run)
    s, T, loss = theorem.through_epsilon("benign")
    assert T.measured == loss.values == (1, 2, 3, 4, 5) and T.values == loss.measured == tuple(values)
    assert s.epsilon == pytest.approx(0.003 / sqrt(10)) and loss.claimed == -1 and s.d_v == 1


def test_a_run_in_law_and_its_fresh_data_have_streams_of_their_own(monkeypatch):
    def train(s, rng, progress):
        drawn.append(rng.random())
        return SimpleNamespace(converged=True, steps=7, test_loss=lambda n, rng: (n, rng.random()))

    drawn = []
    monkeypatch.setattr(theorem, "train_in_law", train)
    assert theorem.end_in_law("benign", 6, 0.1, 20, 3) == (7, (2000, br.make_rng(3, (1,)).random()))
    assert drawn == [br.make_rng(3, (0,)).random()]


def test_a_stride_leaves_the_ends_and_the_base_is_not_run_again(monkeypatch):
    losses, history = np.linspace(0.7, 0, 500), SimpleNamespace(test_loss=np.ones(5))
    monkeypatch.setattr(theorem, "train_in_limit", lambda s, **how: SimpleNamespace(
        losses=losses, history=history, converged=True, steps=1 / s.eta))  # fmt: skip
    base = theorem.base_setting("harmful")
    for arguments, factors in (((), theorem.FACTORS), ((2,), theorem.FACTORS[::2])):
        (one,) = (one for one in theorem.exponents("harmful", *arguments) if one.quantity == "eta")
        assert one.values == pytest.approx([base.eta * factor for factor in factors])
        middle = len(factors) // 2  # of which T is known from the run through epsilon
        assert one.measured[middle] == int(np.argmax(losses <= base.epsilon)) != 1 / base.eta
        assert one.measured[0] == pytest.approx(1 / (base.eta * factors[0]))
