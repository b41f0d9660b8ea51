"""index.html: one page with everything a run made: claims, figures, what was found, the ledger, the walks."""

import base64
import html
from dataclasses import replace

from benign_ref.runtime.store import write_whole
from benign_ref.teach import derive
from benign_ref.teach.notation import mathml
from benign_ref.teach.page import page, table

from . import NAMES, explore
from .common import compute
from .compare import read

FIRST = "claims"
LEDGER = '<a href="ledger.html">The ledger</a>: every statement beside its code and residual. '
STYLE = "<style>.found { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .92rem; }</style>"
PREFACE = """Numbers, pictures and pages of one run of run_all.py. Everything was computed here, from real
gradient descent on real draws or from the limit; each caption says what this run did."""


def picture(path, title):
    """An image as part of the page, so that the page can be carried alone."""
    if not path.exists():
        return ""
    coded = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<figure><img alt="{html.escape(title)}" src="data:image/png;base64,{coded}"></figure>'


def caption_of(out, name):
    """The caption as HTML, its mathematics typeset."""
    text = (out / f"{name}.txt").read_text(encoding="utf-8")
    return "".join(f"<p>{mathml(' '.join(part.split()))}</p>" for part in text.strip().split("\n\n"))


def claims_of(path):
    """The claims' CSV file as a table."""
    header, *rows = ([mathml(cell) for cell in row] for row in read(path))
    return table(header, rows, "claims")


def section(out, name, title, entry):
    """One figure: picture, caption, what was found, its files and settings."""
    files = "".join(f'<a href="{html.escape(file)}">{html.escape(file)}</a> ' for file in entry["files"])
    claims = claims_of(out / "claims.csv") if name == FIRST and (out / "claims.csv").exists() else ""
    settings = html.escape("\n".join(f"{key}: {value}" for key, value in entry["settings"].items()))
    found = "\n".join(map(mathml, entry["lines"]))
    return (
        f'<section id="{name}"><h2>{name}: {mathml(title)}</h2>{claims}{picture(out / f"{name}.png", title)}'
        f"<details open><summary>Caption</summary>{caption_of(out, name)}</details>"
        f'<h3>What this run found</h3><div class="found">{found}</div><p>{files}</p>'
        f"<details><summary>Settings, {entry['seconds']} s</summary>"
        f'<div class="found">{settings}</div></details></section>'
    )


def walk_of(name, seed):
    """A walk-through as a page."""
    return derive.walk_as_html(name, seed, derive.walk(name, seed))


def walks(options):
    """The walk-throughs as pages in options.out; returns their links as HTML."""
    tasks = [(name, options.seed) for name in derive.TARGETS]
    found = compute("walks", walk_of, tasks, replace(options, store=None), "walk-throughs")
    for (name, _), text in found.items():
        write_whole(options.out / f"derive-{name}.html", text.encode())
    links = "".join(
        f'<li><a href="derive-{name}.html">{html.escape(name)}</a>: {mathml(walk.heading)}</li>'
        for name, walk in derive.TARGETS.items()
    )
    return f"<ul>{links}</ul>"


def make(options, entries):
    """Write index.html, explore.html and the walk-throughs into options.out; returns the path of index.html.

    entries: {figure: what run_all.py noted of it}. Raises OSError.
    """
    out = options.out
    crossings = entries.get("fig1", {}).get("settings", {}).get("crossings", {})
    explore.write(out / "explore.html", options, crossings)
    known = [name for name in dict.fromkeys((FIRST, *NAMES)) if name in entries]
    titles = {name: entries[name].get("title", name) for name in known}
    contents = "".join(f'<li><a href="#{name}">{name}</a>: {mathml(titles[name])}</li>' for name in known)
    body = [
        "<h1>What this run found</h1>",
        f"<p>{PREFACE}</p>",
        f"<p>{LEDGER * (out / 'ledger.html').exists()}"
        '<a href="explore.html">The phase diagram to be played with</a>.</p>',
        f"<nav><h2>Figures</h2><ul>{contents}</ul><h2>Walk-throughs</h2>{walks(options)}</nav>",
        *(section(out, name, titles[name], entries[name]) for name in known),
    ]
    whole = page("benign_ref: what this run found", "\n".join(body), wide=True, head=STYLE)
    write_whole(out / "index.html", whole.encode())
    return out / "index.html"
