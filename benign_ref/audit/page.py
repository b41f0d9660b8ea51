"""The ledger as one self-contained page: equation, code and residuals of every row side by side."""

import html

from ..teach.notation import mathml
from ..teach.page import page as whole_page
from ..teach.page import table
from .core import source
from .render import MARKS, number, numbers, summary

HEADS = ["label", "statement", "how sure", "residual", "allowed", "verdict", "as fractions"]


def sureness(row):
    """How sure a statement is, "[C], C_p [P*]"."""
    return " ".join(mathml(word) if "_" in word else html.escape(word) for word in row.mark.split())


def contents(entries):
    """The table at the top, one line a row."""
    rows = [
        [
            f'<a href="#{entry.row.label}">{html.escape(entry.name)}</a>',
            mathml(entry.row.statement),
            sureness(entry.row),
            *(("n", text) for text in numbers(entry)),
            (entry.verdict, entry.verdict),
            html.escape(entry.exact.partition(" (")[0]),
        ]
        for entry in entries
    ]
    return table(HEADS, rows, "all statements")


def excerpts(row, audited):
    """The code of each function that the row names; the first is open."""
    return "\n".join(
        f"<details{' open' * (k == 0)}><summary><code>{html.escape(name)}</code></summary>"
        f'<pre tabindex="0">{html.escape(text)}</pre></details>'
        for k, (name, text) in enumerate(source(row, audited))
    )


def residuals(entry):
    """Every route at every scale."""
    rows = [
        [
            mathml(one.route),
            one.scale,
            (f"n {'holds' if one.passed else 'FAILS'}", number(one.residual)),
            ("n", number(one.allowed)),
        ]
        for one in entry.found
    ]
    return table(["route", "scale", "residual", "allowed"], rows, f"residuals of {entry.row.label}")


def section(entry, audited):
    """One row: equation above, code on the left, residuals on the right."""
    row = entry.row
    notes = [
        f'<p class="FAILS">{html.escape(entry.sentence)}</p>' if entry.sentence else "",
        f"<p>{html.escape(entry.exact)}</p>" if entry.exact else "",
        f'<p class="dim">{mathml(row.limits)}</p>' if row.limits else "",
    ]
    return (
        f'<section id="{row.label}">'
        f'<h2>{html.escape(entry.name)} <span class="{entry.verdict}">{entry.verdict}</span></h2>\n'
        f'<div class="equation">{mathml(row.statement, display=True)}</div>\n'
        f'<p class="dim">{mathml(row.paper)}; {sureness(row)}</p>\n{"".join(notes)}'
        f'<div class="sides"><div>{excerpts(row, audited)}</div><div>{residuals(entry)}</div></div></section>'
    )


def page(entries, audited, title):
    """The whole page as text; it refers to nothing outside itself."""
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{summary(entries)}. Residual and allowed are those of the route nearest to what is allowed.</p>",
        f'<p class="dim">{html.escape(MARKS)}</p>',
        contents(entries),
        *(section(entry, audited) for entry in entries),
    ]
    return whole_page(title, "\n".join(body), wide=True)
