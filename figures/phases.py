"""Training dynamics at small steps, in both regimes: the three phases of T3, mean and spread over seeds."""

import numpy as np
from matplotlib.ticker import NullLocator

from benign_ref.experiments import dynamics
from benign_ref.plots import BLUE, GREEN, PURPLE, VERMILLION, shade_phases

from .common import LIMIT, ON_CURVES, WIDTH, compute, finish, level, line, panel, plt
from .published_dynamics import curves_of, phases_of

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
ROWS = {"s": (BLUE, r"\mu"), "2": (VERMILLION, r"\xi_2"), "i": (GREEN, r"\xi_i")}  # whose row
STYLES = {"s": "-", "2": (0, (6, 1.5, 1, 1.5))}  # of the token attended
ATTENTION, PRODUCT = "row of ${}$ on ${}$", r"$\langle q_{{{}}}, k_{{{}}}\rangle$"
ENDS = {"color": "black", "markersize": 5, "markeredgewidth": 0.6}  # of runs


def of_pair(what, form, row, token):
    """How a row's attention or product with a token is shown: colours tell the row, styles the token."""
    return f"{what}_{row}{token}", form.format(ROWS[row][1], ROWS[token][1]), ROWS[row][0], STYLES[token]


def panels_of(winner, most):
    """The six panels: title, [(quantity, label, colour, style)], settings. most: the largest ratio shown."""
    of_noise = "2s", "22", "i" + winner
    attention = {"ylim": (-0.03, 1.03), "ylabel": "attention"}
    return (
        ("losses", [("train_loss", "training", BLUE, "-"), ("test_loss", "test", VERMILLION, STYLES["2"])],
         {"yscale": "log", "ylabel": "loss"}),
        ("values", [
            ("V_plus", r"$V_+$", BLUE, "-"),
            ("minus_V_minus", r"$-V_-$", PURPLE, ":"),
            ("V_2", r"$|V_{n,2}|$", VERMILLION, STYLES["2"]),
            ("V_i", r"$|V_{n,i}|,\ i\geq 3$", GREEN, (0, (1, 1))),
        ], {"yscale": "log", "ylabel": r"$V$"}),
        ("attention of the signal's row", [of_pair("S", ATTENTION, *pair) for pair in ("ss", "s2")],
         attention),
        (r"attention of the rows of $\xi_2$ and $\xi_i$",
         [of_pair("S", ATTENTION, *pair) for pair in of_noise], attention),
        ("queries and keys", [of_pair("P", PRODUCT, *pair) for pair in ("ss", "s2", *of_noise)],
         {"ylabel": r"$\langle q, k\rangle$"}),
        ("balance of the samples", [("slope_ratio", "mean; band: 2 standard deviations", BLUE, "-")],
         # no mathtext: the PDF writer complains of the font of its prime
         {"yscale": "log", "ylabel": "max |\u2113\u2032| / min |\u2113\u2032|", "ylim": (1, most)}),
    )  # fmt: skip


def marks_of(average, limit, name, label, colour, style):
    """One quantity: mean, band, and the limit's curve."""
    steps, band = average.steps[1:], (average.low[name][1:], average.high[name][1:])
    return [
        line(steps, average.mean[name][1:], label=label, color=colour, linestyle=style),
        ("fill_between", (steps, *band), {"color": colour, "alpha": 0.22, "linewidth": 0}),
        line(limit.steps[1:], limit.quantities[name][1:], **LIMIT),
    ]


def bounds_of(trajectories):
    """Where phases II and III begin: geometric means over the runs that have all three; NaN if none has."""
    found = np.array([one.phases[1:3] for one in trajectories if one.phases.found]).reshape(-1, 2)
    return np.exp(np.log(found).mean(axis=0)) if len(found) else np.full(2, np.nan)


def paint(panels, trajectories, average, limit, s, regime):
    winner = "s" if trajectories[0].phases.winner == "signal" else "2"
    ends = [one.steps[-1] for one in trajectories]
    uniform = level(1 / s.M, color="0.4", linewidth=0.6, linestyle=":", label="1/M")
    more = {"a": [line([], [], label="limit", **LIMIT), line([], [], "|", label="ends of runs", **ENDS)],
            "c": [uniform], "d": [uniform]}  # fmt: skip
    corners = {"a": "lower left", "b": "lower right"}
    most = max(1.5, 1.1 * np.nanmax(average.high["slope_ratio"]))
    for axes, letter, (title, curves, settings) in zip(panels, "abcdef", panels_of(winner, most)):
        marks = [mark for curve in curves for mark in marks_of(average, limit, *curve)]
        title = f"({letter}) {title}" + f", {regime}" * (letter == "a")
        panel(axes, *marks, *more.get(letter, []), title=title, place={"pad": 11}, xscale="log",
              xlim=(1, 1.05 * max(ends)), **settings)  # fmt: skip
        shade_phases(axes, bounds_of(trajectories))
        axes.legend(loc=corners.get(letter, "upper left"), handlelength=2.8, labelspacing=0.3, **ON_CURVES)
    panels[1].yaxis.set_minor_locator(NullLocator())  # it spans many decades
    panels[5].yaxis.set(major_formatter="{x:g}", minor_formatter="{x:g}")
    panels[5].set_xlabel("iteration")
    panels[0].plot(  # at the bottom
        ends, np.full(len(ends), 0.02), "|", transform=panels[0].get_xaxis_transform(), **ENDS
    )


def rows_of(trajectories, average, limit, seeds):
    """The numbers of the CSV: means with their bands, the limit, the end and the phases of every run."""
    runs = {f"seed {seed}": one for seed, one in zip(seeds, trajectories)}
    for name in dynamics.QUANTITIES:
        yield from curves_of("mean", name, average, limit)
        for seed, one in runs.items():
            yield f"{seed}, end", name, one.steps[-1], one.quantities[name][-1], "", ""
    yield from phases_of({**runs, "limit": limit})


def lines_of(trajectories, limit, s, regime):
    """What is printed: phases found and their times, and what the end of the runs shows."""
    whole = [one.phases for one in trajectories if one.phases.found]
    of, winners = f"of {len(trajectories)}", ", ".join(sorted({one.phases.winner for one in trajectories}))
    lines = [
        f"{regime}: epsilon = {s.epsilon:g} reached in {sum(one.converged for one in trajectories)} {of} "
        f"runs; three phases found in {len(whole)} {of}, on {winners}"
    ]
    names = {"leaves": "phase II begins", "settles": "phase III begins", "end": "the run ends"}
    if len(whole) > 1:
        times = {name: [float(getattr(one, name)) for one in whole] for name in names}
        lines += [
            f"{what} at step {np.mean(times[name]):.0f} +- {np.std(times[name], ddof=1):.0f} (one sigma over "
            f"seeds); in the limit {getattr(limit.phases, name):.0f}" for name, what in names.items()
        ]  # fmt: skip
    end = {name: np.array([one.quantities[name][-1] for one in trajectories]) for name in dynamics.QUANTITIES}
    shown = {"signal on signal": "S_ss", "signal on xi_2": "S_s2", "xi_2 on xi_2": "S_22",
             "xi_2 on signal": "S_2s"}  # fmt: skip
    test, largest = end["test_loss"], [one.quantities["slope_ratio"].max() for one in trajectories]
    return [
        *lines,
        "attention at the end, mean over seeds, row of "
        + ", ".join(f"{what} {end[name].mean():.4f}" for what, name in shown.items()),
        f"at the end: training loss <= {end['train_loss'].max():.3g}, test loss {test.min():.3g} to "
        f"{test.max():.3g} (limit {limit.quantities['test_loss'][-1]:.3g})",
        f"max |ell'| / min |ell'| over a whole run: {np.median(largest):.3g} in the median, at most "
        f"{max(largest):.3g}",
    ]  # fmt: skip


def make(options):
    size, seeds = options.size, options.seeds(3 if options.quick else 10)
    tasks = [(regime, size, seed) for regime in dynamics.REGIMES for seed in seeds]
    settings = {regime: dynamics.setting_of(regime, size) for regime in dynamics.REGIMES}
    decides, asked = {regime: s.values() for regime, s in settings.items()}, dynamics.SIZES[size][1]
    kept = compute(f"phases-{size}", dynamics.draw, tasks, options, "runs", settings=decides, asked=asked)
    figure, grid = plt.subplots(6, 2, figsize=(WIDTH, 11.0), sharex="col")
    table, lines = [["regime", "what", "quantity", "step", "value", "low", "high"]], []
    for panels, (regime, s) in zip(grid.T, settings.items()):
        trajectories = [dynamics.Trajectory.from_lists(*kept[regime, size, seed]) for seed in seeds]
        average = dynamics.average(trajectories)
        limit = dynamics.limit_trajectory(s, average.steps)
        paint(panels, trajectories, average, limit, s, regime)
        table += [(regime, *row) for row in rows_of(trajectories, average, limit, seeds)]
        lines += lines_of(trajectories, limit, s, regime)
    ends = [steps[-1] for steps, *_ in kept.values()]
    return finish(
        options, "phases", figure,
        caption=CAPTION.format(
            seeds=len(seeds), shortest=min(ends), longest=max(ends), **decides["benign"],
            **{f"snr_{regime}": s.snr for regime, s in settings.items()},
            **{regime: s.N_snr2 for regime, s in settings.items()},
        ),
        table=table,
        lines=lines,
        settings={"settings": decides, "seeds": seeds},
    )  # fmt: skip
