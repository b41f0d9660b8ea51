"""How sharp the boundary is, and whether the critical x is a constant."""

from typing import NamedTuple

import numpy as np

import benign_ref as br
from benign_ref.derived.boundary import setting_at
from benign_ref.experiments import sharpness
from benign_ref.experiments.sharpness import LEVELS, Draw, base_of, critical_x_in_limit, summary

from .common import LOOKS, WIDTH, bars, compute, finish, legend_below, level, line, mark, panel, plt

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
D_H, WIDE, START = 32, 256, 2.2  # two widths; x, where a search begins
WHERE = {"test_loss": "test loss 0.2", "attention": "attention 0.5"}
# Every axis: of (a), (c); of (b); seeds of x_c; the values of (e) and (f); points of a line
SIZES = {
    "quick": {
        "curves": [(8, 2), (8, 6), (3, 6)], "x": [0.5, 1.5, 2.0, 2.4, 4.0], "seeds": 2,
        "d": [10**3, 10**5], "near": [1.0, 2.1, 4.0], "d_seeds": 3, "wide_seeds": 0,
        "M": [2, 3], "N": [2], "c_seeds": 2, "sigma_h": [3.0], "epsilon": [3.0], "line": 10,
    },
    "full": {
        "curves": [(8, 2), (8, 6), (8, 16), (3, 6), (16, 6)],
        "x": [0.4, 0.6, 0.9, 1.2, 1.5, 1.8, 2.0, 2.1, 2.2, 2.4, 3.0, 5.0, 8.0], "seeds": 3,
        "d": [10**3, 10**4, 10**5, 10**6], "near": [0.5, 1.0, 1.6, 2.0, 2.15, 2.4, 4.0],
        "d_seeds": 10, "wide_seeds": 6, "M": [2, 3, 4, 8, 16], "N": [2, 12], "c_seeds": 4,
        "sigma_h": [0.1, 0.3, 3.0], "epsilon": [0.3, 3.0], "line": 80,
    },
}  # fmt: skip
SMALL = {"borderaxespad": 0.1, "labelspacing": 0.25}  # legends in a corner
WHOLE, FACTORS = [2, 3, 4, 6, 8, 12, 16, 24, 32], [0.1, 0.2, 0.3, 0.5, 1, 2, 3]
LINES = {  # where the limit is computed in (e) and (f)
    "quick": {"M": [2, 8], "N": [2, 8], "sigma_h": [0.3, 1], "epsilon": [0.5, 1]},
    "full": {"M": WHOLE, "N": WHOLE, "sigma_h": FACTORS, "epsilon": FACTORS},
}
LOSSES = {"ylabel": "test loss", "ylim": (0, 0.72)}
LEVEL_LINE = level(LEVELS["test_loss"], color="0.6", linewidth=0.7, label=f"{LEVELS['test_loss']:g}")


def drawn(M=8, N=6, d=10**5, d_h=D_H, epsilon=1, sigma_h=1.0):
    """A Draw of seed 0, to be replaced; epsilon and sigma_h by factors."""
    return Draw(M, N, d, d_h, 0, 0.01 * epsilon, sigma_h)


def of_seeds(what, x, draw, first, count):
    """Tasks for `measure`: one a seed."""
    return [(what, x, *draw._replace(seed=seed)) for seed in range(first, first + count)]


def all_tasks(size, first):
    """Every task of the figure, the longest kinds first: searches, by M N / epsilon."""
    asked = [
        *(("attention", START, drawn(d=d), size["d_seeds"]) for d in size["d"]),
        *((what, START, drawn(**{axis: value}), size["c_seeds"])  # of (e) and (f), at d = 1e5
          for axis in ("M", "N", "sigma_h", "epsilon") for value in size[axis] for what in WHERE),
        *(("attention", START, drawn(d=d, d_h=WIDE), size["wide_seeds"]) for d in size["d"]),
        *(("point", x, drawn(d=d), size["d_seeds"]) for d in size["d"] for x in size["near"]),
        *(("point", x, drawn(*of), size["seeds"]) for of in size["curves"] for x in size["x"]),
    ]  # fmt: skip
    tasks = [task for *of, count in asked for task in of_seeds(*of, first, count)]
    return sorted(tasks, key=lambda task: (task[0] == "point", -task[2] * task[3] / task[7]))


class Measured(NamedTuple):
    """The results of all tasks, by task, to be asked by the number of seeds, from the `first` on."""

    results: dict
    first: int

    def critical(self, what, draw, count):
        """CriticalX over `count` seeds."""
        return summary([self.results[task] for task in of_seeds(what, START, draw, self.first, count)])

    def points(self, xs, draw, count):
        """Arrays (len(xs), count) of the test loss and of the attention."""
        tasks = [of_seeds("point", x, draw, self.first, count) for x in xs]
        return np.array([[self.results[task][:3:2] for task in of_x] for of_x in tasks]).transpose(2, 0, 1)


def spreads(found, size):
    """(d): {label: one spread for each d}."""
    return {
        f"$x_c$, $d_h={d_h}$": [
            found.critical("attention", drawn(d=d, d_h=d_h), count).spread for d in size["d"]
        ]
        for d_h, count in ((D_H, size["d_seeds"]), (WIDE, size["wide_seeds"])) if count
    } | {
        f"test loss, $x={x:g}$": [
            float(np.std(np.log(found.points([x], drawn(d=d), size["d_seeds"])[0, 0]), ddof=1))
            for d in size["d"]
        ] for x in (1.0, 4.0)
    }  # fmt: skip


def draw_curves(loss_axes, attention_axes, found, size):
    ends = (min(size["x"]), max(size["x"])), (1.9, 2.5)
    x = np.sort(np.concatenate([np.geomspace(*of, size["line"]) for of in ends]))
    marks = [], []
    for (M, N), look in zip(size["curves"], LOOKS):
        runs = [br.train_in_limit(setting_at(one, M, N, base_of(drawn(M, N)))) for one in x]
        limit = [run.test_loss for run in runs], [run.attention["ss"] for run in runs]
        points = found.points(size["x"], drawn(M, N), size["seeds"]).mean(axis=2)
        dots = {**look, "markerfacecolor": "none"}
        for of_panel, values, computed in zip(marks, points, limit):
            of_panel += [line(x, computed, color=look["color"], linestyle=look["linestyle"]),
                         line(size["x"], values, **{**dots, "linestyle": "none"})]  # fmt: skip
        marks[1].append(line([], [], **dots, label=f"M={M}, N={N}"))
    panel(loss_axes, *marks[0], LEVEL_LINE, title="(a) test loss", log_x=([0.5, 1, 2, 4, 8], r"$x$"),
          legend={"loc": "upper right"}, **LOSSES)  # fmt: skip
    panel(attention_axes, *marks[1], title="(c) attention on the signal", ylabel=r"attention $S_{11}$",
          log_x=([1.5, 2, 3, 4], r"$x$"),
          legend={"loc": "center right", "handlelength": 2.6, "borderaxespad": 0.1})  # fmt: skip
    attention_axes.set_xlim(1.4, 4.2)


def draw_near(axes, found, size):
    marks, near = [], np.array(size["near"])
    for d, look, shift in zip(size["d"], LOOKS, (0.985, 0.995, 1.005, 1.015)):
        loss, _ = found.points(near.tolist(), drawn(d=d), size["d_seeds"])
        look = {**look, "markersize": 2.5, "linewidth": 1, "elinewidth": 0.8, "capsize": 1.5}
        middle, spread, label = loss.mean(axis=1), loss.std(axis=1, ddof=1), f"$d=10^{round(np.log10(d))}$"
        marks.append(bars(near * shift, middle, spread, **look, label=label))
    panel(axes, *marks, LEVEL_LINE, title="(b) near the step, M=8, N=6", log_x=([0.5, 1, 2, 4], r"$x$"),
          legend={"loc": "upper right", "handlelength": 2.6}, **LOSSES)  # fmt: skip


def draw_spreads(axes, values, size):
    ends, seen = np.array([size["d"][0], size["d"][-1]], dtype=float), np.concatenate([*values.values()])
    guide = 1.3 * seen.max() * (ends / ends[0]) ** -0.5
    curves = (line(size["d"], of, **look, label=label) for (label, of), look in zip(values.items(), LOOKS))
    panel(axes, *curves, line(ends, guide, color="0.6", linewidth=0.8, label="slope $-1/2$"), xscale="log",
          yscale="log", xlabel=r"$d$", ylabel="spread over draws (of logs)",
          title="(d) spread against $d$", ylim=(seen.min() / 12, 1.95 * seen.max()),
          legend={"loc": "lower left", "handlelength": 2.6, **SMALL})  # fmt: skip


def critical_rows(found, size, lines):
    """(e) and (f): (name of an axis, quantity, values, CriticalX there, limit's values, limit's x_c)."""
    for name, of_limit in lines.items():
        there, fine = sorted(size[name]), sorted({*of_limit, *size[name]})
        for what in WHERE:
            measured = [found.critical(what, drawn(**{name: value}), size["c_seeds"]) for value in there]
            computed = [critical_x_in_limit(drawn(**{name: value}), what) for value in fine]
            yield name, what, there, measured, fine, computed


def draw_critical(axes, rows, symbols, title, log_x):
    """(e) or (f): for each axis and each quantity, the limit's line and the measured x_c."""
    marks = []
    for (name, what, there, measured, fine, computed), look in zip(rows, LOOKS):
        look = {**look, "linewidth": 1}
        dots = {**look, "linestyle": "none", "linewidth": None, "capsize": 1.5}
        marks += [
            line(fine, computed, **{**look, "marker": ""}),
            bars(there, [c.x for c in measured], [c.error for c in measured], **dots),
            line([], [], **look, label=f"{symbols[name]}: {WHERE[what]}"),
        ]
    panel(axes, *marks, ylabel=r"$x_c$", title=title, ylim=(0.5, 2.6), log_x=log_x,
          legend={"loc": "lower right", "handlelength": 2.6, **SMALL})  # fmt: skip


def report(rows, values, size):
    """The printed lines: what is sharp, what is not, whether x_c is a constant, what the paper's number
    is.
    """
    base = base_of(drawn())
    low, high = (br.attention_x(8, 6, level=level, base=base, tolerance=1e-4) for level in (0.1, 0.9))
    ends = [
        br.train_in_limit(setting_at(x, 8, 6, base)).test_loss for x in (0.4, low / 1.01, high * 1.01, 8.0)
    ]
    lines, limits = [], {what: [] for what in WHERE}
    for name, what, there, measured, fine, computed in rows:
        limit = [computed[fine.index(value)] for value in there]
        limits[what] += limit
        shown = "; ".join(f"{value:g}: {c} (limit {x:.3f})" for value, c, x in zip(there, measured, limit))
        factor = " (factor)" * (name in ("sigma_h", "epsilon"))
        lines.append(f"x_c of {WHERE[what]} by {name}{factor}: {shown}")
    ranges = {what: f"from {np.nanmin(of):.2f} to {np.nanmax(of):.2f}" for what, of in limits.items()}
    with_C_p = [br.attention_x(16, 6, base=base.replace(C_p=C_p)) for C_p in (10.0, 20.0, 80.0)]
    lost, attended = (critical_x_in_limit(Draw(16, 10, 1024, 64, 0), what) for what in WHERE)
    return [
        f"sharp: the attention; in the limit at M=8, N=6 it goes from 0.1 to 0.9 over a factor of "
        f"{high / low:.4f}, at x = {low:.3f}",
        "not sharp: the test loss; it is {:.2f} at x = 0.4, {:.2f} and {:.2f} 1% below and above that x, "
        "{:.3f} at x = 8".format(*ends),
        *(
            f"spread over draws of log {label}, by d: ".replace("$", "")
            + ", ".join(f"{s:.2g} at {d:.0e}" for d, s in zip(size["d"], spread))
            for label, spread in values.items()
        ),
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


def draw(found, size, rows, values):
    figure, ((a, b, c), (d, e, f)) = plt.subplots(2, 3, figsize=(WIDTH, 4.7))
    draw_curves(a, c, found, size)
    draw_near(b, found, size)
    draw_spreads(d, values, size)
    legend_below(figure, [mark("(a), (c), (e), (f): mean over draws", marker="o", markersize=3, color="0.35"),
                          mark("the limit", linestyle="-", color="0.35")])  # fmt: skip
    draw_critical(e, rows[:4], {"M": "$M$", "N": "$N$"}, r"(e) critical $x$ by $M$ and $N$",
                  ([2, 4, 8, 16, 32], r"$M$ or $N$"))  # fmt: skip
    draw_critical(f, rows[4:], {"sigma_h": r"$\sigma_h$", "epsilon": r"$\epsilon$"},
                  r"(f) critical $x$ by $\sigma_h$, $\epsilon$",
                  ([0.1, 0.3, 1, 3], r"factor on $\sigma_h$ or $\epsilon$"))  # fmt: skip
    return figure


def make(options):
    size, decides = SIZES[options.size], {
        "levels": LEVELS, "factor": sharpness.FACTOR, "tolerance": sharpness.TOLERANCE,
        "samples": (sharpness.SAMPLES, sharpness.SEARCH_SAMPLES),
    }  # fmt: skip
    tasks = all_tasks(size, options.seed)
    results = compute("sharpness", sharpness.measure, tasks, options, "draws", **decides)
    found = Measured(results, options.seed)
    values, rows = spreads(found, size), list(critical_rows(found, size, LINES[options.size]))
    return finish(
        options, "sharpness",
        figure=draw(found, size, rows, values),
        caption=CAPTION.format(attention=LEVELS["attention"], d_h=D_H, curve_d=drawn().d,
                               level=LEVELS["test_loss"]),
        table=[
            ["what", "x or start", *Draw._fields, "test_loss or x_c", "standard_error", "attention", "steps",
             "converged"],
            *([*task, *(value if isinstance(value, list) else [value])]
              for task, value in results.items()),
        ],
        lines=report(rows, values, size),
        settings={**decides, **size, "draw": drawn()._asdict()},
    )  # fmt: skip
