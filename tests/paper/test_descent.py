"""GD: the engines against each other, invariants of one step, a golden trajectory, and how a run ends."""

import pickle
import warnings

import numpy as np
import pytest

import benign_ref as br
from benign_ref.api import SPACES
from benign_ref.engines import cost
from benign_ref.engines.records import History, descend
from benign_ref.paper.data import Dataset
from benign_ref.paper.model import Parameters

ENGINES = [(engine, backend) for engine in ("parameters", "proof") for backend in ("numpy", "numba")]


@pytest.fixture(scope="module")
def start():
    s = br.Setting(N=4, M=5, d=30, d_h=6, d_v=3, snr=9.0, w_O_norm=1.3, epsilon=1e-4, max_steps=300)
    return s, br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))


def formula_problem():
    """A run that needs no random numbers: tokens and weights from sines, so that it is the same on every
    version of NumPy.
    """
    s = br.Setting(N=2, M=3, d=4, d_h=2, d_v=2, eta=0.5, epsilon=1e-9, max_steps=9)
    sines = lambda shape, a: np.sin(a * (1 + np.arange(np.prod(shape)))).reshape(shape)  # noqa: E731
    theta = Parameters(sines((4, 2), 1.1), sines((4, 2), 0.7), sines((4, 2), 1.9), sines((2,), 0.6))
    return s, Dataset(sines((2, 3, 4), 1.3), np.array([1.0, -1.0]), np.zeros(4), np.zeros(4)), theta


def interrupted_after(steps, history):
    def after_step():
        if len(history.losses) == steps:
            raise InterruptedError

    return after_step


GOLDEN = {  # train_w_O: ten losses, computed once by the line-by-line engine
    False: [
        0.9496549184678686,
        0.7052768126197431,
        0.5459744067947685,
        0.42359390601314284,
        0.32895762736219414,
        0.2603047053054765,
        0.21215871965861394,
        0.1778762518456296,
        0.1526351498952187,
        0.1334164031334642,
    ],
    True: [
        0.9496549184678686,
        0.6202215870966902,
        0.45483551915610404,
        0.323035301693695,
        0.22004059230573952,
        0.14980022296494694,
        0.10588909443232045,
        0.0785447101768502,
        0.06085396754475371,
        0.04885326810160802,
    ],
}


@pytest.mark.parametrize("train_w_O", [False, True])
@pytest.mark.parametrize("engine, backend", ENGINES)
def test_golden_trajectory_of_ten_losses(engine, backend, train_w_O):
    s, data, theta = formula_problem()
    run = br.train(s, data, theta, engine=engine, backend=backend, train_w_O=train_w_O)
    assert np.allclose(run.losses, GOLDEN[train_w_O], rtol=1e-12, atol=0)


@pytest.mark.parametrize("train_w_O", [False, True])
def test_engines_agree_over_300_steps(start, worst, train_w_O):
    s, data, theta = start
    runs = [br.train(s, data, theta, engine=e, backend=b, train_w_O=train_w_O) for e, b in ENGINES]
    assert runs[0].steps == 300 and runs[0].losses[-1] < 0.1 * runs[0].losses[0]  # it did learn
    for run in runs[1:]:
        assert np.allclose(run.losses, runs[0].losses, rtol=1e-9, atol=0)
        for W, expected, before in zip(run.parameters, runs[0].parameters, theta):
            if train_w_O or W.ndim == 2:
                assert worst(W - before, expected - before) < 1e-9
            else:
                assert (W == before).all()


@pytest.mark.parametrize("engine, backend", ENGINES)
def test_I4_and_I5_what_one_step_changes(problem, engine, backend):
    """W_Q^T W_Q - W_K^T W_K moves by exactly eta^2 (dQ^T dQ - dK^T dK); W_V^T W_V - w_O w_O^T alike. The
    gradients come from complex steps.
    """
    from derivatives import complex_step, derivatives

    from benign_ref.paper import model

    theta, X, y = problem()
    dQ, dK, dV, dO = derivatives(lambda at: model.loss(at, X, y), theta, complex_step)
    s = br.Setting(N=3, M=4, d=7, d_h=5, d_v=2, eta=0.3, max_steps=1)
    new = br.train(
        s, Dataset(X, y, X[0, 0], X[0, 0]), theta, engine=engine, backend=backend, train_w_O=True
    ).parameters

    def balance(theta):
        W_Q, W_K, W_V, w_O = theta
        return W_Q.T @ W_Q - W_K.T @ W_K, W_V.T @ W_V - np.outer(w_O, w_O)

    expected = (0.09 * (dQ.T @ dQ - dK.T @ dK), 0.09 * (dV.T @ dV - np.outer(dO, dO)))
    for after, before, change in zip(balance(new), balance(theta), expected):
        assert np.abs(change).max() > 1e-4
        assert np.allclose(after - before, change, rtol=0, atol=1e-13 * np.abs(before).max())


def test_a_run_stops_at_epsilon_or_at_max_steps(start):
    s, data, theta = start
    stopped = br.train(s.replace(epsilon=0.5), data, theta)
    assert (
        stopped.converged
        and stopped.losses[-1] <= 0.5 < stopped.losses[-2]
        and len(stopped.losses) == stopped.steps + 1
    )
    cut = br.train(s.replace(max_steps=7), data, theta)
    assert not cut.converged and cut.steps == 7 and len(cut.losses) == 8
    done = br.train(s.replace(epsilon=5.0), data, theta)
    assert done.converged and done.steps == 0 and all((W == V).all() for W, V in zip(done.parameters, theta))
    assert np.isclose(cut.losses[-1], br.loss(cut.parameters, data.X, data.y), rtol=1e-12)


def test_nothing_the_caller_holds_is_changed(start):
    s, data, theta = start
    copies = [W.copy() for W in (*theta, data.X, data.y)]
    for engine, backend in ENGINES:
        br.train(s.replace(max_steps=3), data, theta, engine=engine, backend=backend, train_w_O=True)
    assert all((W == V).all() for W, V in zip((*theta, data.X, data.y), copies))


@pytest.mark.parametrize("engine, backend", ENGINES)
def test_a_run_that_diverges_says_where(start, engine, backend):
    s, data, theta = start
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # the exception is all that is said
        with pytest.raises(br.DivergenceError, match=r"at step \d+ with eta=1e\+200") as caught:
            br.train(s.replace(eta=1e200), data, theta, engine=engine, backend=backend)
    again = pickle.loads(pickle.dumps(caught.value))
    assert caught.value.step >= 1 and (again.step, again.eta) == (caught.value.step, 1e200)


@pytest.mark.parametrize("engine, backend", ENGINES)
def test_records_hold_what_the_model_sees(start, engine, backend):
    s, data, theta = start
    s = s.replace(max_steps=25)
    run = br.train(
        s,
        data,
        theta,
        engine=engine,
        backend=backend,
        record_every=10,
        observe=lambda at: br.loss(at, data.X, data.y),
    )
    assert [r.step for r in run.records] == [0, 10, 20, 25]
    assert np.allclose([r.observed for r in run.records], run.losses[[0, 10, 20, 25]], rtol=1e-10)
    last, theta_T = run.records[-1], run.parameters
    assert np.allclose(last.attention, br.attention(theta_T, data.X), rtol=1e-9)
    assert np.allclose(last.outputs, br.forward(theta_T, data.X), rtol=1e-9)
    assert np.allclose(last.values, data.X @ theta_T.W_V @ theta_T.w_O, rtol=1e-9, atol=1e-12)
    assert np.allclose(
        last.logits,
        np.einsum("nld,dh,eh,nje->nlj", data.X, theta_T.W_Q, theta_T.W_K, data.X),
        rtol=1e-8,
        atol=1e-11,
    )


def test_the_engine_chosen_multiplies_less_and_is_told(start):
    s, data, theta = start
    for backend in ("numpy", "numba"):
        run = br.train(s.replace(max_steps=2), data, theta, backend=backend)
        chosen = "parameters" if backend == "numpy" else cost.cheaper(s.replace(max_steps=2))
        assert (run.engine, run.backend) == (chosen, backend)
    wide = br.Setting(N=4, M=3, d=400, d_h=4, d_v=2, max_steps=200)  # T = 10: a few tokens in many dimensions
    data, theta = br.sample_dataset(wide, br.make_rng(0)), br.init_parameters(wide, br.make_rng(1))
    run = br.train(wide, data, theta)
    assert run.engine == "proof" and "proof" in str(run) and len(str(run).splitlines()) <= 12
    assert br.train(wide, data, theta, engine="parameters").engine == "parameters"
    assert cost.cheaper(br.Setting(N=20, M=16, d=1024)) == "proof"
    assert cost.cheaper(br.Setting(N=20, M=16, d=64)) == "parameters"  # T = 302 tokens in 64 dimensions
    many = br.Setting(N=200, M=32, d=4096)
    assert cost.cheaper(many.replace(max_steps=10)) == "parameters" and cost.cheaper(many) == "proof"


def test_the_products_counted_are_those_of_a_step(start):
    """By hand at T = 14, two steps: 2 N M d p 2 and T^2 d/2 + 2 T d p + T^2 p 2, p = 2 d_h + 1 = 13."""
    s = br.Setting(N=4, M=4, d=30, d_h=6)
    counted = cost.products(s, 14, 2)
    assert counted == {"parameters": 4 * 16 * 30 * 13, "proof": 98 * 30 + 28 * 30 * 13 + 2 * 196 * 13}


def test_a_run_goes_on_from_its_history_with_the_same_bits(start):
    s, data, theta = start
    limits = dict(eta=s.eta, epsilon=s.epsilon, max_steps=9, record_every=4)
    for train_w_O in (False, True):
        for make in SPACES.values():
            whole = make(theta, data.X, data.y, train_w_O)
            losses, *_, records = descend(whole, **limits)
            begun, history = make(theta, data.X, data.y, train_w_O), History()
            with pytest.raises(InterruptedError):
                descend(begun, **limits, history=history, after_step=interrupted_after(6, history))
            again = make(theta, data.X, data.y, train_w_O)
            for name in again.STATE:
                setattr(again, name, getattr(begun, name))
            resumed, *_, records_again = descend(again, **limits, history=history)
            assert (resumed == losses).all() and [r.step for r in records_again] == [0, 4, 8, 9]
            for one, other in zip(records, records_again):
                assert all((a == b).all() for a, b in zip(one[1:5], other[1:5]))
            for W, V in zip(whole.parameters(), again.parameters()):
                assert (W == V).all()


def test_log_spaced_steps_and_chosen_steps(start):
    s, data, theta = start
    steps = br.log_spaced_steps(1000, per_decade=5)
    assert steps[0] == 0 and steps[-1] == 1000 and (np.diff(steps) > 0).all() and len(steps) < 20
    run = br.train(s.replace(max_steps=12), data, theta, record_every=[3, 5])
    assert [r.step for r in run.records] == [3, 5, 12]


@pytest.mark.parametrize(
    "change, match",
    [
        (dict(engine="dual"), "^engine must be one of 'auto', 'parameters', 'proof'"),
        (dict(backend="cuda"), "^backend"),
        (dict(train_w_O=1), "^train_w_O"),
        (dict(record_every=0), "^record_every"),
        (dict(record_every=[1.5]), "^record_every"),
        (dict(observe=print), "^observe"),
        (dict(s=3), "^s must be a Setting"),
        (dict(data=3), "^data must be a Dataset"),
        (dict(theta=3), "^theta must be"),
        (dict(observe=3, record_every=1), "^observe"),
    ],
)
def test_bad_arguments_are_named(start, change, match):
    s, data, theta = start
    arguments = {"s": s, "data": data, "theta": theta, **change}
    with pytest.raises((TypeError, ValueError), match=match):
        br.train(**arguments)


def test_data_of_another_size_are_refused(start):
    s, data, theta = start
    with pytest.raises(
        ValueError, match=r"^data.X must have shape \(N,M,d\) with N=5, .* got shape \(4, 5, 30\)"
    ):
        br.train(s.replace(N=5), data, theta)
    with pytest.raises(ValueError, match=r"^theta.W_Q must have shape .* d_h=7"):
        br.train(s.replace(d_h=7), data, theta)


@pytest.mark.parametrize("engine, backend", ENGINES)
@pytest.mark.parametrize("extra", [1, 5])
def test_extra_steps_go_on_after_epsilon_and_parameters_are_those_after_them(start, engine, backend, extra):
    s, data, theta = start
    plain = br.train(s.replace(epsilon=0.5), data, theta, engine=engine, backend=backend)
    more = br.train(s.replace(epsilon=0.5, extra_steps=extra), data, theta, engine=engine, backend=backend)
    assert plain.converged and more.converged and more.steps == plain.steps + extra
    assert len(more.losses) == more.steps + 1 and (more.losses[: plain.steps + 1] == plain.losses).all()
    assert np.isclose(more.losses[-1], br.loss(more.parameters, data.X, data.y), rtol=1e-9)
    again = br.train(
        s.replace(epsilon=1e-9, max_steps=more.steps), data, theta, engine=engine, backend=backend
    )
    assert (again.losses == more.losses).all() and not again.converged


def test_steps_and_extra_steps_together_are_at_most_max_steps(start):
    s, data, theta = start
    T = br.train(s.replace(epsilon=0.5), data, theta).steps
    for most, converged, steps in ((T + 3, True, T + 3), (T, True, T), (T - 1, False, T - 1)):
        run = br.train(s.replace(epsilon=0.5, extra_steps=9, max_steps=most), data, theta, record_every=10**6)
        assert (run.converged, run.steps, run.records[-1].step) == (converged, steps, steps)


class Rising:
    """A space whose loss falls to 0.1 at once and rises above it afterwards."""

    def __init__(self):
        self.losses = iter([0.6, 0.1, 0.3, 0.9, 0.9])

    def evaluate(self):
        return next(self.losses)

    def move(self, eta):
        pass


def test_convergence_is_judged_once_and_a_rise_in_the_extra_steps_does_not_undo_it():
    from benign_ref.engines.records import descend

    losses, steps, converged, _ = descend(Rising(), eta=1.0, epsilon=0.2, max_steps=9, extra_steps=2)
    assert converged and steps == 3 and losses.tolist() == [0.6, 0.1, 0.3, 0.9]


def test_a_loss_of_exactly_0_is_warned_of(start):
    s, data, theta = start
    with pytest.warns(UserWarning, match="exactly 0 at step .*eta=1e[+]"):
        br.train(s.replace(eta=1e9), data, theta)
