"""T3's three phases, found in a run by a stated rule.

    T3 [P*]   (I) V grows, attention stays near 1/M; (II) <q,k> grow and attention concentrates, on the signal
              when benign, on xi_{n,2} when
              harmful; (III) attention has settled, the loss falls like 1/t.

The paper gives orders, no rule, so this one is ours [C]. It looks at two rows of the training set's
attention, averaged over the samples: the signal's row and the row of token 2. Token w, the winner, is the one
of these two that the signal's row attends to more at the end. How far a row has come from 1/M to 1 is its
concentration on w,

    C(row) = (M S[row,w] - 1) / (M - 1)     0 at uniform attention, 1 when the row attends to w alone.

Phase II begins when the first of the two rows has come a tenth of the way (max C >= 0.1), phase III when the
last has come nine tenths (min C >= 0.9), both for good: the last upward crossing counts, linear between the
recorded steps. The rows of the tokens i >= 3 are left out: they go on moving through phase III (the figure
`convergence` shows what that does to T). A phase that was not reached is NaN: so phase II where
attention stays near 1/M, and phase III where a row has not come so far by the end.
"""

from typing import NamedTuple

import numpy as np

from .. import validate

LEAVES, SETTLES = 0.1, 0.9
SIGNAL, NOISE = "signal", "xi_2"


class Phases(NamedTuple):
    """winner: "signal" or "xi_2". leaves, settles: the steps at which phases II and III begin, floats, NaN
    where they do not. end: the last step.
    """

    winner: str
    leaves: float
    settles: float
    end: int

    @property
    def found(self):
        """True if all three phases are there, in their order."""
        return bool(0 < self.leaves < self.settles < self.end)

    def __str__(self) -> str:
        token = "the signal" if self.winner == SIGNAL else self.winner
        if not np.isfinite(self.leaves):
            return f"attention stays near 1/M until the end, step {self.end}"
        settled = f"has settled at step {self.settles:.0f}"
        return (
            f"attention turns to {token} from step {self.leaves:.0f} on and "
            f"{settled if np.isfinite(self.settles) else 'has not settled by then'}; "
            f"the end is step {self.end}"
        )


def concentration(attention, M):
    """How far attention (any shape) has come from 1/M to 1: 0 at 1/M, 1 at 1, negative below 1/M."""
    return (M * np.asarray(attention) - 1) / (M - 1)


def rises_for_good(steps, values, level):
    """The step, a float, at which `values` (R,) over increasing `steps` (R,) last rises to `level`, linear
    between recorded steps.

    NaN if the last value is below the level; steps[0] if none is.
    """
    below = np.flatnonzero(~(np.asarray(values) >= level))  # NaN counts as below
    if not below.size:
        return float(steps[0])
    i = below[-1]
    if i == len(values) - 1:
        return float("nan")
    return float(steps[i] + (steps[i + 1] - steps[i]) * (level - values[i]) / (values[i + 1] - values[i]))


def find_phases(steps, S_ss, S_s2, S_2s, S_22, M):
    """The Phases of a run by the rule above.

    steps (R,), increasing; S_ss, S_s2, S_2s, S_22 (R,): attention averaged over the training samples, S_s2
    that of the signal's row on token 2 and so on; M >= 2 tokens a sample. Raises ValueError or TypeError for
    anything else.
    """
    M, sizes = validate.integer("M", M, 2), {}
    names = ("steps", "S_ss", "S_s2", "S_2s", "S_22")
    steps, *rows = (
        validate.array(name, value, "R", sizes) for name, value in zip(names, (steps, S_ss, S_s2, S_2s, S_22))
    )
    validate.require(
        (np.diff(steps) > 0).all() and steps[0] >= 0,
        f"steps must be >= 0 and increase, got {validate.shown(steps.tolist())}",
    )
    for name, row in zip(names[1:], rows):
        validate.require(
            row.min() >= 0 and row.max() <= 1 + 1e-9,
            f"{name} must hold attention, from 0 to 1, got {row.min():g} to {row.max():g}",
        )
    S_ss, S_s2, S_2s, S_22 = rows
    winner, pair = (SIGNAL, (S_ss, S_2s)) if S_ss[-1] >= S_s2[-1] else (NOISE, (S_s2, S_22))
    come = concentration(pair, M)  # (2,R)
    return Phases(
        winner,
        rises_for_good(steps, come.max(axis=0), LEAVES),
        rises_for_good(steps, come.min(axis=0), SETTLES),
        int(steps[-1]),
    )
