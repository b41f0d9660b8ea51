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

from .common import WIDTH, Result, legend_below, log_axis, mark, plt, save
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
LOOKS = (
    ("C0", "-", "o"),
    ("C1", "--", "s"),
    ("C2", "-.", "^"),
    ("C3", ":", "v"),
    ("C4", (0, (5, 1, 1, 1, 1, 1)), "D"),
)


def draw_curves(loss_axes, attention_axes, found, size):
    """(a) and (c)."""
    line = np.sort(
        np.concatenate(
            [np.geomspace(min(size["x"]), max(size["x"]), size["line"]), np.geomspace(1.9, 2.5, size["line"])]
        )
    )
    for (M, N), (colour, style, marker) in zip(size["curves"], LOOKS):
        runs = [train_in_limit(setting_at(x, M, N, base_of(drawn(M, N)))) for x in line]
        limit = (np.array([run.test_loss for run in runs]), np.array([run.attention["ss"] for run in runs]))
        for axes, values, computed in zip(
            (loss_axes, attention_axes), found.points(size["x"], drawn(M, N), size["seeds"]), limit
        ):
            axes.plot(line, computed, color=colour, linestyle=style)
            axes.plot(
                size["x"], values.mean(axis=1), marker, color=colour, markersize=3, markerfacecolor="none"
            )
        look = {
            "color": colour,
            "linestyle": style,
            "marker": marker,
            "markersize": 3,
            "markerfacecolor": "none",
        }
        attention_axes.plot([], [], **look, label=f"M={M}, N={N}")
    loss_axes.axhline(LEVELS["test_loss"], color="0.6", linewidth=0.7, label=f"{LEVELS['test_loss']:g}")
    loss_axes.legend(loc="upper right")
    loss_axes.set(ylabel="test loss", title="(a) test loss", ylim=(0, 0.72))
    attention_axes.set(ylabel=r"attention $S_{11}$", title="(c) attention on the signal")
    attention_axes.legend(loc="center right", handlelength=2.6, borderaxespad=0.1)
    log_axis(loss_axes, [0.5, 1, 2, 4, 8], r"$x$")
    log_axis(attention_axes, [1.5, 2, 3, 4], r"$x$")
    attention_axes.set_xlim(1.4, 4.2)


def draw_near(axes, found, size):
    """(b)."""
    for (d, (colour, style, marker)), shift in zip(zip(size["d"], LOOKS), (0.985, 0.995, 1.005, 1.015)):
        loss, _ = found.points(size["near"], drawn(d=d), size["d_seeds"])
        axes.errorbar(
            np.array(size["near"]) * shift, loss.mean(axis=1), loss.std(axis=1, ddof=1),
            color=colour, linestyle=style, marker=marker,
            markersize=2.5, linewidth=1, elinewidth=0.8, capsize=1.5, label=f"$d=10^{round(np.log10(d))}$",
        )  # fmt: skip
    axes.axhline(LEVELS["test_loss"], color="0.6", linewidth=0.7, label=f"{LEVELS['test_loss']:g}")
    axes.set(ylabel="test loss", title="(b) near the step, M=8, N=6", ylim=(0, 0.72))
    axes.legend(loc="upper right", handlelength=2.6)
    log_axis(axes, [0.5, 1, 2, 4], r"$x$")


def draw_spreads(axes, values, size):
    """(d)."""
    for (label, spread), (colour, style, marker) in zip(values.items(), LOOKS):
        axes.plot(size["d"], spread, color=colour, linestyle=style, marker=marker, markersize=3, label=label)
    ends = np.array([size["d"][0], size["d"][-1]], dtype=float)
    top = 1.3 * max(max(spread) for spread in values.values())
    axes.plot(ends, top * (ends / ends[0]) ** -0.5, color="0.6", linewidth=0.8, label="slope $-1/2$")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=r"$d$",
        ylabel="spread over draws (of logs)",
        title="(d) spread against $d$",
    )
    axes.set_ylim(0.25 * min(min(spread) for spread in values.values()) / 3, 1.5 * top)
    axes.legend(loc="lower left", ncols=1, handlelength=2.6, borderaxespad=0.1, labelspacing=0.25)


def draw_critical(axes, found, size, names, lines, legend):
    """(e) and (f): for each name of an axis and each quantity, the limit's line and the measured x_c.

    Returns rows (name, value, quantity, CriticalX, limit).
    """
    looks, rows = iter(LOOKS), []
    for name in names:
        for what, where in WHERE.items():
            colour, style, marker = next(looks)
            there = sorted(value for axis, value in places(size) if axis == name)
            measured = [found.critical(what, places(size)[name, value], size["c_seeds"]) for value in there]
            line = sorted({*lines[name], *there})
            computed = [critical_x_in_limit(drawn(**in_draw(name, value)), what) for value in line]
            axes.plot(line, computed, color=colour, linestyle=style, linewidth=1)
            middle, bars = [c.x for c in measured], [c.error for c in measured]
            axes.errorbar(
                there, middle, bars, color=colour, linestyle="none", marker=marker, markersize=3, capsize=1.5
            )
            axes.plot(
                [],
                [],
                color=colour,
                linestyle=style,
                linewidth=1,
                marker=marker,
                markersize=3,
                label=f"{legend[name]}: {where}",
            )
            rows += [(name, value, what, c, computed[line.index(value)]) for value, c in zip(there, measured)]
    axes.set_ylabel(r"$x_c$")
    axes.legend(loc="lower right", handlelength=2.6, borderaxespad=0.1, labelspacing=0.25)
    return rows


def report(rows, values, size):
    """The printed lines: what is sharp, what is not, whether x_c is a constant, what the paper's number
    is.
    """
    base = base_of(drawn())
    low, high = (attention_x(8, 6, level=level, base=base, tolerance=1e-4) for level in (0.1, 0.9))
    ends = [train_in_limit(setting_at(x, 8, 6, base)).test_loss for x in (0.4, low / 1.01, high * 1.01, 8.0)]
    lines = [
        (
            "sharp: the attention; in the limit at M=8, N=6 it goes from 0.1 to 0.9 over a factor of"
            f" {high / low:.4f}, at x = {low:.3f}"
        ),
        "not sharp: the test loss; it is {:.2f} at x = 0.4, {:.2f} and {:.2f} 1% below and above that x,"
        " {:.3f} at x = 8".format(*ends),
    ]
    for label, spread in values.items():
        shown = ", ".join(f"{s:.2g} at {d:.0e}" for d, s in zip(size["d"], spread))
        lines.append(f"spread over draws of log {label.replace('$', '')}, by d: {shown}")
    for name in ("M", "N", "sigma_h", "epsilon"):
        for what, where in WHERE.items():
            shown = "; ".join(
                f"{value:g}: {c} (limit {limit:.3f})"
                for axis, value, quantity, c, limit in rows
                if (axis, quantity) == (name, what)
            )
            lines.append(
                f"x_c of {where} by {name + ' (factor)' if name in ('sigma_h', 'epsilon') else name}: {shown}"
            )
    attended, lost = (
        [limit for _, _, what, _, limit in rows if what == quantity and np.isfinite(limit)]
        for quantity in ("attention", "test_loss")
    )
    lines.append(
        f"a constant? Not exactly: over these the limit's x_c runs from {min(attended):.2f} to"
        f" {max(attended):.2f} for the attention, from {min(lost):.2f} to {max(lost):.2f} for the test loss"
    )
    with_C_p = [attention_x(16, 6, base=base.replace(C_p=C_p)) for C_p in (10.0, 20.0, 80.0)]
    shown = ", ".join(f"{x:.3f}" for x in with_C_p)
    lines.append(
        f"x is the right variable: at M=16, N=6 the limit's x_c of the attention is {shown} at C_p = 10,"
        " 20, 80"
    )
    paper = [critical_x_in_limit(Draw(16, 10, 1024, 64, 0), what) for what in WHERE]
    lines.append(
        "the paper's N SNR^2 = 1000 is x = 2.5 at M=16, C_p=20; at N=10, d_h=64 the limit has test loss 0.2"
        f" at x = {paper[0]:.2f}, attention 0.5 at {paper[1]:.2f}: "
        + "N SNR^2 = {:.0f} and {:.0f}".format(*(400 * x for x in paper))
    )
    return lines


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
    files = save(figure, "sharpness", caption, header, table, options)
    return Result(files, report(rows, values, size), {**settings, **size, "draw": drawn()._asdict()})
