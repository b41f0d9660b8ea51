"""Wrong versions of the package's own code, applied to copies of it in memory."""

from . import gradient, law, model, proof, vision


def all_mutants():
    """Every Mutant, in the order of the statements."""
    return [*model.MUTANTS, *gradient.MUTANTS, *proof.MUTANTS, *law.MUTANTS, *vision.MUTANTS]
