"""What a derivation to walk through is made of: Step, Check, and one example with numbers small enough to
repeat by hand.

The steps themselves are in weights.py (from L_S to W_Q, W_K, W_V, w_O) and proof_steps.py (on to the proof's
coordinates); derive.py prints them. Equations are plain text with _{...} and ^{...} for indices; in prose
they stand between dollar signs.
"""

from typing import NamedTuple

import numpy as np

from ..paper.data import make_rng
from ..paper.gradients import coupling, mean_attention, output_cotangent
from ..paper.model import Parameters, attention, forward, logistic_slope


class Check(NamedTuple):
    """What was compared, the largest difference relative to the largest entry (NaN if all are 0, which is no
    pass), and what is allowed.
    """

    what: str
    residual: float
    allowed: float

    @property
    def passed(self):
        """Whether the residual is within what is allowed; False for NaN."""
        return bool(self.residual <= self.allowed)


class Step(NamedTuple):
    """One screenful: the equation, why it follows from the step before, the numbers of the example as pairs
    (name, value), and the checks of this step alone.
    """

    title: str
    equation: str
    why: str
    numbers: list
    checks: list


def compare(what, claimed, found, allowed=1e-12):
    """Check that two numbers, arrays or lists of arrays are equal."""
    claimed, found = (
        np.concatenate([np.ravel(part) for part in (side if isinstance(side, list) else [side])])
        for side in (claimed, found)
    )
    largest = max(np.abs(claimed).max(), np.abs(found).max())
    return Check(what, float(np.abs(claimed - found).max() / largest) if largest > 0 else np.nan, allowed)


def number(value, digits=5):
    """A number in so many digits; -0 is 0."""
    return f"{0.0 if value == 0 else value:.{digits}g}"


def show(name, value):
    """'name = ' and a number, a row, or a matrix with one row a line; 5 digits."""
    if np.ndim(value) == 0:
        return f"{name} = {number(value, 6)}"
    rows = ["[" + " ".join(f"{number(x):>10}" for x in row) + " ]" for row in np.atleast_2d(value)]
    return f"{name} = " + ("\n" + " " * len(f"{name} = ")).join(rows)


class Example:
    """N samples of M = 3 tokens in d = 4 dimensions, d_h = d_v = 2, with entries of one decimal; everything
    the steps need, computed once.

    labels decides N and which signal is token 1: mu_plus = 1.5 e_1, mu_minus = 1.5 e_2; noise tokens live in
    the other two dimensions (D1). P, S, D (N,M,M); c, a (N,M); f, g, slope = ell'(y f) (N,).
    """

    def __init__(self, seed, labels):
        rng = make_rng(seed)
        decimals = lambda *shape: rng.choice([-1, 1], shape) * rng.integers(2, 13, shape) / 10  # noqa: E731 - no entry is 0
        self.y = y = np.array(labels, dtype=np.float64)
        self.N, self.M, self.d = N, M, d = len(y), 3, 4
        self.mu_plus, self.mu_minus = 1.5 * np.eye(d)[0], 1.5 * np.eye(d)[1]
        self.X = X = np.zeros((N, M, d))
        X[:, 0] = np.where(y[:, None] > 0, self.mu_plus, self.mu_minus)
        X[:, 1:, 2:] = self.different(rng, N * (M - 1)).reshape(N, M - 1, d - 2)
        self.theta = theta = Parameters(decimals(d, 2), decimals(d, 2), decimals(d, 2), decimals(2))
        W_Q, W_K, W_V, w_O = theta
        self.P = np.array([X_n @ W_Q @ W_K.T @ X_n.T for X_n in X])
        self.S, self.f = attention(theta, X), forward(theta, X)
        self.c = X @ W_V @ w_O
        self.a = np.array([mean_attention(S_n) for S_n in self.S])
        self.g = output_cotangent(self.f, y)
        self.slope = logistic_slope(y * self.f)
        self.D = np.array([coupling(S_n, c_n) for S_n, c_n in zip(self.S, self.c)])

    @staticmethod
    def different(rng, count):
        """`count` different vectors of two entries of one decimal, none 0: noise tokens of D1 are all
        different.
        """
        decimals = np.array([sign * k / 10 for sign in (-1, 1) for k in range(2, 13)])
        chosen = rng.permutation(len(decimals) ** 2)[:count]
        return np.column_stack([decimals[chosen // len(decimals)], decimals[chosen % len(decimals)]])

    def each(self, name, values):
        """Pairs (name, value), one for each sample: the n in name becomes 1, 2, ..."""
        return [(name.replace("_n", f"_{n + 1}"), value) for n, value in enumerate(values)]


def by_loops(theta, X):
    """M1 with single numbers only: nested sums, no matrix product. f (N,)."""
    W_Q, W_K, W_V, w_O = (W.tolist() for W in theta)
    heads, values = range(len(W_Q[0])), range(len(w_O))
    project = lambda token, W, h: sum(x * row[h] for x, row in zip(token, W))  # noqa: E731
    f = []
    for tokens in X.tolist():
        total = 0.0
        for x_l in tokens:
            e = [np.exp(sum(project(x_l, W_Q, h) * project(x_j, W_K, h) for h in heads)) for x_j in tokens]
            c = [sum(project(x_j, W_V, v) * w_O[v] for v in values) for x_j in tokens]
            total += sum(e_j * c_j for e_j, c_j in zip(e, c)) / sum(e)
        f.append(total / len(tokens))
    return np.array(f)
