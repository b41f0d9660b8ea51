"""The figure of departures, from one of them at N = 4."""

import numpy as np

import run_all
from benign_ref.experiments import departures
from figures import departures as figure


def test_the_figure_says_the_verdict_of_each_row(tmp_path, monkeypatch, capsys):
    kept = {name: departures.DEPARTURES[name] for name in ("published", "w_O")}
    monkeypatch.setattr(figure, "DEPARTURES", kept)
    monkeypatch.setitem(figure.SIZES, "quick", ((4,), 2, 2, 5))
    assert run_all.load(["--only", "departures", "--quick", "--jobs", "1", "--out", str(tmp_path)])() == 0
    printed, caption = capsys.readouterr().out, (tmp_path / "departures.txt").read_text(encoding="utf-8")
    assert "the published experiment (Figure 1): " in printed and "the base | 973" in printed
    assert "||w_O|| = 1 for 1/sqrt(3)" in printed and "| 537 (-437)" in printed
    assert "Moves it:" in caption and "N = 4" in caption


def test_a_standard_error_that_is_not_there_is_not_printed():
    one = figure.in_words("a", 4, 1005.2, np.nan, 1, 2, 118.1, np.nan, "cannot be decided", 931.0, -42.0)
    assert one == "    N =  4 a: 1005 (1/2), +118: cannot be decided | 931 (-42)"
    base = figure.in_words("b", 10, 946.0, 13.6, 8, 8, "", "", "the base", 947.0, "")
    assert base == "    N = 10 b: 946 +- 14 (8/8), the base | 947"
