"""Runs of gradient descent in the limit (limit.py), by its plain form or by its fast twin
(limit_kernel.py).
"""

from itertools import count
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from .. import validate
from ..paper.descent import DivergenceError
from ..paper.model import logistic, softmax
from ..paper.setting import Setting
from . import limit, limit_kernel

STEPS_AT_ONCE = 4096  # taken between two looks at the loss from outside; it bounds the memory a piece takes


def advance_numpy(state, c, epsilon, losses):
    """GD: losses[t] is L_S before step t; len(losses) - 1 steps, or up to a loss <= epsilon or not finite.
    Returns state, steps taken.
    """
    for t in range(len(losses)):
        f, g, S, D = limit.evaluate(state, c)
        losses[t] = logistic(f)
        if losses[t] <= epsilon or not np.isfinite(losses[t]) or t == len(losses) - 1:
            return state, t
        state = limit.move(state, g, S, D, c)


def advance_numba(state, c, epsilon, losses):
    """`advance_numpy` by limit_kernel, which writes over the state's arrays."""
    return state, limit_kernel.advance(state, c, epsilon, losses)


def by_pair(matrix):
    """One sample's (M,M) matrix by pair of types: 'ss', 's2', 'si', '2s', …; 'ii' is a small token and
    itself, 'ij' and another one.
    """
    names = "s2ij"[: len(matrix)]  # without i if M = 2, without j if M = 3
    return {
        a + b: float(matrix[names.index(a), names.index(b)])
        for a in names[:3]
        for b in names
        if b != "j" or a == "i"
    }


class Snapshot(NamedTuple):
    """The limit at one step, or (in LimitRun.history, as arrays (R,)) at R of them: logits and attention by
    pair of types (see `by_pair`), V_s, V_2, V_i (NaN if M = 2) of the class y = +1, the output on fresh data
    and the test loss (L5).
    """

    step: Any
    logits: dict
    attention: dict
    V_s: Any
    V_2: Any
    V_i: Any
    test_output: Any
    test_loss: Any


def snapshot(step, state, c):
    """The Snapshot of a state."""
    P, values = limit.sample_logits(state.QK, c), state.V.tolist() + [np.nan] * (3 - len(state.V))
    f_test = limit.output_on_fresh_data(state.QK.mean[0, 0], values[0], c.M)
    return Snapshot(step, by_pair(P), by_pair(softmax(P)), *values, float(f_test), float(logistic(f_test)))


def stacked(column):
    """A list of numbers as an array; of dicts, which may hold dicts, as a dict of such arrays."""
    if isinstance(column[0], dict):
        return {name: stacked([one[name] for one in column]) for name in column[0]}
    return np.array(column)


class LimitRun(NamedTuple):
    """A run of GD in the limit, for the class y = +1; in the class y = -1 values and outputs have the other
    sign and all else is the same.

    losses (steps+1,): losses[t] is L_S before step t; `converged` says that one of them is <= epsilon, the
    last one if setting.extra_steps = 0. At the end: test_loss (L5), error_rate (0.0 or 1.0, as all fresh
    samples are alike), logits and attention (dicts by pair of types, see `by_pair`: 'ss', 's2', …) and V_s,
    V_2, V_i (NaN if M = 2). history: a Snapshot of arrays over the recorded steps, history.step.
    """

    setting: Setting
    steps: int
    converged: bool
    losses: np.ndarray
    test_loss: float
    error_rate: float
    logits: dict
    attention: dict
    V_s: float
    V_2: float
    V_i: float
    history: Snapshot

    def __str__(self):
        s, reached = self.setting, "reached" if self.converged else "did not reach"
        return (
            f"LimitRun: {self.steps} steps, L_S {self.losses[-1]:.4g} ({reached} epsilon = {s.epsilon:g}), "
            f"L_D {self.test_loss:.4g}, attention of the signal on itself {self.attention['ss']:.4g}\n"
            f"  of d, d_h and sigma_h only sigma_p sqrt(d) and sigma_h^2 d_h enter; ignored: "
            f"noise={s.noise!r}, init={s.init!r}, sigma_V={s.sigma_V:.4g}, d_v={s.d_v}"
        )


def checked_for_limit(setting):
    """The Setting; ValueError or TypeError for one that the limit does not cover."""
    validate.instance("setting", setting, Setting)
    validate.require(
        setting.N >= 2,
        f"N must be an integer >= 2 in the limit, which has N/2 >= 1 samples a class, got {setting.N}",
    )
    validate.require(
        setting.balanced,
        "balanced must be True in the limit, which has N/2 samples in each class, got False",
    )
    validate.fits_memory("M", setting.M, 4 * setting.M**2)
    return setting


def descend(setting, n, advance, named):
    """GD for n samples a class, any real n >= 1, until L_S <= epsilon or max_steps, and setting.extra_steps
    more after epsilon (all together at most max_steps). Returns losses, steps, converged, and a list of
    Snapshots: at the steps of `named`, an iterator over increasing ones, and at the end. Raises
    DivergenceError at the first loss that is not finite, or at values that are not.
    """
    c = limit.constants_of(setting, n)
    state, step, losses = limit.start(c, setting.d_h * setting.sigma_h * setting.sigma_h), 0, []
    snapshots, next_named = [], next(named, inf)
    target, last = setting.epsilon, setting.max_steps
    while True:
        part = np.empty(min(last, step + STEPS_AT_ONCE, next_named) - step + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is seen by its loss
            state, taken = advance(state, c, target, part)
        losses.append(part[:taken])
        # of infinite values an output is inf - inf, nan, unless it is summed in an order that hides it
        step, loss = step + taken, part[taken] if np.isfinite(state.V).all() else nan
        if not np.isfinite(loss):
            raise DivergenceError(step, setting.eta, float(loss))
        if loss <= target:  # once: after it nothing but the number of steps ends the run
            target, last = -inf, min(last, step + setting.extra_steps)
        if step in (next_named, last):
            snapshots.append(snapshot(step, state, c))
            next_named = next(named, inf)
        if step == last:
            return np.concatenate([*losses, [loss]]), step, target == -inf, snapshots


def train_in_limit(setting: Setting, *, backend: str = "numba", record_every=None) -> LimitRun:
    """L1-L5 [D]: GD of a Setting in the limit d, d_h -> infinity. Returns a LimitRun.

    Of the setting's d, d_h, sigma_p, sigma_h only ||mu||, sigma_p sqrt(d) and kappa = sigma_h^2 d_h enter,
    and extra_steps are taken. Ignored: noise (in the limit noise is orthogonal to the signals, projected or
    not), init (only its variance matters), sigma_V (V(0) = 0 [C]) and d_v; w_O stays fixed, of norm w_O_norm.
    backend "numpy": the equations of limit.py; "numba": its twin by types of tokens, 34 numbers a step.
    record_every: None (start and end), an integer k (steps 0, k, 2k, … and the end) or a sequence of steps
    (those and the end). Not reaching epsilon is no error (run.converged is False). Raises ValueError or
    TypeError for a bad argument, also for N = 1 and balanced=False, DivergenceError at a loss, or at values,
    that are not finite.
    """
    checked_for_limit(setting)
    backends = {"numpy": advance_numpy, "numba": advance_numba}
    advance = backends[validate.choice("backend", backend, backends)]
    chosen = [0] if record_every is None else validate.steps("record_every", record_every)
    named = count(0, chosen) if isinstance(chosen, int) else iter(chosen)
    losses, steps, converged, snapshots = descend(setting, setting.N / 2, advance, named)
    end = snapshots[-1]
    return LimitRun(
        setting, steps, converged, losses,
        test_loss=end.test_loss, error_rate=float(end.test_output <= 0), logits=end.logits,
        attention=end.attention, V_s=end.V_s, V_2=end.V_2, V_i=end.V_i,
        history=Snapshot(**stacked([one._asdict() for one in snapshots])),
    )  # fmt: skip
