"""The time to reach a training loss, against T1 and T2."""

import numpy as np

import benign_ref as br
from benign_ref.experiments import convergence
from benign_ref.experiments.theorem import verdict
from benign_ref.paper.theorems import ORDERS
from benign_ref.runtime.resume import compute

from .common import WIDTH, finish, plt
from .convergence_panels import MOVED, draw_epsilon, draw_legend, draw_moved, draw_slopes

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


def settings_moved(size):
    """{(regime, name): the Settings of its values}."""
    bases = {regime: convergence.base_setting(regime, *size["base"]) for regime in ORDERS}
    return {
        (regime, name): [convergence.moved(base, name, factor) for factor in size["values"][regime][name]]
        for regime, base in bases.items() for name in size["values"][regime]
    }  # fmt: skip


def measure(which, options):
    """Times and a (see convergence.time_of), {(regime, name): (values, seeds)} each; {regime: [(passages,
    held), ...]} by seed; and the limit's times, {(regime, name): (values, half decades)}. RuntimeError if a
    run left its regime or did not reach epsilon.
    """
    size = SIZES[which]
    values, until = size["values"], (size["half_decades"], size["N"])
    base = {regime: convergence.base_setting(regime, *size["base"]).values() for regime in ORDERS}
    keys = [
        (regime, name, factor) for regime in ORDERS for name, of in values[regime].items() for factor in of
    ]

    def computed(part, function, tasks, what="runs"):
        return compute(f"convergence{part}-{which}", function, tasks, options, what, base=base)

    tasks = [(regime, options.seed + k, *until) for regime in ORDERS for k in range(size["epsilon_seeds"])]
    kept = computed("-epsilon", convergence.passages, tasks)
    runs = {regime: [kept[task] for task in tasks if task[0] == regime] for regime in ORDERS}
    tasks = [(*key, options.seed + k, *size["base"]) for key in keys for k in range(size["seeds"])]
    kept = computed("", convergence.time_of, tasks)
    for task in tasks:
        T, S_ss, S_s2, _ = kept[task]
        if not np.isfinite(T) or (S_ss > S_s2) != (task[0] == "benign"):
            seen = f"T={T}, the signal attends {S_ss:.3g} to itself, {S_s2:.3g} to xi_2"
            raise RuntimeError(f"the run {task} left its regime, or did not reach epsilon: {seen}")
    table = {key: [kept[task] for task in tasks if task[:3] == key] for key in keys}
    tasks, limits = [(*key, *until) for key in keys], {}
    if size["limit"]:
        limits = computed("-limit", convergence.limit_times, tasks, "runs of the limit")

    def by_moved(rows):
        moved = dict.fromkeys(key[:2] for key in rows)
        return {key: np.array([row for of, row in rows.items() if of[:2] == key]) for key in moved}

    times, shares = (
        by_moved({key: [row[column] for row in rows] for key, rows in table.items()}) for column in (0, 3)
    )
    return times, shares, runs, by_moved(limits)


def fit_of(x, T):
    """The PowerLaw through all runs; x (values,), T (values, seeds)."""
    T = np.asarray(T, dtype=float)
    return br.fit_power_law(np.repeat(x, T.shape[1]), T.ravel())


def epsilon_table(runs):
    """epsilon (k,), T (k, seeds), T with attention held (from index HOLD_AT on, seeds), attention of the
    three rows (k, 3): mean over seeds.
    """
    count = min(len(passages) for passages, _ in runs)
    table = np.array([passages[:count] for passages, _ in runs])  # (seeds, k, 5)
    held = np.array([times for _, times in runs])
    return table[0, :, 0], table[:, :, 1].T, held.T, table[:, :, 2:].mean(axis=0)


def make(options):
    """The figure, its numbers and its caption."""
    which = options.size
    size, (times, shares, runs, limit) = SIZES[which], measure(which, options)
    settings, tables = settings_moved(size), {regime: epsilon_table(of) for regime, of in runs.items()}
    values = {key: [MOVED[key[1]][0](s) for s in of_key] for key, of_key in settings.items()}
    fits = {key: fit_of(x, times[key]) for key, x in values.items()}
    fits |= {(regime, "epsilon"): fit_of(tables[regime][0], tables[regime][1]) for regime in ORDERS}
    others = {key: {"T a^2": fit_of(x, times[key] * shares[key] ** 2)} for key, x in values.items()}
    for key in limit:
        for k, epsilon in enumerate(convergence.half_decades(size["half_decades"])):
            if k % 2 == 0 and np.isfinite(limit[key][:, k]).all():
                others[key][f"limit {epsilon:.0e}"] = br.fit_power_law(values[key], limit[key][:, k])
    figure, grid = plt.subplots(3, 3, figsize=(WIDTH, 7.0))
    draw_epsilon(grid[0], tables, fits)
    for axes, letter, name in zip(grid.ravel()[3:], "defgh", list(MOVED)[1:]):
        draw_moved(axes, name, letter, settings, times, fits, limit)
    draw_slopes(grid[2, 2], fits)
    draw_legend(figure, limit)
    header = ["what", "regime", "moved", "value", "seed", "number", "low", "high"]
    rows = rows_of(values, times, shares, tables, fits, others, limit, options)
    caption = CAPTION.format(N=size["N"], epsilon=size["base"][1], seeds=size["seeds"],
                             few=size["epsilon_seeds"], **findings(tables, fits))  # fmt: skip
    bases = {regime: convergence.base_setting(regime, *size["base"]).values() for regime in ORDERS}
    return finish(
        options,
        "convergence",
        figure,
        caption,
        [header, *rows],
        lines_of(tables, fits, others, shares),
        {"bases": bases, "seeds": size["seeds"]},
    )


def findings(tables, fits):
    """What the caption says was found."""
    verdicts = [
        f"{name}, {regime}: {fits[regime, name].exponent:.2f}, claimed {ORDERS[regime][name]:g}, "
        + verdict(fits[regime, name][1:3], ORDERS[regime][name]) for name in MOVED for regime in ORDERS
    ]  # fmt: skip
    moves = []
    for regime, (_, _, _, attention) in tables.items():
        rows = zip(("the signal", "xi_2", "xi_i"), attention[convergence.HOLD_AT], attention[-1], strict=True)
        shown = ", ".join(f"{start:.4f} to {end:.4f} in the row of {row}" for row, start, end in rows)
        moves.append(f"{shown} ({regime})")
    last = min(epsilon[-1] for epsilon, *_ in tables.values())
    return {"verdicts": "; ".join(verdicts), "last": last, "from_to": "; from ".join(moves)}


def rows_of(values, times, shares, tables, fits, others, limit, options):
    """The CSV: every T, attention, the local slopes, the fits with their intervals and the theory's
    exponents.
    """
    found = []
    for (regime, name), x in values.items():
        for k, one in enumerate(x):
            for what, of_key in (("T", times), ("attention on the winner, all rows", shares)):
                of_seeds = enumerate(of_key[regime, name][k], options.seed)
                found += [(what, regime, name, one, seed, number, "", "") for seed, number in of_seeds]
            if limit:
                T = limit[regime, name][k, convergence.HOLD_AT]
                found.append(("T in the limit", regime, name, one, "", T, "", ""))
    for regime, (epsilon, T, held, attention) in tables.items():
        from_there = epsilon[convergence.HOLD_AT :]
        for what, x, of_seeds in (("T", epsilon, T), ("T, attention held", from_there, held)):
            for seed, Ts in enumerate(of_seeds.T, options.seed):
                found += [(what, regime, "epsilon", one, seed, T, "", "") for one, T in zip(x, Ts)]
                slopes = zip(*convergence.local_slopes(x, Ts))
                found += [
                    (what.replace("T", "local slope"), regime, "epsilon", middle, seed, slope, "", "")
                    for middle, slope in slopes
                ]
        for row, of_row in zip(("signal's", "xi_2's", "xi_i's"), attention.T):
            what = f"attention of the {row} row on the winner"
            found += [(what, regime, "epsilon", one, "mean", S, "", "") for one, S in zip(epsilon, of_row)]
    for (regime, name), fit in fits.items():
        for what, one in {"T": fit, **others.get((regime, name), {})}.items():
            found.append((f"fitted slope, {what}", regime, name, "", "", one.exponent, one.low, one.high))
        found.append(("theory's slope", regime, name, "", "", ORDERS[regime][name], "", ""))
    return found


def lines_of(tables, fits, others, shares):
    """What is printed: all slopes beside the theory's, local slopes in epsilon, and whose attention is still
    moving.
    """
    lines = [
        "slope of T [95% interval] (the theory's); slope of T a^2, a the attention on the winner at the end:"
    ]
    for name in MOVED:
        for regime in ORDERS:
            fit, other = fits[regime, name], dict(others.get((regime, name), {}))
            text = f"  {name}, {regime}: {fit.exponent:.3f} [{fit.low:.3f}, {fit.high:.3f}]"
            text += f" ({ORDERS[regime][name]:g})"
            if other:
                a = shares[regime, name].mean(axis=1)
                text += f"; T a^2 {other.pop('T a^2').exponent:.3f}, a from {a.min():.2f} to {a.max():.2f}"
            if other:
                limit = ", ".join(f"{what[6:]}: {one.exponent:.2f}" for what, one in other.items())
                text += f"; T in the limit at epsilon = {limit}"
            lines.append(text)
    at = convergence.HOLD_AT
    for regime, (epsilon, T, held, attention) in tables.items():
        slopes = convergence.local_slopes(epsilon, T.mean(axis=1))[1]
        shown = ", ".join(f"{one:.3f}" for one in slopes)
        lines.append(f"{regime}, local slopes by half decades of epsilon to {epsilon[-1]:.0e}: {shown}")
        slopes = convergence.local_slopes(epsilon[at:], held.mean(axis=1))[1]
        lines.append("  with attention held from 1e-3 on: " + ", ".join(f"{one:.3f}" for one in slopes))
        change = (attention[-1] - attention[at]) * (1, 1, 6)  # M = 8: six rows of small tokens
        share = f"{100 * change[2] / change.sum():.1f}% of the change is in the rows of xi_i"
        lines.append(f"  attention on the winner from 1e-3 to {epsilon[-1]:.0e}: {share}")
    return lines
