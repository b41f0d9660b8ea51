"""Figure 1: what the authors' public data and drawing say [A] (GitHub JiaruiJ/Benign_ViT at commit 01e6b62:
matrix.npy, heatmap.py), as facts; the comparison with the file itself, for who has it; and more draws of ours
where the protocol's ten leave the crossing of an N uncertain.

Their matrix has 100 rows and 100 columns: row r is a draw at N = 2 floor((r + 10)/10), so ten draws of each N
= 2, ..., 20; column i is ||mu|| = i + 1.

More draws, the rule [C], fixed beforehand: at every N >= 4 whose crossing has a standard error above ENOUGH,
BATCH draws are added, again and again, until it has not or there are MOST draws. An added draw is a row of
the published plane like the ten, its crossing by the same rule of the last fall; but it is computed from
||mu|| = 100 leftwards, and only as far as to its fall. Stopping by the standard error favours draws that lie
close together: so the error found is a little small, and the mean too where the far outliers lie above it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import validate
from ..paper.setting import Setting
from .cell import run_cell
from .fits import crossing, crossing_of_rows, log_crossings, row_crossings
from .published import published_setting

BASE = published_setting("figure1", N=2, mu=1.0)
NS = tuple(2 * k for k in range(1, 11))
MUS = tuple(range(1, 101))
DRAWS = 10  # of each (N, ||mu||)
N_TEST = 100  # fresh samples of each draw
LEVEL = 0.2  # the cut of the paper's picture
RED = 1000.0  # the captioned curve N SNR^2 = 1000 [P]
# N: N SNR^2 where the rows of their data fall through 0.2, mean and standard error; where the mean of the ten
# does. At N = 2 nine of the ten rows never fall below 0.2, nor does their mean.
CROSSINGS = {
    4: (923, 12, 870), 6: (917, 25, 839), 8: (889, 10, 861), 10: (916, 13, 898), 12: (961, 12, 952),
    14: (957, 8, 950), 16: (991, 7, 979), 18: (975, 10, 964), 20: (995, 8, 985),
}  # fmt: skip
NEVER = {2: 9}
ENOUGH, BATCH, MOST = 20.0, 10, 80


def snr_of(mu):
    """SNR of ||mu|| in Figure 1."""
    return mu / BASE.noise_norm


def red_curve_as_drawn(N):
    """N SNR^2 that the drawn red curve marks at the middle of the band of N: the curve is y = 204800/(i+1)^2
    - 10 over pixel i + 1, where pixel i is ||mu|| = i + 1 and the band of N the rows 5N - 10, ..., 5N - 1.
    """
    i = np.sqrt(204800 / (5 * N - 5.5 + 10)) - 1
    return N * snr_of(float(i + 2)) ** 2


class Matrix(NamedTuple):
    """The authors' data. test_loss (100,10,10) at (||mu||, N, draw); the axes as in PhaseDiagram."""

    snrs: np.ndarray
    Ns: np.ndarray
    test_loss: np.ndarray


def read_matrix(path):
    """The Matrix in a file, theirs (.npy) or 100 lines of 100 numbers. Raises ValueError that names the file
    and says why it is not theirs.
    """
    path = Path(path)
    try:
        values = np.load(path) if path.suffix == ".npy" else np.loadtxt(path, encoding="utf-8")  # no pickles
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read as the authors' matrix: {error}") from None
    kind, other = getattr(values, "dtype", np.dtype(object)), f"{path}: is not the authors' matrix"
    validate.require(
        np.shape(values) == (100, 100) and kind.kind in "fiu",
        f"{other}: it must hold 100 x 100 real numbers, got shape {np.shape(values)}, {kind}",
    )
    validate.require(
        np.isfinite(values).all() and values.min() >= 0, f"{other}: test losses are finite and not negative"
    )
    losses = values.astype(float).reshape(len(NS), DRAWS, len(MUS)).transpose(2, 0, 1)
    matrix = Matrix(np.array([snr_of(float(mu)) for mu in MUS]), np.array(NS), losses)
    found = row_crossings(matrix, LEVEL)[-1].mean
    validate.require(
        RED / 3 < found < RED * 3,
        f"{other}: its rows of N = 20 fall through {LEVEL} at N SNR^2 = {found:.0f}, far from {RED:.0f}",
    )
    return matrix


class Comparison(NamedTuple):
    """z (S,n), two-sample, of the difference of means (theirs less ours) at every pair (SNR, N) that both
    have; NaN where either has fewer than two draws. The rest over the pairs with N >= 4: how many, of their z
    the root mean square, the mean and the largest in size, and (SNR, N) of that.
    """

    z: np.ndarray
    pairs: int
    rms: float
    mean: float
    largest: float
    at: tuple[float, int]


def compare(matrix, result):
    """The Comparison of a Matrix with a PhaseDiagram at pairs of the same experiment."""
    validate.instance("matrix", matrix, Matrix)
    at = [int(np.argmin(np.abs(matrix.snrs - snr))) for snr in result.snrs]
    of = [int(np.argmin(np.abs(matrix.Ns - N))) for N in result.Ns]
    theirs = matrix.test_loss[np.ix_(at, of)]
    ours = result.spread("test_loss") ** 2 / np.count_nonzero(~result.not_ended, axis=2)  # NaN below two
    away = theirs.mean(axis=2) - result.mean("test_loss")
    z = away / np.sqrt(theirs.var(axis=2, ddof=1) / theirs.shape[2] + ours)
    seen = np.where(np.isfinite(z) & np.isin(result.Ns, list(CROSSINGS)), z, 0.0)
    pairs = int(np.count_nonzero(seen))
    i, j = np.unravel_index(np.abs(seen).argmax(), seen.shape)
    rms, mean = float(np.sqrt((seen**2).sum() / pairs)), float(seen.sum() / pairs)
    return Comparison(z, pairs, rms, mean, float(seen[i, j]), (float(result.snrs[i]), int(result.Ns[j])))


def crossing_of_draw(base: Setting, N: int, seed: int, snrs: list[float]) -> float:
    """N SNR^2 where the cells of one draw at N, over increasing snrs, last fall through LEVEL, or NaN.

    It is that of `crossing`, bit for bit, but cells are computed from the right end on, and no further than
    to the fall: what lies left of the last one does not count.
    """
    x, losses = np.log(N * np.asarray(snrs) ** 2), np.full(len(snrs), np.nan)
    for i in reversed(range(len(x))):
        losses[i] = run_cell(snrs[i], N, seed, base=base, engine="proof", n_test=N_TEST).test_loss
        fall, *_ = crossing(x, losses, LEVEL)
        if np.isfinite(fall):
            return float(np.exp(fall))
    return float("nan")


def row(N: int, seed: int) -> float:
    """That of a draw on the published plane; a function of its arguments alone."""
    return crossing_of_draw(BASE, N, seed, [snr_of(float(mu)) for mu in MUS])


def crossings(result, compute: Callable | None):
    """A Crossing for each N of `result`, a PhaseDiagram of the published plane, and the draws added to it, as
    {(N, seed): N SNR^2}.

    compute(tasks) gives {task: row(*task)} for tasks (N, seed), the seeds those after the result's; None: no
    draws are added. of_mean is that of the result's own draws.
    """
    added, next_seed = {}, int(max(result.seeds)) + 1
    own = dict(zip(map(int, result.Ns), np.exp(log_crossings(result, LEVEL)[:, :, 0])))

    def more(N):
        return [at for (of, _), at in added.items() if of == N]

    def uncertain(N):
        rows = [*own[N], *more(N)]
        return N in CROSSINGS and len(rows) < MOST and not crossing_of_rows(rows).error <= ENOUGH

    while compute and (asked := [N for N in sorted(own, reverse=True) if uncertain(N)]):
        added |= compute([(N, next_seed + len(more(N)) + k) for N in asked for k in range(BATCH)])
    of_mean = [c.of_mean for c in row_crossings(result, LEVEL)]
    return [crossing_of_rows([*own[N], *more(N)], at) for N, at in zip(own, of_mean)], added
