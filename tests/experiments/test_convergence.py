from math import exp, log

import numpy as np
import pytest

import benign_ref as br
from benign_ref.engines.proof_space import ProofSpace
from benign_ref.engines.records import descend
from benign_ref.experiments import convergence
from benign_ref.paper.theorems import ORDERS

REGIMES = ("benign", "harmful")


def everything(s):
    """What a run depends on, one name each."""
    return {
        "N": s.N,
        "M": s.M,
        "d": s.d,
        "d_h": s.d_h,
        "eta": s.eta,
        "epsilon": s.epsilon,
        "w_O": s.w_O_norm,
        "mu": s.mu_norm,
        "C_p": s.C_p,
        "sigma_p^2 d": s.sigma_p**2 * s.d,
        "sigma_h": s.sigma_h,
        "sigma_V": s.sigma_V,
        "max_steps": s.max_steps,
    }


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("name", ORDERS["benign"])
def test_one_thing_moves_at_a_time(regime, name):
    base = convergence.base_setting(regime)
    before, after = everything(base), everything(convergence.moved(base, name, 2.0))
    assert after.pop(name) == pytest.approx(2 * before.pop(name), rel=1e-14)
    assert after == pytest.approx(before, rel=1e-14)


@pytest.mark.parametrize(
    "regime, formula",
    [
        ("benign", lambda s: 1 / (s.eta * s.epsilon * s.mu_norm**2 * s.w_O_norm**2)),
        ("harmful", lambda s: s.N / (s.eta * s.epsilon * s.sigma_p**2 * s.d * s.w_O_norm**2)),
    ],
)
def test_the_orders_are_those_of_T1_and_T2(regime, formula):
    base = convergence.base_setting(regime)
    for name, order in ORDERS[regime].items():
        assert log(formula(convergence.moved(base, name, 2.0)) / formula(base)) / log(2) == pytest.approx(
            order, abs=1e-12
        ), name


@pytest.mark.parametrize("regime", REGIMES)
def test_the_values_stay_on_their_side_of_the_boundary_and_below_the_longest_token(regime):
    base = convergence.base_setting(regime)
    for name, factors in convergence.VALUES[regime].items():
        for factor in factors:
            s = convergence.moved(base, name, factor)
            assert s.x > 7.9 if regime == "benign" else s.x < 0.7
            assert s.largest_norm <= convergence.LARGEST[regime]


@pytest.mark.parametrize("regime", REGIMES)
def test_the_values_go_through_the_base_in_increasing_steps_of_at_most_two(regime):
    for name, factors in convergence.VALUES[regime].items():
        steps = np.diff(np.log2(factors))
        assert 1.0 in factors and factors[-1] / factors[0] >= 2.8, name
        assert steps.min() > 0.2 and steps.max() <= 1, name


@pytest.mark.parametrize("regime", REGIMES)
def test_the_base_has_its_longest_token_at_the_step_that_the_longest_of_all_runs_allows(regime):
    s = convergence.base_setting(regime)
    moved = [convergence.moved(s, name, f) for name, fs in convergence.VALUES[regime].items() for f in fs]
    longest = max(m.largest_norm for m in moved)
    assert longest <= convergence.LARGEST[regime] < 1.01 * longest
    assert 3 * 0.3 * s.M / s.eta == pytest.approx(convergence.LARGEST[regime] ** 2)
    assert (s.M, s.d, s.d_h, s.N, s.snr) == (8, 4096, 16, 8, {"benign": 20.0, "harmful": 2.0}[regime])


@pytest.mark.parametrize(
    "name, factor, message",
    [
        ("N", 0.3, "factor must leave N an integer"),
        ("d", 2.0, "name must be one of"),
        ("mu", 0.0, "factor must be"),
        ("N", 1e308, "factor must leave N an integer"),  # where N * factor is inf
        ("mu", 1e308, "snr must be a finite number > 0, got inf"),
        ("zeta", None, "name must be one of"),  # the name first: a factor of nothing is neither good nor bad
    ],
)
def test_wrong_moves_are_told(name, factor, message):
    with pytest.raises(ValueError, match=message):
        convergence.moved(convergence.base_setting("benign"), name, factor)
    with pytest.raises(ValueError, match="regime must be one of"):
        convergence.base_setting("mild")


def test_T_is_the_first_step_at_or_below_epsilon_and_passages_agree_with_a_plain_run():
    passages, held = convergence.passages("benign", 1, 2, 4)
    s = convergence.epsilon_setting("benign", 4)
    run = br.train(s, *convergence.drawn(s, 1), record_every=10**6)
    epsilons, times, *_ = zip(*passages)
    assert epsilons == pytest.approx([1e-2, 10**-2.5, 1e-3]) and s.epsilon == pytest.approx(1e-3)
    for epsilon, T in zip(epsilons, times):
        assert run.losses[T] <= epsilon < run.losses[T - 1]
    S = run.records[-1].attention
    rows = S[:, 0, 0].mean(), S[:, 1, 0].mean(), np.mean([S[:, i, 0] for i in range(2, 8)])
    assert passages[-1][2:] == pytest.approx(rows, rel=1e-9) and held == [times[-1]]
    harmful, _ = convergence.passages("harmful", 1, 1, 4)
    _, _, _, row_2, _ = harmful[-1]
    assert row_2 > 0.99  # token 2, not the signal, is the winner there


def test_time_of_is_the_run_of_the_moved_setting():
    T, *attention = convergence.time_of("benign", "mu", 2.0, 3, 4, 0.05)
    s = convergence.moved(convergence.base_setting("benign", 4, 0.05), "mu", 2.0)
    run = br.train(s, *convergence.drawn(s, 3), record_every=10**6)
    assert T == run.steps and run.converged and s.mu_norm == pytest.approx(40)
    S = run.records[-1].attention
    assert attention == pytest.approx(
        [S[:, 0, 0].mean(), S[:, 0, 1].mean(), np.mean([S[:, l, 0] for l in range(8)])]
    )
    _, S_ss, _, a = convergence.time_of("harmful", "mu", 1.0, 3, 4, 0.05)
    assert a > 0.2 and S_ss < 0.15  # token 2 is the winner there


def test_times_in_the_limit_are_those_of_runs_in_the_limit():
    times = convergence.limit_times("benign", "mu", 2.0, 1, 4)
    for epsilon, T in zip(convergence.half_decades(1), times):
        s = convergence.moved(convergence.base_setting("benign", 4, epsilon), "mu", 2.0)
        assert br.train_in_limit(s).steps == T


def test_held_attention_is_gradient_descent_with_W_Q_and_W_K_held():
    s = br.Setting(N=4, M=5, d=60, d_h=6, d_v=2, snr=6.0, C_p=4.0, w_O_norm=1.5, epsilon=0.05)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    space = ProofSpace.of(theta, data.X, data.y)
    *_, records = descend(space, eta=s.eta, epsilon=s.epsilon, max_steps=10**5, record_every=10**6)
    epsilons = [0.02, 0.01, 0.005]
    got = convergence.held_times(
        records[-1].outputs, data.y, convergence.kernel_of(space, records[-1], s), epsilons
    )
    evaluate, expected, t = space.evaluate, [], 0

    def with_still_queries_and_keys():
        loss = evaluate()
        space.attention.D[:] = 0.0
        return loss

    space.evaluate = with_still_queries_and_keys
    for epsilon in epsilons:
        _, steps, *_ = descend(space, eta=s.eta, epsilon=epsilon, max_steps=10**5)
        t += steps
        expected.append(t)
    assert got == expected and got[0] > 10


def test_with_attention_held_the_slope_tends_to_minus_one_as_the_closed_form_says():
    epsilons, K = 10.0 ** -np.arange(1, 5), np.diag([1.0, 1.0])
    times = convergence.held_times(np.array([0.5, -0.5]), np.array([1.0, -1.0]), K, epsilons)
    ends = [-log(exp(epsilon) - 1) for epsilon in epsilons]  # f at which the loss log(1+e^-f) is epsilon
    closed = [(exp(f) + f - exp(0.5) - 0.5) / 0.5 for f in ends]  # df/dt = (1/2) / (1+e^f)
    assert times[2:] == pytest.approx(closed[2:], rel=0.01)
    assert convergence.local_slopes(epsilons, times)[1][-1] == pytest.approx(-1, abs=0.01)


def test_local_slopes_of_a_power_law_are_its_exponent_between_the_points():
    x = np.array([1e-2, 1e-3, 1e-5])
    middles, slopes = convergence.local_slopes(x, 7 * x**-0.8)
    assert slopes == pytest.approx([-0.8, -0.8]) and middles == pytest.approx([10**-2.5, 1e-4])


@pytest.mark.parametrize("regime", REGIMES)
def test_T_goes_as_one_over_eta(regime):
    T = [convergence.time_of(regime, "eta", factor, 0, 4, 1e-2)[0] for factor in (0.5, 1.0, 2.0)]
    assert br.fit_power_law([0.5, 1.0, 2.0], T).exponent == pytest.approx(-1, abs=0.02)


def test_held_attention_takes_longer_as_the_small_tokens_rows_are_still_turning():
    passages, held = convergence.passages("harmful", 0, 4, 4)
    _, T, _, row_2, row_i = zip(*passages)
    assert row_i[-1] > row_i[2] + 0.05 and row_2[2] > 0.99
    assert held[-1] > 1.5 * T[-1]


@pytest.mark.parametrize("regime", REGIMES)
def test_through_epsilon_eta_is_three_times_the_default_of_setting(regime):
    s, base = convergence.epsilon_setting(regime), convergence.base_setting(regime)
    assert s.eta == pytest.approx(3 * s.replace(eta=None).eta, rel=2e-3)  # LARGEST has three digits
    assert s.replace(eta=base.eta) == base
