"""How sharp the boundary is, and whether the critical x is a constant."""

import numpy as np

from benign_ref.derived.boundary import attention_x, setting_at
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments.sharpness import (
    FACTOR,
    LEVELS,
    SAMPLES,
    SEARCH_SAMPLES,
    TOLERANCE,
    Draw,
    base_of,
    critical_x_in_limit,
    measure,
)
from benign_ref.runtime.resume import compute

from .common import LOOKS, WIDTH, finish, legend_below, log_axis, mark, plt
from .sharpness_draws import D_H, WHERE, Measured, all_tasks, drawn, in_draw, places, sizes, spreads

TITLE = "how sharp the boundary is, against x = N SNR^2 / C_p^2"
CAPTION = """
Sharpness. Gradient descent stopped at training loss epsilon = 0.01 unless said otherwise, drawn in law,
against x = N SNR^2/C_p^2; C_p = 5 sqrt(M), d_h = {d_h}. Markers are means over draws; lines in (a),
(c), (e), (f) are the limit of large d and d_h at the same sigma_h^2 d_h (L1-L5 [D]), nothing fitted.
All of it is ours [C]. (a) Test loss for several (M, N), legend in (c), d = {curve_d:g}. (b) Test loss at
M = 8, N = 6: mean, and one standard deviation over draws, for several d. Grey in (a), (b): {level:g}.
(c) Attention of the signal on itself at the end of the runs of (a), mean over the training set, near the
step. (d) Spread over draws against d, as standard deviations of logarithms: of x_c, the x at which the
attention of one draw rises through {attention:g}, for two d_h, and of the test loss at x = 1 and x = 4
for d_h = {d_h}; grey: the slope -1/2, for comparison. (e) Critical x_c where the test loss falls through
{level:g} and where the attention rises through {attention:g}, against M at N = 6 and against N at M =
8. (f) The same at M = 8, N = 6 with sigma_h or epsilon multiplied by a factor. Bars in (e), (f):
standard errors. What was found is printed with this run's numbers.
"""
SMALL = {"handlelength": 2.6, "borderaxespad": 0.1, "labelspacing": 0.25}  # legends in a corner


def level_line(axes):
    """The level of the test loss."""
    level = LEVELS["test_loss"]
    axes.axhline(level, color="0.6", linewidth=0.7, label=f"{level:g}")
    axes.set(ylabel="test loss", ylim=(0, 0.72))
    axes.legend(loc="upper right", handlelength=2.6 if len(axes.containers) else None)


def draw_curves(loss_axes, attention_axes, found, size):
    """(a) and (c)."""
    line = np.sort(
        [*np.geomspace(min(size["x"]), max(size["x"]), size["line"]), *np.geomspace(1.9, 2.5, size["line"])]
    )
    for (M, N), look in zip(size["curves"], LOOKS):
        runs = [train_in_limit(setting_at(x, M, N, base_of(drawn(M, N)))) for x in line]
        limit = [run.test_loss for run in runs], [run.attention["ss"] for run in runs]
        points = found.points(size["x"], drawn(M, N), size["seeds"])
        dots = {**look, "linestyle": "none", "markerfacecolor": "none"}
        for axes, values, computed in zip((loss_axes, attention_axes), points, limit):
            axes.plot(line, computed, color=look["color"], linestyle=look["linestyle"])
            axes.plot(size["x"], values.mean(axis=1), **dots)
        attention_axes.plot([], [], **look, markerfacecolor="none", label=f"M={M}, N={N}")
    level_line(loss_axes)
    loss_axes.set_title("(a) test loss")
    attention_axes.set(ylabel=r"attention $S_{11}$", title="(c) attention on the signal")
    attention_axes.legend(loc="center right", handlelength=2.6, borderaxespad=0.1)
    log_axis(loss_axes, [0.5, 1, 2, 4, 8], r"$x$")
    log_axis(attention_axes, [1.5, 2, 3, 4], r"$x$")
    attention_axes.set_xlim(1.4, 4.2)


def draw_near(axes, found, size):
    """(b)."""
    for d, look, shift in zip(size["d"], LOOKS, (0.985, 0.995, 1.005, 1.015)):
        loss, _ = found.points(size["near"], drawn(d=d), size["d_seeds"])
        bars = {**look, "markersize": 2.5, "linewidth": 1, "elinewidth": 0.8, "capsize": 1.5}
        middle, spread = loss.mean(axis=1), loss.std(axis=1, ddof=1)
        label = f"$d=10^{round(np.log10(d))}$"
        axes.errorbar(np.array(size["near"]) * shift, middle, spread, **bars, label=label)
    level_line(axes)
    axes.set_title("(b) near the step, M=8, N=6")
    log_axis(axes, [0.5, 1, 2, 4], r"$x$")


def draw_spreads(axes, values, size):
    """(d)."""
    for (label, spread), look in zip(values.items(), LOOKS):
        axes.plot(size["d"], spread, **look, label=label)
    ends, seen = np.array([size["d"][0], size["d"][-1]], dtype=float), np.concatenate([*values.values()])
    guide = 1.3 * seen.max() * (ends / ends[0]) ** -0.5
    axes.plot(ends, guide, color="0.6", linewidth=0.8, label="slope $-1/2$")
    axes.set(xscale="log", yscale="log", xlabel=r"$d$", ylabel="spread over draws (of logs)",
             title="(d) spread against $d$", ylim=(seen.min() / 12, 1.95 * seen.max()))  # fmt: skip
    axes.legend(loc="lower left", **SMALL)


def draw_critical(axes, found, size, names, lines, legend):
    """(e) and (f): for each name of an axis and each quantity, the limit's line and the measured x_c.

    Returns rows (name, value, quantity, CriticalX, limit).
    """
    looks, rows = iter(LOOKS), []
    for name in names:
        there = sorted(value for axis, value in places(size) if axis == name)
        line = sorted({*lines[name], *there})
        for what, where in WHERE.items():
            look = {**next(looks), "linewidth": 1}
            measured = [found.critical(what, places(size)[name, value], size["c_seeds"]) for value in there]
            computed = [critical_x_in_limit(drawn(**in_draw(name, value)), what) for value in line]
            axes.plot(line, computed, **{**look, "marker": ""})
            dots = {**look, "linestyle": "none", "linewidth": None, "capsize": 1.5}
            axes.errorbar(there, [c.x for c in measured], [c.error for c in measured], **dots)
            axes.plot([], [], **look, label=f"{legend[name]}: {where}")
            rows += [(name, value, what, c, computed[line.index(value)]) for value, c in zip(there, measured)]
    axes.set_ylabel(r"$x_c$")
    axes.legend(loc="lower right", **SMALL)
    return rows


def report(rows, values, size):
    """The printed lines: what is sharp, what is not, whether x_c is a constant, what the paper's number
    is.
    """
    base = base_of(drawn())
    low, high = (attention_x(8, 6, level=level, base=base, tolerance=1e-4) for level in (0.1, 0.9))
    ends = [train_in_limit(setting_at(x, 8, 6, base)).test_loss for x in (0.4, low / 1.01, high * 1.01, 8.0)]
    lines = [
        f"sharp: the attention; in the limit at M=8, N=6 it goes from 0.1 to 0.9 over a factor of "
        f"{high / low:.4f}, at x = {low:.3f}",
        "not sharp: the test loss; it is {:.2f} at x = 0.4, {:.2f} and {:.2f} 1% below and above that x, "
        "{:.3f} at x = 8".format(*ends),
    ]
    for label, spread in values.items():
        shown = ", ".join(f"{s:.2g} at {d:.0e}" for d, s in zip(size["d"], spread))
        lines.append(f"spread over draws of log {label.replace('$', '')}, by d: {shown}")
    factors = {"sigma_h": "sigma_h (factor)", "epsilon": "epsilon (factor)"}
    for name in ("M", "N", *factors):
        for what, where in WHERE.items():
            of_both = [(value, c, limit) for axis, value, quantity, c, limit in rows
                       if (axis, quantity) == (name, what)]  # fmt: skip
            shown = "; ".join(f"{value:g}: {c} (limit {limit:.3f})" for value, c, limit in of_both)
            lines.append(f"x_c of {where} by {factors.get(name, name)}: {shown}")
    ranges = {
        quantity: "from {:.2f} to {:.2f}".format(min(found), max(found))
        for quantity in WHERE
        for found in [[limit for *_, what, _, limit in rows if what == quantity and np.isfinite(limit)]]
    }
    with_C_p = [attention_x(16, 6, base=base.replace(C_p=C_p)) for C_p in (10.0, 20.0, 80.0)]
    lost, attended = (critical_x_in_limit(Draw(16, 10, 1024, 64, 0), what) for what in WHERE)
    return [
        *lines,
        f"a constant? Not exactly: over these the limit's x_c runs {ranges['attention']} for the attention, "
        f"{ranges['test_loss']} for the test loss",
        "x is the right variable: at M=16, N=6 the limit's x_c of the attention is "
        + ", ".join(f"{x:.3f}" for x in with_C_p)
        + " at C_p = 10, 20, 80",
        f"the paper's N SNR^2 = 1000 is x = 2.5 at M=16, C_p=20; at N=10, d_h=64 the limit has test loss 0.2 "
        f"at x = {lost:.2f}, attention 0.5 at {attended:.2f}: N SNR^2 = {400 * lost:.0f} and "
        f"{400 * attended:.0f}",
    ]


def make(options):
    """Draw every run, draw the six panels, return a Result."""
    size = sizes(options.quick)
    settings = {
        "levels": LEVELS,
        "factor": FACTOR,
        "tolerance": TOLERANCE,
        "samples": (SAMPLES, SEARCH_SAMPLES),
    }
    found = Measured(
        compute("sharpness", measure, all_tasks(size, options.seed), options, "draws", **settings),
        options.seed,
    )
    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 4.7))
    draw_curves(axes[0, 0], axes[0, 2], found, size)
    draw_near(axes[0, 1], found, size)
    values = spreads(found, size)
    draw_spreads(axes[1, 0], values, size)
    legend_below(figure, [mark("(a), (c), (e), (f): mean over draws", marker="o", markersize=3, color="0.35"),
                          mark("the limit", linestyle="-", color="0.35")])  # fmt: skip
    whole, factors = [2, 3, 4, 6, 8, 12, 16, 24, 32], [0.1, 0.2, 0.3, 0.5, 1, 2, 3]
    lines = {"M": whole, "N": whole, "sigma_h": factors, "epsilon": factors}
    if options.quick:
        lines = {"M": [2, 8], "N": [2, 8], "sigma_h": [0.3, 1], "epsilon": [0.5, 1]}
    rows = draw_critical(axes[1, 1], found, size, ("M", "N"), lines, {"M": "$M$", "N": "$N$"})
    log_axis(axes[1, 1], [2, 4, 8, 16, 32], r"$M$ or $N$")
    axes[1, 1].set(title=r"(e) critical $x$ by $M$ and $N$", ylim=(0.5, 2.6))
    rows += draw_critical(
        axes[1, 2],
        found,
        size,
        ("sigma_h", "epsilon"),
        lines,
        {"sigma_h": r"$\sigma_h$", "epsilon": r"$\epsilon$"},
    )
    log_axis(axes[1, 2], [0.1, 0.3, 1, 3], r"factor on $\sigma_h$ or $\epsilon$")
    axes[1, 2].set(title=r"(f) critical $x$ by $\sigma_h$, $\epsilon$", ylim=(0.5, 2.6))
    header = [
        "what",
        "x or start",
        *Draw._fields,
        "test_loss or x_c",
        "standard_error",
        "attention",
        "steps",
        "converged",
    ]
    table = [
        [*task, *(value if isinstance(value, list) else [value])] for task, value in found.results.items()
    ]
    filled = {"d_h": D_H, "curve_d": drawn().d, "level": LEVELS["test_loss"]}
    caption = CAPTION.format(attention=LEVELS["attention"], **filled)
    return finish(
        options,
        "sharpness",
        figure,
        caption,
        [header, *table],
        report(rows, values, size),
        {**settings, **size, "draw": drawn()._asdict()},
    )
