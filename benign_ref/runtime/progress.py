"""What long computations say while they run: lines on stderr, a line that updates on a terminal, the time
left.
"""

import contextlib
import sys
import time

import numpy as np

from .. import validate

SURVIVES = 0.25  # a task that runs is expected to run on for this share of its time so far, at least
CLEAR = "\r\x1b[2K"


def say(text):
    """A line on stderr; an updating line goes."""
    print(f"{CLEAR if sys.stderr.isatty() else ''}benign_ref: {text}", file=sys.stderr, flush=True)


class Line:
    """A line that updates on a terminal; elsewhere a plain line every 15 s. Called as line(done, total,
    what, left): `left`: seconds, None while unknown.
    """

    def __init__(self, name="", stream=None, every=15.0):
        self.stream, self.every = stream or sys.stderr, every
        self.terminal = self.stream.isatty()
        self.start(name)

    def start(self, name):
        """Begin what is called `name`."""
        self.name, self.begun = name, time.monotonic()
        self.shown = self.begun + (0.4 if self.terminal else 0.0)  # what ends at once shows nothing

    def __call__(self, done, total, what="cells", left=None):
        now, rest = time.monotonic(), "" if left is None else f", {_duration(left)} left"
        if done == total:
            rest = f" in {_duration(now - self.begun)}"
        elif now - self.shown < (0.1 if self.terminal else self.every):
            return
        self.shown = now
        self.write(f"{self.name}: {done}/{total} {what}{rest}")

    def write(self, text):
        """Show `text` in place of what the line showed."""
        self.stream.write(f"{CLEAR}{text}" if self.terminal else text + "\n")
        self.stream.flush()

    def clear(self):
        """Take the updating line away."""
        if self.terminal:
            self.stream.write(CLEAR)
            self.stream.flush()


def _duration(seconds):
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )


@contextlib.contextmanager
def reporting(progress, name, what):
    """The function report(done, total, value, left=None) for what a public function was given as `progress`:

    None: a Line if stderr is a terminal. True: a Line. False: nothing. A Line: this one. A function: it is
    called as progress(done, total, value). TypeError for anything else. The Line says `name` and `what`, in
    which {value} stands for the value.
    """
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    if progress is False:
        yield lambda done, total, value, left=None: None
    elif progress is True or isinstance(progress, Line):
        line = Line(name) if progress is True else progress
        try:
            yield lambda done, total, value, left=None: line(done, total, what.format(value=value), left)
        finally:
            line.clear()
    else:
        validate.require(
            callable(progress),
            "progress must be None, True, False or a function of (done, total, value), "
            f"got {validate.shown(progress)}",
            TypeError,
        )
        yield lambda done, total, value, left=None: progress(done, total, value)


def spread(tasks):
    """The tasks in the order in which they are begun: first half of them, at any moment evenly spread over
    all (van der Corput's sequence), so that `TimeLeft` learns what the others cost; then the rest as given,
    the longest first.
    """
    count = len(tasks)
    bits = max(count - 1, 1).bit_length()
    places = (int(f"{k:0{bits}b}"[::-1], 2) for k in range(2**bits))
    first = [tasks[place] for place in places if place < count][: count // 2]
    return first + [task for task in tasks if task not in set(first)]


class TimeLeft:
    """Seconds until a number of tasks are done, of which neighbours (in the order given) cost about the same.
    They are begun in the order `spread` gives, `at_once` at a time (None: only the executor knows).
    """

    def __init__(self, tasks, at_once, clock=time.monotonic):
        self.tasks, self.at_once, self.clock = spread(tasks), at_once, clock
        self.number = {task: k for k, task in enumerate(self.tasks)}
        self.places = np.argsort([self.number[task] for task in tasks])  # the k-th begun, in the order given
        self.taken = np.full(len(tasks), np.nan)  # seconds of the k-th begun
        self.ends, self.begun = [], np.inf

    def add(self, task, seconds):
        """`task` has ended, which took `seconds` (NaN: lost)."""
        self.ends.append(self.clock())
        self.taken[self.number[task]] = max(seconds, 1e-9) if seconds == seconds else 0.0
        self.begun = min(self.begun, self.ends[-1] - self.taken[self.number[task]])

    def seconds(self):
        """Seconds left; None as long as they mean nothing."""
        known = np.flatnonzero(self.taken > 0)
        if len(known) < max(2, self.at_once or 2, len(self.tasks) / 20):
            return None
        now, busy = self.clock(), np.nansum(self.taken)
        wall = now - self.begun
        at_once = self.at_once or max(round(busy / wall), 1)
        known = known[at_once:] if len(known) >= 2 * at_once else known  # a worker's first task compiles
        waiting = np.flatnonzero(np.isnan(self.taken))
        # The first of those that wait are running; the k-th began when a worker was free, at end k - at_once
        running = waiting[:at_once]
        spent = now - np.array([self.ends[k - at_once] if k >= at_once else self.begun for k in running])
        ahead = self._expected(waiting, known, self.taken[known])
        ahead[: len(running)] = np.maximum(ahead[: len(running)] - spent, SURVIVES * spent)
        slower = max(at_once * wall / (busy + spent.sum()), 1.0)  # what is lost between tasks
        return float(max(slower * ahead.sum() / at_once, ahead[: len(running)].max(initial=0)))

    def _expected(self, asked, known, seconds):
        """The seconds of the tasks `asked`, interpolated from those of the tasks `known`."""
        order = np.argsort(self.places[known])
        return np.interp(self.places[asked], self.places[known][order], seconds[order])
