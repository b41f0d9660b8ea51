"""Training dynamics at small steps, in both regimes: the three phases of T3, mean and spread over seeds."""

import numpy as np
from matplotlib.ticker import NullLocator

from benign_ref.experiments import dynamics
from benign_ref.plots import BLUE, GREEN, PURPLE, VERMILLION, shade_phases
from benign_ref.runtime.resume import compute

from .common import LIMIT, ON_CURVES, WIDTH, finish, plt

TITLE = "training dynamics at small steps, benign and harmful, with the three phases of T3"
CAPTION = """
Phases. Training dynamics, benign (left, SNR = {snr_benign:g}, N SNR^2 = {benign:g}) and harmful (right, SNR
= {snr_harmful:g}, N SNR^2 = {harmful:g}): gradient descent on synthetic data, N = {N}, M = {M}, drawn
in law with d = {d}, d_h = {d_h}, C_p = {C_p:g}, until the training loss is <= epsilon = {epsilon:g}.
Panels, bands, sizes, epsilon and step size are ours [C]; the paper's own dynamics are fig3 and fig4. Lines:
mean over {seeds} seeds; bands: mean -+ 2 standard deviations over seeds; for the losses, V and the ratio
both are taken of the logarithm. Step 0 is off the logarithmic axis. Runs differ in length ({shortest} to
{longest} steps): mean and band end where the shortest run ends, nothing is held or extrapolated; the tick
marks at the bottom of (a) are the ends of the runs. Dashed, black: the limit of large d and d_h (L1-L5
[D]), the same setting, nothing fitted. Colours tell the token (in (c) to (e): whose row, that is whose
query), line styles in (c) to (e) the token attended: solid the signal, dash-dotted xi_2. (a) Losses. (b)
V of the signals, and mean |V| of the noise tokens. (c) Attention of the signal's row and (d) of the rows
of xi_2 and of the small tokens xi_i, i >= 3, on the training data, mean over samples; dotted: 1/M.
(e) <q, k>, mean over samples. (f) max |ell'| / min |ell'| over the training samples. Bands are cut by the
axes where they leave what is possible (attention in [0,1], ratio >= 1). |V_{{n,i}}| lies above its limit,
which it approaches as d grows: noise tokens have products of order d^{{-1/2}}, through which the large
V_{{n,2}} reach V_{{n,i}}; its flat beginning is V(0), which the limit takes to be 0. Shaded: the
theory's phases I, II, III [P*], bounded by a rule of ours [C] (phases.py): II begins when the first of the
rows of the signal and of xi_2 has come a tenth of the way from 1/M to attending only to the winner (the
token that the signal's row ends on), III when both have come nine tenths. Drawn at the geometric mean over
seeds.
"""
ROW_COLOURS = {"s": BLUE, "2": VERMILLION, "i": GREEN}
STYLES = {"s": "-", "2": (0, (6, 1.5, 1, 1.5))}
NAMES = {"s": r"\mu", "2": r"\xi_2", "i": r"\xi_i"}


def line(axes, average, limit, name, label, **look):
    """One quantity: mean, band, and the limit's curve."""
    steps = average.steps[1:]
    axes.plot(steps, average.mean[name][1:], label=label, **look)
    axes.fill_between(
        steps, average.low[name][1:], average.high[name][1:], color=look["color"], alpha=0.22, linewidth=0
    )
    axes.plot(limit.steps[1:], limit.quantities[name][1:], **LIMIT)


def draw_panels(panels, average, limit, M, winner):
    """The six panels. In (c) to (e) the colour tells the row, the style the token attended."""
    a, b, c, d, e, f = panels
    pairs = "ss", "s2", "2s", "22", f"i{winner}"
    shown = [
        (a, "train_loss", "training", BLUE, "-"),
        (a, "test_loss", "test", VERMILLION, STYLES["2"]),
        (b, "V_plus", r"$V_+$", BLUE, "-"),
        (b, "minus_V_minus", r"$-V_-$", PURPLE, ":"),
        (b, "V_2", r"$|V_{n,2}|$", VERMILLION, STYLES["2"]),
        (b, "V_i", r"$|V_{n,i}|,\ i\geq 3$", GREEN, (0, (1, 1))),
        (f, "slope_ratio", "mean; band: 2 standard deviations", BLUE, "-"),
    ]
    for row, token in pairs:
        look, names = (ROW_COLOURS[row], STYLES[token]), (NAMES[row], NAMES[token])
        attention = "row of ${}$ on ${}$".format(*names)
        product = r"$\langle q_{{{}}}, k_{{{}}}\rangle$".format(*names)
        shown.append((c if row == "s" else d, f"S_{row}{token}", attention, *look))
        shown.append((e, f"P_{row}{token}", product, *look))
    for axes, name, label, colour, style in shown:
        line(axes, average, limit, name, label, color=colour, linestyle=style)
    for axes in (c, d):
        axes.axhline(1 / M, color="0.4", linewidth=0.6, linestyle=":", label="1/M")
        axes.set(ylim=(-0.03, 1.03), ylabel="attention")
    a.plot([], [], label="limit", **LIMIT)
    a.plot([], [], "|", color="black", markersize=5, markeredgewidth=0.6, label="ends of runs")
    a.set(yscale="log", ylabel="loss")
    b.set(yscale="log", ylabel=r"$V$")
    b.yaxis.set_minor_locator(NullLocator())  # it spans many decades
    e.set(ylabel=r"$\langle q, k\rangle$")
    f.set(
        ylabel="max |\u2113\u2032| / min |\u2113\u2032|", yscale="log"
    )  # no mathtext: the PDF writer complains of the font of its prime
    f.yaxis.set_major_formatter("{x:g}")
    f.yaxis.set_minor_formatter("{x:g}")
    f.set_ylim(bottom=1, top=max(1.5, 1.1 * np.nanmax(average.high["slope_ratio"])))
    rows = "attention of the signal's row", r"attention of the rows of $\xi_2$ and $\xi_i$"
    titles = ("losses", "values", *rows, "queries and keys", "balance of the samples")
    for axes, letter, title in zip(panels, "abcdef", titles):
        axes.set_title(f"({letter}) {title}", pad=11)


def bounds_of(trajectories):
    """Where phases II and III begin: geometric means over the runs that have all three; NaN if none has."""
    found = np.array([one.phases[1:3] for one in trajectories if one.phases.found]).reshape(-1, 2)
    return np.exp(np.log(found).mean(axis=0)) if len(found) else np.full(2, np.nan)


def paint(panels, trajectories, average, limit, s, bounds):
    """The six panels of one regime, one under the other."""
    winner = "s" if trajectories[0].phases.winner == "signal" else "2"
    ends = [one.steps[-1] for one in trajectories]
    draw_panels(panels, average, limit, s.M, winner)
    for place, axes in enumerate(panels):
        axes.set(xscale="log", xlim=(1, 1.05 * max(ends)))
        shade_phases(axes, bounds)
        corner = {0: "lower left", 1: "lower right"}.get(place, "upper left")
        axes.legend(loc=corner, handlelength=2.8, labelspacing=0.3, **ON_CURVES)
    panels[5].set_xlabel("iteration")
    at_the_bottom = panels[0].get_xaxis_transform()
    panels[0].plot(
        ends,
        np.full(len(ends), 0.02),
        "|",
        transform=at_the_bottom,
        color="black",
        markersize=5,
        markeredgewidth=0.6,
    )


def rows_of(trajectories, average, limit, seeds):
    """The numbers of the CSV: means with their bands, the limit, the end and the phases of every run."""
    runs = {f"seed {seed}": one for seed, one in zip(seeds, trajectories)}
    for name in dynamics.QUANTITIES:
        bands = average.mean[name], average.low[name], average.high[name]
        yield from (("mean", name, *row) for row in zip(average.steps.tolist(), *bands))
        curve = zip(limit.steps.tolist(), limit.quantities[name])
        yield from (("limit", name, *row, "", "") for row in curve)
        for seed, one in runs.items():
            yield f"{seed}, end", name, one.steps[-1], one.quantities[name][-1], "", ""
    for label, one in {**runs, "limit": limit}.items():
        yield label, "phase II begins", one.phases.leaves, "", "", ""
        yield label, "phase III begins", one.phases.settles, "", "", ""


def lines_of(trajectories, limit, s, regime):
    """What is printed: phases found and their times, and what the end of the runs shows."""
    phases = [one.phases for one in trajectories]
    whole, winners = [one for one in phases if one.found], ", ".join(sorted({one.winner for one in phases}))
    reached = sum(one.converged for one in trajectories)
    lines = [
        f"{regime}: epsilon = {s.epsilon:g} reached in {reached} of {len(phases)} runs; three phases found "
        f"in {len(whole)} of {len(phases)}, on {winners}"
    ]
    names = {"leaves": "phase II begins", "settles": "phase III begins", "end": "the run ends"}
    for name, what in names.items() if len(whole) > 1 else ():
        times = np.array([getattr(one, name) for one in whole], dtype=float)
        lines.append(
            f"{what} at step {times.mean():.0f} +- {times.std(ddof=1):.0f} (one sigma over seeds); in the "
            f"limit {getattr(limit.phases, name):.0f}"
        )
    end = {name: np.array([one.quantities[name][-1] for one in trajectories]) for name in dynamics.QUANTITIES}
    shown = {"signal on signal": "S_ss", "signal on xi_2": "S_s2", "xi_2 on xi_2": "S_22",
             "xi_2 on signal": "S_2s"}  # fmt: skip
    attention = ", ".join(f"{what} {end[name].mean():.4f}" for what, name in shown.items())
    test, largest = end["test_loss"], [one.quantities["slope_ratio"].max() for one in trajectories]
    return [
        *lines,
        f"attention at the end, mean over seeds, row of {attention}",
        f"at the end: training loss <= {end['train_loss'].max():.3g}, test loss {test.min():.3g} to "
        f"{test.max():.3g} (limit {limit.quantities['test_loss'][-1]:.3g})",
        f"max |ell'| / min |ell'| over a whole run: {np.median(largest):.3g} in the median, at most "
        f"{max(largest):.3g}",
    ]


def make(options):
    """Both regimes as one figure, a Result."""
    size = options.size
    seeds = range(options.seed, options.seed + (3 if options.quick else 10))
    tasks = [(regime, size, seed) for regime in dynamics.REGIMES for seed in seeds]
    settings = {regime: dynamics.setting_of(regime, size) for regime in dynamics.REGIMES}
    decides = {regime: s.values() for regime, s in settings.items()}
    asked = dynamics.SIZES[size][1]
    kept = compute(f"phases-{size}", dynamics.draw, tasks, options, "runs", settings=decides, asked=asked)
    figure, grid = plt.subplots(6, 2, figsize=(WIDTH, 11.0), sharex="col")
    rows, lines, ends = [], [], []
    for panels, (regime, s) in zip(grid.T, settings.items()):
        trajectories = [dynamics.Trajectory.from_lists(*kept[regime, size, seed]) for seed in seeds]
        average = dynamics.average(trajectories)
        limit = dynamics.limit_trajectory(s, average.steps)
        paint(panels, trajectories, average, limit, s, bounds_of(trajectories))
        panels[0].set_title(f"(a) losses, {regime}", pad=11)
        rows += [(regime, *row) for row in rows_of(trajectories, average, limit, seeds)]
        lines += lines_of(trajectories, limit, s, regime)
        ends += [int(one.steps[-1]) for one in trajectories]
    of = {f"snr_{regime}": s.snr for regime, s in settings.items()}
    of |= {regime: s.N_snr2 for regime, s in settings.items()}
    measured = {"seeds": len(seeds), "shortest": min(ends), "longest": max(ends)}
    caption = CAPTION.format(**measured, **of, **decides["benign"])
    header = ["regime", "what", "quantity", "step", "value", "low", "high"]
    return finish(
        options,
        "phases",
        figure,
        caption,
        [header, *rows],
        lines,
        {"settings": decides, "seeds": list(seeds)},
    )
