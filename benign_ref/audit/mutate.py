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

import hashlib
import inspect
import os
import sys
import time
from collections import Counter
from contextlib import suppress
from cProfile import Profile
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from numba import config

from ..runtime.store import Store
from . import exact
from .core import PACKAGE, ROOT, run_row
from .mutants import patches
from .mutants.syntax import MATHEMATICS, Trial, trials

TREE = ROOT.parent
KINDS = ("exact", "rows", "tests", "")  # of what rejects; "": nothing
ENDED = "a process that crashed, or did not end"
LEAST = 10  # CPU seconds that any check may take: an endless loop is a finding, too
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
            return {label: watched(holds, audited) for label, holds in self.checks.items()}

    def _watch_tests(self, file, plain):
        known = in_child(watched, failing, file, plain)
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
        yield in_child(rejected_by_rows, sources, checks, seconds=sum(seconds.values()), ended=ENDED)
        for path in sorted(self.tests, key=lambda path: (module.stem not in path.stem, path)):
            text = path.read_text(encoding="utf-8")
            named = ".".join(module.with_suffix("").parts) in text  # as it is imported
            if path.parent.name == module.parent.name or module.parent == Path() or named:
                file = path.relative_to(TREE).as_posix()
                name = f"{path.stem} {plain} {digest([*self.code, path])}"
                known = self._kept(name, self._watch_tests, file, plain)
                if executed(known) or constant and module.stem in text:
                    asked = file, plain, known[2], sources
                    yield from in_child(failing, *asked, seconds=known[0], ended=[f"{file}: {ENDED}"])


def in_child(work, *arguments, seconds=3600, ended=None):
    """The value of work(*arguments), computed in a fork of this process; `ended` if that crashed, or took
    more than a few times as many CPU seconds, after which the system ends it.
    """
    import resource

    fork = get_context("fork")
    receive, send = fork.Pipe(duplex=False)

    def limited():
        limit = int(time.process_time() + LEAST + 3 * seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        send.send(work(*arguments))

    child = fork.Process(target=limited)
    child.start()
    send.close()
    value = ended
    with suppress(EOFError):
        value = receive.recv()
    child.join()
    if child.exitcode > 0:
        raise RuntimeError(f"{work.__name__} failed; its message is above")
    return value


def watched(work, *arguments):
    """CPU seconds of work(*arguments), (file, first line) of each function of the package it calls, its
    value.
    """
    profile, begun = Profile(builtins=False), time.process_time()
    value = profile.runcall(work, *arguments)
    seen = [
        (Path(code.co_filename).relative_to(ROOT).as_posix(), code.co_firstlineno)
        for code, *_ in profile.getstats()
        if code.co_filename.startswith(f"{ROOT}{os.sep}") and code.co_flags & inspect.CO_OPTIMIZED
    ]
    return time.process_time() - begun, seen, value


def failing(file, plain, left_out=(), sources=None):
    """The names of the tests of a file that fail, run in this process, which is a fork, as it is or, up to
    the first, on the package with other `sources` of some files. plain: without numba. left_out: names of
    tests.
    """
    import pytest

    names = []

    class Plugin:
        @staticmethod
        def pytest_runtest_logreport(report):
            if report.failed:
                names.append(report.nodeid)

        pytest_collectreport = pytest_runtest_logreport  # of a file that cannot be read

    shared = [path.stem for path in (TREE / "tests").glob("*.py")]
    patches.forget(PACKAGE, "tests", "figures", *shared)  # also what the process that forked has imported
    sys.meta_path.insert(0, patches.Copy(PACKAGE, sources or {}))
    config.DISABLE_JIT = int(plain)
    os.chdir(TREE)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    options = ["-q", "-p", "no:cacheprovider", *["-m", "plain"] * plain, *["-x"] * bool(sources)]
    pytest.main([*options, *(f"--deselect={name}" for name in left_out), file], plugins=[Plugin()])
    return names


def digest(paths) -> str:
    """Of what stands in some files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:24]


def checks_of(rows) -> dict:
    """{label: whether it holds, a function of an AuditedPackage} of the exact identities and of the rows that
    measure nothing.
    """

    exactly = lambda label: lambda audited: exact.prove(label, 0, audited).verdict != exact.REJECTED  # noqa: E731
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
