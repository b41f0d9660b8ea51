"""What moves the boundary of Figure 1, by how much, and what does not: each departure alone."""

import numpy as np

from benign_ref.experiments import departures
from benign_ref.experiments.departures import DEPARTURES, LEVEL, computed, setting_of
from benign_ref.experiments.fits import crossing_of_rows
from benign_ref.experiments.more_draws import N_TEST
from benign_ref.runtime.resume import compute
from benign_ref.teach.notation import mathtext

from .common import WIDTH, finish, legend_below, log_axis, mark, plt

TITLE = "what moves the boundary of Figure 1, by how much, and what does not: each departure alone"
CAPTION = """
Departures. Each thing in which the published experiment of Figure 1 [A] and D1 or our small-step settings
[C] differ, varied alone: where test loss crosses {level}, in N SNR^2, at N = {Ns}. Dots: real draws,
{draws} rows ({slow} at N = {large} where steps are small), of each the last fall through {level}; bars:
standard error; black: the limit with the same change, nothing fitted. Grey: the published experiment,
mean and standard error. The last two rows are at the scales of Figures 3 and 4, where C_p = 20 [A] while
5 sqrt(M) = 10 [P*]; their runs end at epsilon = 0.01 [C]. Fixed beforehand [C]: a difference of more than
3 joint standard errors moves the boundary; one of fewer than 2, where these are at most 3% of the
crossing, is no difference beyond chance; all else cannot be decided. Moves it: {moves}.
"""


def sizes(quick):
    """N; draws; those of slow departures at the largest N; of how many places of a row one is taken."""
    return ((4,), 2, 2, 4) if quick else ((4, 10, 20), 8, 3, 1)


def measure(options):
    """{(name, N): Crossing} of the draws; what the store has is not computed again."""
    Ns, draws, few, every = sizes(options.quick)
    seeds = {
        (name, N): range(options.seed, options.seed + (few if one.slow and N == max(Ns) else draws))
        for name, one in DEPARTURES.items()
        for N in Ns
    }
    tasks = [(name, N, seed, every) for (name, N), chosen in seeds.items() for seed in chosen]
    tasks.sort(key=lambda task: (not DEPARTURES[task[0]].slow, -task[1]))  # the longest runs first
    settings = {name: str(setting_of(name, Ns[0])) for name in DEPARTURES}
    rows = compute("departures", departures.row, tasks, options, "rows", n_test=N_TEST, **settings)
    return {
        (name, N): crossing_of_rows([rows[name, N, seed, every] for seed in chosen])
        for (name, N), chosen in seeds.items()
    }


def base_of(name):
    """The departure that another one is compared with, or None."""
    return {"published": None, "figure 3": None, "C_p": "figure 3"}.get(name, "published")


def table(found):
    """The rows of the table, as `make` heads them."""
    rows = []
    for (name, N), c in found.items():
        base = base_of(name)
        compared = ["", "", "the base"]
        limit = computed(name, N)
        if base:
            other = found[base, N]
            compared = [c.mean - other.mean, np.hypot(c.error, other.error), departures.verdict(c, other)]
        away = limit - computed(base, N) if base else ""
        rows.append([DEPARTURES[name].name, N, c.mean, c.error, c.rows, c.draws, *compared, limit, away])
    return rows


def draw(found, Ns):
    """A panel for each N: crossings down the list of departures."""
    names = list(DEPARTURES)[::-1]
    figure, panels = plt.subplots(1, len(Ns), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
    for axes, N in zip(panels[0], Ns):
        base = found["published", N]
        grey = {"color": "0.85", "linewidth": 0, "label": "the published one, standard error"}
        axes.axvspan(base.mean - base.error, base.mean + base.error, **grey)
        axes.axvline(base.mean, color="0.6", linewidth=0.8, label="the published one, ours")
        for height, name in enumerate(names):
            c = found[name, N]
            axes.errorbar(c.mean, height, xerr=c.error, fmt="o", color="C1", markersize=4, linewidth=1.2)
            axes.plot(
                computed(name, N), height, marker="|", color="black", markersize=10, markeredgewidth=1.5
            )
        axes.set(title=f"$N={N}$")
        log_axis(axes, (200, 500, 1000), r"$N\,\mathrm{SNR}^2$ at test loss " + f"{LEVEL}")
        axes.set_xlim(150, 1500)
    panels[0, 0].set_yticks(
        range(len(names)), [mathtext(DEPARTURES[name].name, 60) for name in names], fontsize=6.5
    )
    handles = [
        mark("our draws, mean and standard error", color="C1", marker="o", markersize=4, linestyle="-"),
        mark("the limit with the same change", marker="|", markersize=10, markeredgewidth=1.5),
        *panels[0, 0].get_legend_handles_labels()[0][:2],
    ]
    legend_below(figure, handles, ncols=2)
    return figure


def report(rows):
    """The printed lines."""
    lines = [
        "N SNR^2 at test loss 0.2, real draws; difference from the base in joint standard errors | the limit"
    ]
    for name, N, mean, error, _, _, moved, joint, said, limit, away in rows:
        compared = f"{moved:+.0f} +- {joint:.0f}: {said}" if joint != "" else said
        limits = f"{limit:.0f}" + (f" ({away:+.0f})" if away != "" else "")
        lines.append(f"    N = {N:2d} {name}: {mean:.0f} +- {error:.0f}, {compared} | {limits}")
    return lines


def make(options):
    """Compute the rows of every departure, draw them, return a Result."""
    Ns, draws, few, _ = sizes(options.quick)
    found = measure(options)
    rows = table(found)
    moves = sorted({f"{row[0]} (N = {row[1]})" for row in rows if row[8] == "moves it"}) or ["nothing"]
    caption = CAPTION.format(
        level=LEVEL, Ns=", ".join(map(str, Ns)), draws=draws, slow=few, large=max(Ns), moves="; ".join(moves)
    )
    header = ["departure", "N", "N SNR^2", "standard error", "rows that cross", "rows", "difference",
              "its standard error", "verdict", "the limit", "the limit's difference"]  # fmt: skip
    settings = {name: setting_of(name, Ns[0]).values() for name in DEPARTURES}
    return finish(options, "departures", draw(found, Ns), caption, [header, *rows], report(rows), settings)
