"""More draws of Figure 1 where the protocol's ten leave the crossing of an N uncertain.

The rule [C], fixed beforehand: at every N >= 4 whose crossing has a standard error above ENOUGH, BATCH draws
are added, again and again, until it has not or there are MOST draws. An added draw is a row of the published
plane like the ten, its crossing by the same rule of the last fall; but it is computed from ||mu|| = 100
leftwards, and only as far as to its fall. Stopping by the standard error favours draws that lie close
together: so the error found is a little small, and the mean too where the far outliers lie above it.
"""

from collections.abc import Callable

import numpy as np

from ..paper.setting import Setting
from .authors import CROSSINGS, LEVEL, MUS, snr_of
from .cell import run_cell
from .fits import crossing, crossing_of_rows, log_crossings, row_crossings
from .published import published_setting

BASE = published_setting("figure1", N=2, mu=1.0)
N_TEST = 100
ENOUGH, BATCH, MOST = 20.0, 10, 80


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
