"""The paper's Figure 4 by the published protocol: training dynamics, harmful."""

from functools import partial

from . import published_dynamics

TITLE = "the paper's Figure 4 by the published protocol: training dynamics, harmful"
CAPTION = published_dynamics.CAPTION
make = partial(published_dynamics.make, name="fig4", regime="harmful")
