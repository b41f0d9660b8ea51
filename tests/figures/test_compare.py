"""Numbers against the reference: what is identical, the same, allowed and not."""

import importlib
from pathlib import Path

import pytest

from figures import compare

TABLE = dict(compare.TOLERANCES)
HEADER = ["what", "steps", "loss", "seconds", "shaky"]
ROWS = [["a", "10", "0.5", "1.0", "2.0"], ["b", "20", "nan", "3.0", "-4e-8"]]


@pytest.fixture(autouse=True)
def tolerances(monkeypatch):
    table = {
        ("fig", "seconds"): (compare.NOT_COMPARED, "time"),
        ("fig", "shaky"): (0.1, "a small difference"),
    }
    monkeypatch.setattr(compare, "TOLERANCES", table)


def judged(line=0, column=None, text=None, rows=None):
    changed = [list(row) for row in rows or ROWS]
    if column:
        changed[line][HEADER.index(column)] = text
    return compare.judge("fig", [HEADER, *ROWS], [HEADER, *changed])


@pytest.mark.parametrize(
    "line, column, text, start, wrong",
    [
        (0, None, None, "identical", False),
        (0, "loss", "0.50000", "identical", False),
        (0, "seconds", "77", "identical", False),
        (0, "loss", repr(0.5 * (1 + 5e-10)), "same to 1e-09", False),
        (
            0,
            "loss",
            repr(0.5 * (1 + 2e-9)),
            "differs in 1 cells, most in column 'loss', line 2 (a, 10, 0.5)",
            True,
        ),
        (0, "steps", "11", "differs in 1 cells, most in column 'steps'", True),
        (0, "what", "c", "differs in 1 cells, most in column 'what'", True),
        (1, "loss", "0.5", "differs in 1 cells, most in column 'loss', line 3", True),
        (0, "loss", "nan", "differs", True),
        (0, "loss", "inf", "differs", True),
        (0, "loss", "", "differs", True),
        (0, "loss", "-0.5", "differs", True),
        (
            1,
            "shaky",
            "-3.8e-8",
            "same to what its columns allow, differs most in column 'shaky', line 3",
            False,
        ),
        (1, "shaky", "-3e-8", "differs in 1 cells, most in column 'shaky'", True),
    ],
)
def test_a_changed_cell(line, column, text, start, wrong):
    sentence, differs = judged(line, column, text)
    assert sentence.startswith(start) and differs == wrong


def test_whole_numbers_are_not_compared_as_floats():
    assert compare.relative(str(2**53), str(2**53 + 1)) == float("inf")
    assert compare.relative("1", "1.0") == compare.relative("0.0", "-0.0") == 0.0


def test_another_shape_differs():
    assert judged(rows=ROWS[:1]) == (
        f"differs: 2 lines, columns {HEADER}; the reference 3, columns {HEADER}",
        True,
    )
    assert compare.judge("fig", [HEADER], [HEADER[:2]])[1]
    assert compare.judge("fig", [HEADER, *ROWS], [HEADER, ROWS[0], ROWS[1][:-1]])[1]
    assert compare.judge("fig", [HEADER, *ROWS], [])[1]


def test_a_figure_of_times_is_not_compared(monkeypatch):
    monkeypatch.setitem(compare.TOLERANCES, ("fig", "*"), (compare.NOT_COMPARED, "times of one machine"))
    assert judged(0, "what", "c") == ("not compared: times of one machine", False)


def test_every_exception_names_a_column_that_is_there_and_its_reason():
    for (figure, column), (tolerance, why) in TABLE.items():
        source = Path(importlib.import_module(f"figures.{figure}").__file__).read_text(encoding="utf-8")
        assert column == "*" or f'"{column}"' in source
        assert tolerance > compare.TOLERANCE and len(why) > 3
