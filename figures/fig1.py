"""Figure 1: the heat map of test loss over SNR x N, and its cut at 0.2; at d = 1024 here, at d = 100 000 in
fig1_law.py.
"""

import numpy as np
from matplotlib.colors import ListedColormap

import benign_ref as br
from benign_ref.derived.boundary import critical_x

from .common import PAPER_RED, WHITE, WIDTH, Result, curve, heat_map, plt, save, settings_of

TITLE = "test loss over SNR x N, and the boundary (the paper's Figure 1)"
CAPTION = """ Figure 1. (a) Test loss of gradient descent stopped at training loss epsilon = 0.01, over SNR
and N, synthetic data; (b) the same cut at 0.2 (yellow above, purple below). The picture and the red curve N
SNR^2 = 1000 are the paper's [P]; C_p = 5 sqrt(M) is [P*]; grid, d, M = 16, d_h = 64, epsilon, step size,
initial scales and stopping are ours [C]. Every cell is gradient descent on a draw of its own (proof engine:
real draws; law engine: the same experiment drawn in law), averaged over seeds. White, dashed: the curve N
SNR^2 = c fitted to the measured crossings of 0.2, c the geometric mean over N and seeds, its spread (one
standard deviation over seeds) shaded; the rule is ours [C], and crossings are interpolated between cells of
the grid, which is coarser than that spread. Black, dotted: the same boundary computed from the limit of large
d and d_h (L1-L5 [D]), nothing fitted; its constant depends a little on N. Hatched: cells that did not
converge.
"""
LEVEL = 0.2
BASE = br.Setting(N=20, M=16, d=1024, d_h=64, d_v=64, C_p=20.0, epsilon=0.01)


def grid(quick):
    """The axes: SNR, N and the number of seeds."""
    if quick:
        return [4.0, 8.0, 11.0, 15.0, 20.0], [4, 6, 10], 2
    return list(np.arange(1.0, 26.0, 2.0)), list(range(2, 21, 2)), 3


def draw(result, c, computed, base, engine, level=LEVEL):
    """Both panels. c: the measured BoundaryConstant; computed: N SNR^2 at the limit's boundary for each N of
    the result.
    """
    mean = result.mean("test_loss")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.0))
    mesh = heat_map(left, result, mean, vmin=0.0, vmax=max(1.0, np.nanmax(mean)))
    figure.colorbar(mesh, ax=left, label="test loss")
    two = ListedColormap([plt.cm.viridis(0.0), plt.cm.viridis(1.0)])
    mesh = heat_map(right, result, np.where(np.isnan(mean), np.nan, mean > level), cmap=two, vmin=0, vmax=1)
    figure.colorbar(
        mesh, ax=right, ticks=[0.25, 0.75], format=lambda at, _: f"< {level}" if at < 0.5 else f"> {level}"
    )
    middle = np.exp(np.log(computed).mean())
    for axes in (left, right):
        curve(axes, 1000.0, color=PAPER_RED, label=r"paper: $N\,\mathrm{SNR}^2=1000$")
        curve(axes, float(c), **WHITE, linestyle="--", label=rf"measured: ${float(c):.0f}\pm{c.spread:.0f}$")
        label = rf"computed from the limit: ${middle:.0f}$"
        axes.plot(
            np.sqrt(computed / result.Ns), result.Ns, color="black", linestyle=":", linewidth=1.8, label=label
        )
        axes.set_yticks(result.Ns)
    snr = np.linspace(max(left.get_xlim()[0], 0.05), left.get_xlim()[1], 400)
    left.fill_between(
        snr, (c - c.spread) / snr**2, (c + c.spread) / snr**2, color="white", alpha=0.35, linewidth=0
    )
    left.set_title(f"(a) test loss, mean over {len(result.seeds)} seeds")
    right.set_title(f"(b) cut at {level} (d = {base.d}, {engine} engine)")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, facecolor="0.7", frameon=True, edgecolor="none"
    )
    return figure


def measure(options, name="fig1", base=BASE, engine="proof"):
    """The grid, as a PhaseDiagram; what the store has is not computed again."""
    snrs, Ns, count = grid(options.quick)
    return br.phase_diagram(
        snrs, Ns, base=base, engine=engine, seeds=[options.seed + k for k in range(count)], store=options.store and options.store / name,
        jobs=options.jobs, executor=options.executor, progress=lambda done, total, cell: options.progress(done, total),
    )  # fmt: skip


def make(options, name="fig1", base=BASE, engine="proof"):
    """Compute the grid and the limit's boundary, draw both panels, return a Result."""
    result = measure(options, name, base, engine)
    c = br.boundary_constant(result, LEVEL)
    computed = np.array([base.C_p**2 * critical_x(base.M, int(N), level=LEVEL, base=base) for N in result.Ns])
    rows = [
        [snr, N, seed, *(getattr(result, name)[i, j, k] for name in ("test_loss", "error_rate", "train_loss", "steps", "status"))]
        for i, snr in enumerate(result.snrs) for j, N in enumerate(result.Ns) for k, seed in enumerate(result.seeds)
    ]  # fmt: skip
    header = ["snr", "N", "seed", "test_loss", "error_rate", "train_loss", "steps", "status"]
    files = save(draw(result, c, computed, base, engine), name, CAPTION, header, rows, options)
    least, most = computed.argmin(), computed.argmax()
    lines = [
        f"boundary at test loss {LEVEL}, N SNR^2: measured {float(c):.0f} +- {c.spread:.0f} over {len(result.seeds)} seeds, the paper draws 1000",
        f"the cells on both sides of a crossing lie at {c.bracket[0]:.0f} and {c.bracket[1]:.0f} (geometric means): the grid tells no more",
        f"computed from the limit: {computed[least]:.0f} (N={result.Ns[least]}) to {computed[most]:.0f} (N={result.Ns[most]})",
        repr(result),
    ]
    axes = {axis: getattr(result, axis).tolist() for axis in ("snrs", "Ns", "seeds")}
    return Result(files, lines, {"base": settings_of(base), "engine": engine, **axes})
