"""What every run of run_all.py writes whatever its figures: walk-throughs and the cells of the diagram to be
played with. They are functions of their arguments alone, so the tests of this folder compute each once.
"""

from functools import cache

import pytest

from benign_ref.teach import derive
from figures import explore

WALK, CELL = cache(derive.walk), cache(explore.cell)


@pytest.fixture(autouse=True)
def computed_once(monkeypatch):
    monkeypatch.setattr(derive, "walk", WALK)
    monkeypatch.setattr(explore, "cell", CELL)
