"""Figure 1 once more at d = 100 000, drawn in law: the boundary does not depend on d, and neither does the
time it takes.
"""

from . import fig1

TITLE = "Figure 1 at d = 100 000, by the law engine"
CAPTION = fig1.CAPTION


def make(options):
    """The same figure on other draws."""
    return fig1.make(options, "fig1_law", fig1.BASE.replace(d=100_000), "law")
