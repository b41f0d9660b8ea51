"""Ties, ends and single cases of Figure 1 and claims: where `>` and `>=`, the first and the last differ."""

from math import sqrt
from types import SimpleNamespace

import numpy as np
import pytest

from benign_ref.experiments import (
    claims,
    departures,
    figure1,
    grid,
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
