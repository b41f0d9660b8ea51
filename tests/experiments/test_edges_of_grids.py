"""Ties, ends and single cases of fits, grids, phases: where `>` and `>=`, the first and the last differ."""

import gzip
from math import exp, log, sqrt
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import (
    cell,
    fits,
    grid,
    images,
    phases,
    sharpness,
)

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
