"""python -m benign_ref audit --mutate K --seed S: wrong versions that nobody chose, and who rejects them.

K changes by the syntax tree (mutants/syntax.py) are drawn over every module that holds mathematics. Each is
made in memory, in processes of its own: the exact identities and the rows run until one rejects it, on a copy
of the package; then the tests, on the package itself. What is left has survived: it is printed, with the
reason where mutants/equivalents.py holds one why it is no wrong version.

Only a check that executes the changed function can reject it, so what each executes, and costs, is measured
first, on the true code; then the cheapest are asked first, and of the tests those of the module's own file. A
jitted function is tried as plain Python, by the tests that are marked `plain`. What a test does in processes
that it starts is not seen, and rejects nothing.

Results are kept: a change that was rejected is not tried again while its module stays the same, a survivor is
tried again whenever any code or test is another.
"""

import ast
import hashlib
import inspect
import os
import random
import sys
import time
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from numba import config

from ..runtime.store import Store
from . import exact
from .core import PACKAGE, run_row
from .mutants import patches, syntax
from .mutants.equivalents import EQUIVALENT

MATHEMATICS = ("api.py", "checked.py", "paper", "engines", "derived", "experiments", "checks", "vision")
NO_MATHEMATICS = ("cost.py",)  # how fast an engine is, by which one is chosen: no number depends on it
HERE, TREE = patches.HERE, patches.HERE.parent
ENDED = "a process that crashed, or did not end"
LEAST = 10  # CPU seconds that any check may take: an endless loop is a finding, too


class Trial(NamedTuple):
    """A change of a file, as the table shows it."""

    file: str
    change: syntax.Change
    line: int
    old: str
    new: str

    @property
    def source(self) -> str:
        """The file with the change."""
        return syntax.apply(patches.source_of(self.file), self.change)

    @property
    def name(self) -> str:
        """What the result is kept under: the file as it is and the change."""
        text = f"{self.file}{patches.source_of(self.file)}{self.change}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def reason(self) -> str:
        """Why it is equivalent, "" if nobody said so."""
        return EQUIVALENT.get((self.file, self.old, self.new), "")

    @property
    def function(self) -> ast.FunctionDef | None:
        """The innermost function that holds the change; None: it stands in the module or in a class."""
        nodes = ast.walk(ast.parse(patches.source_of(self.file)))
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        found = [one for one in functions if one.lineno <= self.line <= (one.end_lineno or 0)]
        return max(found, key=lambda one: one.lineno, default=None)

    @property
    def lines(self) -> range:
        """The lines of that function, decorators included; all there are for None."""
        if self.function is None:
            return range(sys.maxsize)
        first = min(node.lineno for node in (self.function, *self.function.decorator_list))
        return range(first, (self.function.end_lineno or first) + 1)

    @property
    def jitted(self) -> bool:
        """Whether numba may compile what is changed."""
        function = self.function
        return "njit" in patches.source_of(self.file) and (function is None or bool(function.decorator_list))


def trials(count: int, seed: int) -> list[Trial]:
    """`count` different trials of all there are (all of them, if fewer), in the order drawn."""
    found = [
        (path.relative_to(HERE).as_posix(), change)
        for name in MATHEMATICS
        for path in sorted((HERE / name).glob("*.py")) or [HERE / name]
        if path.name not in NO_MATHEMATICS
        for change in syntax.changes(path.read_text(encoding="utf-8"))
    ]
    drawn = random.Random(seed).sample(found, min(count, len(found)))
    return [Trial(file, change, *syntax.lines_of(patches.source_of(file), change)) for file, change in drawn]


def digest(paths) -> str:
    """Of what stands in some files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:24]


def in_child(work, *arguments):
    """The value of work(*arguments), computed in a fork of this process; ENDED if that was ended."""
    fork = get_context("fork")
    receive, send = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: send.send(work(*arguments)))
    child.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        child.join()
        if child.exitcode > 0:
            raise RuntimeError(f"{work.__name__} failed; its message is above") from None
        return ENDED
    finally:
        child.join()


def allow(seconds):
    """Let this process take a few times as many CPU seconds; then the system ends it."""
    import resource

    limit = int(time.process_time() + LEAST + 3 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def watched(work, *arguments):
    """CPU seconds of work(*arguments), {file of the package: first lines of the functions it calls}, its
    value.
    """
    codes, begun, lines = {}, time.process_time(), {}
    sys.settrace(lambda frame, *_: codes.update({id(frame.f_code): frame.f_code}))
    try:
        value = work(*arguments)
    finally:
        sys.settrace(None)
    for code in codes.values():
        if code.co_filename.startswith(f"{HERE}{os.sep}") and code.co_flags & inspect.CO_OPTIMIZED:
            file = Path(code.co_filename).relative_to(HERE).as_posix()
            lines.setdefault(file, []).append(code.co_firstlineno)
    return time.process_time() - begun, lines, value


class Failures:
    """A pytest plugin: the names of the tests that fail, or of the file that cannot be read."""

    def __init__(self):
        self.names = []

    def pytest_runtest_logreport(self, report):
        """Note a failure."""
        if report.failed:
            self.names.append(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport


def failing(file, plain, options=(), sources=None):
    """The names of the tests of a file that fail, run in this process, which is a fork, on the package with
    other `sources` of some files. plain: without numba.
    """
    import pytest

    patches.forget(PACKAGE)
    sys.meta_path.insert(0, patches.Copy(PACKAGE, sources or {}))
    sys.dont_write_bytecode, config.DISABLE_JIT, failures = True, int(plain), Failures()
    os.chdir(TREE)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    options = ["-q", "-p", "no:cacheprovider", *(["-m", "plain"] if plain else []), *options]
    pytest.main([*options, file], plugins=[failures])
    return failures.names


def holds(label, audited, rows):
    """Whether a row, or an identity in exact arithmetic (rows[label] is None), holds."""
    if rows[label] is None:
        return exact.prove(label.split(",")[0], 0, audited).verdict != exact.REJECTED
    return run_row(rows[label], audited, first_failure=True).passed


def rejected_by_rows(trial, labels, seconds, rows):
    """The first of `labels` that rejects a trial, or what kept the copy from being imported; "" if none
    does.
    """
    allow(seconds)
    try:
        with patches.copy_of_package(sources={trial.file: trial.source}) as audited:
            return next((label for label in labels if not holds(label, audited, rows)), "")
    except Exception as error:  # noqa: BLE001 - whatever the copy raises is a finding
        return type(error).__name__


def rejected_by_tests(trial, file, plain, known):
    """The first test of a file that fails on a trial, "" if none does; known: what `watched` said of it."""
    allow(known[0])
    options = ["-x", *(f"--deselect={name}" for name in known[2])]
    return next(iter(failing(file, plain, options, {trial.file: trial.source})), "")


class Judge:
    """Who rejects a trial. What is known is kept in the store; rows: {label: Row}."""

    def __init__(self, store: Store, rows: dict) -> None:
        self.store, self.rows = store, {f"{label}, exact": None for label in exact.CASES} | rows
        code = [*HERE.rglob("*.py"), *(TREE / "tests").glob("*.py")]
        tests = [path for name in MATHEMATICS for path in (TREE / "tests" / name).glob("test_*.py")]
        self.now = digest(code + tests)
        self.known_rows = self._kept(f"rows {digest(code)}", self._watch_rows)
        self.known_tests = {}
        for plain in (False, True):
            self.known_tests[plain] = {
                path.relative_to(TREE).as_posix(): self._kept(
                    f"{path.stem} {plain} {digest([*code, path])}", in_child, watched, failing, path, plain
                )
                for path in tests
            }

    def _kept(self, name, work, *arguments):
        """What the store holds under a name; if nothing, then work(*arguments) from now on."""
        value, _ = self.store.read(name)
        if value is None:
            value = work(*arguments)
            self.store.write(name, value)
        return value

    def _watch_rows(self):
        with patches.copy_of_package() as audited:
            return {label: watched(holds, label, audited, self.rows) for label in self.rows}

    def __call__(self, trial: Trial) -> str:
        """The label of the identity or row, or the name of the test; "" if none does."""
        kept, _ = self.store.read(trial.name)
        if not kept or not kept["by"] and kept["now"] != self.now:
            kept = {"by": self._rows(trial) or self._tests(trial), "now": self.now}
            self.store.write(trial.name, kept)
        return kept["by"]

    def _rows(self, trial):
        labels = concerned(trial, self.known_rows)
        seconds = sum(self.known_rows[label][0] for label in labels)
        return in_child(rejected_by_rows, trial, labels, seconds, self.rows)

    def _tests(self, trial):
        known, stem = self.known_tests[trial.jitted], Path(trial.file).stem
        for file in sorted(concerned(trial, known), key=lambda file: stem not in file):
            by = in_child(rejected_by_tests, trial, file, trial.jitted, known[file])
            if by:
                return by if by != ENDED else f"{file}: {ENDED}"
        return ""


def concerned(trial, known):
    """The names of the checks that execute the changed function, the cheapest first."""
    lines = trial.lines
    names = [
        name for name, (_, seen, _) in known.items() if any(at in lines for at in seen.get(trial.file, ()))
    ]
    return sorted(names, key=lambda name: known[name][0])


def main(asked, rows: dict) -> int:
    """Try asked.mutate trials of asked.seed within asked.minutes; print, and write asked.table. Returns 1 if
    one survives without a reason, 2 where this cannot be done.
    """
    if not (hasattr(os, "fork") and find_spec("pytest") and (TREE / "tests").is_dir()):
        print("error: --mutate needs a system with fork, pytest, and the folder tests/", file=sys.stderr)
        return 2
    end, found = time.monotonic() + 60 * asked.minutes, {}
    drawn, store = (
        trials(asked.mutate, asked.seed),
        Store(asked.store, {"what": "mutants by the syntax tree"}),
    )
    judge = Judge(store, rows)
    for trial in drawn:
        if time.monotonic() > end:
            break
        found[trial] = judge(trial)
        by = found[trial] or trial.reason and f"equivalent: {trial.reason}" or "SURVIVES"
        print(f"{trial.file}:{trial.line}: {trial.new}\n    {by}", flush=True)
    survivors = [trial for trial, by in found.items() if not by]
    open_ones = [trial for trial in survivors if not trial.reason]
    rejected, argued = len(found) - len(survivors), len(survivors) - len(open_ones)
    summary = (
        f"{len(found)} of {len(drawn)} mutants of seed {asked.seed} tried: {rejected} rejected, "
        f"{argued} argued equivalent, {len(open_ones)} survive"
    )
    print(summary)
    if asked.table:
        Path(asked.table).write_text(table(summary, found), encoding="utf-8")
    return 1 if open_ones else 0


def table(summary: str, found: dict[Trial, str]) -> str:
    """The run in Markdown: who rejected how many in each file, and every survivor."""
    lines = ["# Mutants by the syntax tree: the last run", "", summary + ".", ""]
    lines += [
        "| file | tried | by exact identities | by rows | by tests | not rejected |",
        "|---|---|---|---|---|---|",
    ]
    for file in sorted({trial.file for trial in found}):
        own = [by for trial, by in found.items() if trial.file == file]
        kinds = [sum(kind(by) == wanted for by in own) for wanted in ("exact", "rows", "tests", "")]
        lines.append(f"| {file} | {len(own)} | {' | '.join(map(str, kinds))} |")
    lines += [
        "",
        "## Not rejected",
        "",
        "| where | was | became | why it is equivalent |",
        "|---|---|---|---|",
    ]
    for trial in sorted(trial for trial, by in found.items() if not by):
        old, new = (text.replace("|", "\\|") for text in (trial.old, trial.new))
        lines.append(
            f"| {trial.file}:{trial.line} | `{old}` | `{new}` | {trial.reason or 'it is not: open'} |"
        )
    return "\n".join(lines) + "\n"


def kind(by: str) -> str:
    """What rejected: "exact", "rows", "tests", or "" for nobody."""
    if by.endswith(", exact"):
        return "exact"
    return "tests" if "test" in by else by and "rows"
