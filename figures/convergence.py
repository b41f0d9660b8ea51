"""The time to reach a training loss, against T1 and T2."""

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

import benign_ref as br
from benign_ref.experiments import convergence
from benign_ref.paper.theorems import ORDERS
from benign_ref.runtime.resume import compute

from .common import WIDTH, Result, plt, save, settings_of

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

What agrees: eta; nearly, at this epsilon, ||mu||, N and sigma_p^2 d in the benign regime. What does not:
epsilon, in both regimes, where T grows more slowly than 1/epsilon; ||w_O||, in both regimes; in the harmful
regime also ||mu||, N and sigma_p^2 d, by less.

Why, for epsilon: T1 and T2 have slope -1 if attention has settled in all rows, since then e^f + f grows
linearly in t [D]. Held so, the slope does go to -1 (b; at first it is steeper, as until the holding the loss
fell faster than at the rate that was held). In the runs the rows of the signal and of xi_2 have settled, but
those of the small tokens xi_i, i >= 3, go on turning to the winner (c): nearly all of the change of attention
is theirs, and it speeds up f = a V both through a and through the rate of V. When they too have turned, the
slope must return to -1 [D]; the runs do not reach so far.

Why, for ||w_O||: it speeds up V, as ||w_O||^2, but W_Q and W_K only through V; so at small ||w_O|| attention
of all rows gets further while V grows. T a^2, with a the measured attention on the winner at the end, mean
over all rows, has slopes nearer to -2 (printed, and in the CSV). For ||mu||, N and sigma_p^2 d in the harmful
regime a at the end explains little. There phase II takes a good part of T, and at the ends of the ranges
(small ||mu||, large sigma_p^2 d) the signal's row has not turned to xi_2 when epsilon is reached. All these
slopes depend on epsilon, as those of the limit show (printed, full size only): they are no constants to be
read off at one epsilon.
"""
LOOKS = {"benign": ("#0072B2", "-", "o"), "harmful": ("#D55E00", (0, (6, 1.5, 1, 1.5)), "s")}
MOVED = {  # what is moved: its value at a Setting, its name in mathematics
    "epsilon": (lambda s: s.epsilon, r"$\epsilon$"),
    "eta": (lambda s: s.eta, r"$\eta$"),
    "w_O": (lambda s: s.w_O_norm, r"$\Vert w_O\Vert$"),
    "mu": (lambda s: s.mu_norm, r"$\Vert\mu\Vert$"),
    "N": (lambda s: s.N, r"$N$"),
    "sigma_p^2 d": (lambda s: s.noise_norm**2, r"$\sigma_p^2 d$"),
}
QUICK = {
    "eta": (0.5, 1.0, 2.0),
    "w_O": (0.71, 1.0, 1.41),
    "mu": (0.71, 1.0, 2.0),
    "N": (0.5, 1.0, 2.0),
    "sigma_p^2 d": (0.5, 1.0, 2.0),
}


def sizes(quick):
    """Sizes, values and numbers of seeds. base: N and epsilon of the runs in which all but epsilon moves;
    half_decades below 10^-2.
    """
    if quick:
        values = {regime: QUICK for regime in ORDERS}
        return {
            "base": (4, 1e-2),
            "N": 4,
            "values": values,
            "seeds": 2,
            "epsilon_seeds": 2,
            "half_decades": 4,
            "limit": False,
        }
    return {
        "base": (8, 1e-3),
        "N": 8,
        "values": convergence.VALUES,
        "seeds": 4,
        "epsilon_seeds": 3,
        "half_decades": 6,
        "limit": True,
    }


def settings_moved(size):
    """{(regime, name): the Settings of its values}."""
    return {
        (regime, name): [convergence.moved(convergence.base_setting(regime, *size["base"]), name, factor) for factor in factors]
        for regime in ORDERS for name, factors in size["values"][regime].items()
    }  # fmt: skip


def measure(size, options):
    """Times and a (see convergence.Time), {(regime, name): (values, seeds)} each; {regime: [(passages, held),
    ...]} by seed; and the limit's times, {(regime, name): (values, half decades)}. RuntimeError if a run left
    its regime or did not reach epsilon.
    """
    which, values = "quick" if options.quick else "full", size["values"]
    base = {regime: settings_of(convergence.base_setting(regime, *size["base"])) for regime in ORDERS}
    keys = [
        (regime, name, factor)
        for regime in ORDERS
        for name in values[regime]
        for factor in values[regime][name]
    ]
    tasks = [
        (regime, options.seed + k, size["half_decades"], size["N"])
        for regime in ORDERS
        for k in range(size["epsilon_seeds"])
    ]
    kept = compute(f"convergence-epsilon-{which}", convergence.passages, tasks, options, "runs", base=base)
    runs = {regime: [kept[task] for task in tasks if task[0] == regime] for regime in ORDERS}
    tasks = [(*key, options.seed + k, *size["base"]) for key in keys for k in range(size["seeds"])]
    kept = compute(f"convergence-{which}", convergence.time_of, tasks, options, "runs", base=base)
    times, shares, limit = {}, {}, {}
    for task in tasks:
        T, S_ss, S_s2, a = kept[task]
        if not np.isfinite(T) or (S_ss > S_s2) != (task[0] == "benign"):
            seen = f"T={T}, the signal attends {S_ss:.3g} to itself, {S_s2:.3g} to xi_2"
            raise RuntimeError(f"the run {task} left its regime, or did not reach epsilon: {seen}")
        times.setdefault(task[:2], {}).setdefault(task[2], []).append(T)
        shares.setdefault(task[:2], {}).setdefault(task[2], []).append(a)
    if size["limit"]:
        tasks = [(*key, size["half_decades"], size["N"]) for key in keys]
        kept = compute(
            f"convergence-limit-{which}",
            convergence.limit_times,
            tasks,
            options,
            "runs of the limit",
            base=base,
        )
        for task in tasks:
            limit.setdefault(task[:2], []).append(kept[task])
    times, shares = (
        {key: np.array(list(of_factor.values())) for key, of_factor in of_key.items()}
        for of_key in (times, shares)
    )
    return times, shares, runs, {key: np.array(rows) for key, rows in limit.items()}


def fit_of(x, T):
    """The PowerLaw through all runs; x (values,), T (values, seeds)."""
    T = np.asarray(T, dtype=float)
    return br.fit_power_law(np.repeat(x, T.shape[1]), T.ravel())


def epsilon_table(runs, regime):
    """epsilon (k,), T (k, seeds), T with attention held (from index HOLD_AT on, seeds), attention of the
    three rows (k, 3): mean over seeds.
    """
    count = min(len(passages) for passages, _ in runs[regime])
    table = np.array([passages[:count] for passages, _ in runs[regime]])  # (seeds, k, 5)
    held = np.array([times for _, times in runs[regime]])
    return table[0, :, 0], table[:, :, 1].T, held.T, table[:, :, 2:].mean(axis=0)


def law_line(axes, x, T, regime, name, fit, theory):
    """Runs, their fit, and the theory's slope through their geometric middle."""
    colour, style, marker = LOOKS[regime]
    x, T = np.asarray(x, dtype=float), np.asarray(T, dtype=float)
    axes.plot(
        np.repeat(x, T.shape[1]),
        T.ravel(),
        marker,
        color=colour,
        markersize=3.2,
        markerfacecolor="none",
        markeredgewidth=0.8,
    )
    ends = np.array([x.min(), x.max()])
    label = f"{regime} ${fit.exponent:.2f}$ (${theory:d}$)"
    axes.plot(ends, fit.prefactor * ends**fit.exponent, color=colour, linestyle=style, label=label)
    middle = np.exp(np.log(x).mean()), np.exp(np.log(T).mean())
    axes.plot(ends, middle[1] * (ends / middle[0]) ** theory, color="black", linestyle=":", linewidth=0.9)


def draw_moved(axes, name, letter, settings, times, fits, limit):
    """T against one moved quantity, in both regimes."""
    value, symbol = MOVED[name]
    ticks = set()
    for regime in ORDERS:
        x = [value(s) for s in settings[regime, name]]
        law_line(axes, x, times[regime, name], regime, name, fits[regime, name], ORDERS[regime][name])
        if limit:
            axes.plot(
                x,
                limit[regime, name][:, convergence.HOLD_AT],
                "x",
                color="black",
                markersize=3,
                markeredgewidth=0.7,
            )
        ticks |= {float(f"{one:.2g}") for one in x}
    axes.set(
        xscale="log", yscale="log", xlabel=symbol, ylabel="steps $T$", title=f"({letter}) moving {symbol}"
    )
    chosen = spaced(sorted(ticks), (max(ticks) / min(ticks)) ** 0.22)
    axes.xaxis.set_major_locator(FixedLocator(chosen))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{one:g}" for one in chosen])
    plain_steps(axes)


def plain_steps(axes):
    """T's axis in thousands, and room above for the legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda T, _: f"{T / 1000:g}k"))
    axes.legend(loc="upper center", handlelength=2.2, fontsize=6.5, labelspacing=0.25, borderpad=0.1)


def spaced(ticks, factor):
    """Of increasing ticks, those at least a factor apart."""
    chosen = [ticks[0]]
    for tick in ticks[1:]:
        if tick >= factor * chosen[-1]:
            chosen.append(tick)
    return chosen


def draw_epsilon(panels, tables, fits):
    """T against epsilon, its local slopes, and the attention that is still moving."""
    a, b, c = panels
    for regime, (epsilon, T, held, attention) in tables.items():
        colour, style, marker = LOOKS[regime]
        law_line(a, epsilon, T, regime, "epsilon", fits[regime, "epsilon"], -1)
        slopes = np.array(
            [convergence.local_slopes(epsilon, T[:, k]) for k in range(T.shape[1])]
        )  # (seeds, 2, k-1)
        b.plot(
            slopes[0, 0],
            slopes[:, 1].mean(axis=0),
            marker,
            linestyle=style,
            color=colour,
            markersize=3.2,
            label=regime,
        )
        if len(held) > 1:
            slopes = np.array(
                [
                    convergence.local_slopes(epsilon[convergence.HOLD_AT :], held[:, k])
                    for k in range(held.shape[1])
                ]
            )
            look = {"linestyle": ":", "color": colour, "markersize": 3.2, "markerfacecolor": "white"}
            b.plot(slopes[0, 0], slopes[:, 1].mean(axis=0), marker, label="held", **look)
        for j, line in enumerate((":", "--", style)):
            c.plot(
                epsilon,
                attention[:, j],
                marker=marker if j == 2 else None,
                linestyle=line,
                color=colour,
                markersize=3.2,
            )
    b.axhline(-1, color="black", linewidth=0.9, linestyle=":")
    for axes in panels:
        axes.set(xscale="log", xlabel=r"$\epsilon$", xlim=(1.3 * epsilon[0], epsilon[-1] / 1.3))
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_locator(NullLocator())
    a.set(yscale="log", ylabel="steps $T$", title=r"(a) moving $\epsilon$")
    plain_steps(a)
    b.set(ylabel=r"$d\,\log T\,/\,d\,\log\epsilon$", title=r"(b) local slopes of (a)", ylim=(-1.42, -0.25))
    b.legend(
        ncols=2,
        loc="upper center",
        handlelength=2.2,
        fontsize=6.5,
        labelspacing=0.25,
        columnspacing=0.8,
        borderpad=0.1,
    )
    c.set(ylabel="attention on the winner", title="(c) attention on the way", ylim=(0, 1.05))
    for line, label in (
        (":", "signal's row"),
        ("--", r"row of $\xi_2$"),
        ("-", r"rows of $\xi_i,\ i\geq 3$"),
    ):
        c.plot([], [], linestyle=line, color="black", label=label)
    c.legend(
        loc="center left",
        bbox_to_anchor=(0.02, 0.55),
        handlelength=2.2,
        fontsize=6.5,
        labelspacing=0.25,
        borderpad=0.1,
    )


def draw_slopes(axes, fits):
    """All fitted slopes with their intervals, beside the theory's."""
    for k, name in enumerate(MOVED):
        for regime, shift in (("benign", -0.17), ("harmful", 0.17)):
            fit, (colour, _, marker) = fits[regime, name], LOOKS[regime]
            axes.plot(
                [ORDERS[regime][name]] * 2, [k + shift - 0.15, k + shift + 0.15], color="black", linewidth=1.0
            )
            interval = [[fit.exponent - fit.low], [fit.high - fit.exponent]]
            axes.errorbar(
                fit.exponent,
                k + shift,
                xerr=interval,
                color=colour,
                marker=marker,
                markersize=3.2,
                capsize=2,
                linewidth=0.9,
            )
    axes.set(xlabel="slope of $T$", title="(i) slopes, 95% intervals")
    axes.set_yticks(range(len(MOVED)), [symbol for _, symbol in MOVED.values()])
    axes.set_ylim(len(MOVED) - 0.5, -0.5)


def make(options):
    """The figure, its numbers and its caption."""
    size = sizes(options.quick)
    times, shares, runs, limit = measure(size, options)
    settings, tables = settings_moved(size), {regime: epsilon_table(runs, regime) for regime in ORDERS}
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
    header = ["what", "regime", "moved", "value", "seed", "number", "low", "high"]
    caption = CAPTION.format(
        N=size["N"], epsilon=size["base"][1], seeds=size["seeds"], few=size["epsilon_seeds"]
    )
    files = save(
        figure,
        "convergence",
        caption,
        header,
        rows_of(values, times, shares, tables, fits, others, limit, options),
        options,
    )
    bases = {regime: settings_of(convergence.base_setting(regime, *size["base"])) for regime in ORDERS}
    return Result(files, lines_of(tables, fits, others, shares), {"bases": bases, "seeds": size["seeds"]})


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
                found.append(
                    (
                        "T in the limit",
                        regime,
                        name,
                        one,
                        "",
                        limit[regime, name][k, convergence.HOLD_AT],
                        "",
                        "",
                    )
                )
    for regime, (epsilon, T, held, attention) in tables.items():
        for what, x, of_seeds in (
            ("T", epsilon, T),
            ("T, attention held", epsilon[convergence.HOLD_AT :], held),
        ):
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
        "slope of T [95% interval] (the theory's); slope of T a^2, a the attention on the winner at the end, mean over all rows:"
    ]
    for name in MOVED:
        for regime in ORDERS:
            fit, other = fits[regime, name], dict(others.get((regime, name), {}))
            text = f"  {name}, {regime}: {fit.exponent:.3f} [{fit.low:.3f}, {fit.high:.3f}] ({ORDERS[regime][name]:d})"
            if other:
                a = shares[regime, name].mean(axis=1)
                text += f"; T a^2 {other.pop('T a^2').exponent:.3f}, a from {a.min():.2f} to {a.max():.2f}"
            if other:
                text += "; T in the limit at epsilon = " + ", ".join(
                    f"{what[6:]}: {one.exponent:.2f}" for what, one in other.items()
                )
            lines.append(text)
    at = convergence.HOLD_AT
    for regime, (epsilon, T, held, attention) in tables.items():
        slopes = convergence.local_slopes(epsilon, T.mean(axis=1))[1]
        shown = ", ".join(f"{one:.3f}" for one in slopes)
        lines.append(
            f"{regime}, local slopes in epsilon by half decades from 1e-2 to {epsilon[-1]:.0e}: {shown}"
        )
        slopes = convergence.local_slopes(epsilon[at:], held.mean(axis=1))[1]
        lines.append("  with attention held from 1e-3 on: " + ", ".join(f"{one:.3f}" for one in slopes))
        change = (attention[-1] - attention[at]) * (1, 1, 6)  # M = 8: six rows of small tokens
        rows = ", ".join(
            f"{row} {attention[at, j]:.4f} to {attention[-1, j]:.4f}"
            for j, row in enumerate(("the signal", "xi_2", "xi_i"))
        )
        share = f"{100 * change[2] / change.sum():.1f}% of the change is in the rows of xi_i"
        lines.append(f"  attention on the winner from 1e-3 to {epsilon[-1]:.0e}, rows of {rows}; {share}")
    return lines
