"""What every run of run_all.py writes whatever its figures: walk-throughs, computed once a session, and the
cells of the diagram to be played with, of which a few are enough here.
"""

import once
import pytest

from benign_ref.teach import derive
from figures import explore


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder for runs whose cells are the same: what one of them computed, the others find in its store."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(autouse=True)
def a_small_page(monkeypatch):
    monkeypatch.setattr(derive, "walk", once.walk)
    monkeypatch.setattr(explore, "MUS", (1, 30, 60, 100))  # the first: a run that does not end
