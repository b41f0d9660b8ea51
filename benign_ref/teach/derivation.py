"""What a derivation to walk through is made of: Step, Check, and one example with numbers small enough to
repeat by hand.

The steps themselves are in weights.py (from L_S to W_Q, W_K, W_V, w_O) and proof_steps.py (on to the proof's
coordinates); derive.py prints them. Equations are plain text with _{...} and ^{...} for indices; in prose
they stand between dollar signs.

Every step is written once and run twice: on the example's numbers, where a check leaves a residual, and on
fractions drawn around them (checks/exact.py), where it leaves none. There a derivative is exact too.
"""

import re
from typing import NamedTuple

import numpy as np

from ..checks import derivative, equality
from ..paper.data import make_rng
from ..paper.gradients import coupling, mean_attention, output_cotangent
from ..paper.model import Parameters, attention, forward, logistic_slope

EQUAL, UNDECIDED, UNEQUAL = "equal, as fractions", "not decided as fractions", "NOT equal as fractions"
_SAID = {equality.EQUAL: EQUAL, equality.UNDECIDED: UNDECIDED, equality.REJECTED: UNEQUAL}


class Check(NamedTuple):
    """What was compared, the largest difference relative to the largest entry (NaN if all are 0, which is no
    pass, and on Numbers), and what is allowed; what was found on fractions ("" if nothing was tried), and the
    probability at most that unequal sides are found equal there; the two sides, if they are of Numbers.
    """

    what: str
    residual: float
    allowed: float
    exact: str = ""
    chance: float = 0.0
    sides: tuple = ()

    @property
    def passed(self):
        """Whether the residual is within what is allowed (False for NaN) and fractions do not disagree."""
        return bool(self.residual <= self.allowed) and self.exact != UNEQUAL


class Step(NamedTuple):
    """One screenful: the equation, why it follows from the step before, the numbers of the example as pairs
    (name, value), the checks of this step alone, and the exercise that asks for it.
    """

    title: str
    equation: str
    why: str
    numbers: list
    checks: list
    exercise: str = ""


def compare(what, claimed, found, allowed=1e-12):
    """Check that two numbers, arrays or lists of arrays are equal. Of Numbers it keeps both sides."""
    claimed, found = (
        np.concatenate([np.ravel(part) for part in (side if isinstance(side, list) else [side])])
        for side in (claimed, found)
    )
    if object in (claimed.dtype, found.dtype):
        return Check(what, np.nan, allowed, sides=(claimed, found))
    largest = max(np.abs(claimed).max(), np.abs(found).max())
    residual = float(np.abs(claimed - found).max() / largest) if largest > 0 else np.nan
    return Check(what, residual, allowed)


def slopes(f, x):
    """The derivative of f, a number, in each entry of x, in the shape of x: by complex step; on Numbers,
    exactly.
    """
    if np.asarray(x).dtype != object:
        return derivative(f, x)
    x = np.array(x, dtype=object)
    found = x.copy()
    for where in np.ndindex(x.shape):
        moved = x.copy()
        moved[where] = x[where].along(1)
        found[where] = np.asarray(f(moved[()]), dtype=object).item().derivative
    return found[()]


def with_fractions(make, seed):
    """The steps that `make(field)` gives for the example's numbers (field None), each check with what the
    same code finds on fractions: equal; or not decided, if with the true e^a they are equal; or not equal.
    """
    steps, run = make(None), equality.on_fields(make, seed)
    for at, step in enumerate(steps):
        for k, check in enumerate(step.checks):
            sides = lambda digits, at=at, k=k: run(digits)[at].checks[k].sides  # noqa: E731
            if sides(None):
                said, chance = equality.verdict(sides)
                step.checks[k] = check._replace(exact=_SAID[said], chance=chance)
    return steps


def number(value, digits=5):
    """A number in so many digits; -0 is 0."""
    return f"{0.0 if value == 0 else value:.{digits}g}"


def show(name, value):
    """'name = ' and a number, a row, or a matrix with one row a line; 5 digits."""
    if np.ndim(value) == 0:
        return f"{name} = {number(value, 6)}"
    rows = ["[" + " ".join(f"{number(x):>10}" for x in row) + " ]" for row in np.atleast_2d(value)]
    return f"{name} = " + ("\n" + " " * len(f"{name} = ")).join(rows)


def each(name, values):
    """Pairs (name, value), one for each sample or head: the n or h in name becomes 1, 2, ..."""
    return [(re.sub("_[nh]", f"_{k}", name), value) for k, value in enumerate(values, 1)]


def decimals(rng, shape, field):
    """Numbers of one decimal, none of them 0; with a Field, fractions near these."""
    drawn = rng.choice([-1, 1], shape) * rng.integers(2, 13, shape) / 10
    return field.near(drawn) if field else drawn


class Example:
    """N samples of M = 3 tokens in d = 4 dimensions, d_h = 2, with entries of one decimal; everything the
    steps need, computed once. With a Field, the entries that are drawn are fractions near these.

    labels decides N and which signal is token 1: mu_plus = 1.5 e_1, mu_minus = 1.5 e_2; noise tokens live in
    the other two dimensions (D1). P, S, D (N,M,M); c, a (N,M); f, g, slope = ell'(y f) (N,). eta: what a step
    of GD takes; zero: the number at which a derivative in one number is taken.
    """

    def __init__(self, seed, labels, field=None, d_v=2):
        rng, d = make_rng(seed), 4
        self.y = y = np.array(labels, dtype=np.float64)
        self.N, self.M = N, M = len(y), 3
        self.mu_plus, self.mu_minus = 1.5 * np.eye(d)[0], 1.5 * np.eye(d)[1]
        self.X = X = np.zeros((N, M, d), dtype=object if field else np.float64)
        X[:, 0] = np.where(y[:, None] > 0, self.mu_plus, self.mu_minus)
        ones = np.array([sign * k / 10 for sign in (-1, 1) for k in range(2, 13)])
        pairs = np.column_stack([np.repeat(ones, len(ones)), np.tile(ones, len(ones))])
        noise = rng.permutation(pairs)[: N * (M - 1)]  # all different, as D1 asks
        X[:, 1:, 2:] = (field.near(noise) if field else noise).reshape(N, M - 1, d - 2)
        shapes = (d, 2), (d, 2), (d, d_v), d_v
        self.theta = theta = Parameters(*(decimals(rng, shape, field) for shape in shapes))
        self.eta, self.zero = (field.number(0.5), field.number(0)) if field else (0.5, 0.0)
        self.P = np.array([X_n @ theta.W_Q @ theta.W_K.T @ X_n.T for X_n in X])
        self.S, self.f = attention(theta, X), forward(theta, X)
        self.c = X @ theta.W_V @ theta.w_O
        self.a = np.array([mean_attention(S_n) for S_n in self.S])
        self.g, self.slope = output_cotangent(self.f, y), logistic_slope(y * self.f)
        self.D = np.array([coupling(S_n, c_n) for S_n, c_n in zip(self.S, self.c)])


def by_loops(theta, X):
    """M1 with single numbers only: nested sums, no matrix product. f (N,)."""
    W_Q, W_K, W_V, w_O = (W.tolist() for W in theta)
    heads, values = range(len(W_Q[0])), range(len(w_O))
    project = lambda token, W, h: sum(x * row[h] for x, row in zip(token, W))  # noqa: E731
    f = []
    for tokens in X.tolist():
        Q, K = ([[project(x, W, h) for h in heads] for x in tokens] for W in (W_Q, W_K))
        P = [[sum(q_h * k_h for q_h, k_h in zip(q, k)) for k in K] for q in Q]
        e = [[np.exp(p - max(row)) for p in row] for row in P]
        c = [sum(project(x, W_V, v) * w_O[v] for v in values) for x in tokens]
        collected = [sum(e_j * c_j for e_j, c_j in zip(row, c)) / sum(row) for row in e]
        f.append(sum(collected) / len(tokens))
    return np.array(f)
