"""Our labels and the paper's own numbers. concordance.csv, beside this file, has a line for each label of the
ledger, `label,number`; a number is empty where it is not known. An auditor's own file, of the same form, may
have some of the labels.
"""

import csv
import io
from pathlib import Path

HOME = Path(__file__).with_name("concordance.csv")
HEADER = ["label", "number"]


def read(path, labels):
    """{label: number} from a file, without the empty ones. ValueError in words for a file of another form, or
    for a label that is none of `labels` or stands twice; OSError where it cannot be read.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error.reason}") from None
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(row)]
    if not rows or rows[0] != HEADER:
        raise ValueError(f"{path} must begin with the line {','.join(HEADER)}")
    found = {}
    for row in rows[1:]:
        if len(row) != 2:
            raise ValueError(f"{path} must have lines label,number, got {','.join(row)!r}")
        label, number = row
        if label not in labels:
            raise ValueError(f"{path} has the unknown label {label!r}; known are {', '.join(labels)}")
        if label in found:
            raise ValueError(f"{path} has the label {label!r} twice")
        found[label] = number
    return {label: number for label, number in found.items() if number}
