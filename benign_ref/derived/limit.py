"""L1-L5 [D]: gradient descent on D1 in the limit of large d and d_h, as 34 numbers and three values. To be
redone with pencil:

**What the limit does.** In the proof's coordinates (proof.py) GD is Q <- Q - eta GBK, K <- K - eta GB^TQ, V
<- V - eta ||w_O||^2 Gb. When d -> infinity the noise tokens become orthogonal to each other: G =
diag(||z_a||^2), where a token of type s (signal), 2, i has squared norm ||mu||^2, C_p^2 sigma_p^2 d,
sigma_p^2 d. When d_h -> infinity with kappa = sigma_h^2 d_h held, <q_a,q_b> and <k_a,k_b> start at kappa
G_ab, and <q_a,k_b> at 0. V starts at 0: that is sigma_V -> 0 [C], as values of std sigma_V ||w_O|| ||z_a||
would differ from sample to sample. V = 0 is no fixed point (b is not 0 there), and over any number of steps
the run depends on V(0) continuously [D].

**Only inner products matter.** B and b depend on logits and values alone; so X = QK^T, Y = QQ^T, W = KK^T
close. Multiplied out:
        X <- X - eta (GBW + YBG)       + eta^2 GB X^T BG
    L4  Y <- Y - eta (GBX^T + XB^TG)   + eta^2 GB W B^TG          from X = 0, Y = W = kappa G
        W <- W - eta (GB^TX + X^TBG)   + eta^2 GB^T Y BG
No sample holds tokens of both classes and G is diagonal, so B, X, Y, W keep the classes apart. Turning (y, V)
into (-y, -V) leaves gD, yf as they are: the class y = -1 mirrors y = +1, with the same X, Y, W and V_- =
-V_+. One class of n = N/2 samples is enough, g = ell'(f)/N.

**Symmetry.** The start does not tell the n samples of the class apart, nor the m = M-2 small tokens of one
sample; so GD does not either. An operator on the 1 + n + nm tokens that these permutations leave alone maps
each of three mutually orthogonal spaces into itself:
    mean      e_s, (1/sqrt n) sum_n e_(n,2), (1/sqrt(nm)) sum_(n,i) e_(n,i)                        one 3x3
              block
    between   sum_n u_n e_(n,2), sum_n u_n (1/sqrt m) sum_i e_(n,i), for u with sum_n u_n = 0      n-1 times
              one 2x2 block
    within    sum_i u_i e_(n,i) for one n, for u with sum_i u_i = 0                                n(m-1)
              times one 1x1 block
and 3 + 2(n-1) + n(m-1) = 1 + n + nm: these are all. (On the i's it is alpha [same token] + beta [same sample]
+ gamma, of eigenvalues alpha + m beta + nm gamma, alpha + m beta, alpha.) The basis is orthonormal, so
products, and with them L4, go block by block.
    L1  X has 9 + 4 + 1 = 14 numbers; Y and W, symmetric, 6 + 3 + 1 = 10 each: 34, and the values V_s, V_2,
    V_i.
        G is diag(s, 2, i), diag(2, i), (i) in the three spaces.

**Logits.** e_(n,2) has component 1/sqrt n along its mean vector and squared length w = 1 - 1/n between;
e_(n,i) has 1/sqrt(nm), w/m, and 1 - 1/m within (together 1). Between, the tokens of one sample share one u,
of squared length w, with the factors 1 (token 2) and 1/sqrt m (i). Within, two small tokens have product 1 -
1/m with themselves, -1/m with another: the matrix Pi. So, with row l of U (M,3) token l's components along
the mean vectors and row l of R (M,2) its factors between, a sample's logits are, from X's blocks,
    L2  P = U mean U^T + w R between R^T + within Pi.
**Coupling.** B = sum_n g E_n^T D E_n, with D (M,M) of M3. The same projections, the n samples adding up in
the mean, give its blocks
    L3  mean = n g U^T D U, between = g R^T D R, within = g (D_ii - D_ij).
From X = 0 within stays at rest: P_ii = P_ij there, so D_ii = D_ij, and its three numbers are carried, but
only the other 31 ever move.
**Values.** Only the signal is shared: (Gb)_s = ||mu||^2 n g a_s, (Gb)_2 = C_p^2 sigma_p^2 d g a_2, (Gb)_i =
sigma_p^2 d g a_i (L4).
**Fresh data.** Its noise is orthogonal to all that was trained on: logits and values 0, but for the signal's
A_ss = mean_ss and V_s. So
    L5  f_test = (1/M) (S* V_s + (M-1) V_s/M), S* = e^{A_ss}/(e^{A_ss} + M-1), L_D = ell(f_test).

**Sizes.** No i where m = 0, no within where m = 1, no between where n = 1. N enters through n alone: an odd N
is continued to half-integer n [C] (on the curve of the even N; not a draw of unequal classes). For n < 1, so
for N = 1, w is no squared length any more: refused.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import validate
from ..paper.descent import DivergenceError
from ..paper.gradients import coupling, mean_attention
from ..paper.model import logistic, logistic_slope, softmax
from ..paper.setting import Setting
from . import limit_kernel


class Blocks(NamedTuple):
    """An operator on the tokens of one class: mean (3,3) on s, 2, i; between (2,2) on 2, i; within (1,1) on
    i.

    Without i (m = 0): (2,2), (1,1), (0,0). within is (0,0) for m = 1, between is (0,0) for n = 1.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray


class State(NamedTuple):
    """L1: X = QK^T, Y = QQ^T, W = KK^T, and V (3,) = V_s, V_2, V_i (no V_i if m = 0)."""

    X: Blocks
    Y: Blocks
    W: Blocks
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


def constants_of(setting, n):
    """The Constants of a Setting, in its own units, for n samples a class."""
    norms = np.array([setting.mu_norm, setting.C_p * setting.noise_norm, setting.noise_norm][: setting.M])
    return Constants(
        setting.M, setting.M - 2, float(n), norms**2, setting.eta, setting.w_O_norm * setting.w_O_norm
    )


def diagonal_blocks(c, scale=1.0):
    """scale G in the three spaces, as Blocks of diagonal matrices."""
    spaces = c.G, c.G[1:] if c.n > 1 else c.G[:0], c.G[2:] if c.m > 1 else c.G[:0]
    return Blocks(*(np.diag(scale * G) for G in spaces))


def start(c, kappa):
    """X = 0, Y = W = kappa G, V = 0."""
    return State(
        diagonal_blocks(c, 0.0), diagonal_blocks(c, kappa), diagonal_blocks(c, kappa), np.zeros(len(c.G))
    )


def projections(c):
    """U (M,3), R (M,2), Pi (M,M) of L2, for the tokens s, 2, i, ..., i of one sample; narrower where a space
    is empty.
    """
    k = len(c.G)
    types = np.eye(k)[np.minimum(np.arange(c.M), k - 1)]  # (M,k) of 0 and 1
    U = types / np.sqrt([1, c.n, c.n * c.m][:k])
    R = types[:, 1:] / np.sqrt([1, c.m][: k - 1])
    small = np.arange(c.M) >= 2
    Pi = np.diag(small) - np.outer(small, small) / max(c.m, 1)
    return U, R if c.n > 1 else R[:, :0], Pi


def sample_logits(X, c):
    """L2: P (M,M), the logits of one sample, from the blocks of X."""
    U, R, Pi = projections(c)
    return U @ X.mean @ U.T + (1 - 1 / c.n) * R @ X.between @ R.T + X.within.sum() * Pi


def coupling_blocks(D, g, c):
    """L3: the Blocks of B = sum_n g E_n^T D E_n, from one sample's D (M,M)."""
    U, R, _ = projections(c)
    within = np.array([[g * (D[2, 2] - D[2, 3])]]) if c.m > 1 else np.zeros((0, 0))
    return Blocks(c.n * g * U.T @ D @ U, g * R.T @ D @ R, within)


def move_block(X, Y, W, B, G, eta):
    """L4 in one space: X, Y, W after a step. It is written with H = eta B, so that no eta^2 is there to
    overflow.
    """
    H = eta * B
    return (
        X - (G @ H @ W + Y @ H @ G) + G @ H @ X.T @ H @ G,
        Y - (G @ H @ X.T + X @ H.T @ G) + G @ H @ W @ H.T @ G,
        W - (G @ H.T @ X + X.T @ H @ G) + G @ H.T @ Y @ H @ G,
    )


def evaluate(state, c):
    """L_S, and g = ell'(f)/N, S (M,M), D (M,M) of one sample, from the state."""
    S = softmax(sample_logits(state.X, c))
    values = state.V[np.minimum(np.arange(c.M), 2)]  # (M,)
    f = mean_attention(S) @ values
    return float(logistic(f)), float(logistic_slope(f)) / (2 * c.n), S, coupling(S, values)


def move(state, g, S, D, c):
    """L4: the state after a step."""
    B, G = coupling_blocks(D, g, c), diagonal_blocks(c)
    X, Y, W = zip(*(move_block(*blocks, c.eta) for blocks in zip(state.X, state.Y, state.W, B, G)))
    b = g * mean_attention(S)[: len(c.G)]
    b[0] *= c.n  # the signal is in every sample of the class
    return State(Blocks(*X), Blocks(*Y), Blocks(*W), state.V - c.eta * c.w_O_squared * c.G * b)


def advance_numpy(state, c, epsilon, losses):
    """GD: losses[t] is L_S before step t; len(losses) - 1 steps, or up to a loss <= epsilon or not finite.
    Returns state, steps taken.
    """
    for t in range(len(losses)):
        losses[t], g, S, D = evaluate(state, c)
        if losses[t] <= epsilon or not np.isfinite(losses[t]) or t == len(losses) - 1:
            return state, t
        state = move(state, g, S, D, c)


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


def output_on_fresh_data(A_ss, V_s, M):
    """L5: y f_test."""
    S_star = softmax(np.array([A_ss] + [0.0] * (M - 1)))[0]
    return (S_star * V_s + (M - 1) * V_s / M) / M


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
    P, values = sample_logits(state.X, c), state.V.tolist() + [np.nan] * (3 - len(state.V))
    f_test = output_on_fresh_data(state.X.mean[0, 0], values[0], c.M)
    return Snapshot(step, by_pair(P), by_pair(softmax(P)), *values, float(f_test), float(logistic(f_test)))


def stacked(column):
    """A list of numbers as an array; of dicts as a dict of arrays; of Snapshots as a Snapshot of arrays."""
    if isinstance(column[0], Snapshot):
        return Snapshot(*map(stacked, zip(*column)))
    return (
        {pair: np.array([one[pair] for one in column]) for pair in column[0]}
        if isinstance(column[0], dict)
        else np.array(column)
    )


class LimitRun(NamedTuple):
    """A run of GD in the limit, for the class y = +1; in the class y = -1 values and outputs have the other
    sign and all else is the same.

    losses (steps+1,): losses[t] is L_S before step t; losses[-1] <= epsilon if and only if `converged`. At
    the end: test_loss (L5), error_rate (0.0 or 1.0, as all fresh samples are alike), logits and attention
    (dicts by pair of types, see `by_pair`: 'ss', 's2', …) and V_s, V_2, V_i (NaN if M = 2). history: a
    Snapshot of arrays over the recorded steps, history.step.
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


def checked(setting):
    """ValueError for a Setting that the limit does not cover."""
    validate.instance("setting", setting, Setting)
    if setting.N < 2:
        raise ValueError(
            f"N must be an integer >= 2 in the limit, which has N/2 >= 1 samples a class, got {setting.N}"
        )
    if not setting.balanced:
        raise ValueError("balanced must be True in the limit, which has N/2 samples in each class, got False")
    validate.fits_memory("M", setting.M, 4 * setting.M**2)
    return setting


def steps_named(record_every, last):
    """An iterator over the steps to record, increasing. None: 0; an integer k >= 1: 0, k, 2k, …; a sequence
    of integers >= 0: those.
    """
    if record_every is None:
        return iter([0])
    chosen = validate.steps("record_every", record_every)
    return iter(range(0, last + 1, chosen) if isinstance(chosen, int) else chosen)


def descend(setting, n, advance, named):
    """GD for n samples a class, any real n >= 1, until L_S <= epsilon or max_steps. Returns losses, steps,
    converged, and a list of Snapshots: at the steps named, which increase, and at the end. Raises
    DivergenceError at the first loss that is not finite.
    """
    c = constants_of(setting, n)
    state, step, losses = start(c, setting.d_h * setting.sigma_h * setting.sigma_h), 0, []
    snapshots, next_named = [], next(named, None)
    while True:
        if step == next_named:
            snapshots.append(snapshot(step, state, c))
            next_named = next(named, None)
        stop = min(setting.max_steps, step + 4096, next_named if next_named is not None else np.inf)
        part = np.empty(stop - step + 1)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told by its loss
            state, taken = advance(state, c, setting.epsilon, part)
        losses.append(part[:taken])
        step, loss = step + taken, part[taken]
        if not np.isfinite(loss):
            raise DivergenceError(step, setting.eta, float(loss))
        if loss <= setting.epsilon or step == setting.max_steps:
            break
    if not snapshots or snapshots[-1].step < step:
        snapshots.append(snapshot(step, state, c))
    return np.concatenate(losses + [[loss]]), step, bool(loss <= setting.epsilon), snapshots


def train_in_limit(setting, *, backend="numba", record_every=None):
    """L1-L5 [D]: GD of a Setting in the limit d, d_h -> infinity. Returns a LimitRun.

    Of the setting's d, d_h, sigma_p, sigma_h only ||mu||, sigma_p sqrt(d) and kappa = sigma_h^2 d_h enter;
    sigma_V does not (V(0) = 0 [C]); w_O stays fixed. backend "numpy": the equations as the module's page has
    them; "numba": its twin by types of tokens, 34 numbers a step. record_every: None (start and end), an
    integer k (steps 0, k, 2k, … and the end) or a sequence of steps (those and the end). Not reaching epsilon
    is no error (run.converged is False). Raises ValueError or TypeError for a bad argument, also for N = 1
    and balanced=False, DivergenceError at a loss that is not finite.
    """
    checked(setting)
    validate.choice("backend", backend, ("numpy", "numba"))
    named = steps_named(record_every, setting.max_steps)
    advance = advance_numba if backend == "numba" else advance_numpy
    losses, steps, converged, snapshots = descend(setting, setting.N / 2, advance, named)
    end = snapshots[-1]
    error_rate = float(end.test_output <= 0)
    values = end.V_s, end.V_2, end.V_i
    return LimitRun(
        setting,
        steps,
        converged,
        losses,
        end.test_loss,
        error_rate,
        end.logits,
        end.attention,
        *values,
        stacked(snapshots),
    )
