"""The house's rule: paper <- engines <- derived <- experiments <- figures; who may see whom, read from the
imports.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKS_OF_ARGUMENTS = {"validate", "checked"}
MAY_SEE = {  # folder or module of benign_ref: what it may import, besides itself and the argument checks
    "validate": set(),
    "checked": set(),
    "paper": set(),
    "engines": {"paper", "runtime"},
    "derived": {"paper", "engines", "runtime"},
    "api": {"paper", "engines", "runtime"},
    "experiments": {"paper", "engines", "derived", "api", "runtime", "vision"},
    "runtime": set(),
    "checks": set(),
    "vision": {"checks"},
    "wrong": {"paper", "vision"},
    "teach": {"paper", "checks", "wrong", "vision"},
    "plots": {"paper", "derived", "experiments", "api"},
    "audit": {
        "paper",
        "engines",
        "derived",
        "experiments",
        "api",
        "runtime",
        "checks",
        "vision",
        "wrong",
        "teach",
    },
    "__init__": {"paper", "derived", "experiments", "api", "checks", "engines"},
    "run": {"paper", "engines", "derived", "experiments", "api", "plots", "runtime"},
    "__main__": {"audit", "teach", "run", "runtime"},
}


def imports(path):
    """The dotted modules of benign_ref (below it) that a file imports, anywhere in it, with the node."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield (*module, alias.name), node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield tuple(alias.name.split(".")), node


def rooms(path):
    return {target[1] for target, _ in imports(path) if target[0] == "benign_ref" and len(target) > 1}


def room_of(path):
    return path.relative_to(ROOT / "benign_ref").with_suffix("").parts[0]


def test_every_import_inside_the_package_follows_the_rule():
    wrong = []
    for path in (ROOT / "benign_ref").rglob("*.py"):
        room = room_of(path)
        seen = rooms(path) - {room} - CHECKS_OF_ARGUMENTS
        known = {name for name in seen if name in MAY_SEE}
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in sorted(known - MAY_SEE[room])]
    assert not wrong


def test_the_reference_imports_numpy_and_the_argument_checks_alone():
    for path in (ROOT / "benign_ref" / "paper").glob("*.py"):
        outside = {target[0].split(".")[0] for target, _ in imports(path) if target[0] != "benign_ref"}
        assert outside <= sys.stdlib_module_names | {"numpy"}, path


def test_no_import_of_the_package_hides_inside_a_function():
    lazy = {
        "benign_ref/__init__.py",
        "benign_ref/__main__.py",
    }  # the face and the command line load what is asked for
    for path in (ROOT / "benign_ref").rglob("*.py"):
        if path.relative_to(ROOT).as_posix() not in lazy:
            inner = [t for t, node in imports(path) if t[0] == "benign_ref" and node.col_offset]
            assert not inner, (path, inner)
