"""python -m benign_ref audit | derive."""

import importlib
import sys

USAGE = """usage: python -m benign_ref COMMAND [options]

  audit    the ledger: every statement, its code, how it is checked, the residual, the verdict
  derive   a derivation from the loss to a parameter to walk through, every step checked on numbers

python -m benign_ref COMMAND --help says more."""


def main(argv):
    """Hand over to the command's own main; returns the exit status."""
    if argv and argv[0] in ("audit", "derive", "run"):
        return importlib.import_module(
            {"audit": ".audit", "derive": ".teach.derive", "run": ".run"}[argv[0]], __package__
        ).main(argv[1:])
    asked = not argv or argv[0] in ("-h", "--help")
    print(
        USAGE if asked else f"{USAGE}\n\nno such command: {argv[0]}", file=sys.stdout if asked else sys.stderr
    )
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
