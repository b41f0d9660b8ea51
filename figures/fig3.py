"""The paper's Figure 3 by the published protocol: training dynamics, benign."""

from . import published_dynamics
from .published_dynamics import CAPTION  # noqa: F401 - every figure has one

TITLE = "the paper's Figure 3 by the published protocol: training dynamics, benign"


def make(options):
    """The figure, a Result."""
    return published_dynamics.make(options, "fig3", "benign")
