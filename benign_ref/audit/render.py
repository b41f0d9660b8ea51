"""The ledger as text for a terminal, as Markdown, as JSON, and as one self-contained page with equation, code
and residuals of every row side by side.
"""

import html
import json
import math
import textwrap

from ..teach.notation import mathml
from ..teach.page import page, table
from .core import source

WIDTH = 116
INDENT = 35  # where the statement begins: after label, verdict, residual, allowed
MARKS = (
    "[P] the paper's abstract or a caption; [P*] the paper as summarised elsewhere; [A] read in the authors' "
    "public code; [D] derived here; [C] our choice."
)


def number(value):
    """A residual in 7 characters or fewer."""
    if not math.isfinite(value):
        return "inf"
    return "0" if value == 0 else f"{value:.1e}" if value < 1e-3 or value >= 1e4 else f"{value:.3g}"


def numbers(entry):
    """(residual, allowed) of the tightest route as text; dashes where no route was taken."""
    tightest = entry.tightest
    return (number(tightest.residual), number(tightest.allowed)) if tightest else ("-", "-")


def route_of(entry):
    """The tightest route, its scale, and how many routes there are."""
    if not entry.found:
        return "none taken"
    more = len({one.route for one in entry.found}) - 1
    return f"{entry.tightest.route} ({entry.tightest.scale} scale)" + (f", and {more} more" if more else "")


def summary(entries):
    """'25 of 26 statements hold'."""
    return f"{sum(entry.passed for entry in entries)} of {len(entries)} statements hold"


def wrapped(words, name=""):
    """Lines of `words` in the statement's column, the first led by `name`."""
    lead = " " * INDENT + name
    return textwrap.wrap(
        words, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
    )


def text_row(entry, routes=False):
    """One row: the aligned columns, then paper, code and route below the statement; every route with
    routes=True.
    """
    row, (residual, allowed) = entry.row, numbers(entry)
    taken = [("route", route_of(entry))]
    if routes:
        taken = [
            (
                "route" if one.passed else "FAILS",
                f"{number(one.residual):>7} / {number(one.allowed):<7} {one.scale}, {one.sizes}: {one.route}",
            )
            for one in entry.found
        ]
    below = [
        *(("paper", f"{row.paper}; {row.mark}"), ("code", ", ".join(row.code)), *taken),
        *(("exact", entry.exact), ("limits", row.limits), ("BROKEN", entry.sentence)),
    ]
    head = f"{row.label:<7}{entry.verdict:<8}{residual:>8}{allowed:>9}"
    lines = wrapped(row.statement)
    lines[0] = f"{head:<{INDENT}}{lines[0][INDENT:]}"
    lines += [line for name, words in below for line in wrapped(words, f"{name:<7}")]
    return "\n".join([*[entry.name] * bool(entry.number), *lines])


def text(entries, title, routes=False):
    """The whole ledger for a terminal of 120 columns or more."""
    head = f"{'label':<7}{'verdict':<7}{'residual':>9}{'allowed':>9}"
    rows = "\n\n".join(text_row(entry, routes) for entry in entries)
    failed = "".join(f"\n{entry.sentence}" for entry in entries if not entry.passed)
    notes = "\n".join(
        textwrap.wrap(f"residual and allowed: of the route nearest to what is allowed. {MARKS}", WIDTH)
    )
    return f"{title}\n{notes}\n\n{head:<{INDENT}}statement\n{rows}\n\n{summary(entries)}{failed}"


def markdown(entries, title):
    """The ledger as a Markdown table."""
    lines = [
        f"# {title}",
        "",
        f"{summary(entries)}. Residual and allowed are those of the route nearest to what is allowed. "
        f"{MARKS}",
        "",
        "| label | statement | paper's object | how sure | code | route | residual | allowed | as fractions "
        "| verdict |",
        "|---" * 10 + "|",
    ]
    for entry in entries:
        row, code = entry.row, ", ".join(f"`{name}`" for name in entry.row.code)
        cells = [
            *(entry.name, f"`{row.statement}`", row.paper, row.mark, code),
            route_of(entry) + (f". {row.limits}" if row.limits else ""),
            *(*numbers(entry), entry.exact),
            entry.verdict + (f": {entry.sentence}" if entry.sentence else ""),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def as_dict(entry):
    """An entry as JSON holds it; null for a residual that is not finite."""
    return {
        **{
            name: getattr(entry.row, name)
            for name in ("label", "statement", "paper", "mark", "code", "limits")
        },
        "number": entry.number,
        "exact": entry.exact,
        "verdict": entry.verdict,
        "sentence": entry.sentence,
        "seconds": round(entry.seconds, 3),
        "routes": [
            {
                **one._asdict(),
                "residual": one.residual if math.isfinite(one.residual) else None,
                "passed": one.passed,
            }
            for one in entry.found
        ],
    }


def as_json(entries, version, seed):
    """The ledger with every route, as JSON."""
    passed, rows = all(entry.passed for entry in entries), list(map(as_dict, entries))
    return json.dumps({"version": version, "seed": seed, "passed": passed, "rows": rows}, indent=1)


def as_html(entries, title):
    """The ledger as a whole page of HTML; it refers to nothing outside itself."""
    heads = ["label", "statement", "how sure", "residual", "allowed", "verdict", "as fractions"]
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
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{summary(entries)}. Residual and allowed are those of the route nearest to what is allowed.</p>",
        f'<p class="dim">{html.escape(MARKS)}</p>',
        table(heads, rows, "all statements"),
        *map(section, entries),
    ]
    return page(title, "\n".join(body), wide=True)


def sureness(row):
    """How sure a statement is, "[C], C_p [P*]", as HTML."""
    return " ".join(mathml(word) if "_" in word else html.escape(word) for word in row.mark.split())


def section(entry):
    """One row as HTML: equation above, the code of each function on the left, the first open, every route at
    every scale on the right.
    """
    row = entry.row
    notes = [
        f'<p class="FAILS">{html.escape(entry.sentence)}</p>' if entry.sentence else "",
        f"<p>{html.escape(entry.exact)}</p>" if entry.exact else "",
        f'<p class="dim">{mathml(row.limits)}</p>' if row.limits else "",
    ]
    code = [
        f"<details{' open' * (k == 0)}><summary><code>{html.escape(name)}</code></summary>"
        f'<pre tabindex="0">{html.escape(text)}</pre></details>'
        for k, (name, text) in enumerate(source(row))
    ]
    routes = [
        [
            mathml(one.route),
            one.scale,
            (f"n {'holds' if one.passed else 'FAILS'}", number(one.residual)),
            ("n", number(one.allowed)),
        ]
        for one in entry.found
    ]
    residuals = table(["route", "scale", "residual", "allowed"], routes, f"residuals of {row.label}")
    return (
        f'<section id="{row.label}">'
        f'<h2>{html.escape(entry.name)} <span class="{entry.verdict}">{entry.verdict}</span></h2>\n'
        f'<div class="equation">{mathml(row.statement, display=True)}</div>\n'
        f'<p class="dim">{mathml(row.paper)}; {sureness(row)}</p>\n{"".join(notes)}'
        '<div class="sides"><div>' + "\n".join(code) + f"</div><div>{residuals}</div></div></section>"
    )
