"""I1-I6 hold for the model to rounding, and each fails when what it speaks of is wrong."""

import numpy as np
import pytest

from benign_ref.audit.rows import invariant
from benign_ref.checks import Vacuous
from benign_ref.paper.gradients import coupling, gradients, output_cotangent
from benign_ref.paper.model import Parameters, attention, forward


def invariants_of(theta, X, y, right=True):
    """Every residual of the identities, for the model's gradients or (right=False) with each identity
    broken.
    """
    grads, f, S, c = gradients(theta, X, y), forward(theta, X), attention(theta, X), X @ theta.W_V @ theta.w_O
    g, P = output_cotangent(f, y), X @ theta.W_Q @ theta.W_K.T @ X.transpose(0, 2, 1)
    D = np.array([coupling(S_n, c_n) for S_n, c_n in zip(S, c)])
    eta = np.abs(theta.W_Q).max() / np.abs(grads.W_Q).max()
    after = Parameters(*(W - eta * G for W, G in zip(theta, grads)))
    scaled, model, claim = Parameters(*(1.01 * G for G in grads)), forward, gradients
    if not right:
        D, after, grads = (
            D * np.arange(1, X.shape[1] + 1),
            Parameters(*(W - eta * G for W, G in zip(theta, scaled))),
            grads._replace(W_Q=scaled.W_Q, w_O=scaled.w_O),
        )
        rank = np.arange(1, X.shape[1] + 1)[:, None]
        model = lambda p, X: (X**2 * rank).sum(axis=(1, 2)) * p.W_Q[0, 0]  # noqa: E731
        claim = lambda p, X, y: gradients(p._replace(W_V=abs(p.W_V)), X, y)  # noqa: E731
    return {
        "I1": invariant.rows_of_coupling(D),
        "I2": invariant.degree((2, 3), theta, grads, g * f),
        "I3": invariant.degree((0, 1), theta, grads, g[:, None, None] * D * P),
        "I4": invariant.balance((0, 1), theta, after, grads, eta),
        "I5": invariant.balance((2, 3), theta, after, grads, eta),
        **invariant.symmetries(model, theta, X, np.random.default_rng(0)),
        "flip": invariant.flip(claim, theta, X, y),
    }


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_invariants_hold_for_the_model_and_fail_when_broken(problem, scale):
    theta, X, y = problem(scale=scale)
    assert max(invariants_of(theta, X, y).values()) < 1e-12
    assert min(invariants_of(theta, X, y, right=False).values()) > 1e-3


def test_I2_and_I3_see_a_factor_in_one_gradient_and_in_all(problem):
    theta, X, y = problem()
    right, f, S = gradients(theta, X, y), forward(theta, X), attention(theta, X)
    g, P, c = (
        output_cotangent(f, y),
        X @ theta.W_Q @ theta.W_K.T @ X.transpose(0, 2, 1),
        X @ theta.W_V @ theta.w_O,
    )
    D = np.array([coupling(S_n, c_n) for S_n, c_n in zip(S, c)])
    for wrong in (("W_Q", "W_V"), ("W_K", "w_O"), Parameters._fields):
        grads = right._replace(**{name: 1.01 * getattr(right, name) for name in wrong})
        assert invariant.degree((2, 3), theta, grads, g * f) > 1e-4
        assert invariant.degree((0, 1), theta, grads, g[:, None, None] * D * P) > 1e-4


@pytest.mark.parametrize("block", ["W_Q", "W_K", "W_V"])
def test_the_flip_sees_each_block(problem, block):
    theta, X, y = problem()

    def odd(p, X, y):
        grads = gradients(p, X, y)
        return grads._replace(**{block: getattr(grads, block) * (1.1 if p.W_V[0, 0] > 0 else 1.0)})

    assert invariant.flip(odd, theta, X, y) > 0.01


def test_an_invariant_of_nothing_is_vacuous():
    with pytest.raises(Vacuous):
        invariant.rows_of_coupling(np.zeros((2, 1, 1)))  # M = 1: attention has nothing to choose
