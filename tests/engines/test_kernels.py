"""Every jitted kernel against a plain NumPy twin. Small sizes: these tests also run with
NUMBA_DISABLE_JIT=1.
"""

import numpy as np
import pytest

from benign_ref.engines import kernels
from benign_ref.paper.gradients import coupling, mean_attention
from benign_ref.paper.model import logistic, logistic_slope, softmax

pytestmark = pytest.mark.plain
SIZES = [
    (3, 4, 5),
    (1, 1, 1),
    (2, 5, 3),
    (1, 9, 2),
    (2, 2, 7),
]  # N, M, d_h: the blocks of four tokens whole, broken and absent


def projected(N, M, d_h, scale=1.0):
    """rows, tokens, y with two rows that samples share, as the two signals are."""
    rng = np.random.default_rng(N + 10 * M + 100 * d_h)
    tokens = np.arange(N * M).reshape(N, M) + 2
    tokens[:, 0] = np.arange(N) % 2
    rows = scale * rng.standard_normal((N * M + 2, 2 * d_h + 1))
    return rows, tokens, rng.choice([-1.0, 1.0], size=N)


def naive(rows, tokens, y):
    """loss, f and cotangents with explicit selection matrices E_n."""
    N, M = tokens.shape
    d_h = rows.shape[1] // 2
    q, k, c = rows[:, :d_h], rows[:, d_h:-1], rows[:, -1]
    dq, dk, dc, f = np.zeros_like(q), np.zeros_like(k), np.zeros_like(c), np.zeros(N)
    for n in range(N):
        E = np.eye(len(rows))[tokens[n]]
        S = softmax((E @ q) @ (E @ k).T)
        f[n] = mean_attention(S) @ (E @ c)
        g = y[n] * logistic_slope(y[n] * f[n]) / N
        D = coupling(S, E @ c)
        dq += g * E.T @ D @ E @ k
        dk += g * E.T @ D.T @ E @ q
        dc += g * E.T @ mean_attention(S)
    return logistic(y * f).mean(), f, np.concatenate([dq, dk, dc[:, None]], axis=1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_loss_and_cotangents_are_the_naive_ones(worst, size, scale):
    rows, tokens, y = projected(*size, scale)
    f, drows = np.full(len(y), np.nan), np.full_like(rows, np.nan)  # whatever was there must not matter
    loss = kernels.loss_and_cotangents(rows, tokens, y, f, drows)
    expected_loss, expected_f, expected = naive(rows, tokens, y)
    assert np.isclose(loss, expected_loss, rtol=1e-14) and worst(f, expected_f) < 1e-13
    blocks = (slice(-1, None),) if size[1] == 1 else (slice(0, size[2]), slice(size[2], -1), slice(-1, None))
    for block in blocks:  # one token alone gives q and k no cotangent
        assert worst(drows[:, block], expected[:, block]) < 1e-12
    assert size[1] > 1 or not drows[:, :-1].any()


@pytest.mark.parametrize("size", SIZES)
def test_outputs_are_those_of_the_loss(worst, size):
    rows, tokens, y = projected(*size)
    f = np.full(len(y), np.nan)
    kernels.outputs(rows, tokens, f)
    assert worst(f, naive(rows, tokens, y)[1]) < 1e-13


def test_the_loss_is_stable_at_outputs_of_a_thousand():
    for value in (1000.0, -1000.0):
        rows, tokens, y = np.array([[0.3, 0.2, value]]), np.zeros((1, 1), dtype=np.int64), np.ones(1)
        f, drows = np.empty(1), np.empty_like(rows)
        assert kernels.loss_and_cotangents(rows, tokens, y, f, drows) == (0.0 if value > 0 else 1000.0)
        assert drows[0, 2] == (0.0 if value > 0 else -1.0)


def test_the_small_kernels_do_what_they_say(worst):
    rng = np.random.default_rng(0)
    A, B, rows, picked = (
        rng.standard_normal((3, 6)),
        rng.standard_normal((6, 4)),
        rng.standard_normal((5, 7)),
        np.array([4, 0, 4]),
    )
    out = np.ones((3, 4))
    kernels.multiply_add(A, B, out)
    assert worst(out, 1 + A @ B) < 1e-14
    out = np.empty((6, 3))
    kernels.transpose(A, out)
    assert (out == A.T).all()
    out = np.empty((3, 2))
    kernels.gather(rows, picked, 3, out)
    assert (out == rows[picked, 3:5]).all()
    total = rows.copy()
    kernels.scatter_add(out, picked, 3, total)
    expected = rows.copy()
    np.add.at(expected[:, 3:5], picked, out)
    assert np.allclose(total, expected, rtol=1e-15)
    S = np.empty((3, 6))[:, :3].copy()
    kernels.attend(A, rng.standard_normal((6, 3)), S)
    assert np.allclose(S.sum(axis=1), 1)


def test_advance_moves_rows_and_coefficients(worst):
    rng = np.random.default_rng(1)
    rows, moved, C, drows = (rng.standard_normal((4, 5)) for _ in range(4))
    new_rows, new_C = rows.copy(), C.copy()
    kernels.advance(new_rows, moved, new_C, drows, 0.1, 3.0)
    assert worst(new_C, C - 0.1 * drows) < 1e-15
    assert worst(new_rows, rows - 0.1 * moved * np.array([1, 1, 1, 1, 3])) < 1e-15
