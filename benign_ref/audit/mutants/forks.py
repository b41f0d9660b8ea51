"""Work in forks of this process: what it calls and costs, how it is ended, and tests on changed sources."""

import inspect
import os
import sys
import time
from cProfile import Profile
from multiprocessing import get_context
from pathlib import Path

from numba import config

from ..core import PACKAGE
from .patches import HERE, Copy, forget

LEAST = 10  # CPU seconds that any check may take: an endless loop is a finding, too


def in_child(work, *arguments):
    """The value of work(*arguments), computed in a fork of this process; None if that crashed, or did not end
    in time.
    """
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
        return None
    finally:
        child.join()


def allow(seconds):
    """Let this process take a few times as many CPU seconds; then the system ends it."""
    import resource

    limit = int(time.process_time() + LEAST + 3 * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def watched(work, *arguments):
    """CPU seconds of work(*arguments), (file, first line) of each function of the package it calls, its
    value.
    """
    profile, begun = Profile(builtins=False), time.process_time()
    value = profile.runcall(work, *arguments)
    seen = [
        (Path(code.co_filename).relative_to(HERE).as_posix(), code.co_firstlineno)
        for code, *_ in profile.getstats()
        if code.co_filename.startswith(f"{HERE}{os.sep}") and code.co_flags & inspect.CO_OPTIMIZED
    ]
    return time.process_time() - begun, seen, value


class _Failures:
    """A pytest plugin: the names of the tests that fail, or of the file that cannot be read."""

    def __init__(self):
        self.names = []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.names.append(report.nodeid)

    pytest_collectreport = pytest_runtest_logreport


def failing(file, plain, options=(), sources=None):
    """The names of the tests of a file that fail, run in this process, which is a fork, on the package with
    other `sources` of some files. plain: without numba.
    """
    import pytest

    shared = [path.stem for path in (HERE.parent / "tests").glob("*.py")]
    for package in (PACKAGE, "tests", "figures", *shared):
        forget(package)  # also what tests of the process that forked have imported
    sys.meta_path.insert(0, Copy(PACKAGE, sources or {}))
    config.DISABLE_JIT, failures = int(plain), _Failures()
    os.chdir(HERE.parent)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    options = ["-q", "-p", "no:cacheprovider", *(["-m", "plain"] if plain else []), *options]
    pytest.main([*options, file], plugins=[failures])
    return failures.names
