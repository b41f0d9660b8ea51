"""Worker processes: how one starts, lives and ends, and how they are shared by several computations."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from multiprocessing import connection, resource_tracker

from .threads import THREAD_VARIABLES

WORKER_NAME = "benign_ref worker"
_waiting = None  # inside `shared` (the innermost): the workers without a task


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


@contextlib.contextmanager
def shared():
    """Inside, workers that have done their tasks wait for the next computation, with everything imported and
    compiled; they end with the block.
    """
    global _waiting
    outer, _waiting = _waiting, []
    try:
        yield
    finally:
        ending, _waiting = _waiting, outer
        for worker in ending:
            worker.end()


def idle():
    """How many workers wait for a computation."""
    return len(_waiting or ())


def hired():
    """A worker that waits for a computation, or a new one."""
    while _waiting:
        worker = _waiting.pop()
        if worker.process.is_alive():
            return worker
        worker.end()
    return Worker()


def release(worker):
    """Let a worker wait for the next computation if it can, and otherwise end it."""
    if _waiting is not None and worker.ready and worker.task is None:
        _waiting.append(worker)
    else:
        worker.end()
