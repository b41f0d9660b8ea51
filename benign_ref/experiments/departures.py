"""What moves the boundary: each thing in which the published experiment of Figure 1 and D1 or the small-step
settings differ, varied alone, on real draws and in the limit.

The boundary is where test loss crosses 0.2: of each draw the last fall, linear in log(N SNR^2), as for the
authors' data. A draw is a row of cells whose N SNR^2 are powers of 1.05, between 0.75 and 1.35 times the
limit's crossing (1.2 times where steps are small and N is 10 or more: a row is costly there, and test loss
far below by then); so rows of two departures share the cells' seeds where they share the place. Of a row no
more is computed than from the right to its fall.
"""

from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np

from .. import validate
from ..paper.setting import Setting
from .figure1 import LEVEL, crossing_of_draw
from .fits import Crossing, limit_crossing
from .published import published_setting

RATIO, LOWEST, HIGHEST = 1.05, 0.75, 1.35  # of the cells of a row, in N SNR^2
COSTLY_N, HIGHEST_IF_COSTLY = 10, 1.2
MU_1 = 1.0  # any: SNR is set cell by cell


class Departure(NamedTuple):
    """One thing changed: what it is called, from which base, and the changes."""

    name: str
    base: str
    changes: dict
    slow: bool = False  # runs of thousands of steps: shorter rows, and fewer of them at large N


END = {"epsilon": 0.01, "max_steps": None}  # [C], at which the 500 steps of Figures 3 and 4 do not look
DEPARTURES = {
    "published": Departure("the published experiment (Figure 1)", "figure1", {}),
    "noise": Departure("noise projected off the signals", "figure1", {"noise": "orthogonal"}),
    "law": Departure("Gaussian start of the same deviations, ||w_O|| fixed", "figure1", {"init": "gaussian"}),
    "start": Departure("start of W_Q, W_K 3.4 times smaller", "figure1", {"sigma_h": None}),
    "start of V": Departure("start of W_V 8 times smaller", "figure1", {"sigma_V": None}),
    "step": Departure("steps 113 times smaller", "figure1", {"eta": 0.1 / 113, "max_steps": None}, slow=True),
    "width": Departure(
        "d_h = d_v = 64 for 512, sigma_h^2 d_h held", "figure1",
        {"d_h": 64, "d_v": 64, "sigma_h": sqrt(512 / 64) / 512 / sqrt(3)}),
    "w_O": Departure("||w_O|| = 1 for 1/sqrt(3)", "figure1", {"w_O_norm": 1.0}),
    "extra step": Departure("no step after L_S <= epsilon", "figure1", {"extra_steps": 0}),
    "all": Departure("all of these: our small-step settings, D1", "small steps", {}, slow=True),
    "figure 3": Departure("the scales of Figures 3, 4 (M = 4, C_p = 20)", "figure3", END),
    "C_p": Departure("these with C_p = 5 sqrt(M) = 10", "figure3", {"C_p": 10.0, **END}),
}  # fmt: skip


def setting_of(name: str, N: int) -> Setting:
    """The Setting of a departure at N; its SNR stands for any."""
    _, base, changes, _ = DEPARTURES[validate.choice("name", name, DEPARTURES)]
    s = Setting(N=N) if base == "small steps" else published_setting(base, N=N, mu=MU_1)
    return s.replace(**changes)


@lru_cache
def computed(name: str, N: int) -> float:
    """N SNR^2 where the limit crosses; noise, law of the start and start of W_V do not enter it."""
    return limit_crossing(setting_of(name, N), N, LEVEL)


def places(name: str, N: int, every: int = 1) -> list[float]:
    """The SNR of the cells of a row, increasing; or each `every`-th."""
    highest = HIGHEST_IF_COSTLY if DEPARTURES[name].slow and N >= COSTLY_N else HIGHEST
    first, last = np.log(computed(name, N) * np.array([LOWEST, highest])) / np.log(RATIO)
    return np.sqrt(RATIO ** np.arange(np.ceil(first), last, every) / N).tolist()


def row(name: str, N: int, seed: int, every: int = 1) -> float:
    """N SNR^2 where the row of one draw last falls through LEVEL, NaN if nowhere on it; a function of its
    arguments alone.
    """
    return crossing_of_draw(setting_of(name, N), N, seed, places(name, N, every))


def verdict(found: Crossing, base: Crossing) -> str:
    """What the difference of two crossings says [C], fixed before any was computed: more than 3 joint
    standard errors moves the boundary; fewer than 2, of at most 3% of the crossing, is no difference beyond
    chance.
    """
    moved, error = abs(found.mean - base.mean), float(np.hypot(found.error, base.error))
    if moved > 3 * error:
        return "moves it"
    return "no difference beyond chance" if moved < 2 * error < 0.06 * base.mean else "cannot be decided"
