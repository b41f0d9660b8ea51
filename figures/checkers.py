"""Which gradient checkers accept which wrong gradients: verdicts of audit/comparison.py, kept in checkers.csv
with the versions.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from benign_ref.audit.comparison import SATURATED, counted, gaps, shares
from benign_ref.teach.notation import mathtext

from .common import WIDTH, finish, plt
from .compare import read

TITLE = "wrong gradients that gradient checkers accept, by the scale of the weights"
CAPTION = """Checkers. Every row is a wrong gradient of the training loss, G1-G4 with one mistake; every
column a checker. Above, at three scales of W_Q, W_K, W_V (w_O has norm 1); below, where attention is
saturated: the two largest logits of a row differ by {gaps}. Pale: rejected in all {seeds} draws of the point,
violet: accepted in some, dark: accepted in all. Under each checker: how many of the {count} it accepts, least
and most over the draws; "right one rejected" where it does not accept the right gradient in some draw.
Attention's gradients shrink like the square of the weights, to about 1e-7 at scale 1e-3, and like e^-gap, and
pass below every absolute tolerance, whatever they are. Peers called with their default tolerances in float64;
scipy's check_grad returns an error, taken as small below 1e-5; the Taylor test is one of this package.
Versions: {versions}. The verdicts are measured beforehand, where the peers are installed (python -m
benign_ref.audit.comparison --seeds 0 1 2 --csv figures/checkers.csv), and drawn here.
"""
COLOURS = ("#f2f0ea", "#b99ac0", "#440154")
MEANINGS = ("rejected in all draws", "accepted in some", "accepted in all")
VERDICTS = Path(__file__).with_name("checkers.csv")


def panel(axes, accepted, scales):
    """One checker's wrong gradients at some scales; accepted (mutants, scales, seeds), the right one last."""
    share = np.nanmean(accepted[:-1], axis=2)
    axes.pcolormesh(
        1 + (share == 1) - (share == 0), cmap=ListedColormap(COLOURS), vmin=0, vmax=2, edgecolors="white",
        linewidth=0.6,
    )  # fmt: skip
    words = [
        wrong if right else f"{wrong},\nright one\nrejected"
        for wrong, right in map(counted, accepted.swapaxes(0, 1))
    ]
    names = [scale if scale == SATURATED else f"{float(scale):g}".lstrip("0") for scale in scales]
    axes.set_xticks(np.arange(len(scales)) + 0.5, map("{}\n{}".format, names, words), fontsize=5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return ", ".join(f"{word} at {name}".replace("\n", " ") for name, word in zip(names, words))


def make(options):
    header, *rows = read(VERDICTS)
    checkers, scales, mutants, accepted = shares(rows)
    saturated = np.array(scales) == SATURATED
    names = [
        mathtext(f"{name} ({'all blocks' if block == 'all' else block})", 60) for block, name in mutants[:-1]
    ]
    figure, panels = plt.subplots(2, len(checkers), figsize=(WIDTH, 8.2), sharey=True)
    lines = []
    for k, checker in enumerate(checkers):
        said = [
            panel(axes, accepted[:, k][:, group], np.array(scales)[group])
            for axes, group in zip(panels[:, k], (~saturated, saturated))
        ]
        panels[0, k].set_title(checker.replace(" ", "\n"), fontsize=7)
        lines.append(f"{checker}: accepts of {len(names)} wrong gradients {', '.join(said)}")
    for axes, group in zip(panels[:, 0], ("scale of the weights", "saturated attention")):
        axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=6)
        axes.set_ylabel(group, fontsize=8)
    panels[0, 0].invert_yaxis()
    figure.legend(
        handles=[Patch(facecolor=fill, edgecolor="0.6", label=text) for fill, text in zip(COLOURS, MEANINGS)],
        loc="outside upper center", ncols=3, fontsize=7,
    )  # fmt: skip
    figure.supxlabel(f"under each column: how many of {len(names)} wrong gradients are accepted", fontsize=7)
    versions = dict.fromkeys(
        f"{row[0].split()[0]} {row[1]}" for row in rows if row[1] not in ("absent", "this package")
    )
    seeds = {int(row[2]) for row in rows if row[2]}
    differ = np.concatenate([*map(gaps, seeds)])
    return finish(
        replace(options, quick=False), "checkers", figure,  # nothing here is reduced with --quick
        caption=CAPTION.format(
            seeds=len(seeds), count=len(names), versions=", ".join(versions),
            gaps=f"{differ.min():.0f} to {differ.max():.0f}",
        ),
        table=[header, *rows],
        lines=lines,
        settings={"verdicts": VERDICTS.name},
    )  # fmt: skip
