"""PhaseDiagram: the runs of a grid over SNR x N x seeds, as arrays with axes."""

import csv
import io
import json
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from .. import validate
from ..runtime.store import checked_path, write_whole

STATUSES = CONVERGED, NOT_CONVERGED, DIVERGED, LOST = ("converged", "not converged", "diverged", "lost")
NUMBERS = ("steps", "train_loss", "test_loss", "error_rate")


class Cell(NamedTuple):
    """One place of a grid and a seed."""

    snr: float
    N: int
    seed: int

    def __str__(self):
        return f"cell snr={self.snr!r}, N={self.N}, seed={self.seed}"


class CellResult(NamedTuple):
    """How the run of a cell ended: status, one of STATUSES; steps taken; train_loss, the last one (diverged:
    not finite).

    test_loss, error_rate: on n_test fresh samples; NaN unless converged, so that no mean takes them in
    unnoticed.
    """

    status: str
    steps: int
    train_loss: float
    test_loss: float = float("nan")
    error_rate: float = float("nan")


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
        write_whole(checked_path("path", path), text.getvalue().encode())

    def save(self, path):
        """Everything but `computed` and `reused`, bit for bit, as an .npz archive without pickles. Raises as
        `to_csv`.
        """
        archive, arrays = io.BytesIO(), {name: getattr(self, name) for name in ARRAYS}
        np.savez(archive, settings=np.array(json.dumps(self.settings)), **arrays)
        write_whole(checked_path("path", path), archive.getvalue())

    @classmethod
    def load(cls, path):
        """What `save` wrote. Raises ValueError for any other file, OSError where there is none. No pickle is
        read.
        """
        path = checked_path("path", path)
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
