"""What fig3 and fig4 share: the published training dynamics, in the published five panels."""

import numpy as np
from matplotlib.patches import Patch

from benign_ref.experiments import dynamics
from benign_ref.experiments.published import published_setting
from benign_ref.plots import BLUE, GREYS, VERMILLION, shade_phases

from .common import LIMIT, ON_CURVES, WIDTH, bars, compute, finish, line, mark, panel, plt

CAPTION = """
The paper's Figure {number}: training dynamics, {regime}, by the published protocol ({file} [A]). Gradient
descent on real draws, noise not projected, N = {N}, M = {M}, d = {d}, d_h = {d_h}, d_v = {d_v},
||mu|| = {mu:g}, C_p = {C_p:g}, eta = {eta:g}, 500 steps whatever the loss; that is x = N
SNR^2/C_p^2 = {x:.3g}. Solid: mean over {runs} runs, with error bars of 2 standard deviations every 50
steps; black, dashed: the limit of large d and d_h (L1-L5 [D]), nothing fitted. (a) Training loss, and
test loss on {n_test} fresh samples. (b) to (e), of the first training sample whose label is +1: (b)
attention on the signal and on xi_2, each averaged over the {M} queries; (c) their V; (d) <q, k> of
the signal's query with both keys; (e) of the query of token 3. Shaded: the theory's phases I, II, III
[P*] by a rule of ours [C] (phases.py), in the limit: II begins at step {leaves:.0f}, III at
{settles:.0f}. In {found} of {runs} runs all three are found, at steps {medians} in the median. At step
{last}: training loss {train_loss}, test loss {test_loss}, attention {S_s} and {S_2}, V {V_s} and {V_2},
<q, k> {P_ss} and {P_s2}, and {P_is} and {P_i2} (mean ± 2 standard deviations; in brackets the limit).
"""
FILES = {"benign": "training_dynamic_benign.py", "harmful": "training_dynamic_harmful.py"}
RUNS = {"full": 20, "quick": 3}
N_TEST, EVERY, BAR = 10, 5, 50  # fresh samples [A]; steps between records [C], between error bars [A]
PANELS = (  # title, label of the axis, {quantity: label}
    ("losses", "loss", {"train_loss": "training", "test_loss": "test"}),
    ("attention, mean over queries", "attention", {"S_s": r"on $\mu$", "S_2": r"on $\xi_2$"}),
    ("values", "$V$", {"V_s": r"$\mu$", "V_2": r"$\xi_2$"}),
    ("query of the signal", r"$\langle q, k\rangle$", {"P_ss": r"key of $\mu$", "P_s2": r"key of $\xi_2$"}),
    ("query of token 3", r"$\langle q, k\rangle$", {"P_is": r"key of $\mu$", "P_i2": r"key of $\xi_2$"}),
)
BARS = {"linestyle": "", "elinewidth": 0.7, "capsize": 1.5, "capthick": 0.7}


def curves_of(what, name, average, limit):
    """Rows of the CSV: the mean of a quantity with its band, and the limit's."""
    bands = average.mean[name], average.low[name], average.high[name]
    yield from ((what, name, *row) for row in zip(average.steps, *bands, strict=True))
    yield from (("limit", name, *at, "", "") for at in zip(limit.steps, limit.quantities[name], strict=True))


def phases_of(runs):
    """Rows of the CSV: where the phases of each of {name: Trajectory} begin."""
    for name, one in runs.items():
        yield name, "phase II begins", one.phases.leaves, "", "", ""
        yield name, "phase III begins", one.phases.settles, "", "", ""


def measure(options, name, regime):
    """The seeds and the runs, Trajectories; what the store has is not computed again."""
    size, s = options.size, published_setting(dynamics.PUBLISHED[regime])
    seeds = options.seeds(RUNS[size])
    tasks = [(regime, seed, EVERY, N_TEST) for seed in seeds]
    kept = compute(f"{name}-{size}", dynamics.published_draw, tasks, options, "runs", settings=s.values())
    return seeds, [dynamics.Trajectory.from_lists(*one) for one in kept.values()]


def draw(average, limit, bounds):
    figure, panels = plt.subplots(2, 3, figsize=(WIDTH, 4.2))
    steps, at = average.steps, average.steps % BAR == 0
    for axes, letter, (title, label, quantities) in zip(panels.flat, "abcde", PANELS):
        marks = []
        for (name, what), colour in zip(quantities.items(), (BLUE, VERMILLION), strict=True):
            half = (average.high[name] - average.low[name]) / 2
            marks += [
                line(steps, average.mean[name], color=colour, label=what),
                bars(steps[at], average.mean[name][at], half[at], color=colour, **BARS),
                line(limit.steps, limit.quantities[name], **LIMIT),
            ]
        panel(axes, *marks, title=f"({letter}) {title}", place={"pad": 11}, ylabel=label,
              xlabel="iteration", xlim=(0, steps[-1]))  # fmt: skip
        shade_phases(axes, bounds)
        axes.legend(**ON_CURVES)
    panels[1, 2].axis("off")
    panels[1, 2].legend(handles=[
        mark("mean over the runs", linestyle="-", color="0.35", linewidth=1.3),
        panels[0, 0].errorbar([], [], [], color="0.35", label="2 standard deviations", **BARS),
        mark("the limit, nothing fitted", **LIMIT),
        *(Patch(facecolor=shade, edgecolor="0.6", linewidth=0.5, label=f"phase {name}, in the limit")
          for name, shade in GREYS.items()),
    ], loc="center left")  # fmt: skip
    return figure


def make(options, name, regime):
    s, (seeds, runs) = published_setting(dynamics.PUBLISHED[regime]), measure(options, name, regime)
    average, limit = dynamics.average(runs, ()), dynamics.published_limit(regime, np.arange(s.max_steps + 1))
    found = [(one.phases.leaves, one.phases.settles) for one in runs if one.phases.found]
    last, bounds = int(average.steps[-1]), (limit.phases.leaves, limit.phases.settles)
    medians = "{:.0f} and {:.0f}".format(*np.median(found or [(np.nan, np.nan)], axis=0))
    ends = {
        name: f"{average.mean[name][-1]:.3g} ± {average.high[name][-1] - average.mean[name][-1]:.2g} "
        f"({limit.quantities[name][-1]:.3g})" for name in dynamics.PUBLISHED_QUANTITIES
    }  # fmt: skip
    return finish(
        options, name,
        figure=draw(average, limit, bounds),
        caption=CAPTION.format(
            **s.values(), **ends, number=name[-1], regime=regime, file=FILES[regime], mu=s.mu_norm, x=s.x,
            runs=len(runs), n_test=N_TEST, found=len(found), leaves=bounds[0], settles=bounds[1],
            medians=medians, last=last,
        ),
        table=[
            ["what", "quantity", "step", "mean", "low", "high"],
            *(row for of in dynamics.PUBLISHED_QUANTITIES for row in curves_of("runs", of, average, limit)),
            *phases_of({f"seed {seed}": one for seed, one in zip(seeds, runs)}),
        ],
        lines=[
            f"{regime}, {len(runs)} runs, step {last}, mean ± 2 standard deviations (the limit):",
            *(f"    {what}: {end}" for what, end in ends.items()),
            "phases II and III begin at steps {:.0f} and {:.0f} in the limit, ".format(*bounds)
            + f"{medians} in the median of the {len(found)} of {len(runs)} runs that have all three",
        ],
        settings={"settings": s.values(), "seeds": seeds},
    )  # fmt: skip
