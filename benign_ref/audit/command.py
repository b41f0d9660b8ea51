"""python -m benign_ref audit: the ledger. Every statement, the code that implements it, how it is checked,
what was found, what is allowed.

    from benign_ref import audit
    # list of Entry: entry.passed, entry.found, entry.sentence
    entries = audit.run(only=["G1", "P2"], seed=3)
    caught = audit.run_mutants()                        # wrong derivations, and which rows reject each

Exit status 0 if every row holds (with --mutants: if every mutant is rejected at each scale), 1 if not, 2 for
wrong arguments.
"""

import argparse
import sys
import time
from dataclasses import replace
from importlib import import_module

from .. import validate
from ..teach.page import write
from . import concordance, exact, mutants, mutate, render
from .core import AuditedPackage, run_row
from .mutants import patches
from .page import page
from .problems import SCALES

MODULES = ("data", "model", "gradient", "proof", "invariant", "law", "limit", "theory", "setting", "runs",
           "reading", "vision")  # fmt: skip


def statements():
    """Every Row, by label, in the order of the statements."""
    modules = (import_module(f".rows.{name}", __package__) for name in MODULES)
    return {row.label: row for module in modules for row in module.ROWS}


def chosen(only):
    """The rows of these labels (None: all), in the ledger's order. Raises ValueError for a label that is
    none.
    """
    known = statements()
    for label in only or ():
        validate.require(
            label in known, f"only must hold labels of the ledger ({', '.join(known)}), got {label!r}"
        )
    return [row for label, row in known.items() if only is None or label in only]


def run(only=None, seed=0, audited=None, scales=SCALES, progress=None, numbers=None):
    """The ledger: a list of Entry. audited: which modules are audited (default: this package).
    progress(entry) is called after each row. numbers: {label: the paper's own number} (default: those of
    concordance.csv).

    scales: of the problems, some of SCALES. Raises ValueError or TypeError for a bad argument; what the
    audited code raises is a finding.
    """
    seed, entries, audited = validate.integer("seed", seed, 0), [], audited or AuditedPackage()
    scales = tuple(validate.choice("scales", scale, SCALES) for scale in scales)
    numbers = concordance.read(concordance.HOME, statements()) if numbers is None else numbers
    for row in chosen(only):
        entry = replace(run_row(row, audited, seed, scales), number=numbers.get(row.label, ""))
        if row.label in exact.CASES:
            proof = exact.prove(row.label, seed, audited)
            broken = "" if proof.verdict == exact.EQUAL else f"{row.label}: {proof.sentence}"
            sentence = "; ".join(filter(None, (entry.sentence, broken)))
            entry = replace(entry, exact=proof.sentence, sentence=sentence)
        entries.append(entry)
        if progress:
            progress(entry)
    return entries


def concerned(mutant, known):
    """The mutant's own row first, then every other row that names its file; the measured ones left out."""
    own, file = known[mutant.label], f"{mutant.file}:"
    others = [row for row in known.values() if row is not own and "measured" not in row.mark]
    return [own, *(row for row in others if any(name.startswith(file) for name in row.code))]


def run_mutants(wrong=None, seed=0, all_rows=True, progress=None):
    """[(Mutant, entries)]: the rows concerned, run on a copy of the package that holds the mutant's patch.

    wrong: the mutants (None: all). all_rows=False: each mutant's own row only.
    """
    seed, known, results = validate.integer("seed", seed, 0), statements(), []
    for mutant in mutants.all_mutants() if wrong is None else wrong:
        with patches.copy_of_package(mutant) as audited:
            asked = concerned(mutant, known) if all_rows else [known[mutant.label]]
            results.append((mutant, [run_row(row, audited, seed, first_failure=True) for row in asked]))
        if progress:
            progress(results[-1])
    return results


def scales_of(mutant, row):
    """The scales at which the mutant's own row must reject it: the row's, or those that the mutant names."""
    return mutant.scales or row.scales


def rejected(mutant, entries):
    """Whether the first entry, the mutant's own row, rejects it by a residual at each of its scales."""
    return all(entries[0].rejected_at(scale) for scale in scales_of(mutant, entries[0].row))


def mutant_line(mutant, entries):
    """One line: the mutant, its statement, what its own row found at each scale, which other rows reject
    it.
    """
    first = {one.scale: one for one in reversed(entries[0].found) if not one.passed}  # of each scale
    own = [
        f"{scale} {render.number(first[scale].residual)} > {render.number(first[scale].allowed)}"
        if scale in first
        else f"{scale} NOT REJECTED"
        for scale in scales_of(mutant, entries[0].row)
    ]
    also = " ".join(entry.row.label for entry in entries[1:] if not entry.passed)
    return f"{mutant.name:<45}{mutant.label:<5}{'; '.join(own)}{f'; also {also}' if also else ''}"


def _argument(read):
    """For argparse: a type by read(text), whose errors are said in words."""

    def parsed(text):
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        except OSError as error:
            raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}") from None

    return parsed


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref audit", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Check every statement against the code that implements it, by routes of their own.",
        epilog="exit status: 0 all rows hold, 1 a row fails, 2 wrong arguments",
    )  # fmt: skip
    whole, file = validate.integer_argument, {"metavar": "FILE", "type": validate.file_argument}
    numbers = _argument(lambda path: concordance.read(path, statements()))
    label = _argument(lambda text: chosen([text])[0].label)
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
            nargs="+", metavar="LABEL", type=label, help="only these rows: " + " ".join(statements())),
        "--seed": dict(type=whole(0), default=0, help="of what rows are checked on (default 0)"),
        "--routes": dict(flag, help="print every route of each row, not only the tightest"),
        "--concordance": dict(
            metavar="FILE", type=numbers, default=str(concordance.HOME),
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
    return f"The ledger of benign_ref {AuditedPackage().version}, seed {seed}"


def main_mutants(asked):
    """Print which row caught which; 1 if a mutant got through or does not fit the code."""
    wrong = [mutant for mutant in mutants.all_mutants() if asked.only is None or mutant.label in asked.only]
    misfits = list(patches.misfits(wrong))
    for sentence in misfits:
        print(f"error: {sentence}", file=sys.stderr)
    wrong = [mutant for mutant in wrong if not any(patches.misfits([mutant]))]
    print(
        f"{'mutant':<45}{'of':<5}rejected by its own row at each scale, residual > allowed; "
        "other rows that reject it"
    )
    results = run_mutants(wrong, asked.seed, progress=lambda result: print(mutant_line(*result), flush=True))
    through = [mutant for mutant, entries in results if not rejected(mutant, entries)]
    print(
        f"\n{len(results) - len(through)} of {len(results)} mutants rejected by their own row at each scale"
    )
    for mutant in through:
        print(f"NOT REJECTED: {mutant.name} ({mutant.label}, {mutant.file}): {mutant.why}")
    return 1 if through or misfits else 0


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
        print(render.as_json(entries, AuditedPackage().version, asked.seed))
    elif asked.html:
        if not write(asked.html, page(entries, AuditedPackage(), title(asked.seed))):
            return 2
        print(f"{asked.html}: {render.summary(entries)}")
    else:
        print(render.text(entries, title(asked.seed), asked.routes) + f" ({time.monotonic() - begun:.1f} s)")
    return 0 if all(entry.passed for entry in entries) else 1
