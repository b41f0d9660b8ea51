"""How long gradient descent takes to reach a training loss: T1 and T2 against runs.

    T1 [P*]   N SNR^2 = Omega(1):        T = Theta(eta^-1 epsilon^-1 ||mu||^-2 ||w_O||^-2)
    T2 [P*]   N^-1 SNR^-2 = Omega(1):    T = Theta(N eta^-1 epsilon^-1 sigma_p^-2 d^-1 ||w_O||^-2)

T(epsilon) is the first step before which L_S <= epsilon. One thing moves at a time: every default of Setting
that follows another value (sigma_p, C_p, eta, sigma_h, sigma_V) is fixed by hand at its value at the base.
||mu|| moves by SNR with sigma_p fixed; sigma_p^2 d moves by sigma_p with ||mu|| and d fixed (C_p is fixed, so
that token 2 keeps its ratio to the others); N moves with everything else fixed.

Runs are gradient descent on real draws of D1, in the proof's coordinates.

Held attention. In phase III the theory takes attention as settled. If it were, in every row, only V would
move, and by P1 and M1
    f <- f - K g,  K[n,n'] = eta ||w_O||^2 u_n^T G u_n',  u_n = E_n^T a_n fixed,  g_n = y_n ell'_n / N.
With samples alike that is df/dt = c/(1+e^f), so e^f + f = c t + const and T epsilon tends to a constant:
slope -1 exactly [D]. `held_times` runs this recursion from the attention that a real run has at some epsilon:
what is left of the difference between slope -1 and the run is due to attention still moving.
"""

import numpy as np

from .. import api, validate
from ..derived.limit_run import train_in_limit
from ..engines import proof_space, records
from ..paper import Setting, init_parameters, make_rng, model, sample_dataset
from ..paper.theorems import ORDERS
from .dynamics import pair_mean

M, ETA_BY_M = 8, 0.9  # eta s^2 / M, s the longest token of any run: three times Setting's default
SNRS = {"benign": 20.0, "harmful": 2.0}
LARGEST = {"benign": 40.0, "harmful": 28.3}  # the longest token that any run below has: eta is stable for it
# [C]: what each one is multiplied by, so that x = N SNR^2 / C_p^2 stays above 8 (benign), below 0.7 (harmful)
VALUES = {
    "benign": {"eta": (0.125, 0.25, 0.5, 1.0, 2.0), "w_O": (0.35, 0.5, 0.71, 1.0, 1.41, 2.0),
               "mu": (0.71, 0.85, 1.0, 1.25, 1.6, 2.0), "N": (0.5, 0.75, 1.0, 1.5, 2.0),
               "sigma_p^2 d": (0.125, 0.25, 0.5, 1.0, 2.0)},
    "harmful": {"eta": (0.125, 0.25, 0.5, 1.0, 2.0), "w_O": (0.35, 0.5, 0.71, 1.0, 1.41, 2.0),
                "mu": (0.25, 0.5, 1.0, 1.41, 2.0), "N": (0.5, 0.75, 1.0, 1.5, 2.0),
                "sigma_p^2 d": (0.5, 0.71, 1.0, 1.41, 2.0, 4.0)},
}  # fmt: skip
# index in half_decades: epsilon = 10^-3, where the rows of the signal and of token 2 have settled in both
# regimes
HOLD_AT = 2


def base_setting(regime, N=8, epsilon=1e-3):
    """The base of a regime, M = 8, d = 4096, d_h = 16, every derived value given by hand so that it stays
    where it is.
    """
    validate.choice("regime", regime, tuple(ORDERS))
    s = Setting(
        N=N, M=M, d=4096, d_h=16, d_v=1, snr=SNRS[regime], eta=ETA_BY_M * M / LARGEST[regime] ** 2,
        epsilon=epsilon, max_steps=10**6,
    )  # fmt: skip
    return s.replace(**{name: getattr(s, name) for name in ("sigma_p", "C_p", "sigma_h", "sigma_V")})


def moved(s, name, factor):
    """Setting s with one thing multiplied by `factor`: "epsilon", "eta", "w_O" (its norm), "mu" (its norm),
    "N" (must stay an integer) or "sigma_p^2 d".
    """
    validate.choice("name", name, ORDERS["benign"])
    factor = validate.real("factor", factor)
    if name == "N":
        N = s.N * factor
        validate.require(N.is_integer(), f"factor must leave N an integer, got {factor!r} at N={s.N}")
        return s.replace(N=int(N))
    if name == "sigma_p^2 d":
        return s.replace(sigma_p=s.sigma_p * factor**0.5, snr=s.snr / factor**0.5)
    field = {"mu": "snr", "w_O": "w_O_norm"}.get(name, name)
    return s.replace(**{field: getattr(s, field) * factor})


def drawn(s, seed):
    """The draw of D1 and the start that belong to a seed."""
    return sample_dataset(s, make_rng(seed, (0,))), init_parameters(s, make_rng(seed, (1,)))


def time_of(regime, name, factor, seed, *size):
    """(T, S_ss, S_s2, a) of one run of `moved(base_setting(regime, *size), name, factor)`; of its arguments
    alone.

    T: steps, nan if epsilon was not reached within max_steps. Attention at the end: of the signal's row on
    the signal and on token 2, and a, the mean over all rows of the attention on the winner (the signal when
    benign, token 2 when harmful).
    """
    s = moved(base_setting(regime, *size), name, factor)
    run = api.train(s, *drawn(s, seed), record_every=(s.max_steps,), progress=False)
    (end,), winner = run.records, 0 if regime == "benign" else 1
    S, T = end.attention, run.steps if run.converged else float("nan")
    return T, pair_mean(S, "ss"), pair_mean(S, "s2"), float(S[:, :, winner].mean())


def limit_times(regime, name, factor, count, N):
    """T at each of `half_decades(count)` in the limit (limit.py) of `moved(base_setting(regime, N), name,
    factor)`; nan where not reached.
    """
    epsilons = half_decades(count)
    losses = train_in_limit(moved(base_setting(regime, N, float(epsilons[-1])), name, factor)).losses
    return [
        float(np.argmax(losses <= epsilon)) if losses[-1] <= epsilon else float("nan") for epsilon in epsilons
    ]


def held_times(f, y, K, epsilons):
    """T - T(start) for each of `epsilons`, decreasing, under f <- f - K g from outputs f (N,): P1 with every
    row's attention held.
    """
    times, t, z = [], 0, y * f
    K = np.outer(y, y) * K / len(y)  # z = y f, in which the recursion is z <- z - K ell'(z)
    for epsilon in epsilons:
        while model.logistic(z).mean() > epsilon:
            z = z - K @ model.logistic_slope(z)
            t += 1
        times.append(t)
    return times


def kernel_of(space, record, s):
    """K (N,N) of held attention, from a ProofSpace and the Record at which attention is held."""
    u = np.zeros((s.N, len(space.G)))
    # E_n^T a_n: a sample's tokens are different ones
    np.put_along_axis(u, space.index, record.attention.mean(axis=1), axis=1)
    return s.eta * s.w_O_norm**2 * u @ space.G @ u.T


def half_decades(count):
    """The values of epsilon 10^-2, 10^-2.5, 10^-3, ..., `count` half decades in all, as an array
    (count+1,).
    """
    return 10.0 ** (-2 - np.arange(validate.integer("count", count, 1) + 1) / 2)


def epsilon_setting(regime, N=8):
    """The base with eta four times as large, three times Setting's default: here no token is longer than the
    base's own.
    """
    return moved(base_setting(regime, N), "eta", 4.0)


def passages(regime, seed, count, *size):
    """One run through `half_decades(count)`: ([(epsilon, T, row_s, row_2, row_i), ...], [T with attention
    held from epsilon = 10^-3 on, for each epsilon from there on]).

    T: the first step before which L_S <= epsilon; there the attention on the winner (the signal when benign,
    token 2 when harmful) of the rows of the signal, of token 2 and of the small tokens, means over samples
    (and small tokens).

    An epsilon not reached in max_steps ends the run: the passages are fewer then. A function of its arguments
    alone.
    """
    s, epsilons = epsilon_setting(regime, *size), half_decades(count)
    data, theta = drawn(s, seed)
    space, winner = proof_space.ProofSpace.of(theta, data.X, data.y), "s" if regime == "benign" else "2"
    found, held, T = [], [], 0
    for i, epsilon in enumerate(epsilons):
        _, steps, converged, (*_, last) = records.descend(
            space, eta=s.eta, epsilon=epsilon, max_steps=s.max_steps - T, record_every=(s.max_steps,)
        )
        T += steps
        if not converged:
            break
        found.append((float(epsilon), T, *(pair_mean(last.attention, row + winner) for row in "s2i")))
        if i == HOLD_AT:
            K = kernel_of(space, last, s)
            held = [T + t for t in held_times(last.outputs, data.y, K, epsilons[i:])]
    return found, held


def local_slopes(x, T):
    """d log T / d log x between neighbours: two arrays (n-1,), the geometric middles of x and the slopes."""
    log_x, log_T = np.log(x), np.log(T)
    return np.exp((log_x[1:] + log_x[:-1]) / 2), np.diff(log_T) / np.diff(log_x)
