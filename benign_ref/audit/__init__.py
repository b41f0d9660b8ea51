"""The ledger: every statement, the code that implements it, how it is checked, what was found, what is
allowed.

    from benign_ref import audit
    # list of Entry: entry.passed, entry.found, entry.sentence
    entries = audit.run(only=["G1", "P2"], seed=3)
    # the same of the rows that a wrong derivation concerns, its own first: audit.rejected(caught)
    caught = audit.run_mutant(audit.mutants.MUTANTS[0])

core.py runs rows; literal.py holds the ledger's own M1, M2 and derivatives, which share nothing with the code
under audit; problems.py draws what the statements are checked on; rows/ holds the rows, mutants/ the wrong
derivations; render.py writes the table.
"""

from .command import main, rejected, run, run_mutant, statements, title

__all__ = ["main", "rejected", "run", "run_mutant", "statements", "title"]
