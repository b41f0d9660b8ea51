"""Changes by the syntax tree: what is changed and what is left alone; who rejects them; what is kept."""

import ast
from types import SimpleNamespace

import pytest

from benign_ref.audit import mutate
from benign_ref.audit.core import Entry
from benign_ref.audit.mutants import patches, syntax

SOURCE = '''"""A docstring with 1 + 2."""

from . import validate


def f(a: int = 3, b=2.5):
    """1 < 2."""
    validate.integer("a", a, 1)
    if a < 0:
        raise ValueError(f"a must be >= 0, got {a + 1}")
    elif a > 7:
        a -= 1
    x = a * b if a == 4 and b else -a
    return max(x.T @ x[1], 0)
'''


def test_every_operator_constant_index_comparison_and_branch_is_changed_and_nothing_else():
    found = [(*syntax.lines_of(SOURCE, change)[::2], change.kind) for change in syntax.changes(SOURCE)]
    assert {(line, kind) for line, _, kind in found} == {
        (6, "constant"),
        (11, "comparison"), (11, "constant"), (11, "branch"),
        (12, "operator"), (12, "constant"),
        (13, "operator"), (13, "comparison"), (13, "constant"), (13, "branch"),
        (14, "operator"), (14, "constant"),
    }  # fmt: skip
    new = {text for _, text, _ in found}
    assert {
        "def f(a: int = 4, b=2.5):", "def f(a: int = 3, b=5.0):", "elif a >= 7:", "elif a <= 7:",
        "elif not (a > 7):", "a += 1", "x = a / b if a == 4 and b else -a",
        "x = a * b if a != 4 and b else -a",
        "x = a * b if a == 4 or b else -a", "x = a * b if a == 4 and b else (a)", "return min(x.T @ x[1], 0)",
        "x = a * b if (not (a == 4 and b)) else -a", "return max((x) @ x[1], 0)",
        "return max(x.T @ x[(0)], 0)",
        "return max(((x[1]) @ (x.T)), 0)",
    } <= new  # fmt: skip
    for change in syntax.changes(SOURCE):
        text = syntax.apply(SOURCE, change)
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(SOURCE))
    assert syntax.changes("z = w @ w\n") == []  # turned round it is the same


def test_a_product_of_an_array_with_itself_is_not_swapped():
    assert not syntax.changes("c = a.b @ a.b") and len(syntax.changes("c = a @ b")) == 1


def test_every_change_of_the_package_parses_and_is_another_program():
    drawn = mutate.trials(200, 3)
    assert drawn == mutate.trials(200, 3) and len(set(drawn)) == 200
    assert {trial.file.split("/")[0] for trial in drawn} == set(mutate.FOLDERS)
    true = {trial.file: ast.dump(ast.parse(patches.source_of(trial.file))) for trial in drawn}
    for trial in drawn:
        source = patches.source_of(trial.file)
        assert ast.dump(ast.parse(syntax.apply(source, trial.change))) != true[trial.file]
        assert trial.old != trial.new and trial.old.split()[0] in source.split("\n")[trial.line - 1]


def trial_of(file, old, new):
    start = patches.source_of(file).index(old)
    change = syntax.Change(start, start + len(old), new, "operator")
    return mutate.Trial(file, change, *syntax.lines_of(patches.source_of(file), change))


def test_exact_identities_then_rows_reject_and_an_endless_or_broken_copy_too():
    nobody = lambda row, audited: pytest.fail("no row was to be asked")  # noqa: E731
    coupling = trial_of("paper/gradients.py", "np.diag(phi) - np.outer", "np.diag(phi) + np.outer")
    assert mutate.rejected_by_rows(coupling, [], nobody).endswith(", exact")
    broken = trial_of("derived/law.py", "import numpy as np", "import numpyy as np")
    row = SimpleNamespace(label="LAW", mark="[D]", code=("derived/law.py:LawRun",))
    asks = lambda row, audited: Entry(row, (), f"{audited.law}", 0.0)  # noqa: E731
    assert mutate.rejected_by_rows(broken, [row], asks) == "ModuleNotFoundError"
    other = trial_of("derived/law.py", "import numpy as np", "import numpy as np, math")
    assert mutate.rejected_by_rows(other, [row], asks) == "LAW"
    holds = lambda row, audited: Entry(row, (), "", 0.0)  # noqa: E731
    assert mutate.rejected_by_rows(other, [row], holds) == ""
    measured = SimpleNamespace(label="T1", mark="[measured]", code=("derived/law.py:LawRun",))
    assert mutate.rejected_by_rows(other, [measured], nobody) == ""


def test_results_are_kept_and_survivors_are_tried_again_when_anything_changed(tmp_path):
    store = mutate.Store(tmp_path / "kept", {"what": "test"})
    trial, asked = trial_of("checks/residual.py", "initial=0", "initial=1"), []
    tests = SimpleNamespace(rejects=lambda trial: asked.append(trial) or answers.pop(0))
    answers = ["", "", "test_residual.py::test_it"]
    for now, expected, count in (
        ("1", "", 1),
        ("1", "", 1),
        ("2", "", 2),
        ("3", "test_residual.py::test_it", 3),
        ("4", "test_residual.py::test_it", 3),
    ):
        assert mutate.judge(trial, store, [], None, tests, now) == expected and len(asked) == count


def test_the_tests_of_the_folder_run_on_a_copy_of_the_tree(tmp_path):
    tests = mutate.Tests(tmp_path / "tree")
    for path in (tmp_path / "tree" / "tests" / "checks").glob("test_*.py"):
        if path.name != "test_residual.py":
            path.unlink()
    trial = trial_of("checks/residual.py", "np.abs(got - expected)", "np.abs(got + expected)")
    assert "test_residual.py::" in tests.rejects(trial)
    same = trial_of("checks/residual.py", "import math", "import math, os")
    assert tests.rejects(same) == ""


def test_the_table_counts_who_rejected_and_gives_every_survivor_its_reason(monkeypatch):
    one, two = (trial_of("checks/residual.py", "initial=0", f"initial={k}") for k in (1, 2))
    three = trial_of("paper/gradients.py", "np.diag(phi) - np.outer", "np.diag(phi) + np.outer")
    monkeypatch.setitem(mutate.EQUIVALENT, (one.file, one.old, one.new), "because | so")
    text = mutate.table("3 tried", {one: "", two: "", three: "G1, exact"})
    assert mutate.kind("tests/checks/test_exactly.py::test_it") == "tests" and mutate.kind("M1") == "rows"
    assert "| checks/residual.py | 2 | 0 | 0 | 0 | 2 |" in text and "| because | so |" in text
    assert "it is not: open" in text and "| paper/gradients.py | 1 | 1 | 0 | 0 | 0 |" in text


def test_recorded_reasons_fit_changes_that_exist():
    possible = set()
    for file in {file for file, _, _ in mutate.EQUIVALENT}:
        source = patches.source_of(file)
        possible |= {(file, *syntax.lines_of(source, change)[1:]) for change in syntax.changes(source)}
    assert set(mutate.EQUIVALENT) <= possible and all(mutate.EQUIVALENT.values())
