"""Figure 2: the vision transformer on MNIST with noise in the border, over SNR and N."""

from functools import partial
from itertools import product

import numpy as np

from benign_ref.experiments import border, images
from benign_ref.plots import BLUE, VERMILLION

from .common import (
    PAPER_RED,
    WIDTH,
    colour_bars,
    compute,
    finish,
    level,
    line,
    maps,
    panel,
    plt,
)

TITLE = "a vision transformer on MNIST with noise in the border"
PRECISION = "double"  # or "single"
CAPTION = """
fig2. The vision transformer of the authors' public code [A] (mnist.py, heatmap2.py; that the paper's Figure 2
is this one is likely, not sure) on MNIST with noise of size 1/(1 + SNR) in the border of each image and the
image times SNR/(1 + SNR); every gradient by hand. {data} Mean test loss after {epochs} epochs of Adam in
batches of 100, one network a cell, {precision} precision. (a) Heat map, pixels as published. (b) The same cut
at {level:g} (yellow above, purple below). Pixels are converted to bytes modulo 256, as published: noise
beyond 255 wraps around to dark. (c) What that changes: test loss at the largest N with wrapped pixels (as
in (a)) and with pixels clipped at 255, on the same draws; dotted: {level:g}. (d) One training image, wrapped
(top) and clipped (bottom), at SNR {low:g}, {middle:g} and {high:g}. MNIST: LeCun, Cortes and Burges, CC BY-SA
3.0.
"""
IMAGES = "The first $N$ of {have:,} images of the digits {digits}, tested on {n_test:,} others."
REDUCED = """ REDUCED [C]: these are of the extract in the package; published are N = 3,000 to 8,400 of
60,000 images of all digits, tested on 10,000: run_all.py --only fig2 --mnist FOLDER, the original files."""


def grid(options):
    """The axes and the sizes of a cell: {"snrs", "Ns", "epochs", "n_test"}."""
    if options.quick:
        return {"snrs": (0.2, 1.0, 2.0), "Ns": (100, 200), "epochs": 5, "n_test": 200}
    Ns, n_test = (border.NS, 10_000) if options.mnist else (border.EXTRACT_NS, 400)
    return {"snrs": border.SNRS, "Ns": Ns, "epochs": border.EPOCHS, "n_test": n_test}


def measure(options, snrs, Ns, **sizes):
    """{(snr, N, seed, how): [test loss, error rate, training loss]}: wrapped everywhere, clipped at the
    largest N.
    """
    path = options.mnist and str(options.mnist)
    tasks = [(snr, N, options.seed, "wrapped") for N in sorted(Ns, reverse=True) for snr in snrs]
    tasks += [(snr, max(Ns), options.seed, "clipped") for snr in snrs]
    cell = partial(border.run_cell, path=path, precision=PRECISION, **sizes)
    of_files = images.fingerprint(border.loaded(path))
    return compute("fig2", cell, tasks, options, "cells", precision=PRECISION, images=of_files, **sizes)


def draw(snrs, Ns, losses, clipped, digit):
    """The heat map of losses (number of Ns, number of SNRs) and its cut; test loss at the largest N, also
    with `clipped` pixels; one image with its border at three SNRs, of the same noise.
    """
    layout = [list("aaabbb"), [*"ccc", "00", "10", "20"], [*"ccc", "01", "11", "21"]]
    figure, panels = plt.subplot_mosaic(layout, figsize=(WIDTH, 4.9), height_ratios=[2, 1, 1])
    upper = panels["a"], panels["b"]
    meshes = maps(upper, snrs, Ns, losses.T, border.LEVEL, ("(a) {}", "(b) {}"))
    colour_bars(figure, *meshes, upper, border.LEVEL)
    plt.setp(upper, ylabel="$N$", xticks=snrs)
    dots = {"marker": "o", "markersize": 3}
    panel(
        panels["c"],
        line(snrs, losses[-1], **dots, label="wrapped", color=BLUE),
        line(snrs, clipped, **dots, label="clipped", color=VERMILLION, linestyle="--"),
        level(border.LEVEL, color="0.4", linewidth=0.8, linestyle=":", label=f"{border.LEVEL:g}"),
        title=f"(c) pixels at $N$ = {max(Ns)}", xlabel="SNR", ylabel="test loss", ylim=(0, None), legend={},
    )  # fmt: skip
    for (column, snr), (row, how) in product(enumerate(shown(snrs)), enumerate(border.PIXELS)):
        axes = panels[f"{column}{row}"]
        axes.imshow(
            border.with_border(digit, snr, np.random.default_rng(0), how)[0], cmap="gray", vmin=0, vmax=1
        )
        axes.set(xticks=[], yticks=[], ylabel="" if column else how,
                 title=f"{'' if column else '(d) '}SNR {snr:g}" * (row == 0))  # fmt: skip
    return figure


def shown(snrs):
    """The SNRs of (d): the lowest, the middle, the highest."""
    return snrs[0], snrs[(len(snrs) - 1) // 2], snrs[-1]


def make(options):
    sizes, seed = grid(options), options.seed
    pixels, labels = border.loaded(options.mnist and str(options.mnist)).training
    snrs, Ns, most = sizes["snrs"], sizes["Ns"], max(sizes["Ns"])
    found = measure(options, **sizes)
    losses = np.array([[found[snr, N, seed, "wrapped"][0] for snr in snrs] for N in Ns])
    clipped = np.array([found[snr, most, seed, "clipped"][0] for snr in snrs])
    figure = draw(snrs, Ns, losses, clipped, pixels[:1])
    if not options.mnist:
        text = f"reduced: the extract, 4 digits, N up to {most}; published: all digits, N = 3000 to 8400"
        figure.supxlabel(text, fontsize=6.5, color=PAPER_RED)
    (change, at), (low, middle, high) = max(zip(abs(clipped - losses[-1]), snrs)), shown(snrs)
    digits = ", ".join(map(str, np.unique(labels)))
    data = IMAGES.format(have=len(labels), digits=digits, n_test=sizes["n_test"])
    return finish(
        options, "fig2", figure,
        caption=CAPTION.format(
            data=data + REDUCED * (not options.mnist), epochs=sizes["epochs"], precision=PRECISION,
            level=border.LEVEL, low=low, middle=middle, high=high,
        ),
        table=[
            ["snr", "N", "seed", "pixels", "test_loss", "error_rate", "train_loss"],
            *([*task, *value] for task, value in found.items()),
        ],
        lines=[
            f"test loss {losses.min():.3f} to {losses.max():.3f}, "
            f"below {border.LEVEL} in {(losses < border.LEVEL).sum()} of {losses.size} cells",
            f"clipped for wrapped pixels at N = {most}: by {change:.3f} at most, at SNR {at:g}",
        ],
        settings={**sizes, "seed": seed, "images": "original" if options.mnist else "extract",
                  "precision": PRECISION},
    )  # fmt: skip
