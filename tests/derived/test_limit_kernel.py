"""L2, L3, L4 each by a route of its own, for both twins (limit.py in matrices of a sample, limit_kernel.py by
types of tokens).
"""

import numpy as np
import pytest

from benign_ref.derived import limit, limit_kernel, limit_run
from benign_ref.paper import model

# One class of n = 3 samples with m = 4 small tokens, in an orthonormal basis made explicit.
n, m, M, T = 3, 4, 6, 16
SIZES = limit.Constants(M, m, float(n), np.array([2.0, 1.5, 0.7]), 0.3, 1.3**2)
SAMPLES = [np.array([0, *range(1 + i * (m + 1), 1 + (i + 1) * (m + 1))]) for i in range(n)]


def differences(size):
    """Orthonormal columns whose sums are 0, (size, size-1)."""
    return np.linalg.qr(np.eye(size) - 1 / size)[0][:, : size - 1]


def adapted_basis():
    """The orthonormal bases of the three spaces (T, .): mean s, 2, i; between, all the 2's and then all the
    i's; within.
    """
    two, small = [SAMPLES[i][1] for i in range(n)], [SAMPLES[i][2:] for i in range(n)]
    mean, between, within = np.zeros((T, 3)), np.zeros((T, 2 * (n - 1))), np.zeros((T, n * (m - 1)))
    mean[0, 0] = 1
    mean[two, 1] = 1 / np.sqrt(n)
    mean[np.concatenate(small), 2] = 1 / np.sqrt(n * m)
    for i in range(n):
        between[two[i], : n - 1] = differences(n)[i]
        between[small[i], n - 1 :] = differences(n)[i] / np.sqrt(m)
        within[small[i], i * (m - 1) : (i + 1) * (m - 1)] = differences(m)
    return mean, between, within


def random_blocks(rng):
    return limit.Blocks(rng.standard_normal((3, 3)), rng.standard_normal((2, 2)), rng.standard_normal((1, 1)))


def dense_of(blocks):
    mean, between, within = adapted_basis()
    return (
        mean @ blocks.mean @ mean.T
        + between @ np.kron(blocks.between, np.eye(n - 1)) @ between.T
        + within @ np.kron(np.eye(n * (m - 1)), blocks.within) @ within.T
    )


def random_types(rng):
    """A random (M,M) matrix that depends on the types of tokens alone, and the same by types (3,4), as the
    kernel has it.
    """
    by_type = rng.standard_normal((3, 4))
    types = np.array([0, 1, 2, 2, 2, 2])
    matrix = by_type[np.ix_(types, types)]
    matrix[2:, 2:] = np.where(np.eye(m), by_type[2, 2], by_type[2, 3])
    return matrix, by_type


def test_the_adapted_basis_is_orthonormal_and_complete():
    basis = np.concatenate(adapted_basis(), axis=1)
    assert basis.shape == (T, T)
    assert np.allclose(basis.T @ basis, np.eye(T), atol=1e-14)


@pytest.mark.plain
def test_L2_logits_are_entries_of_the_dense_QK():
    X = random_blocks(np.random.default_rng(0))
    dense, kernel = dense_of(X), np.zeros((3, 4))
    limit_kernel.logits(X, float(n), m, kernel)
    for sample in SAMPLES:
        P = dense[np.ix_(sample, sample)]
        assert np.allclose(limit.sample_logits(X, SIZES), P, atol=1e-13)
        assert np.allclose(kernel[:, :3], P[:3, :3], atol=1e-13)
        assert np.isclose(kernel[2, 3], P[2, 3], atol=1e-13)


@pytest.mark.plain
def test_L3_blocks_are_the_dense_coupling_in_the_adapted_basis():
    D, by_type = random_types(np.random.default_rng(1))
    g, dense = -0.17, np.zeros((T, T))
    for sample in SAMPLES:
        dense[np.ix_(sample, sample)] += g * D
    mean, between, within = adapted_basis()
    kernel = limit.Blocks(np.empty((3, 3)), np.empty((2, 2)), np.empty((1, 1)))
    limit_kernel.coupling_blocks(by_type, g, float(n), m, *kernel)
    for B in (limit.coupling_blocks(D, g, SIZES), kernel):
        assert np.allclose(mean.T @ dense @ mean, B.mean, atol=1e-14)
        assert np.allclose(between.T @ dense @ between, np.kron(B.between, np.eye(n - 1)), atol=1e-14)
        assert np.allclose(within.T @ dense @ within, B.within * np.eye(n * (m - 1)), atol=1e-14)
        assert np.allclose(dense_of(B), dense, atol=1e-14)  # and nothing between the spaces


@pytest.mark.plain
def test_L4_a_step_of_the_gram_blocks_is_a_step_of_Q_and_K():
    rng, eta = np.random.default_rng(2), 0.3
    for size in (1, 2, 3):
        Q, K = rng.standard_normal((2, size, 7))
        B, G = rng.standard_normal((size, size)), rng.uniform(1, 2, size)
        moved_Q, moved_K = Q - eta * G[:, None] * (B @ K), K - eta * G[:, None] * (B.T @ Q)
        before = Q @ K.T, Q @ Q.T, K @ K.T
        expected = moved_Q @ moved_K.T, moved_Q @ moved_Q.T, moved_K @ moved_K.T
        assert np.allclose(limit.move_block(*before, B, np.diag(G), eta), expected, rtol=1e-12, atol=1e-12)
        limit_kernel.move_block(*before, B, G, eta, np.empty((limit_kernel.ROOM, size, size)))
        assert np.allclose(before, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.plain
def test_L4_a_step_of_the_values_is_a_step_of_all_tokens():
    S, by_type = random_types(np.random.default_rng(3))
    g, G = -0.2, np.array([SIZES.G[0], *([SIZES.G[1]] + [SIZES.G[2]] * m) * n])
    b = np.zeros(T)
    for sample in SAMPLES:
        b[sample] += g * S.sum(axis=0) / M
    expected = -SIZES.eta * SIZES.w_O_squared * (G * b)[:3]
    state = limit.State(
        *[limit.Blocks(np.zeros((3, 3)), np.zeros((2, 2)), np.zeros((1, 1)))] * 3, np.zeros(3)
    )
    assert np.allclose(limit.move(state, g, S, np.zeros((M, M)), SIZES).V, expected, rtol=1e-13)
    V = np.zeros(3)
    limit_kernel.move_values(by_type, limit_kernel.row_weights(3, m), g, SIZES, V)
    assert np.allclose(V, expected, rtol=1e-13)


@pytest.mark.plain
@pytest.mark.parametrize("advance", [limit_run.advance_numpy, limit_run.advance_numba])
def test_L1_to_L4_hold_from_any_start_of_this_symmetry(advance):
    """Generic blocks, logits and values of O(1), f of either sign: the start QK = 0 leaves the space within
    at rest, and V >= 0.
    """
    rng, bases, steps = np.random.default_rng(4), adapted_basis(), 40
    small_blocks = [(rng.standard_normal((k, 2 * k)), rng.standard_normal((k, 2 * k))) for k in (3, 2, 1)]
    copies = 1, n - 1, n * (m - 1)
    Q = np.concatenate(
        [Phi @ np.kron(q, np.eye(c)) for Phi, (q, _), c in zip(bases, small_blocks, copies)], axis=1
    )
    K = np.concatenate(
        [Phi @ np.kron(k, np.eye(c)) for Phi, (_, k), c in zip(bases, small_blocks, copies)], axis=1
    )
    X, Y, W = zip(*((q @ k.T, q @ q.T, k @ k.T) for q, k in small_blocks))
    values = np.array([-0.5, -0.1, -0.2])
    state = limit.State(limit.Blocks(*X), limit.Blocks(*Y), limit.Blocks(*W), values.copy())
    types = np.array([0] + [1, 2, 2, 2, 2] * n)
    G, V, losses = SIZES.G[types], values[types], []
    for _ in range(steps + 1):
        P = np.array([Q[sample] @ K[sample].T for sample in SAMPLES])
        S = np.array([model.softmax(P_n) for P_n in P])
        f = [(S_n @ V[sample]).mean() for S_n, sample in zip(S, SAMPLES)]
        losses.append(np.log1p(np.exp(-f[0])))
        B, b = np.zeros((T, T)), np.zeros(T)
        for S_n, f_n, sample in zip(S, f, SAMPLES):
            g = -1 / (1 + np.exp(f_n)) / (2 * n)
            b[sample] += g * S_n.mean(axis=0)
            for l, row in enumerate(S_n):
                B[sample[l], sample] += g / M * row * (V[sample] - row @ V[sample])
        last = P[0]
        Q, K = Q - SIZES.eta * G[:, None] * (B @ K), K - SIZES.eta * G[:, None] * (B.T @ Q)
        V = V - SIZES.eta * SIZES.w_O_squared * G * b
    found = np.empty(steps + 1)
    state, taken = advance(state, SIZES, 0.0, found)
    assert taken == steps and losses[0] > np.log(2) > losses[-1]
    assert np.allclose(found, losses, rtol=1e-12, atol=0)
    assert np.allclose(limit.sample_logits(state.QK, SIZES), last, rtol=1e-11, atol=1e-11)
    assert abs(last[2, 2] - last[2, 3]) > 0.1  # a small token does tell itself from the others here
