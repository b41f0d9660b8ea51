"""The same phenomenon with real images in place of the signals."""

from functools import partial

import numpy as np
from matplotlib.colors import ListedColormap

import benign_ref as br
from benign_ref.experiments import images
from benign_ref.experiments.diagram import Cell, CellResult
from benign_ref.experiments.grid import collect
from benign_ref.runtime.resume import compute

from .common import PAPER_RED, WHITE, WIDTH, Result, curve, heat_map, plt, save, settings_of

TITLE = "the same on real images, MNIST 0 against 1 and 3 against 7 (our protocol)"
CAPTION = """
Digits. Test loss on held-out images, over SNR and N, for two pairs of MNIST digits: (a) and (c) heat maps,
(b) and (d) the same cut at {level:g} (yellow above, purple below). The two-layer model on real images; the
protocol is ours [C] (the paper's own figure on MNIST is fig2): token 1 is an image, scaled to norm SNR, in
the first {pixels} coordinates; tokens 2 to M are noise as in the synthetic data, of norm 1 (token 2: C_p)
on {off} further coordinates, d = {d}; M = {M}, C_p = {C_p:g}, d_h = {d_h}, training loss epsilon =
{epsilon:g}. Every cell is gradient descent on a draw of N training images, half of each digit, tested on
{n_test} held-out images with fresh noise, and averaged over {seeds} seed(s). White: N SNR^2 = c fitted to
the measured crossings of {level:g} (dashed) and of {middle:g} (dotted) [C], drawn where at least half of the
rows of the grid cross. Red: the paper's curve N SNR^2 = 1000 for the synthetic data [P], for comparison
only. Images of one digit are not one signal: what N images teach of the digits limits the loss beyond the
step, so the crossing of {middle:g} shows the step and that of {level:g} may not exist. MNIST: LeCun, Cortes
and Burges, CC BY-SA 3.0.
"""
LEVEL, MIDDLE = 0.2, 0.4  # the cut; half way down the step
PAIRS = ((0, 1), (3, 7))
BASE = br.Setting(N=20, M=16, d=images.PIXELS + 1024, d_h=16, d_v=16, C_p=20.0, epsilon=0.01)
N_TEST = 200


def grid(quick):
    """The axes: SNR, N and the number of seeds."""
    if quick:
        return [4.0, 10.0, 16.0, 24.0, 34.0], [4, 8, 12], 1
    return list(np.arange(2.0, 39.0, 3.0)), list(range(4, 21, 4)), 3


def measure(options):
    """{pair: PhaseDiagram} over the grid."""
    mnist = images.load(options.mnist)
    snrs, Ns, count = grid(options.quick)
    snrs, seeds = [float(snr) for snr in snrs], [options.seed + k for k in range(count)]
    base = BASE.replace(d=images.PIXELS + 256, d_h=8) if options.quick else BASE
    tasks = [
        (*pair, snr, N, seed)
        for N in sorted(Ns, reverse=True)
        for pair in PAIRS
        for snr in snrs
        for seed in seeds
    ]  # the longest first
    cell = partial(images.run_cell, base=base, path=options.mnist and str(options.mnist), n_test=N_TEST)
    settings = {
        **settings_of(base),
        "given": sorted(base.sources),
        "n_test": N_TEST,
        "images": images.fingerprint(mnist),
    }
    found = compute("digits", cell, tasks, options, "cells", **settings)
    results = {
        pair: {Cell(*task[2:]): CellResult(*value) for task, value in found.items() if task[:2] == pair}
        for pair in PAIRS
    }
    return {pair: collect(snrs, Ns, seeds, cells, settings, len(cells), 0) for pair, cells in results.items()}


def crossing_of(result, level):
    """The BoundaryConstant of a grid at a level; None where fewer than half of its rows (N, seed) cross
    it.
    """
    rows = len(result.Ns) * len(result.seeds)
    try:
        c = br.boundary_constant(result, level)
    except ValueError:  # some seed has no crossing at any N
        return None
    return c if 2 * c.rows >= rows else None


def shown(c, sign=r"\pm"):
    """A BoundaryConstant with its spread over seeds, if there are several; in words where there is none."""
    if c is None:
        return "not crossed in half of the rows"
    return f"{float(c):.0f} {sign} {c.spread:.0f}" if len(c.per_seed) > 1 else f"{float(c):.0f}"


def draw_pair(left, right, result, c, middle, pair, letters):
    """The heat map and its cut, with the three curves. Returns the two meshes."""
    mean = result.mean("test_loss")
    meshes = [
        heat_map(left, result, mean, vmin=0.0, vmax=1.0),
        heat_map(
            right,
            result,
            (mean > LEVEL).astype(float),
            cmap=ListedColormap([plt.cm.viridis(0.0), plt.cm.viridis(1.0)]),
            vmin=0,
            vmax=1,
        ),
    ]
    lines = ((c, "--", LEVEL), (middle, ":", MIDDLE))
    for axes, letter, what in zip((left, right), letters, ("test loss", f"cut at {LEVEL}")):
        curve(axes, 1000.0, color=PAPER_RED, label=r"paper, synthetic: $N\,\mathrm{SNR}^2=1000$")
        for boundary, style, level in lines:
            if boundary is not None:
                label = rf"measured: crosses {level} at $N\,\mathrm{{SNR}}^2=c$"
                curve(axes, float(boundary), **WHITE, linestyle=style, label=label)
        axes.set_yticks(result.Ns)
        axes.set_title(f"({letter}) {pair[0]} against {pair[1]}: {what}")
    return meshes


def make(options):
    """Compute both grids, draw the four panels, return a Result."""
    results = measure(options)
    constants, middles = (
        {pair: crossing_of(result, level) for pair, result in results.items()} for level in (LEVEL, MIDDLE)
    )
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 4.9), sharex=True)
    for row, (pair, result), letters in zip(axes, results.items(), ("ab", "cd")):
        meshes = draw_pair(*row, result, constants[pair], middles[pair], pair, letters)
    for upper in axes[0]:
        upper.set_xlabel("")
    figure.colorbar(meshes[0], ax=axes[:, 0], label="test loss", aspect=35)
    bar = figure.colorbar(meshes[1], ax=axes[:, 1], ticks=[0.25, 0.75], aspect=35)
    bar.ax.set_yticklabels([f"< {LEVEL}", f"> {LEVEL}"])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, facecolor="0.6", frameon=True, edgecolor="none"
    )
    rows = [[*pair, *cell] for pair, result in results.items() for cell in result.cells()]
    header = [
        "digit_plus",
        "digit_minus",
        "snr",
        "N",
        "seed",
        "status",
        "steps",
        "train_loss",
        "test_loss",
        "error_rate",
    ]
    s = results[PAIRS[0]].settings
    filled = {"level": LEVEL, "middle": MIDDLE, "pixels": images.PIXELS, "off": s["d"] - images.PIXELS}
    filled |= {"n_test": N_TEST, "seeds": len(results[PAIRS[0]].seeds)}
    caption = CAPTION.format(**filled, **{name: s[name] for name in ("d", "M", "C_p", "d_h", "epsilon")})
    files = save(figure, "digits", caption, header, rows, options)
    lines = [
        f"{plus} against {minus}: test loss {level} at N SNR^2 = {shown(c, '+-')}"
        for level, found in ((LEVEL, constants), (MIDDLE, middles)) for (plus, minus), c in found.items()
    ]  # fmt: skip
    result = next(iter(results.values()))
    described = {axis: getattr(result, axis).tolist() for axis in ("snrs", "Ns", "seeds")}
    return Result(files, lines, {**result.settings, **described, "pairs": PAIRS, "held-out images": N_TEST})
