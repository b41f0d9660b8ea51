"""What moves the boundary of Figure 1, by how much, and what does not: each departure alone."""

import numpy as np

from benign_ref.experiments import departures
from benign_ref.experiments.departures import DEPARTURES, LEVEL, computed, setting_of
from benign_ref.experiments.figure1 import N_TEST
from benign_ref.experiments.fits import crossing_of_rows
from benign_ref.teach.notation import mathtext

from .common import WIDTH, bars, compute, finish, legend_below, line, mark, panel, plt

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


# N; draws; those of slow departures at the largest N; of how many places of a row one is taken
SIZES = {"quick": ((4,), 2, 2, 4), "full": ((4, 10, 20), 8, 3, 1)}


def measure(options):
    """{(name, N): Crossing} of the draws; what the store has is not computed again."""
    Ns, draws, few, every = SIZES[options.size]
    counts = {
        (name, N): few if one.slow and N == max(Ns) else draws for name, one in DEPARTURES.items() for N in Ns
    }
    tasks = sorted(
        ((*place, seed, every) for place, count in counts.items() for seed in options.seeds(count)),
        key=lambda task: (not DEPARTURES[task[0]].slow, -task[1]),  # the longest runs first
    )
    settings = {name: str(setting_of(name, Ns[0])) for name in DEPARTURES}
    rows = compute("departures", departures.row, tasks, options, "rows", n_test=N_TEST, **settings)
    return {
        place: crossing_of_rows([rows[(*place, seed, every)] for seed in options.seeds(count)])
        for place, count in counts.items()
    }


def row_of(name, N, found):
    """A row of the table, as `make` heads them."""
    c, limit = found[name, N], computed(name, N)
    row = [DEPARTURES[name].name, N, c.mean, c.error, c.rows, c.draws]
    if name in ("published", "figure 3"):  # with these the others are compared
        return [*row, "", "", "the base", limit, ""]
    base = "figure 3" if name == "C_p" else "published"
    other = found[base, N]
    moved = c.mean - other.mean, np.hypot(c.error, other.error), departures.verdict(c, other)
    return [*row, *moved, limit, limit - computed(base, N)]


def draw(found, Ns):
    names, dots = list(DEPARTURES)[::-1], {"fmt": "o", "color": "C1", "markersize": 4, "linewidth": 1.2}
    grey = {"color": "0.85", "linewidth": 0, "label": "the published one, standard error"}
    middle = {"color": "0.6", "linewidth": 0.8, "label": "the published one, ours"}
    black = {"marker": "|", "markersize": 10, "markeredgewidth": 1.5}
    figure, panels = plt.subplots(1, len(Ns), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
    for axes, N in zip(panels[0], Ns):
        base = found["published", N]
        panel(
            axes,
            ("axvspan", (base.mean - base.error, base.mean + base.error), grey),
            ("axvline", (base.mean,), middle),
            *(mark for height, name in enumerate(names) for mark in (
                bars(found[name, N].mean, height, xerr=found[name, N].error, **dots),
                line(computed(name, N), height, color="black", **black))),
            title=f"$N={N}$",
            log_x=((200, 500, 1000), r"$N\,\mathrm{SNR}^2$ at test loss " + f"{LEVEL}"),
        )  # fmt: skip
        axes.set_xlim(150, 1500)
    panels[0, 0].set_yticks(
        range(len(names)), [mathtext(DEPARTURES[name].name, 60) for name in names], fontsize=6.5
    )
    legend_below(figure, [
        mark("our draws, mean and standard error", color="C1", marker="o", markersize=4, linestyle="-"),
        mark("the limit with the same change", **black),
        *panels[0, 0].get_legend_handles_labels()[0][:2],
    ], ncols=2)  # fmt: skip
    return figure


def in_words(name, N, mean, error, rows, draws, moved, joint, said, limit, away):
    def give_or_take(error):
        return f" +- {error:.0f}" if np.isfinite(error) else ""  # fewer than two rows that cross have none

    compared = f"{moved:+.0f}{give_or_take(joint)}: {said}" if joint != "" else said
    beside = f" ({away:+.0f})" if away != "" else ""
    ours = f"{mean:.0f}{give_or_take(error)} ({rows}/{draws})"
    return f"    N = {N:2d} {name}: {ours}, {compared} | {limit:.0f}{beside}"


def make(options):
    (Ns, draws, few, _), found = SIZES[options.size], measure(options)
    rows = [row_of(*place, found) for place in found]
    moves = sorted({f"{row[0]} (N = {row[1]})" for row in rows if row[8] == "moves it"}) or ["nothing"]
    return finish(
        options, "departures",
        figure=draw(found, Ns),
        caption=CAPTION.format(level=LEVEL, Ns=", ".join(map(str, Ns)), draws=draws, slow=few, large=max(Ns),
                               moves="; ".join(moves)),
        table=[
            ["departure", "N", "N SNR^2", "standard error", "rows that cross", "rows", "difference",
             "its standard error", "verdict", "the limit", "the limit's difference"],
            *rows,
        ],
        lines=[
            "N SNR^2 at test loss 0.2, mean +- standard error of real draws (rows that cross/rows); "
            "difference from the base +- joint standard error: verdict | the limit (its difference)",
            *(in_words(*row) for row in rows),
        ],
        settings={name: setting_of(name, Ns[0]).values() for name in DEPARTURES},
    )  # fmt: skip
