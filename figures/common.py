"""What every figure shares: options, result, look, panels, maps, legends, and how it is saved."""

import csv
import io
import logging
import pickle
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors, lines, patheffects

import benign_ref as br
from benign_ref import plots, validate
from benign_ref.experiments.cell import run_cell
from benign_ref.experiments.sharpness import limit_column
from benign_ref.runtime import processes, workers
from benign_ref.runtime.progress import Line
from benign_ref.runtime.resume import compute  # how every figure computes
from benign_ref.runtime.store import write_all

WIDTH = plots.WIDTH
PAPER_RED = "#d62728"
WHITE = {
    "color": "white",
    "path_effects": [patheffects.withStroke(linewidth=2.3, foreground="0.25")],
}  # to be seen on yellow too
LIMIT = {"color": "black", "linewidth": 0.7, "linestyle": (0, (3, 2)), "zorder": 3}  # beside measured curves
LOOKS = [
    {"color": f"C{k}", "linestyle": style, "marker": marker, "markersize": 3}
    for k, (style, marker) in enumerate(zip(["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))], "os^vD"))
]
ON_MAPS = {"facecolor": "0.7", "frameon": True, "edgecolor": "none", "framealpha": 0.8}  # legends on a map
ON_CURVES = {"frameon": True, "framealpha": 0.75, "edgecolor": "none", "borderpad": 0.2}
MARKS = (
    "Marks: [P] the paper's abstract or a caption; [P*] the paper as summarised elsewhere; [A] the authors' "
    "public code or data; [D] derived here; [C] our choice."
)

logging.getLogger("fontTools").setLevel(logging.ERROR)  # old dates of fonts are no news
plt.switch_backend("Agg")  # headless, always
plt.rcParams.update({**plots.LOOK, "axes.prop_cycle": plt.cycler(color=plots.COLOURS)})
TWO = colors.ListedColormap([plt.cm.viridis(0.0), plt.cm.viridis(1.0)])  # below and above a level


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

    @property
    def size(self):
        """The size of the figures, as a name."""
        return "quick" if self.quick else "full"

    def seeds(self, count):
        """The seeds of `count` draws."""
        return [self.seed + k for k in range(count)]

    def of_grid(self, name, count):
        """The keywords of br.phase_diagram that follow from the options, for `count` draws a cell, kept in
        store / name.
        """
        return {
            "seeds": self.seeds(count), "store": self.store and self.store / name, "jobs": self.jobs,
            "executor": self.executor, "progress": self.progress,
        }  # fmt: skip


def load_kernels(of):
    """Load the compiled kernels of the "engines" or the "limit" from numba's cache, or compile them."""
    if of == "limit":
        br.train_in_limit(br.Setting(N=2, M=4, max_steps=1))
    else:
        for N in (2, 20):  # of few and of many tokens
            s = br.published_setting("figure1", N=N, mu=20.0)
            run_cell(s.snr, N, 0, base=s.replace(max_steps=1, extra_steps=0), engine="proof", n_test=1)


def load_all_kernels(options):
    """Load them at the beginning, each in one worker, so that no two compile the same at the same time."""
    compute("kernels", load_kernels, [("limit",), ("engines",)], replace(options, store=None), "sets")


def limit_plane(options, name, snrs, Ns, base):
    """br.limit_diagram, its columns computed and kept as those of `compute` are."""
    Ns, tasks = tuple(np.asarray(Ns, dtype=float).tolist()), [(float(snr),) for snr in snrs]
    column = partial(limit_column, Ns=Ns, base=base)
    found = compute(name, column, tasks, options, "columns", **{**base.values(), "Ns": list(Ns)})
    return np.array([found[task] for task in tasks])


def lists_of(result):
    """The axes of a PhaseDiagram as lists, by name: for a Result's settings."""
    return {axis: getattr(result, axis).tolist() for axis in ("snrs", "Ns", "seeds")}


class Result(NamedTuple):
    """What a figure made: files, the lines to print, and the resolved settings for the manifest."""

    files: list
    lines: list
    settings: dict


def render(pickled, kind):
    """A pickled figure as the bytes of a file; the same numbers give the same file."""
    file, dated = io.BytesIO(), {"png": "Software", "pdf": "CreationDate"}
    pickle.loads(pickled).savefig(file, format=kind, metadata={dated[kind]: None})  # noqa: S301 - our own
    return file.getvalue()


def rendered(name, figure):
    """{kind: bytes} of a figure, each kind by one of the workers that wait, if they do; closes the figure.
    Raises RuntimeError if they are lost.
    """
    plt.close(figure)
    function = partial(render, pickle.dumps(figure))
    source = workers.start(function, [("png",), ("pdf",)], processes.idle() or 1, None)
    found = {kind: content for (kind,), content, _ in source}
    for kind, content in found.items():
        validate.require(isinstance(content, bytes), f"{name}.{kind} was lost: {content}", RuntimeError)
    return {kind: found[kind] for kind in ("png", "pdf")}  # whichever ended first


def finish(options, name, figure, caption, table, lines, settings, more=()):
    """Write name.png, name.pdf, name.csv (the rows of `table`, its header first), name.txt (the caption) and
    more, a dict {kind: text}, into options.out, all of them or none. Returns a Result. Raises OSError.
    """
    if options.quick:
        figure.suptitle(
            "made with --quick: reduced size", x=0.995, ha="right", fontsize=6.5, color=PAPER_RED
        )  # the layout makes room
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table)
    size = "\n\nMade with --quick: reduced size." if options.quick else ""
    texts = {"csv": text.getvalue(), "txt": f"{caption.strip()}\n\n{MARKS}{size}\n", **dict(more)}
    contents = {**rendered(name, figure), **{kind: text.encode() for kind, text in texts.items()}}
    files = {options.out / f"{name}.{kind}": content for kind, content in contents.items()}
    write_all(files)
    return Result([*files], lines, settings)


def edges(centres):
    """Cell edges half way between the centres, the outer cells symmetric."""
    c = np.asarray(centres, dtype=float)
    middle = (c[1:] + c[:-1]) / 2
    return np.concatenate([[2 * c[0] - middle[0]], middle, [2 * c[-1] - middle[-1]]])


def heat_map(axes, snrs, Ns, values, hatched=None, **colours):
    """values (S,n) over SNR (horizontal) and N (vertical), hatched where the mask `hatched` (S,n) says."""
    x, y = edges(snrs), edges(Ns)
    mesh = axes.pcolormesh(x, y, values.T, **colours)
    if hatched is not None and hatched.any():
        axes.pcolor(x, y, np.ma.masked_equal(hatched.T, False), hatch="////", facecolor="none",
                    edgecolor="0.8", linewidth=0)  # fmt: skip
    axes.set(xlabel="SNR", ylabel="N", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    return mesh


def cut_map(axes, snrs, Ns, values, level, hatched=None):
    """The same cut at a level: yellow above, purple below."""
    cut = np.where(np.isnan(values), np.nan, values > level)
    return heat_map(axes, snrs, Ns, cut, hatched, cmap=TWO, vmin=0, vmax=1)


def colour_bars(figure, losses, cut, columns, level):
    """Bars of a map of test losses and of its cut, each beside its column of panels."""
    figure.colorbar(losses, ax=columns[0], label="test loss", aspect=35)
    figure.colorbar(
        cut,
        ax=columns[1],
        ticks=[0.25, 0.75],
        format=plt.FixedFormatter([f"< {level}", f"> {level}"]),
        aspect=35,
    )


def curve(axes, c, **style):
    """N SNR^2 = c, over the whole width."""
    snr = np.linspace(*axes.get_xlim(), 400)
    snr = snr[snr > 0.05]
    axes.plot(snr, c / snr**2, scalex=False, scaley=False, **style)


def log_axis(axes, ticks, label):
    """A logarithmic axis of x with plain numbers at `ticks`."""
    axes.set(xscale="log", xlabel=label)
    axes.xaxis.set(
        major_locator=plt.FixedLocator(ticks), minor_locator=plt.NullLocator(),
        major_formatter=plt.FixedFormatter([f"{tick:g}" for tick in ticks]),
    )  # fmt: skip


def mark(label, **style):
    """What stands for a mark in a legend."""
    return lines.Line2D([], [], label=label, **{"color": "black", "linestyle": "none", **style})


def legend_below(figure, handles, ncols=4, **look):
    """A legend of the whole figure, under its panels."""
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, **look)


def line(x, y, *form, **look):
    """A curve, or dots; how they look as matplotlib's plot has it."""
    return "plot", (x, y, *form), look


def bars(x, y, error=None, **look):
    """Dots with error bars up and down; xerr=... for bars left and right."""
    return "errorbar", (x, y, error), look


def level(y, **look):
    """A horizontal line over the whole width."""
    return "axhline", (y,), look


def panel(axes, *marks, legend=None, log_x=None, title=None, place=None, **settings):
    """Draw the marks, set the settings (limits, labels) and the title, placed as axes.set_title has it;
    log_x: ticks and label of a `log_axis`; legend: how, None: without.
    """
    for method, data, look in marks:
        getattr(axes, method)(*data, **look)
    axes.set(**settings)
    axes.set_title(title or "", **(place or {}))
    if log_x:
        log_axis(axes, *log_x)
    if legend is not None:
        axes.legend(**legend)


def maps(panels, snrs, Ns, losses, level, titles, *, curves=(), hatched=None, **colours):
    """Two panels: test loss (S,n) over SNR and N, and its cut at a level; on both the curves N SNR^2 = c,
    pairs of c and their look. titles: of each, {} standing for what it shows. Returns the two meshes.
    """
    mesh = heat_map(panels[0], snrs, Ns, losses, hatched, **colours)
    cut = cut_map(panels[1], snrs, Ns, losses, level, hatched)
    for axes, title, what in zip(panels, titles, ("test loss", f"cut at {level}")):
        for c, look in curves:
            curve(axes, c, **look)
        axes.set(yticks=Ns, title=title.format(what))
    return mesh, cut
