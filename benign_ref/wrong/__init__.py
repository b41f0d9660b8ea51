"""Named wrong derivations: the ledger must reject them, the exercises recognise them.

gradients.py   whole gradients with one mistake of G1-G4 each: MUTANTS
steps.py, proof_steps.py, vision_steps.py
               the single steps of a derivation with one mistake each: MISTAKES
"""

from .gradients import MUTANTS, GradientMutant
from .proof_steps import PROOF
from .steps import MODEL, Mistake
from .vision_steps import VISION

MISTAKES = [*MODEL, *PROOF, *VISION]

__all__ = ["MISTAKES", "MUTANTS", "GradientMutant", "Mistake"]
