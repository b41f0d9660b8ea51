"""Ties, ends and single cases: where `>` and `>=`, the first and the last, one and two differ."""

import gzip
from math import exp, log, sqrt
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import (
    cell,
    claims,
    convergence,
    departures,
    dynamics,
    figure1,
    fits,
    grid,
    images,
    phases,
    sharpness,
    theorem,
)
from benign_ref.experiments.figure1 import CROSSINGS, Comparison
from benign_ref.experiments.fits import Crossing

THEIRS = np.array(list(CROSSINGS.values()), dtype=float)


def crossings(means, errors, draws=10):
    """A Crossing for each mean, with its standard error."""
    return [
        Crossing(float(mean), float(error), draws, draws, float(mean)) for mean, error in zip(means, errors)
    ]


def words(rows):
    """The first word or words of each row's verdict."""
    return [row.verdict.split(":")[0] for row in rows]


# authors


def test_the_red_curve_is_the_drawn_formula_at_the_middle_of_its_band():
    for N in figure1.NS:
        pixel = sqrt(figure1.red_curve_as_drawn(N) / N) * 6.4 - 1  # i + 1, where ||mu|| = i + 2
        assert 204800 / pixel**2 - 10 == pytest.approx((5 * N - 10 + 5 * N - 1) / 2, rel=1e-12)


def plane_where_the_last_N_falls_at(constant):
    """100 x 100 numbers of which N = 20 falls through 0.2 at N SNR^2 = constant, and no other N does."""
    losses = np.full((10, 10, 100), 0.5)
    losses[-1] = np.where(20 * (np.arange(1, 101) / 6.4) ** 2 > constant, 0.1, 0.5)
    return losses.reshape(100, 100)


def test_a_matrix_is_judged_by_its_last_N(tmp_path):
    np.savetxt(tmp_path / "theirs.txt", plane_where_the_last_N_falls_at(900))
    assert figure1.read_matrix(tmp_path / "theirs.txt").test_loss.shape == (100, 10, 10)
    for constant in (300, 3300):  # beyond a factor of three
        np.savetxt(tmp_path / "other.txt", plane_where_the_last_N_falls_at(constant))
        with pytest.raises(ValueError, match="far from 1000"):
            figure1.read_matrix(tmp_path / "other.txt")


def test_a_comparison_of_few_pairs_counts_the_draws_that_ended():
    rng = np.random.default_rng(0)
    matrix = figure1.Matrix(np.arange(1, 101) / 6.4, np.array(figure1.NS), rng.random((100, 10, 10)))
    status = np.full((3, 4, 5), "converged")
    status[0, 1, :3] = status[1, 2, :4] = status[2, 3] = "diverged"  # 2, 1 and 0 of five are left
    losses = rng.random((3, 4, 5))
    snrs, Ns = matrix.snrs[[70, 20, 40]], np.array([2, 8, 4, 20])
    result = grid.PhaseDiagram(snrs, Ns, np.arange(5), status, losses, losses, losses, losses, {})
    found = figure1.compare(matrix, result)
    for i, mu in enumerate((70, 20, 40)):
        for j, N in enumerate(Ns):
            theirs, ours = (
                matrix.test_loss[mu, list(figure1.NS).index(N)],
                losses[i, j][status[i, j] == "converged"],
            )
            if len(ours) < 2:
                assert np.isnan(found.z[i, j])
                continue
            error = theirs.var(ddof=1) / 10 + ours.var(ddof=1) / len(ours)
            assert found.z[i, j] == pytest.approx((theirs.mean() - ours.mean()) / sqrt(error), rel=1e-12)
    judged = found.z[:, 1:][np.isfinite(found.z[:, 1:])]
    assert found.pairs == judged.size == 7
    assert found.rms == pytest.approx(sqrt(np.mean(judged**2))) and found.mean == pytest.approx(judged.mean())


# cell


def test_tokens_of_fresh_samples_lie_in_no_more_memory_than_they_need():
    s = br.Setting(N=3, M=4, d=6, d_h=1)
    for n, fresh, sizes in (
        (cell.CHUNK + 1, True, [cell.CHUNK, 1]),
        (cell.CHUNK + 1, False, [cell.CHUNK + 1]),
    ):
        parts = [(len(y), Z) for y, Z, _ in cell.draw_D1(s, br.make_rng(0), n, fresh)]
        assert [size for size, _ in parts] == sizes
        assert all(Z.base.shape == (2 + 3 * sizes[0], 6) for _, Z in parts)


# claims


def test_a_crossing_at_exactly_three_joint_standard_errors_agrees(monkeypatch):
    monkeypatch.setattr(claims, "CROSSINGS", {4: (900, 3, 890)})
    for away, word in (
        (15.0, claims.HOLDS),
        (15.1, claims.FAILS),
        (17.0, claims.FAILS),
        (-15.0, claims.HOLDS),
    ):
        (row,) = claims.crossing_claims([4], crossings([900 + away], [4]), [880.0])
        assert words([row]) == [word] and row.ours.endswith(f"draws cross, at {900 + away:.0f} ± 4")


def test_a_curve_is_judged_by_the_worse_of_both_data_and_three_errors_are_allowed(monkeypatch):
    wide = crossings(THEIRS[:, 0], np.full(9, 1000.0))
    assert words(claims.curve_claims(list(CROSSINGS), wide, THEIRS[:, 2])) == [claims.FAILS] * 2
    for error, word in ((10, claims.HOLDS), (9, claims.FAILS)):  # 30 away from 1000, in both data
        monkeypatch.setattr(claims, "CROSSINGS", {4: (970, error, 0), 6: (1030, error, 0)})
        rows = list(claims.curve_claims([4, 6], crossings([970, 1030], [10, 10]), [1.0, 2.0]))
        assert words(rows) == [word] * 2
    monkeypatch.setattr(claims, "CROSSINGS", {4: (1000, 10, 0), 6: (1000, 10, 0)})
    for means, words_ in (([1000, 1031], [claims.FAILS, claims.HOLDS]), ([1000, 1070], [claims.FAILS] * 2)):
        assert words(claims.curve_claims([4, 6], crossings(means, [10, 10]), [1.0, 2.0])) == words_


@pytest.mark.parametrize(
    "rms, mean, word",
    [
        (1.2, 0.2, claims.HOLDS),
        (1.2, -0.2, claims.HOLDS),
        (1.21, 0.2, claims.FAILS),
        (1.2, 0.21, claims.FAILS),
    ],
)
def test_the_bounds_of_the_plane_are_allowed(rms, mean, word):
    rows = claims.plane_claims(Comparison(None, 900, rms, mean, -3.14, ()), np.full((100, 10), 0.015))
    assert words(rows) == [word, claims.HOLDS] and "0.0150" in rows[1].computed
    assert words(claims.plane_claims(None, np.full((100, 10), -0.0151)))[1] == claims.FAILS
    assert words(claims.plane_claims(None, np.zeros(999)))[1] == claims.UNDECIDED


def ends(*values):
    """Runs of Figure 3 or 4 whose last training loss, test loss, attention on mu_+ and on xi_2 are given."""
    names = ("train_loss", "test_loss", "S_s", "S_2")
    return [
        SimpleNamespace(
            steps=np.array([0, 7, 500]), quantities={n: np.array([0.5, 0.4, v]) for n, v in zip(names, one)}
        )
        for one in values
    ]


@pytest.mark.parametrize(
    "end, benign, harmful",
    [
        ((0.009, 0.199, 0.5, 0.4), True, False),
        ((0.009, 0.201, 0.4, 0.5), False, True),
        ((0.009, 0.2, 0.4, 0.5), False, True),  # 0.2 is not below 0.2
        ((0.009, 0.2, 0.5, 0.4), False, False),
        ((0.009, 0.1, 0.5, 0.5), False, False),  # as much on one as on the other is not most
        ((0.009, 0.3, 0.5, 0.5), False, True),
        ((0.01, 0.1, 0.5, 0.4), False, False),
        ((0.01, 0.3, 0.4, 0.5), False, False),
    ],
)
def test_figures_3_and_4_at_the_bounds_of_their_criteria(end, benign, harmful, monkeypatch):
    def limit(regime, steps):
        losses = {"train_loss": np.array([9.0, steps[0]]), "test_loss": np.array([9.0, 0.25])}
        return SimpleNamespace(quantities=losses)

    monkeypatch.setattr(claims, "published_limit", limit)
    rows = list(claims.dynamics_claims({"benign": ends(end, end), "harmful": ends(end, end)}))
    assert words(rows) == [claims.HOLDS if holds else claims.FAILS for holds in (benign, harmful)]
    assert [row.claim for row in rows] == [
        "Figure 3: benign overfitting at step 500", "Figure 4: harmful overfitting at step 500"]  # fmt: skip
    assert rows[0].computed == "training loss 500, test loss 0.25"


def test_the_spread_that_is_told_is_the_standard_deviation_of_the_runs(monkeypatch):
    monkeypatch.setattr(claims, "published_limit", lambda regime, steps: SimpleNamespace(
        quantities={"train_loss": steps, "test_loss": steps}))  # fmt: skip
    three = ends((0.001, 0.1, 0.6, 0.3), (0.002, 0.2, 0.8, 0.2), (0.003, 0.6, 1.0, 0.1))
    (row,) = claims.dynamics_claims({"benign": three})
    assert "test loss 0.3 ± 0.26" in row.ours and "training loss 0.002 ± 0.001" in row.ours
    assert "attention on μ₊ 0.8 ± 0.2, on ξ₂ 0.2 ± 0.1 (sd, 3 runs)" in row.ours


def test_a_row_of_the_table_says_nothing_where_nothing_is_given():
    assert claims.Claim("one") == ("one", *[""] * 7, "python run_all.py --only fig1")
    with pytest.raises(TypeError):
        claims.Claim()


def test_C_p_is_read_off_the_published_settings():
    first, *_ = claims.other_claims()
    assert first.data == "20 at M = 16 (Figure 1), 20 at M = 4 (Figure 3), 20 at M = 4 (Figure 4)"
    assert first.verdict == f"{claims.FAILS} in Figures 3, 4"


# convergence


@pytest.mark.parametrize("regime, longest", [("benign", 40.0), ("harmful", 28.3)])
def test_the_base_of_convergence_to_the_last_value(regime, longest):
    given = {"sigma_p": 1 / 64, "C_p": 5 * sqrt(8), "eta": 7.2 / longest**2, "max_steps": 10**6}
    plain = br.Setting(N=6, M=8, d=4096, d_h=16, d_v=1, snr=convergence.SNRS[regime], epsilon=0.02, **given)
    for name, value in plain.values().items():
        expected = pytest.approx(value, rel=1e-14) if isinstance(value, float) else value
        assert getattr(convergence.base_setting(regime, 6, 0.02), name) == expected, name


def test_the_streams_of_a_draw_are_those_of_its_seed():
    s = br.Setting(N=2, M=3, d=9, d_h=2, d_v=1)
    data, theta = convergence.drawn(s, 5)
    assert np.array_equal(data.X, br.sample_dataset(s, br.make_rng(5, (0,))).X)
    assert np.array_equal(theta.W_K, br.init_parameters(s, br.make_rng(5, (1,))).W_K)


def test_T_in_the_limit_is_the_first_step_at_epsilon_or_nan(monkeypatch):
    asked, losses = [], np.array([0.5, 0.01, 0.004, 0.002, 0.0])

    def run(s):
        asked.append(s.epsilon)
        return SimpleNamespace(losses=losses)

    monkeypatch.setattr(convergence, "train_in_limit", run)
    for end, T in ((0.001, 4.0), (0.0011, float("nan"))):
        losses[-1] = end
        times = convergence.limit_times("benign", "eta", 1.0, 2, 4)
        assert times == pytest.approx([1.0, 3.0, T], nan_ok=True) and asked[-1] == pytest.approx(1e-3)


def test_held_times_follow_the_recursion_whatever_K(problem):
    rng = np.random.default_rng(2)
    f, y, K = rng.standard_normal(4), np.array([1.0, -1, -1, 1]), np.eye(4) + 0.3 * rng.random((4, 4))
    loss = lambda f: np.mean(np.log1p(np.exp(-y * f)))  # noqa: E731
    epsilons = [loss(f), 0.2, 0.05]  # the first is met at once
    expected, t, at = [], 0, f
    for epsilon in epsilons:
        while loss(at) > epsilon * (1 + 1e-12):
            at = at + K @ (y / (1 + np.exp(y * at)) / 4)
            t += 1
        expected.append(t)
    assert convergence.held_times(f, y, K, epsilons) == expected and expected[0] == 0 < expected[1]


def test_passages_end_with_the_steps_of_the_setting(monkeypatch):
    s = br.Setting(N=4, M=3, d=64, d_h=4, d_v=1, snr=20.0, eta=0.01)
    monkeypatch.setattr(convergence, "epsilon_setting", lambda regime: s)
    monkeypatch.setattr(convergence, "half_decades", lambda count: np.array([0.4, 0.3, 0.2]))
    found, held = convergence.passages("benign", 0, 2)
    times = [T for _, T, *_ in found]
    assert len(times) == 3 and held == times[2:] and times[0] < times[1] < times[2]
    for most, count in ((times[2] - 1, 2), (times[1], 2), (times[1] - 1, 1), (times[0] - 1, 0)):
        s = s.replace(max_steps=most)
        again, held = convergence.passages("benign", 0, 2)
        assert again == found[:count] and held == []


# departures


@pytest.mark.parametrize(
    "mean, errors, said",
    [
        (930, (6, 8), "cannot be decided"),  # at three joint errors of 10
        (930.1, (6, 8), "moves it"),
        (920, (6, 8), "cannot be decided"),  # at two
        (919.9, (6, 8), "no difference beyond chance"),
        (900, (0, 27), "cannot be decided"),  # two errors are 6% of 900
        (900, (0, 26.9), "no difference beyond chance"),
    ],
)
def test_the_verdict_on_a_departure_at_its_bounds(mean, errors, said):
    found, base = crossings([mean, 900], errors)
    assert departures.verdict(found, base) == said


# diagram, dynamics


def test_a_diagram_that_is_made_by_hand_has_computed_and_reused_nothing():
    numbers = np.zeros((1, 1, 1))
    one = grid.PhaseDiagram(*[np.ones(1)] * 3, numbers.astype(str), *[numbers] * 4, {})
    assert (one.computed, one.reused) == (0, 0)


def test_the_sample_of_the_published_panels_is_the_first_of_label_one(monkeypatch):
    s = br.Setting(N=6, M=4, d=40, d_h=5, d_v=3, snr=6.0, init="uniform", noise="full", max_steps=4)
    monkeypatch.setattr(dynamics, "published_setting", lambda name: s)
    for seed in range(6):
        y, Z, index = next(cell.draw_D1(s, cell.streams(s.snr, s.N, seed)[0], s.N, False))
        data, start = cell.streams(s.snr, s.N, seed)[:2]
        run = br.train(
            s, br.sample_dataset(s, data), br.init_parameters(s, start), record_every=2, engine="proof"
        )
        steps, found, *_ = dynamics.published_draw("benign", seed, 2, 3)
        sample = y.tolist().index(1.0)
        for k, record in enumerate(run.records):
            assert steps[k] == record.step and found["train_loss"][k] == pytest.approx(
                run.losses[record.step]
            )
            P, S, c = record.logits[sample], record.attention[sample], record.values[sample]
            expected = {"S_s": S[:, 0].mean(), "S_2": S[:, 1].mean(), "V_s": c[0], "V_2": c[1],
                        "P_ss": P[0, 0], "P_s2": P[0, 1], "P_is": P[2, 0], "P_i2": P[2, 1]}  # fmt: skip
            assert {name: found[name][k] for name in expected} == pytest.approx(expected, rel=1e-9)
        fresh = br.sample_dataset(s, cell.streams(s.snr, s.N, seed)[2], 3)
        assert found["test_loss"][-1] == pytest.approx(
            br.test_loss(run.parameters, fresh.X, fresh.y), rel=1e-9
        )


def test_attention_of_the_limit_over_the_queries_at_any_M():
    for M in (3, 5):
        s = br.Setting(N=4, M=M, d=64, d_h=4, snr=6.0, max_steps=30)
        one = dynamics.limit_trajectory(s, [0, 20])
        S = br.train_in_limit(s, record_every=[0, 20], backend="numpy").history.attention
        for key in "s2":
            rows = [S["s" + key], S["2" + key], *[S["i" + key]] * (M - 2)]
            assert one.quantities["S_" + key] == pytest.approx(np.mean(rows, axis=0), rel=1e-12)
        assert (one.quantities["slope_ratio"] == 1).all() and not one.converged


@pytest.mark.parametrize("train", [dynamics.limit_trajectory, None])
def test_without_small_tokens_their_quantities_are_no_numbers_and_all_others_are(train):
    s = br.Setting(N=4, M=2, d=64, d_h=4, snr=6.0, max_steps=30)
    in_law = dynamics.trajectory(s, 0, per_decade=2, n_test=5)
    one = train(s, [0, 20]) if train else dynamics.Trajectory.from_lists(*in_law)
    without = {name for name, values in one.quantities.items() if np.isnan(values).all()}
    assert without == {"V_i", *(what + pair for what in ("S_", "P_") for pair in ("si", "2i", "is", "i2"))}
    assert all(np.isfinite(values).all() for name, values in one.quantities.items() if name not in without)
    if train:
        S = br.train_in_limit(s, record_every=[0, 20]).history.attention
        for key in "s2":
            assert one.quantities["S_" + key] == pytest.approx((S["s" + key] + S["2" + key]) / 2, rel=1e-12)
        assert (one.phases.end, one.steps[0]) == (30, 0)


# fits


def test_a_fall_onto_the_level_is_one_and_a_fall_from_it_is_none():
    x, values = np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.2, 0.1])
    assert fits.crossing(x, values, 0.2) == (1.0, 0.0, 1.0)
    assert np.isnan(fits.crossing(x, values - 0.3, 0.2)).tolist() == [True] * 3
    assert fits.crossing(x, values, 0.3) == pytest.approx((2 / 3, 0, 1))


def test_a_crossing_of_one_row_has_no_error_and_of_none_no_mean():
    one, two, none = (fits.crossing_of_rows(rows) for rows in ([900.0, np.nan], [900.0, 910.0], [np.nan]))
    assert (one.mean, one.rows, one.draws) == (900, 1, 2) and np.isnan(one.error) and np.isnan(one.of_mean)
    assert two.error == pytest.approx(5) and two.mean == 905
    assert np.isnan([none.mean, none.error]).all() and (none.rows, none.draws) == (0, 1)


def test_the_bracket_is_that_of_the_neighbouring_cells():
    snrs, losses = np.array([1.0, 2.0, 4.0, 5.0]), np.array([0.9, 0.4, 0.1, 0.0])
    result = SimpleNamespace(snrs=snrs, Ns=[2, 8], test_loss=np.stack([losses, losses], axis=1)[:, :, None])
    c = fits.boundary_constant(result)
    assert c.bracket == pytest.approx((sqrt(8 * 32), sqrt(32 * 128)))  # geometric means over N
    at = [N * exp(log(4) + log(4) * 2 / 3) for N in (2, 8)]
    assert float(c) == pytest.approx(sqrt(at[0] * at[1])) and c.rows == 2


@pytest.mark.parametrize("freedom", [1, 2, 29, 30, 31, 200])
def test_the_interval_is_that_of_the_table_and_beyond_it_of_the_expansion(freedom):
    log_x = np.arange(freedom + 2.0)
    log_y = 2 * log_x + np.cos(3 * log_x)
    fit = fits.fit_power_law(np.exp(log_x / 9), np.exp(log_y / 9))
    _, covariance = np.polyfit(log_x / 9, log_y / 9, 1, cov=True)
    t = 1.960 + 2.372 / freedom + 2.82 / freedom**2 if freedom > 30 else fits.STUDENT_T[freedom - 1]
    assert (fit.high - fit.low) / 2 / sqrt(covariance[0, 0]) == pytest.approx(t, rel=1e-9)
    assert (fit.high + fit.low) / 2 == pytest.approx(fit.exponent, rel=1e-12)


def test_the_limit_is_searched_in_steps_of_a_hundredth(monkeypatch):
    asked = []
    monkeypatch.setattr(
        fits, "limit_diagram", lambda snrs, Ns, base: asked.append((snrs, Ns)) or np.ones((300, 1))
    )
    base = br.Setting(N=6, M=4)
    assert np.isnan(fits.limit_crossing(base, 6, 0.2))
    ((snrs, Ns),) = asked
    x = Ns[0] * snrs**2 / base.C_p**2
    assert (
        Ns == [6]
        and (x[0], x[-1]) == pytest.approx((0.3, 6))
        and np.diff(np.log(x)) == pytest.approx(log(20) / 299)
    )


# grid, images


def test_a_grid_may_have_as_many_cells_as_is_said_one_sample_and_the_seed_0(monkeypatch):
    monkeypatch.setattr(grid, "MOST_CELLS", 4)
    assert grid.checked_axes([2.0, 3.0], (1, 2), 1) == [[2.0, 3.0], [1, 2], [0]]
    assert grid.checked_axes([2.0], [1], range(4)) == [[2.0], [1], [0, 1, 2, 3]]
    for axes in (([2.0, 3.0], [1, 2], 2), ([2.0], [1], 5), ([2.0], [], 1)):
        with pytest.raises(ValueError, match="at most 4 cells"):
            grid.checked_axes(*axes)
    with pytest.raises(ValueError, match=r"^seeds\[1\] must be an integer .*got -1"):
        grid.checked_axes([2.0], [1], [0, -1])


def test_the_largest_cell_is_the_one_that_must_fit():
    base = br.Setting(M=3, d=32, d_h=4, d_v=4)
    grid.check_sizes(base, [2.0, 3.0], [15, 3], "law", 10)
    for Ns in ([2, 16], [16, 2]):
        with pytest.raises(ValueError, match="N=16, M=3 in law, got d=32"):
            grid.check_sizes(base, [2.0, 3.0], Ns, "law", 10)


def test_a_lost_cell_has_no_number():
    lost = grid.as_result(grid.workers.Lost(""))
    assert (lost.status, lost.steps) == (cell.LOST, -1) and np.isnan(lost[2:]).all()
    assert grid.as_result(None) is None and grid.as_result(("converged", 3, 0.1, 0.2, 0.0)).steps == 3


def test_a_file_as_published_goes_before_a_gzipped_one_and_that_before_one_with_a_dot(tmp_path):
    names = ["a-idx3", "a-idx3.gz", "a.idx3", "a.idx3.gz"]
    for there in range(4):
        for name in names[there:]:
            (tmp_path / name).touch()
        assert images.find_idx(tmp_path, "a-idx3") == tmp_path / names[there]
        for name in names:
            (tmp_path / name).unlink(missing_ok=True)


def test_why_a_file_cannot_be_read_is_said_in_words(tmp_path):
    with pytest.raises(ValueError, match=r"cannot be read: Is a directory$"):
        images.read_idx(tmp_path)
    (tmp_path / "cut").write_bytes(gzip.compress(b"\0\0\x08\x01" + bytes(100))[:-9])
    with pytest.raises(ValueError, match=r"cannot be read: Compressed file ended before"):
        images.read_idx(tmp_path / "cut")


# phases


def test_a_phase_begins_where_the_level_is_met_and_a_tie_is_the_signal_s():
    assert phases.Phases("signal", 0.5, 0.75, 1).found  # within one step
    assert phases.rises_for_good([3, 5, 9], np.array([0.0, 0.1, 0.2]), 0.1) == 5
    assert phases.rises_for_good([3, 5], np.array([0.0, 0.1]), 0.1) == 5
    assert phases.rises_for_good([3, 5], np.array([0.1, 0.1]), 0.1) == 3
    assert phases.find_phases([0, 1], *[[0.25, 0.25]] * 4, 4).winner == phases.SIGNAL
    for last, winner in ((0.4, phases.NOISE), (0.5, phases.SIGNAL), (0.6, phases.SIGNAL)):
        for before in (0.1, 0.9):  # only the last step counts
            rows = [before, 1 - before, last], [1 - before, before, 0.5], [0.3] * 3, [0.3] * 3
            assert phases.find_phases([0, 1, 2], *rows, 4).winner == winner


# sharpness


def turns_over(monkeypatch, at, value=0.5):
    """Make every draw turn over at x = at, where attention is exactly `value` and the loss exactly 0.2."""
    run = lambda x: SimpleNamespace(x=x, test_loss=lambda n, rng: 0.2 if x >= at else 0.3)  # noqa: E731
    monkeypatch.setattr(sharpness, "run_of", lambda draw, x: run(x))
    monkeypatch.setattr(sharpness, "attention", lambda run: value if run.x >= at else 0.4)


@pytest.mark.parametrize("quantity", sharpness.LEVELS)
@pytest.mark.parametrize("factor", [9.3, 1 / 9.3, 1.0001, 1 / 1.0001])
def test_the_x_of_a_draw_is_found_within_a_factor_ten_to_half_the_tolerance(quantity, factor, monkeypatch):
    turns_over(monkeypatch, 2.2 * factor)
    found = sharpness.critical_x_of_draw(sharpness.Draw(3, 2, 9, 2, 0), quantity)
    assert abs(log(found / 2.2 / factor)) <= sharpness.TOLERANCE / 2
    turns_over(monkeypatch, 2.2 * (10.5 if factor > 1 else 1 / 10.5))
    assert np.isnan(sharpness.critical_x_of_draw(sharpness.Draw(3, 2, 9, 2, 0), quantity))


def test_an_interval_as_long_as_the_tolerance_is_not_halved(monkeypatch):
    turns_over(monkeypatch, 2.3)
    whole = log(2.2) + log(1.12) - log(2.2)
    found = sharpness.critical_x_of_draw(sharpness.Draw(3, 2, 9, 2, 0), "test_loss", tolerance=whole)
    assert found == pytest.approx(2.2 * sqrt(1.12), rel=1e-14)


@pytest.mark.parametrize("at, second", [(9.0, 2.2 * 1.12), (0.5, 2.2 / 1.12)])
def test_x_moves_from_the_start_towards_where_a_draw_turns_over(monkeypatch, at, second):
    asked = []
    turns_over(monkeypatch, at)
    run_of = sharpness.run_of
    monkeypatch.setattr(sharpness, "run_of", lambda draw, x: asked.append(x) or run_of(draw, x))
    sharpness.critical_x_of_draw(sharpness.Draw(3, 2, 9, 2, 0), "test_loss")
    assert asked[:2] == pytest.approx([2.2, second])


def test_a_draw_whose_factor_is_one_has_the_default_of_every_x():
    draw = sharpness.Draw(3, 2, 90, 16, 0)
    assert draw[5:] == (0.01, 1.0) and sharpness.base_of(draw) == br.Setting(N=2, M=3, d=90, d_h=16)
    at_2 = 0.2 * 16**-0.25 / (5 * sqrt(3))  # N = 2: at x = 2 both tokens are as long
    assert sharpness.base_of(draw._replace(sigma_h_factor=3.0)).sigma_h == pytest.approx(3 * at_2)
    for factor in (0.0, 2.0):
        assert sharpness.base_of(draw._replace(sigma_h_factor=factor)).sigma_h == pytest.approx(factor * at_2)


# theorem


def test_a_rival_as_near_as_the_claim_is_not_beaten():
    verdict = theorem.verdict
    assert verdict([-1.25], -1) == verdict([-0.75], -1) == verdict([0.25], None) == theorem.FAILS
    assert verdict([-1.2499], -1) == verdict([-0.7501], -1) == verdict([0.2501], None) == theorem.HOLDS


def test_T_is_the_first_step_at_epsilon(monkeypatch):
    base = theorem.base_setting("benign")
    values = [base.epsilon * factor for factor in theorem.EPSILON_FACTORS]
    run = SimpleNamespace(losses=np.array([0.69, *values]))
    monkeypatch.setattr(theorem, "train_in_limit", lambda s: run)
    s, T, loss = theorem.through_epsilon("benign")
    assert T.measured == loss.values == (1, 2, 3, 4, 5) and T.values == loss.measured == tuple(values)
    assert s.epsilon == pytest.approx(0.003 / sqrt(10)) and loss.claimed == -1 and s.d_v == 1


def test_a_run_in_law_and_its_fresh_data_have_streams_of_their_own(monkeypatch):
    def train(s, rng, progress):
        drawn.append(rng.random())
        return SimpleNamespace(converged=True, steps=7, test_loss=lambda n, rng: (n, rng.random()))

    drawn = []
    monkeypatch.setattr(theorem, "train_in_law", train)
    assert theorem.end_in_law("benign", 6, 0.1, 20, 3) == (7, (2000, br.make_rng(3, (1,)).random()))
    assert drawn == [br.make_rng(3, (0,)).random()]


def test_a_stride_leaves_the_ends_and_the_base_is_not_run_again(monkeypatch):
    losses, history = np.linspace(0.7, 0, 500), SimpleNamespace(test_loss=np.ones(5))
    monkeypatch.setattr(theorem, "train_in_limit", lambda s, **how: SimpleNamespace(
        losses=losses, history=history, converged=True, steps=1 / s.eta))  # fmt: skip
    base = theorem.base_setting("harmful")
    for arguments, factors in (((), theorem.FACTORS), ((2,), theorem.FACTORS[::2])):
        (one,) = (one for one in theorem.exponents("harmful", *arguments) if one.quantity == "eta")
        assert one.values == pytest.approx([base.eta * factor for factor in factors])
        middle = len(factors) // 2  # of which T is known from the run through epsilon
        assert one.measured[middle] == int(np.argmax(losses <= base.epsilon)) != 1 / base.eta
        assert one.measured[0] == pytest.approx(1 / (base.eta * factors[0]))
