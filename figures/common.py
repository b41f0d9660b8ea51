"""What every figure shares: its options, its result, its look, and how it is saved."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")  # headless, always
import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen
from matplotlib import patheffects  # noqa: E402

from benign_ref import plots  # noqa: E402
from benign_ref.runtime.progress import Line  # noqa: E402
from benign_ref.runtime.store import write_all  # noqa: E402

WIDTH = plots.WIDTH
PAPER_RED = "#d62728"
WHITE = {
    "color": "white",
    "path_effects": [patheffects.withStroke(linewidth=2.3, foreground="0.25")],
}  # to be seen on yellow too
MARKS = (
    "Marks: [P] the paper's abstract or a caption; [P*] the paper as summarised elsewhere; [A] the authors' "
    "public code or data; [D] derived here; [C] our choice."
)

plt.rcParams.update(plots.LOOK)
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=plots.COLOURS)


@dataclass(frozen=True)
class Options:
    """What run_all.py was asked for. out: folder of the pictures; store: folder in which grids keep their
    cells (None: nowhere).
    """

    out: Path
    quick: bool = False
    seed: int = 0
    jobs: int | None = None
    executor: Any = None
    store: Path | None = None
    progress: Any = field(default_factory=Line)
    mnist: Path | None = None
    authors_matrix: Path | None = None


@dataclass(frozen=True)
class Result:
    """What a figure made: files, the lines to print, and the resolved settings for the manifest."""

    files: list
    lines: list
    settings: dict


def save(figure, name, caption, header, rows, options, more=()):
    """Write name.png, name.pdf, name.csv (header, rows), name.txt (the caption) and more, a dict {kind:
    text}, into options.out, all of them or none. Returns the paths. Raises OSError.
    """
    if options.quick:
        figure.suptitle(
            "made with --quick: reduced size", x=0.995, ha="right", fontsize=6.5, color=PAPER_RED
        )  # the layout makes room
    png, pdf, table = io.BytesIO(), io.BytesIO(), io.StringIO(newline="")
    figure.savefig(png, format="png", metadata={"Software": None})
    figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})  # the same numbers give the same file
    plt.close(figure)
    writer = csv.writer(table)
    writer.writerow(header)
    writer.writerows(rows)
    size = "\n\nMade with --quick: reduced size." if options.quick else ""
    text = f"{caption.strip()}\n\n{MARKS}{size}\n"
    contents = {
        "png": png.getvalue(),
        "pdf": pdf.getvalue(),
        "csv": table.getvalue().encode(),
        "txt": text.encode(),
        **{kind: text.encode() for kind, text in dict(more).items()},
    }
    paths = [options.out / f"{name}.{kind}" for kind in contents]
    write_all(dict(zip(paths, contents.values())))
    return paths


def edges(centres):
    """Cell edges half way between the centres, the outer cells symmetric."""
    c = np.asarray(centres, dtype=float)
    middle = (c[1:] + c[:-1]) / 2
    return np.concatenate([[2 * c[0] - middle[0]], middle, [2 * c[-1] - middle[-1]]])


def heat_map(axes, result, values, **colours):
    """values (S,n) over SNR (horizontal) and N (vertical), hatched where a cell did not converge for some
    seed.
    """
    x, y = edges(result.snrs), edges(result.Ns)
    mesh = axes.pcolormesh(x, y, values.T, **colours)
    bad = np.where(result.not_ended.any(axis=2), 1.0, np.nan)
    if np.isfinite(bad).any():
        axes.pcolor(
            x, y, np.ma.masked_invalid(bad.T), hatch="////", facecolor="none", edgecolor="0.8", linewidth=0
        )
    axes.set(xlabel="SNR", ylabel="N", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    return mesh


def curve(axes, c, **style):
    """N SNR^2 = c, over the whole width."""
    snr = np.linspace(*axes.get_xlim(), 400)
    snr = snr[snr > 0.05]
    axes.plot(snr, c / snr**2, scalex=False, scaley=False, **style)


def log_axis(axes, ticks, label, which="x"):
    """A logarithmic axis with plain numbers at `ticks`."""
    axis = getattr(axes, which + "axis")
    getattr(axes, f"set_{which}scale")("log")
    axis.set_major_locator(plt.FixedLocator(ticks))
    axis.set_major_formatter(plt.FixedFormatter([f"{tick:g}" for tick in ticks]))
    axis.set_minor_locator(plt.NullLocator())
    axis.set_label_text(label)


def settings_of(setting):
    """A Setting's resolved values as a plain dict."""
    return setting.values()
