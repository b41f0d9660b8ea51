"""The comparison counts what it says, and the verdicts that are kept belong to the wrong gradients of
today.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from benign_ref.audit import comparison
from benign_ref.paper.gradients import gradients
from benign_ref.wrong.gradients import MUTANTS

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_mutants_are_many_different_and_wrong():
    X, y, theta = comparison.point(1.0, 0)
    made = [np.concatenate([np.ravel(G) for G in m.gradients(theta, X, y)]) for m in MUTANTS]
    made.append(np.concatenate([np.ravel(G) for G in gradients(theta, X, y)]))
    assert len({(m.block, m.name) for m in MUTANTS}) == len(MUTANTS) >= 19
    assert all(np.abs(a - b).max() > 1e-6 for k, a in enumerate(made) for b in made[:k])


def test_the_comparison_counts_and_names_what_is_absent():
    absent = comparison.Checker("nobody's", "no_such_package", None, "")
    one = [c for c in comparison.CHECKERS if c.name in ("Taylor test", "ours (complex step)")]
    rows = comparison.compare((0,), (1e-3,), [*one, absent])
    checkers, scales, mutants, accepted = comparison.shares(rows)
    assert checkers == ["Taylor test", "ours (complex step)"] and scales == [1e-3]
    assert mutants == [(m.block, m.name) for m in [*MUTANTS, comparison.RIGHT]]
    assert comparison.counted(accepted[:, 1, 0]) == ("0", True)
    untried = np.isnan(comparison.shares([*rows[:3], *rows[4:]])[3])
    assert untried.sum() == untried[-2, 0].sum() == 1 and not np.isnan(accepted).any()
    words, right = comparison.counted(accepted[:, 0, 0])
    assert int(words) >= 15 and right  # all of W_Q and W_K pass a test in one direction
    text, table = comparison.table(rows), comparison.table(rows, markdown=True)
    assert f"{words} of {len(MUTANTS)}" in text and table.count("\n") == 4
    assert table.splitlines()[-1] == "| nobody's | absent |  |  |"
    verdicts = np.array([[1, 1, np.nan], [1, 0, np.nan], [1, 1, np.nan], [1, 0, np.nan]])  # the third untried
    assert comparison.counted(verdicts) == ("2-3", False)
    rejecting = comparison.Checker("nothing's right", "", lambda f, grad, theta: False, "")
    table = comparison.table(comparison.compare((0, 1), (1.0,), [rejecting]), markdown=True)
    assert f"| 0 of {len(MUTANTS)}, rejects the right one |" in table


@pytest.mark.parametrize("checker", [c for c in comparison.CHECKERS if c.module], ids=lambda c: c.module)
def test_a_peer_accepts_the_right_gradient_and_rejects_wrong_ones(checker):
    if comparison.version_of(checker) is None:
        pytest.skip(f"{checker.module} is not installed, so its checker judges nothing here")
    verdicts = {(row[4], row[5]): row[6] for row in comparison.compare((0,), (1.0,), [checker])}
    assert verdicts["none", comparison.RIGHT.name] == 1
    assert sum(verdicts.values()) < len(verdicts) / 4


def test_the_kept_verdicts_belong_to_the_mutants_of_today():
    with open(ROOT / "figures" / "checkers.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == comparison.HEADER
    assert {(row[4], row[5]) for row in rows} == {(m.block, m.name) for m in [comparison.RIGHT, *MUTANTS]}
    assert {row[0] for row in rows} == {c.name for c in comparison.CHECKERS}
    scales = {str(scale) for scale in (*comparison.SCALES, comparison.SATURATED)}
    every = {(c.name, seed, scale) for c in comparison.CHECKERS for seed in "012" for scale in scales}
    assert {(row[0], row[2], row[3]) for row in rows} == every
    assert all(row[6] == "1" for row in rows if row[4] == "none" and row[3] != comparison.SATURATED)
    for ours in ("ours (complex step)", "ours (exact arithmetic)"):
        assert {row[6] for row in rows if row[0] == ours and row[4] != "none"} == {"0"}
        assert {row[6] for row in rows if row[0] == ours and row[4] == "none"} == {"1"}


def test_what_is_installed_but_cannot_be_imported_is_absent(monkeypatch):
    checker = comparison.Checker("broken", "iniconfig", None, "")  # which pytest brings along
    assert comparison.version_of(checker)
    monkeypatch.setitem(comparison.sys.modules, "iniconfig", None)
    assert comparison.version_of(checker) is None


@pytest.mark.parametrize("seed", range(5))
def test_attention_is_saturated_where_it_is_said_to_be(seed):
    X, _, theta = comparison.point(comparison.SATURATED, seed)
    differ = comparison.gaps(seed)
    assert differ.size == comparison.N * comparison.M and 20 < differ.min() and differ.max() < 60
    assert 0 < np.abs(gradients(theta, X, np.ones(len(X))).W_Q).max() < 1e-9


def test_wrong_arguments_are_exit_status_2(capsys):
    with pytest.raises(SystemExit) as stop:
        comparison.main(["--seeds", "0", "-1"])
    assert stop.value.code == 2
    assert "argument --seeds: must be an integer from 0 to 2**53, got '-1'" in capsys.readouterr().err


def test_a_flat_vector_comes_apart_as_it_was_joined():
    _, _, theta = comparison.point(1.0, 0)
    given = []
    value, slope, x = comparison.flattened(lambda at: given.append(at) or 7, lambda at: at, theta)
    assert value(x) == 7 and all(map(np.array_equal, theta, given[0])) and given[0].w_O.shape == (2,)
    assert np.array_equal(slope(x), x) and np.array_equal(x[:12].reshape(4, 3), theta.W_Q)
    assert np.linalg.norm(theta.w_O) == pytest.approx(1) and comparison.point(1e-3, 0)[
        2
    ].W_Q == pytest.approx(1e-3 * theta.W_Q)
