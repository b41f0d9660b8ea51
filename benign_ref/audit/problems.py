"""What the rows are checked on: a problem at generic weights and one at the theory's initialisation; small,
and not drawn by data.py.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import literal

GENERIC, INITIAL = "generic", "initial"
SCALES = (GENERIC, INITIAL)


@dataclass(frozen=True)
class Problem:
    """theta: four arrays; X (N,M,d), y (N,); eta; and the derivatives of the ledger's own loss, computed
    once. seed: for rows that draw.
    """

    scale: str
    seed: int
    theta: tuple
    X: np.ndarray
    y: np.ndarray
    eta: float

    def rng(self, *key):
        """A Generator for a row, independent of the problem's own draws."""
        return np.random.default_rng(
            np.random.SeedSequence(entropy=self.seed, spawn_key=(SCALES.index(self.scale), 1, *key))
        )

    @cached_property
    def exact(self):
        """f (N,), S (N,M,M) by the triple loop."""
        return literal.triple_loop(self.theta, self.X)

    @cached_property
    def gradient(self):
        """grad L_S by complex step of the ledger's own loss."""
        return literal.complex_step(lambda theta: literal.loss(theta, self.X, self.y), self.theta)

    @cached_property
    def difference(self):
        """grad L_S by central differences. Steps move the logits, or the values, by about 1/100."""
        size = np.abs(self.X).max() * np.sqrt(self.X.shape[2])
        W_Q, W_K, W_V, w_O = (np.abs(W).max() for W in self.theta)
        reach = [1e-2 / (size**2 * W_K), 1e-2 / (size**2 * W_Q), 1e-2 / (size * w_O), 1e-2 / (size * W_V)]
        return literal.central(lambda theta: literal.loss(theta, self.X, self.y), self.theta, reach)

    def path(self, steps, train_w_O, eta=None):
        """GD by the ledger's own derivatives: losses (steps+1,) and theta after `steps` steps."""
        theta, losses = [W.copy() for W in self.theta], []
        for t in range(steps + 1):
            losses.append(literal.loss(theta, self.X, self.y))
            if t < steps:
                slope = literal.complex_step(lambda at: literal.loss(at, self.X, self.y), theta)
                moved = [W - (self.eta if eta is None else eta) * dW for W, dW in zip(theta, slope)]
                theta = moved if train_w_O else [*moved[:3], theta[3]]
        return np.array(losses), theta


def generic(seed):
    """O(1) tokens and weights; samples 0 and 2 share a token, as D1's samples of one class do. N=3, M=4, d=7,
    d_h=3, d_v=2.
    """
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(0, 0)))
    X = rng.standard_normal((3, 4, 7))
    X[2, 1] = X[0, 0]
    theta = tuple(0.5 * rng.standard_normal(shape) for shape in ((7, 3), (7, 3), (7, 2), (2,)))
    return Problem(GENERIC, seed, theta, X, np.array([1.0, -1.0, 1.0]), 0.3)


def initial(seed):
    """D1 and theta(0) at the default scales of Setting, written out, signals in random directions.

    N=4, M=4, d=9, d_h=3, d_v=2, SNR 3, ||w_O|| = 1.5.
    """
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(1, 0)))
    N, M, d, d_h, d_v, snr, w_O_norm = (
        4,
        4,
        9,
        3,
        2,
        3.0,
        1.5,
    )  # with ||w_O|| = 1 a missing ||w_O||^2 would not show
    plus, minus = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    y = np.array([1.0, -1.0, -1.0, 1.0])
    X = rng.standard_normal((N, M, d)) / np.sqrt(d)
    X[:, 1] *= 5 * np.sqrt(M)
    X -= (X @ plus)[..., None] * plus + (X @ minus)[..., None] * minus
    X[:, 0] = snr * np.where(y[:, None] > 0, plus, minus)
    s = 5 * np.sqrt(M)
    W_Q, W_K = 0.2 * d_h**-0.25 / s * rng.standard_normal((2, d, d_h))
    W_V, w_O = 0.01 / (w_O_norm * s) * rng.standard_normal((d, d_v)), rng.standard_normal(d_v)
    return Problem(INITIAL, seed, (W_Q, W_K, W_V, w_O * w_O_norm / np.sqrt(w_O @ w_O)), X, y, 0.3 * M / s**2)


def problems(seed, scales=SCALES):
    """The problems of a seed, at the scales asked for."""
    return [{GENERIC: generic, INITIAL: initial}[scale](seed) for scale in scales]
