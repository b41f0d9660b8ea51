"""python -m benign_ref exercise NAME FILE: a learner's function for one step of a walk-through, tried in
exact arithmetic.

    python -m benign_ref exercise --list
    python -m benign_ref exercise coupling --template > my_coupling.py
    python -m benign_ref exercise coupling my_coupling.py

The function is called on fractions drawn at random (checks/exact.py) and compared with the right one: equal
as fractions, or equal to a named wrong derivation (wrong/), or different, and then the first entry that
differs is shown. Where it cannot be run on fractions it is compared in floating point, and that is said. FILE
is run, as it stands, and by nothing but this command.

Exit status 0 if the function is right, 1 if not, 2 if it could not be tried or the arguments are wrong.
"""

import argparse
import inspect
import runpy
import sys
import textwrap
import traceback
from functools import cache
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from .. import validate
from ..checks import equality, relative_residual
from ..wrong import MISTAKES, Mistake
from . import solutions
from .derivation import EQUAL, Step
from .derive import TARGETS, TRY_IT, WIDTH, step_as_text
from .solutions import ASKED, SOLUTIONS

ROUNDING = 1e-9


class Broken(Exception):
    """The learner's file or function could not be run; the message says why, and where."""


class Exercise(NamedTuple):
    """The right function, what it is tried on, its step in the first walk that has it, the step before (None
    for the first).
    """

    function: Callable
    example: Callable
    step: Step
    before: Step | None


@cache
def catalogue():
    """{name: Exercise}, in the order of the walks; gradient_W_Q is W_Q for short, and so on."""
    found = {}
    for walk in TARGETS.values():
        steps = walk.steps(0)
        for step, before in zip(steps, [None, *steps]):
            exercise = Exercise(SOLUTIONS[step.exercise], walk.tried_on, step, before)
            found.setdefault(step.exercise.removeprefix("gradient_"), exercise)
    return found


def arguments_of(function, example):
    """What a function of solutions.py or wrong/ takes, from the example, by the names of its arguments; _n
    and _h mean the first sample or head. Arrays are copies, which a learner may overwrite.
    """
    known = vars(example)
    if "theta" in known:
        theta, plus = example.theta, example.plus
        known = {
            **known,
            **theta._asdict(),
            "phi": example.S[0, 0],
            "W": theta.W_Q,
            "gradient": theta.W_K,
            "alpha_signal": example.a[0, 0],
            "alpha_noise": example.a[plus, 1:],
            "k_plus": example.K[0],
            "noise_keys": example.X[plus, 1:] @ theta.W_K,
        }
    names = inspect.signature(function).parameters
    given = [known[name] if name in known else known[name[:-2]][0] for name in names]
    return [value.copy() if isinstance(value, np.ndarray) else value for value in given]


def result(function, example):
    """What a function of solutions.py or wrong/ gives on the example, as an array."""
    return np.asarray(function(*arguments_of(function, example)))


def versions(right):
    """The right function, under the name "", and every named wrong derivation of it, as Mistakes."""
    step = right.__name__
    return [Mistake(step, "", "", right), *(one for one in MISTAKES if one.step == step)]


def signature(function):
    """'coupling(S_n, c_n)'."""
    return f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"


def followed(file, run):
    """run(), where whatever the learner's file raises is told in words. Raises Broken."""
    try:
        with np.errstate(all="ignore"):
            return run()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - anything may be raised there
        passed = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
        ]
        line = getattr(error, "lineno", None) or (passed[-1] if passed else "of its end")
        raise Broken(f"{file}, line {line}: {type(error).__name__}: {getattr(error, 'msg', error)}") from None


def loaded(file, right):
    """The learner's function of the right one's name and arguments; the file is run. Raises Broken."""
    found = followed(file, lambda: runpy.run_path(file))
    functions = {name: value for name, value in found.items() if inspect.isfunction(value)}
    function = functions.get(right.__name__)
    if function is None or signature(function).count(",") != signature(right).count(","):
        there = ", ".join(map(signature, functions.values())) or "no function"
        raise Broken(f"{file} must define {signature(right)}; it defines {there}")
    return function


def judged(file, exercise, function, seed):
    """(whether the learner's function is right, what is to be said), at one drawn point. Raises Broken."""
    right, example = exercise.function, exercise.example(seed)
    got = followed(file, lambda: np.asarray(function(*arguments_of(right, example))))
    if got.dtype.kind not in "iuf":
        raise Broken(f"{right.__name__} must return real numbers, got {got.dtype}")
    for version in versions(right):
        wanted = result(version.formula, example)
        if relative_residual(got, wanted) < ROUNDING:
            how = on_fractions(file, exercise, function, version.formula, seed)
            named = f"the wrong derivation '{version.name}' ({how}). Look at this: {version.hint}"
            return not version.name, named if version.name else how
    return False, difference(got, result(right, example))


def on_fractions(file, exercise, function, formula, seed):
    """How the learner's function and the right or wrong formula agree on fractions, in words."""

    def sides(field):
        example = exercise.example(seed, field)
        given = arguments_of(exercise.function, example)
        got = followed(file, lambda: np.asarray(function(*given)))
        if got.dtype != object:
            raise Broken("it gives floating-point numbers")
        return got, result(formula, example)

    try:
        said, chance = equality.verdict(equality.on_fields(sides, seed))
    except (TypeError, Broken) as error:  # the example, or the learner's function, leaves fractions
        return f"equal to rounding; not tried on fractions: {error}"
    return {
        equality.EQUAL: f"{EQUAL}, by chance with a probability below {chance:.0e}",
        equality.UNDECIDED: "equal to 90 digits; as fractions not decided, as it needs e^(a+b) = e^a e^b",
        equality.REJECTED: "equal to rounding; not equal as fractions: a constant was rounded, such as 1/3 "
        "as a float",
    }[said]


def difference(got, right):
    """The first entry that differs, and whether all differ by one factor."""
    if got.shape != right.shape:
        return f"the result has the shape {got.shape}, wanted is {right.shape}"
    wrong = ~np.isclose(got, right, rtol=ROUNDING, atol=ROUNDING * np.abs(right).max())
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"entry {list(where)} (counted from 0)" if where else "the number"
    factor = np.vdot(right, got) / np.vdot(right, right)
    alike = got.size > 1 and factor != 0 and relative_residual(got, factor * right) < ROUNDING
    every = f"; every entry is {factor:.6g} times the right one" if alike else ""
    return f"{place} is {got[where]:.6g}, right is {right[where]:.6g}{every}"


def hint(exercise):
    """What to look at: one step back; the definition for the first step."""
    step = exercise.before or exercise.step
    head = f"{'One step back' if exercise.before else 'The definition'}, '{step.title.replace('$', '')}':\n"
    return head + textwrap.indent(textwrap.dedent(step.equation).strip("\n "), "    ")


def template(exercise):
    """A file to start from."""
    function, letters = exercise.function, solutions.__doc__.partition("\n\n")[2]
    return f'''"""{exercise.step.title.replace("$", "")}. Try it: {TRY_IT} {function.__name__} FILE

{letters}"""

import numpy as np


def {signature(function)}:
    """{ASKED.get(function.__name__, function.__doc__)}"""
    raise NotImplementedError("yours")'''


def solution(exercise):
    """The step and the right function."""
    return step_as_text(1, 1, exercise.step) + "\n" + inspect.getsource(exercise.function)


def listing(_):
    """The names of all exercises, each with the title of its step."""
    return "\n".join(f"  {name:<20}{one.step.title.replace('$', '')}" for name, one in catalogue().items())


PRINTED = {  # option: what it prints, in words and as a function of the exercise
    "list": ("all exercises", listing),
    "template": ("print a file to start from", template),
    "hint": ("print what to look at, one step back", hint),
    "solution": ("print the step and the right function", solution),
}


def arguments_given(argv, names):
    """The parsed command line; argparse leaves with status 2 on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref exercise",
        description="Try your own function for one step of a walk-through in exact arithmetic.",
        epilog="exit status: 0 right, 1 wrong, 2 not tried",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="what it derives; --list shows all names")
    parser.add_argument("file", nargs="?", metavar="FILE", help="a Python file with the function; it is run")
    parser.add_argument("--seed", type=validate.integer_argument(0), default=0, help="of what is drawn")
    form = parser.add_mutually_exclusive_group()
    for word, (words, _) in PRINTED.items():
        form.add_argument(f"--{word}", dest="printed", action="store_const", const=word, help=words)
    asked = parser.parse_args(argv)
    asked.name = (asked.name or "").removeprefix("gradient_")
    if asked.name not in names and asked.printed != "list":
        parser.error(f"NAME must be one of {', '.join(names)}, got {asked.name!r}")
    if asked.printed and asked.file:
        parser.error(f"FILE is not read here, got {asked.file!r}")
    if not asked.printed and not Path(asked.file or "").is_file():
        parser.error(f"FILE must be a Python file that is there, got {asked.file!r}")
    return asked


def main(argv=None):
    """Prints what was asked for, or tries the learner's function; returns the exit status."""
    asked = arguments_given(argv, catalogue())
    exercise = catalogue().get(asked.name)
    if asked.printed:
        print(PRINTED[asked.printed][1](exercise))
        return 0
    try:
        right, words = judged(asked.file, exercise, loaded(asked.file, exercise.function), asked.seed)
    except Broken as error:
        print(textwrap.fill(f"not tried: {error}", WIDTH), file=sys.stderr)
        return 2
    print(textwrap.fill(f"{'right' if right else 'wrong'}: {words}", WIDTH))
    if not (right or "wrong derivation" in words):
        print(hint(exercise))
    return int(not right)
