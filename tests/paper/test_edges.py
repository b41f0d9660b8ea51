"""Ties and ends of the reference: labels of an odd number, the first loss that is small enough."""

from math import log
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.paper import data, descent, model


@pytest.mark.parametrize("n, drawn", [(1, -1.0), (1, 1.0), (4, None), (5, -1.0), (5, 1.0)])
def test_labels_alternate_before_they_are_mixed_and_an_odd_last_one_is_drawn(n, drawn):
    rng = SimpleNamespace(permutation=lambda y: y, choice=lambda values: {v: v for v in values}[drawn])
    y = data.sample_labels(br.Setting(N=2), rng, n)
    assert y.tolist() == [*[1.0, -1.0] * (n // 2), *[drawn] * (n % 2)]


def test_labels_that_are_not_balanced_are_drawn_one_by_one():
    rng = SimpleNamespace(choice=lambda values, size: (values, size))
    assert data.sample_labels(br.Setting(N=2, balanced=False), rng, 7) == ([-1.0, 1.0], 7)


def test_the_signal_of_a_sample_is_that_of_its_label():
    s = br.Setting(N=5, M=2, d=6)
    X, y, mu_plus, mu_minus = br.sample_dataset(s, br.make_rng(0))
    assert mu_plus.tolist() == [s.mu_norm, 0, 0, 0, 0, 0] and mu_minus.tolist() == [0, s.mu_norm, 0, 0, 0, 0]
    assert np.array_equal(X[:, 0], [mu_plus if label == 1 else mu_minus for label in y]) and len(set(y)) == 2


class Losses:
    """A space whose losses are given; it counts its moves."""

    def __init__(self, *losses):
        self.losses, self.moves = losses, 0

    def evaluate(self):
        return self.losses[self.moves]

    def move(self, eta):
        self.moves += 1


def ended(losses, history=None, **how):
    """(losses, moves, converged, last, steps told of) of a descent through given losses."""
    told, space = [], Losses(*losses)
    space.moves = len(history.losses) if history else 0
    asked = {"eta": 1.0, "max_steps": 4, "before_step": lambda step, ends: told.append((step, ends)), **how}
    found = descent.descend(space, history=history, **asked)
    return found.losses, space.moves, found.converged, found.last, told


LOSSES = (0.69, 0.5, 0.25, 0.3, 0.2, 0.1)


@pytest.mark.parametrize("epsilon, extra, moves, converged", [
    (0.25, 0, 2, True), (0.2499, 0, 4, True), (0.1, 0, 4, False), (0.69, 0, 0, True), (0.25, 1, 3, True),
    (0.25, 2, 4, True), (0.25, 9, 4, True), (0.5, 1, 2, True),
])  # fmt: skip
def test_a_run_ends_at_the_first_loss_that_is_epsilon(epsilon, extra, moves, converged):
    losses, moved, reached, last, told = ended(LOSSES, epsilon=epsilon, extra_steps=extra)
    assert losses == list(LOSSES[: moves + 1]) and (moved, reached) == (moves, converged)
    assert told == [(step, step == moves) for step in range(moves + 1)] and last == (
        moves if converged else None
    )


def test_a_run_that_is_over_goes_on_no_further():
    for history in (
        descent.History([0.69, 0.5, 0.25], True, 2),
        descent.History([0.69, 0.5, 0.25, 0.3, 0.2]),
    ):
        before = list(history.losses)
        losses, *_, told = ended(LOSSES, history, epsilon=0.25)
        assert losses == before and told == []
    history = descent.History([0.69, 0.5])
    losses, *_, told = ended(LOSSES, history, epsilon=0.25)
    assert losses == [0.69, 0.5, 0.25] and told == [(2, True)]
    assert ended(LOSSES, epsilon=1.0)[0] == [0.69] and ended(LOSSES, epsilon=1.0, extra_steps=1)[0] == [
        0.69,
        0.5,
    ]


@pytest.mark.parametrize("last, warned", [(0.0, True), (1e-300, False)])
def test_only_a_last_loss_of_exactly_0_is_warned_of(last, warned, recwarn):
    ended((0.0, 0.6, last), epsilon=-1.0, max_steps=2)
    assert ([str(one.message)[:34] for one in recwarn] == ["the loss is exactly 0 at step 2: e"]) == warned
    assert len(recwarn) == warned


def test_the_logistic_loss_at_0_from_both_sides():
    z = np.array([-1e-300, -0.0, 0.0, 1e-300, -0.5, 0.5])
    assert model.logistic(z) == pytest.approx(np.log1p(np.exp(-z)), rel=1e-15)
    assert model.logistic_slope(z) == pytest.approx(-1 / (1 + np.exp(z)), rel=1e-15)
    assert model.logistic(z + 1e-20j).imag / 1e-20 == pytest.approx(-1 / (1 + np.exp(z)), rel=1e-15)


def test_the_smallest_epsilon_that_is_reached_at_once_is_log_2(recwarn):
    br.Setting(epsilon=np.nextafter(log(2), 0))
    assert not recwarn
    for epsilon in (log(2), 0.8):
        with pytest.warns(UserWarning, match="not below log 2"):
            br.Setting(epsilon=epsilon)


def test_steps_evenly_spaced_have_so_many_a_decade():
    assert br.log_spaced_steps(1000, 2).tolist() == [0, 1, 3, 10, 32, 100, 316, 1000]
    assert br.log_spaced_steps(30, 3).tolist() == sorted({0, *(round(30 ** (k / 5)) for k in range(6))})
    assert br.log_spaced_steps(1).tolist() == [0, 1] and br.log_spaced_steps(7).tolist() == [*range(8)]
    twenty = [round(10 ** (2 * k / 40)) for k in range(41)]
    assert br.log_spaced_steps(100).tolist() == sorted({0, *twenty})
