"""Figure 2: the vision transformer on MNIST with noise in the border, over SNR and N."""

from functools import partial

import numpy as np
from matplotlib.colors import ListedColormap

from benign_ref.experiments import border, images
from benign_ref.plots import BLUE, VERMILLION
from benign_ref.runtime.resume import compute

from .common import PAPER_RED, WIDTH, Result, edges, plt, save

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


def measure(options, snrs, Ns, epochs, n_test):
    """{(snr, N, seed, how): [test loss, error rate, training loss]}: wrapped everywhere, clipped at the
    largest N.
    """
    path = options.mnist and str(options.mnist)
    tasks = [(snr, N, options.seed, "wrapped") for N in sorted(Ns, reverse=True) for snr in snrs]
    tasks += [(snr, max(Ns), options.seed, "clipped") for snr in snrs]
    cell = partial(border.run_cell, path=path, epochs=epochs, n_test=n_test, precision=PRECISION)
    decides = {
        "epochs": epochs,
        "n_test": n_test,
        "precision": PRECISION,
        "images": images.fingerprint(border.loaded(path)),
    }
    return compute("fig2", cell, tasks, options, "cells", **decides)


def draw_maps(figure, panels, snrs, Ns, losses):
    """The heat map and its cut; losses (number of Ns, number of SNRs)."""
    two = ListedColormap([plt.cm.viridis(0.0), plt.cm.viridis(1.0)])
    x, y = edges(snrs), edges(Ns)
    mesh = panels["a"].pcolormesh(x, y, losses)
    figure.colorbar(mesh, ax=panels["a"], label="test loss", aspect=35)
    cut = panels["b"].pcolormesh(x, y, losses > border.LEVEL, cmap=two, vmin=0, vmax=1)
    bar = figure.colorbar(cut, ax=panels["b"], ticks=[0.25, 0.75], aspect=35)
    bar.ax.set_yticklabels([f"< {border.LEVEL}", f"> {border.LEVEL}"])
    for letter, what in zip("ab", ("test loss", f"cut at {border.LEVEL}")):
        panels[letter].set(title=f"({letter}) {what}", xlabel="SNR", ylabel="$N$", xticks=snrs, yticks=Ns)


def draw_pixels(panels, snrs, digit):
    """One image with its border at three SNRs, wrapped above, clipped below, of the same noise."""
    for column, snr in enumerate(snrs):
        for row, how in enumerate(border.PIXELS):
            axes, rng = panels[f"{column}{row}"], np.random.default_rng(0)
            axes.imshow(border.with_border(digit, snr, rng, how)[0], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[], ylabel="" if column else how)
        panels[f"{column}0"].set_title(f"{'' if column else '(d) '}SNR {snr:g}")


def draw_losses(axes, snrs, most, loss_of):
    """Test loss at the largest N, `most`, with wrapped and with clipped pixels."""
    for how, colour, style in (("wrapped", BLUE, "-"), ("clipped", VERMILLION, "--")):
        loss = [loss_of(snr, most, how) for snr in snrs]
        axes.plot(snrs, loss, style, color=colour, marker="o", markersize=3, label=how)
    axes.axhline(border.LEVEL, color="0.4", linewidth=0.8, linestyle=":")
    axes.set(title=f"(c) pixels at $N$ = {most}", xlabel="SNR", ylabel="test loss", ylim=(0, None))
    axes.legend()


def caption_of(options, sizes, mnist, shown):
    """The caption, with what was used."""
    digits = ", ".join(map(str, np.unique(mnist.training.labels)))
    data = IMAGES.format(have=len(mnist.training.labels), digits=digits, n_test=sizes["n_test"])
    data += "" if options.mnist else REDUCED
    low, middle, high = shown
    used = {"epochs": sizes["epochs"], "precision": PRECISION, "level": border.LEVEL}
    return CAPTION.format(data=data, low=low, middle=middle, high=high, **used)


def make(options):
    """Compute the grid, draw the panels, return a Result."""
    sizes = grid(options)
    snrs, Ns, mnist = sizes["snrs"], sizes["Ns"], border.loaded(options.mnist and str(options.mnist))
    found = measure(options, **sizes)
    loss_of = lambda snr, N, how: found[snr, N, options.seed, how][0]  # noqa: E731
    losses = np.array([[loss_of(snr, N, "wrapped") for snr in snrs] for N in Ns])
    layout = [list("aaabbb"), [*"ccc", "00", "10", "20"], [*"ccc", "01", "11", "21"]]
    figure, panels = plt.subplot_mosaic(layout, figsize=(WIDTH, 4.9), height_ratios=[2, 1, 1])
    draw_maps(figure, panels, snrs, Ns, losses)
    draw_losses(panels["c"], snrs, max(Ns), loss_of)
    shown = snrs[0], snrs[(len(snrs) - 1) // 2], snrs[-1]
    draw_pixels(panels, shown, mnist.training.pixels[:1])
    if not options.mnist:
        text = f"reduced: the extract, 4 digits, N up to {max(Ns)}; published: all digits, N = 3000 to 8400"
        figure.supxlabel(text, fontsize=6.5, color=PAPER_RED)
    rows = [[*task, *value] for task, value in found.items()]
    header = ["snr", "N", "seed", "pixels", "test_loss", "error_rate", "train_loss"]
    files = save(figure, "fig2", caption_of(options, sizes, mnist, shown), header, rows, options)
    below = f"below {border.LEVEL} in {(losses < border.LEVEL).sum()} of {losses.size} cells"
    change = max(
        (abs(loss_of(snr, max(Ns), "clipped") - loss_of(snr, max(Ns), "wrapped")), snr) for snr in snrs
    )
    lines = [
        f"test loss {losses.min():.3f} to {losses.max():.3f}, {below}",
        f"clipped for wrapped pixels at N = {max(Ns)}: by {change[0]:.3f} at most, at SNR {change[1]:g}",
    ]
    used = {
        "seed": options.seed,
        "images": "original" if options.mnist else "extract",
        "precision": PRECISION,
    }
    return Result(files, lines, {**sizes, **used})
