"""python -m benign_ref derive W_Q | W_K | W_V | w_O | V_plus | q_plus: a derivation to walk through, every
step checked on numbers.

Exit status 0 if every check of the walk holds, 1 if one fails, 2 for wrong arguments.
"""

import argparse
import html
import re
import sys
import textwrap

from .. import validate
from . import proof_steps, weights

WIDTH = 96
TARGETS = {
    "W_Q": ("the query weights, G1", weights.steps),
    "W_K": ("the key weights, G2", weights.steps),
    "W_V": ("the value weights, G3", weights.steps),
    "w_O": ("the head, G4", weights.steps),
    "V_plus": ("how the value of the signal mu_+ moves, P1", proof_steps.steps),
    "q_plus": ("how the query of the signal mu_+ moves, P2", proof_steps.steps),
}
PREFACE = """Needed: products of matrices and the chain rule. $A^T$ is the transpose, $X_n[l,:]$ row $l$,
$||v||$ the length of $v$, $diag(v)$ the matrix with $v$ on its diagonal, $1[...]$ is 1 if true and 0 if not.
Every number is computed here and now, on an example small enough to repeat by hand. Every step has its own
checks, most by the complex step: $f'(x)$ is the imaginary part of $f(x + i h)/h$, with $h = 10^{-30}$ correct
to the last digits, since nothing is subtracted. In front of each check stand its residual, that is the
largest difference relative to the largest number compared, and what is allowed."""


def walk(name, seed=0):
    """The list of Step from L_S to `name` (a key of TARGETS), on the example that `seed` draws. Raises
    ValueError or TypeError.
    """
    validate.choice("name", name, tuple(TARGETS))
    return TARGETS[name][1](name, validate.integer("seed", seed, 0))


def plain(prose):
    """Prose as text on one line, its short equations held together by no-break spaces; the dollar signs
    go.
    """
    parts = " ".join(prose.split()).split("$")
    return "".join(
        part.replace(" ", "\xa0") if k % 2 and len(part) < 40 else part for k, part in enumerate(parts)
    )


def filled(prose, indent=""):
    """Prose in lines of WIDTH."""
    return textwrap.fill(plain(prose), WIDTH, initial_indent=indent, subsequent_indent=indent).replace(
        "\xa0", " "
    )


def title_of(name):
    """The heading of the walk to `name`, on one line."""
    return f"From the loss L_S to {name}: {TARGETS[name][0]}"


def check_line(check):
    """One check on one line: ok or FAIL, the residual, what is allowed, what was compared."""
    return f"{'ok  ' if check.passed else 'FAIL'}  {check.residual:7.1e} / {check.allowed:.0e}  {check.what}"


def step_as_text(number, count, step):
    """One step for a terminal."""
    indent = lambda block: textwrap.indent(textwrap.dedent(block).strip("\n"), "    ")  # noqa: E731
    head = f"{number}/{count}  {step.title.replace('$', '')}"
    checks = "\n".join("  " + check_line(check) for check in step.checks)
    parts = [
        f"{head}\n{'-' * len(head)}\n{indent(step.equation).rstrip()}",
        filled(step.why, "  "),
        indent(step.numbers),
        checks,
    ]
    return "\n\n".join(parts) + "\n"


GREEK = {
    "sum": "Σ", "mu": "μ", "eta": "η", "phi": "φ", "xi": "ξ", "alpha": "α", "grad": "∇", "ell": "ℓ", "theta": "θ", "sigma": "σ", "epsilon": "ε",
    "Pi": "Π", "Gamma": "Γ", "Theta": "Θ", "Omega": "Ω", "kappa": "κ",
}  # fmt: skip


def as_html(math):
    """An equation in plain text as HTML: _{...}, ^{...}, _x and ^x as indices, the names of Greek letters as
    letters.
    """
    found = re.search(r"[_^](\{|[A-Za-z0-9]+|[+-])", math)
    if not found:
        text = re.sub(
            r"(?<![A-Za-z])(d?)(" + "|".join(GREEK) + r")(?![A-Za-z])",
            lambda m: m[1] + GREEK[m[2]],
            html.escape(math),
        )
        return text.replace("||", "‖").replace("ℓ&#x27;", "ℓ′").replace("&gt;=", "≥")
    start = end = found.end()
    if found[1] == "{":
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(math[end], 0)
            end += 1
        index = math[start : end - 1]
    else:
        index = found[1]
    tag = "sub" if math[found.start()] == "_" else "sup"
    return f"{as_html(math[: found.start()])}<{tag}>{as_html(index)}</{tag}>{as_html(math[end:])}"


def prose_as_html(prose):
    """Prose with its equations between dollar signs."""
    return "".join(
        f"<i>{as_html(part)}</i>" if k % 2 else html.escape(part)
        for k, part in enumerate(" ".join(prose.split()).split("$"))
    )


STYLE = """ :root { color-scheme: light dark; --line: #bbb; --soft: #f4f4f1; --good: #14663a; --bad: #b00020;
} @media (prefers-color-scheme: dark) { :root { --line: #555; --soft: #22252a; --good: #6fcf97; --bad:
#ff7b8a; } } body { font: 17px/1.55 Georgia, serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; } h1
{ font-size: 1.6rem; } h2 { font-size: 1.2rem; border-top: 1px solid var(--line); padding-top: 1.2rem;
margin-top: 2.2rem; } .equation { padding: .6rem 1rem; border-left: 3px solid var(--line); overflow-x: auto;
white-space: pre; } pre { background: var(--soft); padding: .7rem 1rem; overflow-x: auto; font-size: .8rem;
line-height: 1.4; } sub, sup { font-size: .72em; line-height: 0; } table { border-collapse: collapse;
font-size: .88rem; } td { padding: .1rem .9rem .1rem 0; vertical-align: top; } .ok { color: var(--good); }
.FAIL { color: var(--bad); font-weight: bold; }
"""


def page(name, seed, steps):
    """The whole walk as one self-contained HTML page."""
    body = [
        f"<h1>{prose_as_html('From the loss $L_S$ to $' + name.replace('_plus', '_+') + '$')}</h1>",
        f"<p>{prose_as_html(PREFACE)}</p>",
    ]
    body.append(f"<p>The example is drawn from seed {seed}.</p><ol>")
    body += [
        f'<li><a href="#step{k}">{prose_as_html(step.title)}</a></li>' for k, step in enumerate(steps, 1)
    ] + ["</ol>"]
    for k, step in enumerate(steps, 1):
        equation = "\n".join(
            as_html(line) for line in textwrap.dedent(step.equation).strip("\n ").split("\n")
        )
        body.append(
            f'<h2 id="step{k}">{k}. {prose_as_html(step.title)}</h2>\n<div class="equation">{equation}</div>'
        )
        body.append(f"<p>{prose_as_html(step.why)}</p>\n<pre>{html.escape(step.numbers)}</pre>\n<table>")
        for check in step.checks:
            word = "ok" if check.passed else "FAIL"
            numbers = f"<td>{check.residual:.1e}</td><td>allowed {check.allowed:.0e}</td>"
            body.append(f'<tr><td class="{word}">{word}</td>{numbers}<td>{html.escape(check.what)}</td></tr>')
        body.append("</table>")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title_of(name))}</title>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def wait():
    """Waits for Enter; False if the reader wants no more. Without a keyboard it does not wait."""
    try:
        return input("Enter for the next step, q to stop: ").strip().lower() != "q"
    except EOFError:
        print()
        return True


def arguments(argv):
    """The parsed command line of the walk; argparse leaves with status 2 on a wrong one."""
    lines = [f"  {name:<8} {what}" for name, (what, _) in TARGETS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref derive",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Walk through the derivation from the loss to a parameter, every step checked on numbers:\n"
        + "\n".join(lines),
    )
    parser.add_argument("name", choices=list(TARGETS), help="where the walk leads")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the example's numbers, an integer >= 0 (default 0)"
    )
    parser.add_argument("--step", action="store_true", help="wait for Enter after each step")
    parser.add_argument("--html", metavar="FILE", help="write one self-contained page instead of text")
    chosen = parser.parse_args(argv)
    if chosen.seed < 0:
        parser.error(f"argument --seed: must be an integer >= 0, got {chosen.seed}")
    return chosen


def main(argv=None):
    """Prints or writes the walk; returns the exit status."""
    chosen = arguments(argv)
    steps = walk(chosen.name, chosen.seed)
    checks = [check for step in steps for check in step.checks]
    failed = [check for check in checks if not check.passed]
    if chosen.html:
        try:
            with open(chosen.html, "w", encoding="utf-8") as file:
                file.write(page(chosen.name, chosen.seed, steps))
        except OSError as error:
            print(f"cannot write {chosen.html}: {error.strerror}", file=sys.stderr)
            return 2
        print(f"{chosen.html}: {len(steps)} steps")
    else:
        print(f"{title_of(chosen.name)}\n\n{filled(PREFACE)}\n")
        for k, step in enumerate(steps, 1):
            print(step_as_text(k, len(steps), step))
            if chosen.step and k < len(steps) and not wait():
                break
    print(f"{len(checks) - len(failed)} of {len(checks)} checks hold")
    for check in failed:
        print(check_line(check))
    return 1 if failed else 0
