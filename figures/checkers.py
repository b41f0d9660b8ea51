"""Which gradient checkers accept which wrong gradients: benign_ref.comparison's verdicts, kept in
checkers.csv with the versions.
"""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap

from .common import WIDTH, Result, plt, save

TITLE = "wrong gradients that gradient checkers accept, by the scale of the weights"
CAPTION = """ Checkers. Every row is a wrong gradient of the training loss, G1-G4 with one mistake; every
column a checker at one scale of W_Q, W_K, W_V (w_O has norm 1); dark: accepted in all {seeds} draws of the
point, light: in some. Below each checker: how many of the {count} it accepts at each scale, least and most
over the draws. Attention's gradients shrink like the square of the weights, to about 1e-7 at scale 1e-3, and
pass below every absolute tolerance, whatever they are. Peers called with their default tolerances in float64;
scipy's check_grad returns an error, taken as small below 1e-5; the Taylor test is one of this package.
Versions: {versions}. The verdicts are measured beforehand (python -m benign_ref.comparison --seeds 0 1 2
--csv figures/checkers.csv) and drawn here.
"""
COLOURS = ListedColormap(["#f2f0ea", "#b99ac0", "#440154"])  # accepted in no draw, in some, in all
VERDICTS = Path(__file__).with_name("checkers.csv")


def verdicts():
    """(header, rows) of checkers.csv."""
    with open(VERDICTS, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def shares(rows):
    """(checkers, scales, mutants, accepted (mutants, checkers, scales, seeds) of 0 or 1), the right gradient
    left out.
    """
    rows = [row for row in rows if row[1] != "absent" and row[4] != "none"]
    checkers, seeds, scales = (list(dict.fromkeys(row[k] for row in rows)) for k in (0, 2, 3))
    mutants = list(dict.fromkeys((row[4], row[5]) for row in rows))
    accepted = np.full((len(mutants), len(checkers), len(scales), len(seeds)), np.nan)
    for checker, _, seed, scale, block, name, verdict in rows:
        accepted[
            mutants.index((block, name)), checkers.index(checker), scales.index(scale), seeds.index(seed)
        ] = int(verdict)
    return checkers, scales, mutants, accepted


def make(options):
    """Draw the verdicts, return a Result."""
    header, rows = verdicts()
    checkers, scales, mutants, accepted = shares(rows)
    versions = dict.fromkeys(
        f"{row[0].split()[0]} {row[1]}" for row in rows if row[1] not in ("absent", "this package")
    )
    level = np.where(accepted.mean(axis=3) == 0, 0, np.where(accepted.mean(axis=3) == 1, 2, 1))
    figure, panels = plt.subplots(1, len(checkers), figsize=(WIDTH, 4.4), sharey=True)
    lines = []
    for k, (axes, checker) in enumerate(zip(panels, checkers)):
        axes.pcolormesh(level[:, k], cmap=COLOURS, vmin=0, vmax=2, edgecolors="white", linewidth=0.6)
        counts = accepted[:, k].sum(axis=0).astype(int)
        words = [
            f"{low}" if low == high else f"{low}-{high}"
            for low, high in zip(counts.min(axis=1), counts.max(axis=1))
        ]
        labels = [f"{float(scale):g}\n{word}" for scale, word in zip(scales, words)]
        axes.set_xticks(np.arange(len(scales)) + 0.5, labels, fontsize=6)
        axes.set_title(checker.replace(" ", "\n", 1), fontsize=7)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        said = ", ".join(f"{word} at weights {float(scale):g}" for scale, word in zip(scales, words))
        lines.append(f"{checker}: accepts of {len(mutants)} wrong gradients {said}")
    names = [f"{name}  ({'all blocks' if block == 'all' else block})" for block, name in mutants]
    panels[0].set_yticks(np.arange(len(mutants)) + 0.5, names, fontsize=6)
    panels[0].invert_yaxis()
    figure.supxlabel(f"scale of the weights; below it how many of {len(mutants)} are accepted", fontsize=7)
    caption = CAPTION.format(seeds=accepted.shape[3], count=len(mutants), versions=", ".join(versions))
    files = save(
        figure, "checkers", caption, header, rows, replace(options, quick=False)
    )  # nothing here is reduced with --quick
    return Result(files, lines, {"verdicts": VERDICTS.name})
