"""Wrong versions of a module made by its syntax tree: one operator, constant, index, comparison or branch
changed at a time.

Left alone is what computes nothing: docstrings and other text, messages, annotations, imports, and code that
only checks arguments (calls of validate, `if` whose body raises).
"""

import ast
import hashlib
import random
import re
import sys
from itertools import accumulate
from typing import NamedTuple

from ..core import ROOT
from .equivalents import reason
from .patches import source_of

MATHEMATICS = ("api.py", "checked.py", "paper", "engines", "derived", "experiments", "checks", "vision")
NO_MATHEMATICS = ("cost.py",)  # how fast an engine is, by which one is chosen: no number depends on it
OPERATORS = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.Pow: ("**", "*"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "*"),
    ast.Lt: ("<", "<=", ">="), ast.LtE: ("<=", "<", ">"),
    ast.Gt: (">", ">=", "<="), ast.GtE: (">=", ">", "<"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.And: ("and", "or"), ast.Or: ("or", "and"),
}  # fmt: skip
EXTREMES = {"min": "max", "max": "min", "argmin": "argmax", "argmax": "argmin", "minimum": "maximum",
            "maximum": "minimum"}  # fmt: skip
# calls that compute nothing
WORDS = {"validate", "warnings", "print", "say", "warn", "ValueError", "TypeError"}


class Trial(NamedTuple):
    """A change of a file, as the table shows it, and the whole file with the change."""

    file: str
    line: int
    old: str
    new: str
    source: str

    @property
    def name(self) -> str:
        """What the result is kept under: the file as it is and with the change."""
        text = f"{self.file}{source_of(self.file)}{self.source}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def reason(self) -> str:
        """Why it is equivalent, "" if nobody said so."""
        return reason(self.file, self.old, self.new)

    def place(self) -> tuple[range, bool, bool]:
        """The lines of the innermost function that holds the change, decorators included (all there are if
        none does); whether numba may compile it; whether it can be seen without a call: it is a constant or
        a default.
        """
        source = source_of(self.file)
        lines, decorated, constant = range(sys.maxsize), True, True
        for node in ast.walk(ast.parse(source)):  # from the outside to the inside
            if isinstance(node, ast.FunctionDef):
                first = min(part.lineno for part in (node, *node.decorator_list))
                if first <= self.line <= node.end_lineno:
                    lines, decorated = range(first, node.end_lineno + 1), bool(node.decorator_list)
                    constant = self.line < node.body[0].lineno
        return lines, decorated and bool(re.search(r"@(njit|cached)\b", source)), constant


def trials(count: int, seed: int) -> list[Trial]:
    """`count` different trials of all there are (all of them, if fewer), in the order drawn."""
    found = [
        (path.relative_to(ROOT).as_posix(), change)
        for name in MATHEMATICS
        for path in sorted((ROOT / name).glob("*.py")) or [ROOT / name]
        if path.name not in NO_MATHEMATICS
        for change in changes(path.read_text(encoding="utf-8"))
    ]
    drawn = random.Random(seed).sample(found, min(count, len(found)))
    return [Trial(file, *applied(source_of(file), change)) for file, change in drawn]


def applied(source: str, change: tuple[int, int, str]) -> tuple[int, str, str, str]:
    """The number of the changed line, the line, what it became (several, joined, where a change spans them),
    and the whole source with the change.
    """
    raw, (start, stop, text) = source.encode(), change
    changed = (raw[:start] + text.encode() + raw[stop:]).decode()
    old, new = source.split("\n"), changed.split("\n")
    first, last = (raw[:end].count(b"\n") for end in (start, stop))
    spans = old[first : last + 1], new[first : last + 1 + len(new) - len(old)]
    return first + 1, *(" ".join(line.strip() for line in lines) for lines in spans), changed


def changes(source: str) -> list[tuple[int, int, str]]:
    """Every change of a module, in the order of its lines: (start, stop, new), bytes start to stop of the
    source become `new`.
    """
    raw, found = source.encode(), []
    starts = list(accumulate(map(len, raw.splitlines(keepends=True)), initial=0))

    def span(node):
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(node):
        return raw[slice(*span(node))].decode()

    for node in computing(ast.parse(source)):
        found += [(*span(changed), new) for changed, new in replaced(node, text)]
        for left, operator, right in operators(node):
            old, *others = OPERATORS.get(type(operator), ("",))
            start = raw.find(old.encode(), span(left)[1], span(right)[0])
            found += [(start, start + len(old), new) for new in others]
    return sorted(found)


def computing(node):
    """A node and all nodes below it that compute something."""
    yield node
    for child in parts(node):
        yield from computing(child)


def parts(node):
    """The nodes right below a node that compute something."""
    match node:
        case (
            ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert()
            | ast.FunctionDef(name="__str__" | "__repr__" | "__reduce__")
            | ast.keyword(arg="stacklevel" | "dtype" | "maxsize" | "help")
        ):  # fmt: skip
            return []
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name(name))) if name in WORDS:
            return []
        case ast.If() if _refuses(node):
            return node.orelse
        case ast.FunctionDef():
            return [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]
        case ast.AnnAssign():
            return [node.value] if node.value else []
    return ast.iter_child_nodes(node)


def _refuses(node):
    """Whether the body of an `if` does nothing but raise."""
    return all(isinstance(line, ast.Raise) for line in node.body)


def replaced(node, text):
    """(node, what it becomes) for a node, or its condition, as a whole."""
    match node:
        case ast.BinOp(left, ast.MatMult(), right) if text(left) != text(right):  # not of w @ w
            yield node, f"(({text(right)}) @ ({text(left)}))"
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield node, f"({text(operand)})"
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield node, f"{value + 1}"
            yield node, f"({value - 1})"
        case ast.Constant(float(value)):
            yield node, f"{2 * value or 1.0!r}"
        case ast.Attribute(value, "T"):
            yield node, f"({text(value)})"
        case ast.Attribute(value, name) if name in EXTREMES:
            yield node, f"{text(value)}.{EXTREMES[name]}"
        case ast.Name(name, ast.Load()) if name in EXTREMES:
            yield node, EXTREMES[name]
        case ast.IfExp(test):
            yield test, f"(not ({text(test)}))"
        case ast.If(test) if not _refuses(node):
            yield test, f"not ({text(test)})"


def operators(node):
    """(left, operator, right) for each operator that stands between two nodes."""
    match node:
        case ast.BinOp(left, operator, right) | ast.AugAssign(left, operator, right):
            yield left, operator, right
        case ast.BoolOp(operator, values):
            yield from ((left, operator, right) for left, right in zip(values, values[1:]))
        case ast.Compare(first, known, others):
            yield from zip([first, *others], known, others)
