"""Ties, ends and single cases of the law and of the limit, and what is drawn, number by number."""

from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.derived import boundary, fresh, law, limit, limit_kernel, limit_run
from benign_ref.engines import kernels
from benign_ref.paper import model

plain = pytest.mark.plain


class Means:
    """In the place of a Generator: numbers that can be recognised."""

    def standard_normal(self, shape):
        return 1.0 + np.arange(np.prod(shape, dtype=int)).reshape(shape)

    def chisquare(self, degrees):
        assert degrees.min() > 0
        return degrees


def test_sizes_that_bound_the_memory_are_those_that_are_stated():
    assert (fresh.BLOCK, fresh.TOKENS_AT_ONCE, limit_run.STEPS_AT_ONCE) == (128, 1024, 4096)
    assert boundary.BRACKET == (0.2, 20.0)
    for search, level in ((boundary.critical_x, 0.2), (boundary.attention_x, 0.5)):
        asked = {name: one.default for name, one in signature(search).parameters.items()}
        assert (asked["level"], asked["tolerance"], asked["bracket"]) == (level, 1e-3, boundary.BRACKET)


# what is drawn in law


@pytest.mark.parametrize("d", [8, 11])
@pytest.mark.parametrize("noise", ["orthogonal", "full"])
def test_the_root_of_the_tokens_has_the_degrees_of_freedom_of_what_is_left(noise, d):
    s = br.Setting(N=3, M=3, d=d, d_h=2, d_v=1, C_p=3.0, sigma_p=0.5, snr=2.0, noise=noise)
    A, sigma = law.token_root(s, Means()), np.array([1.5, 0.5] * 3)
    assert A.shape == (8, 8) and A[0, 0] == A[1, 1] == s.mu_norm and A[0, 1] == A[1, 0] == 0
    assert np.diag(A)[2:] == pytest.approx(sigma * np.sqrt(d - 2 - np.arange(6)))
    below = np.tril(1.0 + np.arange(36).reshape(6, 6), -1)
    assert np.tril(A[2:, 2:], -1) == pytest.approx(sigma[:, None] * below) and not np.triu(A, 1).any()
    along = 1.0 + np.arange(12).reshape(6, 2) if noise == "full" else np.zeros((6, 2))
    assert A[2:, :2] == pytest.approx(sigma[:, None] * along)


@pytest.mark.parametrize("beyond", [0, 3, 4, 5, 6, 9])
def test_the_root_of_the_rest_of_the_start_has_the_degrees_of_freedom_beyond_the_tokens(beyond):
    s = br.Setting(N=2, M=3, d=6 + beyond, d_h=2, d_v=3, sigma_h=0.1, sigma_V=0.3, w_O_norm=1.7)
    R, scales = law.residual_root(s, Means()), np.array([0.1] * 4 + [0.3 * 1.7])
    assert law.column_scales(s) == pytest.approx(scales)
    if beyond >= 5:
        assert np.diag(R) == pytest.approx(np.sqrt(beyond - np.arange(5)) * scales)
        assert not np.tril(R, -1).any() and np.triu(R, 1).any()
    else:
        assert R == pytest.approx((1.0 + np.arange(5 * beyond).reshape(beyond, 5)) * scales)
    assert law.span_coordinates(s, Means()) == pytest.approx((1.0 + np.arange(30).reshape(6, 5)) * scales)


@pytest.mark.parametrize("N, M, d_h, asked", [(4, 3, 3, "T"), (2, 3, 3, "d_h"), (5, 2, 3, "d_h")])
def test_the_memory_that_a_draw_takes_is_counted(monkeypatch, N, M, d_h, asked):
    told = []
    monkeypatch.setattr(law.validate, "fits_memory", lambda *what: told.append(what))
    s = law.checked_for_law(br.Setting(N=N, M=M, d=50, d_h=d_h))
    T, p = 2 + N * (M - 1), 2 * d_h + 1
    assert told == [(asked, {"T": T, "d_h": d_h}[asked], 3 * T**2 + 6 * T * p + 4 * p**2)] and s.T == T
    monkeypatch.undo()
    assert law.checked_for_law(s.replace(d=T)).d == T  # as many dimensions as tokens
    with pytest.raises(ValueError, match=f"d must be at least T .*= {T}"):
        law.checked_for_law(s.replace(d=T - 1))


# fresh data


def noise_of(B):
    """A FreshNoise of which only B (a,b) counts."""
    return fresh.FreshNoise(None, None, B)


def test_keys_beyond_the_queries_are_rotated_where_that_saves_draws():
    assert [noise_of(np.zeros((5, b))).beyond(3) for b in (0, 2, 6, 7, 9)] == [0, 2, 6, 3, 3]
    assert noise_of(np.zeros((9, 2))).beyond(1) == 2 and noise_of(np.zeros((2, 3))).beyond(1) == 1


def law_model(rng, s, scale=1.0):
    p = 2 * s.d_h + 1
    return fresh.LawModel(s, scale * rng.standard_normal((s.T, p)), scale * rng.standard_normal((p, p)))


@pytest.mark.parametrize("scale", [1.0, 1e-90])
def test_rounding_leaves_the_gram_matrix_of_fresh_queries_positive_definite(monkeypatch, scale):
    s, seen, cholesky = br.Setting(N=3, M=4, d=40, d_h=9, d_v=1), [], np.linalg.cholesky
    model = law_model(np.random.default_rng(0), s, scale)
    monkeypatch.setattr(np.linalg, "cholesky", lambda C: seen.append(C.copy()) or cholesky(C))
    noise = model.fresh_noise()
    a = len(noise.B)
    x = np.random.default_rng(1).standard_normal((2, 3, a + noise.beyond(3)))
    model.outputs(np.array([1.0, -1.0]), x, noise)
    L = fresh.times_lower(x.reshape(6, -1)[:, :a], noise.B).reshape(2, 3, -1)
    C, i = L @ L.swapaxes(1, 2), np.arange(3)
    wanted = C.copy()
    wanted[:, i, i] += s.M**2 * np.finfo(float).eps * C[:, i, i] + np.finfo(float).tiny
    assert len(seen) == 1 and np.array_equal(seen[0], wanted) and (wanted[:, i, i] > C[:, i, i]).all()


@pytest.mark.parametrize("most, sizes", [(1024, [256, 256, 88]), (9, [2] * 300), (3, [1] * 600)])
def test_fresh_samples_are_taken_by_as_many_tokens_as_is_said(monkeypatch, most, sizes):
    s, asked = br.Setting(N=3, M=4, d=40, d_h=2, d_v=1), []
    monkeypatch.setattr(fresh, "TOKENS_AT_ONCE", most)
    monkeypatch.setattr(fresh.LawModel, "outputs", lambda self, y, x, noise: asked.append(x.shape) or 0.0 * y)
    model = law_model(np.random.default_rng(0), s)
    y, f = model.sample_outputs(600, br.make_rng(0))
    noise = model.fresh_noise()
    width = len(noise.B) + noise.beyond(3)
    assert asked == [(size, 3, width) for size in sizes] and not f.any() and y.sum() == 0


def test_the_standard_error_needs_two_samples_and_a_tie_is_an_error(monkeypatch):
    z = np.array([-1.0, 0.0, 2.0])
    monkeypatch.setattr(fresh.LawModel, "sample_outputs", lambda self, n, rng: (np.ones(n), z[:n]))
    model = law_model(np.random.default_rng(0), br.Setting(N=2, M=2, d=9, d_h=1, d_v=1))
    assert [model.error_rate(n, None) for n in (1, 2, 3)] == [1.0, 1.0, pytest.approx(2 / 3)]
    mean, error = model.test_loss(2, None, return_se=True)
    losses = np.log1p(np.exp(-z))
    assert mean == pytest.approx(losses[:2].mean()) and error == pytest.approx(abs(losses[0] - losses[1]) / 2)
    assert np.isnan(model.test_loss(1, None, return_se=True)[1])


# the limit


@plain
@pytest.mark.parametrize("advance", [limit_run.advance_numpy, limit_run.advance_numba])
def test_the_limit_stops_where_the_loss_is_epsilon(advance):
    def run(epsilon):
        losses = np.full(5, np.nan)
        return advance(limit.start(c, 0.02), c, epsilon, losses)[1], losses

    for N, M in ((2, 2), (2, 3), (3, 4), (4, 2), (4, 3), (5, 5)):
        c = limit.constants_of(br.Setting(N=N, M=M, d_h=8, snr=9.0), N / 2)
        steps, losses = run(0.0)
        assert steps == 4 and (np.diff(losses) < 0).all()  # as many as there is room for
        steps, again = run(losses[2])
        assert steps == 2 and np.array_equal(again[:3], losses[:3]) and np.isnan(again[3:]).all()
        assert run(np.nextafter(losses[2], 0))[0] == 3


@plain
def test_attention_of_logits_of_any_size_leaves_out_the_columns_of_nobody():
    P, S = np.full((3, 4), -np.inf), np.full((3, 4), np.nan)  # the last seen by nobody: one small token
    P[:, :3] = [[-1000.0, -1001.0, -1000.5], [-2001.0, -1000.0, -1001.0], [0.0, 999.5, 1000.0]]
    limit_kernel.attend(P, limit_kernel.row_weights(3, 1), S)
    below = np.exp([[0, -1, -0.5], [-1001, 0, -1], [-1000, -0.5, 0]])
    assert S[:, :3] == pytest.approx(below / below.sum(axis=1)[:, None], rel=1e-15) and not S[:, 3].any()


@plain
@pytest.mark.parametrize("m", [0, 1, 3])
def test_where_all_logits_lie_far_below_0_a_step_is_taken_all_the_same(m):
    k, found = 3 if m else 2, []
    c = limit.constants_of(br.Setting(N=2, M=m + 2, d_h=8, snr=9.0), 1.0)
    for advance in (limit_run.advance_numpy, limit_run.advance_numba):
        state = limit.start(c, 0.02)
        state.QK.mean[:] = -2000.0 - np.arange(k * k).reshape(k, k)
        losses = np.empty(3)
        assert advance(state, c, 0.0, losses)[1] == 2
        found.append(losses)
    assert found[0] == pytest.approx(found[1], rel=1e-12) and (np.diff(found) < 0).all()


@plain
def test_the_coupling_of_a_saturated_row_keeps_its_digits_whatever_token_it_attends_to():
    V, logits = np.array([0.1, 1.3, -0.7]), 40.0 * np.eye(3)[[1, 2, 0]]
    weight, S, D = limit_kernel.row_weights(3, 1), np.zeros((3, 4)), np.full((3, 4), np.nan)
    S[:, :3] = model.softmax(logits)
    f = limit_kernel.output_and_coupling(S, V, weight, 3, D)
    small = [[j for j in range(3) if j != top] for top in (1, 2, 0)]  # to their attention the rest is 1
    for row, top, others in zip(D, (1, 2, 0), small):
        wanted = np.exp(-40.0) * (V[others] - V[top]) / 3
        assert row[others] == pytest.approx(wanted, rel=1e-14, abs=0)
        assert row[top] == pytest.approx(-wanted.sum(), rel=1e-13, abs=0)
    assert f == pytest.approx(V.mean(), rel=1e-14)


@plain
@pytest.mark.parametrize("n", [1.0, 2.5])
@pytest.mark.parametrize("m", [0, 1, 4])
def test_logits_are_minus_infinity_where_no_token_is_seen_and_nowhere_else(n, m):
    k = 3 if m else 2
    sizes = k, k - 1 if n > 1 else 0, 1 if m > 1 else 0
    P = np.full((k, 4), -np.inf)
    limit_kernel.logits(limit.Blocks(*(np.ones((size, size)) for size in sizes)), n, m, P)
    assert np.array_equal(P == -np.inf, limit_kernel.row_weights(k, m) == 0)


@plain
def test_how_many_tokens_a_column_stands_for():
    assert limit_kernel.row_weights(2, 0).tolist() == [[1, 1, 0, 0]] * 2
    assert limit_kernel.row_weights(3, 1).tolist() == [[1, 1, 1, 0]] * 3
    assert limit_kernel.row_weights(3, 5).tolist() == [[1, 1, 5, 0]] * 2 + [[1, 1, 1, 4]]


def test_the_projections_of_a_sample_without_or_with_one_small_token():
    c = limit.Constants(2, 0, 2.0, np.array([4.0, 9.0]), 0.1, 1.0)
    mean, between, within = limit.projections(c)
    assert (
        mean == pytest.approx(np.diag([1, 0.5**0.5])) and between.tolist() == [[0], [1]] and not within.any()
    )
    c = limit.Constants(3, 1, 1.0, np.array([4.0, 9.0, 1.0]), 0.1, 1.0)
    mean, between, within = limit.projections(c)
    assert mean == pytest.approx(np.eye(3)) and between.shape == (3, 0) and not within.any()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_is_recorded_and_when(backend):
    s = br.Setting(N=4, M=3, d_h=8, snr=9.0, max_steps=12)

    def steps(every, **how):
        run = br.train_in_limit(s.replace(**how), backend=backend, record_every=every)
        return run.history.step.tolist()

    for every, expected in ((None, [0, 12]), (4, [0, 4, 8, 12]), (5, [0, 5, 10, 12]), (1, list(range(13))),
                            ([3, 12], [3, 12]), ([20], [12]), ([0], [0, 12])):  # fmt: skip
        assert steps(every) == expected
    short = steps(7, epsilon=0.69, extra_steps=3)
    assert short[-1] < 12 and steps(7, epsilon=0.69, extra_steps=100) == [0, 7, 12]
    whole = br.train_in_limit(s, backend=backend)
    at = s.replace(epsilon=float(whole.losses[5]))
    for extra, last in ((0, 5), (3, 8), (7, 12), (8, 12)):
        run = br.train_in_limit(at.replace(extra_steps=extra), backend=backend)
        assert (run.steps, run.converged) == (last, True) and np.array_equal(
            run.losses, whole.losses[: last + 1]
        )
    assert not whole.converged and whole.steps == 12


def test_a_pair_of_types_has_a_name_for_each_kind_of_row():
    for M, rows, columns in ((2, "s2", "s2"), (3, "s2i", "s2i"), (4, "s2i", "s2ij"), (7, "s2i", "s2ij")):
        matrix = np.arange(float(M * M)).reshape(M, M)
        found = limit_run.by_pair(matrix)
        assert set(found) == {a + b for a in rows for b in columns if b != "j" or a == "i"}
        at = {letter: k for k, letter in enumerate("s2ij")}
        assert all(found[a + b] == matrix[at[a], at[b]] for a, b in found)


def test_an_output_of_exactly_0_on_fresh_data_is_an_error():
    s = br.Setting(N=4, M=3, d_h=8, snr=9.0, max_steps=1)
    state = limit.start(limit.constants_of(s, 2.0), 0.02)
    assert limit_run.snapshot(0, state, limit.constants_of(s, 2.0)).test_output == 0.0
    with pytest.warns(UserWarning, match="log 2"):
        still = s.replace(epsilon=0.7)
    assert br.train_in_limit(still).error_rate == 1.0 and br.train_in_limit(still).test_loss == np.log(2)


# where the limit turns over


def test_a_level_that_is_met_is_not_exceeded(monkeypatch):
    monkeypatch.setattr(
        boundary, "train_in_limit", lambda s: SimpleNamespace(test_loss=0.5 if s.x < 1.999 else 0.2)
    )
    assert boundary.critical_x(4, 6, tolerance=0.01) == pytest.approx(2, rel=0.006)
    with pytest.raises(ValueError, match="on both sides of level 0.5"):
        boundary.critical_x(4, 6, level=0.5)


def test_a_tolerance_below_rounding_is_the_smallest_that_there_is(monkeypatch):
    monkeypatch.setattr(
        boundary, "train_in_limit", lambda s: SimpleNamespace(test_loss=0.1 if s.x > 2 else 0.3)
    )
    assert boundary.critical_x(4, 6, tolerance=1e-300) == pytest.approx(2, rel=1e-14)
    whole = np.log(20.0) - np.log(0.2)  # an interval as long as the tolerance is not halved
    assert boundary.critical_x(4, 6, tolerance=float(whole)) == pytest.approx(2, rel=1e-14)
    assert boundary.critical_x(4, 6, tolerance=float(whole) * 0.99) == pytest.approx(0.2**0.25 * 20**0.75)


@pytest.mark.parametrize("snrs, Ns, refused", [
    ([0.0], [4], "^snrs must hold numbers > 0, got 0"), ([0.5, -1.0], [4], "^snrs must .*got -1"),
    ([0.5], [1.9], "^Ns must hold numbers >= 2, got 1.9"), ([0.5], [4, 1.5, 1.0], "^Ns must .*got 1.5"),
])  # fmt: skip
def test_an_axis_of_the_diagram_says_what_it_may_hold(snrs, Ns, refused):
    with pytest.raises(ValueError, match=refused):
        boundary.limit_diagram(snrs, Ns)


def test_a_diagram_may_begin_at_two_samples_and_any_signal():
    base = br.Setting(N=2, M=3, d_h=8, max_steps=3)
    losses = boundary.limit_diagram([0.5, 9.0], [2, 3.0], base=base)
    for i, snr in enumerate((0.5, 9.0)):
        for j, N in enumerate((2, 3)):
            assert losses[i, j] == br.train_in_limit(base.replace(snr=snr, N=N)).test_loss


@plain
def test_the_largest_logit_is_taken_off_wherever_it_stands():
    P = np.array([[[-5.0, -7.0, -6.0], [0.0, 3.0, 1.0], [-9.0, -8.0, -2.0]]])
    kernels.subtract_largest(P)
    assert P.tolist() == [[[0, -2, -1], [-3, 0, -2], [-7, -6, 0]]]
