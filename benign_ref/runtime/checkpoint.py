"""One file that keeps where a long computation is, so that it can be killed at any moment and resumed.

The file holds a digest of itself, what decides the computation's numbers, and arrays. It is written under
another name, flushed to the disk, and moved; no pickle is ever read.
"""

import hashlib
import io
import json
import time
import zipfile

import numpy as np

from .. import validate
from .store import difference, naming, try_writing, write_whole

LEAST_SECONDS, MOST_OF_THE_TIME = 1.0, 0.05  # between two writes; that writing may take
LEFT_ALONE = "it is left as it is: give another path, or take it away"


def sealed(content):
    """Bytes after a digest of them on a line of its own."""
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


class Checkpoint:
    """The file `path` (str or Path) of a computation whose numbers are decided by `decides`, a dict of what
    JSON holds.

    found: the arrays kept there by name, None if there is no such file yet. Raises TypeError or ValueError
    for a path that is none, a damaged file, or one of another computation; OSError if the folder cannot be
    written.
    """

    def __init__(self, path, decides):
        self.path = validate.path("checkpoint", path).absolute()
        self.decides = json.loads(json.dumps(decides, default=lambda array: array.tolist()))
        self.found = None
        if self.path.exists():
            self.found = self._read()
        else:
            with naming(f"checkpoint {str(self.path)!r} cannot be written"):
                try_writing(self.path.parent)
        self.next = time.monotonic() + LEAST_SECONDS

    def _read(self):
        try:
            whole = self.path.read_bytes()
            content = whole.partition(b"\n")[2]
            validate.require(sealed(content) == whole, "its digest does not fit")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = dict(file)
            stored = json.loads(str(arrays.pop("decides")))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"checkpoint {str(self.path)!r} is damaged, or no checkpoint; {LEFT_ALONE}"
            ) from error
        validate.require(
            stored == self.decides,
            f"checkpoint {str(self.path)!r} is of another run; {LEFT_ALONE}\n"
            f"{difference(stored, self.decides)}",
        )
        return arrays

    def due(self):
        """Whether the last write is long enough ago."""
        return time.monotonic() >= self.next

    def save(self, arrays):
        """Keep `arrays`, a dict of arrays of numbers by name. Raises OSError."""
        begun, buffer = time.monotonic(), io.BytesIO()
        np.savez(buffer, decides=json.dumps(self.decides), **arrays)
        write_whole(self.path, sealed(buffer.getvalue()))
        ended = time.monotonic()
        self.next = ended + max(LEAST_SECONDS, (ended - begun) / MOST_OF_THE_TIME)
