"""D1: one signal token and M-1 Gaussian noise tokens a sample; the initialisation; streams of randomness."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from .. import validate
from ..checked import make_rng as make_rng
from .model import Parameters
from .setting import Setting


class Dataset(NamedTuple):
    """X (n,M,d), tokens as rows, X[n,0] the paper's token 1; y (n,) of -1.0, +1.0; mu_plus, mu_minus (d,)."""

    X: np.ndarray
    y: np.ndarray
    mu_plus: np.ndarray
    mu_minus: np.ndarray


def signals(s: Setting) -> tuple[np.ndarray, np.ndarray]:
    """mu_plus, mu_minus (d,), orthogonal, of norm ||mu|| [P*], along the first two axes (I6; [A: vit.py])."""
    mu_plus, mu_minus = np.zeros(s.d), np.zeros(s.d)
    mu_plus[0] = mu_minus[1] = s.mu_norm
    return mu_plus, mu_minus


def sample_labels(s: Setting, rng: np.random.Generator, n: int) -> np.ndarray:
    """y (n,) of -1.0, +1.0: n/2 of each in random order, an odd one drawn (s.balanced) [C], or each (D1)."""
    if not s.balanced:
        return rng.choice([-1.0, 1.0], size=n)
    y = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    if n % 2:
        y[-1] = rng.choice([-1.0, 1.0])
    return rng.permutation(y)


def sample_noise(s: Setting, rng: np.random.Generator, n: int, out: np.ndarray | None = None) -> np.ndarray:
    """xi_2, ..., xi_M of n samples, (n,M-1,d): xi_2 ~ N(0, (C_p sigma_p)^2 Pi), xi_i ~ N(0, sigma_p^2 Pi),
    independent, with Pi = I - (mu_plus mu_plus^T + mu_minus mu_minus^T)/||mu||^2 (D1 [P*]), or Pi = I for
    noise="full" [A]. Written into `out` (C-contiguous) if given.
    """
    xi = rng.standard_normal((n, s.M - 1, s.d), out=out)
    xi *= s.sigma_p
    xi[:, 0] *= s.C_p  # the paper's token 2
    for mu in signals(s) if s.noise == "orthogonal" else ():  # one by one: they are orthogonal
        along = np.flatnonzero(mu)  # where mu is 0, Pi changes nothing
        mu = mu[along]
        xi[..., along] -= (xi[..., along] @ mu)[..., None] * (mu / (mu @ mu))
    return xi


def sample_dataset(s: Setting, rng: np.random.Generator, n: int | None = None) -> Dataset:
    """n samples of D1 [P*] (default: s.N), as a Dataset.

    x_1 = mu_plus or mu_minus by the label; x_2, ..., x_M as `sample_noise` says. Raises TypeError or
    ValueError for a bad argument, also where the tokens would not fit into memory.
    """
    validate.instance("s", s, Setting)
    validate.generator("rng", rng)
    n = s.N if n is None else validate.integer("n", n, 1)
    validate.fits_memory("n", n, n * s.M * s.d)
    mu_plus, mu_minus = signals(s)
    y = sample_labels(s, rng, n)
    x_1 = np.where(y[:, None] == 1, mu_plus, mu_minus)
    return Dataset(np.concatenate([x_1[:, None], sample_noise(s, rng, n)], axis=1), y, mu_plus, mu_minus)


def init_parameters(s: Setting, rng: np.random.Generator) -> Parameters:
    """theta(0): entries of W_Q, W_K of mean 0 and standard deviation sigma_h, of W_V of sigma_V.

    init="gaussian": Gaussian [P*], and w_O of norm w_O_norm in a random direction [C]. init="uniform" [A]:
    all entries uniform about 0, on +-sqrt(3) times the standard deviation; those of w_O too, so that w_O_norm
    is the root mean square of its norm. Raises TypeError or ValueError for a bad argument, also where the
    parameters would not fit into memory.
    """
    validate.instance("s", s, Setting)
    validate.generator("rng", rng)
    validate.fits_memory("d", s.d, s.d * (2 * s.d_h + s.d_v))

    def entries(deviation: float, *shape: int) -> np.ndarray:
        if s.init == "gaussian":
            return deviation * rng.standard_normal(shape)
        return rng.uniform(-sqrt(3) * deviation, sqrt(3) * deviation, shape)

    W_Q, W_K = entries(s.sigma_h, s.d, s.d_h), entries(s.sigma_h, s.d, s.d_h)
    W_V = entries(s.sigma_V, s.d, s.d_v)
    if s.init == "uniform":
        return Parameters(W_Q, W_K, W_V, entries(s.w_O_norm / sqrt(s.d_v), s.d_v))
    w_O = rng.standard_normal(s.d_v)
    return Parameters(W_Q, W_K, W_V, w_O * (s.w_O_norm / np.linalg.norm(w_O)))
