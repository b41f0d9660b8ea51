"""The phase diagram computed from the limit, the measured cells on it, and how its error falls with
d and d_h.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np

import benign_ref as br
from benign_ref.derived.boundary import critical_x, limit_diagram, setting_at
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.experiments.sharpness import SAMPLES, Draw, base_of, limit_column, measure
from benign_ref.runtime.resume import compute

from .common import PAPER_RED, WHITE, WIDTH, curve, finish, log_axis, plt
from .small_steps import BASE, LEVEL
from .small_steps import measure as measured_cells

TITLE = "the phase diagram computed from the limit, and its error against d and d_h"
CAPTION = """
Boundary. (a) Test loss over SNR and N computed from the limit of large d and d_h (L1-L5 [D]), nothing
fitted and nothing random; odd and fractional N by continuing n = N/2, samples a class [C]. Dots: the
measured cells of the figure small_steps (gradient descent on real draws at d = {d}, mean over {cell_seeds}
seeds) in the same colour scale: a dot of which only the rim can be seen agrees. White, dashed: the computed
crossing of {level:g}; red: the paper's curve N SNR^2 = 1000 [P]. (b) Computed against measured test loss,
cell by cell; bars: standard deviation over seeds, wide at the step, where a draw falls on one side or the
other; grey: equality. (c) Error of the limit against d at M = 8, N = 6, d_h = {wide}, and (d) against
d_h at d = 10^7: root mean square over {seeds} draws in law of (measured - computed)/computed test loss,
at x = N SNR^2/C_p^2 = {xs}, below and above the step near 2.2. In both sigma_h^2 d_h is held, at its
default for d_h = 64, as the limit has it: with the default sigma_h ~ d_h^{{-1/4}} the logits of the start
would not shrink as d_h grows. Grey: the slope -1/2, for comparison. Nearer to the step errors grow, as a
draw may turn over at another x. All of it is ours, [C] where not [D].
"""
XS = (1.2, 1.8, 2.7, 4.0)  # of (c) and (d): 0.3 and more away from the step
LOOKS = (("C0", "-", "o"), ("C1", "--", "s"), ("C2", "-.", "^"), ("C3", ":", "v"))


def sizes(quick):
    """Points of the map along each axis; d of (c), d_h of (d); draws."""
    if quick:
        return {"map": 20, "d": [100, 1000, 10**4], "d_h": [4, 16, 64], "wide": 64, "seeds": 2, "xs": XS[1:3]}
    d = [100, 316, 1000, 3162, 10**4, 10**5, 10**6, 10**7]
    return {"map": 120, "d": d, "d_h": [4, 16, 64, 256, 1024], "wide": 256, "seeds": 6, "xs": XS}


def computed_map(options, cells, points):
    """SNR (points,), N (points,) and the limit's test loss (points,points) over the range of the measured
    cells, from N = 2 on.
    """
    snrs = np.linspace(cells.snrs.min() / 2, cells.snrs.max() + 1, points)
    Ns = np.linspace(2, cells.Ns.max() + 1, points)
    column = partial(limit_column, Ns=tuple(Ns.tolist()), base=BASE)
    if options.quick:  # shorter than the start of other processes
        return snrs, Ns, np.array([column(snr) for snr in snrs.tolist()])
    found = compute(
        "boundary-map",
        column,
        [(snr,) for snr in snrs.tolist()],
        options,
        "columns",
        **BASE.values(),
        Ns=Ns.tolist(),
    )
    return snrs, Ns, np.array([found[snr,] for snr in snrs.tolist()])


def draws_of(d, d_h, first, count):
    """`count` Draws at M = 8, N = 6, with kappa = sigma_h^2 d_h of the default at d_h = 64 held."""
    factor = (d_h / 64) ** -0.25  # the default is sigma_h ~ d_h^(-1/4)
    return [Draw(8, 6, d, d_h, seed, sigma_h_factor=factor) for seed in range(first, first + count)]


def errors(options, size):
    """{"d": (len(d), len(xs)), "d_h": …}: root mean square over draws of the limit's relative error; and rows
    for the table.
    """
    places = {"d": [(d, size["wide"]) for d in size["d"]], "d_h": [(10**7, d_h) for d_h in size["d_h"]]}
    asked = {place: draws_of(*place, options.seed, size["seeds"]) for place in {*places["d"], *places["d_h"]}}
    tasks = [("point", x, *draw) for draws in asked.values() for draw in draws for x in size["xs"]]
    found = compute(
        "boundary", measure, sorted(tasks, key=lambda task: -task[5]), options, "draws", samples=SAMPLES
    )
    result, rows = {}, []
    for name, along in places.items():
        result[name] = np.empty((len(along), len(size["xs"])))
        for i, place in enumerate(along):
            for j, x in enumerate(size["xs"]):
                computed = train_in_limit(setting_at(x, 8, 6, base_of(asked[place][0]))).test_loss
                measured = np.array([found[("point", x, *draw)][0] for draw in asked[place]])
                result[name][i, j] = np.sqrt(np.mean((measured / computed - 1) ** 2))
                rows.append(
                    [f"error against {name}", *place, x, measured.mean(), computed, result[name][i, j]]
                )
    return result, rows


def draw_map(axes, snrs, Ns, losses, cells):
    """(a). Returns the mesh."""
    mesh = axes.pcolormesh(snrs, Ns, losses.T, vmin=0, vmax=1, shading="nearest", rasterized=True)
    axes.set(
        xlim=(snrs[0], snrs[-1]),
        ylim=(Ns[0] - 0.4, Ns[-1]),
        xlabel="SNR",
        ylabel="N",
        title="(a) test loss, computed; dots: measured",
    )
    Ns = range(2, int(cells.Ns.max()) + 2)
    critical = [critical_x(BASE.M, N, level=LEVEL, base=BASE) for N in Ns]
    fine = np.linspace(Ns[0], Ns[-1], 200)
    snr = BASE.C_p * np.sqrt(np.interp(fine, Ns, critical) / fine)  # x_c moves little from one N to the next
    axes.plot(snr, fine, **WHITE, linestyle="--", label=f"computed: test loss {LEVEL}", scalex=False)
    curve(axes, 1000.0, color=PAPER_RED, label=r"paper: $N\,\mathrm{SNR}^2=1000$")
    x, y = np.meshgrid(cells.snrs, cells.Ns, indexing="ij")
    axes.scatter(
        x,
        y,
        c=cells.mean("test_loss"),
        vmin=0,
        vmax=1,
        s=16,
        edgecolors="white",
        linewidths=0.8,
        zorder=3,
        path_effects=WHITE["path_effects"],
        label="measured cells",
    )
    axes.set_yticks(cells.Ns)
    return mesh


def draw_scatter(axes, cells, computed):
    """(b)."""
    mean, spread = cells.mean("test_loss"), np.nan_to_num(cells.spread("test_loss"))
    axes.errorbar(
        mean.ravel(),
        computed.ravel(),
        xerr=spread.ravel(),
        linestyle="none",
        marker="o",
        markersize=2.2,
        color="C0",
        elinewidth=0.5,
        capsize=0,
        label="measured",
    )
    axes.plot([0, 0.8], [0, 0.8], color="0.6", linewidth=0.8, zorder=0, label="equal")
    axes.legend(loc="upper left")
    axes.set(
        xlabel="measured test loss",
        ylabel="computed",
        title="(b) cell by cell",
        xlim=(0, 0.8),
        ylim=(0, 0.8),
        aspect="equal",
    )


def draw_errors(axes, along, values, name, xs, title):
    """(c) or (d)."""
    for j, (x, (colour, style, marker)) in enumerate(zip(xs, LOOKS)):
        axes.plot(
            along,
            values[:, j],
            color=colour,
            linestyle=style,
            marker=marker,
            markersize=3,
            label=f"$x={x:g}$",
        )
    ends = np.array([along[0], along[-1]], dtype=float)
    guide = 1.5 * values[0].max() * (ends / ends[0]) ** -0.5
    axes.plot(ends, guide, color="0.6", linewidth=0.8, label="slope $-1/2$")
    axes.set(yscale="log", ylabel="relative error", title=title)
    axes.set_xscale("log") if name == "$d$" else log_axis(axes, along, name)
    axes.set_xlabel(name)
    axes.legend(
        loc="lower left", ncols=3, handlelength=2.0, columnspacing=0.7, borderaxespad=0.1, labelspacing=0.25
    )
    axes.set_ylim(bottom=values.min() / 6)  # room for the legend


def slopes(along, values):
    """The exponents of errors (len(along), k) fitted on logarithms, as text, a column each; none is told
    where its 95% interval is wider than 1.
    """
    fits = [br.fit_power_law(along, column) for column in values.T]
    told = (f"{fit.exponent:.2f} [{fit.low:.2f}, {fit.high:.2f}]" for fit in fits)
    return ", ".join(text if fit.high - fit.low <= 1 else "undetermined" for fit, text in zip(fits, told))


def report(size, cells, map_, computed, values):
    """The printed lines."""
    snrs, Ns, losses = map_
    line = br.boundary_constant(SimpleNamespace(snrs=snrs, Ns=Ns, test_loss=losses[:, :, None]), LEVEL)
    measured = br.boundary_constant(cells, LEVEL)
    mean = cells.mean("test_loss")
    known = np.isfinite(mean)
    away = np.abs(mean - computed)[known]
    same = np.mean((mean > LEVEL)[known] == (computed > LEVEL)[known])
    until = [d for d in size["d"] if d <= 10**4]
    xs = ", ".join(f"{x:g}" for x in size["xs"])
    return [
        (
            f"N SNR^2 at test loss {LEVEL}: computed {float(line):.0f}, nothing fitted; measured"
            f" {float(measured):.0f} +- {measured.spread:.0f} at d = {BASE.d}; the paper draws 1000"
        ),
        (
            f"cells of the figure small_steps: {same:.1%} on the computed side of {LEVEL}; difference median"
            f" {np.median(away):.3f}, largest {away.max():.3f}"
        ),
        (
            f"error of the limit over d = 1e2 to {until[-1]:.0e}, slope at x = {xs}:"
            f" {slopes(until, values['d'][: len(until)])}"
        ),
        f"error over d_h at d = 1e7, slope at the same x: {slopes(size['d_h'], values['d_h'])}",
        f"error at d = {size['d'][-1]:.0e}, d_h = {size['wide']}: "
        + ", ".join(f"{e:.2%} at x = {x:g}" for x, e in zip(size["xs"], values["d"][-1])),
    ]


def make(options):
    """Compute the map and the errors, draw the four panels, return a Result."""
    size = sizes(options.quick)
    cells = measured_cells(options)
    snrs, Ns, losses = computed_map(options, cells, size["map"])
    computed = limit_diagram(cells.snrs, cells.Ns, base=BASE)
    values, rows = errors(options, size)
    figure = plt.figure(figsize=(WIDTH, 5.2))
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.25, 1])
    left, right = upper.subplots(1, 2, width_ratios=[1.75, 1])
    upper.colorbar(draw_map(left, snrs, Ns, losses, cells), ax=left, label="test loss")
    upper.legend(
        *left.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        facecolor="0.6",
        frameon=True,
        edgecolor="none",
    )
    draw_scatter(right, cells, computed)
    left, right = lower.subplots(1, 2)
    draw_errors(
        left, size["d"], values["d"], "$d$", size["xs"], f"(c) error against $d$, $d_h={size['wide']}$"
    )
    draw_errors(right, size["d_h"], values["d_h"], "$d_h$", size["xs"], "(d) error against $d_h$, $d=10^7$")
    rows = [
        ["map", "", "", snr, N, losses[i, j], ""] for i, snr in enumerate(snrs) for j, N in enumerate(Ns)
    ] + rows
    header = ["what", "d", "d_h", "snr or x", "N or measured", "computed", "relative error"]
    filled = {"cell_seeds": len(cells.seeds), "level": LEVEL, "xs": ", ".join(f"{x:g}" for x in size["xs"])}
    caption = CAPTION.format(d=BASE.d, wide=size["wide"], seeds=size["seeds"], **filled)
    return finish(
        options,
        "boundary",
        figure,
        caption,
        [header, *rows],
        report(size, cells, (snrs, Ns, losses), computed, values),
        {"base": BASE.values(), **size},
    )
