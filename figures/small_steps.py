"""Figure 1 at the theory's small steps: real draws at d = 1024, and drawn in law at d = 100 000."""

import numpy as np

import benign_ref as br

from .common import (
    ON_MAPS,
    PAPER_RED,
    WHITE,
    WIDTH,
    colour_bars,
    finish,
    lists_of,
    maps,
    plt,
)

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


# The axes: SNR, N and the number of seeds
SIZES = {
    "quick": ([4.0, 8.0, 11.0, 15.0, 20.0], [4, 10], 2),
    "full": (list(np.arange(1.0, 26.0, 2.0)), list(range(2, 21, 2)), 3),
}


def draw(panels, result, c, computed, letters, what):
    """One row: test loss and its cut. c: the measured BoundaryConstant; computed: N SNR^2 at the limit's
    boundary for each N of the result. Returns the two meshes.
    """
    losses = result.mean("test_loss")
    measured = rf"measured: ${float(c):.0f}\pm{c.spread:.0f}$"
    meshes = maps(
        panels, result.snrs, result.Ns, losses, LEVEL, [f"({letter}) {{}}, {what}" for letter in letters],
        curves=[(1000.0, {"color": PAPER_RED, "label": r"paper: $N\,\mathrm{SNR}^2=1000$"}),
                (float(c), {**WHITE, "linestyle": "--", "label": measured})],
        hatched=result.not_ended.any(axis=2), vmin=0.0, vmax=np.nanmax(losses),
    )  # fmt: skip
    for axes in panels:
        axes.plot(np.sqrt(computed / result.Ns), result.Ns, ":", color="black", linewidth=1.8,
                  label=f"computed from the limit: ${np.exp(np.log(computed).mean()):.0f}$")  # fmt: skip
    snr = np.linspace(max(panels[0].get_xlim()[0], 0.05), panels[0].get_xlim()[1], 400)
    band = panels[0].fill_between(
        snr, (c - c.spread) / snr**2, (c + c.spread) / snr**2, color="white", alpha=0.35, linewidth=0,
        label="spread of the measured",
    )  # fmt: skip
    for axes, handles in zip(panels, ([band], None)):
        axes.legend(handles=handles, loc="upper right", fontsize=6, **ON_MAPS)
    return meshes


def measure(options, engine="proof"):
    """The grid, as a PhaseDiagram; what the store has is not computed again."""
    snrs, Ns, count = SIZES[options.size]
    return br.phase_diagram(
        snrs, Ns, base=BASES[engine], engine=engine, **options.of_grid(f"small_steps-{engine}", count)
    )


def make(options):
    figure, panels = plt.subplots(2, 2, figsize=(WIDTH, 5.6), sharex=True, sharey=True)
    table, lines = ["engine d snr N seed test_loss error_rate train_loss steps status".split()], []
    for row, letters, (engine, base) in zip(panels, ("ab", "cd"), BASES.items()):
        result, what = measure(options, engine), {"proof": "real draws", "law": "in law"}[engine]
        critical = [br.critical_x(base.M, int(N), level=LEVEL, base=base) for N in result.Ns]
        c, computed = br.boundary_constant(result, LEVEL), base.C_p**2 * np.array(critical)
        meshes = draw(row, result, c, computed, letters, f"{what}, $d={base.d}$")
        table += [
            [engine, base.d, snr, N, seed, test_loss, error_rate, train_loss, steps, status]
            for snr, N, seed, status, steps, train_loss, test_loss, error_rate in result.cells()
        ]
        lines += [
            f"{what}, d = {base.d}: boundary at test loss {LEVEL}, N SNR^2: measured {float(c):.0f} +- "
            f"{c.spread:.0f} over {len(result.seeds)} seeds, the paper draws 1000",
            f"    the cells on both sides of a crossing lie at {c.bracket[0]:.0f} and {c.bracket[1]:.0f} "
            "(geometric means): the grid tells no more",
            f"    {result!r}",
        ]
    (least, low), (most, high) = (pick(zip(computed, result.Ns)) for pick in (min, max))
    plt.setp(panels[0], xlabel="")
    colour_bars(figure, *meshes, panels.T, LEVEL)
    return finish(
        options, "small_steps", figure,
        caption=CAPTION.format(**BASE.values(), d_law=BASES["law"].d, seeds=len(result.seeds), level=LEVEL),
        table=table,
        lines=[*lines, f"computed from the limit: {least:.0f} (N={low}) to {most:.0f} (N={high})"],
        settings={"bases": {engine: base.values() for engine, base in BASES.items()},
                  **lists_of(result)},
    )  # fmt: skip
