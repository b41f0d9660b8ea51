"""How one run looks over time, by type of token, and the average over seeds: at small steps, drawn in law
(the figure `phases`), and by the published protocol on real draws (Figures 3 and 4).

Types: s the signal (the paper's token 1), 2 (xi_2), i (the small tokens i >= 3). Quantities of a Trajectory
at small steps, over the recorded steps:

    train_loss, test_loss     L_S and L_D (M2)
    V_plus, minus_V_minus     V of the two signals, the second with its sign turned
    V_2, V_i                  |V_{n,2}|, mean over samples; |V_{n,i}|, mean over samples and i
    S_ss, S_s2, S_si, ...     attention, first letter the row: S_si is that of the signal's row on one small
                              token; means over samples and i
    P_ss, P_s2, P_si, ...     <q,k> of the pair, averaged likewise. "ii" is left out: a small token with
                              itself is not like with another
    slope_ratio               max_n |ell'_n| / min_n |ell'_n|

and by the published protocol, all but the losses of the first training sample whose label is +1:

    train_loss, test_loss     L_S and L_D
    S_s, S_2                  its attention on the signal and on xi_2, each averaged over the M queries
    V_s, V_2                  V of the signal and of xi_2
    P_ss, P_s2, P_is, P_i2    <q,k>: queries of the signal and of token 3, keys of the signal and of xi_2

All on the training data but test_loss.
"""

from typing import NamedTuple

import numpy as np

from .. import api, validate
from ..derived.law import train_in_law
from ..derived.limit_run import train_in_limit
from ..engines import attention, proof_space, records
from ..paper import Setting, data, model
from . import cell
from .phases import Phases, find_phases
from .published import published_setting

PAIRS = ("ss", "s2", "si", "2s", "22", "2i", "is", "i2")
ATTENTION, LOGITS = tuple("S_" + pair for pair in PAIRS), tuple("P_" + pair for pair in PAIRS)
OF_THE_RULE = ("ss", "s2", "2s", "22")  # what phases.py looks at
VALUES = ("V_plus", "minus_V_minus", "V_2", "V_i")
QUANTITIES = ("train_loss", "test_loss", *VALUES, *ATTENTION, *LOGITS, "slope_ratio")
REGIMES = {"benign": 16.0, "harmful": 2.0}  # SNR; N SNR^2 = 2560 and 40
SIZES = {  # (what the setting has, what `trajectory` is asked for)
    "full": (
        {"N": 10, "M": 16, "d": 1024, "d_h": 64, "d_v": 64, "C_p": 20.0, "epsilon": 1e-3},
        {"per_decade": 24, "n_test": 200},
    ),
    "quick": (
        {"N": 10, "M": 16, "d": 1024, "d_h": 32, "d_v": 32, "C_p": 20.0, "epsilon": 1e-2},
        {"per_decade": 12, "n_test": 100},
    ),
}  # [C]
PUBLISHED = {"benign": "figure3", "harmful": "figure4"}
PUBLISHED_QUANTITIES = "train_loss test_loss S_s S_2 V_s V_2 P_ss P_s2 P_is P_i2".split()
TOKENS = {"s": slice(0, 1), "2": slice(1, 2), "i": slice(2, None)}


class Trajectory(NamedTuple):
    """steps (R,), quantities {name: (R,)}, the Phases, whether epsilon was reached."""

    steps: np.ndarray
    quantities: dict
    phases: Phases
    converged: bool

    @classmethod
    def from_lists(cls, steps, quantities, phases, converged):
        """The Trajectory of what `in_lists` gives."""
        arrays = {name: np.array(values) for name, values in quantities.items()}
        return cls(np.array(steps), arrays, Phases(*phases), converged)


class Average(NamedTuple):
    """Over seeds, at the steps (R,) that all runs have: {name: (R,)} of the mean and of mean -+ 2 sigma (see
    `average`).
    """

    steps: np.ndarray
    mean: dict
    low: dict
    high: dict


def pair_mean(matrices, pair):
    """The mean over samples and over the tokens of each type of matrices[n,l,j] (N,M,M); pair "s2": l the
    signal, j token 2. NaN if there are none.
    """
    part = matrices[:, TOKENS[pair[0]], TOKENS[pair[1]]]
    return float(part.mean()) if part.size else float("nan")


def in_lists(records, rows, M, converged):
    """A Trajectory in lists, numbers and names, as JSON holds them, of a run's Records; rows: {quantity:
    value} at each of them.
    """
    steps = [record.step for record in records]
    found = {name: [float(row[name]) for row in rows] for name in rows[0]}
    attention = ([pair_mean(record.attention, pair) for record in records] for pair in OF_THE_RULE)
    return steps, found, list(find_phases(steps, *attention, M)), converged


def quantities_of(record, y, loss):
    """{name: value} of one Record of a run, y (N,) its labels and loss L_S there. record.observed: V_plus,
    V_minus and L_D.
    """
    V_plus, V_minus, test_loss = record.observed
    slope, small = np.abs(model.logistic_slope(y * record.outputs)), np.abs(record.values[:, 2:])
    return {
        "train_loss": loss, "test_loss": test_loss, "V_plus": V_plus, "minus_V_minus": -V_minus,
        "V_2": float(np.abs(record.values[:, 1]).mean()),
        "V_i": float(small.mean()) if small.size else float("nan"),
        **{"S_" + pair: pair_mean(record.attention, pair) for pair in PAIRS},
        **{"P_" + pair: pair_mean(record.logits, pair) for pair in PAIRS},
        "slope_ratio": float(slope.max() / slope.min()),
    }  # fmt: skip


def trajectory(s, seed, *, per_decade=24, n_test=200):
    """One run of Setting s in law, `in_lists`; a function of its arguments alone.

    The steps recorded are the same for every seed, `per_decade` on a logarithmic axis, and the last one. L_D
    is the mean over the same n_test fresh samples at each of them. Raises ValueError or TypeError for a bad
    argument.
    """
    validate.instance("s", s, Setting)
    n_test = validate.integer("n_test", n_test, 1)

    def observe(drawn):
        return *s.mu_norm * drawn.U[:2, -1], drawn.test_loss(n_test, data.make_rng(seed, (1,)))

    wanted = api.log_spaced_steps(s.max_steps, per_decade)
    run = train_in_law(s, data.make_rng(seed, (0,)), record_every=wanted, observe=observe, progress=False)
    rows = [quantities_of(record, run.y, run.losses[record.step]) for record in run.records]
    return in_lists(run.records, rows, s.M, run.converged)


def setting_of(regime, size):
    """The Setting of Figure 3 ("benign") or 4 ("harmful"), size "full" or "quick". Raises ValueError for
    another.
    """
    validate.choice("regime", regime, tuple(REGIMES))
    return Setting(snr=REGIMES[regime], **SIZES[validate.choice("size", size, tuple(SIZES))][0])


def draw(regime, size, seed):
    """The trajectory of one seed in that Setting; importable, so that any process can compute it."""
    return trajectory(setting_of(regime, size), seed, **SIZES[size][1])


def published_draw(regime, seed, record_every, n_test):
    """One run by the published protocol, on a real draw, `in_lists` of PUBLISHED_QUANTITIES; a function of
    its arguments alone. L_D is on the same n_test fresh samples all along.
    """
    s = published_setting(PUBLISHED[regime])
    for_data, for_start, for_test = cell.streams(s.snr, s.N, seed)
    ((y, Z, index),) = cell.draw_D1(s, for_data, s.N, False)
    W, w_O_norm = cell.draw_start(s, for_start)
    space = proof_space.ColumnSpace(Z, W, w_O_norm, index, y)
    fresh = [(labels, X @ W, X @ Z.T, at) for labels, X, at in cell.draw_D1(s, for_test, n_test, True)]

    def test_loss(now):
        # W(t) = W(0) + Z^T moved, of which fresh tokens X see X W(0) + X Z^T moved
        moved = np.concatenate([*now.coefficients(), now.w_O_norm**2 * now.C[:, -1:]], axis=1)
        z = [labels * attention.outputs(rows + products @ moved, at) for labels, rows, products, at in fresh]
        return float(model.logistic(np.concatenate(z)).mean())

    losses, _, converged, kept = records.descend(
        space, eta=s.eta, epsilon=s.epsilon, max_steps=s.max_steps, record_every=record_every,
        observe=test_loss,
    )  # fmt: skip
    sample = int(np.argmax(y == 1))
    rows = [
        dict(zip(PUBLISHED_QUANTITIES, (
            losses[one.step], one.observed, *one.attention[sample].mean(axis=0)[:2], *one.values[sample, :2],
            *one.logits[sample, 0, :2], *one.logits[sample, 2, :2]), strict=True)) for one in kept
    ]  # fmt: skip
    return in_lists(kept, rows, s.M, converged)


def limit_trajectory(s, steps, backend="numpy"):
    """The quantities of both kinds of run in the limit of large d and d_h (limit.py), at those of `steps`
    that it takes, and at its end; as a Trajectory. Of the small tokens they are NaN if M = 2, where there are
    none. backend: as in `train_in_limit`.
    """
    run = train_in_limit(s, backend=backend, record_every=steps)
    at, none = run.history, np.full(len(run.history.step), np.nan)
    S, P = ({pair: of.get(pair, none) for pair in PAIRS} for of in (at.attention, at.logits))
    found = {
        "train_loss": run.losses[at.step], "test_loss": at.test_loss, "V_plus": at.V_s,
        "minus_V_minus": at.V_s, "V_s": at.V_s, "V_2": at.V_2, "V_i": at.V_i,
        **{"S_" + pair: S[pair] for pair in PAIRS}, **{"P_" + pair: P[pair] for pair in PAIRS},
        "slope_ratio": np.ones(len(at.step)),  # all samples are alike
        # over queries
        **{"S_" + key: (S["s" + key] + S["2" + key] + (s.M - 2) * at.attention.get("i" + key, 0.0)) / s.M
           for key in "s2"},
    }  # fmt: skip
    phases = find_phases(at.step, *(S[pair] for pair in OF_THE_RULE), s.M)
    return Trajectory(at.step, found, phases, run.converged)


def published_limit(regime, steps):
    """`limit_trajectory` of a published experiment."""
    return limit_trajectory(published_setting(PUBLISHED[regime]), steps, "numba")


def average(trajectories, logarithmic=("train_loss", "test_loss", *VALUES, "slope_ratio")):
    """Mean and mean -+ 2 sigma over seeds (sigma with n-1), as an Average, up to the end of the shortest run.

    Beyond it the mean would be over other runs than before it, and to hold a run's last value would be to
    invent one. Quantities named in `logarithmic` are averaged and spread in logarithms (geometric mean, times
    and divided by exp(2 sigma)). Raises ValueError for fewer than two trajectories.
    """
    validate.require(
        len(trajectories) >= 2, f"trajectories must be at least 2 for a spread, got {len(trajectories)}"
    )
    shared = sorted(set.intersection(*(set(one.steps.tolist()) for one in trajectories)))
    picked = [np.searchsorted(one.steps, shared) for one in trajectories]
    mean, low, high = {}, {}, {}
    for name in trajectories[0].quantities:
        values = np.array([one.quantities[name][at] for one, at in zip(trajectories, picked)])  # (seeds, R)
        # V_plus and -V_minus start at random signs: no logarithm there, so NaN, which a picture leaves out
        if name in logarithmic:
            values = np.log(np.where((values > 0).all(axis=0), values, np.nan))
        centre, two_sigma = values.mean(axis=0), 2 * values.std(axis=0, ddof=1)
        curves = centre, centre - two_sigma, centre + two_sigma
        mean[name], low[name], high[name] = map(np.exp, curves) if name in logarithmic else curves
    return Average(np.array(shared), mean, low, high)
