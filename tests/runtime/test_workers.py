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
from pathlib import Path

import pytest
from grids import HERE, SMALL, Inline, bits, grid, started, undisturbed

from benign_ref.experiments.grid import phase_diagram
from benign_ref.runtime import workers


@contextlib.contextmanager
def in_the_middle(folder):
    """A process with two workers, both in an endless cell, after two cells were kept; and the workers'
    process ids.
    """
    with started("grids.endless(sys.argv[1])", folder) as process:
        while len(list(folder.glob("cells/*.json"))) < 2:
            time.sleep(0.01)
            assert process.poll() is None, process.communicate()
        time.sleep(0.2)
        children = (
            Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
        )
        yield process, [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_ctrl_c_stops_within_a_second_keeps_what_is_done_and_says_how_to_go_on(tmp_path):
    with in_the_middle(tmp_path) as (process, pids):
        for pid in pids:  # the first one, too, is deaf to Ctrl-C, from its start
            blocked = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))[
                1
            ]
            assert int(blocked, 16) >> (signal.SIGINT - 1) & 1
        sent = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        _, told = process.communicate(
            timeout=20
        )  # ends when nobody holds its stderr any more: so no worker is left
        assert time.monotonic() - sent < 1 and len(pids) == 2
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
        killed = time.monotonic()
        process.communicate(timeout=20)
        assert time.monotonic() - killed < 1 and len(pids) == 2


def test_a_worker_that_dies_is_reported_with_its_cell_and_the_rest_goes_on(capsys):
    def kill_one(done, total, result):
        if done == 3:
            multiprocessing.active_children()[0].kill()

    result = grid(jobs=2, progress=kill_one)
    assert "died (exit code -9) while computing cell snr=" in capsys.readouterr().err
    assert bits(result) == bits(undisturbed())


def poison(i):
    """A task that kills its worker if i = 2, and otherwise tells of the worker's world."""
    if i == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return (
        {name: os.environ[name] for name in workers.THREAD_VARIABLES},
        signal.pthread_sigmask(signal.SIG_BLOCK, []),
        os.getpid(),
    )


def test_a_task_that_kills_every_worker_is_lost_alone_and_workers_are_as_promised(monkeypatch):
    monkeypatch.setenv(workers.THREAD_VARIABLES[0], "7")
    monkeypatch.delenv(workers.THREAD_VARIABLES[1], raising=False)
    told, before = [], dict(os.environ)
    ended = list(workers.by_processes(poison, [(i,) for i in range(5)], 2, told.append))
    got = {task: value for task, value, seconds in ended}
    assert [task for task, value in got.items() if isinstance(value, workers.Lost)] == [(2,)] and len(
        got
    ) == 5
    assert len(told) == 2 and all("while computing (2,)" in text for text in told) and "given up" in told[1]
    for variables, blocked, pid in (got[i,] for i in (0, 1, 3, 4)):
        assert set(variables.values()) == {"1"} and signal.SIGINT in blocked and pid != os.getpid()
    assert dict(os.environ) == before and signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_end_at_once_when_nobody_wants_their_results_any_more():
    source = workers.by_processes(time.sleep, [(0.0,), (600.0,)], 2)
    assert next(source)[:2] == ((0.0,), None) and len(multiprocessing.active_children()) == 2
    source.close()
    assert not multiprocessing.active_children()


def test_what_the_function_raises_ends_the_computation_and_names_the_task():
    with pytest.raises(RuntimeError, match=r"(?s)\('two',\) failed.*ValueError: invalid literal"):
        list(workers.by_executor(int, [("1",), ("two",)], Inline()))
    assert workers.attempt(int, ("1",))[0] == 1
    with pytest.raises(MemoryError):
        workers.attempt(bytearray, (2**62,))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_script_without_a_guard_is_computed_by_one_job_and_told_in_a_sentence_with_more(tmp_path, jobs):
    script = tmp_path / "script.py"
    script.write_text(f"import grids\nprint(grids.grid(jobs={jobs}))\n", encoding="utf-8")
    where = dict(os.environ, PYTHONPATH=f"{HERE}{os.pathsep}{HERE.parent}")
    done = subprocess.run([sys.executable, script], check=False, env=where, capture_output=True, text=True)
    if jobs == 1:
        assert done.returncode == 0 and "27 converged" in done.stdout and not done.stderr
    else:
        assert done.returncode == 1 and done.stderr.strip() == workers.NO_GUARD and not done.stdout


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
