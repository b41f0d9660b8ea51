"""The time to reach a training loss, against T1 and T2."""

from collections import namedtuple
from functools import partial
from itertools import repeat

import numpy as np

import benign_ref as br
from benign_ref import validate
from benign_ref.experiments import convergence
from benign_ref.experiments.convergence import HOLD_AT, local_slopes
from benign_ref.experiments.theorem import verdict
from benign_ref.paper.theorems import ORDERS

from .common import compute, finish
from .convergence_panels import MOVED, draw

TITLE = "convergence time against the theory's orders, in both regimes"
CAPTION = """
Convergence. Steps T until the training loss is <= epsilon, against the orders of T1 and T2 [P*].
The figure is ours [C]. Circles: benign, squares: harmful (SNR = 20 and 2 at the base, M = 8, d = 4096, C_p =
5 sqrt(8)); real draws of D1, gradient descent in the proof's coordinates. Lines through markers: least
squares on logarithms through all runs, the slope in the legend, the theory's in brackets and dotted through
the geometric middle. Crosses, where drawn: the limit of large d and d_h (L1-L5 [D]), nothing fitted. (a)
epsilon moves, N = {N}, {few} seeds: one run gives all. (b) Local slope of T for each half decade of epsilon;
hollow: with attention held in every row from epsilon = 1e-3 on. (c) Attention on the winner (the signal when
benign, xi_2 when harmful) of the three kinds of rows, mean over samples and seeds. (d) to (h) one other thing
moves, N = {N}, epsilon = {epsilon:g}, {seeds} seeds; everything else, eta, sigma_h, sigma_V and C_p too, is
fixed by hand at its value at the base: ||mu|| moves by SNR, sigma_p^2 d by sigma_p with ||mu||, d and C_p
fixed. (i) All fitted slopes with 95% intervals (Student's t, the scatter about a power law: where T is no
power law, they say little); bars: the theory's.

By the rule of the figure theorem, taken of the 95% intervals: {verdicts}.

For epsilon: T1 and T2 have slope -1 if attention has settled in all rows, since then e^f + f grows linearly
in t [D]; held so, the slope goes to -1 (b; at first it is steeper, as until the holding the loss fell faster
than at the rate that was held). From epsilon = 1e-3 to {last:.0e} attention on the winner moves from
{from_to}. What still moves speeds up f = a V both through a and through the rate of V; when all rows have
turned, the slope must return to -1 [D]. For ||w_O||: it speeds up V, as ||w_O||^2, but W_Q and W_K only
through V; so at small ||w_O|| attention of all rows gets further while V grows: T a^2, with a the measured
attention on the winner at the end, mean over all rows, has its slopes printed beside those of T. All slopes
depend on epsilon, as those of the limit show (printed, full size only): they are no constants to be read off
at one epsilon.
"""
QUICK = {"eta": (0.5, 1.0, 2.0), "w_O": (0.71, 1.0, 1.41), "mu": (0.71, 1.0, 2.0), "N": (0.5, 1.0, 2.0),
         "sigma_p^2 d": (0.5, 1.0, 2.0)}  # fmt: skip
SIZES = {  # base: N and epsilon of the runs in which all but epsilon moves; half_decades below 10^-2
    "quick": {"base": (4, 1e-2), "N": 4, "values": {regime: QUICK for regime in ORDERS}, "seeds": 2,
              "epsilon_seeds": 2, "half_decades": 4, "limit": False},
    "full": {"base": (8, 1e-3), "N": 8, "values": convergence.VALUES, "seeds": 4,
             "epsilon_seeds": 3, "half_decades": 6, "limit": True},
}  # fmt: skip
# Of one thing that moves in one regime: its values x (n,), T and the attention a on the winner at the end
# (n, seeds), and T in the limit (n, half decades), of no half decades where it is not computed
Moved = namedtuple("Moved", "x T a limit")
# Of the runs through all epsilon (k,): T (k, seeds), T with attention held (from index HOLD_AT on, seeds),
# attention of the three rows (k, 3), mean over seeds
Passed = namedtuple("Passed", "epsilon T held attention")


def measure(options, bases):
    """{(regime, name): Moved}, {regime: Passed} from the Setting at the base, by regime. RuntimeError if a
    run left its regime or did not reach epsilon.
    """
    size, which = SIZES[options.size], options.size
    seeds, until = options.seeds(size["seeds"]), (size["half_decades"], size["N"])
    computed = partial(compute, options=options, base={regime: s.values() for regime, s in bases.items()})
    keys = [
        (regime, name, factor)
        for regime in ORDERS
        for name, of in size["values"][regime].items()
        for factor in of
    ]
    runs = computed(
        f"convergence-epsilon-{which}", convergence.passages, what="runs",
        tasks=[(regime, seed, *until) for regime in ORDERS for seed in options.seeds(size["epsilon_seeds"])],
    )  # fmt: skip
    ends = computed(
        f"convergence-{which}", convergence.time_of, what="runs",
        tasks=[(*key, seed, *size["base"]) for key in keys for seed in seeds],
    )  # fmt: skip
    for task, (T, S_ss, S_s2, _) in ends.items():
        validate.require(
            np.isfinite(T) and (S_ss > S_s2) == (task[0] == "benign"),
            f"the run {task} left its regime, or did not reach epsilon: T={T}, the signal attends "
            f"{S_ss:.3g} to itself, {S_s2:.3g} to xi_2",
            RuntimeError,
        )
    limits = {} if not size["limit"] else computed(
        f"convergence-limit-{which}", convergence.limit_times, what="runs of the limit",
        tasks=[(*key, *until) for key in keys],
    )  # fmt: skip
    moves = {}
    for regime, name in dict.fromkeys(key[:2] for key in keys):
        of = [key for key in keys if key[:2] == (regime, name)]
        x = [MOVED[name][0](convergence.moved(bases[regime], name, factor)) for *_, factor in of]
        found = np.array([[ends[(*key, seed, *size["base"])] for seed in seeds] for key in of])
        limit = np.array([limits.get((*key, *until), []) for key in of])
        moves[regime, name] = Moved(x, found[..., 0].astype(int), found[..., 3], limit)
    return moves, {
        regime: passed_of([run for task, run in runs.items() if task[0] == regime]) for regime in ORDERS
    }


def passed_of(runs):
    """Passed of the runs of all seeds, up to the last epsilon that all reach."""
    count = min(len(passages) for passages, _ in runs)
    table = np.array([passages[:count] for passages, _ in runs])  # (seeds, k, 5)
    held = np.array([times for _, times in runs])
    return Passed(table[0, :, 0], table[:, :, 1].T, held.T, table[:, :, 2:].mean(axis=0))


def fit_of(x, T):
    """The PowerLaw through all runs; x (values,), T (values, seeds)."""
    return br.fit_power_law(np.repeat(x, T.shape[1]), np.ravel(T))


def other_fits(of, half_decades):
    """{what: PowerLaw} of T a^2, and of T in the limit at every other half decade of epsilon it reaches."""
    limit = zip(of.limit.T[::2], convergence.half_decades(half_decades)[::2])
    return {"T a^2": fit_of(of.x, of.T * of.a**2)} | {
        f"limit {epsilon:.0e}": br.fit_power_law(of.x, T) for T, epsilon in limit if np.isfinite(T).all()
    }


def make(options):
    size = SIZES[options.size]
    bases = {regime: convergence.base_setting(regime, *size["base"]) for regime in ORDERS}
    moves, passed = measure(options, bases)
    fits = {key: fit_of(of.x, of.T) for key, of in moves.items()}
    fits |= {(regime, "epsilon"): fit_of(of.epsilon, of.T) for regime, of in passed.items()}
    others = {key: other_fits(of, size["half_decades"]) for key, of in moves.items()}
    return finish(
        options, "convergence",
        figure=draw(moves, passed, fits),
        caption=CAPTION.format(N=size["N"], epsilon=size["base"][1], seeds=size["seeds"],
                               few=size["epsilon_seeds"], **findings(passed, fits)),
        table=[
            ["what", "regime", "moved", "value", "seed", "number", "low", "high"],
            *((*row, "", "") for row in rows_of(moves, passed, options.seed)), *rows_of_fits(fits, others),
        ],
        lines=lines_of(moves, passed, fits, others),
        settings={"bases": {regime: s.values() for regime, s in bases.items()},
                  "seeds": size["seeds"]},
    )  # fmt: skip


def findings(passed, fits):
    """What the caption says was found."""
    return {
        "verdicts": "; ".join(
            f"{name}, {regime}: {fits[regime, name].exponent:.2f}, claimed {ORDERS[regime][name]:g}, "
            + verdict(fits[regime, name][1:3], ORDERS[regime][name]) for name in MOVED for regime in ORDERS),
        "last": min(of.epsilon[-1] for of in passed.values()),
        "from_to": "; from ".join(
            ", ".join(f"{S[HOLD_AT]:.4f} to {S[-1]:.4f} in the row of {row}"
                      for row, S in zip(("the signal", "xi_2", "xi_i"), of.attention.T)) + f" ({regime})"
            for regime, of in passed.items()),
    }  # fmt: skip


def rows_of(moves, passed, first):
    """The CSV: every T, attention and the local slopes; seeds from `first` on."""
    for (regime, name), (xs, *of_key) in moves.items():
        for x, T, a, limit in zip(xs, *of_key):
            numbers = [("T", *of) for of in enumerate(T, first)]
            numbers += [("attention on the winner, all rows", *of) for of in enumerate(a, first)]
            numbers += [("T in the limit", "", T) for T in limit[HOLD_AT : HOLD_AT + 1]]
            yield from ((what, regime, name, x, *of) for what, *of in numbers)
    for regime, (epsilon, T, held, attention) in passed.items():
        for what, x, of_seeds in (("", epsilon, T), (", attention held", epsilon[HOLD_AT:], held)):
            for seed, of in enumerate(of_seeds.T, first):
                for name, *series in (("T", x, of), ("local slope", *local_slopes(x, of))):
                    yield from ((name + what, regime, "epsilon", at, seed, one) for at, one in zip(*series))
        for row, of in zip(("signal's", "xi_2's", "xi_i's"), attention.T):
            what = f"attention of the {row} row on the winner"
            yield from ((what, regime, "epsilon", *at, one) for *at, one in zip(epsilon, repeat("mean"), of))


def rows_of_fits(fits, others):
    """Its end: the fits with their intervals and the theory's exponents."""
    for (regime, name), fit in fits.items():
        for what, one in {"T": fit, **others.get((regime, name), {})}.items():
            yield f"fitted slope, {what}", regime, name, "", "", one.exponent, one.low, one.high
        yield "theory's slope", regime, name, "", "", ORDERS[regime][name], "", ""


def slope_in_words(name, regime, moves, fits, others):
    """The slopes of T in one moved thing, beside the theory's."""
    fit, theory = fits[regime, name], ORDERS[regime][name]
    text = f"  {name}, {regime}: {fit.exponent:.3f} [{fit.low:.3f}, {fit.high:.3f}] ({theory:g})"
    if (regime, name) in moves:
        a, (of_a, *of_limit) = moves[regime, name].a.mean(axis=1), others[regime, name].items()
        text += f"; T a^2 {of_a[1].exponent:.3f}, a from {a.min():.2f} to {a.max():.2f}"
        limit = ", ".join(f"{what[6:]}: {one.exponent:.2f}" for what, one in of_limit)
        text += f"; T in the limit at epsilon = {limit}" * bool(limit)
    return text


def lines_of(moves, passed, fits, others):
    """What is printed: all slopes beside the theory's, local slopes in epsilon, and whose attention is still
    moving.
    """
    lines = [
        "slope of T [95% interval] (the theory's); slope of T a^2, a the attention on the winner at the end:",
        *(slope_in_words(name, regime, moves, fits, others) for name in MOVED for regime in ORDERS),
    ]
    for regime, (epsilon, T, held, attention) in passed.items():
        change = (attention[-1] - attention[HOLD_AT]) * (1, 1, 6)  # M = 8: six rows of small tokens
        lines += [
            f"{regime}, local slopes by half decades of epsilon to {epsilon[-1]:.0e}: {slopes(epsilon, T)}",
            f"  with attention held from 1e-3 on: {slopes(epsilon[HOLD_AT:], held)}",
            f"  attention on the winner from 1e-3 to {epsilon[-1]:.0e}: "
            f"{100 * change[2] / change.sum():.1f}% of the change is in the rows of xi_i",
        ]
    return lines


def slopes(epsilon, T):
    """The local slopes of the mean over seeds of T (k, seeds), in words."""
    return ", ".join(f"{slope:.3f}" for slope in local_slopes(epsilon, T.mean(axis=1))[1])
