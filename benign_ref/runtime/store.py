"""A folder that keeps the finished parts of a long computation, so that it can be interrupted at any moment
and resumed.

    FOLDER/settings.json      everything that decides the numbers; a store of other settings is refused
    FOLDER/cells/NAME.json    one finished part a file, with a digest of itself and of its settings

A file is written under a temporary name, flushed to the disk, and moved: at any moment it is there whole or
not at all. Two computations may share a folder, as both write the same. Files are JSON; no pickle is ever
read.
"""

import contextlib
import hashlib
import json
import math
import os
import time
import uuid
from pathlib import Path

from .. import validate

REPLACE_TRIES = 20  # a twentieth of a second apart: on Windows a file that someone reads cannot be replaced


def checked_path(name, value):
    """`value`, a path given as str or Path, as a Path. TypeError or ValueError otherwise."""
    validate.require(
        isinstance(value, (str, Path)),
        f"{name} must be a path (str or Path), got {value!r:.60} of type {type(value).__name__}",
        TypeError,
    )
    validate.require(
        str(value).strip() and "\0" not in str(value),
        f"{name} must be a path, not empty and without zero bytes, got {str(value)!r}",
    )
    return Path(value)


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


def replace(temporary, path):
    """os.replace, with patience where another process has `path` open. Raises OSError."""
    for _ in range(REPLACE_TRIES - 1):
        with contextlib.suppress(PermissionError):
            return os.replace(temporary, path)
        time.sleep(0.05)
    return os.replace(temporary, path)


def write_sealed(path, content):
    """`write_whole` with a digest of the bytes on a line of its own in front of them. Raises OSError."""
    write_whole(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_sealed(path):
    """The bytes that `write_sealed` wrote. Raises ValueError if they are damaged, OSError if they cannot be
    read.
    """
    seal, _, content = path.read_bytes().partition(b"\n")
    validate.require(
        hashlib.sha256(content).hexdigest().encode() == seal,
        f"{str(path)!r} is damaged, or not such a file: its digest does not fit",
    )
    return content


def encoded(value):
    """`value` as JSON holds it: tuples as lists, and numbers that are not finite, which JSON has not, as
    {"float": "nan"}.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(float(value))}
    if isinstance(value, (list, tuple)):
        return [encoded(part) for part in value]
    return {name: encoded(part) for name, part in value.items()} if isinstance(value, dict) else value


def decoded(text):
    """The value that `encoded` gave, from its JSON text. Raises ValueError or RecursionError."""
    return json.loads(text, object_hook=lambda d: float(d["float"]) if d.keys() == {"float"} else d)


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
        self.folder = checked_path("store", folder).absolute()
        self.cells = self.folder / "cells"
        self.key = digest(settings)
        with self._named(NOTHING_YET):
            for path in (self.folder, self.cells):
                validate.require(
                    path.is_dir() or not path.exists(),
                    f"store must be a folder, got {str(path)!r}, which is a file",
                )
            self.cells.mkdir(parents=True, exist_ok=True)
            self._claim(json.loads(json.dumps(settings)))

    def probe(self):
        """Try a write, before any work. Raises OSError."""
        with self._named(NOTHING_YET):
            try_writing(self.cells)

    @contextlib.contextmanager
    def _named(self, what):
        """An OSError inside names the store."""
        try:
            yield
        except OSError as error:
            raise OSError(
                error.errno, f"store {str(self.folder)!r} {what}: {error.strerror or error}"
            ) from error

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
            f"store {str(self.folder)!r}: its settings.json is damaged, or it is not a store; "
            "use another folder",
        )
        validate.require(
            stored == settings,
            f"store {str(self.folder)!r} is of another computation; use another folder\n"
            f"{difference(stored, settings)}",
        )

    def read(self, name):
        """(record, None): what was written under `name`; (None, None): nothing there; (None, complaint):
        damaged, or of other settings.
        """
        path = self.cells / f"{name}.json"
        try:
            entry = json.loads(path.read_bytes())
            seal = digest([name, self.key, entry["record"]])
            if (entry["settings"], entry["digest"]) == (self.key, seal):
                return decoded(json.dumps(entry["record"])), None
        except FileNotFoundError:
            return None, None
        except OSError as error:
            return None, f"{path} cannot be read ({error.strerror})"
        except (ValueError, TypeError, KeyError, RecursionError):
            return None, f"{path} is torn or no cell"
        return None, f"{path} is damaged or from another store"

    def write(self, name, record):
        """Keep `record` (what JSON holds, with any float) under `name`. Raises OSError that names the
        store; what was there stays whole.
        """
        record = encoded(record)
        entry = {"record": record, "settings": self.key, "digest": digest([name, self.key, record])}
        with self._named(NO_MORE):
            write_whole(self.cells / f"{name}.json", (json.dumps(entry) + "\n").encode())
