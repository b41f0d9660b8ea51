"""What the authors' public data and drawing of Figure 1 say [A] (GitHub JiaruiJ/Benign_ViT at commit 01e6b62:
matrix.npy, heatmap.py), as facts; and the comparison with the file itself, for who has it.

Their matrix has 100 rows and 100 columns: row r is a draw at N = 2 floor((r + 10)/10), so ten draws of each N
= 2, ..., 20; column i is ||mu|| = i + 1.
"""

from collections import namedtuple
from pathlib import Path

import numpy as np

from .. import validate
from .fits import row_crossings
from .published import published_setting

NS = tuple(2 * k for k in range(1, 11))
MUS = tuple(range(1, 101))
DRAWS = 10  # of each (N, ||mu||)
LEVEL = 0.2  # the cut of the paper's picture
RED = 1000.0  # the captioned curve N SNR^2 = 1000 [P]
# N: N SNR^2 where the rows of their data fall through 0.2, mean and standard error; where the mean of the ten
# does. At N = 2 nine of the ten rows never fall below 0.2, nor does their mean.
CROSSINGS = {
    4: (923, 12, 870), 6: (917, 25, 839), 8: (889, 10, 861), 10: (916, 13, 898), 12: (961, 12, 952),
    14: (957, 8, 950), 16: (991, 7, 979), 18: (975, 10, 964), 20: (995, 8, 985),
}  # fmt: skip
NEVER = {2: 9}


def snr_of(mu):
    """SNR of ||mu|| in Figure 1."""
    return published_setting("figure1", N=2, mu=mu).snr


def red_curve_as_drawn(N):
    """N SNR^2 that the drawn red curve marks at the middle of the band of N: the curve is y = 204800/(i+1)^2
    - 10 over pixel i + 1, where pixel i is ||mu|| = i + 1 and the band of N the rows 5N - 10, ..., 5N - 1.
    """
    i = np.sqrt(204800 / (5 * N - 5.5 + 10)) - 1
    return N * snr_of(float(i + 2)) ** 2


Matrix = namedtuple("Matrix", "snrs Ns test_loss")
Matrix.__doc__ = (
    """The authors' data. test_loss (100,10,10) at (||mu||, N, draw); the axes as in PhaseDiagram."""
)


def read_matrix(path):
    """The Matrix in a file, theirs (.npy) or 100 lines of 100 numbers. Raises ValueError that names the file
    and says why it is not theirs.
    """
    path = Path(path)
    try:
        npy = path.suffix == ".npy"
        values = np.load(path, allow_pickle=False) if npy else np.loadtxt(path, encoding="utf-8")
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


Comparison = namedtuple("Comparison", "z pairs rms mean largest at")
Comparison.__doc__ = """z (S,n), two-sample, of the difference of means (theirs less ours) at every pair
(SNR, N) that both have; NaN where either has fewer than two draws. The rest over the pairs with N >= 4: how
many, of their z the root mean square, the mean and the largest, and (SNR, N) of that.
"""


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
