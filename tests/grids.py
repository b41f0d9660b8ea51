"""Small grids for the tests of sweep, workers, store and diagram; an executor that is the least of one;
processes to be killed.
"""

import contextlib
import functools
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import Executor, Future
from pathlib import Path

import benign_ref as br
from benign_ref.experiments.grid import ARRAYS, phase_diagram

HERE = Path(__file__).resolve().parent
BASE = br.Setting(M=3, d=32, d_h=4, d_v=4, epsilon=0.002)
SNRS, NS, SEEDS = [2.0, 8.0, 20.0], [2, 3, 4], 3
SMALL = {"base": BASE.replace(epsilon=0.2), "seeds": 2, "n_test": 20}


def grid(folder=None, **options):
    """The grid of most tests: 27 runs."""
    return phase_diagram(SNRS, NS, base=BASE, seeds=SEEDS, n_test=50, store=folder, **options)


@functools.cache
def undisturbed():
    """The grid as it should be, computed once a session."""
    return grid(jobs=2)


def endless(folder):
    """A grid whose first cells end soon, the others never; then it prints the process ids of its workers."""

    def tell(done, total, result):
        if done == 2:
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)

    base = BASE.replace(epsilon=1e-9, eta=1e-9, max_steps=10**12, d_h=1)
    phase_diagram(
        [1e9, 1.0],
        [2],
        base=base.replace(sigma_V=1e-6),
        seeds=2,
        n_test=50,
        store=folder,
        jobs=2,
        progress=tell,
    )


def bits(result):
    """Everything in a PhaseDiagram that must not depend on how it was computed, as bytes."""
    return {name: (getattr(result, name).dtype.str, getattr(result, name).tobytes()) for name in ARRAYS} | {
        "settings": result.settings
    }


@contextlib.contextmanager
def started(code, *arguments):
    """A Python process in a session of its own that runs `code` with this file imported; gone afterwards,
    with all it started.
    """
    where = dict(os.environ, PYTHONPATH=os.pathsep.join([str(HERE), str(HERE.parent)]))
    hearing = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # in a background job too
    )
    command = [sys.executable, "-c", f"{hearing}\nimport sys, grids\n{code}", *map(str, arguments)]
    with subprocess.Popen(
        command, env=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # its workers end with it


class Inline(Executor):
    """The least of an executor: submit, computing at once. It loses what `loses` says, and notes what was
    asked of it.
    """

    def __init__(self, loses=lambda task: False):
        self.loses, self.tasks = loses, []

    def submit(self, function, compute, task):
        self.tasks.append(task)
        future = Future()
        if self.loses(task):
            future.set_exception(OSError("the node is gone"))
        else:
            future.set_result(function(compute, task))
        return future

    def shutdown(self, *args, **kwargs):
        raise AssertionError("an executor belongs to its caller")
