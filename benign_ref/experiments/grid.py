"""Grids over SNR x N x seeds: every cell a pure function of the settings, its place and its seed; stored and
resumable, on any workers.

The streams of a cell come from the seed, N and SNR (cell.py), not from its place in the grid. So a grid that
is extended, reordered, resumed, or computed by other workers gives the same bits, as long as NumPy's version,
the processor's kind and the number of BLAS threads are the same; another one may change the last digits.
"""

from functools import partial
from math import nan

import numpy as np

from .. import validate
from ..derived.law import checked_for_law
from ..paper.setting import DERIVED, Setting
from ..runtime import workers
from ..runtime.progress import reporting
from ..runtime.resume import resume, versions
from ..runtime.store import Store
from .cell import run_cell
from .diagram import LOST, Cell, CellResult, PhaseDiagram

ENGINES = ("proof", "law")
MOST_CELLS = 10**7


def fingerprint(base, engine, n_test):
    """Everything but place and seed that decides a cell's numbers, by name. Derived values follow the cell:
    their rule stands here.
    """
    return {
        **versions(),
        "engine": engine,
        "n_test": n_test,
        **{name: value for name, value in base.values().items() if name not in ("N", "snr")},
        **{name: f"derived: {rule}" for name, (rule, _) in DERIVED.items() if name not in base.sources},
    }


def checked_axes(snrs, Ns, seeds):
    """The three axes as lists. seeds: an integer k (0, ..., k-1) or a list of integers >= 0. TypeError or
    ValueError otherwise.
    """
    kinds = list, tuple, range, np.ndarray
    if not isinstance(seeds, kinds):
        seeds = range(validate.integer("seeds", seeds, 1))
    checks = {"snrs": validate.real, "Ns": partial(validate.integer, at_least=1),
              "seeds": partial(validate.integer, at_least=0)}  # fmt: skip
    given, cells, axes = {"snrs": snrs, "Ns": Ns, "seeds": seeds}, 1, []
    for name, values in given.items():
        validate.require(
            isinstance(values, kinds) and getattr(values, "ndim", 1) == 1,
            f"{name} must be a list of numbers, got {validate.shown(values)} of type {type(values).__name__}",
            TypeError,
        )
        cells *= len(values)
        validate.require(
            0 < cells <= MOST_CELLS,
            f"{name} must hold at least one number, and the grid at most {MOST_CELLS} cells, "
            f"got {len(values)} numbers",
        )
    for name, values in given.items():
        axes.append([checks[name](f"{name}[{i}]", value) for i, value in enumerate(values)])
        validate.require(
            len(set(axes[-1])) == len(axes[-1]),
            f"{name} must not hold a number twice, got {validate.shown(axes[-1])}",
        )
    return axes


def check_sizes(base, snrs, Ns, engine, n_test):
    """ValueError if a cell's settings cannot be derived, or if the largest cell cannot be computed (on this
    machine).
    """
    s = max((base.replace(snr=snr, N=N) for snr in snrs for N in Ns), key=lambda s: s.N)
    if engine == "law":
        checked_for_law(s)
    else:
        validate.fits_memory("Ns", s.N, s.N * s.M * s.d + 2 * s.T**2)
        validate.fits_memory("d", s.d, s.d * (2 * s.d_h + s.d_v))
        validate.fits_memory("n_test", n_test, n_test * s.M * s.d)


def checked_jobs(jobs, executor):
    """The number of worker processes; None with an executor. TypeError or ValueError for anything else."""
    if executor is None:
        return workers.available_cores() if jobs is None else validate.integer("jobs", jobs, 1)
    validate.require(
        callable(getattr(executor, "submit", None)) and not isinstance(executor, type),
        "executor must have a method submit, as concurrent.futures.Executor has, "
        f"got {validate.shown(executor)}",
        TypeError,
    )
    validate.require(
        jobs is None,
        f"jobs must be None when an executor is given, which has its own workers, got {validate.shown(jobs)}",
    )
    return None


def as_result(value):
    """What `resume` has for a cell as a CellResult; None stays None."""
    return CellResult(LOST, -1, nan) if isinstance(value, workers.Lost) else value and CellResult(*value)


def collect(snrs, Ns, seeds, results, settings, computed, reused):
    """The PhaseDiagram of {Cell: CellResult}."""
    columns = zip(*(results[Cell(snr, N, seed)] for snr in snrs for N in Ns for seed in seeds))
    arrays = (
        np.array(column, dtype=kind).reshape(len(snrs), len(Ns), len(seeds))
        for column, kind in zip(columns, ("U13", np.int64, float, float, float))
    )
    return PhaseDiagram(np.array(snrs), np.array(Ns), np.array(seeds), *arrays, settings, computed, reused)


def phase_diagram(
    snrs, Ns, *, base, seeds, store=None, jobs=None, executor=None, engine="proof", n_test=500, progress=None
):  # fmt: skip
    """Gradient descent at every (SNR, N, seed), and its loss on fresh data: the numbers of Figure 1. Returns
    a PhaseDiagram.

    snrs, Ns: lists of numbers > 0 and of integers >= 1. base: the Setting of all else; each cell is
    base.replace(snr=snr, N=N). seeds: an integer k, meaning 0, ..., k-1, or a list of integers >= 0. n_test:
    fresh samples a cell is tested on. engine: "proof", real draws of D1, or "law", the same experiment drawn
    in law. store: a folder that keeps every finished cell, made if needed; what it has is not computed again.
    One of other settings is refused. jobs: worker processes (default: the cores available). executor:
    instead, any PEP 3148 executor; it stays the caller's. progress: a function, called as progress(done,
    total, result) with the cells found in the store (result None), then after each cell; True or False: a
    line on stderr or none; None: a line if stderr is a terminal.

    Divergence and lack of convergence are results (status), as are cells lost with their worker; none of them
    enters a mean. On Ctrl-C the workers end at once, what is done is kept in the store, and KeyboardInterrupt
    goes on to the caller. Raises ValueError or TypeError for a bad argument and a store of other settings,
    OSError if the store cannot be written, RuntimeError if a cell fails otherwise.
    """
    snrs, Ns, seeds = checked_axes(snrs, Ns, seeds)
    validate.instance("base", base, Setting)
    validate.choice("engine", engine, ENGINES)
    n_test = validate.integer("n_test", n_test, 1)
    jobs = checked_jobs(jobs, executor)
    check_sizes(base, snrs, Ns, engine, n_test)
    settings = fingerprint(base, engine, n_test)
    cells = [Cell(snr, N, seed) for N in sorted(Ns, reverse=True) for snr in snrs for seed in seeds]
    store = None if store is None else Store(store, settings)
    compute = partial(run_cell, base=base, engine=engine, n_test=n_test)
    with reporting(progress, "phase_diagram", "cells") as report:
        told = lambda done, total, value, left: report(done, total, as_result(value), left)  # noqa: E731
        values, *counts = resume(
            compute, cells, store=store, jobs=jobs, executor=executor, what="cells", progress=told
        )
    results = {cell: as_result(value) for cell, value in values.items()}
    return collect(snrs, Ns, seeds, results, settings, *counts)
