"""The independent parts of a figure that are no grid of Figure 1's kind: kept in a store, computed by the
same workers.
"""

import contextlib
import sys

import numpy as np

from . import workers
from .store import Store

# of the numbers in a cell: to be raised whenever a change of the code changes any of them, in the last bit
# even
MATHEMATICS = "1"


def versions():
    """What decides the numbers of any stored computation besides its settings: MATHEMATICS, and NumPy, whose
    random streams may change.
    """
    return {"MATHEMATICS": MATHEMATICS, "numpy": ".".join(np.__version__.split(".")[:2])}


def say(text):
    """A line on stderr."""
    print(f"benign_ref: {text}", file=sys.stderr, flush=True)


def compute(name, function, tasks, options, what, **decides):
    """{task: function(*task)} for every task, a tuple of numbers and names; the values must be what JSON
    holds (tuples become lists).

    Kept in options.store / name, of which `decides` says what, besides the tasks, decides the numbers.
    `what`: what a task is called in the line of progress. Tasks are begun in the order given. Raises
    RuntimeError if one fails or is lost; what is done by then is kept.
    """
    store = options.store and Store(options.store / name, {**versions(), **decides})
    tasks, results = list(dict.fromkeys(tasks)), {}
    for task in tasks if store else ():
        record, complaint = store.read(file_name(task))
        if complaint:
            say(f"{complaint}: computed again")
        if record is not None:
            results[task] = record["value"]
    missing = [task for task in tasks if task not in results]
    if options.executor:
        source = workers.by_executor(function, missing, options.executor, say)
    else:
        source = workers.by_processes(function, missing, options.jobs or workers.available_cores(), say)
    with contextlib.closing(source):  # whatever happens here ends the workers
        for task, value in source:
            if isinstance(value, workers.Lost):
                raise RuntimeError(
                    f"{name}: the task {task} was lost ({value.reason}); run the same command again to go on"
                )
            results[task] = list(value) if isinstance(value, tuple) else value
            if store:
                store.write(file_name(task), {"value": results[task]})
            options.progress(len(results), len(tasks), what)
    return {task: results[task] for task in tasks}  # in the order asked for, whoever computed them and when


def file_name(task):
    """A task as a name in a store; repr gives a float with all its bits."""
    return ",".join(str(part) if isinstance(part, str) else repr(part) for part in task)
