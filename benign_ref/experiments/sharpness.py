"""How sharp the boundary is: single draws of the law (law.py) at points x = N SNR^2 / C_p^2, and the x at
which each draw turns over.

A draw uses the same random numbers at every x, so that it turns over at an x of its own. Two questions, as in
boundary.py: where the test loss falls through a level, and where the signal comes to attend mostly to itself.
The questions and the levels are ours [C].
"""

from math import exp, log
from typing import NamedTuple

import numpy as np

from .. import validate
from ..derived.boundary import attention_x, critical_x, limit_diagram, setting_at
from ..derived.law import train_in_law
from ..paper import Setting, make_rng

LEVELS = {"test_loss": 0.2, "attention": 0.5}  # looked for: the fall of the one, the rise of the other
FACTOR = 1.12  # of x, in the search for a bracket
TOLERANCE = 0.005  # of log x_c
SAMPLES = 2000  # fresh samples behind a test loss that is reported; they differ little
SEARCH_SAMPLES = 400  # and behind one that is compared with a level: its standard error is near 0.002 or less


class Draw(NamedTuple):
    """What is drawn, apart from x: sizes, seed, epsilon, and the factor by which sigma_h is off its
    default.
    """

    M: int
    N: int
    d: int
    d_h: int
    seed: int
    epsilon: float = 0.01
    sigma_h_factor: float = 1.0


def base_of(draw):
    """The Setting of a Draw, to be set at x by boundary.setting_at. A factor other than 1 is taken of sigma_h
    at x = 2.
    """
    base = Setting(N=draw.N, M=draw.M, d=draw.d, d_h=draw.d_h, epsilon=draw.epsilon)
    if draw.sigma_h_factor == 1:
        return base
    return base.replace(sigma_h=draw.sigma_h_factor * setting_at(2.0, draw.M, draw.N, base).sigma_h)


def run_of(draw, x):
    """The run of `draw` at x in law, its last step recorded; a function of the two alone."""
    s = setting_at(x, draw.M, draw.N, base_of(draw))
    return train_in_law(s, make_rng(draw.seed, (0,)), record_every=(s.max_steps,), progress=False)


def attention(run):
    """The signal's attention to itself at the end of a run, the mean of S_n[1,1] over the training set."""
    (end,) = run.records
    return float(end.attention[:, 0, 0].mean())


def point(draw, x, samples=SAMPLES):
    """The end of the run of `draw` at x: (test loss, its standard error over fresh samples, attention of the
    signal on itself, steps, whether epsilon was reached).
    """
    run = run_of(draw, x)
    loss_and_error = run.test_loss(samples, make_rng(draw.seed, (1,)), return_se=True)
    return *loss_and_error, attention(run), run.steps, run.converged


def critical_x_of_draw(draw, quantity, start=2.2, tolerance=TOLERANCE):
    """The x at which `draw` turns over, a float, right to tolerance/2 in log x; nan if not within a factor 10
    of `start`.

    quantity "test_loss": it falls through 0.2; "attention": that of the signal on itself rises through 0.5
    (LEVELS). From `start`, x moves by factors of 1.12 until it is beyond; then the interval is halved. Raises
    ValueError or TypeError for a bad argument.
    """
    level = LEVELS[validate.choice("quantity", quantity, tuple(LEVELS))]
    start, tolerance = log(validate.real("start", start)), validate.real("tolerance", tolerance)

    def benign(u):
        run = run_of(draw, exp(u))
        if quantity == "attention":
            return attention(run) >= level
        return run.test_loss(SEARCH_SAMPLES, make_rng(draw.seed, (1,))) <= level

    at_start = benign(start)
    stride = -log(FACTOR) if at_start else log(FACTOR)
    here, beyond = start, start + stride
    while benign(beyond) == at_start:
        here, beyond = beyond, beyond + stride
        if abs(beyond - start) > log(10):
            return float("nan")
    while abs(beyond - here) > tolerance:
        middle = (here + beyond) / 2
        here, beyond = (middle, beyond) if benign(middle) == at_start else (here, middle)
    return exp((here + beyond) / 2)


def critical_x_in_limit(draw, quantity):
    """The same x in the limit (boundary.py), whatever draw.d and draw.seed; nan where there is none between
    0.2 and 20.
    """
    level = LEVELS[validate.choice("quantity", quantity, tuple(LEVELS))]
    search = critical_x if quantity == "test_loss" else attention_x
    try:
        return search(draw.M, draw.N, level=level, tolerance=TOLERANCE / 5, base=base_of(draw))
    except ValueError as error:
        if "bracket" not in str(error):
            raise
        return float("nan")


class CriticalX(NamedTuple):
    """x_c over draws: geometric mean, its standard error, standard deviation of log x_c (both nan for one
    draw); how many draws had one.
    """

    x: float
    error: float
    spread: float
    count: int

    def __str__(self):
        return f"{self.x:.3f} +- {self.error:.3f}"


def summary(per_draw):
    """CriticalX of the x of single draws (k,); nan ones are left out, and counted out."""
    logs = np.log(np.asarray(per_draw, dtype=float))
    logs = logs[np.isfinite(logs)]
    x = exp(logs.mean()) if logs.size else float("nan")
    spread = float(np.std(logs, ddof=1)) if len(logs) > 1 else float("nan")
    return CriticalX(x, float(x * spread / np.sqrt(len(logs))), spread, len(logs))


def measure(what, x, *draw):
    """`point` at x where what is "point", else `critical_x_of_draw` of the quantity `what` from x on; draw: a
    Draw's values.
    """
    return point(Draw(*draw), x) if what == "point" else critical_x_of_draw(Draw(*draw), what, x)


def limit_column(snr, *, Ns, base):
    """One task of a map: the limit's test loss at one SNR over Ns, a list."""
    return limit_diagram([snr], list(Ns), base=base).ravel().tolist()
