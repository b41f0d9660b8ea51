"""G1-G4 against derivatives taken from the forward pass alone, relative to each block's largest entry, with
no absolute tolerance.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from derivatives import central, complex_step, derivatives

import benign_ref as br
from benign_ref.paper import model
from benign_ref.paper.gradients import coupling, gradients, pull_back, softmax_jacobian
from benign_ref.paper.model import Parameters

SHAPES = [dict(), dict(N=1), dict(d_h=12), dict(d_v=1), dict(N=1, M=2, d=3, d_h=1, d_v=1), dict(M=9, d=3)]
SCALES = [1.0, 1e-3]  # generic weights; the initialisation's scale


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_block_matches_the_complex_step(problem, worst, shape, scale, backend):
    theta, X, y = problem(**shape, scale=scale)
    expected = derivatives(lambda at: model.loss(at, X, y), theta, complex_step)
    for got, block in zip(br.gradients(theta, X, y, backend=backend), expected):
        assert worst(got, block) < 1e-10


@pytest.mark.parametrize("scale, h", [(1.0, 2e-3), (1e-3, 0.3)])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_block_matches_central_differences(problem, worst, scale, h, backend):
    """Small weights make L_S nearly linear in one entry and its derivative tiny (10^-9 for W_Q): they ask for
    a large step, and bear it.
    """
    theta, X, y = problem(scale=scale)
    expected = derivatives(lambda at: model.loss(at, X, y), theta, central(h))
    for got, block in zip(br.gradients(theta, X, y, backend=backend), expected):
        assert worst(got, block) < 1e-5


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_gradient_at_the_theory_s_own_initialisation(worst, backend):
    s = br.Setting(N=4, M=3, d=9, d_h=4, d_v=3, snr=4.0)
    X, y, *_ = br.sample_dataset(s, br.make_rng(0))
    theta = br.init_parameters(s, br.make_rng(1))
    expected = derivatives(lambda at: model.loss(at, X, y), theta, complex_step)
    for got, block in zip(br.gradients(theta, X, y, backend=backend), expected):
        assert worst(got, block) < 1e-10


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_one_token_leaves_no_gradient_for_the_attention(problem, worst, backend):
    """M = 1: attention is 1 whatever W_Q, W_K; the other two blocks are those of a linear model."""
    theta, X, y = problem(M=1)
    dW_Q, dW_K, dW_V, dw_O = br.gradients(theta, X, y, backend=backend)
    x = X[:, 0]
    g = -y / (1 + np.exp(y * (x @ theta.W_V @ theta.w_O))) / len(y)
    assert not dW_Q.any() and not dW_K.any()
    assert worst(dW_V, np.outer(g @ x, theta.w_O)) < 1e-13 and worst(dw_O, g @ x @ theta.W_V) < 1e-13


def test_pull_back_of_a_random_cotangent(problem, worst):
    theta, X, _ = problem()
    g = np.random.default_rng(5).standard_normal(len(X))
    expected = derivatives(lambda at: g @ model.forward(at, X), theta, complex_step)
    for got, block in zip(pull_back(theta, X, g), expected):
        assert worst(got, block) < 1e-12


def test_softmax_jacobian_and_coupling_by_complex_step(worst):
    """M3, I1; a random cotangent, since against ones the derivative of a softmax is 0."""
    rng = np.random.default_rng(0)
    P, c = rng.standard_normal((4, 4)), rng.standard_normal(4)
    S = model.softmax(P)
    steps = 1e-30j * np.eye(4)
    J = np.array([model.softmax(P[0] + step).imag / 1e-30 for step in steps]).T
    assert worst(softmax_jacobian(S[0]), J) < 1e-14
    mean_output = lambda logits: (model.softmax(logits) @ c).mean()  # noqa: E731
    D = np.array(
        [
            [mean_output(P + 1e-30j * np.outer(e_l, e_j)).imag / 1e-30 for e_j in np.eye(4)]
            for e_l in np.eye(4)
        ]
    )
    assert worst(coupling(S, c), D) < 1e-13
    assert np.abs(coupling(S, c).sum(axis=1)).max() < 1e-16


def test_I2_and_I3_euler_identities(problem):
    theta, X, y = problem()
    G = br.gradients(theta, X, y)
    f = br.forward(theta, X)
    g = -y / (1 + np.exp(y * f)) / len(y)
    inner = [np.vdot(dW, W) for dW, W in zip(G, theta)]
    assert np.isclose(inner[2], g @ f, rtol=1e-12) and np.isclose(inner[3], g @ f, rtol=1e-12)
    P = np.einsum("nld,dh,eh,nje->nlj", X, theta.W_Q, theta.W_K, X)
    S, c = br.attention(theta, X), X @ theta.W_V @ theta.w_O
    traces = sum(g[n] * np.trace(coupling(S[n], c[n]).T @ P[n]) for n in range(len(y)))
    assert np.isclose(inner[0], traces, rtol=1e-12) and np.isclose(inner[1], traces, rtol=1e-12)


def saturated(problem, gap, seed):
    """A problem whose every row of logits has its largest at least `gap` above the next."""
    theta, X, y = problem(seed=seed)
    P = np.sort(np.einsum("nld,dh,eh,nje->nlj", X, theta.W_Q, theta.W_K, X), axis=2)
    return theta._replace(W_Q=theta.W_Q * gap / (P[..., -1] - P[..., -2]).min()), X, y


def gradients_in_sixty_digits(theta, X, y):
    """G1-G4 from the plain softmax Jacobian, nothing shifted, in decimal arithmetic."""
    decimals = np.vectorize(Decimal, otypes=[object])
    W_Q, W_K, W_V, w_O = (decimals(W) for W in theta)
    total = [0, 0, 0, 0]
    with localcontext() as context:
        context.prec = 60
        for X_n, y_n in zip(decimals(X), decimals(y)):
            q, k, c = X_n @ W_Q, X_n @ W_K, X_n @ W_V @ w_O
            e = np.exp(q @ k.T)  # numpy calls Decimal.exp entry by entry
            S = e / e.sum(axis=1)[:, None]
            f, M = (S @ c).sum() / len(c), len(c)
            g = -y_n / (1 + (y_n * f).exp()) / len(y)
            D = g * S * (c - (S @ c)[:, None]) / M
            dc = g * S.sum(axis=0) / M
            blocks = X_n.T @ D @ k, X_n.T @ D.T @ q, np.outer(X_n.T @ dc, w_O), W_V.T @ (X_n.T @ dc)
            total = [block + more for block, more in zip(total, blocks)]
    return [block.astype(float) for block in total]


@pytest.mark.parametrize("gap", [15, 30, 60])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_saturated_attention_keeps_eleven_digits(problem, worst, gap, seed, backend):
    theta, X, y = saturated(problem, gap, seed)
    for got, block in zip(br.gradients(theta, X, y, backend=backend), gradients_in_sixty_digits(theta, X, y)):
        assert worst(got, block) < 1e-11


@pytest.mark.parametrize("gap", [15, 30, 60])
def test_the_complex_step_of_f_keeps_its_digits_at_saturated_attention(problem, worst, gap):
    theta, X, y = saturated(problem, gap, 0)
    steps = derivatives(lambda at: model.loss(at, X, y), theta, complex_step)
    for got, block in zip(steps, gradients_in_sixty_digits(theta, X, y)):
        assert worst(got, block) < 1e-11


def test_the_reference_carries_entries_that_are_no_floats(problem, worst):
    """The same functions on decimals of fifty digits: f, the loss and the gradients of the code as it
    stands.
    """
    theta, X, y = saturated(problem, 30, 0)
    decimals = np.vectorize(Decimal, otypes=[object])
    with localcontext() as context:
        context.prec = 50
        got = gradients(Parameters(*(decimals(W) for W in theta)), decimals(X), decimals(y))
    for block, expected in zip(got, gradients_in_sixty_digits(theta, X, y)):
        assert worst(block.astype(float), expected) < 1e-14
