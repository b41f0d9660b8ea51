"""Our labels and the paper's own numbers. concordance.csv, beside this file, has a line for each label of the
ledger, `label,number`; a number is empty where it is not known. An auditor's own file, of the same form, may
have some of the labels.
"""

import csv
from pathlib import Path

from .. import validate

HOME = Path(__file__).with_name("concordance.csv")
HEADER = ["label", "number"]


def read(path, labels):
    """{label: number} from a file, without the empty ones. ValueError in words for a file of another form, or
    for a label that is none of `labels` or stands twice; OSError where it cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason}") from None
    validate.require(rows[:1] == [HEADER], f"{path} must begin with the line {','.join(HEADER)}")
    found = {}
    for row in rows[1:]:
        validate.require(len(row) == 2, f"{path} must have lines label,number, got {','.join(row)!r}")
        label, number = row
        validate.require(
            label in labels, f"{path} has the unknown label {label!r}; known are {', '.join(labels)}"
        )
        validate.require(label not in found, f"{path} has the label {label!r} twice")
        found[label] = number
    return {label: number for label, number in found.items() if number}
