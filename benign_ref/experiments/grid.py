"""Grids over SNR x N x seeds: every cell a pure function of the settings, its place and its seed; stored and
resumable, on any workers.

The streams of a cell come from the seed, N and SNR (cell.py), not from its place in the grid. So a grid that
is extended, reordered, resumed, or computed by other workers gives the same bits, as long as NumPy's version,
the processor's kind and the number of BLAS threads are the same; another one may change the last digits.
"""

import csv
import io
import json
from dataclasses import dataclass, fields
from functools import partial
from math import nan

import numpy as np

from .. import validate
from ..derived.law import checked_for_law
from ..paper.setting import DERIVED, Setting
from ..runtime import workers
from ..runtime.progress import reporting
from ..runtime.resume import resume, versions
from ..runtime.store import Store, write_whole
from .cell import CONVERGED, LOST, STATUSES, Cell, CellResult, run_cell

MOST_CELLS = 10**7
NUMBERS = ("steps", "train_loss", "test_loss", "error_rate")


@dataclass(frozen=True, eq=False, repr=False)
class PhaseDiagram:
    """A grid of runs. Axes of every array: SNR, N, seed.

    snrs (S,), Ns (n,), seeds (k,)   the axes, in the order asked for
    status (S,n,k)                   "converged", "not converged" (within max_steps), "diverged" or "lost"
                                     (its worker died; run again)
    steps, train_loss                of each run, and the last training loss (diverged: not finite); -1 and
                                     NaN where lost
    test_loss, error_rate            on fresh samples; NaN unless converged, so that no mean takes them in
                                     unnoticed
    settings                         dict of everything that decides the numbers
    computed, reused                 how many cells this call computed, and how many it found in the store
    """

    snrs: np.ndarray
    Ns: np.ndarray
    seeds: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    train_loss: np.ndarray
    test_loss: np.ndarray
    error_rate: np.ndarray
    settings: dict
    computed: int = 0
    reused: int = 0

    @property
    def not_ended(self):
        """Mask (S,n,k) of the cells that did not end well, for hatching."""
        return self.status != CONVERGED

    def _ended(self, name):
        values = getattr(self, validate.choice("name", name, NUMBERS)).astype(float)
        return np.ma.array(values, mask=self.not_ended)

    def mean(self, name="test_loss"):
        """Mean (S,n) over the seeds whose run converged; NaN where none did. name: one of NUMBERS."""
        return self._ended(name).mean(axis=2).filled(np.nan)

    def spread(self, name="test_loss"):
        """Standard deviation (S,n) over the seeds whose run converged (divisor count - 1); NaN where fewer
        than two did.
        """
        return self._ended(name).std(axis=2, ddof=1).filled(np.nan)

    def cells(self):
        """Rows (snr, N, seed, status, steps, train_loss, test_loss, error_rate) of plain Python values."""
        for (i, j, k), status in np.ndenumerate(self.status):
            numbers = [getattr(self, name)[i, j, k].item() for name in NUMBERS]
            yield self.snrs[i].item(), self.Ns[j].item(), self.seeds[k].item(), str(status), *numbers

    def to_csv(self, path):
        """One line a cell, floats with all their bits. Raises TypeError or ValueError for no path, OSError if
        it cannot be written.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [("snr", "N", "seed", "status", *NUMBERS), *self.cells()]
        )
        write_whole(validate.path("path", path), text.getvalue().encode())

    def save(self, path):
        """Everything but `computed` and `reused`, bit for bit, as an .npz archive without pickles. Raises as
        `to_csv`.
        """
        archive, arrays = io.BytesIO(), {name: getattr(self, name) for name in ARRAYS}
        np.savez(archive, settings=np.array(json.dumps(self.settings)), **arrays)
        write_whole(validate.path("path", path), archive.getvalue())

    @classmethod
    def load(cls, path):
        """What `save` wrote. Raises ValueError for any other file, OSError where there is none. No pickle is
        read.
        """
        path = validate.path("path", path)
        content = path.read_bytes()
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ARRAYS}
                settings = json.loads(str(archive["settings"]))
        except Exception as error:  # noqa: BLE001 - NumPy and zipfile raise ten kinds for foreign bytes
            raise ValueError(f"path={str(path)!r} holds no PhaseDiagram, or a damaged one: {error}") from None
        shape = tuple(len(arrays[name]) if arrays[name].ndim == 1 else None for name in AXES)
        for name, array in arrays.items():
            validate.require(
                array.dtype.kind == KINDS.get(name, "f") and (name in AXES or array.shape == shape),
                f"path={str(path)!r} holds no PhaseDiagram: {name} has the wrong type or not the shape "
                f"{shape} of the axes",
            )
        return cls(**arrays, settings=settings)

    def __repr__(self):
        counts = ", ".join(
            f"{count} {status}" for status in STATUSES if (count := np.count_nonzero(self.status == status))
        )
        sizes = f"{len(self.snrs)} SNR x {len(self.Ns)} N x {len(self.seeds)} seeds"
        known = self.test_loss[~self.not_ended]
        loss = f"; test loss {known.min():.3g} to {known.max():.3g}" if known.size else ""
        return f"PhaseDiagram({sizes}, engine={self.settings.get('engine')!r}: {counts}{loss})"


AXES = ("snrs", "Ns", "seeds")
ARRAYS = tuple(f.name for f in fields(PhaseDiagram) if f.type is np.ndarray)
KINDS = {"Ns": "i", "seeds": "i", "steps": "i", "status": "U"}  # of an array's numbers; all others are floats


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
    given, cells, axes = {"snrs": snrs, "Ns": Ns, "seeds": seeds}, 1, []
    for name, values in given.items():  # how many before what they are: millions take a while to look at
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
    checks = validate.real, partial(validate.integer, at_least=1), partial(validate.integer, at_least=0)
    for (name, values), check in zip(given.items(), checks):
        axes.append([check(f"{name}[{i}]", value) for i, value in enumerate(values)])
        validate.require(
            len(set(axes[-1])) == len(values),
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


def check_workers(jobs, executor):
    """TypeError or ValueError for anything but a number of worker processes, an executor, or neither."""
    if jobs is not None:
        validate.integer("jobs", jobs, 1)
    if executor is not None:
        validate.require(
            callable(getattr(executor, "submit", None)) and not isinstance(executor, type),
            "executor must have a method submit, as concurrent.futures.Executor has, "
            f"got {validate.shown(executor)}",
            TypeError,
        )
        validate.require(
            jobs is None,
            f"jobs must be None when an executor is given, which has its own workers, got {jobs}",
        )


def as_result(value):
    """What `resume` has for a cell as a CellResult; None stays None."""
    return CellResult(LOST, -1, nan) if isinstance(value, workers.Lost) else value and CellResult(*value)


def collect(snrs, Ns, seeds, values, settings, computed, reused):
    """The PhaseDiagram of {(snr, N, seed): what `resume` has for it}."""
    cells = (as_result(values[snr, N, seed]) for snr in snrs for N in Ns for seed in seeds)
    arrays = (
        np.array(column, dtype=kind).reshape(len(snrs), len(Ns), len(seeds))
        for column, kind in zip(zip(*cells), ("U13", np.int64, float, float, float))
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
    validate.choice("engine", engine, ("proof", "law"))
    n_test = validate.integer("n_test", n_test, 1)
    check_workers(jobs, executor)
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
    return collect(snrs, Ns, seeds, values, settings, *counts)
