"""Named wrong derivations: the ledger must reject them, the exercises recognise them.

gradients.py   whole gradients with one mistake of G1-G4 each: MUTANTS
steps.py       the single steps of a derivation with one mistake each: MISTAKES
"""

from .gradients import MUTANTS, GradientMutant
from .steps import MISTAKES, Mistake

__all__ = ["MISTAKES", "MUTANTS", "GradientMutant", "Mistake"]
