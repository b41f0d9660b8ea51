"""Every number that the paper's figures show: as captioned, as drawn, as its data have it, ours, computed."""

import textwrap

import numpy as np

from benign_ref.experiments import claims
from benign_ref.experiments.dynamics import PUBLISHED

from . import fig1, published_dynamics
from .common import PAPER_RED, WIDTH, finish, plt

TITLE = "every number the paper shows: as captioned, as drawn, as its data have it, ours, computed; verdicts"
CAPTION = """
Claims. Each number that the paper's figures show: as captioned [P], as drawn and as the authors' data
have it [A], by the published protocol on our real draws (mean and standard error), and computed from the
limit [D]. The criteria were fixed beforehand [C]; they and the commands are in claims.md. Of {rows}
claims {holds} hold, {fails} do not hold and {undecided} cannot be decided. Figure 1 is from {cells}
cells, its crossings from {added} rows more (see its caption), Figures 3 and 4 from {runs} runs each.
"""
SHOWN = {"claim": 27, "captioned": 10, "drawn": 10, "data": 17, "ours": 24, "computed": 18, "verdict": 24}
COLOURS = {claims.HOLDS: "#1b7837", claims.FAILS: PAPER_RED, claims.UNDECIDED: "0.35"}


def collect(options):
    """All rows, and how many cells, added draws and runs they are from."""
    plane = fig1.measure_all(options)
    of_crossings = plane.result.Ns.tolist(), plane.found, plane.computed
    runs = {
        regime: published_dynamics.measure(options, f"fig{name[-1]}", regime)[1]
        for regime, name in PUBLISHED.items()
    }
    rows = [
        *claims.crossing_claims(*of_crossings), *claims.curve_claims(*of_crossings),
        *claims.plane_claims(plane.comparison, plane.away), *claims.dynamics_claims(runs),
        *claims.other_claims(),
    ]  # fmt: skip
    return rows, {
        "cells": plane.result.status.size, "added": len(plane.added), "runs": len(runs["benign"])
    }  # fmt: skip


def verdict_of(row):
    """HOLDS, FAILS or UNDECIDED, the word that a row's verdict begins with."""
    return next(word for word in COLOURS if row.verdict.startswith(word))


def draw(rows):
    """The table as a picture; criteria and commands are left to the text."""
    cells = [[textwrap.fill(getattr(row, name), width) for name, width in SHOWN.items()] for row in rows]
    heights = [1 + max(cell.count("\n") + 1 for cell in line) for line in cells]
    total, left, tops = sum(heights) + 3, np.cumsum([0, *SHOWN.values()]), 2 + np.cumsum([0, *heights])
    figure, axes = plt.subplots(figsize=(1.25 * WIDTH, 0.115 * total))
    axes.set(xlim=(0, left[-1]), ylim=(total, 0))
    axes.axis("off")
    for x, name in zip(left, SHOWN):
        axes.text(x, 0.2, name, fontsize=7, va="top", weight="bold")
    for row, line, top in zip(rows, cells, tops):
        axes.axhline(top - 0.25, color="0.85", linewidth=0.6)
        for x, name, text in zip(left, SHOWN, line):
            colour = COLOURS[verdict_of(row)] if name == "verdict" else "black"
            axes.text(x, top, text, fontsize=6, va="top", color=colour, linespacing=1.15)
    return figure


def make(options):
    rows, sizes = collect(options)
    holds, fails, undecided = (sum(verdict_of(row) == word for row in rows) for word in COLOURS)
    caption = CAPTION.format(rows=len(rows), holds=holds, fails=fails, undecided=undecided, **sizes)
    return finish(
        options, "claims", draw(rows), caption,
        table=[claims.COLUMNS, *rows],
        lines=[
            f"{row.claim}: captioned {row.captioned or '-'}; data {row.data or '-'}; ours {row.ours or '-'}; "
            f"computed {row.computed or '-'}: {row.verdict}"
            for row in rows
        ],
        settings={"claims": [row._asdict() for row in rows]},
        more={"md": claims.as_markdown(rows) + caption},
    )  # fmt: skip
