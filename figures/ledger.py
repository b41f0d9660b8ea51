"""The ledger: every statement, how it was checked, the residual and the verdict, as a picture and as a
page.
"""

from dataclasses import astuple, replace
from textwrap import fill

import numpy as np

from benign_ref import __version__, audit
from benign_ref.audit import render
from benign_ref.audit.core import Entry, Found
from benign_ref.teach.notation import mathtext

from .common import PAPER_RED, WIDTH, compute, finish, plt

TITLE = "the ledger: every statement, its code, its check, its residual (HTML, Markdown, JSON, picture)"
CAPTION = """ The ledger. One row a statement: the residual of the route nearest to what is allowed, out of
all routes at generic weights and at the theory's initialisation; relative to the largest entry of what is
compared, with no absolute tolerance, or in standard errors where numbers are drawn (D1, LAW), or as measured
(T1-T3, whose thresholds are ours [C]). Right: residual over allowed; left of the line the statement holds.
Fractions: "equal" where both sides are the same fractions in exact arithmetic (audit --exact).
ledger.html shows equation, code and every residual side by side; python -m benign_ref audit makes it anew.
"""
GREEN = "#14663a"


COLUMNS = {
    "label": 0.0,
    "statement": 0.055,
    "how sure": 0.665,
    "residual": 0.86,
    "allowed": 0.93,
    "fractions": 1.0,
}


def picture(entries):
    """The table on the left, residual / allowed on the right; a row is as high as its statement has lines."""
    statements = [mathtext(entry.row.statement, 76) for entry in entries]
    heights = np.array([1.05 + 0.6 * text.count("\n") for text in statements])
    places = heights / 2 - np.cumsum(heights)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 0.18 * heights.sum() + 0.7), width_ratios=[5.6, 1], sharey=True
    )
    left.set(xlim=(0, 1), ylim=(-heights.sum(), 1.0))
    left.axis("off")
    for name, x in COLUMNS.items():
        left.text(x, 0.6, name, fontsize=5.5, weight="bold", ha="right" if x > 0.8 else "left", va="center")
    for y, entry, statement in zip(places, entries, statements):
        told = [entry.row.label, statement, fill(entry.row.mark, 24), *render.numbers(entry),
                entry.exact.partition(",")[0]]  # fmt: skip
        for (name, x), text in zip(COLUMNS.items(), told):
            label = name == "label"
            left.text(
                x, y, text, ha="right" if x > 0.8 else "left", va="center", linespacing=1.15,
                fontsize=6 if label else 5.5, weight="bold" if label else "normal",
                color="black" if entry.passed else PAPER_RED, in_layout=False,  # within the axes anyway
            )  # fmt: skip
    strain = [entry.tightest.strain if entry.found else np.inf for entry in entries]
    right.scatter(np.clip(strain, 1e-9, 1e3), places, s=14, clip_on=False,
                  color=[GREEN if entry.passed else PAPER_RED for entry in entries])  # fmt: skip
    right.axvline(1.0, color=PAPER_RED, linewidth=0.8)
    right.set(
        xscale="log", xlim=(1e-9, 1e1), xlabel="residual / allowed", yticks=[], xticks=[1e-8, 1e-4, 1.0]
    )
    right.grid(axis="x", linewidth=0.3)
    right.spines["left"].set_visible(False)
    return figure


def row_of(label, seed):
    """The Entry of a row without the row itself, as JSON holds it."""
    (entry,) = audit.run([label], seed=seed)
    return astuple(replace(entry, row=None))[1:]


def run(options):
    """`audit.run`, the rows shared among workers. Nothing is kept: an audit of earlier code is none."""
    rows, unkept = audit.statements(), replace(options, store=None)
    values = compute("ledger", row_of, [(label, options.seed) for label in rows], unkept, "rows")
    for row, (found, *others) in zip(rows.values(), values.values(), strict=True):
        yield Entry(row, tuple(Found(*one) for one in found), *others)


def make(options):
    """Run the audit, write HTML, Markdown, JSON and the picture, return a Result."""
    entries, title = list(run(options)), audit.title(options.seed)
    return finish(
        replace(options, quick=False), "ledger",  # nothing here is reduced with --quick
        figure=picture(entries),
        caption=CAPTION,
        table=[
            ["label", "statement", "paper", "mark", *Found._fields, "verdict"],
            *([row.label, row.statement, row.paper, row.mark, *one, "holds" if one.passed else "FAILS"]
              for entry in entries for row in [entry.row] for one in entry.found),
        ],
        lines=[render.summary(entries), *(entry.sentence for entry in entries if not entry.passed)],
        settings={"seed": options.seed},
        more={
            "html": render.as_html(entries, title),
            "md": render.markdown(entries, title),
            "json": render.as_json(entries, __version__, options.seed) + "\n",
        },
    )  # fmt: skip
