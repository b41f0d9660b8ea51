"""What a row of the ledger is, how it is run, and what is said when it fails."""

import importlib
import inspect
import math
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

PACKAGE = __name__.split(".")[0]
HOLDS, FAILS = "holds", "FAILS"
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("paper", "engines", "derived", "experiments", "runtime", "vision")
HOMES = {path.stem: f"{folder}.{path.stem}" for folder in FOLDERS for path in (ROOT / folder).glob("*.py")}
HOMES |= {"api": "api", "checks": "checks.gradient", "invariants": "audit.invariants"}


class Vacuous(ArithmeticError):
    """A comparison with zeros, by which nothing is checked."""


class Missing(LookupError):
    """A file or function that a row names and that does not exist."""


def worst(got, expected):
    """The largest difference relative to the largest expected entry; no absolute tolerance.

    Infinity where `got` is not finite or has another shape. Raises Vacuous if every expected entry is 0.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return math.inf
    largest = np.abs(expected).max()
    if largest == 0:
        raise Vacuous("every expected entry is 0, so nothing was checked")
    error = np.abs(got - expected).max() / largest
    return float(error) if np.isfinite(error) else math.inf


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

    @property
    def version(self):
        """The version of the package under audit."""
        return importlib.import_module(self.package).__version__

    def function(self, named):
        """The function of a name such as "paper/gradients.py:coupling" or "paper/proof.py:ProofSpace.move".
        Raises Missing.
        """
        file, _, path = named.partition(":")
        if not (ROOT / file).is_file():
            raise Missing(f"{file} is missing")
        found = importlib.import_module(f"{self.package}.{file.removesuffix('.py').replace('/', '.')}")
        for part in path.split("."):
            if not hasattr(found, part):
                raise Missing(f"{file} has no function {path}")
            found = getattr(found, part)
        return found


class Found(NamedTuple):
    """One route at one scale: the residual, and what is allowed."""

    route: str
    scale: str
    residual: float
    allowed: float

    @property
    def passed(self):
        """Whether the residual is within what is allowed."""
        return self.residual <= self.allowed  # false for nan

    @property
    def strain(self):
        """residual / allowed, 0 for 0/0; infinite for nan."""
        if self.residual == 0:
            return 0.0
        return self.residual / self.allowed if math.isfinite(self.residual) and self.allowed > 0 else math.inf


@dataclass(frozen=True)
class Row:
    """A statement. paper: the paper's object; mark: how sure that is; code: "file.py:function" names, each of
    which `check` uses.

    check(audited, problem) yields (route, residual, allowed); at least one route shares nothing with the code
    it checks.
    """

    label: str
    statement: str
    paper: str
    mark: str
    code: tuple
    check: Callable
    limits: str = ""


@dataclass(frozen=True)
class Entry:
    """A row that was run. sentence: what broke, or "" if the row holds."""

    row: Row
    found: tuple
    sentence: str
    seconds: float

    @property
    def passed(self):
        """Whether the row holds."""
        return not self.sentence

    def rejected_at(self, scale):
        """Whether a residual at this scale is not allowed (an exception is no such thing)."""
        return any(one.scale == scale and not one.passed for one in self.found)

    @property
    def verdict(self):
        """HOLDS or FAILS, as printed."""
        return HOLDS if self.passed else FAILS

    @property
    def tightest(self):
        """The Found nearest to (or furthest beyond) what is allowed; None if there is none."""
        return max(self.found, key=lambda one: one.strain, default=None)

    def routes(self):
        """Each route once, as Found, with its worst scale."""
        names = dict.fromkeys(one.route for one in self.found)
        return [
            max((one for one in self.found if one.route == name), key=lambda one: one.strain)
            for name in names
        ]


def run_row(row, audited, problems, first_failure=False):
    """The Entry of a row, checked on every problem. Nothing that the checked code raises gets out: it makes
    the row fail.

    first_failure: leave a problem at the first residual that is not allowed.
    """
    begun, found, broken = time.perf_counter(), [], []
    for problem in problems:
        try:
            for named in row.code:
                audited.function(named)
            with np.errstate(
                all="ignore"
            ):  # a wrong formula may overflow; its numbers are judged, not its warnings
                for route, residual, allowed in row.check(audited, problem):
                    found.append(Found(route, problem.scale, float(residual), float(allowed)))
                    if first_failure and not found[-1].passed:
                        break
        except Exception as error:  # noqa: BLE001 - whatever the audited code raises is a finding
            broken.append(told(error))
    failed = [one for one in found if not one.passed]
    if failed:
        one = max(failed, key=lambda one: one.strain)
        broken.append(
            f"at the {one.scale} scale, by {one.route}, the residual is {one.residual:.2g}, allowed is {one.allowed:.2g}"
        )
    if not found and not broken:
        broken.append("no route was taken, so nothing was checked")
    if broken:
        broken.extend(replaced(row, audited))
    sentence = f"{row.label}: " + "; ".join(dict.fromkeys(broken)) if broken else ""
    return Entry(row, tuple(found), sentence, time.perf_counter() - begun)


def told(error):
    """What was raised, and by which function."""
    kind = "" if isinstance(error, (Missing, Vacuous)) else f"{type(error).__name__}: "
    return f"{blamed(error)}{kind}{error}"


def blamed(error):
    """ "paper/proof.py:ReferenceProofSpace.move, line 83, raised " for the deepest frame in the package; ""
    if there is none.
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename)
        if ROOT in file.parents and "audit" not in file.parts[len(ROOT.parts) :]:
            return f"{file.relative_to(ROOT).as_posix()}:{getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}, line {line}, raised "
    return ""


def plain(function):
    """The Python function behind a jitted one; any other is given back."""
    return getattr(function, "py_func", function)


def replaced(row, audited):
    """A sentence for each named function that is not the one its file defines."""
    for named in row.code:
        try:
            code = getattr(plain(audited.function(named)), "__code__", None)
        except Exception:  # noqa: BLE001 - then the row's own sentence says so
            continue
        if code is not None and Path(code.co_filename).name != Path(named.split(":")[0]).name:
            yield f"{named} is not the function of its file but {Path(code.co_filename).name}:{code.co_name}"


def source(row, audited):
    """(name, text) of each function that a row names; the text says so where there is none."""
    for named in row.code:
        try:
            yield named, inspect.getsource(plain(audited.function(named)))
        except (Missing, OSError, TypeError, ImportError, SyntaxError) as error:
            yield named, f"# no source: {error}\n"
