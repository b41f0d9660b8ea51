"""Figure 4: training dynamics in the harmful regime."""

from . import dynamics

TITLE = "training dynamics in the harmful regime, with the theory's three phases (the paper's Figure 4)"
CAPTION = dynamics.CAPTION


def make(options):
    """The figure, its numbers and its caption."""
    return dynamics.make("fig4", 4, "harmful", options)
