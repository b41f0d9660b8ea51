"""Wrong versions of a module made by its syntax tree: one operator, constant, index, comparison or branch
changed at a time.

Left alone is what computes nothing: docstrings and other text, messages, annotations, imports, and code that
only checks arguments (calls of validate, `if` whose body raises).
"""

import ast
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
    raw, number = source.encode(), source.encode()[: change.start].count(b"\n")
    last = raw[: change.stop].count(b"\n") + 1
    old = source.split("\n")[number:last]
    new = apply(source, change).split("\n")
    new = new[number : len(new) - (len(source.split("\n")) - last)]
    return number + 1, *(" ".join(line.strip() for line in lines) for lines in (old, new))


def changes(source: str) -> list[Change]:
    """Every Change of a module, in the order of its lines."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return sorted(finder.found)


class _Finder(ast.NodeVisitor):
    """Collects changes in `found`."""

    def __init__(self, source):
        self.raw, self.found = source.encode(), []
        self.starts = [0]
        for line in self.raw.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node):
        """Bytes at which a node starts and stops."""
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def text(self, node):
        """The source of a node."""
        start, stop = self.span(node)
        return self.raw[start:stop].decode()

    def replace(self, node, new, kind):
        """A change of a whole node."""
        self.found.append(Change(*self.span(node), new, kind))

    def replace_between(self, left, right, operator, kind):
        """Changes of the operator that stands between two nodes."""
        old, *others = OPERATORS.get(type(operator), ("",))
        start = self.raw.find(old.encode(), self.span(left)[1], self.span(right)[0])
        for new in others if start >= 0 else ():
            self.found.append(Change(start, start + len(old), new, kind))

    def visit_BinOp(self, node):
        self.generic_visit(node)
        left, right = self.text(node.left), self.text(node.right)
        if isinstance(node.op, ast.MatMult) and left != right:  # w @ w turned round is w @ w
            self.replace(node, f"(({right}) @ ({left}))", "operator")
        self.replace_between(node.left, node.right, node.op, "operator")

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        self.replace_between(node.target, node.value, node.op, "operator")

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        for left, right in zip(node.values, node.values[1:]):
            self.replace_between(left, right, node.op, "branch")

    def visit_Compare(self, node):
        self.generic_visit(node)
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators):
            self.replace_between(left, right, operator, "comparison")

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, (ast.USub, ast.Not)):
            self.replace(node, f"({self.text(node.operand)})", "operator")

    def visit_Constant(self, node):
        if type(node.value) is int:
            self.replace(node, f"{node.value + 1}", "constant")
            self.replace(node, f"({node.value - 1})", "constant")
        elif type(node.value) is float:
            self.replace(node, f"{2 * node.value or 1.0!r}", "constant")

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if node.attr == "T":
            self.replace(node, f"({self.text(node.value)})", "operator")
        elif node.attr in EXTREMES:
            self.replace(node, f"{self.text(node.value)}.{EXTREMES[node.attr]}", "operator")

    def visit_Name(self, node):
        if node.id in EXTREMES and isinstance(node.ctx, ast.Load):
            self.replace(node, EXTREMES[node.id], "operator")

    def visit_IfExp(self, node):
        self.generic_visit(node)
        self.replace(node.test, f"(not ({self.text(node.test)}))", "branch")

    def visit_If(self, node):
        if not all(isinstance(line, ast.Raise) for line in node.body):
            self.replace(node.test, f"not ({self.text(node.test)})", "branch")
            self.generic_visit(node)
        for line in node.orelse if all(isinstance(line, ast.Raise) for line in node.body) else ():
            self.visit(line)

    def visit_While(self, node):
        self.generic_visit(node)

    def visit_Call(self, node):
        root = node.func
        while isinstance(root, ast.Attribute):
            root = root.value
        if not (isinstance(root, ast.Name) and root.id in WORDS):
            self.generic_visit(node)

    def visit_FunctionDef(self, node):
        if node.name not in ("__str__", "__repr__", "__reduce__"):
            for part in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
                self.visit(part)

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_keyword(self, node):
        if node.arg not in PLUMBING:
            self.visit(node.value)

    def _leave(self, node):
        """Nothing in it is changed."""

    visit_Raise = visit_JoinedStr = visit_Import = visit_ImportFrom = visit_Assert = _leave
