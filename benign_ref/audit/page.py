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
    rows = []
    for entry in entries:
        row, (residual, allowed) = entry.row, numbers(entry)
        link = f'<a href="#{row.label}">{html.escape(entry.name)}</a>'
        found = [("n", residual), ("n", allowed), (entry.verdict, entry.verdict)]
        words = html.escape(entry.exact.partition(" (")[0])
        rows.append([link, mathml(row.statement), sureness(row), *found, words])
    return table(HEADS, rows, "all statements")


def excerpts(row, audited):
    """The code of each function that the row names; the first is open."""
    parts = []
    for k, (name, text) in enumerate(source(row, audited)):
        code = f'<pre tabindex="0">{html.escape(text)}</pre>'
        head = f"<summary><code>{html.escape(name)}</code></summary>"
        parts.append(f"<details{' open' * (k == 0)}>{head}{code}</details>")
    return "\n".join(parts)


def residuals(entry):
    """Every route at every scale."""
    rows = []
    for one in entry.found:
        mark = "n holds" if one.passed else "n FAILS"
        found = [(mark, number(one.residual)), ("n", number(one.allowed))]
        rows.append([mathml(one.route), one.scale, *found])
    return table(["route", "scale", "residual", "allowed"], rows, f"residuals of {entry.row.label}")


def section(entry, audited):
    """One row: equation above, code on the left, residuals on the right."""
    row = entry.row
    broken = f'<p class="FAILS">{html.escape(entry.sentence)}</p>' if entry.sentence else ""
    fractions = f"<p>{html.escape(entry.exact)}</p>" if entry.exact else ""
    limits = f'<p class="dim">{mathml(row.limits)}</p>' if row.limits else ""
    head = f'<h2>{html.escape(entry.name)} <span class="{entry.verdict}">{entry.verdict}</span></h2>'
    return (
        f'<section id="{row.label}">{head}\n'
        f'<div class="equation">{mathml(row.statement, display=True)}</div>\n'
        f'<p class="dim">{mathml(row.paper)}; {sureness(row)}</p>\n{broken}{fractions}{limits}'
        f'<div class="sides"><div>{excerpts(row, audited)}</div><div>{residuals(entry)}</div></div></section>'
    )


def page(entries, audited, title):
    """The whole page as text; it refers to nothing outside itself."""
    nearest = "Residual and allowed are those of the route nearest to what is allowed."
    body = [f"<h1>{html.escape(title)}</h1>", f"<p>{summary(entries)}. {nearest}</p>"]
    body += [f'<p class="dim">{html.escape(MARKS)}</p>', contents(entries)]
    body += [section(entry, audited) for entry in entries]
    return whole_page(title, "\n".join(body), wide=True)
