"""E1-E6: what is read off runs: crossings and boundary constants, power laws, standard errors, phases, error
rates, and half a sample more in a class of the limit.
"""

from math import gamma, nan
from types import SimpleNamespace

import numpy as np

from .. import literal
from ..core import Row, equal, relative_residual, within
from .setting import ONCE

EXACT = 1e-9


def _last_fall(x, values, level):
    """x where values last fall through the level, and the x on either side, by a loop; NaN if nowhere."""
    known = [(a, v) for a, v in zip(x, values) if np.isfinite(v)]
    falls = [(a, b, v, w) for (a, v), (b, w) in zip(known, known[1:]) if v > level >= w]
    a, b, v, w = falls[-1] if falls else (nan,) * 4
    return a + (b - a) * (v - level) / (v - w), a, b


def _mean_and_error(values):
    """The mean, the deviation with n - 1 and the mean's standard error of n numbers, by sums; NaN of too
    few.
    """
    n, mean = len(values), np.divide(sum(values), len(values))
    spread = np.divide(sum((values - mean) ** 2), max(n - 1, 0)) ** 0.5
    return mean, spread, np.divide(spread, n**0.5)


def _diagram(rng):
    """A made-up PhaseDiagram: losses fall, rise and fall again, some are unknown, some have no crossing."""
    snrs, Ns, seeds = rng.permutation(np.linspace(1, 12, 9)), [2, 5, 8], 4
    x = np.log(np.outer(snrs**2, Ns))[:, :, None] - 4 + 0.3 * rng.standard_normal((1, 3, seeds))
    loss = 0.3 - 0.15 * np.tanh(3 * x) + 0.1 * rng.standard_normal((9, 3, seeds))
    loss[2, 1, :2], loss[:, 0, 3] = nan, 0.9
    loss[np.argsort(snrs), 2, 1] = [0.9, 0.1, 0.8, 0.7, 0.2, 0.1, 0.1, 0.05, 0.05]
    return SimpleNamespace(snrs=snrs, Ns=Ns, test_loss=loss)


def _E1(audited, problem):
    """Crossings, by a loop; their means over draws; the boundary constant as a geometric mean."""
    fits, level, result = audited.fits, 0.3, _diagram(problem.rng(80))
    order = np.argsort(result.snrs)
    logs = np.array([
        [_last_fall(np.log(N * result.snrs[order] ** 2), draw, level) for draw in losses]
        for N, losses in zip(result.Ns, result.test_loss[order].transpose(1, 2, 0))
    ])  # fmt: skip
    known, got = np.isfinite(logs), np.asarray(fits.log_crossings(result, level))
    yield "crossings: where there are none", float((np.isfinite(got) != known).sum()), 0.0
    yield (
        "crossings: the last fall, by a loop",
        relative_residual(np.where(known, got, 0), np.where(known, logs, 0)),
        EXACT,
    )
    for row, found in zip(np.exp(logs[:, :, 0]), fits.row_crossings(result, level)):
        row = row[np.isfinite(row)]
        mean, _, error = _mean_and_error(row)
        yield (
            "crossings of an N: mean, standard error, how many",
            relative_residual(found[:4], [mean, error, len(row), 4]),
            EXACT,
        )
    c = fits.boundary_constant(result, level)
    per_seed = np.array([np.exp(np.mean(column[np.isfinite(column)])) for column in logs[:, :, 0].T])
    bracket = [np.exp(np.mean(logs[:, :, k][known[:, :, k]])) for k in (1, 2)]
    wanted = [np.prod(per_seed) ** (1 / 4), _mean_and_error(per_seed)[1], *bracket]
    yield (
        "boundary constant: geometric means, spread, bracket",
        relative_residual([float(c), c.spread, *c.bracket], wanted),
        EXACT,
    )
    yield "boundary constant: crossings counted", abs(c.rows - known[:, :, 0].sum()), 0.0


def _beyond(q, freedom):
    """P(|t| > q) of Student's t by Simpson's rule."""
    t = np.linspace(0, q, 20001)
    density = (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
    density *= gamma((freedom + 1) / 2) / gamma(freedom / 2) / (freedom * np.pi) ** 0.5
    inside = density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum()
    return 1 - 2 * (t[1] / 3) * inside


def _E2(audited, problem):
    """The fit by the normal equations; its interval holds 95% of Student's t."""
    rng = problem.rng(81)
    for n in (3, 4, 7, 33):
        x, noise = np.exp(rng.uniform(-2, 2, n)), rng.standard_normal(n)
        y, A = 3.3 * x**-1.7 * np.exp(0.2 * noise), np.column_stack([np.log(x), np.ones(n)])
        fit, inverse = audited.fits.fit_power_law(x, y), np.linalg.inv(A.T @ A)
        slope, offset = np.linalg.solve(A.T @ A, A.T @ np.log(y))
        rest = np.log(y) - A @ [slope, offset]
        error = (rest @ rest / (n - 2) * inverse[0, 0]) ** 0.5
        yield (
            "power law: the normal equations",
            relative_residual([fit.exponent, fit.prefactor], [slope, np.exp(offset)]),
            EXACT,
        )
        yield "power law: interval about the exponent", abs(fit.low + fit.high - 2 * slope) / error, 1e-6
        yield (
            f"power law, n = {n}: chance outside, - 0.05",
            abs(_beyond((fit.high - slope) / error, n - 2) - 0.05),
            1e-4,
        )


def _E3(audited, problem):
    """Standard errors of L_D and of the 0-1 error in law, and the spread of a diagram, by sums."""
    s = audited.setting.Setting(N=2, M=3, d=40, d_h=2, d_v=1, snr=5.0, max_steps=3, epsilon=1e-9)
    rng = lambda k: audited.data.make_rng(problem.seed, (82, k))  # noqa: E731
    model, n = audited.law.train_in_law(s, rng(0)).model, 60
    y, f = model.sample_outputs(n, rng(1))
    for name, values in (("test_loss", np.logaddexp(0, -y * f)), ("error_rate", (y * f <= 0) + 0.0)):
        (mean, _, error), got = _mean_and_error(values), getattr(model, name)(n, rng(1), return_se=True)
        yield (
            f"{name}: mean and standard error",
            float(max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(got, (mean, error)))),
            1e-6,
        )
    loss = problem.rng(82).random((2, 2, 5))
    ended = np.array([[[1, 1, 1, 0, 1], [0, 1, 0, 0, 0]], [[1] * 5, [0] * 5]]) > 0
    result = audited.grid.PhaseDiagram(
        snrs=np.arange(1.0, 3), Ns=np.arange(1, 3), seeds=np.arange(5), steps=np.ones(loss.shape, int),
        status=np.where(ended, audited.cell.CONVERGED, audited.cell.DIVERGED), settings={},
        **dict.fromkeys(("train_loss", "test_loss", "error_rate"), loss),
    )  # fmt: skip
    cells = [_mean_and_error(values[known]) for values, known in zip(loss.reshape(4, 5), ended.reshape(4, 5))]
    means, spreads, _ = np.reshape(cells, (2, 2, 3)).transpose(2, 0, 1)
    yield from within({
        f"diagram: {name} of the runs that converged": (
            (np.isnan(got) != np.isnan(wanted)).sum() + np.nanmax(np.abs(got - wanted)))
        for name, got, wanted in (("mean", result.mean(), means), ("spread", result.spread(), spreads))
    }, EXACT)  # fmt: skip


def _for_good(steps, values, level):
    """The last rise to the level, by a loop; NaN if there is none, the first step if all are above."""
    k = next((k for k in range(len(values) - 1, -1, -1) if not values[k] >= level), None)
    if k is None or k == len(values) - 1:
        return steps[0] if k is None else nan
    return steps[k] + (level - values[k]) / (values[k + 1] - values[k]) * (steps[k + 1] - steps[k])


def _E4(audited, problem):
    """The rule of the phases on made-up attention that rises, falls and rises again, won by either token."""
    step, risen = np.arange(40), np.array([[12, 15], [20, 24]])[:, :, None]  # of two rows, on signal and xi_2
    for k in range(6):
        rng = problem.rng(83, k)
        M, steps = int(rng.integers(2, 9)), np.cumsum(rng.integers(1, 9, 40)).astype(float)
        ends = np.array([[0.99], [0.02]] if k % 2 else [[0.02], [0.99]])  # goes there from 1/M, and waves
        rise = 1 / M + (ends - 1 / M) / (1 + np.exp((risen - step) / 2))
        on = np.clip(rise + 0.02 * np.sin(step), 0, 1)  # (rows, tokens, steps)
        if k % 3 == 0:  # both rows fall back once
            on[:, :, 30] = 1 / M
        if k > 3:  # a row that does not come so far
            on[1] = 1 / M
        got = audited.phases.find_phases(steps, *on.reshape(4, 40), M)
        winner, pair = ("signal", on[:, 0]) if on[0, 0, -1] >= on[0, 1, -1] else ("xi_2", on[:, 1])
        come = (M * pair - 1) / (M - 1)
        leaves, settles = _for_good(steps, come.max(axis=0), 0.1), _for_good(steps, come.min(axis=0), 0.9)
        yield (
            "phases: the winner, the end, what is not reached",
            float(
                (got.winner != winner) + (got.end != steps[-1]) + (np.isnan(got.settles) != np.isnan(settles))
            ),
            0.0,
        )
        yield (
            "phases: the last rise for good, by a loop",
            np.max(
                [abs(a - b) for a, b in zip((got.leaves, got.settles), (leaves, settles)) if np.isfinite(b)]
            ),
            1e-9 * steps[-1],
        )
        yield ("phases: all found, in order", float(got.found != bool(0 < leaves < settles < steps[-1])), 0.0)


def _E5(audited, problem):
    """Outputs that are exactly 0 are errors: on vectors, in law, in the limit, in cells of both kinds."""
    s = audited.setting.Setting(N=2, M=3, d=800, d_h=2, d_v=2, sigma_V=0.0, epsilon=10.0, snr=2.0)
    rng = lambda k: audited.data.make_rng(problem.seed, (84, k))  # noqa: E731
    data, theta = audited.data.sample_dataset(s, rng(0)), audited.data.init_parameters(s, rng(1))
    cell, options = (2.0, 2, problem.seed % 1000), dict(base=s, n_test=5)
    for name, error_rate in {
        "public error_rate": audited.api.error_rate(theta, data.X, data.y),
        "in law,": audited.law.train_in_law(s, rng(2)).error_rate(9, rng(3)),
        "in the limit,": audited.limit_run.train_in_limit(s).error_rate,
        "a cell, proof,": audited.cell.run_cell(*cell, engine="proof", **options).error_rate,
        "a cell, law,": audited.cell.run_cell(*cell, engine="law", **options).error_rate,
        "a cell of digits": audited.images.run_cell(0, 1, *cell, path=None, **options).error_rate,
    }.items():
        yield f"{name} at f = 0, - 1", abs(error_rate - 1), 0.0


def _E6(audited, problem):
    """Half a sample more in each class: logits and coupling by L2 and L3 as they are written, entry by entry;
    the limit's diagram at odd N by the plain form.
    """
    limit, rng, m, g = audited.limit, problem.rng(85), 3, -0.4
    n = float(rng.integers(1, 5)) + 0.5
    c, w = limit.Constants(m + 2, m, n, np.array([2.0, 1.5, 0.7]), 0.3, 1.7), 1 - 1 / n
    A, B, (I,) = rng.standard_normal((3, 3)), rng.standard_normal((2, 2)), rng.standard_normal(1)
    P = limit.sample_logits(limit.Blocks(A, B, np.array([[I]])), c)
    own = (A[2, 2] / n + w * B[1, 1]) / m
    wanted = [
        A[0, 0], A[0, 1] / n**0.5, A[0, 2] / (n * m) ** 0.5, A[1, 0] / n**0.5, A[1, 1] / n + w * B[0, 0],
        (A[1, 2] / n + w * B[0, 1]) / m**0.5, A[2, 0] / (n * m) ** 0.5, (A[2, 1] / n + w * B[1, 0]) / m**0.5,
        own + I * (1 - 1 / m), own - I / m,
    ]  # fmt: skip
    D = literal.softmax(P)
    top = [n * D[0, 0], n**0.5 * D[0, 1], (n * m) ** 0.5 * D[0, 2], D[1, 1], m**0.5 * D[1, 2]]
    mean = limit.coupling_blocks(D, g, c).mean
    yield from equal({
        f"n = {n}: logits by L2 as it is written": ([*P[:3, :3].ravel(), P[2, 3]], wanted),
        f"n = {n}: coupling by L3 as it is written": ([*mean[0], *mean[1, 1:]], g * np.array(top)),
    }, EXACT)  # fmt: skip
    base = audited.setting.Setting(M=4, d=100, d_h=7, d_v=1, snr=8.0, max_steps=30, epsilon=1e-9)
    for N in (3, 7, 4):
        got = audited.boundary.limit_diagram([6.0], [N], base=base)[0, 0]
        *_, ends = audited.limit_run.descend(
            base.replace(N=N, snr=6.0), N / 2, audited.limit_run.advance_numpy, iter(())
        )
        yield (
            f"limit_diagram, N = {N}: the plain form",
            relative_residual(got - np.log(2), ends[-1].test_loss - np.log(2)),
            EXACT,
        )


FITS, PHASES, LIMIT = "experiments/fits.py:", "experiments/phases.py:", "derived/limit.py:"
DIAGRAM, LAW = "experiments/grid.py:PhaseDiagram.", "derived/fresh.py:LawModel."
ROWS = [
    Row("E1", "a crossing is the last fall through the level, linear in log(N SNR^2); "
        "c is the geometric mean",
        "the curve of Figure 1", "[C]",
        (FITS + "crossing", FITS + "log_crossings", FITS + "crossing_of_rows", FITS + "row_crossings",
         FITS + "boundary_constant"),
        _E1, "", *ONCE),
    Row("E2", "log y = log a + b log x by least squares; b -+ t_(n-2) standard errors holds 95%",
        "exponents", "[D]", (FITS + "fit_power_law",), _E2, "", *ONCE),
    Row("E3", "of means: sqrt(sum (v - mean)^2/(n - 1)/n)", "errors", "[D]",
        (LAW + "test_loss", LAW + "error_rate", DIAGRAM + "mean", DIAGRAM + "spread"),
        _E3, "", *ONCE),
    Row("E4", "II begins where max C rises to 0.1 for good, III where min C rises to 0.9, "
        "C = (M S - 1)/(M - 1)",
        "three phases", "[C]",
        (PHASES + "find_phases", PHASES + "rises_for_good", PHASES + "concentration"),
        _E4, "", *ONCE),
    Row("E5", "a sample is an error if y f <= 0", "0-1 error", "[C]",
        ("api.py:error_rate", LAW + "error_rate", "derived/limit_run.py:train_in_limit",
         "experiments/cell.py:run_cell", "experiments/images.py:run_cell"),
        _E5, "", *ONCE),
    Row("E6", "N odd: n = N/2, L2 and L3 as they stand", "none", "[C]",
        ("derived/boundary.py:limit_diagram", LIMIT + "sample_logits", LIMIT + "coupling_blocks"),
        _E6, "", *ONCE),
]  # fmt: skip
