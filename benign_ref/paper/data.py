"""D1: one signal token and M-1 Gaussian noise tokens a sample; the initialisation; the streams of
randomness.
"""

from typing import NamedTuple

import numpy as np

from .. import validate
from .model import Parameters
from .setting import Setting


class Dataset(NamedTuple):
    """X (n,M,d) tokens as rows, token 0 of the array being the paper's token 1; y (n,) of -1.0 and +1.0;
    mu_plus, mu_minus (d,).
    """

    X: np.ndarray
    y: np.ndarray
    mu_plus: np.ndarray
    mu_minus: np.ndarray


def make_rng(seed, spawn_key=()):
    """A numpy Generator from an integer seed >= 0, or from a child of it: `SeedSequence(entropy=seed,
    spawn_key=spawn_key)`.

    Different spawn keys (tuples of integers >= 0) give independent streams. Raises TypeError or ValueError.
    """
    seed = validate.integer("seed", seed, 0)
    if not isinstance(spawn_key, (tuple, list)):
        raise TypeError(f"spawn_key must be a tuple of integers >= 0, got {spawn_key!r}")
    key = tuple(validate.integer("spawn_key", k, 0) for k in spawn_key)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def signals(s):
    """mu_plus, mu_minus (d,), orthogonal and of norm ||mu|| [P*]: along the first two axes [C], no loss of
    generality by I6.
    """
    mu_plus, mu_minus = np.zeros(s.d), np.zeros(s.d)
    mu_plus[0] = mu_minus[1] = s.mu_norm
    return mu_plus, mu_minus


def sample_labels(s, rng, n):
    """y (n,) of -1.0 and +1.0: n/2 of each in random order, an odd one drawn (s.balanced) [C], or each drawn
    uniformly (D1).
    """
    if not s.balanced:
        return rng.choice([-1.0, 1.0], size=n)
    y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    if n % 2:
        y[-1] = rng.choice([-1.0, 1.0])
    return rng.permutation(y)


def sample_dataset(s, rng, n=None):
    """n samples of D1 [P*] (default: s.N), as a Dataset.

    x_1 = mu_plus or mu_minus by the label; x_2 ~ N(0, (C_p sigma_p)^2 Pi), x_i ~ N(0, sigma_p^2 Pi) for i =
    3..M, all independent, with Pi = I - (mu_plus mu_plus^T + mu_minus mu_minus^T)/||mu||^2. Raises TypeError
    or ValueError for a bad argument, also where the tokens would not fit into memory.
    """
    validate.instance("s", s, Setting)
    validate.generator("rng", rng)
    n = s.N if n is None else validate.integer("n", n, 1)
    validate.fits_memory("n", n, n * s.M * s.d)
    mu_plus, mu_minus = signals(s)
    y = sample_labels(s, rng, n)
    X = rng.standard_normal((n, s.M, s.d))
    X *= s.sigma_p
    X[:, 1] *= s.C_p  # the paper's token 2
    for mu in (mu_plus, mu_minus):
        along = np.flatnonzero(mu)  # where mu is 0, Pi changes nothing
        X[..., along] -= (X @ mu)[..., None] * (mu / (mu @ mu))[
            along
        ]  # Pi, one signal at a time: they are orthogonal
    X[:, 0] = np.where(y[:, None] > 0, mu_plus, mu_minus)
    return Dataset(X, y, mu_plus, mu_minus)


def init_parameters(s, rng):
    """theta(0) [P*]: entries of W_Q, W_K ~ N(0, sigma_h^2), of W_V ~ N(0, sigma_V^2); w_O of norm w_O_norm in
    a random direction [C].

    Raises TypeError or ValueError for a bad argument, also where the parameters would not fit into memory.
    """
    validate.instance("s", s, Setting)
    validate.generator("rng", rng)
    validate.fits_memory("d", s.d, s.d * (2 * s.d_h + s.d_v))
    W_Q = s.sigma_h * rng.standard_normal((s.d, s.d_h))
    W_K = s.sigma_h * rng.standard_normal((s.d, s.d_h))
    W_V = s.sigma_V * rng.standard_normal((s.d, s.d_v))
    w_O = rng.standard_normal(s.d_v)
    return Parameters(W_Q, W_K, W_V, w_O * (s.w_O_norm / np.linalg.norm(w_O)))
