"""python -m benign_ref audit --mutate K --seed S: wrong versions that nobody chose, and who rejects them.

K changes by the syntax tree (mutants/syntax.py) are drawn over every module that holds mathematics. Each is
applied to a copy of the package in memory, on which the exact identities and the rows that name the module
run until one rejects it; then the tests of the module's folder run on a copy of the tree. What is left has
survived: it is printed, with the reason where mutants/equivalents.py holds one why it is no wrong version.

Results are kept: a change that was rejected is not tried again while its module stays the same, a survivor is
tried again whenever any code or test is another.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..runtime.store import Store
from . import exact
from .mutants import patches, syntax
from .mutants.equivalents import EQUIVALENT

FOLDERS = ("paper", "engines", "derived", "experiments", "checks", "vision")
PLAIN = ("paper/model.py", "paper/gradients.py", "paper/proof.py", "paper/descent.py", "derived/limit.py",
         "vision/transformer.py")  # fmt: skip
COMPILED = ("engines/kernels.py", "derived/limit_kernel.py")
NO_MATHEMATICS = ("cost.py",)  # how fast an engine is, by which one is chosen: no number depends on it
TREE = patches.HERE.parent
ROW_SECONDS = 120  # an endless loop is a finding, too


class Trial(NamedTuple):
    """A change of a file, as the table shows it."""

    file: str
    change: syntax.Change
    line: int
    old: str
    new: str

    @property
    def name(self) -> str:
        """What the result is kept under: the file as it is and the change."""
        text = f"{self.file}{patches.source_of(self.file)}{self.change}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def reason(self) -> str:
        """Why it is equivalent, "" if nobody said so."""
        return EQUIVALENT.get((self.file, self.old, self.new), "")


def trials(count: int, seed: int) -> list[Trial]:
    """`count` different trials of all there are (all of them, if fewer), in the order drawn."""
    found = [
        (str(path.relative_to(patches.HERE).as_posix()), change)
        for folder in FOLDERS
        for path in sorted((patches.HERE / folder).glob("*.py"))
        if path.name not in NO_MATHEMATICS
        for change in syntax.changes(path.read_text(encoding="utf-8"))
    ]
    drawn = random.Random(seed).sample(found, min(count, len(found)))
    return [Trial(file, change, *syntax.lines_of(patches.source_of(file), change)) for file, change in drawn]


def rejected_by_rows(trial, rows, run_row):
    """The identity or row that rejects a trial; "" if none. rows: known ones; run_row(row, audited) an
    Entry.
    """
    source = patches.without_numba(syntax.apply(patches.source_of(trial.file), trial.change))
    whole = patches.Mutant(trial.name, "", trial.file, patches.text_of(trial.file), source, "")
    try:
        with _at_most(ROW_SECONDS), patches.copy_of_package(whole) as audited:
            for label in exact.CASES if trial.file in PLAIN else ():
                own = (label[0] == "V") == trial.file.startswith("vision")
                if own and exact.prove(label, 0, audited).verdict == exact.REJECTED:
                    return f"{label}, exact"
            for row in rows:
                named = any(name.startswith(trial.file + ":") for name in row.code)
                if named and "measured" not in row.mark and not run_row(row, audited).passed:
                    return row.label
    except Exception as error:  # noqa: BLE001 - a copy that cannot be imported, or does not end
        return type(error).__name__
    return ""


@contextmanager
def _at_most(seconds):
    """TimeoutError after so many seconds, where the system has such a clock."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Tests:
    """The tests of a folder, run on a copy of the tree. A first run on the true code tells how long they may
    take, and which fail anyhow: those are left out.
    """

    def __init__(self, tree: Path) -> None:
        self._tree, self._known = tree, {}
        for name in ("benign_ref", "tests", "figures"):
            ignore = shutil.ignore_patterns("__pycache__", "reference", "gallery")
            shutil.copytree(TREE / name, tree / name, ignore=ignore)
        for name in ("run_all.py", "pyproject.toml", "setup.cfg", "README.md"):
            shutil.copy(TREE / name, tree / name)

    def rejects(self, trial: Trial) -> str:
        """The first test that fails, "" if none does."""
        folder = f"tests/{trial.file.split('/')[0]}"
        if folder not in self._known:
            begun = time.monotonic()
            failing = self._run(folder, trial, 3600, [])
            self._known[folder] = failing, time.monotonic() - begun
            for name in failing:
                print(f"left out, as it fails without any change: {name}", flush=True)
        failing, seconds = self._known[folder]
        source = patches.source_of(trial.file)
        path = self._tree / "benign_ref" / trial.file
        path.write_text(syntax.apply(source, trial.change), encoding="utf-8")
        try:
            options = ["-x", *(f"--deselect={name}" for name in failing)]
            return next(iter(self._run(folder, trial, 60 + 4 * seconds, options)), "")
        finally:
            path.write_text(source, encoding="utf-8")

    def _run(self, folder, trial, seconds, options):
        """The names of the tests that fail; the module's own come first."""
        stem, known = Path(trial.file).stem, (self._tree / folder).glob("test_*.py")
        files = sorted(known, key=lambda path: (stem not in path.stem, path))
        plain = {"NUMBA_DISABLE_JIT": "1"} if trial.file in COMPILED and options else {}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **plain}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *map(str, files)]
        try:
            done = subprocess.run(
                command, cwd=self._tree, env=environment, capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return ["tests that did not end"]
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if done.returncode and not failed:
            return ["tests that could not be run"]
        return [line.split(" ")[1] for line in failed]


def everything() -> str:
    """A digest of all code and tests, on which a survivor depends."""
    files = [path for name in ("benign_ref", "tests") for path in sorted((TREE / name).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:24]


def judge(trial, store, rows, run_row, tests, now):
    """Who rejects a trial, "" if nobody; from the store where that is known."""
    kept, _ = store.read(trial.name)
    if kept and (kept["by"] or kept["now"] == now):
        return kept["by"]
    by = rejected_by_rows(trial, rows, run_row) or tests.rejects(trial)
    store.write(trial.name, {"by": by, "now": now})
    return by


def main(asked, rows, run_row) -> int:
    """Try asked.mutate trials of asked.seed within asked.minutes; print, and write asked.table. Returns 1 if
    one survives without a reason.
    """
    drawn, end, now = trials(asked.mutate, asked.seed), time.monotonic() + 60 * asked.minutes, everything()
    store, found = Store(asked.store, {"what": "mutants by the syntax tree"}), {}
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(Path(folder) / "tree")
        for trial in drawn:
            if time.monotonic() > end:
                break
            found[trial] = judge(trial, store, rows, run_row, tests, now)
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
