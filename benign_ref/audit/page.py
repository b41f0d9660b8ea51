"""The ledger as one self-contained page: equation, code and residuals of every row side by side."""

import html

from ..teach.derive import as_html
from .core import source
from .render import MARKS, number, numbers, summary

STYLE = """ :root { color-scheme: light dark; --line: #c9c9c4; --soft: #f4f4f1; --good: #14663a; --bad:
#b00020; --dim: #666; } @media (prefers-color-scheme: dark) { :root { --line: #4a4d52; --soft: #22252a;
--good: #6fcf97; --bad: #ff7b8a; --dim: #aaa; } } body { font: 16px/1.5 Georgia, serif; max-width: 88rem;
margin: 2rem auto; padding: 0 1rem; } h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin: 0 0 .4rem; }
section { border-top: 1px solid var(--line); padding: 1.2rem 0; } .equation { font-style: italic; font-size:
1.08rem; margin: .2rem 0 .6rem; overflow-wrap: anywhere; } .sides { display: grid; grid-template-columns:
minmax(0, 1fr) minmax(0, 1fr); gap: 1.2rem; align-items: start; } @media (max-width: 60rem) { .sides {
grid-template-columns: minmax(0, 1fr); } } pre { background: var(--soft); padding: .6rem .8rem; margin: .2rem
0 .6rem; overflow-x: auto; font-size: .76rem; line-height: 1.4; } summary { cursor: pointer; font-family:
monospace; font-size: .85rem; } table { border-collapse: collapse; font-size: .84rem; width: 100%; } td, th {
padding: .12rem .8rem .12rem 0; text-align: left; vertical-align: top; } td.n { text-align: right;
white-space: nowrap; } tr + tr td { border-top: 1px solid var(--line); } .holds { color: var(--good); } .FAILS
{ color: var(--bad); font-weight: bold; } .dim { color: var(--dim); font-size: .88rem; } sub, sup { font-size:
.72em; line-height: 0; }
"""


def contents(entries):
    """The table at the top, one line a row."""
    lines = [
        "<table><tr><th>label</th><th>statement</th><th>how sure</th><th>residual</th><th>allowed</th><th>verdict</th></tr>"
    ]
    for entry in entries:
        row, (residual, allowed) = entry.row, numbers(entry)
        lines.append(
            f'<tr><td><a href="#{row.label}">{row.label}</a></td><td><i>{as_html(row.statement)}</i></td><td>{html.escape(row.mark)}</td>'
            f'<td class="n">{residual}</td><td class="n">{allowed}</td><td class="{entry.verdict}">{entry.verdict}</td></tr>'
        )
    return "\n".join([*lines, "</table>"])


def excerpts(row, audited):
    """The code of each function that the row names; the first is open."""
    parts = []
    for k, (name, text) in enumerate(source(row, audited)):
        parts.append(
            f"<details{' open' if k == 0 else ''}><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"
        )
    return "\n".join(parts)


def residuals(entry):
    """Every route at every scale."""
    lines = ["<table><tr><th>route</th><th>scale</th><th>residual</th><th>allowed</th></tr>"]
    for one in entry.found:
        mark = "holds" if one.passed else "FAILS"
        lines.append(
            f'<tr><td>{html.escape(one.route)}</td><td>{one.scale}</td><td class="n {mark}">{number(one.residual)}</td>'
            f'<td class="n">{number(one.allowed)}</td></tr>'
        )
    return "\n".join([*lines, "</table>"])


def section(entry, audited):
    """One row: equation above, code on the left, residuals on the right."""
    row = entry.row
    broken = f'<p class="FAILS">{html.escape(entry.sentence)}</p>' if entry.sentence else ""
    limits = f'<p class="dim">{html.escape(row.limits)}</p>' if row.limits else ""
    return (
        f'<section id="{row.label}"><h2>{row.label} <span class="{entry.verdict}">{entry.verdict}</span></h2>\n'
        f'<div class="equation">{as_html(row.statement)}</div>\n'
        f'<p class="dim">{html.escape(row.paper)}; {html.escape(row.mark)}</p>\n{broken}{limits}'
        f'<div class="sides"><div>{excerpts(row, audited)}</div><div>{residuals(entry)}</div></div></section>'
    )


def page(entries, audited, title):
    """The whole page as text; it refers to nothing outside itself."""
    nearest = "Residual and allowed are those of the route nearest to what is allowed."
    body = [f"<h1>{html.escape(title)}</h1>", f"<p>{summary(entries)}. {nearest}</p>"]
    body += [
        f'<p class="dim">{html.escape(MARKS)}</p>',
        contents(entries),
        *(section(entry, audited) for entry in entries),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )
