"""Independent parts of one computation: in this process, on processes of our own, or on any PEP 3148
executor.

A task is a tuple of hashable arguments; `in_process`, `by_processes` and `by_executor` yield (task, value,
seconds) as each ends, in any order: what function(*task) returned, or Lost where whoever computed it is gone,
and the seconds that it took there. An exception of the function itself ends everything. Our own workers are
fresh processes (spawn), one BLAS thread and one numba thread each, which end when this process ends, however
it ends; inside `shared` they go from one computation to the next.
"""

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from concurrent.futures import Future
from multiprocessing import connection, resource_tracker
from typing import NamedTuple

from .. import validate
from .threads import THREAD_VARIABLES, one_blas_thread

STARTS = 3  # workers in a row that may end before they are ready
MOST_ON_WINDOWS = 60  # processes that one process can wait for there
UNGUARDED = 77  # exit code of a worker that found itself importing a script which starts workers
WORKER_NAME = "benign_ref worker"
NO_GUARD = (
    'a script that computes with more than one worker must do so under `if __name__ == "__main__":`, because '
    "every worker imports the script first; or give jobs=1, which computes in the script itself"
)


_shared = []  # of each `shared` block that is open, the innermost last: its workers without a task


class Lost(NamedTuple):
    """A task without a result, because the process that computed it is gone."""

    reason: str


def available_cores():
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start(function, tasks, jobs, executor, report=lambda text: None):
    """What yields (task, value, seconds) of each of `tasks`: by `executor` if one is given, else by `jobs`
    (None: the cores available) workers, in this process if that is one; and how many work at once (None: the
    executor knows).
    """
    if executor is not None:
        return by_executor(function, tasks, executor, report), None
    jobs = min(jobs or available_cores(), max(len(tasks), 1))
    if jobs == 1:
        return in_process(function, tasks, report), 1
    if multiprocessing.current_process().name == WORKER_NAME:  # before `serve`: still importing the script
        os._exit(UNGUARDED)
    if sys.platform == "win32" and jobs > MOST_ON_WINDOWS:
        report(f"{MOST_ON_WINDOWS} workers instead of {jobs}: more cannot be waited for on Windows")
        jobs = MOST_ON_WINDOWS
    return by_processes(function, tasks, jobs, report), jobs


def attempt(function, task):
    """(function(*task), seconds, ""), or (None, seconds, traceback) if it raises. MemoryError is not caught:
    it tells of the machine, as the loss of a worker does, not of the task.
    """
    begun, value, failed = time.monotonic(), None, ""
    try:
        value = function(*task)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the caller shall see it
        failed = traceback.format_exc()
    return value, time.monotonic() - begun, failed


@contextlib.contextmanager
def shared():
    """Inside, workers that have done their tasks wait for the next computation, with everything imported and
    compiled; they end with the block.
    """
    idle = []
    _shared.append(idle)
    try:
        yield
    finally:
        _shared.remove(idle)
        for worker in idle:
            worker.end()


def idle():
    """How many workers wait for a computation."""
    return sum(map(len, _shared[-1:]))


def _checked(task, value, seconds=math.nan, failed=""):
    validate.require(not failed, f"the computation of {task} failed:\n{failed}", RuntimeError)
    return task, value, seconds


def in_process(function, tasks, report=lambda text: None):
    """Yield (task, value, seconds) of each of `tasks`, computed here, one after the other, with the bits of a
    worker. Raises RuntimeError if the function raised something; for lack of memory a task is Lost.
    """
    for task in tasks:
        try:
            with one_blas_thread():
                ended = attempt(function, task)
        except MemoryError as error:
            ended = (Lost(f"MemoryError: {error}"),)
            report(f"not enough memory for {task}: given up")
        yield _checked(task, *ended)


@contextlib.contextmanager
def _start_conditions():
    """What a process started meanwhile inherits: one thread for each library, read when NumPy is imported,
    and no Ctrl-C.

    Ctrl-C in a terminal reaches every process of a run; only the parent should answer. Blocked here, it is
    not lost: it arrives afterwards.
    """
    before = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    can_block = hasattr(signal, "pthread_sigmask")
    if can_block:
        resource_tracker.ensure_running()  # a process of its own: started later, it would unblock SIGINT
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name in THREAD_VARIABLES:
            del os.environ[name]
        os.environ.update(before)
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent():
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def serve(channel):
    """A worker's life: (function, task) in, value and seconds out, until the channel is closed."""
    multiprocessing.current_process().name = f"{WORKER_NAME}, ready"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked from the start
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        channel.send("ready")
        while True:
            channel.send(attempt(*channel.recv()))


class Worker:
    """One process, the channel to it, the task it has (None: none), and whether it has said that it is
    ready.
    """

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.channel, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True, name=WORKER_NAME)
        self.task, self.ready = None, False
        try:
            with _start_conditions():
                self.process.start()
        except BaseException:  # a Ctrl-C that waited
            if self.process.pid:
                self.process.kill()
            raise
        other.close()

    def give(self, function, task):
        """Send it function(*task) to compute, and note the task as the one it has."""
        self.task = task
        with contextlib.suppress(OSError):  # it is gone already: reading from it will tell
            self.channel.send((function, task))

    def end(self):
        """Kill it, which harms nothing as workers write no files. Returns its exit code (negative: the signal
        that ended it).
        """
        self.process.kill()
        self.process.join()
        self.channel.close()
        return self.process.exitcode


def _hired():
    """A worker that waits for a computation, or a new one."""
    for waiting in _shared[-1:]:
        while waiting:
            worker = waiting.pop()
            if worker.process.is_alive():
                return worker
            worker.end()
    return Worker()


class _Crew:
    """The workers of a computation by channel, the tasks that wait, and those that a worker died of once."""

    def __init__(self, function, tasks, jobs, report):
        self.function, self.waiting, self.jobs, self.report = function, deque(tasks), jobs, report
        self.workers, self.tried, self.failed_starts = {}, set(), 0

    def busy(self):
        """The channels of all workers that have a task, idle ones given one, missing ones started."""
        while self.waiting and len(self.workers) < self.jobs:
            worker = _hired()
            self.workers[worker.channel] = worker
        for worker in self.workers.values():
            if worker.task is None and self.waiting:
                worker.give(self.function, self.waiting.popleft())
        return [channel for channel, worker in self.workers.items() if worker.task is not None]

    def bury(self, channel):
        """Put the task of a dead worker back; the task as Lost if that was the second time."""
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
            return self.waiting.appendleft(task)
        died = f"a worker process died (exit code {code}) while computing {task}"
        if task in self.tried:
            self.report(f"{died}, the second time: given up")
            return _checked(task, Lost(f"two worker processes died of it, exit code {code}"))
        self.report(f"{died}: tried again after the others")
        self.tried.add(task)
        return self.waiting.append(task)


def by_processes(function, tasks, jobs, report=lambda text: None):
    """Yield (task, value, seconds) of each of `tasks`, begun in the order given by `jobs` worker processes.

    When a worker dies, report(text) is called with its task, a new one takes its place, and the task is
    tried once more after all others; if that one dies of it too, the value is Lost. Closing this generator
    kills the workers at once (inside `shared`, those that have a task). Raises RuntimeError if the function raised something or if workers cannot be
    started, and SystemExit with one sentence if the script that runs starts workers whenever it is
    imported.
    """
    crew = _Crew(function, tasks, jobs, report)
    try:
        while busy := crew.busy():
            for channel in connection.wait(busy):
                worker = crew.workers[channel]
                try:
                    message = channel.recv()
                except (EOFError, OSError):  # it is dead
                    if lost := crew.bury(channel):
                        yield lost
                    continue
                if worker.ready:
                    task, worker.task = worker.task, None
                    crew.busy()  # it has its next task before the caller takes its time over the value
                    yield _checked(task, *message)
                else:
                    worker.ready, crew.failed_starts = True, 0
    finally:
        for worker in crew.workers.values():
            if _shared and worker.ready and worker.task is None:
                _shared[-1].append(worker)
            else:
                worker.end()


def by_executor(function, tasks, executor, report=lambda text: None):
    """Yield (task, value, seconds) of each of `tasks`, computed by a PEP 3148 executor, which stays the
    caller's: it is never shut down.

    Only submit, add_done_callback, result and, when this generator is closed early, cancel are used. function
    and tasks must be importable and picklable where the executor computes. A future that fails otherwise than
    by the function itself makes its task Lost. Raises RuntimeError if the function raised something.
    """
    ended, futures, lost = queue.SimpleQueue(), {}, Counter()
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
                reason = f"{type(error).__name__}: {error}"
                if not lost[reason]:
                    report(f"the executor lost {task}: {reason}")
                lost[reason] += 1
                result = (Lost(reason),)
            yield _checked(task, *result)
        for reason, count in lost.items():
            if count > 1:
                report(f"the executor lost {count} in all to {reason}")
    finally:
        for future in futures:
            future.cancel()
