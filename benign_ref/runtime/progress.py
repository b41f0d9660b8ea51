"""What long computations say while they run: lines on stderr, a line that updates on a terminal, the time
left.
"""

import contextlib
import sys
import time

import numpy as np

from .. import validate

CLEAR = "\r\x1b[2K"


def say(text):
    """A line on stderr; an updating line goes."""
    print(f"{CLEAR if sys.stderr.isatty() else ''}benign_ref: {text}", file=sys.stderr, flush=True)


class Line:
    """A line on stderr that updates on a terminal; elsewhere a plain line every 15 s. Called as line(done,
    total, what, left): `left`: seconds, None while unknown.
    """

    def __init__(self, name=""):
        self.stream, self.terminal = sys.stderr, sys.stderr.isatty()
        self.start(name)

    def start(self, name):
        """Begin what is called `name`."""
        self.name, self.begun = name, time.monotonic()
        self.shown = self.begun + (0.4 if self.terminal else 0.0)  # what ends at once shows nothing

    def __call__(self, done, total, what="cells", left=None):
        now, rest = time.monotonic(), "" if left is None else f", {_duration(left)} left"
        if done == total:
            rest = f" in {_duration(now - self.begun)}"
        elif now - self.shown < (0.1 if self.terminal else 15.0):
            return
        self.shown = now
        text = f"{self.name}: {done}/{total} {what}{rest}"
        print(f"{CLEAR}{text}" if self.terminal else f"{text}\n", end="", file=self.stream, flush=True)

    def clear(self):
        """Take the updating line away."""
        if self.terminal:
            print(CLEAR, end="", file=self.stream, flush=True)


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


def spread(count):
    """The order in which so many tasks are begun, by their places: first half of them, at any moment evenly
    spread over all (van der Corput's sequence), so that `TimeLeft` learns what the others cost; then the rest
    as given, the longest first.
    """
    bits = max(count - 1, 1).bit_length()
    spread_out = sorted(range(count), key=lambda place: f"{place:0{bits}b}"[::-1])
    return spread_out[: count // 2] + sorted(spread_out[count // 2 :])


class TimeLeft:
    """Seconds until a number of tasks are done, of which neighbours (in the order given) cost about the same.
    They are begun in the order `spread` gives.
    """

    def __init__(self, tasks, clock=time.monotonic):
        self.place = {task: k for k, task in enumerate(tasks)}
        self.order = np.array(spread(len(tasks)), dtype=int)
        self.taken = np.full(len(tasks), np.nan)  # seconds of each, 0 if it was lost, in the order given
        self.clock, self.begun = clock, np.inf

    def after(self, task, seconds):
        """Seconds left when `task` has ended, which took `seconds` (NaN: lost); None as long as they mean
        nothing. What the others take is interpolated, and they go on as fast, at once, as those that ended.
        """
        now, place = self.clock(), self.place[task]
        self.taken[place] = 0.0 if np.isnan(seconds) else max(seconds, 1e-6)
        self.begun = min(self.begun, now - self.taken[place])
        known = self.order[self.taken[self.order] > 0]
        if len(known) < max(2, len(self.order) / 20):
            return None
        wall, busy = now - self.begun, np.nansum(self.taken)
        at_once = max(round(busy / wall), 1)
        # A worker's first task compiles
        known = np.sort(known[at_once:] if len(known) >= 2 * at_once else known)
        ahead = np.interp(np.flatnonzero(np.isnan(self.taken)), known, self.taken[known])
        return float(wall / busy * ahead.sum())
