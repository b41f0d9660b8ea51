"""Wrong versions of a module made by its syntax tree: one operator, constant, index, comparison or branch
changed at a time.

Left alone is what computes nothing: docstrings and other text, messages, annotations, imports, and code that
only checks arguments (calls of validate, `if` whose body raises).
"""

import ast
from itertools import accumulate
from typing import NamedTuple

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
PLUMBING = {"stacklevel", "dtype", "maxsize", "help"}  # keywords


class Change(NamedTuple):
    """Bytes start to stop of the source become `new`. kind: what was changed."""

    start: int
    stop: int
    new: str
    kind: str


def apply(source: str, change: Change) -> str:
    """The source with the change."""
    raw = source.encode()
    return (raw[: change.start] + change.new.encode() + raw[change.stop :]).decode()


def lines_of(source: str, change: Change) -> tuple[int, str, str]:
    """The number of the changed line, the line, and what it became (several, joined, where a change spans
    them).
    """
    old, new = source.split("\n"), apply(source, change).split("\n")
    first, last = (source.encode()[:end].count(b"\n") for end in (change.start, change.stop))
    spans = old[first : last + 1], new[first : last + 1 + len(new) - len(old)]
    return first + 1, *(" ".join(line.strip() for line in lines) for lines in spans)


def changes(source: str) -> list[Change]:
    """Every Change of a module, in the order of its lines."""
    raw, found = source.encode(), []
    starts = list(accumulate(map(len, raw.splitlines(keepends=True)), initial=0))

    def span(node):
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(node):
        start, stop = span(node)
        return raw[start:stop].decode()

    for node in computing(ast.parse(source)):
        found += [Change(*span(changed), new, kind) for changed, new, kind in replaced(node, text)]
        for left, operator, right, kind in operators(node):
            old, *others = OPERATORS.get(type(operator), ("",))
            start = raw.find(old.encode(), span(left)[1], span(right)[0])
            found += [Change(start, start + len(old), new, kind) for new in others]
    return sorted(found)


def computing(node):
    """A node and all nodes below it that compute something."""
    yield node
    for child in parts(node):
        yield from computing(child)


def parts(node):
    """The nodes right below a node that compute something."""
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Assert():
            return []
        case ast.If() if _refuses(node):
            return node.orelse
        case ast.Call() if _root(node.func) in WORDS:
            return []
        case ast.FunctionDef(name="__str__" | "__repr__" | "__reduce__"):
            return []
        case ast.FunctionDef():
            return [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]
        case ast.AnnAssign():
            return [node.value] if node.value else []
        case ast.keyword() if node.arg in PLUMBING:
            return []
    return ast.iter_child_nodes(node)


def _refuses(node):
    """Whether the body of an `if` does nothing but raise."""
    return all(isinstance(line, ast.Raise) for line in node.body)


def _root(node):
    """The name with which a dotted name begins."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return getattr(node, "id", "")


def replaced(node, text):
    """(node, what it becomes, kind of the change) for a node, or its condition, as a whole."""
    match node:
        case ast.BinOp(left, ast.MatMult(), right) if text(left) != text(right):  # not of w @ w
            yield node, f"(({text(right)}) @ ({text(left)}))", "operator"
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield node, f"({text(operand)})", "operator"
        case ast.Constant(bool()):
            pass
        case ast.Constant(int(value)):
            yield node, f"{value + 1}", "constant"
            yield node, f"({value - 1})", "constant"
        case ast.Constant(float(value)):
            yield node, f"{2 * value or 1.0!r}", "constant"
        case ast.Attribute(value, "T"):
            yield node, f"({text(value)})", "operator"
        case ast.Attribute(value, name) if name in EXTREMES:
            yield node, f"{text(value)}.{EXTREMES[name]}", "operator"
        case ast.Name(name, ast.Load()) if name in EXTREMES:
            yield node, EXTREMES[name], "operator"
        case ast.IfExp(test):
            yield test, f"(not ({text(test)}))", "branch"
        case ast.If(test) if not _refuses(node):
            yield test, f"not ({text(test)})", "branch"


def operators(node):
    """(left, operator, right, kind) for each operator that stands between two nodes."""
    match node:
        case ast.BinOp(left, operator, right) | ast.AugAssign(left, operator, right):
            yield left, operator, right, "operator"
        case ast.BoolOp(operator, values):
            yield from ((left, operator, right, "branch") for left, right in zip(values, values[1:]))
        case ast.Compare(first, known, others):
            for left, operator, right in zip([first, *others], known, others):
                yield left, operator, right, "comparison"
