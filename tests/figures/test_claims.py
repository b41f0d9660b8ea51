"""The table of claims, from few cells and two runs of each dynamics."""

import pytest

import run_all
from figures import fig1, published_dynamics


def test_the_table_is_written_as_markdown_csv_and_picture(shared, monkeypatch, capsys):
    monkeypatch.setitem(fig1.SIZES, "quick", ([60.0, 66.0], [10, 12], 2))
    for name, small in {"RUNS": {"quick": 2}, "EVERY": 25}.items():
        monkeypatch.setattr(published_dynamics, name, small)
    assert run_all.load(["--only", "claims", "--quick", "--jobs", "1", "--out", str(shared)])() == 0
    printed = capsys.readouterr().out
    assert "Figure 1, N = 10" in printed and "needs the authors' file" in printed
    table = (shared / "claims.md").read_text(encoding="utf-8")
    assert table.startswith(
        "| claim | captioned | drawn | data | ours | computed | criterion | verdict | command |"
    )
    assert "916 ± 13" in table and "Figure 4: harmful" in table
    assert all((shared / f"claims.{kind}").stat().st_size > 1000 for kind in ("png", "pdf", "csv"))
    words = (shared / "claims.txt").read_text(encoding="utf-8")
    counted = [int(word) for word in words.split("Of ")[1].replace(".", " ").split() if word.isdigit()][:4]
    assert counted[0] == sum(counted[1:]) == pytest.approx(table.count("| python run_all.py"))
