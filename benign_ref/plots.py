"""The look that every picture shares, and the picture of one run; matplotlib is imported where it is used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

BLUE, VERMILLION, GREEN, PURPLE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
)  # Okabe and Ito: safe for the colour-blind
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "0.5"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
WIDTH = 7.0  # inches: a text width; a single panel takes half of it
LOOK = {
    "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8, "legend.fontsize": 7, "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5, "lines.linewidth": 1.3, "axes.spines.top": False, "axes.spines.right": False,
    "figure.constrained_layout.use": True, "savefig.dpi": 200, "pdf.fonttype": 42, "legend.frameon": False,
    "image.cmap": "viridis", "hatch.linewidth": 0.6,
}  # fmt: skip
GREYS = {"I": "1.0", "II": "0.86", "III": "0.94"}  # of the three phases


def shade_phases(axes: Any, bounds: Sequence[float]) -> None:
    """The three phases behind an axes over steps, their names on top; bounds: where phases II and III begin,
    NaN where they do not: then they are not drawn.
    """
    left, right = axes.get_xlim()
    marks = [left, *(step for step in bounds if np.isfinite(step)), right]
    for name, a, b in zip(GREYS, marks, marks[1:]):
        axes.axvspan(a, b, facecolor=GREYS[name], zorder=-2, linewidth=0)
        place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        middle = np.sqrt(a * b) if axes.get_xscale() == "log" else (a + b) / 2
        axes.text(middle, 1.0, name, **place, fontsize=7, color="0.25")


def draw_run(path: Path | BinaryIO, history: dict, phases: Any, M: int, title: str) -> None:
    """One run as a PNG at `path` (or in a file): losses, attention of the two rows, values, over the steps
    (logarithmic, from 1).

    history: {"step", "train_loss", "test_loss", "S_ss", "S_s2", "S_2s", "S_22", "V_s", "V_2"}, arrays (R,).
    Raises OSError where the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    step = np.maximum(history["step"], 0.5)  # step 0 at the left edge
    with plt.rc_context(LOOK):
        figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 2.7))
        losses, attention, values = panels
        for axes, name, label, colour, style in (
            (losses, "train_loss", "training", BLUE, "-"), (losses, "test_loss", "test", VERMILLION, "--"),
            (attention, "S_ss", r"$\mu$ on $\mu$", BLUE, "-"),
            (attention, "S_s2", r"$\mu$ on $\xi_2$", BLUE, ":"),
            (attention, "S_2s", r"$\xi_2$ on $\mu$", VERMILLION, "-"),
            (attention, "S_22", r"$\xi_2$ on $\xi_2$", VERMILLION, ":"),
            (values, "V_s", r"$y\,V$ of $\mu$", BLUE, "-"),
            (values, "V_2", r"$y\,V$ of $\xi_2$", VERMILLION, "--"),
        ):  # fmt: skip
            axes.plot(step, history[name], color=colour, linestyle=style, label=label)
        attention.axhline(1 / M, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), label="1/M")
        losses.set(yscale="log", ylabel="loss", title="(a) losses")
        attention.set(ylim=(-0.03, 1.03), ylabel="attention", title="(b) attention")
        values.set(ylabel="value", title="(c) values")
        for axes in panels:
            axes.set(xscale="log", xlim=(0.5, max(2.0, 1.05 * step[-1])), xlabel="step")
            axes.title.set_position((0.5, 1.06))
            shade_phases(axes, (phases.leaves, phases.settles))
            axes.legend(handlelength=2.2, labelspacing=0.3, frameon=True, framealpha=0.75, edgecolor="none")
        figure.suptitle(title, fontsize=7.5)
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)
