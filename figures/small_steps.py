"""Figure 1 at the theory's small steps: real draws at d = 1024, and drawn in law at d = 100 000."""

import numpy as np
from matplotlib.colors import ListedColormap

import benign_ref as br
from benign_ref.derived.boundary import critical_x

from .common import PAPER_RED, WHITE, WIDTH, Result, curve, heat_map, plt, save, settings_of

TITLE = "test loss over SNR x N at small steps, from real draws and in law, and its boundary"
CAPTION = """
Small steps. Upper row: real draws at d = {d}, lower row: the same experiment drawn in law at d = {d_law}.
(a), (c) Test loss of gradient descent stopped at training loss epsilon = {epsilon:g}, over SNR and N,
synthetic data, mean over {seeds} seeds; (b), (d) the same cut at {level:g} (yellow above, purple below). The
picture and the red curve N SNR^2 = 1000 are those of the paper's Figure 1 [P]; that figure by its own
protocol is fig1. Here M = {M}, C_p = {C_p:g}, d_h = {d_h}; grid, d, d_h, epsilon, step size,
initial scales and stopping are ours [C]. White, dashed: the curve N SNR^2 = c fitted to the measured
crossings of {level:g}, c the geometric mean over N and seeds; shaded, where it can be seen: its spread,
one standard deviation over seeds. The rule is ours [C], and crossings are interpolated between cells of the
grid, which is coarser than that spread. Black, dotted: the same boundary computed from the limit of large d
and d_h (L1-L5 [D]), nothing fitted; its constant depends a little on N. Hatched, where there are any:
cells that did not converge for some seed.
"""
LEVEL = 0.2
BASE = br.Setting(N=20, M=16, d=1024, d_h=64, d_v=64, C_p=20.0, epsilon=0.01)
BASES = {"proof": BASE, "law": BASE.replace(d=100_000)}


def grid(quick):
    """The axes: SNR, N and the number of seeds."""
    if quick:
        return [4.0, 8.0, 11.0, 15.0, 20.0], [4, 6, 10], 2
    return list(np.arange(1.0, 26.0, 2.0)), list(range(2, 21, 2)), 3


def draw(panels, result, c, computed, letters, what, level=LEVEL):
    """One row: test loss and its cut. c: the measured BoundaryConstant; computed: N SNR^2 at the limit's
    boundary for each N of the result. Returns the two meshes.
    """
    mean = result.mean("test_loss")
    left, right = panels
    two = ListedColormap([plt.cm.viridis(0.0), plt.cm.viridis(1.0)])
    cut = np.where(np.isnan(mean), np.nan, mean > level)
    meshes = [
        heat_map(left, result, mean, vmin=0.0, vmax=np.nanmax(mean)),
        heat_map(right, result, cut, cmap=two, vmin=0, vmax=1),
    ]
    middle = np.exp(np.log(computed).mean())
    for axes in panels:
        curve(axes, 1000.0, color=PAPER_RED, label=r"paper: $N\,\mathrm{SNR}^2=1000$")
        label = rf"measured: ${float(c):.0f}\pm{c.spread:.0f}$"
        curve(axes, float(c), **WHITE, linestyle="--", label=label)
        label = rf"computed from the limit: ${middle:.0f}$"
        snr = np.sqrt(computed / result.Ns)
        axes.plot(snr, result.Ns, color="black", linestyle=":", linewidth=1.8, label=label)
        axes.set_yticks(result.Ns)
    snr = np.linspace(max(left.get_xlim()[0], 0.05), left.get_xlim()[1], 400)
    band = (c - c.spread) / snr**2, (c + c.spread) / snr**2
    left.fill_between(snr, *band, color="white", alpha=0.35, linewidth=0)
    left.set_title(f"({letters[0]}) test loss, {what}")
    right.set_title(f"({letters[1]}) cut at {level}, {what}")
    look = {"facecolor": "0.7", "frameon": True, "edgecolor": "none", "framealpha": 0.8, "fontsize": 6}
    right.legend(loc="upper right", **look)
    return meshes


def measure(options, engine="proof"):
    """The grid, as a PhaseDiagram; what the store has is not computed again."""
    snrs, Ns, count = grid(options.quick)
    return br.phase_diagram(
        snrs, Ns, base=BASES[engine], engine=engine, seeds=[options.seed + k for k in range(count)],
        store=options.store and options.store / f"small_steps-{engine}", jobs=options.jobs,
        executor=options.executor, progress=options.progress,
    )  # fmt: skip


def make(options):
    """Compute both grids and the limit's boundary, draw the four panels, return a Result."""
    figure, panels = plt.subplots(2, 2, figsize=(WIDTH, 5.6), sharex=True, sharey=True)
    names = "test_loss", "error_rate", "train_loss", "steps", "status"
    rows, lines = [], []
    for axes, letters, (engine, base) in zip(panels, ("ab", "cd"), BASES.items()):
        result = measure(options, engine)
        c = br.boundary_constant(result, LEVEL)
        critical = [critical_x(base.M, int(N), level=LEVEL, base=base) for N in result.Ns]
        computed = base.C_p**2 * np.array(critical)
        what = "real draws" if engine == "proof" else "in law"
        meshes = draw(axes, result, c, computed, letters, f"{what}, $d={base.d}$")
        rows += [
            [engine, base.d, snr, N, seed, *(getattr(result, name)[i, j, k] for name in names)]
            for i, snr in enumerate(result.snrs) for j, N in enumerate(result.Ns)
            for k, seed in enumerate(result.seeds)
        ]  # fmt: skip
        least, most = computed.argmin(), computed.argmax()
        lines += [
            (
                f"{what}, d = {base.d}: boundary at test loss {LEVEL}, N SNR^2: measured {float(c):.0f} +- "
                f"{c.spread:.0f} over {len(result.seeds)} seeds, the paper draws 1000"
            ),
            (
                f"    the cells on both sides of a crossing lie at {c.bracket[0]:.0f} and {c.bracket[1]:.0f} "
                "(geometric means): the grid tells no more"
            ),
            f"    {result!r}",
        ]
    lines.append(
        f"computed from the limit: {computed[least]:.0f} (N={result.Ns[least]}) to {computed[most]:.0f} "
        f"(N={result.Ns[most]})"
    )
    for upper in panels[0]:
        upper.set_xlabel("")
    figure.colorbar(meshes[0], ax=panels[:, 0], label="test loss", aspect=35)
    bar = figure.colorbar(meshes[1], ax=panels[:, 1], ticks=[0.25, 0.75], aspect=35)
    bar.ax.set_yticklabels([f"< {LEVEL}", f"> {LEVEL}"])
    s = BASES["proof"]
    caption = CAPTION.format(**settings_of(s), d_law=BASES["law"].d, seeds=len(result.seeds), level=LEVEL)
    header = ["engine", "d", "snr", "N", "seed", *names]
    files = save(figure, "small_steps", caption, header, rows, options)
    axes = {axis: getattr(result, axis).tolist() for axis in ("snrs", "Ns", "seeds")}
    bases = {engine: settings_of(base) for engine, base in BASES.items()}
    return Result(files, lines, {"bases": bases, **axes})
