"""Wrong derivations: named patches of one statement each, and copies of the package in memory that hold one.

    with copy_of_package(mutant) as audited:      # the modules under audit, one line of one of them changed
        entry = run_row(row, audited, problems)   # must fail

The files on disk and the package already imported are left alone. A copy is imported under another name,
which is gone again at the end, and its kernels run as plain Python: the sizes are tiny, and numba's cache on
disk, keyed on the file, never sees a wrong kernel.
"""

import importlib.abc
import importlib.util
import sys
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from ..core import AuditedPackage

HERE = Path(__file__).resolve().parents[2]
COPY = f"{HERE.name}_copy"


class Mutant(NamedTuple):
    """A wrong derivation: in `file` the text `old`, which must be there exactly once, becomes `new`; or (old
    "") the function `gradients` of the file is the one that wrong/gradients.py names (block, new). label: the
    statement it breaks.
    """

    name: str
    label: str
    file: str
    old: str
    new: str
    why: str
    scales: tuple = ()  # at which its row must reject it, where these are not all of the row's
    block: str = ""


def njit(function=None, **options):
    """In the place of numba.njit in a copy: the function as it stands."""
    return function if function is not None else njit


@cache
def source_of(file):
    """The source of a file of the package."""
    return (HERE / file).read_text(encoding="utf-8")


def without_numba(source):
    """A source with the import of njit pointing here."""
    return source.replace("from numba import njit", f"from {__name__} import njit")


def text_of(file):
    """The source of a file of the package, as a copy has it."""
    return without_numba(source_of(file))


def patched(mutant):
    """The source of the mutant's file with its patch. ValueError if `old` is not there exactly once."""
    source = text_of(mutant.file)
    count = source.count(mutant.old)
    if count != 1:
        raise ValueError(
            f"mutant {mutant.name!r} ({mutant.label}) does not fit: {mutant.old!r} must occur once in "
            f"{mutant.file}, it occurs {count} times"
        )
    return source.replace(mutant.old, mutant.new)


def misfits(mutants):
    """A sentence for each mutant whose patch does not fit the file."""
    for mutant in mutants:
        try:
            if mutant.old:
                patched(mutant)
        except (ValueError, OSError) as error:
            yield str(error)


@cache
def code_of(file, source):
    """The source of a file of the package, compiled under that file's path; kept, so that each text is
    compiled once.
    """
    return compile(source, str(HERE / file), "exec")


class Copy(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads the modules of a copy of the package named COPY; `sources` maps a patched file to its
    text.
    """

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of the copy, whose file is the package's own; None for any other name or a
        missing file.
        """
        if name != COPY and not name.startswith(COPY + "."):
            return None
        parts = name.split(".")[1:]
        file = HERE.joinpath(*parts)
        file = file / "__init__.py" if not parts or file.is_dir() else file.with_suffix(".py")
        if not file.exists():
            return None
        spec = importlib.util.spec_from_loader(
            name, self, origin=str(file), is_package=file.name == "__init__.py"
        )
        spec.has_location = True
        return spec

    def create_module(self, spec):
        """None: Python makes the module as usual."""
        return None

    def exec_module(self, module):
        """Run the module's source in it: the patched text if its file has one, else the text on disk."""
        file = str(Path(module.__spec__.origin).relative_to(HERE))
        text = self.sources.get(file) or text_of(file)
        exec(code_of(file, text), module.__dict__)  # noqa: S102 - our own source


@contextmanager
def copy_of_package(*mutants):
    """The AuditedPackage of a copy of the package with these mutants' patches (none: a true copy). It can be
    used inside the `with` only.
    """
    finder = Copy({mutant.file: patched(mutant) for mutant in mutants if mutant.old})
    forget()
    sys.meta_path.insert(0, finder)
    try:
        audited = AuditedPackage(COPY)
        for mutant in mutants:
            if not mutant.old:
                found = import_module(f"{COPY}.wrong.gradients").MUTANTS
                (wrong,) = (
                    one.gradients for one in found if (one.block, one.name) == (mutant.block, mutant.new)
                )
                audited.gradients.gradients = audited.api.gradients_by_hand = wrong
        yield audited
    finally:
        sys.meta_path.remove(finder)
        forget()


def forget():
    """Take every module of a copy out of sys.modules."""
    for name in [name for name in sys.modules if name == COPY or name.startswith(COPY + ".")]:
        del sys.modules[name]
