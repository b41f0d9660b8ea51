"""Changes by the syntax tree: what is changed and what is left alone; who rejects them; what is kept."""

import ast
import os
import sys
from types import SimpleNamespace

import pytest

from benign_ref.audit import mutate
from benign_ref.audit.mutants import equivalents, patches, syntax
from benign_ref.checks import relative_residual

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
    x: 1 = f(x, dtype=8)
    assert x == 1


def __repr__(x):
    return 1
'''


def test_every_operator_constant_index_comparison_and_branch_is_changed_and_nothing_else():
    found = [syntax.applied(SOURCE, change) for change in syntax.changes(SOURCE)]
    assert sorted((line, new) for line, _, new, _ in found) == [
        (6, "def f(a: int = (2), b=2.5):"), (6, "def f(a: int = 3, b=5.0):"),
        (6, "def f(a: int = 4, b=2.5):"),
        (11, "elif a <= 7:"), (11, "elif a > (6):"), (11, "elif a > 8:"), (11, "elif a >= 7:"),
        (11, "elif not (a > 7):"),
        (12, "a += 1"), (12, "a -= (0)"), (12, "a -= 2"),
        (13, "x = a * b if (not (a == 4 and b)) else -a"), (13, "x = a * b if a != 4 and b else -a"),
        (13, "x = a * b if a == (3) and b else -a"), (13, "x = a * b if a == 4 and b else (a)"),
        (13, "x = a * b if a == 4 or b else -a"), (13, "x = a * b if a == 5 and b else -a"),
        (13, "x = a / b if a == 4 and b else -a"),
        (14, "return max(((x[1]) @ (x.T)), 0)"), (14, "return max((x) @ x[1], 0)"),
        (14, "return max(x.T @ x[(0)], 0)"), (14, "return max(x.T @ x[1], (-1))"),
        (14, "return max(x.T @ x[1], 1)"), (14, "return max(x.T @ x[2], 0)"),
        (14, "return min(x.T @ x[1], 0)"),
    ]  # fmt: skip
    for line, old, new, text in found:
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(SOURCE))
        lines = SOURCE.split("\n")
        assert old == lines[line - 1].strip()
        lines[line - 1] = lines[line - 1].replace(old, new)
        assert text == "\n".join(lines)
    assert syntax.changes("z = w @ w\n") == []  # turned round it is the same


def test_a_product_of_an_array_with_itself_is_not_swapped():
    assert not syntax.changes("c = a.b @ a.b") and len(syntax.changes("c = a @ b")) == 1


def test_every_change_of_the_package_parses_and_is_another_program():
    drawn = syntax.trials(80, 3)
    assert drawn == syntax.trials(80, 3) and len(set(drawn)) == 80
    assert {trial.file.split("/")[0] for trial in drawn} >= set(syntax.MATHEMATICS[2:])
    assert {"api.py", "checked.py"} <= {trial.file for trial in syntax.trials(10**6, 0)}
    true = {trial.file: ast.dump(ast.parse(patches.source_of(trial.file))) for trial in drawn}
    for trial in drawn:
        lines = patches.source_of(trial.file).split("\n")
        assert ast.dump(ast.parse(trial.source)) != true[trial.file]
        assert trial.old != trial.new and trial.old.split()[0] in lines[trial.line - 1]


def trial_of(file, old, new):
    start = patches.source_of(file).index(old)
    change = start, start + len(old), new
    return syntax.Trial(file, *syntax.applied(patches.source_of(file), change))


RESIDUAL = ("checks/residual.py", "np.abs(got - expected)", "np.abs(got + expected)")
AT = [("checks/residual.py", relative_residual.__code__.co_firstlineno)]


def judge_of(path, now="1", **checks):
    """A Judge to whom the true code is known without any run of it."""
    judge = object.__new__(mutate.Judge)
    judge.store, judge.now, judge.checks = mutate.Store(path / "kept", {"what": "test"}), now, checks
    judge.code, judge.tests, judge.rows = [], [], dict.fromkeys(checks, [0.0, AT, []])
    return judge


def test_exact_identities_then_rows_reject_and_a_broken_copy_too():
    nobody = lambda audited: pytest.fail("no row was to be asked")  # noqa: E731
    label = next(iter(mutate.exact.CASES))
    checks = mutate.checks_of([SimpleNamespace(label="T1", mark="[measured]")])
    assert set(checks) == {f"{label}, exact" for label in mutate.exact.CASES}
    coupling = trial_of("paper/gradients.py", "np.diag(phi) - np.outer", "np.diag(phi) + np.outer")
    rejected = lambda trial, asked: mutate.rejected_by_rows({trial.file: trial.source}, asked)  # noqa: E731
    assert rejected(coupling, {"G1, exact": checks["G1, exact"], "GD": nobody}) == "G1, exact"
    broken = trial_of("derived/law.py", "import numpy as np", "import numpyy as np")
    asks = {"LAW": lambda audited: not audited.law}
    assert rejected(broken, asks) == "ModuleNotFoundError"
    other = trial_of("derived/law.py", "import numpy as np", "import numpy as np, math")
    assert rejected(other, asks) == "LAW"
    assert rejected(other, {label: bool}) == ""


def test_a_fork_hands_over_its_value_and_one_that_does_not_end_is_ended():
    def endless():
        while True:
            pass

    assert mutate.in_child(sum, [1, 2], seconds=0) == 3
    assert mutate.in_child(endless, seconds=-3, ended="late") == "late"  # one second is left
    assert mutate.in_child(os._exit, 0) is None
    with pytest.raises(RuntimeError, match="int failed"):
        mutate.in_child(int, "one")


def test_the_tests_of_a_file_that_fail_are_named_up_to_the_first_on_changed_sources(tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text(
        "import pytest\n"
        "from benign_ref.checks.residual import relative_residual\n"
        "def test_one(): assert relative_residual(1.0, 2.0) == 7.0\n"
        "def test_two(): assert relative_residual(1.0, 2.0) == 0.0\n"
        "@pytest.mark.plain\n"
        "def test_plain(): assert relative_residual(1.0, 2.0) == 1.5\n"
    )

    def names(*arguments):
        found = mutate.in_child(mutate.failing, str(file), *arguments)
        return [name.split("::")[1] for name in found], found

    same = {"checks/residual.py": patches.source_of("checks/residual.py")}
    short, found = names(False)
    assert short == ["test_one", "test_two", "test_plain"] and names(True)[0] == ["test_plain"]
    assert names(False, (), same)[0] == ["test_one"] and names(False, found[:1], same)[0] == ["test_two"]
    assert names(True, (), {trial_of(*RESIDUAL).file: trial_of(*RESIDUAL).source})[0] == []
    file.write_text("def test_one(:")
    (name,) = mutate.in_child(mutate.failing, str(file), False)
    assert name.endswith("test_it.py")


def test_what_a_check_executes_is_seen_functions_only():
    seconds, seen, value = mutate.watched(relative_residual, 1.0, 2.0)
    assert value == 0.5 and seconds >= 0 and AT[0] in seen
    assert {file for file, _ in seen} <= {"checks/residual.py", "validate.py"}


def test_a_change_is_placed_in_its_innermost_function_and_jitted_code_is_known():
    lines, jitted, constant = trial_of(*RESIDUAL).place()
    assert (
        not jitted and not constant and relative_residual.__code__.co_firstlineno in lines and len(lines) < 30
    )
    kernel = trial_of("engines/kernels.py", "row = rows[tokens[n, l]]", "row = rows[tokens[n, 0]]")
    assert kernel.place()[1]
    assert trial_of("derived/limit_kernel.py", "root_n if j > SIGNAL", "root_n if l > SIGNAL").place()[1]
    assert trial_of("vision/transformer.py", "0.5 * math.erfc(", "0.6 * math.erfc(").place()[1]
    module = trial_of("checks/residual.py", "import numpy", "import numpy ")
    assert 1 in module.place()[0] and 10**6 in module.place()[0] and module.place()[2]
    assert not trial_of("checks/lines.py", "MARGIN = 8", "MARGIN = 9").place()[1]  # @cached_property
    default = trial_of("derived/boundary.py", "tolerance=1e-3", "tolerance=2e-3").place()
    assert default[2] and len(default[0]) < 100


def test_results_are_kept_and_survivors_are_tried_again_when_anything_changed(tmp_path):
    trial, answers = trial_of(*RESIDUAL), []
    for now, holds in (("1", True), ("1", False), ("2", True), ("3", False), ("4", True)):
        answers.append(judge_of(tmp_path, now, M1=lambda audited, holds=holds: holds)(trial))
    assert answers == ["", "", "", "M1", "M1"]


def test_only_checks_that_execute_the_function_are_asked_the_cheapest_first(tmp_path):
    judge = judge_of(tmp_path, M1=bool, M2=bool, M3=bool)
    first = relative_residual.__code__.co_firstlineno
    at = [("checks/residual.py", first)]
    judge.rows = {
        "M1": [2.0, at, []],
        "M2": [1.0, at, []],
        "M3": [0.0, [("checks/residual.py", 1)], []],
    }
    judge.checks = {"M1": lambda audited: False, "M2": lambda audited: False, "M3": lambda audited: False}
    assert judge(trial_of(*RESIDUAL)) == "M2"


def test_the_tests_of_the_folder_that_execute_the_function_run_on_the_changed_package_in_memory(tmp_path):
    judge, file = judge_of(tmp_path), "tests/checks/test_residual.py"
    judge.tests = [mutate.TREE / file, mutate.TREE / "tests" / "paper" / "test_model.py"]
    assert f"{file}::" in judge(trial_of(*RESIDUAL))
    assert judge(trial_of("checks/residual.py", "np.abs(got - expected)", "np.abs(expected - got)")) == ""
    (known,) = judge.store.cells.glob("test_*.json")  # of the one file of tests/checks
    assert known.name.startswith("test_residual False") and str(AT[0][0]) in known.read_text(encoding="utf-8")
    assert "benign_ref.checks.residual" in sys.modules and relative_residual(1.0, 2.0) == 0.5


def test_the_table_counts_who_rejected_and_gives_every_survivor_its_reason(monkeypatch):
    one, two = (trial_of("checks/residual.py", "initial=0", f"initial={k}") for k in (1, 2))
    three = trial_of("paper/gradients.py", "np.diag(phi) - np.outer", "np.diag(phi) + np.outer")
    monkeypatch.setitem(equivalents.EQUIVALENT, (one.file, one.old, one.new), "because | so")
    text = mutate.table("audit", "3 tried", {one: "", two: "", three: "G1, exact"})
    assert mutate.kind("tests/checks/test_exactly.py::test_it") == "tests" and mutate.kind("M1") == "rows"
    assert "| checks/residual.py | 2 | 0 | 0 | 0 | 2 |" in text and "| because \\| so |" in text
    assert "it is not: open" in text and "| paper/gradients.py | 1 | 1 | 0 | 0 | 0 |" in text


def test_recorded_reasons_fit_changes_that_exist():
    possible = set()
    for file in {file for file, _, _ in equivalents.EQUIVALENT}:
        source = patches.source_of(file)
        possible |= {(file, *syntax.applied(source, change)[1:3]) for change in syntax.changes(source)}
    assert set(equivalents.EQUIVALENT) <= possible and all(equivalents.EQUIVALENT.values())


def test_a_length_left_to_NumPy_is_argued_wherever_it_stands_and_no_other_change_with_it():
    for shape in ("-1, len(W)", "f(x)[1], -1", "len(f(x)), -1", "-1"):
        old = f"y = x.reshape({shape}) - 1"
        assert "any negative number" in equivalents.reason("f.py", old, old.replace("-1", "-2"))
        assert not equivalents.reason("f.py", old, old.replace("-1", "-(0)"))
        assert not equivalents.reason("f.py", old, old.replace(" - 1", " - 2"))
    for old in ("y = x.sum(axis=-1)", "y = x.reshape(*x.shape[:-1], 4)", "y = x.reshape(len(x) -1)"):
        assert not equivalents.reason("f.py", old, old.replace("-1", "-2"))
