"""Where the limit (limit_run.py) turns from harmful to benign, in x = N SNR^2 / C_p^2, and its whole phase
diagram. Nothing is fitted.

A point x at (M, N) means `base` with these M and N and SNR = C_p sqrt(x/N), every default that was not set by
hand in `base` derived afresh (C_p, eta, sigma_h, max_steps). The values compared are those at the end of the
run, at epsilon or else at max_steps.

Two questions, two numbers: where the test loss crosses a level (`critical_x`), and where the signal comes to
attend mostly to itself (`attention_x`). They agree where the transition is sharp and differ where it is soft
(small M).
"""

from itertools import product
from math import ceil, exp, log, sqrt

import numpy as np

from .. import validate
from ..paper.setting import Setting
from .limit_run import advance_numba, checked_for_limit, descend, train_in_limit

BRACKET = (0.2, 20.0)  # [C] of x, wide about the heuristic x = 2


def _setting(base):
    return Setting() if base is None else validate.instance("base", base, Setting)


def setting_at(x, M, N, base=None):
    """The Setting at x = N SNR^2 / C_p^2, M and N. Raises ValueError or TypeError."""
    x, base = validate.real("x", x), _setting(base)
    C_p = base.replace(M=M, N=N).C_p
    return base.replace(M=M, N=N, snr=C_p * sqrt(x / N))


def _x_where(name, value_of, M, N, level, tolerance, bracket, base):
    """The x, right to tolerance/2 in log x, at which value_of(LimitRun), called `name`, crosses the level."""
    level, tolerance = validate.real("level", level), validate.real("tolerance", tolerance)
    pair = f"bracket must be a pair of numbers 0 < low < high, got {bracket!r}"
    validate.require(isinstance(bracket, (tuple, list)) and len(bracket) == 2, pair, TypeError)
    low, high = (validate.real("bracket", end) for end in bracket)
    validate.require(low < high, pair)

    def above(u):
        values[u] = value_of(train_in_limit(setting_at(exp(u), M, N, base)))
        return values[u] > level

    values, low, high = {}, log(low), log(high)
    at_low, at_high = above(low), above(high)
    found = " and ".join(f"{value:.6g} at x={exp(u):.6g}" for u, value in values.items())
    validate.require(
        at_low != at_high, f"bracket must have the {name} on both sides of level {level:g}, got {found}"
    )
    while high - low > tolerance:
        middle = (low + high) / 2
        if middle in (low, high):  # neighbouring floats: a smaller tolerance than these hold
            break
        low, high = (middle, high) if above(middle) == at_low else (low, middle)
    return exp((low + high) / 2)


def critical_x(M, N, *, level=0.2, tolerance=1e-3, bracket=BRACKET, base=None):
    """x at which the limit's test loss (L5) crosses `level`, a float; right to tolerance/2 in log x.

    Raises ValueError if the test losses at the ends of `bracket` are on one side of the level, ValueError or
    TypeError for a bad argument, DivergenceError if a run diverges.
    """
    return _x_where("test loss", lambda run: run.test_loss, M, N, level, tolerance, bracket, base)


def attention_x(M, N, *, level=0.5, tolerance=1e-3, bracket=BRACKET, base=None):
    """x at which the signal's attention to itself at the end, S_ss, crosses `level` [C]; the rest as in
    `critical_x`.
    """
    return _x_where("attention S_ss", lambda run: run.attention["ss"], M, N, level, tolerance, bracket, base)


def _axis(name, values, allowed, is_allowed):
    values = validate.array(name, values, name, {})
    for value in values[~is_allowed(values)]:
        raise ValueError(f"{name} must hold numbers {allowed}, got {value:g}")
    return values.tolist()


def limit_diagram(snrs, Ns, *, base=None):
    """The limit's test loss (L5) on a grid: an array (len(snrs), len(Ns)), [i,j] at SNR = snrs[i] and N =
    Ns[j].

    Ns may be any real numbers >= 2, continued to n = N/2 samples a class [C]; a default max_steps is that of
    N rounded up (eta and sigma_h do not depend on N). In each cell the defaults not set by hand in `base`
    (None: Setting()) are derived afresh, and the run ends at epsilon or at max_steps. One process. Raises
    ValueError or TypeError for a bad argument, DivergenceError if a run diverges.
    """
    base = checked_for_limit(_setting(base).replace(N=2))
    snrs, Ns = _axis("snrs", snrs, "> 0", lambda a: a > 0), _axis("Ns", Ns, ">= 2", lambda a: a >= 2)
    losses = np.empty((len(snrs), len(Ns)))
    for (i, snr), (j, N) in product(enumerate(snrs), enumerate(Ns)):
        *_, (end,) = descend(base.replace(N=ceil(N), snr=snr), N / 2, advance_numba, iter(()))
        losses[i, j] = end.test_loss
    return losses
