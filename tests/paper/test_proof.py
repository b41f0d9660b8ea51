"""P1-P4: the closed forms of the proof, from the scalars they are written in, against one step of GD in the
parameters.
"""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.engines.proof_space import ColumnSpace, ProofSpace
from benign_ref.paper import proof
from benign_ref.paper.descent import side_by_side
from benign_ref.paper.model import Parameters


@pytest.fixture(scope="module")
def one_step():
    """One step of the line-by-line parameter engine at generic weights on D1, and everything the closed forms
    are written in.
    """
    s = br.Setting(
        N=5,
        M=4,
        d=20,
        d_h=3,
        d_v=2,
        snr=1.5,
        C_p=2.0,
        w_O_norm=1.3,
        eta=0.7,
        sigma_h=0.8,
        sigma_V=0.9,
        max_steps=1,
    )
    data, before = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    after = br.train(s, data, before, engine="parameters", backend="numpy").parameters
    f = br.forward(before, data.X)
    slope = -1 / (1 + np.exp(data.y * f))  # ell'_n
    return s, data, before, after, br.attention(before, data.X), slope


def test_P1_how_the_signal_values_move(one_step):
    s, data, before, after, S, slope = one_step
    for mu, sign in ((data.mu_plus, 1.0), (data.mu_minus, -1.0)):
        moved = mu @ (after.W_V - before.W_V) @ before.w_O
        total = sum(slope[n] * S[n][:, 0].sum() for n in range(s.N) if data.y[n] == sign)
        assert np.isclose(
            moved, -sign * s.eta * s.mu_norm**2 * s.w_O_norm**2 / (s.N * s.M) * total, rtol=1e-12
        )


def test_P1_how_the_noise_values_move_by_the_whole_cross_gram(one_step):
    s, data, before, after, S, slope = one_step
    for n in range(s.N):
        for i in range(1, s.M):
            xi = data.X[n, i]
            moved = xi @ (after.W_V - before.W_V) @ before.w_O
            total = sum(
                data.y[m] * slope[m] * (xi @ data.X[m, j]) * S[m][:, j].sum()
                for m in range(s.N)
                for j in range(1, s.M)
            )
            assert np.isclose(moved, -s.eta * s.w_O_norm**2 / (s.N * s.M) * total, rtol=1e-11)


def test_P2_how_q_plus_moves(one_step):
    s, data, before, after, S, slope = one_step
    k = lambda x: before.W_K.T @ x  # noqa: E731
    V = lambda x: x @ before.W_V @ before.w_O  # noqa: E731
    scale, move = s.eta * s.mu_norm**2 / (s.N * s.M), np.zeros(s.d_h)
    for n in np.flatnonzero(data.y > 0):
        X_n = data.X[n]
        mean_value = sum(S[n][0, j] * V(X_n[j]) for j in range(s.M))  # (S_n c_n)[1]
        alpha_plus = scale * -slope[n] * S[n][0, 0] * (V(data.mu_plus) - mean_value)
        move += alpha_plus * k(data.mu_plus)
        for i in range(1, s.M):
            move += scale * -slope[n] * S[n][0, i] * (V(X_n[i]) - mean_value) * k(X_n[i])
    moved = (after.W_Q - before.W_Q).T @ data.mu_plus
    assert np.allclose(moved, move, rtol=1e-11)


def test_P4_how_every_logit_moves(one_step):
    s, data, before, after, *_ = one_step
    Z, _ = proof.different_tokens(data.X)
    Q, K, Q_new, K_new = (Z @ W for W in (before.W_Q, before.W_K, after.W_Q, after.W_K))
    exact = Q_new @ K_new.T - Q @ K.T
    assert np.allclose(proof.change_of_logits(Q, K, Q_new - Q, K_new - K), exact, rtol=1e-10, atol=1e-12)
    first_order = (Q_new - Q) @ K.T + Q @ (K_new - K).T
    assert (
        np.abs(exact - first_order).max() > 1e-3
    )  # the second-order term matters here, so dropping it would be seen


@pytest.mark.parametrize("kind", [ProofSpace, proof.ReferenceProofSpace])
@pytest.mark.parametrize(
    "shape",
    [
        dict(),
        dict(N=1, M=1),
        dict(N=1, M=2, d=2),
        dict(d_h=60, M=2),
        dict(d_h=100, N=1, M=3),
        dict(N=6, M=5, d=3),
    ],
)
@pytest.mark.parametrize("train_w_O", [False, True])
def test_any_token_set_and_any_width(problem, worst, kind, shape, train_w_O):
    """Tokens that no data model made, T > d, d_h > 4T (columns rotated away): three steps of the proof engine
    against G1-G4.
    """
    theta, X, y = problem(scale=0.3, **shape)  # wide queries at scale 1 would saturate every softmax
    X[-1, -1] = X[0, 0]  # samples share a token, and with N = 1 a sample holds it twice
    space, expected = kind.of(theta, X, y, train_w_O), theta
    for _ in range(3):
        space.evaluate()
        space.move(0.2)
        step = Parameters(*(W - 0.2 * dW for W, dW in zip(expected, br.gradients(expected, X, y))))
        expected = step if train_w_O else step._replace(w_O=theta.w_O)
    for W, right, before in zip(space.parameters(), expected, theta):
        if np.abs(right - before).max() > 0:
            assert worst(W - before, right - before) < 1e-10
        else:
            assert (W == before).all()
    rows, tokens = space.tokens()
    d_h = rows.shape[1] // 2
    P = np.einsum("nld,dh,eh,nje->nlj", X, expected.W_Q, expected.W_K, X)
    assert np.allclose(rows[tokens, :d_h] @ rows[tokens, d_h:-1].swapaxes(1, 2), P, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [dict(), dict(d_h=60, M=2)])
def test_columns_alone_run_as_the_parameters_do(problem, worst, shape):
    """From [W_Q | W_K | W_V w_O] the same losses, columns and outputs; theta comes back with d_v = 1."""
    theta, X, y = problem(scale=0.3, **shape)
    whole = ProofSpace.of(theta, X, y)
    columns = ColumnSpace(whole.Z, side_by_side(theta), float(np.linalg.norm(theta.w_O)), whole.index, y)
    for _ in range(3):
        assert np.isclose(columns.evaluate(), whole.evaluate(), rtol=1e-14)
        columns.move(0.2)
        whole.move(0.2)
    one, other = columns.parameters(), whole.parameters()
    assert one.W_V.shape[1] == 1 and one.W_Q.shape == theta.W_Q.shape
    assert worst(columns.columns(), side_by_side(other)) < 1e-13
    assert worst(br.forward(one, X), br.forward(other, X)) < 1e-12


def test_wide_queries_are_rotated_into_2T_columns(problem):
    theta, X, y = problem(N=1, M=3, d_h=100)
    space = ProofSpace.of(theta, X, y)
    assert space.rows.shape == (3, 2 * 6 + 1)


def test_different_tokens_are_found_once(problem):
    s = br.Setting(N=6, M=4, d=10)
    data = br.sample_dataset(s, br.make_rng(0))
    Z, tokens = proof.different_tokens(data.X)
    assert Z.shape == (s.T, 10) and (Z[tokens] == data.X).all()


def test_step_cost_does_not_need_d(problem):
    """A step runs when whatever has an axis of length d has been taken away."""
    theta, X, y = problem(d=501)
    for kind in (ProofSpace, proof.ReferenceProofSpace):
        space, same = kind.of(theta, X, y), kind.of(theta, X, y)
        del space.Z, space.theta
        assert all(501 not in np.shape(value) for name, value in vars(space).items() if name != "W")
        for one in (space, same):
            one.evaluate()
            one.move(0.3)
        assert (space.tokens()[0] == same.tokens()[0]).all()
