"""The authors' facts against each other, and the comparison with their file, on files made here."""

from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import figure1
from benign_ref.experiments.fits import row_crossings
from benign_ref.experiments.grid import PhaseDiagram

SNRS = np.arange(1, 101) / 6.4
NS = np.arange(2, 21, 2)


def losses(constant, rng, noise=0.01):
    """(100,10,10): a fall through 0.2 at N SNR^2 = constant, with noise."""
    at = np.log(NS * SNRS[:, None] ** 2 / constant)
    return np.clip(0.2 - 0.3 * np.tanh(at)[:, :, None], 0.01, None) + noise * rng.random((100, 10, 10))


def as_file(test_loss):
    """(||mu||, N, draw) as the authors' 100 x 100 numbers."""
    return test_loss.transpose(1, 2, 0).reshape(100, 100)


def result_of(test_loss):
    status = np.full(test_loss.shape, "converged")
    numbers = np.zeros(test_loss.shape)
    return PhaseDiagram(SNRS, NS, np.arange(10), status, numbers.astype(int), numbers, test_loss, numbers, {})


def test_the_axes_of_the_file_are_rows_of_draws_by_N_and_columns_of_mu(tmp_path):
    test_loss = losses(900, np.random.default_rng(0))
    path = tmp_path / "matrix.npy"
    np.save(path, as_file(test_loss))
    matrix = figure1.read_matrix(path)
    assert np.array_equal(matrix.test_loss, test_loss) and np.allclose(matrix.snrs, SNRS)
    np.savetxt(tmp_path / "matrix.txt", as_file(test_loss), fmt="%.17g")
    assert np.array_equal(figure1.read_matrix(tmp_path / "matrix.txt").test_loss, test_loss)
    row = as_file(test_loss)[57]  # N = 2 floor(67/10) = 12, its draw 7
    assert np.array_equal(row, matrix.test_loss[:, list(matrix.Ns).index(12), 7])


GOOD = as_file(losses(900, np.random.default_rng(1)))


@pytest.mark.parametrize(
    "values, why",
    [
        (GOOD[:, :99], "100 x 100 real numbers, got shape"),
        (GOOD.astype(complex), "100 x 100 real numbers"),
        (np.where(GOOD == GOOD[3, 4], np.nan, GOOD), "finite and not negative"),
        (GOOD - 1, "finite and not negative"),
        (GOOD.T.copy(), "fall through 0.2 at N SNR\\^2 = .*, far from 1000"),
        (np.full((100, 100), 0.5), "fall through 0.2 at N SNR\\^2 = nan"),
        (np.array([{}]), "cannot be read"),
    ],
)
def test_a_file_that_is_something_else_is_refused_with_a_reason(tmp_path, values, why):
    np.save(tmp_path / "matrix.npy", values, allow_pickle=True)
    with pytest.raises(ValueError, match=rf"matrix\.npy: .*{why}"):
        figure1.read_matrix(tmp_path / "matrix.npy")


def test_a_missing_file_and_a_picture_are_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    for name in ("nowhere.npy", "nowhere.txt", "picture.png"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read as the authors' matrix"):
            figure1.read_matrix(tmp_path / name)


def test_z_of_two_samples_of_one_law_is_standard_and_a_shift_is_seen():
    rng = np.random.default_rng(2)
    base = losses(900, rng, noise=0.0)
    draw = lambda: base + 0.02 * rng.standard_normal(base.shape)  # noqa: E731
    theirs, ours = figure1.Matrix(SNRS, NS, draw()), result_of(draw())
    same = figure1.compare(theirs, ours)
    assert same.pairs == 900 and same.z.shape == (100, 10) and 0.9 < same.rms < 1.2 and abs(same.mean) < 0.15
    by_hand = (theirs.test_loss[7, 3].mean() - ours.test_loss[7, 3].mean()) / np.sqrt(
        theirs.test_loss[7, 3].var(ddof=1) / 10 + ours.test_loss[7, 3].var(ddof=1) / 10
    )
    assert np.isclose(same.z[7, 3], by_hand, rtol=1e-12)
    moved = ours.test_loss.copy()
    moved[30, 6] += 1.0
    far = figure1.compare(theirs, result_of(moved))
    assert far.largest < -50 and far.at == (SNRS[30], 14)
    moved[:, 0] += 1.0  # N = 2 is not among the pairs that are judged
    assert figure1.compare(theirs, result_of(moved)).rms == far.rms


def test_crossings_of_rows_are_means_over_the_rows_that_cross():
    rng = np.random.default_rng(3)
    found = row_crossings(SimpleNamespace(snrs=SNRS, Ns=NS, test_loss=losses(900, rng, noise=0.0)), 0.2)
    for N, c in zip(NS, found):
        if N * SNRS[-1] ** 2 > 900:
            assert (
                c.rows == c.draws == 10 and abs(c.mean / 900 - 1) < 0.01 and abs(c.of_mean / 900 - 1) < 0.01
            )
        else:
            assert c.rows == 0 and np.isnan([c.mean, c.error, c.of_mean]).all()
    values = losses(900, rng, noise=0.0)
    values[:, 9, 3] = 0.5  # one row of N = 20 never falls
    reversed_axis = SimpleNamespace(snrs=SNRS[::-1], Ns=NS, test_loss=values[::-1])
    assert row_crossings(reversed_axis, 0.2)[9].rows == 9


def test_the_red_curve_as_drawn_marks_what_is_cited():
    for N, marked in ((4, 834), (6, 892), (10, 948), (20, 1001)):
        assert round(figure1.red_curve_as_drawn(N)) == marked


def test_the_cited_crossings_follow_one_curve_no_better_than_to_ten_percent():
    means = np.array([mean for mean, *_ in figure1.CROSSINGS.values()])
    assert list(figure1.CROSSINGS) == list(range(4, 21, 2)) and 0.1 < means.max() / means.min() - 1 < 0.15


def test_snr_of_mu_is_that_of_the_setting():
    assert figure1.snr_of(64.0) == pytest.approx(10) == br.published_setting("figure1", N=4, mu=64.0).snr


def test_a_crossing_is_the_last_fall_of_each_row_with_the_standard_error_of_a_mean():
    draws = [[0.5, 0.1, 0.5, 0.1, 0.1], [0.5, 0.5, 0.5, 0.3, 0.1], [0.5, 0.4, 0.3, 0.1, 0.3]]
    rows = np.array(draws).T
    snrs = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    (found,) = row_crossings(SimpleNamespace(snrs=snrs, Ns=[2], test_loss=rows[:, None]), 0.2)
    between = lambda a, b, part: 2 * a**2 * (b / a) ** (2 * part)  # noqa: E731
    at = [between(3, 4, 0.75), between(4, 5, 0.5), between(3, 4, 0.5)]
    assert np.isclose(found.mean, np.mean(at)) and np.isclose(found.error, np.std(at, ddof=1) / np.sqrt(3))
    mean = rows.mean(axis=1)  # falls through 0.2 between the third and the fourth
    assert np.isclose(found.of_mean, between(3, 4, (mean[2] - 0.2) / (mean[2] - mean[3]))) and found.rows == 3
