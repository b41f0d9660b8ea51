"""Independent parts of one computation: in this process, on processes of our own, or on any PEP 3148
executor.

A task is a tuple of hashable arguments; `in_process`, `by_processes` and `by_executor` yield an Ended as
each task ends, in any order. Its value is what function(*task) returned, or Lost where whoever computed it
is gone. An exception of the function itself ends everything. Our own workers are fresh processes (spawn),
one BLAS thread and one numba thread each, which end when this process ends, however it ends.
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
from collections import deque
from concurrent.futures import Future
from multiprocessing import connection, resource_tracker
from typing import Any, NamedTuple

from .threads import THREAD_VARIABLES, one_blas_thread

STARTS = 3  # workers in a row that may end before they are ready
MOST_ON_WINDOWS = 60  # processes that one process can wait for there
UNGUARDED = 77  # exit code of a worker that found itself importing a script which starts workers
WORKER_NAME = "benign_ref worker"
NO_GUARD = (
    'a script that computes with more than one worker must do so under `if __name__ == "__main__":`, because '
    "every worker imports the script first; or give jobs=1, which computes in the script itself"
)
NO_START = "{count} worker processes in a row ended before they were ready (exit code {code})"


class Lost(NamedTuple):
    """A task without a result, because the process that computed it is gone."""

    reason: str


class Failure(NamedTuple):
    """The traceback, as text, of an exception in the function itself."""

    text: str


class Ended(NamedTuple):
    """A task that ended: its value, or Lost, and the seconds that it took where it was computed."""

    task: tuple
    value: Any
    seconds: float = math.nan


def available_cores():
    """The cores this process may use."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(function, tasks, jobs, executor, report=lambda text: None):
    """The generator of Ended for `tasks`: by `executor` if one is given, else by `jobs` (None: the cores
    available) workers, in this process if that is one; and how many work at once (None: the executor
    knows).
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
    """(function(*task) or Failure, seconds). MemoryError is not caught: it tells of the machine, as the
    loss of a worker does, not of the task.
    """
    begun = time.monotonic()
    try:
        value = function(*task)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the caller shall see it
        value = Failure(traceback.format_exc())
    return value, time.monotonic() - begun


def _checked(task, value, seconds):
    if isinstance(value, Failure):
        failed = f"the computation of {task} failed:\n{value.text}"
        raise RuntimeError(failed)  # noqa: TRY004 - whatever its type was
    return Ended(task, value, seconds)


def in_process(function, tasks, report=lambda text: None):
    """Yield an Ended for each of `tasks`, computed here, one after the other, with the bits of a worker.
    Raises RuntimeError if the function raised something; for lack of memory a task is Lost.
    """
    for task in tasks:
        try:
            with one_blas_thread():
                value, seconds = attempt(function, task)
        except MemoryError as error:
            value, seconds = Lost(f"MemoryError: {error}"), math.nan
            report(f"not enough memory for {task}: given up")
        yield _checked(task, value, seconds)


@contextlib.contextmanager
def _start_conditions():
    """What a process started meanwhile inherits: one thread for each library, read when NumPy is imported,
    and no Ctrl-C.

    Ctrl-C in a terminal reaches every process of a run; only the parent should answer. Blocked here, it is
    not lost: it arrives afterwards.
    """
    before, mask = {name: os.environ.get(name) for name in THREAD_VARIABLES}, None
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # a process of its own: started later, it would unblock SIGINT
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        os.environ.update((name, value) for name, value in before.items() if value is not None)
        for name in (name for name, value in before.items() if value is None):
            del os.environ[name]
        if mask is not None:
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
    """One process, the channel to it, and the task it has (None: none)."""

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


class _Crew:
    """The workers of one computation, the tasks that wait, and those that a worker died of once."""

    def __init__(self, function, tasks, jobs, report):
        self.function, self.waiting, self.jobs, self.report = function, deque(tasks), jobs, report
        self.workers, self.tried, self.failed_starts = [], set(), 0

    def busy(self):
        """{channel: worker} of all that have a task, idle ones given one, missing ones started."""
        while self.waiting and len(self.workers) < self.jobs:
            self.workers.append(Worker())
        for worker in self.workers:
            if worker.task is None and self.waiting:
                worker.give(self.function, self.waiting.popleft())
        return {worker.channel: worker for worker in self.workers if worker.task is not None}

    def bury(self, worker):
        """Put the task of a dead worker back; its Ended if that was the second time."""
        self.workers.remove(worker)
        task, code = worker.task, worker.end()
        if code == UNGUARDED:
            raise SystemExit(NO_GUARD)
        if not worker.ready:
            self.failed_starts += 1
            if self.failed_starts == STARTS:
                raise RuntimeError(NO_START.format(count=STARTS, code=code))
            self.waiting.appendleft(task)
            return None
        died = f"a worker process died (exit code {code}) while computing {task}"
        if task not in self.tried:
            self.report(f"{died}: tried again after the others")
            self.tried.add(task)
            self.waiting.append(task)
            return None
        self.report(f"{died}, the second time: given up")
        return Ended(task, Lost(f"two worker processes died of it, exit code {code}"))


def by_processes(function, tasks, jobs, report=lambda text: None):
    """Yield an Ended for each of `tasks`, begun in the order given by `jobs` worker processes.

    When a worker dies, report(text) is called with its task, a new one takes its place, and the task is
    tried once more after all others; if that one dies of it too, the value is Lost. Closing this generator
    kills the workers at once. Raises RuntimeError if the function raised something or if workers cannot be
    started, and SystemExit with one sentence if the script that runs starts workers whenever it is
    imported.
    """
    crew = _Crew(function, tasks, jobs, report)
    try:
        while busy := crew.busy():
            for channel in connection.wait(list(busy)):
                worker = busy[channel]
                try:
                    message = channel.recv()
                except (EOFError, OSError):  # it is dead
                    if lost := crew.bury(worker):
                        yield lost
                    continue
                if not worker.ready:
                    worker.ready, crew.failed_starts = True, 0
                    continue
                task, worker.task = worker.task, None
                crew.busy()  # it has its next task before the caller takes its time over the value
                yield _checked(task, *message)
    finally:
        for worker in crew.workers:
            worker.end()


def by_executor(function, tasks, executor, report=lambda text: None):
    """Yield an Ended for each of `tasks`, computed by a PEP 3148 executor, which stays the caller's: it
    is never shut down.

    Only submit, add_done_callback, result and, when this generator is closed early, cancel are used. function
    and tasks must be importable and picklable where the executor computes. A future that fails otherwise than
    by the function itself makes its task Lost. Raises RuntimeError if the function raised something.
    """
    ended, futures, lost = queue.SimpleQueue(), {}, {}
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
                value, seconds = future.result()
            except Exception as error:  # noqa: BLE001 - whatever the executor has for it
                value, seconds = Lost(f"{type(error).__name__}: {error}"), math.nan
                lost.setdefault(value.reason, []).append(task)
                if len(lost[value.reason]) == 1:
                    report(f"the executor lost {task}: {value.reason}")
            yield _checked(task, value, seconds)
        for reason, gone in lost.items():
            if len(gone) > 1:
                report(f"the executor lost {len(gone)} in all to {reason}")
    finally:
        for future in futures:
            future.cancel()
