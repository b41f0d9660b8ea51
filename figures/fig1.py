"""The paper's Figure 1 by the published protocol, and the boundary computed from the limit."""

from types import SimpleNamespace

import numpy as np

import benign_ref as br
from benign_ref.derived.boundary import limit_diagram
from benign_ref.experiments import authors, more_draws
from benign_ref.experiments.authors import LEVEL, RED
from benign_ref.experiments.fits import limit_crossing
from benign_ref.experiments.more_draws import BASE, N_TEST
from benign_ref.experiments.published import COMMIT
from benign_ref.runtime.resume import compute

from .common import ON_MAPS, PAPER_RED, WHITE, WIDTH, curve, cut_map, finish, heat_map, plt

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


def axes_of(quick):
    """||mu||, N, and the number of draws of each pair."""
    return ([20.0, 40.0, 44.0, 48.0, 60.0, 66.0, 90.0, 100.0], [4, 10, 20], 3) if quick else (
        [float(mu) for mu in authors.MUS], list(authors.NS), authors.DRAWS)  # fmt: skip


def measure(options):
    """The grid of real draws, as a PhaseDiagram; what the store has is not computed again."""
    mus, Ns, draws = axes_of(options.quick)
    return br.phase_diagram(
        [authors.snr_of(mu) for mu in mus], Ns, base=BASE, engine="proof", n_test=N_TEST,
        seeds=[options.seed + k for k in range(draws)], store=options.store and options.store / "fig1",
        jobs=options.jobs, executor=options.executor, progress=options.progress,
    )  # fmt: skip


def computed_plane():
    """The limit's test loss at all published pairs, drawn like a PhaseDiagram."""
    snrs = np.array([authors.snr_of(float(mu)) for mu in authors.MUS])
    losses = limit_diagram(snrs, authors.NS, base=BASE)
    off = np.zeros((len(snrs), len(authors.NS), 1), dtype=bool)
    return SimpleNamespace(snrs=snrs, Ns=np.array(authors.NS), mean=losses, not_ended=off)


def computed_crossings(Ns):
    """N SNR^2 of the limit's last fall through LEVEL, for each N; beyond the plane too."""
    return np.array([limit_crossing(BASE, int(N), LEVEL) for N in Ns])


def difference(plane, result):
    """The limit less the mean of the draws, at the pairs of the result."""
    at = [int(np.argmin(np.abs(plane.snrs - snr))) for snr in result.snrs]
    return plane.mean[np.ix_(at, [int(N) // 2 - 1 for N in result.Ns])] - result.mean("test_loss")


def measure_crossings(options, result):
    """What `more_draws.crossings` gives: a Crossing for each N, and the draws added, with --quick none."""

    def added(tasks):
        return compute("fig1_added", more_draws.row, tasks, options, "rows", setting=str(BASE), n_test=N_TEST)

    return more_draws.crossings(result, None if options.quick else added)


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
        enough=more_draws.ENOUGH, draws=own, batch=more_draws.BATCH, most=more_draws.MOST,
        added=", ".join(added) or "none",
    )  # fmt: skip


SCALE = {"vmin": 0, "vmax": 0.8}  # of test losses


def draw_heat(axes, plane, values, title, red=True, **look):
    """A panel of values (S,n) over SNR and N with its scale, and the captioned curve."""
    mesh = heat_map(axes, plane.snrs, plane.Ns, values, plane.not_ended.any(axis=2), **{**SCALE, **look})
    axes.figure.colorbar(mesh, ax=axes)
    if red:
        curve(axes, RED, color=PAPER_RED)
    axes.set_title(title)


def draw_cut(axes, result, found, computed):
    """(b)."""
    cut_map(axes, result.snrs, result.Ns, result.mean("test_loss"), LEVEL, result.not_ended.any(axis=2))
    curve(axes, RED, color=PAPER_RED, label=r"$N\,\mathrm{SNR}^2=1000$ [P]")
    for values, look, label in (
        ([c.of_mean for c in found], {**WHITE, "linestyle": "--"}, "mean of our draws"),
        (computed, {"color": "black", "linestyle": ":", "linewidth": 1.8}, "the limit"),
    ):
        snr = np.sqrt(np.asarray(values) / result.Ns)
        axes.plot(snr, result.Ns, scalex=False, scaley=False, label=label, **look)
    axes.legend(loc="upper right", **ON_MAPS)
    axes.set_title(f"(b) ours, cut at {LEVEL}")


def draw_crossings(axes, result, found, computed):
    """(d)."""
    Ns, drawn, ends = np.asarray(result.Ns, dtype=float), np.linspace(4, 20, 100), np.array([2.0, 20.0])
    N, mean, error, _ = np.array([[N, *values] for N, values in authors.CROSSINGS.items()], dtype=float).T
    dots = {"markersize": 3.5, "linewidth": 1}
    axes.plot(ends, [RED, RED], color=PAPER_RED, label="captioned [P]")
    red = [authors.red_curve_as_drawn(at) for at in drawn]
    axes.plot(drawn, red, color=PAPER_RED, linestyle=":", label="as drawn [A]")
    axes.errorbar(N - 0.15, mean, error, fmt="s", color="C0", label="authors' data [A]", **dots)
    ours = [c.mean for c in found], [c.error for c in found]
    axes.errorbar(Ns + 0.15, *ours, fmt="o", color="C1", label="ours", **dots)
    axes.plot(Ns, computed, color="black", linestyle="--", linewidth=1, marker="_", label="the limit")
    axes.plot(ends, ends * result.snrs.max() ** 2, color="0.6", linewidth=0.8, label="end of the plane")
    axes.set(xlabel="N", ylabel=r"$N\,\mathrm{SNR}^2$", ylim=(450, 1150), xlim=(1.2, 20.8), xticks=authors.NS,
             title=f"(d) where test loss crosses {LEVEL}")  # fmt: skip
    axes.legend(loc="lower right", ncols=2)


def draw(result, plane, found, computed, matrix, comparison):
    """The picture: four panels, six with the authors' matrix."""
    rows = 2 if matrix is None else 3
    figure, panels = plt.subplots(rows, 2, figsize=(WIDTH, 2.7 * rows))
    draw_heat(panels[0, 0], result, result.mean("test_loss"), "(a) test loss, mean of our draws")
    draw_cut(panels[0, 1], result, found, computed)
    draw_heat(panels[1, 0], plane, plane.mean, "(c) test loss, computed from the limit")
    draw_crossings(panels[1, 1], result, found, computed)
    if matrix is not None:
        all_there = np.zeros_like(matrix.test_loss, dtype=bool)
        theirs = SimpleNamespace(snrs=matrix.snrs, Ns=matrix.Ns, not_ended=all_there)
        title = "(e) the authors' matrix, mean of ten draws [A]"
        draw_heat(panels[2, 0], theirs, matrix.test_loss.mean(axis=2), title)
        title = f"(f) z of every pair: rms {comparison.rms:.2f}"
        draw_heat(panels[2, 1], result, comparison.z, title, red=False, vmin=-4, vmax=4, cmap="RdBu")
    for axes in panels.ravel()[[0, 1, 2, *range(4, 2 * rows)]]:
        axes.set(yticks=authors.NS[1::2], xlim=(0, 15.7), ylim=(1, 21))
    return figure


def report(result, found, computed, away, comparison):
    """The printed lines."""
    lines = [
        f"crossing of {LEVEL}, N SNR^2: ours (draws that cross) | authors' data, difference in joint "
        "standard errors | of the mean of our draws, of theirs, of the limit"
    ]
    for N, c, limit in zip(result.Ns, found, computed):
        beside, row_mean = "none: 9 of 10 never fall below it", "none"
        if int(N) in authors.CROSSINGS:
            mean, error, row_mean = authors.CROSSINGS[int(N)]
            beside = f"{mean} +- {error}, {(c.mean - mean) / np.hypot(c.error, error):+.1f}"
        ours = f"{c.mean:.0f} +- {c.error:.0f} ({c.rows}/{c.draws})"
        lines.append(f"    N = {N:2d}: {ours} | {beside} | {c.of_mean:.0f}, {row_mean}, {limit:.0f}")
    edge = result.snrs.max() ** 2
    lines += [
        f"the plane ends at N SNR^2 = {2 * edge:.0f} for N = 2, {4 * edge:.0f} for N = 4; "
        f"draws that never fall below {LEVEL}: {lost_draws(result, found)}",
        f"the limit less our means, {away.size} pairs: median {np.median(np.abs(away)):.4f}, rms "
        f"{np.sqrt(np.mean(away**2)):.4f}, largest {np.abs(away).max():.3f}",
        repr(result),
    ]
    if comparison:
        lines.append(
            f"z against the authors' matrix, {comparison.pairs} pairs with N >= 4: root mean square "
            f"{comparison.rms:.3f}, mean {comparison.mean:+.3f}, largest {comparison.largest:+.2f} at SNR = "
            f"{comparison.at[0]:g} (||mu|| = {comparison.at[0] * 6.4:.0f}), N = {comparison.at[1]}"
        )
    return lines


def make(options):
    """Compute the grid and the limit, draw the panels, return a Result."""
    matrix = authors.read_matrix(options.authors_matrix) if options.authors_matrix else None
    result, plane = measure(options), computed_plane()
    (found, added), computed = measure_crossings(options, result), computed_crossings(result.Ns)
    comparison = authors.compare(matrix, result) if matrix else None
    away = difference(plane, result)
    mus, Ns, draws = axes_of(options.quick)
    against = "" if comparison is None else AGAINST.format(
        **comparison._asdict(), snr=comparison.at[0], N=comparison.at[1])  # fmt: skip
    more = more_draws_in_words(options.quick, result, found)
    caption = CAPTION.format(
        commit=COMMIT, **{n: v for n, v in BASE.values().items() if n != "N"}, cells=result.status.size,
        draws=draws, pairs=len(mus) * len(Ns), N_first=Ns[0], N_last=Ns[-1], mu_first=mus[0], mu_last=mus[-1],
        n_test=N_TEST, level=LEVEL, limit_pairs=plane.mean.size, median=np.median(np.abs(away)),
        rms=np.sqrt(np.mean(away**2)), steps_least=result.steps.min(), steps_most=result.steps.max(),
        lost=lost_draws(result, found), more=more, against=against,
    )  # fmt: skip
    rows = [["draw", *cell] for cell in result.cells()]
    rows += [["limit", snr, N, "", "", "", "", plane.mean[i, j], ""] for i, snr in enumerate(plane.snrs)
             for j, N in enumerate(plane.Ns)]  # fmt: skip
    rows += [["added draw", "", N, seed, "", "", "", at, ""] for (N, seed), at in added.items()]
    rows += [
        ["crossing", "", N, c.draws, c.rows, "", c.error, c.mean, c.of_mean] for N, c in zip(result.Ns, found)
    ]
    header = ["what", "snr", "N", "seed or number of draws", "status or draws that cross", "steps"]
    header += ["train_loss or standard error", "test_loss or N SNR^2", "error_rate or N SNR^2 of the mean"]
    picture = draw(result, plane, found, computed, matrix, comparison)
    axes = {axis: getattr(result, axis).tolist() for axis in ("snrs", "Ns", "seeds")}
    crossings = {str(N): f"{c.mean:.0f} ± {c.error:.0f}" for N, c in zip(result.Ns, found) if c.rows}
    settings = {"base": BASE.values(), **axes, "crossings": crossings}
    return finish(
        options,
        "fig1",
        picture,
        caption,
        [header, *rows],
        report(result, found, computed, away, comparison),
        settings,
    )
