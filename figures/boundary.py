"""The phase diagram computed from the limit, the measured cells on it, and how its error falls with
d and d_h.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np

import benign_ref as br
from benign_ref.derived.boundary import setting_at
from benign_ref.experiments import sharpness

from .common import (
    LOOKS,
    PAPER_RED,
    WHITE,
    WIDTH,
    bars,
    compute,
    curve,
    finish,
    limit_plane,
    line,
    panel,
    plt,
)
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


# Points of the map along each axis; d of (c), d_h of (d), the d_h of (c); draws; x
SIZES = {
    "quick": {"map": 20, "d": [100, 1000, 10**4], "d_h": [4, 16, 64], "wide": 64, "seeds": 2, "xs": XS[1:3]},
    "full": {"map": 120, "d": [100, 316, 1000, 3162, 10**4, 10**5, 10**6, 10**7],
             "d_h": [4, 16, 64, 256, 1024], "wide": 256, "seeds": 6, "xs": XS},
}  # fmt: skip


def computed_map(options, cells, points):
    """SNR (points,), N (points,) and the limit's test loss (points,points,1) over the range of the measured
    cells, from N = 2 on, as a grid.
    """
    snrs = np.linspace(cells.snrs.min() / 2, cells.snrs.max() + 1, points)
    Ns = np.linspace(2, cells.Ns.max() + 1, points)
    losses = limit_plane(options, "boundary-map", snrs, Ns, BASE)
    return SimpleNamespace(snrs=snrs, Ns=Ns, test_loss=losses[..., None])


def errors(options, size):
    """Rows for the table: the error of the limit against d and against d_h, the root mean square over draws
    of (measured - computed)/computed test loss, at each place and x.
    """
    along = [("d", d, size["wide"]) for d in size["d"]] + [("d_h", 10**7, d_h) for d_h in size["d_h"]]
    draws = {  # kappa = sigma_h^2 d_h of the default at d_h = 64 held: the default is sigma_h ~ d_h^(-1/4)
        (d, d_h): [sharpness.Draw(8, 6, d, d_h, seed, sigma_h_factor=(d_h / 64) ** -0.25)
                   for seed in options.seeds(size["seeds"])]
        for _, d, d_h in along
    }  # fmt: skip
    tasks = [("point", x, *draw) for of_place in draws.values() for draw in of_place for x in size["xs"]]
    tasks.sort(key=lambda task: -task[5])
    found = compute("boundary", sharpness.measure, tasks, options, "draws", samples=sharpness.SAMPLES)
    for (name, *place), x in product(along, size["xs"]):
        drawn = draws[tuple(place)]
        s = setting_at(x, 8, 6, sharpness.base_of(drawn[0]))
        computed = br.train_in_limit(s).test_loss
        measured = np.array([found[("point", x, *draw)][0] for draw in drawn])
        error = np.sqrt(np.mean((measured / computed - 1) ** 2))
        yield [f"error against {name}", *place, x, measured.mean(), computed, error]


def draw_map(axes, map_, cells):
    """(a). Returns the mesh."""
    snrs, Ns = map_.snrs, map_.Ns
    mesh = axes.pcolormesh(
        snrs, Ns, map_.test_loss[:, :, 0].T, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    axes.set(xlim=(snrs[0], snrs[-1]), ylim=(Ns[0] - 0.4, Ns[-1]), xlabel="SNR", ylabel="N", yticks=cells.Ns,
             title="(a) test loss, computed; dots: measured")  # fmt: skip
    whole, fine = range(2, int(cells.Ns.max()) + 2), np.linspace(2, cells.Ns.max() + 1, 200)
    critical = [br.critical_x(BASE.M, N, level=LEVEL, base=BASE) for N in whole]
    # x_c moves little from one N to the next
    snr = BASE.C_p * np.sqrt(np.interp(fine, whole, critical) / fine)
    axes.plot(snr, fine, **WHITE, linestyle="--", label=f"computed: test loss {LEVEL}", scalex=False)
    curve(axes, 1000.0, color=PAPER_RED, label=r"paper: $N\,\mathrm{SNR}^2=1000$")
    axes.scatter(
        *np.meshgrid(cells.snrs, cells.Ns, indexing="ij"), c=cells.mean("test_loss"), vmin=0, vmax=1, s=16,
        edgecolors="white", linewidths=0.8, zorder=3, path_effects=WHITE["path_effects"],
        label="measured cells",
    )  # fmt: skip
    return mesh


def draw_scatter(axes, cells, computed):
    panel(
        axes,
        bars(cells.mean("test_loss").ravel(), computed.ravel(), linestyle="none", marker="o", markersize=2.2,
             xerr=np.nan_to_num(cells.spread("test_loss")).ravel(), color="C0", elinewidth=0.5, capsize=0,
             label="measured"),
        line([0, 0.8], [0, 0.8], color="0.6", linewidth=0.8, zorder=0, label="equal"),
        title="(b) cell by cell", xlabel="measured test loss", ylabel="computed", xlim=(0, 0.8),
        ylim=(0, 0.8), aspect="equal", legend={"loc": "upper left"},
    )  # fmt: skip


def draw_errors(axes, along, values, xs, title, **scale):
    ends = np.array([along[0], along[-1]], dtype=float)
    guide = 1.5 * values[0].max() * (ends / ends[0]) ** -0.5
    panel(
        axes,
        *(line(along, of_x, **look, label=f"$x={x:g}$") for of_x, x, look in zip(values.T, xs, LOOKS)),
        line(ends, guide, color="0.6", linewidth=0.8, label="slope $-1/2$"),
        yscale="log", ylabel="relative error", title=title, **scale,
        legend={"loc": "lower left", "ncols": 3, "handlelength": 2.0, "columnspacing": 0.7,
                "borderaxespad": 0.1, "labelspacing": 0.25},
    )  # fmt: skip
    axes.set_ylim(bottom=values.min() / 6)  # room for the legend


def slopes(along, values):
    """The exponents of errors (len(along), k) fitted on logarithms, as text, a column each; none is told
    where its 95% interval is wider than 1.
    """
    return ", ".join(
        f"{fit.exponent:.2f} [{fit.low:.2f}, {fit.high:.2f}]" if fit.high - fit.low <= 1 else "undetermined"
        for fit in (br.fit_power_law(along, column) for column in values.T)
    )


def report(size, cells, map_, computed, values):
    nothing_fitted, measured = br.boundary_constant(map_, LEVEL), br.boundary_constant(cells, LEVEL)
    known = np.isfinite(cells.mean("test_loss"))
    mean, limit = cells.mean("test_loss")[known], computed[known]
    away, same = np.abs(mean - limit), np.mean((mean > LEVEL) == (limit > LEVEL))
    until, xs = [d for d in size["d"] if d <= 10**4], ", ".join(f"{x:g}" for x in size["xs"])
    return [
        f"N SNR^2 at test loss {LEVEL}: computed {float(nothing_fitted):.0f}, nothing fitted; measured "
        f"{float(measured):.0f} +- {measured.spread:.0f} at d = {BASE.d}; the paper draws 1000",
        f"cells of the figure small_steps: {same:.1%} on the computed side of {LEVEL}; difference median "
        f"{np.median(away):.3f}, largest {away.max():.3f}",
        f"error of the limit over d = 1e2 to {until[-1]:.0e}, slope at x = {xs}: "
        f"{slopes(until, values['d'][: len(until)])}",
        f"error over d_h at d = 1e7, slope at the same x: {slopes(size['d_h'], values['d_h'])}",
        f"error at d = {size['d'][-1]:.0e}, d_h = {size['wide']}: "
        + ", ".join(f"{e:.2%} at x = {x:g}" for x, e in zip(size["xs"], values["d"][-1])),
    ]


def draw(size, map_, cells, computed, values):
    figure = plt.figure(figsize=(WIDTH, 5.2))
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.25, 1])
    left, right = upper.subplots(1, 2, width_ratios=[1.75, 1])
    upper.colorbar(draw_map(left, map_, cells), ax=left, label="test loss")
    upper.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, facecolor="0.6",
                 frameon=True, edgecolor="none")  # fmt: skip
    draw_scatter(right, cells, computed)
    left, right = lower.subplots(1, 2)
    draw_errors(left, size["d"], values["d"], size["xs"], f"(c) error against $d$, $d_h={size['wide']}$",
                xscale="log", xlabel="$d$")  # fmt: skip
    draw_errors(right, size["d_h"], values["d_h"], size["xs"], "(d) error against $d_h$, $d=10^7$",
                log_x=(size["d_h"], "$d_h$"))  # fmt: skip
    return figure


def make(options):
    size, cells = SIZES[options.size], measured_cells(options)
    map_, rows = computed_map(options, cells, size["map"]), list(errors(options, size))
    computed = br.limit_diagram(cells.snrs, cells.Ns, base=BASE)
    values = {  # (places, xs)
        name: np.reshape(
            [row[-1] for row in rows if row[0] == f"error against {name}"], (-1, len(size["xs"]))
        )
        for name in ("d", "d_h")
    }
    return finish(
        options, "boundary",
        figure=draw(size, map_, cells, computed, values),
        caption=CAPTION.format(
            d=BASE.d, wide=size["wide"], seeds=size["seeds"], cell_seeds=len(cells.seeds), level=LEVEL,
            xs=", ".join(f"{x:g}" for x in size["xs"]),
        ),
        table=[
            ["what", "d", "d_h", "snr or x", "N or measured", "computed", "relative error"],
            *(["map", "", "", snr, N, map_.test_loss[i, j, 0], ""] for i, snr in enumerate(map_.snrs)
              for j, N in enumerate(map_.Ns)),
            *rows,
        ],
        lines=report(size, cells, map_, computed, values),
        settings={"base": BASE.values(), **size},
    )  # fmt: skip
