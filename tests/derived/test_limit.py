"""L1, L5: the limit against descent in matrices of all tokens, and against the model. L2-L4 one by one are in
test_limit_kernel.py.
"""

from functools import cache
from inspect import signature

import numpy as np
import pytest

from benign_ref.derived import limit, limit_kernel, limit_run
from benign_ref.derived.boundary import setting_at
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments.phases import find_phases
from benign_ref.paper import model
from benign_ref.paper.descent import DivergenceError
from benign_ref.paper.setting import Setting

STEPS = 300
CASES = [(N, M, 4.0) for N in (2, 6, 10) for M in (2, 3, 5, 16)] + [
    (6, 3, 1.0),
    (10, 5, 1.0),
]  # N, M, x: benign, then harmful


def setting_of(N, M, x=4.0, **changes):
    """A run that passes through all three phases in 300 steps, in units of its own."""
    s = setting_at(x, M, N, Setting(d=100, d_h=7, sigma_p=0.03, w_O_norm=1.7, epsilon=1e-9, max_steps=STEPS))
    return s.replace(**{"eta": 5 * s.eta, "sigma_h": 3 * s.sigma_h, **changes})


@cache
def dense_run(s):
    """GD on T orthogonal tokens from an orthogonal start, in T x T matrices: losses, the last S (N,M,M), V
    (N,M).
    """
    N, M, T = s.N, s.M, s.T
    y = np.array([1.0, -1.0] * (N // 2))
    tokens = np.array(
        [[0 if y[n] > 0 else 1, *range(2 + n * (M - 1), 2 + (n + 1) * (M - 1))] for n in range(N)]
    )
    noise = s.sigma_p * np.sqrt(s.d)
    length = np.array([s.snr * noise] * 2 + ([s.C_p * noise] + [noise] * (M - 2)) * N)
    Q = np.sqrt(s.sigma_h**2 * s.d_h) * np.diag(length) @ np.eye(T, 2 * T)
    K = np.sqrt(s.sigma_h**2 * s.d_h) * np.diag(length) @ np.eye(T, 2 * T, T)
    G, V, losses = length[:, None] ** 2, np.zeros(T), []
    for t in range(s.max_steps + 1):
        P = Q[tokens] @ K[tokens].swapaxes(1, 2)
        S = np.exp(P - P.max(axis=2, keepdims=True))
        S /= S.sum(axis=2, keepdims=True)
        f = np.einsum("nlj,nj->n", S, V[tokens]) / M
        losses.append(np.log1p(np.exp(-y * f)).mean())
        if t == s.max_steps:
            return np.array(losses), S, V[tokens]
        g = -y / (1 + np.exp(y * f)) / N
        B, b = np.zeros((T, T)), np.zeros(T)
        for n in range(N):  # no token twice in a sample
            J = S[n, :, :, None] * np.eye(M) - S[n, :, :, None] * S[n, :, None, :]
            B[np.ix_(tokens[n], tokens[n])] += g[n] / M * (J @ V[tokens[n]])
            b[tokens[n]] += g[n] / M * S[n].sum(axis=0)
        Q, K, V = Q - s.eta * G * (B @ K), K - s.eta * G * (B.T @ Q), V - s.eta * s.w_O_norm**2 * G[:, 0] * b


@pytest.mark.parametrize("N,M,x", CASES)
@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_L1_the_limit_is_descent_on_orthogonal_tokens(N, M, x, backend):
    s = setting_of(N, M, x)
    losses, S, V = dense_run(s)
    run = train_in_limit(s, backend=backend)
    assert run.steps == STEPS and not run.converged and run.losses[-1] < 0.02
    assert np.abs(run.losses / losses - 1).max() < 1e-12
    own, other = ("ss", "s2") if x > 2 else ("s2", "ss")
    assert (
        run.attention[own] > 0.69 and run.attention[other] < 0.31
    )  # the attention has moved: the check is not vacuous
    place = {"s": 0, "2": 1, "i": 2, "j": 3}
    assert len(run.attention) == {2: 4, 3: 9}.get(M, 10)
    for pair, attention in run.attention.items():
        assert np.allclose(S[:, place[pair[0]], place[pair[1]]], attention, rtol=1e-11, atol=0)
    for value, name in zip((run.V_s, run.V_2, run.V_i), "s2i"):
        if place[name] < M:
            assert np.allclose(V[0::2, place[name]], value, rtol=1e-11, atol=0)
            assert np.allclose(V[1::2, place[name]], -value, rtol=1e-11, atol=0)  # V_- = -V_+
        else:
            assert np.isnan(value)


@pytest.mark.plain
@pytest.mark.parametrize("N,M", [(2, 2), (3, 2), (3, 3), (5, 4), (7, 16)])
def test_the_two_backends_agree_also_for_odd_N(N, M):
    s = setting_of(N, M)
    one, two = train_in_limit(s, backend="numpy", record_every=50), train_in_limit(s, record_every=50)
    assert np.allclose(one.losses, two.losses, rtol=1e-12, atol=0)
    for first, second in zip(one.history, two.history):
        for pair in first if isinstance(first, dict) else [slice(None)]:
            assert np.allclose(first[pair], second[pair], rtol=1e-10, atol=1e-13, equal_nan=True)


def test_a_class_of_one_sample_is_the_end_of_the_continuation():
    """n = 1 has no space between samples; n a little above 1 has one of little weight."""
    for M in (2, 3, 5):
        one = limit_run.descend(setting_of(2, M), 1.0, limit_run.advance_numba, iter(()))
        near = limit_run.descend(setting_of(2, M), 1.0 + 1e-9, limit_run.advance_numba, iter(()))
        assert np.allclose(one[0], near[0], rtol=1e-6, atol=0)


def test_within_never_moves_from_the_start_of_the_theory():
    """QK = 0 within makes P_ii = P_ij, so D_ii = D_ij and B is 0 there: of the 34 numbers three stand
    still.
    """
    c = limit.constants_of(setting_of(6, 5), 3.0)
    start = limit.start(c, 0.8)
    for advance in (limit_run.advance_numpy, limit_run.advance_numba):
        state, _ = advance(limit.start(c, 0.8), c, 0.0, np.empty(101))
        assert (
            abs(state.QK.within) < 1e-18
            and np.isclose(state.QQ.within, start.QQ.within, rtol=1e-15)
            and state.KK.within == state.QQ.within
        )
        assert np.abs(state.QK.between).max() > 0.1


@pytest.mark.parametrize("M", [2, 3, 5])
def test_L5_is_the_model_on_noise_orthogonal_to_all(M):
    run = train_in_limit(setting_of(6, M, x=1.5, max_steps=60))
    signal = np.eye(M)[0]
    theta = model.Parameters(
        run.logits["ss"] * signal[:, None], signal[:, None], run.V_s * signal[:, None], np.ones(1)
    )
    f = model.forward(theta, np.eye(M)[None])[0]
    assert abs(run.test_loss / np.log1p(np.exp(-f)) - 1) < 1e-13
    assert run.error_rate == 0.0 and run.test_loss > 2 * run.losses[-1] > 0


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_units_of_the_tokens_do_not_matter(backend):
    """I6: (x, W) -> (c x, W/c), eta -> eta/c^2; and d, d_h, sigma_V enter no other way."""
    s = setting_of(6, 5)
    scaled = s.replace(sigma_p=3 * s.sigma_p, sigma_h=s.sigma_h / 3, eta=s.eta / 9)
    wide = s.replace(d=4 * s.d, sigma_p=s.sigma_p / 2, d_h=4 * s.d_h, sigma_h=s.sigma_h / 2, sigma_V=0.0)
    run = train_in_limit(s, backend=backend)
    for other in (scaled, wide):
        again = train_in_limit(other, backend=backend)
        assert np.allclose(again.losses, run.losses, rtol=1e-12, atol=0)
        assert np.isclose(again.test_loss, run.test_loss, rtol=1e-12) and np.isclose(
            again.V_s, run.V_s, rtol=1e-12
        )


def test_a_run_stops_at_the_first_loss_that_is_small_enough():
    s = setting_of(6, 5, epsilon=0.1)
    run = train_in_limit(s)
    assert run.converged and len(run.losses) == run.steps + 1 and run.losses[-1] <= 0.1 < run.losses[-2]
    assert run.losses[0] == np.log(2)
    for backend in ("numba", "numpy"):
        again = train_in_limit(s.replace(epsilon=float(run.losses[0])), backend=backend)
        assert again.steps == 0 and again.converged and again.history.step.tolist() == [0]
        assert again.V_s == 0.0 and again.error_rate == 1.0  # f = 0 is no right answer


def test_the_backend_asked_for_is_the_one_that_runs(monkeypatch):
    def stop(*_):
        raise InterruptedError

    for backend, other in (("numba", "numpy"), ("numpy", "numba")):
        with monkeypatch.context() as patch:
            patch.setattr(limit_run, f"advance_{backend}", stop)
            train_in_limit(setting_of(2, 2, max_steps=1), backend=other)
            with pytest.raises(InterruptedError):
                train_in_limit(setting_of(2, 2, max_steps=1), backend=backend)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_recording_changes_nothing_and_tells_the_state_before_the_step(backend):
    s = setting_of(4, 3, max_steps=25)
    plain = train_in_limit(s, backend=backend)
    every, chosen = (
        train_in_limit(s, backend=backend, record_every=10),
        train_in_limit(s, backend=backend, record_every=[7, 3, 99]),
    )
    assert plain.history.step.tolist() == [0, 25]
    assert every.history.step.tolist() == [0, 10, 20, 25]
    assert chosen.history.step.tolist() == [3, 7, 25]
    for run in (every, chosen):
        assert (
            np.array_equal(run.losses, plain.losses)
            and run.test_loss == plain.test_loss == run.history.test_loss[-1]
        )
    stopped = train_in_limit(s.replace(max_steps=7), backend=backend)
    assert (
        stopped.V_s == chosen.history.V_s[1]
        and stopped.V_2 == chosen.history.V_2[1]
        and stopped.V_i == chosen.history.V_i[1]
    )
    assert stopped.logits == {pair: P[1] for pair, P in chosen.history.logits.items()}
    assert stopped.test_loss == chosen.history.test_loss[1]
    row = chosen.history.attention
    assert np.allclose(row["ss"] + row["s2"] + row["si"], 1, rtol=1e-14)


def test_a_run_longer_than_its_pieces_loses_no_step():
    s = setting_of(2, 2, max_steps=5000)
    run = train_in_limit(s)
    assert run.steps == 5000 and len(run.losses) == 5001 and (np.diff(run.losses) < 0).all()
    assert np.array_equal(run.losses, train_in_limit(s, record_every=999).losses)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_divergence_names_the_step_and_eta(backend):
    """V only grows here and a saturated softmax stands still; what can leave the range of numbers is the
    start.
    """
    with pytest.raises(DivergenceError, match="the loss is nan at step 1 with eta=0.25") as caught:
        train_in_limit(setting_of(4, 5, sigma_h=1e160, eta=0.25), backend=backend)
    assert caught.value.step == 1 and caught.value.eta == 0.25 and not np.isfinite(caught.value.loss)


def test_logits_of_any_size_are_no_overflow():
    s = setting_of(4, 5, sigma_h=30.0, max_steps=20)
    one, two = train_in_limit(s, backend="numpy"), train_in_limit(s)
    assert max(two.logits.values()) > 1e3 and two.attention["ss"] > 0.99
    assert np.allclose(one.losses, two.losses, rtol=1e-10, atol=0)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("M", [2, 5])
@pytest.mark.parametrize("extra_steps", [0, 3])
def test_values_beyond_all_numbers_are_divergence(backend, M, extra_steps):
    s = setting_of(4, M, eta=1e307, sigma_p=1.0, d=10**4, extra_steps=extra_steps)
    with pytest.raises(DivergenceError, match=r"the loss is nan at step 1 with eta=1e\+307"):
        train_in_limit(s, backend=backend)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_a_step_of_any_size_is_taken(backend):
    run = train_in_limit(setting_of(4, 5, eta=1e200), backend=backend)
    assert run.steps == 1 and run.converged and run.losses[1] == 0.0


@pytest.mark.parametrize(
    "error,words,call",
    [
        (ValueError, "N must be an integer >= 2 in the limit.*got 1", lambda: train_in_limit(Setting(N=1))),
        (ValueError, "balanced must be True.*got False", lambda: train_in_limit(Setting(balanced=False))),
        (TypeError, "setting must be a Setting", lambda: train_in_limit({"N": 2})),
        (
            ValueError,
            "backend must be one of 'numpy', 'numba'",
            lambda: train_in_limit(Setting(), backend="jax"),
        ),
        (
            ValueError,
            "record_every must be an integer from 1",
            lambda: train_in_limit(Setting(), record_every=0),
        ),
        (
            TypeError,
            "record_every must be an integer >= 0",
            lambda: train_in_limit(Setting(), record_every=[1, 2.5]),
        ),
        (ValueError, "M=10000000 needs", lambda: train_in_limit(Setting(M=10**7))),
    ],
)
def test_bad_arguments_are_named(error, words, call):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("snr, winner", [(16.0, "signal"), (2.0, "xi_2")])
def test_phases_are_where_attention_leaves_and_settles(snr, winner):
    s = Setting(N=10, snr=snr)
    run = train_in_limit(s, record_every=5)
    rows = run.history.attention
    phases = find_phases(run.history.step, rows["ss"], rows["s2"], rows["2s"], rows["22"], s.M)
    own = run.history.attention["ss" if winner == "signal" else "22"]
    concentration = (16 * own - 1) / 15
    assert phases.winner == winner and 0 < phases.leaves < phases.settles < run.steps
    assert (
        np.interp(phases.settles, run.history.step, concentration) > 0.89
    )  # the other row may be the last to settle
    assert np.interp(phases.leaves, run.history.step, concentration) < 0.11  # or the first to leave


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_extra_steps_are_the_next_steps_of_the_longer_run(backend):
    s = setting_of(6, 5, epsilon=0.1)
    plain = train_in_limit(s, backend=backend)
    longer = train_in_limit(s.replace(epsilon=1e-9), backend=backend, record_every=[plain.steps + 3])
    extra = train_in_limit(s.replace(extra_steps=3), backend=backend, record_every=[plain.steps])
    assert extra.converged and extra.steps == plain.steps + 3 and len(extra.losses) == extra.steps + 1
    assert np.array_equal(extra.losses, longer.losses[: extra.steps + 1])
    assert extra.test_loss == longer.history.test_loss[0] < plain.test_loss
    assert extra.history.step.tolist() == [plain.steps, extra.steps]
    capped = train_in_limit(s.replace(extra_steps=3, max_steps=plain.steps + 2), backend=backend)
    assert capped.converged and capped.steps == plain.steps + 2
    never = train_in_limit(s.replace(extra_steps=3, max_steps=plain.steps - 1), backend=backend)
    assert not never.converged and never.steps == plain.steps - 1


def test_a_run_says_what_the_limit_ignores():
    s = setting_of(4, 3, noise="full", init="uniform", sigma_V=0.3)
    run = train_in_limit(s)
    assert np.array_equal(run.losses, train_in_limit(setting_of(4, 3)).losses)
    assert "ignored: noise='full', init='uniform', sigma_V=0.3" in str(run)


@pytest.mark.parametrize(
    "backend, home, name", [("numpy", limit, "evaluate"), ("numba", limit_kernel, "advance")]
)
def test_the_backend_named_is_the_one_that_runs(monkeypatch, backend, home, name):
    s, other = setting_of(4, 3).replace(max_steps=3), {"numpy": "numba", "numba": "numpy"}[backend]
    losses = train_in_limit(s, backend=other).losses

    def ran(*_):
        raise LookupError(backend)

    monkeypatch.setattr(home, name, ran)
    assert np.array_equal(train_in_limit(s, backend=other).losses, losses)
    with pytest.raises(LookupError, match=backend):
        train_in_limit(s, backend=backend)
    assert signature(train_in_limit).parameters["backend"].default == "numba"
