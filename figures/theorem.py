"""T1 and T2 where their Condition holds: T over its order, and L_D, over N, epsilon and d."""

from typing import NamedTuple

import numpy as np
from matplotlib.patches import Patch

from benign_ref.experiments import theorem
from benign_ref.paper.theorems import THEOREMS
from benign_ref.plots import BLUE, VERMILLION
from benign_ref.runtime.resume import compute

from .common import WIDTH, finish, legend_below, log_axis, mark, plt

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
MARKS = {theorem.HOLDS: "o", theorem.FAILS: "x", theorem.UNDECIDED: "o"}
FILL = {theorem.UNDECIDED: "white"}
NAMES = {"mu": r"$\|\mu\|$", "w_O": r"$\|w_O\|$", "N": "$N$", "sigma_p^2 d": r"$\sigma_p^2 d$"}
SIZES = {  # N, epsilon, margins of d at the middle N and epsilon, draws a point
    "full": ((10, 20, 40, 80), (0.1, 0.03, 0.01), (10, 10**3, 10**5), 5),
    "quick": ((4, 8), (0.1, 0.03), (10, 10**4), 2),
}


class Row(NamedTuple):
    """One run, in law or in the limit (seed ""): where, T, T over its order, L_D."""

    engine: str
    regime: str
    N: int
    epsilon: float
    d: int
    seed: int | str
    T: int
    T_over_order: float
    L_D: float


def places(size):
    """(N, epsilon, margin of d) of all runs: the least d over N and epsilon, further d at one of them."""
    Ns, epsilons, margins, _ = SIZES[size]
    found = [(N, epsilon, theorem.MARGIN) for N in Ns for epsilon in epsilons]
    return found + [(Ns[1], epsilons[1], margin) for margin in margins if margin != theorem.MARGIN]


def row_of(engine, regime, N, epsilon, margin, seed, steps, test_loss):
    """The Row of where a run ends."""
    s = theorem.condition_setting(theorem.X[regime], N, epsilon, d_margin=margin)
    return Row(engine, regime, N, epsilon, s.d, seed, steps, steps / THEOREMS[regime].order(s), test_loss)


def over(axes, rows, x, y, side):
    """What is in `rows` over x: draws as dots side by side, by factors up to `side`, and the limit's line."""
    limit = sorted((getattr(row, x), getattr(row, y)) for row in rows if row.engine == "limit")
    drawn = [row for row in rows if row.engine == "law"]
    seeds = sorted({row.seed for row in drawn})
    beside = dict(zip(seeds, side ** np.linspace(-1, 1, len(seeds)), strict=True))
    colour = COLOURS[rows[0].regime]
    axes.plot(*zip(*limit, strict=True), color=colour, linewidth=0.9)
    axes.plot([getattr(row, x) * beside[row.seed] for row in drawn], [getattr(row, y) for row in drawn], ".",
              color=colour, markersize=3.5, markeredgewidth=0)  # fmt: skip


def paint(panels, rows, size):
    """Three rows of panels: T over its order, benign and harmful, and L_D of both; over N, epsilon and d."""
    Ns, epsilons, _, _ = SIZES[size]
    for k, regime in enumerate(THEOREMS):
        least = {(N, epsilon): min(row.d for row in rows if row[1:4] == (regime, N, epsilon))
                 for N in Ns for epsilon in epsilons}  # fmt: skip
        path = [row for row in rows if row.regime == regime and row.d == least[row.N, row.epsilon]]
        for line, y in ((k, "T_over_order"), (2, "L_D")):
            for epsilon in epsilons:
                over(panels[line][0], [row for row in path if row.epsilon == epsilon], "N", y, 1.04)
            for N in Ns:
                over(panels[line][1], [row for row in path if row.N == N], "epsilon", y, 1.04)
            at = [row for row in rows if row[1:4] == (regime, Ns[1], epsilons[1])]
            over(panels[line][2], at, "d", y, 1.3)
    titles = "$T$ / order, benign", "$T$ / order, harmful", "test loss $L_D$"
    for line, (title, letters) in enumerate(zip(titles, ("abc", "def", "ghi"), strict=True)):
        for axes, letter, name in zip(panels[line], letters, ("N", "\\epsilon", "d"), strict=True):
            axes.set_title(f"({letter}) {title}" if letter in "adg" else f"({letter})", loc="left")
            axes.set(xscale="log", ylim=(0, 1.15 * axes.dataLim.ymax))
            axes.set_xlabel(f"${name}$" if line == 2 else "")
        log_axis(panels[line][0], Ns, panels[line][0].get_xlabel())
        log_axis(panels[line][1], epsilons, panels[line][1].get_xlabel())


def paint_exponents(axes, regime, found, letter):
    """Claimed and local exponents of T, one column a quantity."""
    for k, one in enumerate(found):
        ends, near = [k - 0.4, k + 0.4], theorem.NEARER
        axes.fill_between(ends, one.claimed - near, one.claimed + near, color="0.88", linewidth=0)
        axes.plot(ends, [one.claimed] * 2, color="black", linewidth=0.9)
        axes.plot([k] * 2, [one.local.min(), one.local.max()], color=COLOURS[regime], linewidth=0.9)
        look = {"marker": MARKS[one.verdict], "markerfacecolor": FILL.get(one.verdict, COLOURS[regime])}
        axes.plot([k] * len(one.local), one.local, linestyle="", color=COLOURS[regime], markersize=4, **look)
    axes.set_xticks(range(len(found)), [NAMES.get(one.quantity, f"$\\{one.quantity}$") for one in found])
    axes.set(ylabel="exponent of $T$")
    axes.set_title(f"({letter}) {THEOREMS[regime].label}, {regime}: exponents one by one", loc="left")


def draw_legend(figure):
    """What the marks of all panels are."""
    grey = {"linestyle": "-", "linewidth": 0.9, "color": "0.35", "markersize": 4}
    legend_below(figure, [
        mark("benign, T1", color=BLUE, linestyle="-"),
        mark("harmful, T2", color=VERMILLION, linestyle="-"),
        mark("(a) to (i): draws in law", color="0.35", marker=".", markersize=3.5),
        mark("(a) to (i): the limit", color="0.35", linestyle="-", linewidth=0.9),
        mark("exponent claimed", linestyle="-", linewidth=0.9),
        Patch(color="0.88", linewidth=0, label="nearer to it than any rival"),
        mark("measured, range: holds", marker="o", **grey),
        mark("measured: does not hold", marker="x", **grey),
        mark("measured: undecided", marker="o", markerfacecolor="white", **grey),
    ], ncols=3)  # fmt: skip


def summary(rows, judged, size):
    """What is printed, and what the caption says of the runs and the verdicts."""
    Ns, epsilons, _, _ = SIZES[size]
    limit = {row[1:5]: row for row in rows if row.engine == "limit"}
    drawn = [row for row in rows if row.engine == "law"]
    worst_T = max(abs(row.T / limit[row[1:5]].T - 1) for row in drawn)
    worst_L = max(abs(row.L_D / limit[row[1:5]].L_D - 1) for row in drawn)
    lines = [f"in law, {len(drawn)} runs: T within {worst_T:.1%} of the limit's, L_D within {worst_L:.1%}"]
    verdicts = []
    for regime, found in judged.items():
        for epsilon in epsilons:
            path = [row for row in drawn if (row.regime, row.epsilon) == (regime, epsilon)]
            of_order, L_D = [row.T_over_order for row in path], [row.L_D for row in path]
            lines.append(
                f"{regime}, epsilon = {epsilon:g}, N = {Ns[0]} to {Ns[-1]}, in law: T / order "
                f"{min(of_order):.4g} to {max(of_order):.4g}, L_D {min(L_D):.3g} to {max(L_D):.3g}"
            )
        lines += [f"{regime}: {one}" for one in found]
        each = ", ".join(f"{one.quantity} {one.verdict}" for one in found if one.what == "T")
        verdicts.append(f"{THEOREMS[regime].label}: {each}")
    return lines, {"worst_T": worst_T, "worst_L": worst_L, "verdicts": "; ".join(verdicts)}


def make(options):
    """Compute the runs and the exponents, draw them, return a Result."""
    size = options.size
    Ns, epsilons, _, draws = SIZES[size]
    seeds = [options.seed + k for k in range(draws)]
    asked = [(regime, *place) for regime in theorem.X for place in places(size)]
    tasks = [(*place, seed) for place in asked for seed in seeds]
    bases = {regime: theorem.base_setting(regime).values() for regime in theorem.X}
    ends = compute(f"theorem-{size}", theorem.end_in_law, tasks, options, "runs", bases=bases)
    rows = [row_of("law", *task, *end) for task, end in ends.items()]
    rows += [row_of("limit", *place, "", *theorem.end_in_limit(*place[:3])) for place in asked]
    judged = {regime: list(theorem.exponents(regime, 2 if options.quick else 1)) for regime in theorem.X}
    figure, parts = plt.subplot_mosaic(MOSAIC, figsize=(WIDTH, 8.2))
    paint([[parts[letter] for letter in letters] for letters in ("abc", "def", "ghi")], rows, size)
    for letter, regime in zip("jk", theorem.X, strict=True):
        paint_exponents(parts[letter], regime, [one for one in judged[regime] if one.what == "T"], letter)
    draw_legend(figure)
    lines, words = summary(rows, judged, size)
    base = bases["benign"]
    caption = CAPTION.format(
        **theorem.X, **{name: base[name] for name in ("M", "C_p", "d_h")}, draws=draws, N_of_d=Ns[1],
        least_d=min(row.d for row in rows), largest_d=max(row.d for row in rows), epsilon_of_d=epsilons[1],
        **words,
    )  # fmt: skip
    header = [*Row._fields, "quantity", "exponents", "claimed", "verdict"]
    table = [(*row, "", "", "", "") for row in rows]
    for regime, found in judged.items():
        for one in found:
            local = " ".join(f"{k:.4f}" for k in one.local)
            empty = [""] * (len(Row._fields) - 2)
            table.append(
                ["limit", regime, *empty, f"{one.what} in {one.quantity}", local, one.claimed, one.verdict]
            )
    return finish(
        options,
        "theorem",
        figure,
        caption,
        [header, *table],
        lines,
        {"bases": bases, "size": SIZES[size], "seeds": seeds},
    )
