"""Wrong versions of the package's own code, applied to copies of it in memory."""

from . import gradient, instruments, law, model, proof, vision

# every Mutant, in the order of the statements
MUTANTS = [mutant for home in (model, gradient, proof, law, instruments, vision) for mutant in home.MUTANTS]
