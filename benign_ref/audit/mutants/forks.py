"""Work in forks of this process: what it calls and costs, how it is ended, and tests on changed sources."""

import inspect
import os
import sys
import time
from contextlib import suppress
from cProfile import Profile
from multiprocessing import get_context
from pathlib import Path

from numba import config

from ..core import PACKAGE, ROOT
from .patches import Copy, forget

LEAST = 10  # CPU seconds that any check may take: an endless loop is a finding, too


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

    shared = [path.stem for path in (ROOT.parent / "tests").glob("*.py")]
    forget(PACKAGE, "tests", "figures", *shared)  # also what the process that forked has imported
    sys.meta_path.insert(0, Copy(PACKAGE, sources or {}))
    config.DISABLE_JIT = int(plain)
    os.chdir(ROOT.parent)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    options = ["-q", "-p", "no:cacheprovider", *["-m", "plain"] * plain, *["-x"] * bool(sources)]
    pytest.main([*options, *(f"--deselect={name}" for name in left_out), file], plugins=[Plugin()])
    return names
