"""fig2: the published axes with the original files, the reduced ones said on its face, and what is kept."""

import csv
from pathlib import Path

import pytest

from benign_ref.experiments import border
from figures import common, fig2


def test_the_grid_is_the_published_one_with_the_original_files_and_reduced_without():
    whole = fig2.grid(common.Options(Path(), mnist=Path("folder")))
    assert whole == {"snrs": border.SNRS, "Ns": border.NS, "epochs": 15, "n_test": 10_000}
    reduced = fig2.grid(common.Options(Path()))
    assert reduced["snrs"] == border.SNRS and max(reduced["Ns"]) == 1600 and reduced["n_test"] == 400
    assert reduced["epochs"] == 15


def test_a_small_figure_says_that_it_is_reduced_and_is_the_same_again(tmp_path, monkeypatch):
    sizes = {"snrs": (0.2, 1.0, 2.0), "Ns": (8, 12), "epochs": 1, "n_test": 8}
    monkeypatch.setattr(fig2, "grid", lambda options: sizes)
    quiet = lambda *arguments: None  # noqa: E731
    first = fig2.make(common.Options(tmp_path, jobs=1, store=tmp_path / "store", progress=quiet))
    caption = (tmp_path / "fig2.txt").read_text(encoding="utf-8")
    assert "REDUCED [C]" in caption and "digits 0, 1, 3, 7" in caption and "{" not in caption
    with open(tmp_path / "fig2.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9 and [row["pixels"] for row in rows].count("clipped") == 3
    one = border.run_cell(1.0, 12, 0, "clipped", path=None, epochs=1, n_test=8)
    (row,) = (row for row in rows if (row["snr"], row["N"], row["pixels"]) == ("1.0", "12", "clipped"))
    assert float(row["test_loss"]) == pytest.approx(one[0], rel=1e-12)

    def never(*task, **settings):
        raise AssertionError("a second run computes nothing")

    monkeypatch.setattr(border, "run_cell", never)
    numbers = (tmp_path / "fig2.csv").read_bytes()
    again = fig2.make(common.Options(tmp_path, jobs=1, store=tmp_path / "store", progress=quiet))
    assert (tmp_path / "fig2.csv").read_bytes() == numbers and again.lines == first.lines
