"""One self-contained page of HTML, as the ledger, the walks and the index need it: one style, light and dark,
from 400 pixels on; no script unless it is given, no request to anywhere.
"""

import html
import sys
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; --back: #fffefb; --text: #1c1c1a; --line: #c9c9c4; --soft: #f3f3ee;
  --good: #14663a; --bad: #b00020; --dim: #5c5c58; --link: #0b5394; }
@media (prefers-color-scheme: dark) {
  :root { --back: #17191c; --text: #e8e6e1; --line: #4a4d52; --soft: #22262b;
    --good: #6fcf97; --bad: #ff8b98; --dim: #aaaaa5; --link: #8ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 17px/1.55 Georgia, "Times New Roman", serif; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1.2rem 4rem; overflow-wrap: break-word; }
main.wide { max-width: 84rem; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
section { border-top: 1px solid var(--line); padding: 1.3rem 0; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
math { font-family: "Latin Modern Math", "STIX Two Math", "Cambria Math", math; }
table.matrix { border: solid currentColor; border-width: 0 1.5px; border-radius: 6px; font-size: 1em;
  border-collapse: separate; border-spacing: 0; }
table.matrix td { border: 0; text-align: right; padding: .02em .45em; font-variant-numeric: tabular-nums; }
.equation { margin: .5rem 0 .8rem; padding: .4rem .9rem; border-left: 3px solid var(--line);
  overflow-x: auto; }
.equation p { margin: .4rem 0; }
.gap { display: inline-block; width: 2.5em; }
.scroll { overflow-x: auto; max-width: 100%; }
.numbers { background: var(--soft); padding: .5rem .9rem; margin: .6rem 0; overflow-x: auto;
  font-size: .86rem; }
.numbers div { display: flex; gap: .5em; align-items: center; margin: .35rem 0; white-space: nowrap; }
pre { background: var(--soft); padding: .6rem .8rem; margin: .3rem 0 .7rem; overflow-x: auto;
  line-height: 1.4; font-size: .78rem; }
code, pre, kbd { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; }
summary { cursor: pointer; font-size: .9rem; }
table { border-collapse: collapse; font-size: .86rem; line-height: 1.4; }
td, th { padding: .2rem .9rem .2rem 0; text-align: left; vertical-align: top; }
tr + tr td, tr + tr th { border-top: 1px solid var(--line); }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sides { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.2rem;
  align-items: start; }
@media (max-width: 60rem) { .sides { grid-template-columns: minmax(0, 1fr); } }
.ok, .holds { color: var(--good); }
.FAIL, .FAILS { color: var(--bad); font-weight: bold; }
.dim { color: var(--dim); font-size: .9rem; }
img { max-width: 100%; height: auto; background: #fff; }
figure { margin: 1rem 0; }
@media (max-width: 30rem) {
  body { font-size: 16px; } main { padding: 1rem .8rem 3rem; } .gap { width: 1em; } }
"""


def page(title: str, body: str, wide: bool = False, head: str = "") -> str:
    """The whole page as text: `title` is plain text, `body` and `head` (more style, a script) are HTML.

    wide: for pages with two columns. Write it with encoding="utf-8".
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
{head}</head>
<body>
<main{' class="wide"' * wide}>
{body}
</main>
</body>
</html>
"""


def write(path: Path, text: str) -> bool:
    """The file at `path`, whole or not at all: what was there stays if it cannot be written, and that is
    said. Whether it was written. A pipe or a device is written to as it is.

    (runtime/store.py writes whole files too, which no walk-through sees.)
    """
    part = path.with_name(f".{path.name}.part") if path.is_file() or not path.exists() else path
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        print(f"cannot write {path}: {error.strerror}", file=sys.stderr)
        return False
    finally:
        if part != path:
            part.unlink(missing_ok=True)
    return True


def table(heads: list, rows: list, label: str) -> str:
    """A table that scrolls by itself where it is too wide; `label` is what a screen reader calls it.

    rows: lists of cells, each HTML or a pair (class, HTML).
    """

    def cell(one):
        kind, inner = one if isinstance(one, tuple) else ("", one)
        return f'<td class="{kind}">{inner}</td>' if kind else f"<td>{inner}</td>"

    lines = [f"<tr>{''.join(map(cell, row))}</tr>" for row in rows]
    head = "<thead><tr>" + "".join(f'<th scope="col">{one}</th>' for one in heads) + "</tr></thead>"
    region = f'<div class="scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">'
    return "\n".join([f"{region}<table>{head}<tbody>", *lines, "</tbody></table></div>"])
