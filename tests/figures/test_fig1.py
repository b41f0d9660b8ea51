"""Figure 1 from its parts: what is computed, what is printed, what is refused; grids of three cells."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
import run_all
from benign_ref import train_in_limit
from benign_ref.experiments import figure1, fits
from figures import fig1
from figures.common import Options


def test_the_complete_figure_is_the_published_plane_and_the_quick_one_a_part_of_it():
    mus, Ns, draws = fig1.SIZES["full"]
    assert mus == list(range(1, 101)) and Ns == list(range(2, 21, 2)) and draws == 10
    quick_mus, quick_Ns, quick_draws = fig1.SIZES["quick"]
    assert set(quick_mus) <= set(mus) and set(quick_Ns) <= set(Ns) and quick_draws < draws


def test_the_limit_is_computed_at_every_published_pair_with_the_extra_step(tmp_path):
    plane = fig1.computed_plane(Options(tmp_path, jobs=1))
    assert plane.mean.shape == (100, 10)
    for i, j in ((96, 1), (44, 9), (3, 0)):
        s = br.published_setting("figure1", N=int(plane.Ns[j]), mu=float(i + 1))
        assert plane.mean[i, j] == train_in_limit(s).test_loss
    assert (
        plane.mean[96, 1]
        != train_in_limit(br.published_setting("figure1", N=4, mu=97.0).replace(extra_steps=0)).test_loss
    )


def test_the_limit_crosses_where_it_is_cited():
    """Computed once, at these scales, by this project: N SNR^2 by N."""
    cited = {2: 733, 4: 973, 6: 878, 8: 890, 10: 947, 12: 954, 14: 966, 16: 995, 18: 1009, 20: 990}
    found = [fits.limit_crossing(fig1.BASE, N, fig1.LEVEL) for N in cited]
    assert np.allclose(found, list(cited.values()), rtol=2e-3)
    assert not any(
        N * figure1.snr_of(100.0) ** 2 > c for N, c in cited.items() if N == 2
    )  # N = 2 ends before


def test_the_crossings_of_the_full_figure_take_added_draws_and_those_of_the_quick_one_do_not(monkeypatch):
    snrs = np.array([11.0, 12.0, 13.0, 14.0])
    losses = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.1], [0.5, 0.1, 0.1], [0.1, 0.1, 0.1]])[:, None]
    result = SimpleNamespace(snrs=snrs, Ns=[6], seeds=np.arange(3), test_loss=losses)
    monkeypatch.setattr(figure1, "row", lambda N, seed: 900.0 + seed % 2)
    options = Options(out=None, jobs=1)
    (found,), added = fig1.measure_crossings(options, result)
    assert found.error <= figure1.ENOUGH and found.draws == 3 + len(added) and (6, 3) in added
    assert f"Added: {len(added)} at N = 6." in fig1.more_draws_in_words(False, result, [found])
    assert fig1.measure_crossings(dataclasses.replace(options, quick=True), result)[1] == {}


def test_a_wrong_matrix_is_refused_before_any_work(tmp_path, capsys):
    path = tmp_path / "matrix.txt"
    path.write_text("1 2\n3 4\n", encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        run_all.load(
            ["--only", "fig1", "--quick", "--authors-matrix", str(path), "--out", str(tmp_path / "out")]
        )()
    assert caught.value.code == 2 and not (tmp_path / "out").exists()
    assert "is not the authors' matrix: it must hold 100 x 100 real numbers" in capsys.readouterr().err


@pytest.mark.parametrize("given", [False, True])
def test_the_figure_is_made_with_and_without_the_authors_matrix(shared, tmp_path, monkeypatch, capsys, given):
    monkeypatch.setitem(fig1.SIZES, "quick", ([60.0, 66.0], [10, 12], 2))
    arguments = ["--only", "fig1", "--quick", "--jobs", "1", "--out", str(shared)]
    if given:
        plane = fig1.computed_plane(Options(tmp_path, jobs=1, store=shared / "store"))
        theirs = plane.mean[:, :, None] + 0.01 * np.random.default_rng(0).random((100, 10, 10))
        np.save(tmp_path / "matrix.npy", theirs.transpose(1, 2, 0).reshape(100, 100))
        arguments += ["--authors-matrix", str(tmp_path / "matrix.npy")]
    assert run_all.load(arguments)() == 0
    printed, caption = capsys.readouterr().out, (shared / "fig1.txt").read_text(encoding="utf-8")
    assert "N = 10:" in printed and "916 +- 13" in printed
    assert ("z against the authors' matrix, 4 pairs" in printed) == given == ("z of every pair" in caption)
    table = (shared / "fig1.csv").read_text(encoding="utf-8").splitlines()
    assert (
        sum(line.startswith("draw,") for line in table) == 8
        and sum(line.startswith("limit,") for line in table) == 1000
    )
