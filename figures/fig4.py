"""The paper's Figure 4 by the published protocol: training dynamics, harmful."""

from . import published_dynamics
from .published_dynamics import CAPTION  # noqa: F401 - every figure has one

TITLE = "the paper's Figure 4 by the published protocol: training dynamics, harmful"


def make(options):
    """The figure, a Result."""
    return published_dynamics.make(options, "fig4", "harmful")
