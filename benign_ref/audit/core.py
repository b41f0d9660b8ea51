"""What a row of the ledger is, how it is run, and what is said when it fails."""

import importlib
import inspect
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from ..checks import Vacuous, relative_residual
from . import problems

__all__ = ["AuditedPackage", "Entry", "Found", "Missing", "Row", "Vacuous", "apart", "equal",
           "relative_residual", "run_row", "within", "worst"]  # fmt: skip
PACKAGE = __name__.split(".")[0]
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("paper", "engines", "derived", "experiments", "runtime", "vision")
HOMES = {"api": "api", "checks": "checks.gradient"} | {
    path.stem: f"{folder}.{path.stem}" for folder in FOLDERS for path in (ROOT / folder).glob("*.py")
}


def equal(pairs, allowed):
    """(route, residual, allowed) for each {route: (got, expected)}, by the relative residual."""
    return [(route, relative_residual(*pair), allowed) for route, pair in pairs.items()]


def within(residuals, allowed):
    """(route, residual, allowed) for each {route: residual}."""
    return [(route, residual, allowed) for route, residual in residuals.items()]


def worst(got, expected):
    """The largest relative residual of two sequences of arrays, each relative to its own largest entry."""
    return max(relative_residual(*pair) for pair in zip(got, expected, strict=True))


def apart(got, expected):
    """The largest |got / expected - 1|: each entry relative to itself; nan is not allowed."""
    return float(np.max(np.abs(np.divide(got, expected) - 1)))


class Missing(LookupError):
    """A file or function that a row names and that does not exist."""


class AuditedPackage:
    """The modules under audit, by name: audited.gradients is `package`.gradients. The package may be a
    mutated copy.
    """

    def __init__(self, package=PACKAGE):
        self.package = package

    def __getattr__(self, name):
        try:
            return importlib.import_module(f"{self.package}.{HOMES[name]}")
        except KeyError:
            raise Missing(f"{name}.py is missing") from None

    def function(self, named):
        """The function of a name such as "paper/gradients.py:coupling" or "paper/proof.py:ProofSpace.move".
        Raises Missing, also for a method that the class only inherits.
        """
        file, _, path = named.partition(":")
        if not (ROOT / file).is_file():
            raise Missing(f"{file} is missing")
        found = importlib.import_module(f"{self.package}.{file.removesuffix('.py').replace('/', '.')}")
        for part in path.split("."):
            if part not in vars(found):
                raise Missing(f"{file} has no function {path}")
            found = getattr(found, part)
        return found


class Found(NamedTuple):
    """One route on one problem: the residual, and what is allowed. sizes: the problem's shape in words."""

    route: str
    scale: str
    residual: float
    allowed: float
    sizes: str = ""

    @property
    def passed(self):
        """Whether the residual is within what is allowed."""
        return self.residual <= self.allowed  # false for nan

    @property
    def strain(self):
        """residual / allowed, 0 for 0/0; infinite for nan."""
        if self.residual == 0:
            return 0.0
        return self.residual / self.allowed if np.isfinite(self.residual) and self.allowed > 0 else np.inf


@dataclass(frozen=True)
class Row:
    """A statement. paper: the paper's object; mark: how sure that is; code: "file.py:function" names, each of
    which `check` uses.

    check(audited, problem) yields (route, residual, allowed); at least one route shares nothing with the code
    it checks. scales, shapes: of the problems on which the statement says something.
    """

    label: str
    statement: str
    paper: str
    mark: str
    code: tuple
    check: Callable
    limits: str = ""
    scales: tuple = problems.SCALES
    shapes: tuple = problems.SHAPES


@dataclass(frozen=True)
class Entry:
    """A row that was run. sentence: what broke, or "" if the row holds. exact: what exact arithmetic says;
    number: the paper's own for this statement; "" where there is none.
    """

    row: Row
    found: tuple
    sentence: str
    seconds: float
    exact: str = ""
    number: str = ""

    @property
    def name(self):
        """The label, and the paper's number beside it if it is known."""
        return f"{self.row.label} = {self.number}" if self.number else self.row.label

    @property
    def passed(self):
        """Whether the row holds."""
        return not self.sentence

    def rejected_at(self, scale):
        """Whether a residual at this scale is not allowed (an exception is no such thing)."""
        return any(one.scale == scale and not one.passed for one in self.found)

    @property
    def verdict(self):
        """The word that is printed."""
        return "holds" if self.passed else "FAILS"

    @property
    def tightest(self):
        """The Found nearest to (or furthest beyond) what is allowed; None if there is none."""
        return max(self.found, key=lambda one: one.strain, default=None)


def run_row(row, audited, seed=0, first_failure=False):
    """The Entry of a row, checked on every problem that it draws. Nothing that the checked code raises gets
    out: it makes the row fail.

    first_failure: leave a scale at the first residual that is not allowed.
    """
    begun, found, broken = time.perf_counter(), [], []
    for problem in problems.drawn(seed, row.label, row.scales, row.shapes):
        if first_failure and any(one.scale == problem.scale and not one.passed for one in found):
            continue
        try:
            for named in row.code:
                audited.function(named)
            # a wrong formula may overflow; its numbers are judged, not its warnings
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for route, residual, allowed in row.check(audited, problem):
                    found.append(Found(route, problem.scale, float(residual), float(allowed), problem.sizes))
                    if first_failure and not found[-1].passed:
                        break
        except Exception as error:  # noqa: BLE001 - whatever the audited code raises is a finding
            kind = "" if isinstance(error, (Missing, Vacuous)) else f"{type(error).__name__}: "
            broken.append(f"{_raising_function(error)}{kind}{error}")
    if one := max((one for one in found if not one.passed), key=lambda one: one.strain, default=None):
        broken.append(
            f"at the {one.scale} scale ({one.sizes}), by {one.route}, the residual is {one.residual:.2g}, "
            f"allowed is {one.allowed:.2g}"
        )
    if not found and not broken:
        broken.append("no route was taken, so nothing was checked")
    told = "; ".join(dict.fromkeys([*broken, *_replaced(row, audited)])) if broken else ""
    sentence = f"{row.label}: {told}" if broken else ""
    return Entry(row, tuple(found), sentence, time.perf_counter() - begun)


def _raising_function(error):
    """ "paper/proof.py:ReferenceProofSpace.move, line 83, raised " for the deepest frame in the package; ""
    if there is none.
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename)
        if ROOT in file.parents and "audit" not in file.parts[len(ROOT.parts) :]:
            name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
            return f"{file.relative_to(ROOT).as_posix()}:{name}, line {line}, raised "
    return ""


def _replaced(row, audited):
    """A sentence for each named function that is not the one its file defines."""
    for named in row.code:
        with suppress(Exception):  # of a class, or of what is missing, which the row's own sentence says
            code = inspect.unwrap(audited.function(named)).__code__
            file = Path(code.co_filename).name
            if file != Path(named.split(":")[0]).name:
                yield f"{named} is not the function of its file but {file}:{code.co_name}"


def source(row):
    """(name, text) of each function that a row names; the text says so where there is none."""
    for named in row.code:
        try:
            yield named, inspect.getsource(AuditedPackage().function(named))
        except (Missing, OSError, TypeError, ImportError, SyntaxError) as error:
            yield named, f"# no source: {error}\n"
