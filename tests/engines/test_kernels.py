"""Every jitted kernel, and the attention that is made of them, against a plain NumPy twin. Small sizes: these
tests also run with NUMBA_DISABLE_JIT=1.
"""

import ast
import builtins
import math
import re
from pathlib import Path

import numpy as np
import pytest

from benign_ref.engines import kernels
from benign_ref.engines.attention import Attention, outputs
from benign_ref.paper.gradients import coupling, mean_attention
from benign_ref.paper.model import logistic, logistic_slope, softmax

pytestmark = pytest.mark.plain
PACKAGE = Path(kernels.__file__).parents[1]
SIZES = [(3, 4, 5), (1, 1, 1), (2, 5, 3), (1, 9, 2), (2, 2, 7)]  # N, M, d_h


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
@pytest.mark.parametrize("scale", [3.0, 1.0, 1e-3])
def test_loss_and_cotangents_are_the_naive_ones(worst, size, scale):
    rows, tokens, y = projected(*size, scale)
    attention = Attention(tokens, size[2])
    attention.loss(rows[::-1].copy(), -y)  # whatever was there before must not matter
    drows = np.ones_like(rows)
    loss = attention.loss(rows, y)
    attention.add_cotangents(drows, -0.5)
    expected_loss, expected_f, expected = naive(rows, tokens, y)
    assert np.isclose(loss, expected_loss, rtol=1e-14) and worst(attention.f, expected_f) < 1e-13
    got = (1.0 - drows) / 0.5
    blocks = (slice(-1, None),) if size[1] == 1 else (slice(0, size[2]), slice(size[2], -1), slice(-1, None))
    for block in blocks:  # one token alone gives q and k no cotangent
        assert np.allclose(got[:, block], expected[:, block], rtol=1e-12, atol=1e-15)
    drows[:] = 0.0
    attention.add_cotangents(drows)
    for block in blocks:
        assert worst(drows[:, block], expected[:, block]) < 1e-12
    assert size[1] > 1 or not drows[:, :-1].any()


@pytest.mark.parametrize("size", SIZES)
def test_outputs_are_those_of_the_loss(worst, size):
    rows, tokens, y = projected(*size)
    assert worst(outputs(rows, tokens), naive(rows, tokens, y)[1]) < 1e-13


def test_the_loss_is_stable_at_outputs_of_a_thousand():
    for value in (1000.0, -1000.0):
        rows, tokens, y = np.array([[0.3, 0.2, value]]), np.zeros((1, 1), dtype=np.int64), np.ones(1)
        attention, drows = Attention(tokens, 1), np.zeros_like(rows)
        assert attention.loss(rows, y) == (0.0 if value > 0 else 1000.0)
        attention.add_cotangents(drows)
        assert drows[0, 2] == (0.0 if value > 0 else -1.0)


@pytest.mark.parametrize("file", ["engines/kernels.py", "derived/limit_kernel.py"])
def test_what_is_compiled_and_kept_on_disk_calls_nothing_from_other_modules(file):
    """Else numba would not see a change there, and an old kernel could answer. A tuple's field by its name is
    such a thing too: to numba a named tuple is its class and its types, without the order of its names.
    """
    body = ast.parse((PACKAGE / file).read_text("utf-8")).body
    kernels = [one for one in body if isinstance(one, ast.FunctionDef) and one.decorator_list]
    numbers = [name.id for one in body if isinstance(one, ast.Assign) for name in ast.walk(one.targets[0])
               if isinstance(name, ast.Name)]  # fmt: skip
    known = {one.name for one in kernels} | {*numbers, *dir(builtins), *dir(math), "np", "cached"}
    assert len(kernels) >= 5
    for kernel in kernels:
        nodes = list(ast.walk(kernel))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        own = {node.arg for node in nodes if isinstance(node, ast.arg)}
        own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        fields = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr != "shape"]
        assert {name.id for name in names} <= known | own, kernel.name
        assert all(isinstance(one.value, ast.Name) and one.value.id == "np" for one in fields), kernel.name


def test_only_these_files_keep_what_is_compiled():
    keep = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search("(?m)^@cached$|cache=True", path.read_text("utf-8"))
    ]
    assert sorted(keep) == ["kernels.py", "limit_kernel.py"]


def test_gather_and_scatter_are_each_other_s_transpose():
    rng = np.random.default_rng(0)
    rows, tokens = rng.standard_normal((5, 7)), np.array([[4, 0, 4], [1, 4, 2]])
    q, k, c = np.empty((2, 3, 3)), np.empty((2, 3, 3)), np.empty((2, 3))
    kernels.gather(rows, tokens, q, k, c)
    assert (q == rows[tokens, :3]).all() and (k == rows[tokens, 3:6]).all() and (c == rows[tokens, 6]).all()
    total, expected = rows.copy(), rows.copy()
    kernels.scatter_add(q, k, c, tokens, -0.3, total)
    np.add.at(expected, tokens, -0.3 * rows[tokens])
    assert np.allclose(total, expected, rtol=1e-14)


def test_the_kernels_between_the_products_do_what_they_say(worst):
    rng = np.random.default_rng(1)
    P, c, y = 20 * rng.standard_normal((2, 4, 4)), rng.standard_normal((2, 4)), np.array([1.0, -1.0])
    S, D, top, excess = P.copy(), np.empty((2, 4, 4)), np.empty((2, 4)), np.empty((2, 4))
    f, dc = np.empty(2), np.empty((2, 4))
    kernels.subtract_largest(S)
    assert (S == P - P.max(axis=2, keepdims=True)).all()
    S = np.exp(S)
    kernels.average(S, c, top, excess, f)
    assert worst(S, softmax(P)) < 1e-14
    assert (top == c[np.arange(2)[:, None], P.argmax(axis=2)]).all()
    assert worst(top + excess, (softmax(P) @ c[:, :, None])[:, :, 0]) < 1e-14
    loss = kernels.couple(S, c, top, excess, f, y, D, dc)
    g = y * logistic_slope(y * f) / 2
    assert np.isclose(loss, logistic(y * f).mean(), rtol=1e-14)
    assert worst(D, [g_n * coupling(S_n, c_n) for g_n, S_n, c_n in zip(g, softmax(P), c)]) < 1e-13
    assert worst(dc, g[:, None] * softmax(P).mean(axis=1)) < 1e-14
