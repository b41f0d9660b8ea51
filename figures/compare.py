"""The numbers of a run against the reference: figures/reference/{quick,full}/NAME.csv, made with seed 0.

Texts and whole numbers must be equal, other numbers to 1e-9 of their size. Columns that are allowed more,
or are not compared, stand in TOLERANCES, each with its reason.
"""

import csv
import math

from benign_ref import validate
from benign_ref.runtime.store import write_all

TOLERANCE = 1e-9
NOT_COMPARED = math.inf
ROUNDING, CANCELS = (
    "it is rounding itself; its verdict is compared",
    "a difference of numbers that nearly agree",
)
TOLERANCES = {  # (figure, column; "*": all of them): (relative tolerance, why it is not TOLERANCE)
    ("boundary", "relative error"): (1e-6, CANCELS),
    ("departures", "difference"): (1e-6, CANCELS),
    ("departures", "the limit's difference"): (1e-6, CANCELS),
    ("ledger", "residual"): (NOT_COMPARED, ROUNDING),
    ("speed", "*"): (NOT_COMPARED, "times of one machine"),
}


def relative(one, other):
    """How far two cells are apart, relative to the larger; infinity if one is no number or whole numbers
    differ.
    """
    try:
        a, b = float(one), float(other)
    except ValueError:
        return 0.0 if one == other else math.inf
    whole = one.lstrip("-").isdigit() and other.lstrip("-").isdigit()
    if one == other or (a == b and not whole):
        return 0.0
    return math.inf if whole or not math.isfinite(a - b) else abs(a - b) / max(abs(a), abs(b))


def read(path):
    """The rows of a CSV file, the header first."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def differences(name, reference, ours):
    """[(size over what is allowed, relative size, a sentence)] of all cells of the figure `name` in which two
    tables differ. ValueError if they have different columns or lengths.
    """
    header, found = reference[0], []
    validate.require(
        [header, *map(len, reference)] == [*ours[:1], *map(len, ours)],
        f"{len(ours)} lines, columns {ours[0] if ours else None}; "
        f"the reference {len(reference)}, columns {header}",
    )
    for line, (row, own) in enumerate(zip(reference, ours), 1):
        for column, expected, got in zip(header, row, own):
            allowed, _ = TOLERANCES.get((name, column), (TOLERANCE, ""))
            size = relative(expected, got) if allowed < NOT_COMPARED else 0.0
            if size:
                what = f"column {column!r}, line {line} ({', '.join(row[:3])}): {got}, reference {expected}"
                most = f"most in {what}, {size:.1e} relative, {allowed:.0e} allowed"
                found.append((size / allowed, size, most))
    return found


def judge(name, reference, ours):
    """(a sentence, whether the two tables differ by more than is allowed)."""
    if (name, "*") in TOLERANCES:
        return f"not compared: {TOLERANCES[name, '*'][1]}", False
    try:
        found = differences(name, reference, ours)
    except ValueError as error:
        return f"differs: {error}", True
    if not found:
        return "identical", False
    excess, _, most = max(found)
    if excess > 1:
        return f"differs in {sum(of_allowed > 1 for of_allowed, *_ in found)} cells, {most}", True
    if max(size for _, size, _ in found) <= TOLERANCE:
        return f"same to {TOLERANCE:g}", False
    return f"same to what its columns allow, differs {most}", False


def compare(folder, out, names):
    """Print for each figure how its numbers in `out` compare with those in `folder`; whether one differs."""
    differs = False
    for name in names:
        sentence, wrong = f"no reference in {folder}", True
        if (folder / f"{name}.csv").exists():
            sentence, wrong = judge(name, read(folder / f"{name}.csv"), read(out / f"{name}.csv"))
        differs |= wrong
        print(f"compare  {name:<12} {sentence}")
    return differs


def update(folder, out, names):
    """Make the numbers in `out` the reference, and keep the captions that state their sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"{name}.{kind}" for name in names for kind in ("csv", "txt")]
    write_all({folder / file: (out / file).read_bytes() for file in files})
