"""python -m benign_ref derive W_Q | W_K | W_V | w_O | V_plus | q_plus | layer_norm | attention: a derivation
to walk through, every step checked on numbers.

Exit status 0 if every check of the walk holds, 1 if one fails, 2 for wrong arguments.
"""

import argparse
import textwrap
from functools import partial
from typing import Callable, NamedTuple

import numpy as np

from .. import validate
from . import model_steps, notation, page, proof_steps, vision_steps, weights
from .derivation import EQUAL, Example, number, show, with_fractions

WIDTH = 96
TRY_IT = "python -m benign_ref exercise"


class Walk(NamedTuple):
    """heading: in plain notation; parts: functions that yield its steps, from what example(seed, field=field)
    gives; tried_on(seed, field): what its exercises are tried on.
    """

    heading: str
    parts: list
    example: Callable
    tried_on: Callable

    def steps(self, seed, field=None):
        """The list of Step, on the example that `seed` draws."""
        ex = self.example(seed, field=field)
        return [step for part in self.parts for step in part(ex)]


PAIR = partial(Example, labels=(1, -1))
TRIED_ON = partial(proof_steps.ProofExample, labels=(1, -1, 1, 1), d_v=5)  # no two sizes but d = N are equal
TO_VALUES = [model_steps.model_and_loss, model_steps.to_outputs, model_steps.to_values]
TO_LOGITS = [*TO_VALUES[:2], model_steps.to_attention, model_steps.to_logits]
TARGETS = {
    **{
        name: Walk(
            f"From the loss L_S to {name}: {what}",
            [*before, partial(weights.into_and_sum, name=name), partial(weights.descent, name=name)],
            PAIR,
            TRIED_ON,
        )
        for name, what, before in [
            ("W_Q", "the query weights, G1", TO_LOGITS),
            ("W_K", "the key weights, G2", TO_LOGITS),
            ("W_V", "the value weights, G3", TO_VALUES),
            ("w_O", "the head, G4", TO_VALUES),
        ]
    },
    "V_plus": Walk(
        "From the loss L_S to V_+: how the value of mu_+ moves, P1",
        [
            *TO_VALUES,
            partial(weights.into_and_sum, name="W_V"),
            proof_steps.to_tokens,
            proof_steps.to_values,
            proof_steps.values_in_closed_form,
        ],
        proof_steps.ProofExample,
        TRIED_ON,
    ),
    "q_plus": Walk(
        "From the loss L_S to q_+: how the query of mu_+ moves, P2",
        [
            *TO_LOGITS,
            partial(weights.into_and_sum, name="W_Q"),
            proof_steps.to_tokens,
            proof_steps.to_queries,
            proof_steps.moves_of_queries,
            proof_steps.queries_in_closed_form,
        ],
        proof_steps.ProofExample,
        TRIED_ON,
    ),
    "layer_norm": Walk(
        "From dy to dx: layer norm backwards, V3",
        [vision_steps.norm_forward_and_scale, vision_steps.root_and_mean],
        vision_steps.norm_example,
        vision_steps.norm_example,
    ),
    "attention": Walk(
        "From dO to dq, dk, dv: multi-head attention backwards, V4",
        [vision_steps.heads_and_values, vision_steps.logits_and_queries],
        vision_steps.heads_example,
        vision_steps.heads_example,
    ),
}
PREFACE = """Needed: products of matrices and the chain rule. $A^T$ is the transpose, $X_n[l,:]$ row $l$,
$||v||$ the length of $v$, $diag(v)$ the matrix with $v$ on its diagonal, $1[...]$ is 1 if true and 0 if not.
Every number is computed here and now, on an example small enough to repeat by hand. Every step has its own
checks, most by the complex step: $f'(x)$ is the imaginary part of $f(x + i h)/h$, with $h = 10^{-30}$ correct
to the last digits, since nothing is subtracted. In front of each check stand its residual, that is the
largest difference relative to the largest number compared, and what is allowed. "Equal, as fractions": the
same code was run on fractions drawn near the example's numbers, derivatives by their exact rules, and both
sides are the same fractions. $e^a$ is no fraction, so one was drawn for each $a$; what needs $e^{a+b} =
e^a e^b$ is then not decided."""


def walk(name, seed=0):
    """The list of Step to `name` (a key of TARGETS), on the example that `seed` draws. Raises ValueError or
    TypeError.
    """
    name, seed = validate.choice("name", name, tuple(TARGETS)), validate.integer("seed", seed, 0)
    return with_fractions(lambda field: TARGETS[name].steps(seed, field), seed)


def filled(prose, indent=""):
    """Prose in lines of WIDTH, its short equations held together by no-break spaces; the dollar signs go."""
    parts = " ".join(prose.split()).split("$")
    parts[1::2] = [part.replace(" ", "\xa0") if len(part) < 40 else part for part in parts[1::2]]
    lines = textwrap.fill("".join(parts), WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines.replace("\xa0", " ")


def check_line(check):
    """One check: ok or FAIL, the residual, what is allowed, what was compared, what fractions say."""
    head = f"  {'ok  ' if check.passed else 'FAIL'}  {check.residual:7.1e} / {check.allowed:.0e}  "
    words = check.what + (f": {check.exact}" if check.exact else "")
    return textwrap.fill(words, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


def step_as_text(number, count, step):
    """One step for a terminal."""
    head = f"{number}/{count}  {step.title.replace('$', '')}"
    equation = textwrap.dedent(step.equation).strip("\n").rstrip()
    return "\n\n".join([
        f"{head}\n{'-' * len(head)}\n{textwrap.indent(equation, '    ')}",
        filled(step.why, "  "),
        textwrap.indent("\n".join(show(*pair) for pair in step.numbers), "    "),
        "\n".join(map(check_line, step.checks)),
        f"  try it: {TRY_IT} {step.exercise} FILE\n",
    ])  # fmt: skip


def matrix(value):
    """A number, a row or a matrix as HTML, 5 digits."""
    if np.ndim(value) == 0:
        return f"<span>{number(value, 6)}</span>"
    rows = ["".join(f"<td>{number(x)}</td>" for x in row) for row in np.atleast_2d(value)]
    return f'<table class="matrix">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


def step_as_html(number, step):
    """One step as a section of a page."""
    equation = "\n".join(
        f"<p>{notation.mathml(line, display=True)}</p>"
        for line in textwrap.dedent(step.equation).strip("\n ").split("\n")
    )
    numbers = "\n".join(
        f"<div><span>{notation.mathml(name + ' =')}</span>{matrix(value)}</div>"
        for name, value in step.numbers
    )
    checks = page.table(
        ["", "residual", "allowed", "compared", "as fractions"],
        [
            [
                ("ok", "ok") if check.passed else ("FAIL", "FAIL"),
                *(("n", f"{check.residual:.1e}"), ("n", f"{check.allowed:.0e}")),
                *(notation.mathml(check.what), check.exact),
            ]
            for check in step.checks
        ],
        f"checks of step {number}",
    )
    return (
        f'<section id="step{number}"><h2>{number}. {notation.prose(step.title)}</h2>\n'
        f'<div class="equation" tabindex="0">{equation}</div>\n<p>{notation.prose(step.why)}</p>\n'
        f'<div class="numbers" tabindex="0">{numbers}</div>\n'
        f'{checks}\n<p class="dim">Try it: <code>{TRY_IT} {step.exercise} FILE</code></p></section>'
    )


def walk_as_html(name, seed, steps):
    """The whole walk as one self-contained HTML page."""
    titles = "\n".join(
        f'<li><a href="#step{k}">{notation.prose(step.title)}</a></li>' for k, step in enumerate(steps, 1)
    )
    body = [
        f"<h1>{notation.mathml(TARGETS[name].heading)}</h1>",
        f"<p>{notation.prose(PREFACE)}</p>\n<p>The example is drawn from seed {seed}.</p>",
        f'<nav aria-label="steps"><ol>{titles}</ol></nav>',
        *(step_as_html(k, step) for k, step in enumerate(steps, 1)),
    ]
    return page.page(TARGETS[name].heading, "\n".join(body))


def wait():
    """Waits for Enter; False if the reader wants no more. Without a keyboard it does not wait."""
    try:
        return input("Enter for the next step, q to stop: ").strip().lower() != "q"
    except EOFError:
        print()
        return True


def arguments(argv):
    """The parsed command line of the walk; argparse leaves with status 2 on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref derive",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Walk through a derivation from the loss on, every step checked on numbers:\n"
        + "\n".join(f"  {name:<11}{walk.heading}" for name, walk in TARGETS.items()),
    )
    parser.add_argument("name", choices=list(TARGETS), help="where the walk leads")
    parser.add_argument(
        "--seed", type=validate.integer_argument(0), default=0, help="of the example's numbers (default 0)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--step", action="store_true", help="wait for Enter after each step")
    form.add_argument(
        "--html",
        metavar="FILE",
        type=validate.file_argument,
        help="write one self-contained page instead of text",
    )
    return parser.parse_args(argv)


def main(argv=None):
    """Prints or writes the walk; returns the exit status."""
    chosen = arguments(argv)
    steps = walk(chosen.name, chosen.seed)
    checks = [check for step in steps for check in step.checks]
    failed = [check for check in checks if not check.passed]
    if chosen.html:
        if not page.write(chosen.html, walk_as_html(chosen.name, chosen.seed, steps)):
            return 2
        print(f"{chosen.html}: {len(steps)} steps")
    else:
        print(f"{TARGETS[chosen.name].heading}\n\n{filled(PREFACE)}\n")
        for k, step in enumerate(steps, 1):
            print(step_as_text(k, len(steps), step))
            if chosen.step and k < len(steps) and not wait():
                break
    equal = [check.chance for check in checks if check.exact == EQUAL]
    exact = f", {len(equal)} of them {EQUAL} (by chance with a probability below {max(equal, default=0):.0e})"
    print(f"{len(checks) - len(failed)} of {len(checks)} checks hold{exact if equal else ''}")
    print("".join(f"{check_line(check)}\n" for check in failed), end="")
    return 1 if failed else 0
