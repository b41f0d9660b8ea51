"""Figure 3: training dynamics in the benign regime."""

from . import dynamics

TITLE = "training dynamics in the benign regime, with the theory's three phases (the paper's Figure 3)"
CAPTION = dynamics.CAPTION


def make(options):
    """The figure, its numbers and its caption."""
    return dynamics.make("fig3", 3, "benign", options)
