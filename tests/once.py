"""What takes long and depends on its arguments alone: computed once a session, for all tests that ask."""

from functools import cache

from benign_ref.experiments import theorem
from benign_ref.teach import derive

_walk, _exponents = derive.walk, theorem.exponents  # as they are in the package: tests replace them by these


@cache
def walk(name, seed=0):
    """derive.walk: fractions take their time."""
    return _walk(name, seed)


@cache
def exponents(regime):
    """theorem.exponents: runs as long as the Condition asks for."""
    return tuple(_exponents(regime))
