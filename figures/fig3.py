"""The paper's Figure 3 by the published protocol: training dynamics, benign."""

from functools import partial

from . import published_dynamics

TITLE = "the paper's Figure 3 by the published protocol: training dynamics, benign"
CAPTION = published_dynamics.CAPTION
make = partial(published_dynamics.make, name="fig3", regime="benign")
