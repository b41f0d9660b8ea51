"""LAW [D]: a whole experiment of D1 drawn in law, gradient descent and its test loss without ever holding a
vector of length d.

    m = d-2         dimensions beside the two signals n = N(M-1)   noise tokens of the training set
    T = 2+n <= d    tokens                            p = 2d_h+1   columns of W = [W_Q | W_K | v], v = W_V w_O
    A (T,T)         root of the tokens' Gram: Z = A F with orthonormal rows of F (T,d), G = Z Z^T = A A^T
    U (T,p)         F W: the coordinates of W in the tokens' span
    R (.,p)         root of the Gram of the rest of W: Gamma = R^T R

d enters only through degrees of freedom, because rotations change nothing (I6): each step of the argument
stands beside the function that takes it, the last in fresh.py. The result is equal in distribution to GD on a
direct draw, at a cost of O(T^2 d_h) a step whatever d. w_O is fixed (GD's default): v alone matters. The
start is Gaussian: no other has independent coordinates in every orthonormal basis.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import validate
from ..engines import records
from ..engines.proof_space import ColumnSpace
from ..paper.data import sample_labels
from ..paper.setting import Setting
from .fresh import LawModel, noise_levels


def column_scales(s):
    """Standard deviations at the start of the columns of W = [W_Q | W_K | W_V w_O], (2d_h+1,)."""
    return np.array([s.sigma_h] * (2 * s.d_h) + [s.sigma_V * s.w_O_norm])


# 1. The tokens. Write xi_i = sigma_i x_i, x_i ~ N(0, I_m) in the complement of the signals. Gram-Schmidt
# (Bartlett's decomposition): x_i = sum_j L_ij omega_j with orthonormal omega_1..omega_n and L lower
# triangular. Given omega_1..omega_{i-1}, the part of x_i beyond them is Gaussian in m-i+1 dimensions, so L_ii
# ~ chi with m-i+1 degrees of freedom; the coordinates L_ij, j < i, are N(0,1); all independent, of the omegas
# too. Full noise has a coordinate N(0,1) along each signal besides, independent of the rest. With the two
# signals first, A = [diag(||mu||, ||mu||), 0; sigma (X_s, L)], X_s (n,2) Gaussian or (noise projected off the
# signals) 0.


def bartlett(size, degrees, rng):
    """L (size,size), lower triangular: L L^T has the law of x x^T, x (size,degrees) standard Gaussian. Needs
    size <= degrees.

    L_ii ~ chi with degrees-i+1 degrees of freedom, i = 1..size; L_ij ~ N(0,1) for j < i.
    """
    L = np.tril(rng.standard_normal((size, size)))
    np.fill_diagonal(L, np.sqrt(rng.chisquare(degrees - np.arange(size, dtype=float))))
    return L


def token_root(s, rng):
    """A (T,T), lower triangular, with G = A A^T the Gram matrix of the tokens mu_plus, mu_minus, xi_{1,2},
    ..., xi_{N,M}.
    """
    A = np.zeros((s.T, s.T))
    A[0, 0] = A[1, 1] = s.mu_norm
    sigma = noise_levels(s, s.N)[:, None]
    A[2:, 2:] = sigma * bartlett(s.T - 2, s.d - 2, rng)
    if s.noise == "full":
        A[2:, :2] = sigma * rng.standard_normal((s.T - 2, 2))
    return A


# 2. The start. The entries of W(0) are independent Gaussians: sigma_h in W_Q, W_K; sigma_V w_O_norm in v,
# whatever w_O's direction. In an orthonormal basis made from the tokens, of which W(0) is independent, they
# have that law again. So U(0) = F W(0), and the residual in the other d-T dimensions, are such Gaussians,
# independent of each other and of A. Of the residual only its Gram Gamma (p,p) is ever seen: Wishart with d-T
# degrees of freedom.


def span_coordinates(s, rng):
    """U(0) (T,2d_h+1): the coordinates of W(0) in the span of the tokens."""
    return rng.standard_normal((s.T, 2 * s.d_h + 1)) * column_scales(s)


def residual_root(s, rng):
    """R (min(degrees, 2d_h+1), 2d_h+1) with R^T R = Gamma, the Gram matrix of W(0) beyond the span; degrees =
    d-T.
    """
    degrees, size = s.d - s.T, 2 * s.d_h + 1
    R = bartlett(size, degrees, rng).T if degrees >= size else rng.standard_normal((degrees, size))
    return R * column_scales(s)


def token_places(y, M):
    """tokens (n,M): the row of each token of samples with labels y (n,). 0 and 1 are mu_plus and mu_minus,
    then xi sample by sample.
    """
    noise = 2 + np.arange(len(y) * (M - 1)).reshape(len(y), M - 1)
    return np.concatenate([np.where(y == 1, 0, 1)[:, None], noise], axis=1).astype(np.int64)


# 3. The run. GD moves W inside the span of the tokens only (paper/proof.py): U(t) = U(0) + A^T C(t), and the
# residual stays. So a run sees A and U(0) alone: it starts from the rows [Q | K | V] = A U(0).


def draw(s, rng):
    """Labels y (N,), A, U(0), R: all that a run and its fresh data need."""
    return sample_labels(s, rng, s.N), token_root(s, rng), span_coordinates(s, rng), residual_root(s, rng)


class LawSpace(ColumnSpace):
    """GD from a start drawn in law; `model()` is what fresh data see. Needs T <= d.

    The proof's coordinates see tokens by their Gram matrix only, so A stands for the tokens, and U(0) for the
    columns: A, U = U(0) and R as the top of this file calls them.
    """

    def __init__(self, s, rng):
        y, A, U, self.R = draw(s, rng)
        super().__init__(A, U, s.w_O_norm, token_places(y, s.M), y)
        self.setting = s

    def model(self):
        """The LawModel at the present point: U(t) = U(0) + A^T C(t)."""
        return LawModel(self.setting, self.columns(), self.R)


class LawRun(NamedTuple):
    """A run of GD drawn in law. losses, steps, converged, records: as in api.Run. model: the LawModel at
    the end. y (N,): the labels that were drawn.
    """

    losses: np.ndarray
    steps: int
    converged: bool
    records: list
    model: LawModel
    y: np.ndarray

    def test_loss(self, n, rng, return_se=False):
        """LawModel.test_loss at the end of the run."""
        return self.model.test_loss(n, rng, return_se)

    def error_rate(self, n, rng, return_se=False):
        """LawModel.error_rate at the end of the run."""
        return self.model.error_rate(n, rng, return_se)


def checked_for_law(s):
    """The Setting; ValueError or TypeError for one that cannot be drawn in law."""
    validate.instance("s", s, Setting)
    validate.require(
        s.init == "gaussian",
        "init must be 'gaussian' to draw in law, as only a Gaussian start has independent coordinates "
        f'in every orthonormal basis, got {s.init!r}; use s.replace(init="gaussian") or br.train',
    )
    validate.require(
        s.T <= s.d,
        f"d must be at least T = 2 + N (M-1) = {s.T} to draw N={s.N}, M={s.M} in law, got d={s.d}",
    )
    p = 2 * s.d_h + 1
    name, size = ("T", s.T) if s.T > p else ("d_h", s.d_h)
    validate.fits_memory(name, size, 3 * s.T**2 + 6 * s.T * p + 4 * p**2)
    return s


def train_in_law(
    s: Setting,
    rng: np.random.Generator,
    *,
    record_every=None,
    observe: Callable[[LawModel], Any] | None = None,
    progress: bool | Callable[[int, int, float], Any] | None = None,
    checkpoint: str | Path | None = None,
) -> LawRun:
    """Draw an experiment in law and run GD on it, step s.eta, until L_S <= s.epsilon (and s.extra_steps more)
    or s.max_steps. Returns a LawRun.

    Equal in distribution to `train` on `sample_dataset` and `init_parameters` with w_O fixed [D]; d may be
    anything from T up to 2**53. When d_h > 4T the run itself uses 2T columns (paper/proof.py): the same to
    rounding. record_every: as in `train`. observe(model), if given, is called at the recorded steps with the
    LawModel there, and its value kept. progress, checkpoint: as in `train`; `rng` must be as it was when the
    run was begun, for what was drawn is drawn again. Raises ValueError or TypeError for a bad argument, an
    init other than "gaussian" among them, DivergenceError at a loss that is not finite.
    """
    checked_for_law(s)
    validate.generator("rng", rng)
    space, losses, steps, converged, kept = records.descend_at(
        s, lambda: LawSpace(s, rng), name="train_in_law",
        decides=lambda: {"engine": "law", "rng": rng.bit_generator.state},
        of="a LawModel", seen=LawSpace.model, observe=observe, record_every=record_every, progress=progress,
        checkpoint=checkpoint,
    )  # fmt: skip
    return LawRun(losses, steps, converged, kept, space.model(), space.y)
