"""Draws are added by the stated rule, and each is a row of the published plane."""

from types import SimpleNamespace

import numpy as np
import pytest

from benign_ref.experiments import figure1
from benign_ref.experiments.cell import run_cell
from benign_ref.experiments.fits import crossing, row_crossings

SNRS, NS = np.array([figure1.snr_of(float(mu)) for mu in figure1.MUS]), [2, 6, 20]


def plane(at):
    """Figure 1 made up: the row of draw k at N = NS[j] falls through 0.2 at N SNR^2 = at[j][k]."""
    x = np.log(np.outer(SNRS**2, NS))[:, :, None] - np.log(at)
    return SimpleNamespace(snrs=SNRS, Ns=NS, seeds=np.arange(5, 15), test_loss=0.2 - 0.1 * np.tanh(3 * x))


def spread(width):
    return 900 * (1 + width * np.linspace(-1, 1, 10))


RESULT = plane([spread(0.01), spread(0.3), spread(0.01)])  # N = 6 alone is uncertain, and N = 2 never judged


def test_draws_are_added_where_the_error_is_large_until_it_is_small():
    asked = []

    def compute(tasks):
        asked.append(tasks)
        return {task: 905.0 for task in tasks}

    found, added = figure1.crossings(RESULT, compute)
    own = row_crossings(RESULT, 0.2)
    assert own[1].error > figure1.ENOUGH and repr([found[0], found[2]]) == repr([own[0], own[2]])
    assert found[1].error <= figure1.ENOUGH and found[1].draws == 10 + len(added) < figure1.MOST
    assert [len(tasks) for tasks in asked] == [figure1.BATCH] * (len(added) // figure1.BATCH)
    assert list(added) == [(6, 15 + k) for k in range(len(added))]  # other seeds than the ten rows have
    ten = np.exp([crossing(np.log(6 * SNRS**2), row, 0.2)[0] for row in RESULT.test_loss[:, 1].T])
    all_of_them = [*ten, *added.values()]
    assert np.isclose(found[1].mean, np.mean(all_of_them)) and found[1].of_mean == own[1].of_mean
    assert np.isclose(found[1].error, np.std(all_of_them, ddof=1) / np.sqrt(len(all_of_them)))
    before_the_last = all_of_them[: -figure1.BATCH]
    assert np.std(before_the_last, ddof=1) / np.sqrt(len(before_the_last)) > figure1.ENOUGH


def test_no_more_than_the_stated_number_and_none_at_all_if_none_are_wanted():
    rng = np.random.default_rng(0)
    found, added = figure1.crossings(RESULT, lambda tasks: {t: 900 + 900 * rng.random() for t in tasks})
    assert found[1].draws == figure1.MOST and found[1].error > figure1.ENOUGH
    assert repr(figure1.crossings(RESULT, None)) == repr((row_crossings(RESULT, 0.2), {}))


def test_a_draw_that_never_falls_counts_as_a_draw_and_not_in_the_mean():
    nowhere = float("nan")
    found, _ = figure1.crossings(RESULT, lambda tasks: {t: 905.0 if t[1] % 2 else nowhere for t in tasks})
    assert found[1].rows == 10 + (found[1].draws - 10) // 2 and np.isfinite(found[1].mean)


def test_an_error_of_the_bound_itself_is_small_enough():
    values = [920.0, 960.0] + [float("nan")] * 8
    found, added = figure1.crossings(
        plane([[900] * 10, [1e9] * 10, [900] * 10]), lambda tasks: dict(zip(tasks, values))
    )
    assert found[1].error == figure1.ENOUGH and len(added) == figure1.BATCH


def test_a_row_from_the_right_has_the_crossing_of_the_whole_row_and_asks_for_no_more_than_it_needs(
    monkeypatch,
):
    rng, snrs = np.random.default_rng(3), np.linspace(3, 20, 25)

    def cell_of(snr, *place, **how):
        asked.append((snr, *place, how))
        return SimpleNamespace(test_loss=row[list(snrs).index(snr)])

    monkeypatch.setattr(figure1, "run_cell", cell_of)
    for case in range(200):
        row = 0.5 - 0.02 * np.arange(25) + 0.2 * rng.standard_normal(25)
        row[rng.random(25) < 0.1] = np.nan  # cells that did not end well
        row += case % 5 == 4  # never falls
        asked = []
        at = figure1.crossing_of_draw("a base", 6, case, snrs)
        whole, before, _ = crossing(np.log(6 * snrs**2), row, 0.2)
        assert at == np.exp(whole) or (np.isnan(at) and np.isnan(whole))
        needed = snrs if np.isnan(at) else snrs[np.log(6 * snrs**2) >= before]
        how = {"base": "a base", "engine": "proof", "n_test": 100}
        assert asked == [(snr, 6, case, how) for snr in needed[::-1]]


@pytest.mark.parametrize("N", [4])
def test_a_row_is_one_of_the_published_plane(N):
    at = figure1.row(N, 3)
    first = int(np.searchsorted(N * SNRS**2, at)) - 1  # the cells on both sides of it, and all above
    losses = [
        run_cell(snr, N, 3, base=figure1.BASE, engine="proof", n_test=figure1.N_TEST).test_loss
        for snr in SNRS[first:]
    ]
    assert losses[0] > 0.2 >= max(losses[1:])
    fallen, *_ = crossing(np.log(N * SNRS[first:] ** 2), np.array(losses), 0.2)
    assert at == np.exp(fallen)
