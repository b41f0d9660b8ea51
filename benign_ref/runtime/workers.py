"""Independent parts of one computation: in this process, on processes of our own, or on any PEP 3148
executor.

A task is a tuple of hashable arguments; `in_process`, `by_processes` and `by_executor` yield (task, value,
seconds) as each ends, in any order: what function(*task) returned, or Lost where whoever computed it is gone,
and the seconds that it took there. An exception of the function itself ends everything. Our own workers are
fresh processes (spawn), one BLAS thread and one numba thread each, which end when this process ends, however
it ends; inside `processes.shared` they go from one computation to the next.
"""

import math
import multiprocessing
import os
import queue
import sys
from collections import deque
from concurrent.futures import Future
from multiprocessing import connection
from typing import NamedTuple

from .. import validate
from . import processes
from .processes import attempt
from .progress import say
from .threads import one_blas_thread

STARTS = 3  # workers in a row that may end before they are ready
MOST_ON_WINDOWS = 60  # processes that one process can wait for there
UNGUARDED = 77  # exit code of a worker that found itself importing a script which starts workers
NO_GUARD = (
    'a script that computes with more than one worker must do so under `if __name__ == "__main__":`, because '
    "every worker imports the script first; or give jobs=1, which computes in the script itself"
)


class Lost(NamedTuple):
    """A task without a result, because the process that computed it is gone. As a text it is the reason."""

    reason: str

    def __str__(self):
        return self.reason


def available_cores():
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(function, tasks, jobs, executor):
    """What yields (task, value, seconds) of each of `tasks`: by `executor` if one is given, else by `jobs`
    (None: the cores available) workers, in this process if that is one.
    """
    if executor is not None:
        return by_executor(function, tasks, executor)
    jobs = min(jobs or available_cores(), max(len(tasks), 1))
    if jobs == 1:
        return in_process(function, tasks)
    # Before `serve` a worker has this name: it is still importing the script
    if multiprocessing.current_process().name == processes.WORKER_NAME:
        os._exit(UNGUARDED)
    if sys.platform == "win32" and jobs > MOST_ON_WINDOWS:
        say(f"{MOST_ON_WINDOWS} workers instead of {jobs}: more cannot be waited for on Windows")
        jobs = MOST_ON_WINDOWS
    return by_processes(function, tasks, jobs)


def _checked(task, value, seconds=math.nan, failed=""):
    validate.require(not failed, f"the computation of {task} failed:\n{failed}", RuntimeError)
    return task, value, seconds


def in_process(function, tasks):
    """Yield (task, value, seconds) of each of `tasks`, computed here, one after the other, with the bits of a
    worker. Raises RuntimeError if the function raised something; for lack of memory a task is Lost.
    """
    for task in tasks:
        try:
            with one_blas_thread():
                ended = attempt(function, task)
        except MemoryError as error:
            ended = (Lost(f"MemoryError: {error}"),)
        yield _checked(task, *ended)


class _Crew:
    """The workers of a computation by channel, the tasks that wait, and those that a worker died of once."""

    def __init__(self, function, tasks, jobs):
        self.function, self.waiting, self.jobs = function, deque(tasks), jobs
        self.workers, self.tried, self.failed_starts = {}, set(), 0

    def busy(self):
        """The channels of all workers that have a task, idle ones given one, missing ones started."""
        while self.waiting and len(self.workers) < self.jobs:
            worker = processes.hired()
            self.workers[worker.channel] = worker
        for worker in self.workers.values():
            if worker.task is None and self.waiting:
                worker.give(self.function, self.waiting.popleft())
        return [channel for channel, worker in self.workers.items() if worker.task is not None]

    def bury(self, channel):
        """Put the task of a dead worker back; yield it as Lost if that was the second time."""
        worker = self.workers.pop(channel)
        task, code = worker.task, worker.end()
        validate.require(code != UNGUARDED, NO_GUARD, SystemExit)
        if not worker.ready:
            self.failed_starts += 1
            validate.require(
                self.failed_starts < STARTS,
                f"{STARTS} worker processes in a row ended before they were ready (exit code {code})",
                RuntimeError,
            )
            self.waiting.appendleft(task)
        elif task in self.tried:
            yield _checked(task, Lost(f"two worker processes died of it, exit code {code}"))
        else:
            say(f"a worker process died (exit code {code}) while computing {task}: tried again at the end")
            self.tried.add(task)
            self.waiting.append(task)


def by_processes(function, tasks, jobs):
    """Yield (task, value, seconds) of each of `tasks`, begun in the order given by `jobs` worker processes.

    When a worker dies, that is said with its task, a new one takes its place, and the task is tried once more
    after all others; if that one dies of it too, the value is Lost. Closing this generator kills the workers
    at once (inside `processes.shared`, those that have a task). Raises RuntimeError if the function raised
    something or if workers cannot be started, and SystemExit with one sentence if the script that runs starts
    workers whenever it is imported.
    """
    crew = _Crew(function, tasks, jobs)
    try:
        while busy := crew.busy():
            for channel in connection.wait(busy):
                worker = crew.workers[channel]
                try:
                    message = channel.recv()
                except (EOFError, OSError):  # it is dead
                    yield from crew.bury(channel)
                    continue
                if worker.ready:
                    task, worker.task = worker.task, None
                    crew.busy()  # it has its next task before the caller takes its time over the value
                    yield _checked(task, *message)
                else:
                    worker.ready, crew.failed_starts = True, 0
    finally:
        for worker in crew.workers.values():
            processes.release(worker)


def by_executor(function, tasks, executor):
    """Yield (task, value, seconds) of each of `tasks`, computed by a PEP 3148 executor, which stays the
    caller's: it is never shut down.

    Only submit, add_done_callback, result and, when this generator is closed early, cancel are used. function
    and tasks must be importable and picklable where the executor computes. A future that fails otherwise than
    by the function itself makes its task Lost. Raises RuntimeError if the function raised something.
    """
    ended, futures = queue.SimpleQueue(), {}
    try:
        for task in tasks:
            try:
                future = executor.submit(attempt, function, task)
            except Exception as error:  # noqa: BLE001 - it broke meanwhile, or was shut down
                future = Future()
                future.set_exception(error)
            futures[future] = task
        for future in futures:
            future.add_done_callback(ended.put)
        for _ in range(len(futures)):
            future = ended.get()
            task = futures.pop(future)
            try:
                result = future.result()
            except Exception as error:  # noqa: BLE001 - whatever the executor has for it
                result = (Lost(f"{type(error).__name__}: {error}"),)
            yield _checked(task, *result)
    finally:
        for future in futures:
            future.cancel()
