"""python -m benign_ref COMMAND: hands over to the command's own main."""

import importlib
import sys
from functools import partial

from .runtime import cli

COMMANDS = {  # name: (module, what it does)
    "audit": (
        ".audit",
        "the ledger: every statement, its code, how it is checked, the residual, the verdict",
    ),
    "derive": (".teach.derive", "a derivation from the loss to a parameter, every step checked on numbers"),
    "exercise": (
        ".teach.exercises",
        "your own function for one step of a derivation, tried in exact arithmetic",
    ),
    "run": (".run", "one experiment of your own: losses, phases, test loss, and a picture"),
}
USAGE = "\n".join([
    "usage: python -m benign_ref COMMAND [options]",
    "",
    *(f"  {name:<9}{what}" for name, (_, what) in COMMANDS.items()),
    "",
    "python -m benign_ref COMMAND --help says more; --version prints the version.",
])  # fmt: skip


def load(argv):
    """The command that argv names, a function of no arguments that returns the exit status."""
    if argv and argv[0] in COMMANDS:
        module = importlib.import_module(COMMANDS[argv[0]][0], __package__)
        return partial(module.main, argv[1:])
    if argv and argv[0] == "--version":
        return partial(_say, importlib.import_module(__package__).__version__)
    if not argv or argv[0] in ("-h", "--help"):
        return partial(_say, USAGE)
    return partial(_say, f"{USAGE}\n\nno such command: {argv[0]}", sys.stderr, 2)


def _say(text, stream=None, status=0):
    print(text, file=stream)
    return status


def main(argv):
    """Run what argv asks for; returns the exit status."""
    return load(argv)()


if __name__ == "__main__":
    sys.exit(cli.run(partial(load, sys.argv[1:])))
