"""Independent parts of one computation on several processes: our own, or any PEP 3148 executor's.

A task is a tuple of hashable arguments; `by_processes` and `by_executor` yield (task, value) as the tasks
end, in any order. The value is what function(*task) returned, or Lost where whoever computed it is gone. An
exception of the function itself ends everything. Our own workers are fresh processes (spawn), one BLAS thread
and one numba thread each, which end when this process ends, however it ends.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections import deque
from concurrent.futures import Future
from multiprocessing import connection, resource_tracker
from typing import NamedTuple

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
STARTS = 3  # workers in a row that may end before they are ready


class Lost(NamedTuple):
    """A task without a result, because the process that computed it is gone."""

    reason: str


class Failure(NamedTuple):
    """The traceback, as text, of an exception in the function itself."""

    text: str


def available_cores():
    """The cores this process may use."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def attempt(function, task):
    """function(*task), or Failure. MemoryError is not caught: it tells of the machine, as the loss of a
    worker does, not of the task.
    """
    try:
        return function(*task)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the caller shall see it
        return Failure(traceback.format_exc())


def _checked(task, value):
    if isinstance(value, Failure):
        raise RuntimeError(f"the computation of {task} failed:\n{value.text}")  # noqa: TRY004 - the type tells how the task ended
    return task, value


@contextlib.contextmanager
def _start_conditions():
    """What a process started meanwhile inherits: one thread for each library, read when NumPy is imported,
    and no Ctrl-C.

    Ctrl-C in a terminal reaches every process of a run; only the parent should answer. Blocked here, it is
    not lost: it arrives afterwards.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    mask = None
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # multiprocessing's own process: started later, it would unblock SIGINT here
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end_with_parent():
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def serve(channel):
    """A worker's life: (function, task) in, the value out, until the channel is closed."""
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
        self.process = context.Process(target=serve, args=(other,), daemon=True)
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


def by_processes(function, tasks, jobs, report=lambda text: None):
    """Yield (task, value) for each of `tasks`, computed in the order given by `jobs` worker processes.

    When a worker dies, report(text) is called with its task, a new one takes its place, and the task is tried
    once more after all others; if that one dies of it too, the value is Lost. Closing this generator kills
    the workers at once. Raises RuntimeError if the function raised something, or if workers cannot be
    started.
    """
    waiting, tried, failed_starts, workers = deque(tasks), set(), 0, []
    try:
        while True:
            for worker in workers:
                if worker.task is None and waiting:
                    worker.give(function, waiting.popleft())
            while waiting and len(workers) < jobs:
                workers.append(Worker())
                workers[-1].give(function, waiting.popleft())
            busy = {worker.channel: worker for worker in workers if worker.task is not None}
            if not busy:
                return
            for channel in connection.wait(list(busy)):
                worker = busy[channel]
                try:
                    value = channel.recv()
                except (EOFError, OSError):  # it is dead
                    workers.remove(worker)
                    code = worker.end()
                    if not worker.ready:
                        failed_starts += 1
                        if failed_starts == STARTS:
                            raise RuntimeError(NO_START.format(count=STARTS, code=code)) from None
                        waiting.appendleft(worker.task)
                    elif worker.task not in tried:
                        report(
                            f"a worker process died (exit code {code}) while computing {worker.task}: tried again after the others"
                        )
                        tried.add(worker.task)
                        waiting.append(worker.task)
                    else:
                        report(
                            f"a worker process died (exit code {code}) while computing {worker.task}, the second time: given up"
                        )
                        yield worker.task, Lost(f"two worker processes died of it, exit code {code}")
                    continue
                if not worker.ready:
                    worker.ready, failed_starts = True, 0
                    continue
                task, worker.task = worker.task, None
                if waiting:
                    worker.give(
                        function, waiting.popleft()
                    )  # before the caller takes its time over the value
                yield _checked(task, value)
    finally:
        for worker in workers:
            worker.end()


NO_START = (
    "{count} worker processes in a row ended before they were ready (exit code {code}; what they wrote is above). A script that "
    'computes with workers must do so under `if __name__ == "__main__":`, because every worker imports the script first'
)


def by_executor(function, tasks, executor, report=lambda text: None):
    """Yield (task, value) for each of `tasks`, computed by a PEP 3148 executor, which stays the caller's: it
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
                value = future.result()
            except Exception as error:  # noqa: BLE001 - CancelledError, BrokenExecutor, whatever the executor has for it
                value = Lost(f"{type(error).__name__}: {error}")
                lost.setdefault(value.reason, []).append(task)
                if len(lost[value.reason]) == 1:
                    report(f"the executor lost {task}: {value.reason}")
            yield _checked(task, value)
        for reason, gone in lost.items():
            if len(gone) > 1:
                report(f"the executor lost {len(gone)} in all to {reason}")
    finally:
        for future in futures:
            future.cancel()
