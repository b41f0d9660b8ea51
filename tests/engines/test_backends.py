"""The backend that a caller names is the one that runs."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref import api
from benign_ref.engines import parameter_space
from benign_ref.paper import model


class Ran(Exception):
    """Raised in the place of a backend's function."""


def ran(*_):
    raise Ran


@pytest.mark.parametrize(
    "backend, home, name",
    [
        ("numpy", model, "forward"),
        ("numba", parameter_space, "forward_numba"),
        ("numpy", api, "gradients_by_hand"),
        ("numba", parameter_space, "gradients"),
    ],
)
def test_the_backend_named_is_the_one_that_runs(problem, monkeypatch, backend, home, name):
    theta, X, y = problem()
    call = {"f": lambda one: br.forward(theta, X, one), "g": lambda one: br.gradients(theta, X, y, one)}[
        name[0]
    ]
    other = {"numpy": "numba", "numba": "numpy"}[backend]
    monkeypatch.setattr(home, name, ran)
    call(other)  # does not come there
    with pytest.raises(Ran):
        call(backend)


def test_loss_hands_its_backend_on_and_both_agree(problem, monkeypatch):
    theta, X, y = problem()
    slow, fast = (br.loss(theta, X, y, backend) for backend in ("numpy", "numba"))
    assert np.isclose(slow, fast, rtol=1e-12, atol=0)
    monkeypatch.setattr(parameter_space, "forward_numba", ran)
    assert br.loss(theta, X, y) == slow  # "numpy" unless another is named
    for call in (br.test_loss, br.error_rate):  # of many samples: the fast one
        with pytest.raises(Ran):
            call(theta, X, y)


def test_steps_evenly_spaced_on_a_logarithmic_axis():
    for last in (1, 7, 1000, 12345):
        steps = br.log_spaced_steps(last)
        assert steps[0] == 0 and steps[1] == 1 and steps[-1] == last and (np.diff(steps) > 0).all()
        ratios = steps[2:] / steps[1:-1]
        assert (steps[2:] <= np.maximum(steps[1:-1] + 1, steps[1:-1] * 10**0.05 + 1)).all()
        assert ratios[steps[2:] > 200].min(initial=2) > 10**0.04
    assert np.array_equal(br.log_spaced_steps(1000), br.log_spaced_steps(1000, 20))
    assert br.log_spaced_steps(100, 1).tolist() == [0, 1, 10, 100]
    assert br.log_spaced_steps(100, 2).tolist() == [0, 1, 3, 10, 32, 100]


def test_the_gram_matrix_has_to_fit_into_memory_where_it_is_needed(monkeypatch):
    s = br.Setting(N=3, M=4, d=5, d_h=2, d_v=2, balanced=False, max_steps=1)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    monkeypatch.setattr("os.sysconf", lambda name: 30)  # a machine of 30 pages of 30 bytes
    with pytest.raises(ValueError, match=r"N \* M=12 needs"):
        br.train(s, data, theta, engine="proof")
    assert br.train(s, data, theta, engine="parameters").steps == 1
