"""The fits that compare what was measured with the theory: boundary constants, crossings, power laws."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from .. import validate
from ..derived.boundary import limit_diagram

# Student's t, 97.5% quantile, by degrees of freedom 1..30; beyond, its expansion about the normal's 1.96.
STUDENT_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class BoundaryConstant(float):
    """c of the curve N SNR^2 = c on which the test loss crosses `level`: a float with attributes level,
    per_seed (k,), spread, bracket, rows.

    spread: standard deviation over seeds (nan for one seed). bracket: (low, high), geometric means over all
    crossings of N SNR^2 at the two neighbouring cells that enclose one: what the grid alone tells. rows: how
    many (N, seed) pairs had a crossing.
    """

    def __new__(cls, c, **attributes):
        self = super().__new__(cls, c)
        vars(self).update(attributes)
        return self

    def __repr__(self):
        seeds = f"seeds={len(self.per_seed)}, rows={self.rows}"
        return f"BoundaryConstant({float(self):.4g}, spread={self.spread:.2g}, level={self.level}, {seeds})"


def crossing(x, values, level):
    """Where `values` (n,) over increasing x (n,) last falls through `level`: (x there, linear in between; x
    before; x after).

    NaN values are left out; three NaN where it never falls through.
    """
    known = np.isfinite(values)
    x, values = np.asarray(x)[known], np.asarray(values)[known]
    falls = np.flatnonzero((values[:-1] > level) & (values[1:] <= level))
    if not falls.size:
        return (float("nan"),) * 3
    i = falls[-1]
    return x[i] + (x[i + 1] - x[i]) * (values[i] - level) / (values[i] - values[i + 1]), x[i], x[i + 1]


class Crossing(NamedTuple):
    """Where the rows of one N fall through a level, in N SNR^2: the arithmetic mean and its standard error
    over the `rows` (of `draws`) that do; of_mean: where their mean does. NaN where there is none.
    """

    mean: float
    error: float
    rows: int
    draws: int
    of_mean: float


def log_crossings(result, level):
    """log(N SNR^2) of the crossing of every (N, draw) of a PhaseDiagram, and of its neighbours on the axis:
    (n,draws,3), by `crossing`; increasing SNR whatever the order of result.snrs.
    """
    snr2 = np.asarray(result.snrs, dtype=float) ** 2
    order = np.argsort(snr2)
    by_N = np.asarray(result.test_loss)[order].transpose(1, 2, 0)
    return np.array(
        [[crossing(np.log(N * snr2[order]), row, level) for row in rows] for N, rows in zip(result.Ns, by_N)]
    )


def crossing_of_rows(rows, of_mean=float("nan")):
    """The Crossing of the crossings `rows` of single draws, NaN where a draw never falls."""
    known = np.asarray(rows)[np.isfinite(rows)]
    error = known.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else np.nan
    mean = known.mean() if len(known) else np.nan
    return Crossing(float(mean), float(error), len(known), len(rows), float(of_mean))


def row_crossings(result, level):
    """A Crossing for each N: of each draw the last fall through `level`, linear in log(N SNR^2); and of the
    mean over draws.
    """
    loss = np.asarray(result.test_loss)
    with_mean = np.concatenate([loss, loss.mean(axis=2, keepdims=True)], axis=2)
    found = np.exp(log_crossings(SimpleNamespace(snrs=result.snrs, Ns=result.Ns, test_loss=with_mean), level))
    return [crossing_of_rows(rows[:-1], rows[-1]) for rows in found[:, :, 0]]


def limit_crossing(base, N, level):
    """N SNR^2 of the last fall of the limit's test loss through `level`, by the rule of `crossing`, over
    x = N SNR^2/C_p^2 from 0.3 to 6 in steps of 1% [C]; NaN where there is none. Large steps may have others.
    """
    snrs = base.C_p * np.sqrt(np.geomspace(0.3, 6, 300) / N)
    losses = limit_diagram(snrs, [N], base=base).ravel()
    return float(np.exp(crossing(np.log(N * snrs**2), losses, level)[0]))


def boundary_constant(result, level=0.2):
    """The measured boundary of Figure 1: c of N SNR^2 = c at test loss `level`, as a BoundaryConstant (a
    float).

    result: a PhaseDiagram (snrs (S,), Ns (n,), test_loss (S,n,seeds), NaN where a cell did not end well). For
    each N and seed the crossing is found by linear interpolation of the test loss in log(N SNR^2); c of a
    seed is the geometric mean over N, and c the geometric mean over seeds. The rule is ours [C]. Raises
    ValueError if some seed has no crossing at any N, naming the level; TypeError or ValueError for another
    bad argument.
    """
    level = validate.real("level", level)
    for name in ("snrs", "Ns", "test_loss"):
        validate.require(
            hasattr(result, name),
            f"result must be a PhaseDiagram, got {type(result).__name__}, which has no {name}",
            TypeError,
        )
    crossings = log_crossings(result, level)  # (n, seeds, 3)
    log_c = crossings[:, :, 0]
    validate.require(
        np.isfinite(log_c).any(axis=0).all(),
        f"level={level} is crossed at no N for some seed of the result; widen the grid or change the level",
    )
    per_seed = np.exp(np.nanmean(log_c, axis=0))
    return BoundaryConstant(
        np.exp(np.log(per_seed).mean()),
        level=level,
        per_seed=per_seed,
        spread=float(np.std(per_seed, ddof=1)) if len(per_seed) > 1 else float("nan"),
        bracket=tuple(float(np.exp(np.nanmean(crossings[:, :, side]))) for side in (1, 2)),
        rows=int(np.isfinite(log_c).sum()),
    )


class PowerLaw(NamedTuple):
    """y = prefactor x^exponent fitted on logarithms; (low, high) is the 95% confidence interval of the
    exponent (Student's t).
    """

    exponent: float
    low: float
    high: float
    prefactor: float


def fit_power_law(x, y):
    """Least squares of log y on log x, x and y (n,) > 0, n >= 3, as a PowerLaw. Raises ValueError or
    TypeError for anything else.
    """
    sizes = {}
    x, y = validate.array("x", x, "n", sizes), validate.array("y", y, "n", sizes)
    for name, values in (("x", x), ("y", y)):
        validate.require(
            values.min() > 0, f"{name} must be > 0 for a fit on logarithms, got {values.min():g}"
        )
    validate.require(
        len(x) >= 3 and len(np.unique(x)) >= 2,
        f"x must hold at least 3 values, 2 of them different, got {x.tolist()}",
    )
    log_x, log_y = np.log(x), np.log(y)
    centred = log_x - log_x.mean()
    exponent = float(centred @ log_y / (centred @ centred))
    rest = log_y - log_y.mean() - exponent * centred
    freedom = len(x) - 2
    t = STUDENT_T[freedom - 1] if freedom <= 30 else 1.960 + 2.372 / freedom + 2.82 / freedom**2
    half = t * float(np.sqrt(rest @ rest / freedom / (centred @ centred)))
    log_prefactor = log_y.mean() - exponent * log_x.mean()
    return PowerLaw(exponent, exponent - half, exponent + half, float(np.exp(log_prefactor)))
