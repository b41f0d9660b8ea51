"""Worker processes and executors: how they start, end, die, and what is told then."""

import contextlib
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from grids import HERE, SMALL, Inline, bits, grid, started, undisturbed

from benign_ref.experiments.grid import phase_diagram
from benign_ref.runtime import processes, threads, workers


@contextlib.contextmanager
def in_the_middle(folder):
    """A process with two workers, both in an endless cell, after two cells were kept; and the workers'
    process ids.
    """
    with started("grids.endless(sys.argv[1])", folder) as process:
        pids = process.stdout.readline().split()
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
        yield process, pids


@pytest.mark.skipif(
    not hasattr(os, "killpg"), reason="this system has no groups of processes to send Ctrl-C to"
)
def test_ctrl_c_stops_within_a_second_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    with in_the_middle(tmp_path) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        _, told = process.communicate(
            timeout=20
        )  # ends when nobody holds its stderr any more: so no worker is left
        assert len(pids) == 2
    assert f"interrupted; 2 of 4 cells are kept in {str(tmp_path)!r}: run the same again to go on" in told
    assert (
        told.rstrip().splitlines()[-1].startswith("KeyboardInterrupt: interrupted")
        and told.count("Traceback") == 1
        and process.returncode != 0
    )
    assert len(list(tmp_path.glob("cells/*.json"))) == 2


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    with in_the_middle(tmp_path) as (process, pids):
        process.kill()
        process.communicate(timeout=20)  # as above: they hold its stderr as long as they live
        assert len(pids) == 2


def test_a_worker_that_dies_is_reported_with_its_cell_and_the_rest_goes_on(capsys):
    def kill_one(done, total, result):
        if done == 3:
            multiprocessing.active_children()[0].kill()

    result = grid(jobs=2, progress=kill_one)
    assert re.search(r"died \(exit code -?\d+\) while computing Cell\(snr=", capsys.readouterr().err)
    assert bits(result) == bits(undisturbed())


def poison(i):
    """A task that kills its worker if i = 2, and otherwise tells of the worker's world."""
    if i == 2:
        os._exit(3)
    return {name: os.environ[name] for name in threads.THREAD_VARIABLES}, deaf(), os.getpid()


def deaf():
    """Whether Ctrl-C does not reach this process."""
    if hasattr(signal, "pthread_sigmask") and signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []):
        return True
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.fixture
def hearing():
    """This process hears Ctrl-C, also as a background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_task_that_kills_every_worker_is_lost_alone_and_workers_are_as_promised(
    monkeypatch, hearing, capsys
):
    monkeypatch.setenv(threads.THREAD_VARIABLES[0], "7")
    monkeypatch.delenv(threads.THREAD_VARIABLES[1], raising=False)
    before = dict(os.environ)
    ended = list(workers.by_processes(poison, [(i,) for i in range(5)], 2))
    got = {task: value for task, value, seconds in ended}
    assert [task for task, value in got.items() if isinstance(value, workers.Lost)] == [(2,)] and len(
        got
    ) == 5
    assert got[2,].reason == "two worker processes died of it, exit code 3"
    assert capsys.readouterr().err.count("died (exit code 3) while computing (2,): tried again") == 1
    for variables, is_deaf, pid in (got[i,] for i in (0, 1, 3, 4)):
        assert set(variables.values()) == {"1"} and is_deaf and pid != os.getpid()
    assert dict(os.environ) == before and not deaf()


MAY_BE_ABSENT = (
    (os, "sched_getaffinity"),
    (os, "process_cpu_count"),
    (os, "link"),
    (signal, "pthread_sigmask"),
)


def test_the_same_bits_where_a_system_lacks_what_linux_has(tmp_path, monkeypatch):
    for module, name in MAY_BE_ABSENT:
        monkeypatch.delattr(module, name, raising=False)
    assert workers.available_cores() >= 1
    assert bits(grid(tmp_path, jobs=2)) == bits(undisturbed())


def test_no_more_workers_than_windows_can_wait_for(monkeypatch, capsys):
    monkeypatch.setattr(workers.sys, "platform", "win32")
    monkeypatch.setattr(workers, "by_processes", lambda function, tasks, jobs: jobs)
    assert workers.start(abs, [(k,) for k in range(100)], 80, None) == 60
    assert "60 workers instead of 80: more cannot be waited for on Windows" in capsys.readouterr().err


def long_product(seed):
    """The bits of a product so long that BLAS shares it among its threads."""
    x, y = np.random.default_rng(seed).standard_normal((2, 10**6))
    return float(x @ y).hex()


@pytest.mark.skipif(
    threads.of_blas() is None, reason="NumPy's BLAS here has no known function that sets its threads"
)
def test_one_job_in_this_process_has_the_bits_of_a_worker_whatever_the_threads_of_blas():
    tasks, (get, set_) = [(seed,) for seed in range(8)], threads._blas()
    before = get()
    set_(2)
    try:
        here = {task: value for task, value, _ in workers.in_process(long_product, tasks)}
        assert get() == threads.of_blas() == 2
        threaded = {task: long_product(*task) for task in tasks}
    finally:
        set_(before)
    there = {task: value for task, value, _ in workers.by_processes(long_product, tasks, 1)}
    assert here == there
    if workers.available_cores() > 1:
        assert threaded != there  # or this test would show nothing


def no_memory(k):
    if k == 1:
        raise MemoryError("of 8 GB")
    return k


def test_a_task_without_memory_is_lost_alone_in_this_process_too():
    got = {task: value for task, value, _ in workers.in_process(no_memory, [(k,) for k in range(3)])}
    assert got == {(0,): 0, (1,): workers.Lost("MemoryError: of 8 GB"), (2,): 2}


def test_workers_end_at_once_when_nobody_wants_their_results_any_more():
    source = workers.by_processes(time.sleep, [(0.0,), (600.0,)], 2)
    assert next(source)[:2] == ((0.0,), None) and len(multiprocessing.active_children()) == 2
    source.close()
    assert not multiprocessing.active_children()


def who(k):
    """The worker; a task that never ends if k = 0."""
    while not k:
        time.sleep(1)
    return os.getpid()


def test_shared_workers_go_from_one_computation_to_the_next_and_end_with_the_block():
    by = lambda tasks: {pid for _, pid, _ in workers.by_processes(who, [(k,) for k in tasks], 2)}  # noqa: E731
    assert processes.idle() == 0
    with processes.shared():
        first = by([1, 2])
        assert len(first) == processes.idle() == 2 and by([3, 4]) == first
        with processes.shared():  # a block inside has workers of its own
            assert processes.idle() == 0 and not by([1]) & first
        assert processes.idle() == 2
        gone = multiprocessing.active_children()[0]  # between two computations: no task is blamed
        gone.kill()
        gone.join()
        assert len(by([5, 6]) - first) == 1 and processes.idle() == 2
        source = workers.by_processes(who, [(7,), (0,)], 2)
        next(source)
        source.close()  # the worker of an endless task ends at once, the other waits on
        assert processes.idle() == len(multiprocessing.active_children()) == 1
        with pytest.raises(RuntimeError, match="failed"):
            list(workers.by_processes(who, [("x", "y")], 1))
    assert not multiprocessing.active_children() and processes.idle() == 0
    by([8, 9])
    assert not multiprocessing.active_children()


def test_what_the_function_raises_ends_the_computation_and_names_the_task():
    with pytest.raises(RuntimeError, match=r"(?s)\('two',\) failed.*ValueError: invalid literal"):
        list(workers.by_executor(int, [("1",), ("two",)], Inline()))
    assert workers.attempt(int, ("1",))[0] == 1
    with pytest.raises(MemoryError):
        workers.attempt(bytearray, (2**62,))


def test_a_script_without_a_guard_is_computed_by_one_job_and_told_in_a_sentence_with_more(tmp_path):
    where, ends = dict(os.environ, PYTHONPATH=f"{HERE}{os.pathsep}{HERE.parent}"), []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": where}
    for jobs in (1, 2):
        script = tmp_path / f"script{jobs}.py"
        script.write_text(f"import grids\nprint(grids.grid(jobs={jobs}))\n", encoding="utf-8")
        ends.append(subprocess.Popen([sys.executable, script], **pipes))
    (printed, said), (nothing, sentence) = (process.communicate(timeout=60) for process in ends)
    assert [process.returncode for process in ends] == [0, 1]
    assert "27 converged" in printed and not said and sentence.strip() == workers.NO_GUARD and not nothing


def test_an_executor_that_was_shut_down_is_an_error_not_a_hang():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        phase_diagram([2.0], [2], executor=pool, **SMALL)


def test_what_an_executor_has_not_begun_is_cancelled_when_the_grid_is_interrupted():
    class Busy(Inline):  # computes the first task and has not come to the others
        def submit(self, function, compute, task):
            self.futures = [
                *getattr(self, "futures", []),
                super().submit(function, compute, task) if not self.tasks else Future(),
            ]
            return self.futures[-1]

    def interrupt(done, total, result):
        if done == 1:
            raise KeyboardInterrupt

    pool = Busy()
    with pytest.raises(KeyboardInterrupt, match="interrupted; 1 of 4 cells are lost: give a store"):
        phase_diagram([2.0, 3.0], [2], executor=pool, progress=interrupt, **SMALL)
    assert len(pool.futures) == 4 and all(future.cancelled() for future in pool.futures[1:])


def test_half_of_a_cluster_may_die_and_the_bits_are_the_same():
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    kind = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": None,
        "host": "127.0.0.1",
    }
    with distributed.LocalCluster(**kind) as cluster, distributed.Client(cluster) as client:

        def kill_one(done, total, result):
            if done == 5:
                next(iter(cluster.workers.values())).process.process._process.kill()

        result = grid(executor=client.get_executor(pure=False), progress=kill_one)
    assert bits(result) == bits(undisturbed())
