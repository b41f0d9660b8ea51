"""What a long computation keeps on the disk, so that it can be killed at any moment and resumed: a folder of
its finished parts (Store), or one file of where it is (Checkpoint).

    FOLDER/settings.json      everything that decides the numbers; a store of other settings is refused
    FOLDER/cells/NAME.json    one finished part a file, with a digest of itself and of its settings
    FILE                      a digest of itself, what decides the numbers, and arrays

A file is written under a temporary name, flushed to the disk, and moved: at any moment it is there whole or
not at all. Two computations may share a folder, as both write the same. No pickle is ever read.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import time
import uuid
import zipfile

import numpy as np

from .. import validate
from .progress import say

REPLACE_TRIES = 20  # a twentieth of a second apart: on Windows a file that someone reads cannot be replaced
LEAST_SECONDS, MOST_OF_THE_TIME = 1.0, 0.05  # between two writes of a checkpoint; that writing it may take
LEFT_ALONE = "it is left as it is: give another path, or take it away"


def write_all(contents):
    """Write bytes to each Path of the dict `contents` so that a reader, or a later run after a crash, finds
    all of a file or nothing of it; and if the disk is full, nothing of any. Raises OSError.
    """
    temporary = {path: path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.tmp") for path in contents}
    try:
        for path, content in contents.items():
            with open(temporary[path], "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path in contents:
            replace(temporary[path], path)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def write_whole(path, content):
    """`write_all` of one file."""
    write_all({path: content})


def try_writing(folder):
    """Write to the Path `folder`, before any work, and take it away again. Raises OSError."""
    path = folder / f".probe.{uuid.uuid4().hex}.tmp"
    write_whole(path, b" " * 4096)
    path.unlink()


@contextlib.contextmanager
def naming(what):
    """An OSError inside says `what` it is about."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{what}: {error.strerror or error}") from error


def replace(temporary, path):
    """os.replace, with patience where another process has `path` open. Raises OSError."""
    for _ in range(REPLACE_TRIES - 1):
        with contextlib.suppress(PermissionError):
            return os.replace(temporary, path)
        time.sleep(0.05)
    return os.replace(temporary, path)


def encoded(value):
    """`value` as JSON holds it: tuples as lists, and numbers that are not finite, which JSON has not, as
    {"float": "nan"}.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(float(value))}
    if isinstance(value, (list, tuple)):
        return [encoded(part) for part in value]
    return {name: encoded(part) for name, part in value.items()} if isinstance(value, dict) else value


def digest(value):
    """A hexadecimal digest of anything that JSON holds; floats enter with all their bits (repr)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def difference(stored, asked):
    """The names on which two dicts of settings differ, one a line, with both values."""
    gone = "(not there)"
    return "\n".join(
        f"  {name}: {stored.get(name, gone)!r} in the store, {asked.get(name, gone)!r} asked for"
        for name in {**stored, **asked}
        if stored.get(name, gone) != asked.get(name, gone)
    )


NOTHING_YET = "cannot be written, so nothing was computed"
NO_MORE = "cannot be written any more; what is in it is whole, and a second run goes on from it"


class Store:
    """The store in `folder` (str or Path) for a computation whose numbers are decided by `settings`, a dict
    of what JSON holds.

    Made if it is not there. Raises TypeError or ValueError if the folder is none, or holds another
    computation (the message shows the difference name by name), OSError if it cannot be made.
    """

    def __init__(self, folder, settings):
        self.folder = validate.path("store", folder).absolute()
        self.cells, self.name = self.folder / "cells", f"store {str(self.folder)!r}"
        self.key = digest(settings)
        with naming(f"{self.name} {NOTHING_YET}"):
            for path in (self.folder, self.cells):
                validate.require(
                    path.is_dir() or not path.exists(),
                    f"store must be a folder, got {str(path)!r}, which is a file",
                )
            self.cells.mkdir(parents=True, exist_ok=True)
            self._claim(json.loads(json.dumps(settings)))

    def probe(self):
        """Try a write, before any work. Raises OSError."""
        with naming(f"{self.name} {NOTHING_YET}"):
            try_writing(self.cells)

    def _claim(self, settings):
        """Put the settings there if none are; then the ones that are there must be the same."""
        path = self.folder / "settings.json"
        if not path.exists():
            fresh = self.folder / f".settings.{uuid.uuid4().hex}.tmp"
            write_whole(fresh, (json.dumps(settings, indent=1) + "\n").encode())
            try:
                os.link(fresh, path)  # unlike a move, leaves alone what another computation has put there
            except FileExistsError:
                pass
            except (OSError, AttributeError):  # no hard links on this file system, or none at all
                replace(fresh, path)
            fresh.unlink(missing_ok=True)
        try:
            stored = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            stored = None
        validate.require(
            isinstance(stored, dict),
            f"{self.name}: its settings.json is damaged, or it is not a store; use another folder",
        )
        validate.require(
            stored == settings,
            f"{self.name} is of another computation; use another folder\n{difference(stored, settings)}",
        )

    def read(self, name):
        """What was written under `name`; None if nothing was, or if it is damaged or of other settings, which
        is told.
        """
        path = self.cells / f"{name}.json"
        try:
            entry = json.loads(path.read_bytes())
            record = json.dumps(entry["record"])
            if (entry["settings"], entry["digest"]) == (self.key, digest([name, self.key, entry["record"]])):
                return json.loads(
                    record, object_hook=lambda d: float(d["float"]) if d.keys() == {"float"} else d
                )
            complaint = "is damaged or from another store"
        except FileNotFoundError:
            return None
        except OSError as error:
            complaint = f"cannot be read ({error.strerror})"
        except (ValueError, TypeError, KeyError, RecursionError):
            complaint = "is torn or no cell"
        say(f"{path} {complaint}: it is computed again")
        return None

    def write(self, name, record):
        """Keep `record` (what JSON holds, with any float) under `name`. Raises OSError that names the
        store; what was there stays whole.
        """
        record = encoded(record)
        entry = {"record": record, "settings": self.key, "digest": digest([name, self.key, record])}
        with naming(f"{self.name} {NO_MORE}"):
            write_whole(self.cells / f"{name}.json", (json.dumps(entry) + "\n").encode())


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
