"""T1 and T2 where their Condition holds: T over its order, and L_D, over N, epsilon and d."""

from collections import namedtuple

import numpy as np
from matplotlib.patches import Patch

from benign_ref.experiments import theorem
from benign_ref.paper.theorems import THEOREMS
from benign_ref.plots import BLUE, VERMILLION

from .common import WIDTH, compute, finish, legend_below, line, log_axis, mark, panel, plt

TITLE = "T1 and T2 where their Condition holds: T / its order, L_D, and each exponent judged"
CAPTION = """
The theorems where their Condition holds. Gradient descent in law at x = N SNR^2/C_p^2 = {benign:g}
(benign, blue) and {harmful:g} (harmful, red), M = {M}, C_p = {C_p:g}, d_h = {d_h}: every one-sided
clause of the Condition [P*] is met with a margin of ten, its constants and logarithms set to 1, sigma_h ~
read as <~ (N >~ polylog(d) with its logarithms is met by no N at hand); sizes ours [C]. Here d goes
from {least_d:.2g} to {largest_d:.2g}. Points: single draws, {draws} a point, side by side; lines: the limit
of large d and d_h (L1-L5 [D]), nothing fitted. Columns: over N, d with it, for each epsilon; over
epsilon, for each N; over d by further margins, at N = {N_of_d}, epsilon = {epsilon_of_d:g}. Rows:
T divided by its order in T1, epsilon^{{-1}} eta^{{-1}} ||w_O||^{{-2}} ||mu||^{{-2}}; in T2, N
epsilon^{{-1}} eta^{{-1}} ||w_O||^{{-2}} sigma_p^{{-2}} d^{{-1}}; the test loss of both. T in law is
within {worst_T:.1%} of the limit's everywhere, L_D within {worst_L:.1%}. Bottom: each thing varied alone,
in the limit, all else held: local exponents of T between neighbouring points (dots), their range (bar),
the claimed exponent (black line) and the band of a quarter around it within which it is nearer than any
rival half a unit away (grey). The rule: all dots in the band, the claim holds over this range (filled);
none, it does not hold over this range (crosses); else undecided (open). Found: {verdicts}. No finite range
proves or refutes a Theta.
"""
MOSAIC = "aabbcc\nddeeff\ngghhii\njjjkkk"
COLOURS = {"benign": BLUE, "harmful": VERMILLION}
MARKS = {  # of a verdict
    theorem.HOLDS: {"marker": "o"},
    theorem.FAILS: {"marker": "x"},
    theorem.UNDECIDED: {"marker": "o", "markerfacecolor": "white"},
}
NAMES = {"mu": r"$\|\mu\|$", "w_O": r"$\|w_O\|$", "N": "$N$", "sigma_p^2 d": r"$\sigma_p^2 d$"}
SIZES = {  # N, epsilon, margins of d at the middle N and epsilon, draws a point
    "full": ((10, 20, 40, 80), (0.1, 0.03, 0.01), (10, 10**3, 10**5), 5),
    "quick": ((4, 8), (0.1, 0.03), (10, 10**4), 2),
}


# One run, in law or in the limit (seed ""): where, T, T over its order, L_D
Row = namedtuple("Row", "engine regime N epsilon d seed T T_over_order L_D")


def places(size):
    """(N, epsilon, margin of d) of all runs: the least d over N and epsilon, further d at one of them."""
    Ns, epsilons, margins, _ = SIZES[size]
    found = [(N, epsilon, theorem.MARGIN) for N in Ns for epsilon in epsilons]
    return found + [(Ns[1], epsilons[1], margin) for margin in margins if margin != theorem.MARGIN]


def row_of(engine, regime, N, epsilon, margin, seed, steps, test_loss):
    s = theorem.condition_setting(theorem.X[regime], N, epsilon, d_margin=margin)
    return Row(engine, regime, N, epsilon, s.d, seed, steps, steps / THEOREMS[regime].order(s), test_loss)


def over(rows, x, y, side):
    """Marks of `rows` over x: draws as dots side by side, by factors up to `side`, and the limit's line."""
    limit = sorted((getattr(row, x), getattr(row, y)) for row in rows if row.engine == "limit")
    drawn, colour = [row for row in rows if row.engine == "law"], COLOURS[rows[0].regime]
    seeds = sorted({row.seed for row in drawn})
    beside = dict(zip(seeds, side ** np.linspace(-1, 1, len(seeds)), strict=True))
    return [
        line(*zip(*limit, strict=True), color=colour, linewidth=0.9),
        line([getattr(row, x) * beside[row.seed] for row in drawn], [getattr(row, y) for row in drawn], ".",
             color=colour, markersize=3.5, markeredgewidth=0),
    ]  # fmt: skip


def columns(rows, regime, y, size):
    """Marks of y of a regime over N, epsilon and d: d with N and epsilon is the least there is."""
    Ns, epsilons, _, _ = SIZES[size]
    of_place = {(N, epsilon): [row for row in rows if row[1:4] == (regime, N, epsilon)]
                for N in Ns for epsilon in epsilons}  # fmt: skip
    least = {at: min(row.d for row in found) for at, found in of_place.items()}
    path = [row for row in rows if row.regime == regime and row.d == least[row.N, row.epsilon]]
    return (
        [
            mark
            for one in epsilons
            for mark in over([row for row in path if row.epsilon == one], "N", y, 1.04)
        ],
        [mark for N in Ns for mark in over([row for row in path if row.N == N], "epsilon", y, 1.04)],
        over(of_place[Ns[1], epsilons[1]], "d", y, 1.3),
    )


def paint(panels, rows, size):
    """Three rows of panels: T over its order, benign and harmful, and L_D of both; over N, epsilon and d."""
    shown = (("$T$ / order, benign", "T_over_order", ["benign"], "abc"),
             ("$T$ / order, harmful", "T_over_order", ["harmful"], "def"),
             ("test loss $L_D$", "L_D", ["benign", "harmful"], "ghi"))  # fmt: skip
    for axes_of_row, (title, y, regimes, letters) in zip(panels, shown, strict=True):
        marks = zip(*(columns(rows, regime, y, size) for regime in regimes))
        names = [f"${name}$" * (y == "L_D") for name in ("N", "\\epsilon", "d")]
        for axes, letter, name, of_regimes in zip(axes_of_row, letters, names, marks, strict=True):
            whole = f"({letter}) {title}" if letter in "adg" else f"({letter})"
            panel(axes, *sum(of_regimes, []), title=whole, place={"loc": "left"}, xscale="log", xlabel=name)
            axes.set_ylim(0, 1.15 * axes.dataLim.ymax)
        for axes, ticks, name in zip(axes_of_row[:2], SIZES[size], names):
            log_axis(axes, ticks, name)


def paint_exponents(axes, regime, found, letter):
    """Claimed and local exponents of T, one column a quantity."""
    marks, near, colour = [], theorem.NEARER, COLOURS[regime]
    for k, one in enumerate(found):
        ends, grey = [k - 0.4, k + 0.4], {"color": "0.88", "linewidth": 0}
        marks += [
            ("fill_between", (ends, one.claimed - near, one.claimed + near), grey),
            line(ends, [one.claimed] * 2, color="black", linewidth=0.9),
            line([k] * 2, [one.local.min(), one.local.max()], color=colour, linewidth=0.9),
            line([k] * len(one.local), one.local, linestyle="", color=colour, markersize=4,
                 **MARKS[one.verdict]),
        ]  # fmt: skip
    panel(axes, *marks, title=f"({letter}) {THEOREMS[regime].label}, {regime}: exponents one by one",
          place={"loc": "left"}, ylabel="exponent of $T$", xticks=range(len(found)),
          xticklabels=[NAMES.get(one.quantity, f"$\\{one.quantity}$") for one in found])  # fmt: skip


def draw(rows, judged, size):
    figure, parts = plt.subplot_mosaic(MOSAIC, figsize=(WIDTH, 8.2))
    paint([[parts[letter] for letter in letters] for letters in ("abc", "def", "ghi")], rows, size)
    for letter, regime in zip("jk", theorem.X, strict=True):
        paint_exponents(parts[letter], regime, [one for one in judged[regime] if one.what == "T"], letter)
    grey = {"linestyle": "-", "linewidth": 0.9, "color": "0.35", "markersize": 4}
    legend_below(figure, [
        mark("benign, T1", color=BLUE, linestyle="-"),
        mark("harmful, T2", color=VERMILLION, linestyle="-"),
        mark("(a) to (i): draws in law", color="0.35", marker=".", markersize=3.5),
        mark("(a) to (i): the limit", color="0.35", linestyle="-", linewidth=0.9),
        mark("exponent claimed", linestyle="-", linewidth=0.9),
        Patch(color="0.88", linewidth=0, label="nearer to it than any rival"),
        mark("measured, range: holds", **grey, **MARKS[theorem.HOLDS]),
        mark("measured: does not hold", **grey, **MARKS[theorem.FAILS]),
        mark("measured: undecided", **grey, **MARKS[theorem.UNDECIDED]),
    ], ncols=3)  # fmt: skip
    return figure


def summary(rows, judged, size):
    """What is printed, and what the caption says of the runs and the verdicts."""
    Ns, epsilons, _, _ = SIZES[size]
    limit = {row[1:5]: row for row in rows if row.engine == "limit"}
    drawn = [row for row in rows if row.engine == "law"]
    worst_T, worst_L = (
        max(abs(getattr(row, what) / getattr(limit[row[1:5]], what) - 1) for row in drawn)
        for what in ("T", "L_D")
    )
    lines = [f"in law, {len(drawn)} runs: T within {worst_T:.1%} of the limit's, L_D within {worst_L:.1%}"]
    for regime, found in judged.items():
        for epsilon in epsilons:
            path = [row for row in drawn if (row.regime, row.epsilon) == (regime, epsilon)]
            of_order, L_D = [row.T_over_order for row in path], [row.L_D for row in path]
            lines.append(
                f"{regime}, epsilon = {epsilon:g}, N = {Ns[0]} to {Ns[-1]}, in law: T / order "
                f"{min(of_order):.4g} to {max(of_order):.4g}, L_D {min(L_D):.3g} to {max(L_D):.3g}"
            )
        lines += [f"{regime}: {one}" for one in found]
    verdicts = "; ".join(
        f"{THEOREMS[regime].label}: "
        + ", ".join(f"{one.quantity} {one.verdict}" for one in found if one.what == "T")
        for regime, found in judged.items()
    )
    return lines, {"worst_T": worst_T, "worst_L": worst_L, "verdicts": verdicts}


def make(options):
    size = options.size
    Ns, epsilons, _, draws = SIZES[size]
    asked, seeds = [(regime, *place) for regime in theorem.X for place in places(size)], options.seeds(draws)
    bases = {regime: theorem.base_setting(regime).values() for regime in theorem.X}
    tasks = [(*place, seed) for place in asked for seed in seeds]
    ends = compute(f"theorem-{size}", theorem.end_in_law, tasks, options, "runs", bases=bases)
    rows = [row_of("law", *task, *end) for task, end in ends.items()]
    rows += [row_of("limit", *place, "", *theorem.end_in_limit(*place[:3])) for place in asked]
    judged = {regime: list(theorem.exponents(regime, 2 if options.quick else 1)) for regime in theorem.X}
    lines, words = summary(rows, judged, size)
    return finish(
        options, "theorem",
        figure=draw(rows, judged, size),
        caption=CAPTION.format(
            **theorem.X, **{name: bases["benign"][name] for name in ("M", "C_p", "d_h")}, draws=draws,
            N_of_d=Ns[1], least_d=min(row.d for row in rows), largest_d=max(row.d for row in rows),
            epsilon_of_d=epsilons[1], **words,
        ),
        table=[
            [*Row._fields, "quantity", "exponents", "claimed", "verdict"],
            *((*row, "", "", "", "") for row in rows),
            *(["limit", regime, *[""] * (len(Row._fields) - 2), f"{one.what} in {one.quantity}",
               " ".join(f"{k:.4f}" for k in one.local), one.claimed, one.verdict]
              for regime, found in judged.items() for one in found),
        ],
        lines=lines,
        settings={"bases": bases, "size": SIZES[size], "seeds": seeds},
    )  # fmt: skip
