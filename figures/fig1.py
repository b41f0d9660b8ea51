"""The paper's Figure 1 by the published protocol, and the boundary computed from the limit."""

from collections import namedtuple
from functools import partial
from types import SimpleNamespace

import numpy as np

import benign_ref as br
from benign_ref.experiments import figure1, fits, published
from benign_ref.experiments.figure1 import BASE, LEVEL, N_TEST, RED

from . import common
from .common import (
    ON_MAPS,
    PAPER_RED,
    WHITE,
    WIDTH,
    bars,
    compute,
    curve,
    cut_map,
    finish,
    heat_map,
    line,
    panel,
    plt,
)

TITLE = "the paper's Figure 1 by the published protocol; beside it the limit, with nothing fitted"
CAPTION = """
Figure 1 of the paper by the published protocol [A: vit.py, heatmap.py at commit {commit}]: gradient
descent on {cells} draws, {draws} at each of {pairs} pairs (N, ||mu||), N = {N_first} to {N_last}, ||mu||
= {mu_first:g} to {mu_last:g} (SNR = ||mu||/6.4), each tested on {n_test} fresh samples; M = {M}, d = {d},
d_h = d_v = {d_h}, noise not projected, uniform start, eta = {eta:g}, epsilon = {epsilon:g} and one step
more, in double precision. Runs took {steps_least} to {steps_most} steps. (a) Mean test loss; red: N SNR^2
= 1000, as captioned [P]. (b) Its cut at {level}; white, dashed: where the mean of the draws crosses it,
for each N; black, dotted: where the limit of large d and d_h does. (c) The limit (L1-L5 [D]) with the
extra step at all {limit_pairs} published pairs; nothing is fitted and nothing random. Against the means
of (a) it differs by {median:.3f} in the median, {rms:.3f} rms. (d) Where test loss crosses {level}, by N:
of each of our draws the last fall, mean and standard error; the same rule on the authors' data [A:
matrix.npy]; the limit. Grey: the end of the plane, ||mu|| = {mu_last:g}; draws that never fall below
{level} on it are lost to a mean, so near it means are of the draws that cross: {lost}. {more}
{against}"""
MORE = """\
Where the standard error was above {enough:g}, draws were added to the protocol's {draws}, {batch} at a
time, until it was not or there were {most} [C]; stopping so makes it a little small. They enter the
crossings of (d) alone. Added: {added}."""
AGAINST = """\
(e) The authors' matrix, given by the user: mean of its ten draws. (f) z of every pair (N, ||mu||): their
ten draws less ours, two-sample. Over the {pairs} pairs with N >= 4: root mean square {rms:.3f}, mean
{mean:+.3f}, largest {largest:+.2f} at SNR = {snr:g}, N = {N}."""


SIZES = {  # ||mu||, N, and the number of draws of each pair
    "quick": ([20.0, 40.0, 44.0, 48.0, 60.0, 66.0, 90.0, 100.0], [4, 10, 20], 2),
    "full": ([float(mu) for mu in figure1.MUS], list(figure1.NS), figure1.DRAWS),
}
SCALE = {"vmin": 0, "vmax": 0.8}  # of test losses
# The grid of draws, a PhaseDiagram; the limit's plane; for each N a Crossing of the draws, with {(N, seed): N
# SNR^2} of the draws added, and the limit's crossing, beyond the plane too; the limit less the mean of the
# draws, at the grid's pairs; the authors' Matrix and its Comparison, None if it was not given
Measured = namedtuple("Measured", "result plane found added computed away matrix comparison")


def measure(options):
    """The grid of real draws, as a PhaseDiagram; what the store has is not computed again."""
    mus, Ns, draws = SIZES[options.size]
    return br.phase_diagram([figure1.snr_of(mu) for mu in mus], Ns, base=BASE, engine="proof", n_test=N_TEST,
                            **options.of_grid("fig1", draws))  # fmt: skip


def computed_plane(options):
    """The limit's test loss at all published pairs: snrs, Ns, mean."""
    snrs = np.array([figure1.snr_of(float(mu)) for mu in figure1.MUS])
    losses = common.limit_plane(options, "fig1_limit", snrs, figure1.NS, BASE)
    return SimpleNamespace(snrs=snrs, Ns=np.array(figure1.NS), mean=losses)


def measure_crossings(options, result):
    """What `figure1.crossings` gives: a Crossing for each N, and the draws added, with --quick none."""
    added = partial(compute, "fig1_added", figure1.row, options=options, what="rows", setting=str(BASE),
                    n_test=N_TEST)  # fmt: skip
    return figure1.crossings(result, None if options.quick else added)


def measure_all(options):
    """Everything that the figure shows, as Measured."""
    matrix = figure1.read_matrix(options.authors_matrix) if options.authors_matrix else None
    result, plane = measure(options), computed_plane(options)
    at = [int(np.argmin(np.abs(plane.snrs - snr))) for snr in result.snrs]
    return Measured(
        result, plane, *measure_crossings(options, result),
        np.array([fits.limit_crossing(BASE, int(N), LEVEL) for N in result.Ns]),
        plane.mean[np.ix_(at, [int(N) // 2 - 1 for N in result.Ns])] - result.mean("test_loss"),
        matrix, matrix and figure1.compare(matrix, result),
    )  # fmt: skip


def lost_draws(result, found):
    """How many draws never fall below LEVEL on the plane, by N, in words."""
    lost = [
        f"{c.draws - c.rows} of {c.draws} at N = {N}" for N, c in zip(result.Ns, found) if c.rows < c.draws
    ]
    return ", ".join(lost) or "all cross here"


def more_draws_in_words(quick, result, found):
    """The sentence of the caption on the draws that were added."""
    own = len(result.seeds)
    added = [f"{c.draws - own} at N = {N}" for N, c in zip(result.Ns, found) if c.draws > own]
    return "No draws are added to these with --quick." if quick else MORE.format(
        enough=figure1.ENOUGH, draws=own, batch=figure1.BATCH, most=figure1.MOST,
        added=", ".join(added) or "none",
    )  # fmt: skip


def draw_heat(axes, grid, values, title, *, red=True, **look):
    """A panel of values (S,n) over SNR and N of the grid with its scale, and the captioned curve."""
    axes.figure.colorbar(heat_map(axes, grid.snrs, grid.Ns, values, **{**SCALE, **look}), ax=axes)
    if red:
        curve(axes, RED, color=PAPER_RED)
    axes.set_title(title)


def draw_cut(axes, result, found, computed):
    cut_map(axes, result.snrs, result.Ns, result.mean("test_loss"), LEVEL, result.not_ended.any(axis=2))
    curve(axes, RED, color=PAPER_RED, label=r"$N\,\mathrm{SNR}^2=1000$ [P]")
    looks = {"mean of our draws": {**WHITE, "linestyle": "--"},
             "the limit": {"color": "black", "linestyle": ":", "linewidth": 1.8}}  # fmt: skip
    marks = (
        line(np.sqrt(values / result.Ns), result.Ns, scalex=False, scaley=False, label=label, **look)
        for values, (label, look) in zip(([c.of_mean for c in found], computed), looks.items())
    )
    panel(axes, *marks, title=f"(b) ours, cut at {LEVEL}", legend={"loc": "upper right", **ON_MAPS})


def draw_crossings(axes, result, found, computed):
    N, mean, error, _ = np.array([[N, *values] for N, values in figure1.CROSSINGS.items()], dtype=float).T
    drawn, ends, dots = np.linspace(4, 20, 100), np.array([2.0, 20.0]), {"markersize": 3.5, "linewidth": 1}
    panel(
        axes,
        line(ends, [RED, RED], color=PAPER_RED, label="captioned [P]"),
        line(drawn, [figure1.red_curve_as_drawn(at) for at in drawn], color=PAPER_RED, linestyle=":",
             label="as drawn [A]"),
        bars(N - 0.15, mean, error, fmt="s", color="C0", label="authors' data [A]", **dots),
        bars(result.Ns + 0.15, [c.mean for c in found], [c.error for c in found], fmt="o", color="C1",
             label="ours", **dots),
        line(result.Ns, computed, color="black", linestyle="--", linewidth=1, marker="_", label="the limit"),
        line(ends, ends * result.snrs.max() ** 2, color="0.6", linewidth=0.8, label="end of the plane"),
        title=f"(d) where test loss crosses {LEVEL}", xlabel="N", ylabel=r"$N\,\mathrm{SNR}^2$",
        ylim=(450, 1150), xlim=(1.2, 20.8), xticks=figure1.NS, legend={"loc": "lower right", "ncols": 2},
    )  # fmt: skip


def draw(result, plane, found, computed, matrix, comparison):
    rows, hatched = 2 if matrix is None else 3, result.not_ended.any(axis=2)
    figure, panels = plt.subplots(rows, 2, figsize=(WIDTH, 2.7 * rows))
    draw_heat(panels[0, 0], result, result.mean("test_loss"), "(a) test loss, mean of our draws",
              hatched=hatched)  # fmt: skip
    draw_cut(panels[0, 1], result, found, computed)
    draw_heat(panels[1, 0], plane, plane.mean, "(c) test loss, computed from the limit")
    draw_crossings(panels[1, 1], result, found, computed)
    if matrix is not None:
        draw_heat(panels[2, 0], matrix, matrix.test_loss.mean(axis=2),
                  "(e) the authors' matrix, mean of ten draws [A]")  # fmt: skip
        draw_heat(panels[2, 1], result, comparison.z, f"(f) z of every pair: rms {comparison.rms:.2f}",
                  red=False, hatched=hatched, vmin=-4, vmax=4, cmap="RdBu")  # fmt: skip
    for axes in panels.ravel()[[0, 1, 2, *range(4, 2 * rows)]]:
        axes.set(yticks=figure1.NS[1::2], xlim=(0, 15.7), ylim=(1, 21))
    return figure


def row_in_words(N, c, limit):
    beside, of_mean = "none: 9 of 10 never fall below it", "none"
    if int(N) in figure1.CROSSINGS:
        mean, error, of_mean = figure1.CROSSINGS[int(N)]
        beside = f"{mean} +- {error}, {(c.mean - mean) / np.hypot(c.error, error):+.1f}"
    ours = f"{c.mean:.0f} +- {c.error:.0f} ({c.rows}/{c.draws})"
    return f"    N = {N:2d}: {ours} | {beside} | {c.of_mean:.0f}, {of_mean}, {limit:.0f}"


def report(result, found, computed, away, comparison):
    edge = result.snrs.max() ** 2
    return [
        f"crossing of {LEVEL}, N SNR^2: ours (draws that cross) | authors' data, difference in joint "
        "standard errors | of the mean of our draws, of theirs, of the limit",
        *map(row_in_words, result.Ns, found, computed),
        f"the plane ends at N SNR^2 = {2 * edge:.0f} for N = 2, {4 * edge:.0f} for N = 4; "
        f"draws that never fall below {LEVEL}: {lost_draws(result, found)}",
        f"the limit less our means, {away.size} pairs: median {np.median(np.abs(away)):.4f}, rms "
        f"{np.sqrt(np.mean(away**2)):.4f}, largest {np.abs(away).max():.3f}",
        repr(result),
        *([] if comparison is None else [
            f"z against the authors' matrix, {comparison.pairs} pairs with N >= 4: root mean square "
            f"{comparison.rms:.3f}, mean {comparison.mean:+.3f}, largest {comparison.largest:+.2f} at SNR = "
            f"{comparison.at[0]:g} (||mu|| = {comparison.at[0] * 6.4:.0f}), N = {comparison.at[1]}"]),
    ]  # fmt: skip


def make(options):
    result, plane, found, added, computed, away, matrix, comparison = measure_all(options)
    mus, Ns, draws = SIZES[options.size]
    crossings = {str(N): f"{c.mean:.0f} ± {c.error:.0f}" for N, c in zip(result.Ns, found) if c.rows}
    return finish(
        options, "fig1",
        figure=draw(result, plane, found, computed, matrix, comparison),
        caption=CAPTION.format(
            commit=published.COMMIT, **{n: v for n, v in BASE.values().items() if n != "N"},
            cells=result.status.size, draws=draws, pairs=len(mus) * len(Ns), N_first=Ns[0], N_last=Ns[-1],
            mu_first=mus[0], mu_last=mus[-1], n_test=N_TEST, level=LEVEL, limit_pairs=plane.mean.size,
            median=np.median(np.abs(away)), rms=np.sqrt(np.mean(away**2)), steps_least=result.steps.min(),
            steps_most=result.steps.max(), lost=lost_draws(result, found),
            more=more_draws_in_words(options.quick, result, found), against="" if matrix is None else
            AGAINST.format(**comparison._asdict(), snr=comparison.at[0], N=comparison.at[1]),
        ),
        table=[
            ["what", "snr", "N", "seed or number of draws", "status or draws that cross", "steps",
             "train_loss or standard error", "test_loss or N SNR^2", "error_rate or N SNR^2 of the mean"],
            *(["draw", *cell] for cell in result.cells()),
            *(["limit", snr, N, "", "", "", "", plane.mean[i, j], ""] for i, snr in enumerate(plane.snrs)
              for j, N in enumerate(plane.Ns)),
            *(["added draw", "", N, seed, "", "", "", at, ""] for (N, seed), at in added.items()),
            *(["crossing", "", N, c.draws, c.rows, "", c.error, c.mean, c.of_mean]
              for N, c in zip(result.Ns, found)),
        ],
        lines=report(result, found, computed, away, comparison),
        settings={"base": BASE.values(), **common.lists_of(result), "crossings": crossings},
    )  # fmt: skip
