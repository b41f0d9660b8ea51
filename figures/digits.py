"""The same phenomenon with real images in place of the signals."""

from functools import partial
from itertools import product

import numpy as np

import benign_ref as br
from benign_ref.experiments import images
from benign_ref.experiments.grid import collect

from .common import (
    ON_MAPS,
    PAPER_RED,
    WHITE,
    WIDTH,
    colour_bars,
    compute,
    finish,
    legend_below,
    lists_of,
    maps,
    plt,
)

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


# The axes, SNR, N and the number of seeds, and the base
SIZES = {
    "quick": ([4.0, 10.0, 16.0, 24.0, 34.0], [4, 8, 12], 1, BASE.replace(d=images.PIXELS + 256, d_h=8)),
    "full": (np.arange(2.0, 39.0, 3.0).tolist(), list(range(4, 21, 4)), 3, BASE),
}


def measure(options):
    """{pair: PhaseDiagram} over the grid."""
    snrs, Ns, count, base = SIZES[options.size]
    path, seeds = options.mnist and str(options.mnist), options.seeds(count)
    tasks = [(*pair, snr, N, seed) for N, pair, snr, seed in product(sorted(Ns)[::-1], PAIRS, snrs, seeds)]
    cell = partial(images.run_cell, base=base, path=path, n_test=N_TEST)
    settings = {
        **base.values(), "given": sorted(base.sources), "n_test": N_TEST,
        "images": images.fingerprint(images.load(options.mnist)),
    }  # fmt: skip
    found, results = compute("digits", cell, tasks, options, "cells", **settings), {}
    for pair in PAIRS:
        values = {task[2:]: value for task, value in found.items() if task[:2] == pair}
        results[pair] = collect(snrs, Ns, seeds, values, settings, len(values), 0)
    return results


def crossing_of(result, level):
    """The BoundaryConstant of a grid at a level; None where fewer than half of its rows (N, seed) cross
    it.
    """
    try:
        c = br.boundary_constant(result, level)
    except ValueError:  # some seed has no crossing at any N
        return None
    return c if 2 * c.rows >= len(result.Ns) * len(result.seeds) else None


def in_words(c):
    """A BoundaryConstant with its spread over seeds, if there are several; in words where there is none."""
    if c is None:
        return "not crossed in half of the rows"
    return f"{float(c):.0f}" + f" +- {c.spread:.0f}" * (len(c.per_seed) > 1)


def draw(results, crossings):
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 4.9), sharex=True)
    for panels, ((plus, minus), result), letters in zip(grid, results.items(), ("ab", "cd")):
        curves = [
            (float(found[plus, minus]),
             {**WHITE, "linestyle": style, "label": rf"measured: crosses {level} at $N\,\mathrm{{SNR}}^2=c$"})
            for (level, found), style in zip(crossings.items(), ("--", ":")) if found[plus, minus] is not None
        ]  # fmt: skip
        paper = {"color": PAPER_RED, "label": r"paper, synthetic: $N\,\mathrm{SNR}^2=1000$"}
        meshes = maps(
            panels, result.snrs, result.Ns, result.mean("test_loss"), LEVEL,
            [f"({letter}) {plus} against {minus}: {{}}" for letter in letters], vmin=0.0, vmax=1.0,
            curves=[(1000.0, paper), *curves], hatched=result.not_ended.any(axis=2),
        )  # fmt: skip
    plt.setp(grid[0], xlabel="")
    colour_bars(figure, *meshes, grid.T, LEVEL)
    handles, _ = grid[0, 0].get_legend_handles_labels()
    legend_below(figure, handles, 3, **{**ON_MAPS, "framealpha": None, "facecolor": "0.6"})
    return figure


def make(options):
    results, (*_, count, base) = measure(options), SIZES[options.size]
    crossings = {
        level: {pair: crossing_of(result, level) for pair, result in results.items()}
        for level in (LEVEL, MIDDLE)
    }
    result, *_ = results.values()
    return finish(
        options, "digits",
        figure=draw(results, crossings),
        caption=CAPTION.format(
            **base.values(), level=LEVEL, middle=MIDDLE, pixels=images.PIXELS, off=base.d - images.PIXELS,
            n_test=N_TEST, seeds=count,
        ),
        table=[
            "digit_plus digit_minus snr N seed status steps train_loss test_loss error_rate".split(),
            *([*pair, *cell] for pair, result in results.items() for cell in result.cells()),
        ],
        lines=[
            f"{plus} against {minus}: test loss {level} at N SNR^2 = {in_words(c)}"
            for level, found in crossings.items() for (plus, minus), c in found.items()
        ],
        settings={**result.settings, **lists_of(result), "pairs": PAIRS, "held-out images": N_TEST},
    )  # fmt: skip
