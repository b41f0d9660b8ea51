"""python -m benign_ref audit: the ledger. Every statement, the code that implements it, how it is checked,
what was found, what is allowed.

    from benign_ref import audit
    # list of Entry: entry.passed, entry.found, entry.sentence
    entries = audit.run(only=["G1", "P2"], seed=3)

Exit status 0 if every row holds (with --mutants: if every mutant is rejected at each scale), 1 if not, 2 for
wrong arguments.
"""

import argparse
import sys
import time
from dataclasses import replace
from importlib import import_module

from .. import __version__, validate
from ..teach.page import write
from . import concordance, exact, mutants, mutate, render
from .core import AuditedPackage, run_row
from .mutants import patches

MODULES = ("data", "model", "gradient", "proof", "invariant", "law", "limit", "theory", "setting", "runs",
           "reading", "vision")  # fmt: skip


def statements():
    """Every Row, by label, in the order of the statements."""
    return {row.label: row for name in MODULES for row in import_module(f".rows.{name}", __package__).ROWS}


def run(only=None, seed=0, numbers=None):
    """The ledger: a list of Entry, in its order. only: labels (default: all). numbers: {label: the paper's
    own number} (default: those of concordance.csv).

    Raises ValueError or TypeError for a bad argument; what the audited code raises is a finding.
    """
    seed, known, entries = validate.integer("seed", seed, 0), statements(), []
    for label in only or ():
        validate.require(
            label in known, f"only must hold labels of the ledger ({', '.join(known)}), got {label!r}"
        )
    numbers = concordance.read(concordance.HOME, known) if numbers is None else numbers
    for row in [row for label, row in known.items() if only is None or label in only]:
        entry = replace(run_row(row, AuditedPackage(), seed), number=numbers.get(row.label, ""))
        if row.label in exact.CASES:
            proof = exact.prove(row.label, seed)
            broken = "" if proof.verdict == exact.EQUAL else f"{row.label}: {proof.sentence}"
            sentence = "; ".join(filter(None, (entry.sentence, broken)))
            entry = replace(entry, exact=proof.sentence, sentence=sentence)
        entries.append(entry)
    return entries


def concerned(mutant):
    """The mutant's own row first, at the scales at which it must reject it, then every other row that names
    its file; the measured ones left out.
    """
    known, file = statements(), f"{mutant.file}:"
    own = known.pop(mutant.label)
    others = (row for row in known.values() if "measured" not in row.mark)
    named = [row for row in others if any(name.startswith(file) for name in row.code)]
    return [replace(own, scales=mutant.scales or own.scales), *named]


def run_mutant(mutant, seed=0):
    """The entries of the rows concerned, the mutant's own first, run on a copy of the package that holds its
    patch. Raises ValueError or OSError if the patch does not fit the file.
    """
    with patches.copy_of_package(mutant) as audited:
        return [run_row(row, audited, seed, first_failure=True) for row in concerned(mutant)]


def rejected(entries):
    """Whether the first entry, a mutant's own row, rejects it by a residual at each of its scales."""
    return all(entries[0].rejected_at(scale) for scale in entries[0].row.scales)


def mutant_line(mutant, entries):
    """One line: the mutant, its statement, what its own row found at each scale, which other rows reject
    it.
    """
    first = {one.scale: one for one in reversed(entries[0].found) if not one.passed}  # of each scale
    own = [
        f"{scale} {render.number(first[scale].residual)} > {render.number(first[scale].allowed)}"
        if scale in first
        else f"{scale} NOT REJECTED"
        for scale in entries[0].row.scales
    ]
    also = " ".join(entry.row.label for entry in entries[1:] if not entry.passed)
    return f"{mutant.name:<45}{mutant.label:<5}{'; '.join(own)}{f'; also {also}' if also else ''}"


def _numbers(path):
    """For argparse: the paper's numbers in a file, whose errors are said in words."""
    try:
        return concordance.read(path, statements())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error.strerror}") from None


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref audit", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Check every statement against the code that implements it, by routes of their own.",
        epilog="exit status: 0 all rows hold, 1 a row fails, 2 wrong arguments",
    )  # fmt: skip
    whole, file = validate.integer_argument, {"metavar": "FILE", "type": validate.file_argument}
    flag = {"action": "store_true"}
    forms = {
        "--markdown": dict(flag, help="print a Markdown table"),
        "--json": dict(flag, help="print JSON, with every route"),
        "--html": dict(
            file, help="write one self-contained page: equation, code and residuals side by side"),
        "--exact": dict(
            flag, help="prove the identities on fractions instead: residual 0, without a tolerance"),
        "--mutants": dict(flag, help="apply wrong derivations in memory and print which rows reject each"),
        "--mutate": dict(
            type=whole(1), metavar="K",
            help="try K changes by the syntax tree, drawn by the seed: exact identities, rows, then tests"),
    }  # fmt: skip
    options = {
        "--only": dict(
            nargs="+", metavar="LABEL", choices=statements(),
            help="only these rows: " + " ".join(statements())),
        "--seed": dict(type=whole(0), default=0, help="of what rows are checked on (default 0)"),
        "--routes": dict(flag, help="print every route of each row, not only the tightest"),
        "--concordance": dict(
            metavar="FILE", type=_numbers, default=str(concordance.HOME),
            help="a file label,number: the paper's numbers, shown beside the labels"),
        **forms,
        "--minutes": dict(type=whole(1), default=60, help="of --mutate at most (default 60)"),
        "--store": dict(
            metavar="FOLDER", default="out/mutants", help="where --mutate keeps its results"),
        "--table": dict(file, help="write a table of --mutate there"),
    }  # fmt: skip
    only_one = parser.add_mutually_exclusive_group()
    for name, keywords in options.items():
        (only_one if name in forms else parser).add_argument(name, **keywords)
    return parser


def title(seed):
    """The heading of the ledger."""
    return f"The ledger of benign_ref {__version__}, seed {seed}"


def main_mutants(asked):
    """Print which row caught which; 1 if a mutant got through or does not fit the code."""
    wrong = [mutant for mutant in mutants.MUTANTS if asked.only is None or mutant.label in asked.only]
    through = []
    print(
        f"{'mutant':<45}{'of':<5}rejected by its own row at each scale, residual > allowed; "
        "other rows that reject it"
    )
    for mutant in wrong:
        try:
            entries = run_mutant(mutant, asked.seed)
        except (ValueError, OSError) as error:
            through.append(mutant)
            print(f"error: {error}", file=sys.stderr)
            continue
        if not rejected(entries):
            through.append(mutant)
        print(mutant_line(mutant, entries), flush=True)
    print(f"\n{len(wrong) - len(through)} of {len(wrong)} mutants rejected by their own row at each scale")
    for mutant in through:
        print(f"NOT REJECTED: {mutant.name} ({mutant.label}, {mutant.file}): {mutant.why}")
    return 1 if through else 0


def main(argv=None):
    """Print or write the ledger; returns the exit status."""
    asked = _parser().parse_args(argv)
    if asked.mutants:
        return main_mutants(asked)
    if asked.exact:
        return exact.main(asked.only, asked.seed)
    if asked.mutate:
        return mutate.main(asked, statements().values())
    begun = time.monotonic()
    entries = run(asked.only, asked.seed, numbers=asked.concordance)
    if asked.markdown:
        print(render.markdown(entries, title(asked.seed)), end="")
    elif asked.json:
        print(render.as_json(entries, __version__, asked.seed))
    elif asked.html:
        if not write(asked.html, render.as_html(entries, title(asked.seed))):
            return 2
        print(f"{asked.html}: {render.summary(entries)}")
    else:
        print(render.text(entries, title(asked.seed), asked.routes) + f" ({time.monotonic() - begun:.1f} s)")
    return 0 if all(entry.passed for entry in entries) else 1
