"""Tasks that are resumed: each is computed once and kept in a store, by this process, by workers of our
own, or by any PEP 3148 executor. One engine for grids and for the parts of a figure.
"""

import contextlib
import json

import numpy as np

from . import workers
from .progress import TimeLeft, say, spread
from .store import Store

# Decides stored numbers: to be raised whenever a change of the code changes any of them, in the last bit even
MATHEMATICS = "3"


def versions():
    """What decides the numbers of any stored computation besides its settings: MATHEMATICS, and NumPy, whose
    random streams may change.
    """
    return {"MATHEMATICS": MATHEMATICS, "numpy": ".".join(np.__version__.split(".")[:2])}


def resume(function, tasks, *, store=None, jobs=None, executor=None, what="tasks", progress):
    """function(*task) for every task, a tuple of numbers and names: ({task: value} in the order asked for,
    workers.Lost where a task was lost; how many were computed; how many were found in the store).

    Values must be what JSON holds (any float may be in them) and come back as JSON gives them, tuples as
    lists, whether computed now or found in the store. store: a Store whose settings say what, besides the
    task, decides a value; None: nothing is kept. Computed by `jobs` workers (None: the cores available; 1: in
    this process, with the same bits), or by `executor`. Give the longest tasks first, similar ones side by
    side. what: what a task is called in messages. progress(done, total, value, left): called first with what
    the store had and value None, then after each task; left: seconds until the end, None while unknown.

    On Ctrl-C the workers end at once, and KeyboardInterrupt goes on with a message that says what is kept.
    Raises RuntimeError if the function raises something, or if all that was to be computed was lost; OSError
    if the store cannot be written.
    """
    tasks = list(dict.fromkeys(tasks))
    stored = {task: store.read(file_name(task)) for task in tasks} if store else {}
    values, lost = {task: value for task, value in stored.items() if value is not None}, {}
    missing, reused = [task for task in tasks if task not in values], len(values)
    if store and missing:
        store.probe()
    order, time_left = [missing[place] for place in spread(len(missing))], TimeLeft(missing)
    source = workers.start(function, order, jobs, executor)
    try:
        with contextlib.closing(source):  # whatever happens here ends the workers
            progress(reused, len(tasks), None, None)
            for task, value, seconds in source:
                if isinstance(value, workers.Lost):
                    if value not in lost.values():  # of many lost alike, the first
                        say(f"{task} was lost: {value.reason}")
                    lost[task] = values[task] = value
                else:
                    values[task] = json.loads(json.dumps(value))
                    if store:
                        store.write(file_name(task), values[task])
                progress(len(values), len(tasks), values[task], time_left.after(task, seconds))
    except KeyboardInterrupt:
        kept = (
            f"kept in {str(store.folder)!r}: run the same again to go on" if store else "lost: give a store"
        )
        done = f"interrupted; {len(values) - len(lost)} of {len(tasks)} {what} are {kept}"
        raise KeyboardInterrupt(done) from None
    if lost and len(lost) == len(missing):
        reason = lost.popitem()[1].reason
        raise RuntimeError(f"all {what} that were to be computed were lost, {len(missing)} of them: {reason}")
    if store:
        again = f"; {len(lost)} were lost: a second run computes them" if lost else ""
        say(f"computed {len(missing) - len(lost)}, reused {reused} {what} of {str(store.folder)!r}{again}")
    return {task: values[task] for task in tasks}, len(missing) - len(lost), reused


def compute(name, function, tasks, options, what, **decides):
    """{task: function(*task)} by `resume`, for a figure: kept in options.store / name with `decides` as its
    settings, computed by options.executor or options.jobs workers, told to options.progress. RuntimeError
    if a task is lost.
    """
    store = options.store and Store(options.store / name, {**versions(), **decides})
    values, *_ = resume(
        function, tasks, store=store, jobs=options.jobs, executor=options.executor, what=what,
        progress=lambda done, total, value, left: options.progress(done, total, what, left),
    )  # fmt: skip
    lost = [(task, value.reason) for task, value in values.items() if isinstance(value, workers.Lost)]
    if lost:
        first = "first {} ({}); run the same command again".format(*lost[0])
        raise RuntimeError(f"{name}: {len(lost)} {what} were lost, {first}")
    return values


def file_name(task):
    """A task as a name in a store, with the names of its parts if it has them; repr gives a float with all
    its bits.
    """
    parts = [part if isinstance(part, str) else repr(part) for part in task]
    names = getattr(task, "_fields", None)
    return ",".join(map("{}={}".format, names, parts) if names else parts)
