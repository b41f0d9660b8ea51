"""python -m benign_ref audit --mutate K --seed S: wrong versions that nobody chose, and who rejects them.

K changes by the syntax tree (mutants/syntax.py) are drawn over every module that holds mathematics. Each is
made in memory, in processes of its own: the exact identities and the rows run until one rejects it, on a copy
of the package; then the tests, on the package itself. What is left has survived: it is printed, with the
reason where mutants/equivalents.py holds one why it is no wrong version.

Only a check that executes the changed function can reject it (or, of a constant or default, a test that names
the module), so what each executes, and costs, is measured once, on the true code. The cheapest rows are asked
first; of the tests in the module's folder, and others that import it, those of its own file. A jitted
function is tried as plain Python, by the tests that are marked `plain`. What a test does in processes that it
starts is not seen, and rejects nothing.

Results are kept: a change that was rejected is not tried again while its module stays the same, a survivor is
tried again whenever any code or test is another.
"""

import ast
import hashlib
import os
import random
import re
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..runtime.store import Store
from . import exact
from .core import ROOT, run_row
from .mutants import forks, patches, syntax
from .mutants.equivalents import reason

MATHEMATICS = ("api.py", "checked.py", "paper", "engines", "derived", "experiments", "checks", "vision")
NO_MATHEMATICS = ("cost.py",)  # how fast an engine is, by which one is chosen: no number depends on it
TREE = ROOT.parent
KINDS = ("exact", "rows", "tests", "")  # of what rejects; "": nothing
ENDED = "a process that crashed, or did not end"
TABLE = """# Mutants by the syntax tree: the last run

    {command}

{summary}.

| file | tried | by exact identities | by rows | by tests | not rejected |
|---|---|---|---|---|---|
{counts}

## Not rejected

| where | was | became | why it is equivalent |
|---|---|---|---|
{survivors}
"""


class Trial(NamedTuple):
    """A change of a file, as the table shows it, and the whole file with the change."""

    file: str
    line: int
    old: str
    new: str
    source: str

    @property
    def name(self) -> str:
        """What the result is kept under: the file as it is and with the change."""
        text = f"{self.file}{patches.source_of(self.file)}{self.source}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def reason(self) -> str:
        """Why it is equivalent, "" if nobody said so."""
        return reason(self.file, self.old, self.new)

    def place(self) -> tuple[range, bool, bool]:
        """The lines of the innermost function that holds the change, decorators included (all there are if
        none does); whether numba may compile it; whether it can be seen without a call: it is a constant or
        a default.
        """
        source = patches.source_of(self.file)
        lines, decorated, constant = range(sys.maxsize), True, True
        for node in ast.walk(ast.parse(source)):  # from the outside to the inside
            if isinstance(node, ast.FunctionDef):
                first = min(part.lineno for part in (node, *node.decorator_list))
                if first <= self.line <= (node.end_lineno or 0):
                    lines, decorated = range(first, node.end_lineno + 1), bool(node.decorator_list)
                    constant = self.line < node.body[0].lineno
        return lines, decorated and bool(re.search(r"@(njit|cached)\b", source)), constant


def trials(count: int, seed: int) -> list[Trial]:
    """`count` different trials of all there are (all of them, if fewer), in the order drawn."""
    found = [
        (path.relative_to(ROOT).as_posix(), change)
        for name in MATHEMATICS
        for path in sorted((ROOT / name).glob("*.py")) or [ROOT / name]
        if path.name not in NO_MATHEMATICS
        for change in syntax.changes(path.read_text(encoding="utf-8"))
    ]
    drawn = random.Random(seed).sample(found, min(count, len(found)))
    return [Trial(file, *syntax.applied(patches.source_of(file), change)) for file, change in drawn]


def rejected_by_rows(sources, checks):
    """The first of `checks` that rejects the package with other `sources` of some files, or what kept it from
    being imported; "" if none does.
    """
    try:
        with patches.copy_of_package(sources=sources) as audited:
            return next((label for label, holds in checks.items() if not holds(audited)), "")
    except Exception as error:  # noqa: BLE001 - whatever the copy raises is a finding
        return type(error).__name__


class Judge:
    """Who rejects a trial. What is known is kept in the store; checks: {label: whether it holds, a function
    of an AuditedPackage}.
    """

    def __init__(self, store: Store, checks: dict) -> None:
        self.store, self.checks = store, checks
        self.code = [*ROOT.rglob("*.py"), *(TREE / "tests").glob("*.py")]
        self.tests = [path for name in MATHEMATICS for path in (TREE / "tests" / name).glob("test_*.py")]
        self.now = digest(self.code + self.tests)
        self.rows = self._kept(f"rows {digest(self.code)}", self._watch_rows)

    def _kept(self, name, work, *arguments):
        """What the store holds under a name; if nothing, work(*arguments), which it holds from now on."""
        value = self.store.read(name)
        if value is None:
            value = work(*arguments)
            self.store.write(name, value)
        return value

    def _watch_rows(self):
        with patches.copy_of_package() as audited:
            return {label: forks.watched(holds, audited) for label, holds in self.checks.items()}

    def _watch_tests(self, file, plain):
        known = forks.in_child(forks.watched, forks.failing, file, plain)
        for name in known[2]:
            print(f"left out, as it fails without any change: {name}", flush=True)
        return known

    def __call__(self, trial: Trial) -> str:
        """The label of the identity or row, or the name of the test; "" if none does."""
        kept = self.store.read(trial.name)
        if not kept or not kept["by"] and kept["now"] != self.now:
            kept = {"by": next(filter(None, self._findings(trial)), ""), "now": self.now}
            self.store.write(trial.name, kept)
        return kept["by"]

    def _findings(self, trial):
        """What the checks that execute the changed function say, one after the other."""
        lines, plain, constant = trial.place()
        sources, module = {trial.file: trial.source}, Path(trial.file)

        def executed(known):
            return any(file == trial.file and at in lines for file, at in known[1])

        seconds = {label: known[0] for label, known in self.rows.items() if executed(known)}
        checks = {label: self.checks[label] for label in sorted(seconds, key=seconds.get)}
        yield forks.in_child(rejected_by_rows, sources, checks, seconds=sum(seconds.values()), ended=ENDED)
        for path in sorted(self.tests, key=lambda path: (module.stem not in path.stem, path)):
            text = path.read_text(encoding="utf-8")
            named = ".".join(module.with_suffix("").parts) in text  # as it is imported
            if path.parent.name == module.parent.name or module.parent == Path() or named:
                file = path.relative_to(TREE).as_posix()
                name = f"{path.stem} {plain} {digest([*self.code, path])}"
                known = self._kept(name, self._watch_tests, file, plain)
                if executed(known) or constant and module.stem in text:
                    asked, ended = (file, plain, known[2], sources), [f"{file}: {ENDED}"]
                    yield from forks.in_child(forks.failing, *asked, seconds=known[0], ended=ended)


def digest(paths) -> str:
    """Of what stands in some files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:24]


def checks_of(rows) -> dict:
    """{label: whether it holds, a function of an AuditedPackage} of the exact identities and of the rows that
    measure nothing.
    """

    def exactly(label):
        return lambda audited: exact.prove(label, 0, audited).verdict != exact.REJECTED

    by_row = lambda row: lambda audited: run_row(row, audited, first_failure=True).passed  # noqa: E731
    checks = {f"{label}, exact": exactly(label) for label in exact.CASES}
    return checks | {row.label: by_row(row) for row in rows if "measured" not in row.mark}


def main(asked, rows) -> int:
    """Try asked.mutate trials of asked.seed within asked.minutes; print, and write asked.table. Returns 1 if
    one survives without a reason, 2 where this cannot be done.
    """
    if not (hasattr(os, "fork") and find_spec("pytest") and (TREE / "tests").is_dir()):
        print("error: --mutate needs a system with fork, pytest, and the folder tests/", file=sys.stderr)
        return 2
    end, found = time.monotonic() + 60 * asked.minutes, {}
    drawn = trials(asked.mutate, asked.seed)
    judge = Judge(Store(asked.store, {"what": "mutants by the syntax tree"}), checks_of(rows))
    for trial in drawn:
        if time.monotonic() > end:
            break
        found[trial] = judge(trial)
        by = found[trial] or trial.reason and f"equivalent: {trial.reason}" or "SURVIVES"
        print(f"{trial.file}:{trial.line}: {trial.new}\n    {by}", flush=True)
    told = Counter(kind(by) or ("argued" if trial.reason else "open") for trial, by in found.items())
    summary = (
        f"{len(found)} of {len(drawn)} mutants of seed {asked.seed} tried: "
        f"{told['exact']} rejected by exact identities, {told['rows']} by rows, {told['tests']} by tests; "
        f"{told['argued']} argued equivalent, {told['open']} survive"
    )
    print(summary)
    if asked.table:
        command = f"python -m benign_ref audit --mutate {asked.mutate} --seed {asked.seed}"
        Path(asked.table).write_text(table(command, summary, found), encoding="utf-8")
    return 1 if told["open"] else 0


def table(command: str, summary: str, found: dict[Trial, str]) -> str:
    """The run in Markdown: who rejected how many in each file, and every survivor."""
    told = Counter((trial.file, kind(by)) for trial, by in found.items())
    counts = [
        [file, *(sum(told[file, one] for one in kinds) for kinds in (KINDS, *([one] for one in KINDS)))]
        for file in sorted({file for file, _ in told})
    ]
    survivors = [
        [f"{trial.file}:{trial.line}", f"`{trial.old}`", f"`{trial.new}`", trial.reason or "it is not: open"]
        for trial in sorted(found)
        if not found[trial]
    ]
    return TABLE.format(command=command, summary=summary, counts=_lines(counts), survivors=_lines(survivors))


def _lines(cells):
    rows = [[str(cell).replace("|", "\\|") for cell in row] for row in cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def kind(by: str) -> str:
    """Which of KINDS rejected."""
    if by.endswith(", exact"):
        return "exact"
    return "tests" if by.startswith("tests/") else by and "rows"
