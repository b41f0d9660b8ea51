import math
import warnings

import numpy as np
import pytest

import benign_ref as br
from benign_ref.paper import model
from benign_ref.paper.model import Parameters

SHAPES = [
    dict(),
    dict(N=1),
    dict(M=1),
    dict(d_h=12),
    dict(d_v=1),
    dict(N=1, M=1, d=1, d_h=1, d_v=1),
    dict(M=9, d=3),
]


def triple_loop(theta, X):
    """M1 with scalars only."""
    W_Q, W_K, W_V, w_O = (W.tolist() for W in theta)
    N, M, d = X.shape
    d_h, d_v = len(W_Q[0]), len(w_O)
    f = []
    for x in X.tolist():
        total = 0.0
        for l in range(M):
            p = []
            for j in range(M):
                q = [sum(x[l][i] * W_Q[i][h] for i in range(d)) for h in range(d_h)]
                k = [sum(x[j][i] * W_K[i][h] for i in range(d)) for h in range(d_h)]
                p.append(sum(a * b for a, b in zip(q, k)))
            e = [math.exp(v - max(p)) for v in p]
            for j in range(M):
                value = sum(x[j][i] * W_V[i][r] * w_O[r] for i in range(d) for r in range(d_v))
                total += e[j] / sum(e) * value
        f.append(total / M)
    return np.array(f)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_forward_is_the_triple_loop(problem, worst, shape, backend):
    theta, X, _ = problem(**shape)
    assert worst(br.forward(theta, X, backend=backend), triple_loop(theta, X)) < 1e-13


def test_forward_in_chunks_is_forward(problem, monkeypatch):
    from benign_ref.engines import parameter_space

    theta, X, _ = problem(N=11)
    assert np.allclose(parameter_space.forward_numba(theta, X, chunk=9), br.forward(theta, X), rtol=1e-13)


def test_closed_forms_of_the_output(problem):
    theta, X, _ = problem(M=1)
    assert np.allclose(
        br.forward(theta, X), X[:, 0] @ theta.W_V @ theta.w_O, rtol=1e-13
    )  # one token: attention is 1
    theta, X, _ = problem()
    flat = theta._replace(W_Q=0 * theta.W_Q)
    assert np.allclose(br.attention(flat, X), 0.25)
    assert np.allclose(br.forward(flat, X), X.mean(axis=1) @ theta.W_V @ theta.w_O, rtol=1e-13)


def test_attention_rows_sum_to_one_and_follow_the_logits(problem):
    theta, X, _ = problem()
    S = br.attention(theta, X)
    P = np.einsum("nld,dh,eh,nje->nlj", X, theta.W_Q, theta.W_K, X)
    assert np.allclose(S.sum(axis=2), 1, rtol=1e-14)
    assert np.allclose(np.log(S[..., 1:] / S[..., :1]), P[..., 1:] - P[..., :1], rtol=1e-9, atol=1e-9)


def test_permutation_rotation_and_scaling_leave_the_output_alone(problem, worst):
    """I6."""
    theta, X, y = problem()
    f, rng = br.forward(theta, X), np.random.default_rng(1)
    permuted = np.array([X_n[rng.permutation(4)] for X_n in X])
    O = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    rotated = Parameters(O @ theta.W_Q, O @ theta.W_K, O @ theta.W_V, theta.w_O)
    scaled = Parameters(*(W / 3 for W in theta[:3]), theta.w_O)
    assert worst(br.forward(theta, permuted), f) < 1e-12
    assert worst(br.forward(rotated, X @ O.T), f) < 1e-12
    assert worst(br.forward(scaled, 3 * X), f) < 1e-12
    assert br.loss(theta._replace(W_V=-theta.W_V), X, -y) == br.loss(theta, X, y)


def test_logistic_loss_and_slope_are_stable_and_right():
    z = np.array([-1000.0, -40, -1, 0, 1, 40, 1000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, slope = model.logistic(z), model.logistic_slope(z)
        complex_loss = model.logistic(z + 1e-30j)
    assert (
        loss[0] == 1000
        and loss[-1] == 0
        and math.isclose(loss[3], math.log(2))
        and math.isclose(loss[5], math.exp(-40), rel_tol=1e-14)
    )
    assert (
        slope[0] == -1
        and slope[-1] == 0
        and slope[3] == -0.5
        and math.isclose(slope[5], -math.exp(-40), rel_tol=1e-14)
    )
    assert np.allclose(complex_loss.real, loss, rtol=1e-15) and np.allclose(
        complex_loss.imag / 1e-30, slope, rtol=1e-14
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_huge_logits_stay_finite_without_a_warning(problem, backend):
    theta, X, y = problem(scale=1.0)
    big = theta._replace(
        W_Q=theta.W_Q * 1e4 / np.abs(np.einsum("nld,dh,eh,nje->nlj", X, theta.W_Q, theta.W_K, X)).max()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f, gradient = br.forward(big, X, backend=backend), br.gradients(big, X, y, backend=backend)
    assert np.isfinite(f).all() and all(np.isfinite(G).all() for G in gradient)
    assert np.allclose(f, triple_loop(big, X), rtol=1e-10)


def test_loss_and_error_rate_are_means_over_samples(problem):
    theta, X, y = problem(N=6)
    z = y * triple_loop(theta, X)
    assert math.isclose(br.loss(theta, X, y), sum(math.log1p(math.exp(-v)) for v in z) / 6, rel_tol=1e-12)
    assert math.isclose(br.test_loss(theta, X, y), br.loss(theta, X, y), rel_tol=1e-13)
    assert br.error_rate(theta, X, y) == sum(v <= 0 for v in z) / 6


@pytest.mark.parametrize(
    "change, match",
    [
        (dict(X=np.zeros((2, 3, 8))), "^X must have shape .*d=7"),
        (dict(X=np.zeros((2, 3))), "^X must have shape"),
        (dict(y=[1, 0, 1]), "^y must hold labels"),
        (dict(y=[1, 1]), "^y must have shape"),
        (dict(X=np.full((3, 4, 7), np.nan)), "^X must be finite"),
        (dict(X=1j * np.ones((3, 4, 7))), "^X must be an array of real"),
        (dict(X=np.zeros((0, 4, 7))), "^X must have"),
        (dict(theta=(1, 2)), "^theta must be Parameters"),
        (dict(backend="torch"), "^backend must be one of"),
        (dict(X=[[1], [1, 2]]), "^X must be an array"),
        (dict(X="abc"), "^X must be an array of real"),
    ],
)
def test_bad_arguments_are_named_before_any_work(problem, change, match):
    theta, X, y = problem()
    arguments = {"theta": theta, "X": X, "y": y, **change}
    with pytest.raises((TypeError, ValueError), match=match):
        br.loss(**arguments)
    with pytest.raises((TypeError, ValueError), match=match):
        br.gradients(**arguments)


def test_a_wrong_block_of_theta_is_named(problem):
    theta, X, _ = problem()
    with pytest.raises(
        ValueError, match=r"theta.W_K must have shape \(d,d_h\) with d=7, d_h=5, got shape \(7, 4\)"
    ):
        br.forward(theta._replace(W_K=theta.W_K[:, :4]), X)
    with pytest.raises(ValueError, match=r"theta.w_O must be finite, got nan at index \(1,\)"):
        br.forward(theta._replace(w_O=np.array([1.0, np.nan])), X)


@pytest.mark.parametrize("name", ["W_Q", "W_K", "W_V"])
def test_the_transposed_block_is_the_one_named(problem, name):
    theta, X, _ = problem()
    with pytest.raises(ValueError, match=f"^theta.{name} must have shape .*; its transpose would fit"):
        br.forward(theta._replace(**{name: getattr(theta, name).T}), X)


def test_whole_results_in_the_place_of_arrays_are_told_what_to_give():
    s = br.Setting(N=3, M=4, d=9, d_h=5, d_v=4, max_steps=2)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    run = br.train(s, data, theta)
    for call, told in [
        (lambda: br.forward(theta, data), "^X must be .* got a Dataset: give its X or its y"),
        (lambda: br.loss(theta, data.X, data), "^y must be .* got a Dataset: give its X or its y"),
        (lambda: br.forward(theta, run), "^X must be .* got a Run: give its parameters"),
        (lambda: br.forward(run, data.X), r"(?s)^theta must be .*\(a Run: give its parameters"),
        (lambda: br.forward(data, data.X), r"(?s)^theta must be .*\(a Dataset: give its X"),
        (lambda: br.train(s, data, run), r"(?s)^theta must be .*\(a Run: give its parameters"),
        (lambda: br.train(s, data.X, theta), r"(?s)^data must be a Dataset\(X, y, mu_plus, mu_minus\), got"),
    ]:
        with pytest.raises(TypeError, match=told):
            call()
