"""L1-L5 [D]: gradient descent on D1 in the limit of large d and d_h, as 34 numbers and three values.

    n = N/2     samples of one class           m = M-2   small tokens of one sample (types: s signal, 2, i)
    QK, QQ, KK  the inner products QK^T, QQ^T, KK^T of one class, each as three Blocks
    V           V_s, V_2, V_i                  kappa = sigma_h^2 d_h
    P, S, D     logits, attention and M3's derivative of one sample (M,M)      g = ell'(f)/N

To be redone with pencil: each step stands beside the function that takes it. Runs of it: limit_run.py; its
fast twin by types of tokens: limit_kernel.py. Everything here is sums, products, quotients, comparisons, e^z
and roots of n and m: arrays of any exact numbers pass through.

**What the limit does.** In the proof's coordinates (paper/proof.py) GD is Q <- Q - eta GBK, K <- K - eta
GB^TQ, V <- V - eta ||w_O||^2 Gb. When d -> infinity the noise tokens become orthogonal to each other and to
the signals (whether noise is projected or not): G = diag(||z_a||^2), where a token of type s, 2, i has
squared norm ||mu||^2, C_p^2 sigma_p^2 d, sigma_p^2 d. When d_h -> infinity with kappa held, <q_a,q_b> and
<k_a,k_b> start at kappa G_ab, and <q_a,k_b> at 0, whatever law of variance sigma_h^2 the start has. V starts
at 0: that is sigma_V -> 0 [C], as values of std sigma_V ||w_O|| ||z_a|| would differ from sample to sample. V
= 0 is no fixed point (b is not 0 there), and over any number of steps the run depends on V(0) continuously
[D].

**One class.** No sample holds tokens of both classes and G is diagonal, so B and all inner products keep the
classes apart. Turning (y, V) into (-y, -V) leaves gD and yf as they are: the class y = -1 mirrors y = +1,
with the same QK, QQ, KK and V_- = -V_+. One class of n = N/2 samples is enough, with g = ell'(f)/N.

**Symmetry.** The start does not tell the n samples of the class apart, nor the m small tokens of one sample;
so GD does not either. An operator on the 1 + n + nm tokens that these permutations leave alone maps each of
three mutually orthogonal spaces into itself:
    mean      e_s, (1/sqrt n) sum_n e_(n,2), (1/sqrt(nm)) sum_(n,i) e_(n,i)                     one 3x3 block
    between   sum_n u_n e_(n,2), sum_n u_n (1/sqrt m) sum_i e_(n,i), with sum_n u_n = 0     n-1 times one 2x2
    within    sum_i u_i e_(n,i) for one n, with sum_i u_i = 0                            n(m-1) times one 1x1
and 3 + 2(n-1) + n(m-1) = 1 + n + nm: these are all. (On the i's it is alpha [same token] + beta [same sample]
+ gamma, of eigenvalues alpha + m beta + nm gamma, alpha + m beta, alpha.) The basis is orthonormal, so
products go block by block.
    L1  QK has 9 + 4 + 1 = 14 numbers; QQ and KK, symmetric, 6 + 3 + 1 = 10 each: 34, and the values V.

**Sizes.** No i where m = 0, no within where m = 1, no between where n = 1. N enters through n alone: an odd N
is continued to half-integer n [C] (on the curve of the even N; not a draw of unequal classes). For n < 1, so
for N = 1, 1 - 1/n is no squared length any more: refused.
"""

from typing import NamedTuple

import numpy as np

from ..paper.gradients import coupling, mean_attention
from ..paper.model import logistic_slope, softmax
from ..paper.setting import Setting


class Blocks(NamedTuple):
    """An operator on the tokens of one class: mean (3,3) on s, 2, i; between (2,2) on 2, i; within (1,1) on
    i.

    Without i (m = 0): (2,2), (1,1), (0,0). within is (0,0) for m = 1, between is (0,0) for n = 1.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray


class State(NamedTuple):
    """L1: QK, QQ, KK as Blocks, and V (3,) = V_s, V_2, V_i (no V_i if m = 0)."""

    QK: Blocks
    QQ: Blocks
    KK: Blocks
    V: np.ndarray


class Constants(NamedTuple):
    """M tokens a sample, m = M-2 of them small; n samples a class; G (3,), the squared norms of s, 2, i; eta;
    ||w_O||^2.
    """

    M: int
    m: int
    n: float
    G: np.ndarray
    eta: float
    w_O_squared: float


def constants_of(setting: Setting, n: float) -> Constants:
    """The Constants of a Setting, in its own units, for n samples a class."""
    norms = np.array([setting.mu_norm, setting.C_p * setting.noise_norm, setting.noise_norm][: setting.M])
    return Constants(
        setting.M, setting.M - 2, float(n), norms**2, setting.eta, setting.w_O_norm * setting.w_O_norm
    )


def diagonal_blocks(c: Constants, scale=1.0) -> Blocks:
    """scale G, diag(s, 2, i), diag(2, i), (i) in the three spaces, as Blocks."""
    spaces = c.G, c.G[1:] if c.n > 1 else c.G[:0], c.G[2:] if c.m > 1 else c.G[:0]
    return Blocks(*(np.diag(scale * G) for G in spaces))


def start(c: Constants, kappa) -> State:
    """QK = 0, QQ = KK = kappa G, V = 0."""
    return State(
        diagonal_blocks(c, 0.0), diagonal_blocks(c, kappa), diagonal_blocks(c, kappa), np.zeros(len(c.G))
    )


# Logits. e_(n,2) has component 1/sqrt n along its mean vector and squared length 1 - 1/n between; e_(n,i) has
# 1/sqrt(nm), (1 - 1/n)/m, and 1 - 1/m within (together 1). Between, the tokens of one sample share one u, of
# squared length 1 - 1/n, with the factors 1 (token 2) and 1/sqrt m (i). Within, two small tokens have product
# 1 - 1/m with themselves and -1/m with another.


def projections(c: Constants):
    """Of the tokens s, 2, i, ..., i of one sample: components along the mean vectors (M,3), factors between
    (M,2) and products within (M,M); narrower where a space is empty.
    """
    k = len(c.G)
    types = np.eye(k)[np.minimum(np.arange(c.M), k - 1)]  # (M,k) of 0 and 1
    mean = types / np.sqrt([1, c.n, c.n * c.m][:k])
    between = types[:, 1:] / np.sqrt([1, c.m][: k - 1])
    small = np.arange(c.M) >= 2
    within = np.diag(small) - np.outer(small, small) / max(c.m, 1)
    return mean, between if c.n > 1 else between[:, :0], within


def sample_logits(QK: Blocks, c: Constants):
    """L2: P = mean QK.mean mean^T + (1 - 1/n) between QK.between between^T + QK.within within, (M,M), the
    logits of one sample; mean, between, within as `projections` has them.
    """
    mean, between, within = projections(c)
    return (
        mean @ QK.mean @ mean.T + (1 - 1 / c.n) * between @ QK.between @ between.T + QK.within.sum() * within
    )


def evaluate(state: State, c: Constants):
    """M1-M3 of one sample of the class y = +1: f, g = ell'(f)/N, S (M,M), D (M,M).

    `coupling` takes off each row's most attended value before it subtracts, which saves the digits of D where
    attention is saturated, as `softmax` takes off the largest logit, which saves the range.
    """
    S = softmax(sample_logits(state.QK, c))
    values = state.V[np.minimum(np.arange(c.M), 2)]  # (M,)
    f = mean_attention(S) @ values
    return f, logistic_slope(f) / (2 * c.n), S, coupling(S, values)


# Coupling. B = sum_n g E_n^T D E_n. The projections of the logits, transposed; in the mean the n samples add
# up. From QK = 0 within stays at rest: P_ii = P_ij there, so D_ii = D_ij, and its three numbers are carried,
# but only the other 31 ever move.


def coupling_blocks(D, g, c: Constants) -> Blocks:
    """L3: the Blocks of B from one sample's D (M,M): n g mean^T D mean, g between^T D between,
    g (D_ii - D_ij).
    """
    mean, between, _ = projections(c)
    within = np.array([[g * (D[2, 2] - D[2, 3])]]) if c.m > 1 else np.zeros((0, 0))
    return Blocks(c.n * g * mean.T @ D @ mean, g * between.T @ D @ between, within)


# The step. B and b depend on logits and values alone, so the inner products close. P2 and P3 multiplied out,
# with H = eta B (so that no eta^2 is there to overflow):
#         QK <- QK - (GH KK + QQ HG)       + GH QK^T HG
#     L4  QQ <- QQ - (GH QK^T + QK H^TG)   + GH KK H^TG           from QK = 0, QQ = KK = kappa G
#         KK <- KK - (GH^T QK + QK^T HG)   + GH^T QQ HG
# in each space by itself. Of the values only the signal's is shared: (Gb)_s = ||mu||^2 n g a_s,
# (Gb)_2 = C_p^2 sigma_p^2 d g a_2, (Gb)_i = sigma_p^2 d g a_i.


def move_block(QK, QQ, KK, B, G, eta):
    """L4 in one space: QK, QQ, KK after a step."""
    H = eta * B
    return (
        QK - (G @ H @ KK + QQ @ H @ G) + G @ H @ QK.T @ H @ G,
        QQ - (G @ H @ QK.T + QK @ H.T @ G) + G @ H @ KK @ H.T @ G,
        KK - (G @ H.T @ QK + QK.T @ H @ G) + G @ H.T @ QQ @ H @ G,
    )


def move(state: State, g, S, D, c: Constants) -> State:
    """L4: the state after a step."""
    B, G = coupling_blocks(D, g, c), diagonal_blocks(c)
    QK, QQ, KK = zip(
        *(move_block(*blocks, c.eta) for blocks in zip(state.QK, state.QQ, state.KK, B, G)), strict=True
    )
    b = g * mean_attention(S)[: len(c.G)]
    b[0] *= c.n  # the signal is in every sample of the class
    return State(Blocks(*QK), Blocks(*QQ), Blocks(*KK), state.V - c.eta * c.w_O_squared * c.G * b)


def output_on_fresh_data(P_ss, V_s, M):
    """L5: y f_test = (1/M) (S* V_s + (M-1) V_s/M), S* = e^{P_ss}/(e^{P_ss} + M-1).

    Fresh noise is orthogonal to all that was trained on: its logits and values are 0, and a row of noise
    attends to every token by 1/M.
    """
    S_star = softmax(np.array([P_ss] + [0.0] * (M - 1)))[0]
    return (S_star * V_s + (M - 1) * V_s / M) / M
