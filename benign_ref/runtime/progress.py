"""What long computations say while they run."""

import sys


def say(text):
    """A line on stderr."""
    print(f"benign_ref: {text}", file=sys.stderr, flush=True)
