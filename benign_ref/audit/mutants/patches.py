"""Wrong derivations: named patches of one statement each, and copies of the package in memory that hold one.

    with copy_of_package(mutant) as audited:      # the modules under audit, one line of one of them changed
        entry = run_row(row, audited, problems)   # must fail

The files on disk and the package already imported are left alone. A copy is imported under another name,
which is gone again at the end, and its kernels run as plain Python: the sizes are tiny, and numba's cache on
disk, keyed on the file, never sees a wrong kernel.
"""

import sys
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from typing import NamedTuple

from numba import config

from ..core import PACKAGE, ROOT, AuditedPackage

COPY = f"{PACKAGE}_copy"


class Mutant(NamedTuple):
    """A wrong derivation: in `file` the text `old`, which must be there exactly once, becomes `new`. label:
    the statement it breaks.
    """

    name: str
    label: str
    file: str
    old: str
    new: str
    why: str
    scales: tuple = ()  # at which its row must reject it, where these are not all of the row's


@cache
def source_of(file):
    """The source of a file of the package."""
    return (ROOT / file).read_text(encoding="utf-8")


def patched(mutant):
    """The source of the mutant's file with its patch. ValueError if `old` is not there exactly once."""
    source = source_of(mutant.file)
    count = source.count(mutant.old)
    if count != 1:
        raise ValueError(
            f"mutant {mutant.name!r} ({mutant.label}) does not fit: {mutant.old!r} must occur once in "
            f"{mutant.file}, it occurs {count} times"
        )
    return source.replace(mutant.old, mutant.new)


class Copy(MetaPathFinder):
    """Finds the modules of the package under the name `package`; `sources` maps the files that differ from
    those on disk to their text.
    """

    def __init__(self, package, sources):
        self.package, self.sources = package, sources

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of the copy, whose file is the package's own; None for any other name or a
        missing file.
        """
        package, *parts = name.split(".")
        file = ROOT.joinpath(*parts)
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if package != self.package or not file.exists():
            return None
        loader, text = SourceFileLoader(name, str(file)), self.sources.get(file.relative_to(ROOT).as_posix())
        if text is not None:
            loader.get_code = lambda _: compile(text, file, "exec")  # as if the text stood in the file
        return spec_from_file_location(name, file, loader=loader)


@contextmanager
def copy_of_package(mutant=None, sources=None):
    """The AuditedPackage of a copy of the package with a mutant's patch, or with other `sources` of some
    files (neither: a true copy). It can be used inside the `with` only.
    """
    finder = Copy(COPY, {mutant.file: patched(mutant)} if mutant else sources or {})
    sys.meta_path.insert(0, finder)
    jitted, config.DISABLE_JIT = config.DISABLE_JIT, 1
    try:
        yield AuditedPackage(COPY)
    finally:
        config.DISABLE_JIT = jitted
        sys.meta_path.remove(finder)
        forget(COPY)


def forget(*packages):
    """Take every module of some packages out of sys.modules."""
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]
