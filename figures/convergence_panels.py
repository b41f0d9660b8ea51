"""The panels of the figure `convergence`."""

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benign_ref.experiments import convergence
from benign_ref.paper.theorems import ORDERS

from .common import legend_below, log_axis, mark

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


def law_line(axes, x, T, regime, name, fit, theory):
    """Runs, their fit, and the theory's slope through their geometric middle."""
    colour, style, marker = LOOKS[regime]
    x, T = np.asarray(x, dtype=float), np.asarray(T, dtype=float)
    hollow = {"markersize": 3.2, "markerfacecolor": "none", "markeredgewidth": 0.8}
    axes.plot(np.repeat(x, T.shape[1]), T.ravel(), marker, color=colour, **hollow)
    ends = np.array([x.min(), x.max()])
    label = f"{regime} ${fit.exponent:.2f}$ (${theory:g}$)"
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
            computed = limit[regime, name][:, convergence.HOLD_AT]
            axes.plot(x, computed, "x", color="black", markersize=3, markeredgewidth=0.7)
        ticks |= {float(f"{one:.2g}") for one in x}
    axes.set(yscale="log", ylabel="steps $T$", title=f"({letter}) moving {symbol}")
    log_axis(axes, spaced(sorted(ticks), (max(ticks) / min(ticks)) ** 0.22), symbol)
    plain_steps(axes)


def plain_steps(axes):
    """T's axis in thousands, and room above for the legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda T, _: f"{T / 1000:g}k"))
    axes.legend(loc="upper center", **SMALL)


def spaced(ticks, factor):
    """Of increasing ticks, those at least a factor apart."""
    chosen = [ticks[0]]
    for tick in ticks[1:]:
        if tick >= factor * chosen[-1]:
            chosen.append(tick)
    return chosen


def mean_slopes(x, T):
    """Local slopes of T (values, seeds) over x, means over seeds, at the geometric middles of x."""
    slopes = [convergence.local_slopes(x, of_seed) for of_seed in T.T]
    return slopes[0][0], np.mean([slope for _, slope in slopes], axis=0)


def draw_epsilon(panels, tables, fits):
    """T against epsilon, its local slopes, and the attention that is still moving."""
    a, b, c = panels
    for regime, (epsilon, T, held, attention) in tables.items():
        colour, style, marker = LOOKS[regime]
        law_line(a, epsilon, T, regime, "epsilon", fits[regime, "epsilon"], -1)
        look = {"color": colour, "markersize": 3.2}
        b.plot(*mean_slopes(epsilon, T), marker, linestyle=style, label=regime, **look)
        if len(held) > 1:
            from_there = mean_slopes(epsilon[convergence.HOLD_AT :], held)
            b.plot(*from_there, marker, linestyle=":", markerfacecolor="white", label="held", **look)
        for j, line in enumerate((":", "--", style)):
            c.plot(epsilon, attention[:, j], marker=marker if j == 2 else None, linestyle=line, **look)
    b.axhline(-1, color="black", linewidth=0.9, linestyle=":")
    for axes in panels:
        axes.set(xscale="log", xlabel=r"$\epsilon$", xlim=(1.3 * epsilon[0], epsilon[-1] / 1.3))
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_locator(NullLocator())
    a.set(yscale="log", ylabel="steps $T$", title=r"(a) moving $\epsilon$")
    plain_steps(a)
    b.set(ylabel=r"$d\,\log T\,/\,d\,\log\epsilon$", title=r"(b) local slopes of (a)", ylim=(-1.42, -0.25))
    b.legend(ncols=2, loc="upper center", columnspacing=0.8, **SMALL)
    c.set(ylabel="attention on the winner", title="(c) attention on the way", ylim=(0, 1.05))
    for line, label in zip(
        (":", "--", "-"), ("signal's row", r"row of $\xi_2$", r"rows of $\xi_i,\ i\geq 3$")
    ):
        c.plot([], [], linestyle=line, color="black", label=label)
    c.legend(loc="center left", bbox_to_anchor=(0.02, 0.55), **SMALL)


def draw_slopes(axes, fits):
    """All fitted slopes with their intervals, beside the theory's."""
    for k, name in enumerate(MOVED):
        for regime, shift in (("benign", -0.17), ("harmful", 0.17)):
            fit, (colour, _, marker) = fits[regime, name], LOOKS[regime]
            ends = [k + shift - 0.15, k + shift + 0.15]
            axes.plot([ORDERS[regime][name]] * 2, ends, color="black", linewidth=1.0)
            interval = [[fit.exponent - fit.low], [fit.high - fit.exponent]]
            look = {"color": colour, "marker": marker, "markersize": 3.2, "capsize": 2, "linewidth": 0.9}
            axes.errorbar(fit.exponent, k + shift, xerr=interval, **look)
    axes.set(xlabel="slope of $T$", title="(i) slopes, 95% intervals")
    axes.set_yticks(range(len(MOVED)), [symbol for _, symbol in MOVED.values()])
    axes.set_ylim(len(MOVED) - 0.5, -0.5)


def draw_legend(figure, limit):
    """What the marks of all panels are."""
    dots = [mark(regime, color=colour, linestyle=style, marker=marker, markersize=3.2, markerfacecolor="none")
            for regime, (colour, style, marker) in LOOKS.items()]  # fmt: skip
    theory = mark("the theory's slope", linestyle=":", linewidth=0.9)
    bar = mark("the theory's slope in (i)", marker="|", markersize=8)
    crosses = [mark("the limit", marker="x", markersize=3, markeredgewidth=0.7)] * bool(limit)
    legend_below(figure, [*dots, theory, *crosses, bar], ncols=5)
