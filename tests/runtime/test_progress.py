"""The line of progress, and the time left on simulated schedules."""

import heapq
import io
import itertools

import numpy as np
import pytest

from benign_ref.runtime import progress
from benign_ref.runtime.progress import Line, TimeLeft, reporting, spread


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_line_is_sparse_when_piped_and_one_line_on_a_terminal(monkeypatch):
    piped, screen = io.StringIO(), Terminal()
    monkeypatch.setattr(progress.sys, "stderr", piped)
    line = Line("fig1")
    for done in range(1, 101):
        line(done, 100)
    assert piped.getvalue().startswith("fig1: 100/100 cells in ") and piped.getvalue().count("\n") == 1
    line.shown -= 15.0
    line(3, 9)
    assert piped.getvalue().endswith("\nfig1: 3/9 cells\n")
    monkeypatch.setattr(progress.sys, "stderr", screen)
    line = Line("fig1")
    for done in (1, 2):
        line.shown -= 1
        line(done, 4, "runs", 7200.0)
    line.clear()
    assert "\n" not in screen.getvalue() and "fig1: 2/4 runs, 2 h 00 min left" in screen.getvalue()


def test_what_ends_at_once_shows_no_line_before_its_end(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", screen)
    Line("fig1")(1, 4)
    assert not screen.getvalue()


def test_what_a_caller_may_ask_for(monkeypatch):
    told, screen = [], Terminal()
    with reporting(lambda *what: told.append(what), "train", "steps") as report:
        report(1, 2, 0.5, 3.0)
    assert told == [(1, 2, 0.5)]
    monkeypatch.setattr(progress.sys, "stderr", screen)
    for wish, shown in ((False, False), (None, True), (True, True), (Line("mine"), True)):
        screen.truncate(0)
        with reporting(wish, "train", "steps, loss {value:.2f}") as report:
            report(2, 2, 0.5)
        assert ("2/2 steps, loss 0.50" in screen.getvalue()) == shown
    monkeypatch.setattr(progress.sys, "stderr", io.StringIO())
    with reporting(None, "train", "steps") as report:
        report(2, 2, 0.5)
    assert not progress.sys.stderr.getvalue()
    with pytest.raises(TypeError, match="progress must be None, True, False or a function"):
        with reporting(3, "train", "steps"):
            pass


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 100])
def test_the_order_is_all_tasks_once_evenly_spread_first(count):
    order = spread(count)
    assert sorted(order) == [*range(count)] and order[count // 2 :] == sorted(order[count // 2 :])
    places = order[: max(count // 8, 1)]
    assert count < 32 or np.diff(sorted(places)).max() <= 2 * count / len(places)


def schedule(seconds, at_once, start=1.5, compiles=0.0):
    """(share of the work done, time left as told, time left) after each task of a simulated run: `at_once`
    workers start at `start`, and each one's first task takes `compiles` longer.
    """
    clock = [0.0]
    tasks = list(seconds)
    left, queue = TimeLeft(tasks, lambda: clock[0]), iter([tasks[place] for place in spread(len(tasks))])
    running = [
        (start + seconds[task] + compiles, task, compiles) for task in itertools.islice(queue, at_once)
    ]
    heapq.heapify(running)
    told, done = [], 0.0
    while running:
        clock[0], task, more = heapq.heappop(running)
        done += seconds[task]
        told.append((clock[0], done / sum(seconds.values()), left.after(task, seconds[task] + more)))
        for task in itertools.islice(queue, 1):
            heapq.heappush(running, (clock[0] + seconds[task], task, 0.0))
    return [(share, seconds, clock[0] - at) for at, share, seconds in told]


def grid(law, spread, rng):
    """{(N, SNR, seed): seconds}, N downwards, scattered by a factor exp(+-spread)."""
    cells = itertools.product(range(20, 1, -2), np.arange(1, 26, 2.0), range(3))
    return {cell: law(cell[0], cell[1]) * np.exp(spread * rng.standard_normal()) for cell in cells}


SCHEDULES = {
    "N^2, more at a small SNR": lambda rng: grid(lambda N, snr: N**2 * (1 + 20 / snr), 0.2, rng),
    "N^3, more at a boundary": lambda rng: grid(
        lambda N, snr: N**3 * (1 + 10 * np.exp(-((snr * N**0.5 - 30) ** 2) / 100)), 0.4, rng
    ),
    "all alike": lambda rng: grid(lambda N, snr: 1.0, 0.1, rng),
    "two regimes": lambda rng: {
        (regime, seed): factor * np.exp(0.1 * rng.standard_normal())
        for regime, factor in (("benign", 1.0), ("harmful", 3.0)) for seed in range(20)
    },
}  # fmt: skip


MANY = [name for name in SCHEDULES if name != "two regimes"]  # tasks for many workers


@pytest.mark.parametrize(
    "name, at_once, compiles",
    [*itertools.product(SCHEDULES, (1, 2), (0.0, 3.0)), *itertools.product(MANY, (4, 8), (0.0, 3.0))],
)
def test_time_left_is_within_a_factor_of_one_and_a_half_from_a_tenth_of_the_work_on(name, at_once, compiles):
    seconds = SCHEDULES[name](np.random.default_rng(7))
    told = schedule(seconds, at_once, compiles=compiles * np.mean(list(seconds.values())))
    judged = [(share, said / true) for share, said, true in told if 0.1 < share < 0.95]
    assert len(judged) > 10 and all(1 / 1.5 < ratio < 1.5 for _, ratio in judged), (min(judged), max(judged))


def test_nothing_is_said_before_it_means_something():
    told = schedule(SCHEDULES["all alike"](np.random.default_rng(0)), 2)
    assert all(said is None for share, said, _ in told if share < 0.045) and told[30][1] is not None


def test_lost_tasks_and_clocks_that_stand_still_do_not_stop_a_run():
    left = TimeLeft([(k,) for k in range(6)], clock=lambda: 1.0)
    told = [left.after((k,), float("nan") if k % 2 else 0.0) for k in range(6)]
    assert told[:2] == [None] * 2 and min(told[2:]) >= 0 and told[5] == 0
