"""The panels of the figure `convergence`."""

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from benign_ref.experiments.convergence import HOLD_AT, local_slopes
from benign_ref.paper.theorems import ORDERS

from .common import WIDTH, bars, legend_below, level, line, mark, panel, plt

LOOKS = {"benign": ("#0072B2", "-", "o"), "harmful": ("#D55E00", (0, (6, 1.5, 1, 1.5)), "s")}
MOVED = {  # what is moved: its value at a Setting, its name in mathematics
    "epsilon": (lambda s: s.epsilon, r"$\epsilon$"),
    "eta": (lambda s: s.eta, r"$\eta$"),
    "w_O": (lambda s: s.w_O_norm, r"$\Vert w_O\Vert$"),
    "mu": (lambda s: s.mu_norm, r"$\Vert\mu\Vert$"),
    "N": (lambda s: s.N, r"$N$"),
    "sigma_p^2 d": (lambda s: s.noise_norm**2, r"$\sigma_p^2 d$"),
}
SMALL = {"handlelength": 2.2, "fontsize": 6.5, "labelspacing": 0.25, "borderpad": 0.1}  # of legends


def law_marks(x, T, regime, fit, theory):
    """Runs, their fit, and the theory's slope through their geometric middle."""
    (colour, style, marker), ends = LOOKS[regime], np.array([np.min(x), np.max(x)], dtype=float)
    claimed = np.exp(np.log(T).mean()) * (ends / np.exp(np.log(x).mean())) ** theory
    return [
        line(np.repeat(x, T.shape[1]), T.ravel(), marker, color=colour, markersize=3.2,
             markerfacecolor="none", markeredgewidth=0.8),
        line(ends, fit.prefactor * ends**fit.exponent, color=colour, linestyle=style,
             label=f"{regime} ${fit.exponent:.2f}$ (${theory:g}$)"),
        line(ends, claimed, color="black", linestyle=":", linewidth=0.9),
    ]  # fmt: skip


def draw_moved(axes, name, letter, moves, fits):
    marks, symbol = [], MOVED[name][1]
    for regime in ORDERS:
        x, T, _, limit = moves[regime, name]
        marks += law_marks(x, T, regime, fits[regime, name], ORDERS[regime][name])
        marks += [
            line(x, T, "x", color="black", markersize=3, markeredgewidth=0.7) for T in limit.T[HOLD_AT:][:1]
        ]
    ticks = sorted({float(f"{one:.2g}") for regime in ORDERS for one in moves[regime, name].x})
    title, wide = f"({letter}) moving {symbol}", (ticks[-1] / ticks[0]) ** 0.22
    panel(axes, *marks, title=title, yscale="log", ylabel="steps $T$", log_x=(spaced(ticks, wide), symbol))
    plain_steps(axes)


def plain_steps(axes):
    """T's axis in thousands, and room above for the legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)
    subs = (1, 2, 5) if high / low < 100 else (1,)
    axes.yaxis.set(
        major_locator=LogLocator(subs=subs), minor_locator=NullLocator(), major_formatter=in_thousands
    )
    axes.legend(loc="upper center", **SMALL)


def in_thousands(T, place):
    """The label of a tick."""
    return f"{T / 1000:g}k"


def spaced(ticks, factor):
    """Of increasing ticks, those at least a factor apart."""
    chosen = ticks[:1]
    for tick in ticks[1:]:
        if tick >= factor * chosen[-1]:
            chosen.append(tick)
    return chosen


def draw_epsilon(panels, passed, fits):
    """T against epsilon, its local slopes, and the attention that is still moving."""
    a, b, c = [], [], []
    for regime, (epsilon, T, held, attention) in passed.items():
        colour, style, marker = LOOKS[regime]
        a += law_marks(epsilon, T, regime, fits[regime, "epsilon"], -1)
        look, held_on = {"color": colour, "markersize": 3.2}, {"linestyle": ":", "markerfacecolor": "white"}
        for x, times, own in ((epsilon, T, {"linestyle": style, "label": regime}),
                              (epsilon[HOLD_AT:], held, {"label": "held", **held_on})):  # fmt: skip
            middles, slopes = local_slopes(x, times.T)
            b += [line(middles, slopes.mean(axis=0), marker, **look, **own)] * (slopes.size > 0)
        c += [line(epsilon, of_row, marker=of, linestyle=its, **look)
              for of_row, its, of in zip(attention.T, (":", "--", style), (None, None, marker))]  # fmt: skip
    names = {":": "signal's row", "--": r"row of $\xi_2$", "-": r"rows of $\xi_i,\ i\geq 3$"}
    c += [line([], [], linestyle=its, color="black", label=name) for its, name in names.items()]
    panel(panels[0], *a, yscale="log", ylabel="steps $T$", title=r"(a) moving $\epsilon$")
    plain_steps(panels[0])
    panel(panels[1], *b, level(-1, color="black", linewidth=0.9, linestyle=":"), ylim=(-1.42, -0.25),
          ylabel=r"$d\,\log T\,/\,d\,\log\epsilon$", title=r"(b) local slopes of (a)",
          legend={"ncols": 2, "loc": "upper center", "columnspacing": 0.8, **SMALL})  # fmt: skip
    panel(panels[2], *c, ylabel="attention on the winner", title="(c) attention on the way", ylim=(0, 1.05),
          legend={"loc": "center left", "bbox_to_anchor": (0.02, 0.55), **SMALL})  # fmt: skip
    for axes in panels:
        axes.set(xscale="log", xlabel=r"$\epsilon$", xlim=(1.3 * epsilon[0], epsilon[-1] / 1.3))
        axes.xaxis.set(major_locator=LogLocator(), minor_locator=NullLocator())


def draw_slopes(axes, fits):
    marks, shifts = [], {"benign": -0.17, "harmful": 0.17}
    for (regime, name), (slope, low, high, _) in fits.items():
        at, (colour, _, marker) = list(MOVED).index(name) + shifts[regime], LOOKS[regime]
        marks += [
            line([ORDERS[regime][name]] * 2, [at - 0.15, at + 0.15], color="black", linewidth=1.0),
            bars(slope, at, xerr=[[slope - low], [high - slope]], color=colour, marker=marker, markersize=3.2,
                 capsize=2, linewidth=0.9),
        ]  # fmt: skip
    panel(axes, *marks, xlabel="slope of $T$", title="(i) slopes, 95% intervals", yticks=range(len(MOVED)),
          yticklabels=[symbol for _, symbol in MOVED.values()], ylim=(len(MOVED) - 0.5, -0.5))  # fmt: skip


def draw(moves, passed, fits):
    figure, grid = plt.subplots(3, 3, figsize=(WIDTH, 7.0))
    draw_epsilon(grid[0], passed, fits)
    for axes, letter, name in zip(grid.ravel()[3:], "defgh", list(MOVED)[1:]):
        draw_moved(axes, name, letter, moves, fits)
    draw_slopes(grid[2, 2], fits)
    limit = any(of.limit.size for of in moves.values())
    legend_below(figure, [
        *(mark(regime, color=colour, linestyle=style, marker=marker, markersize=3.2, markerfacecolor="none")
          for regime, (colour, style, marker) in LOOKS.items()),
        mark("the theory's slope", linestyle=":", linewidth=0.9),
        *[mark("the limit", marker="x", markersize=3, markeredgewidth=0.7)] * limit,
        mark("the theory's slope in (i)", marker="|", markersize=8),
    ], ncols=5)  # fmt: skip
    return figure
