"""python -m benign_ref audit --exact: identities of the ledger with residual zero, on the code itself.

The functions of paper/ and the plain form of the limit are run on fractions (checks/exact.py), where an
identity holds or does not: no tolerance, no scale of weights. Kernels cannot carry fractions; they are
compared with this plain code in floating point, by the ledger's other columns.

A case (identities.py) compares arrays of Numbers by several routes. It is wrong if a route differs; "not
decided" if none does with the true e^a, but one as drawn (checks/equality.py).
"""

import time
from itertools import islice
from typing import NamedTuple

from ..checks import equality
from ..checks.exact import Field
from .core import AuditedPackage
from .identities import CASES

EQUAL, REJECTED, UNDECIDED = "residual 0", "REJECTED", "not decided"
_SAID = {equality.EQUAL: EQUAL, equality.REJECTED: REJECTED, equality.UNDECIDED: UNDECIDED}


class Proof(NamedTuple):
    """What exact arithmetic says of an identity: verdict, chance that it is wrong, the route that differs."""

    verdict: str
    chance: float
    where: str

    @property
    def sentence(self) -> str:
        """For the ledger's column."""
        if self.verdict == EQUAL:
            return f"equal, as fractions (wrong with a probability of at most {self.chance:.0e})"
        return f"{self.verdict}, as fractions: {self.where}"


def prove(label: str, seed: int = 0, audited: AuditedPackage | None = None) -> Proof:
    """Run the case of a label, to the first route that is rejected. Whatever the audited code raises is a
    finding. KeyError for a label without one.
    """
    case, field, audited = CASES[label], Field(seed), audited or AuditedPackage()
    found: dict[str, Proof] = {}
    total = 0.0
    try:
        for k, (route, *drawn) in enumerate(case(audited, field, label)):

            def sides(digits, k=k, drawn=drawn):
                if digits is None:
                    return drawn
                return next(islice(case(audited, field.with_true_values(digits), label), k, None))[1:]

            said, odds = equality.verdict(sides)
            total += odds
            found.setdefault(said, Proof(_SAID[said], 0.0, route))
            if said == equality.REJECTED:
                break
    except Exception as error:  # noqa: BLE001 - whatever the audited code raises is a finding
        return Proof(REJECTED, 0.0, f"{type(error).__name__}: {error}")
    return found.get(equality.REJECTED) or found.get(equality.UNDECIDED) or Proof(EQUAL, total, "")


def main(only: list[str] | None, seed: int) -> int:
    """Print the verdict on each label asked for (None: all); 1 if one is not "residual 0"."""
    begun, verdicts = time.perf_counter(), []
    print("Identities in exact arithmetic, on the code itself (kernels apart):")
    for label in CASES if only is None else only:
        if label not in CASES:
            print(f"{label:<5}has no identity of fractions")
            continue
        verdict, odds, where = prove(label, seed)
        verdicts.append(verdict)
        note = f"wrong with a probability of at most {odds:.0e}" if verdict == EQUAL else where
        print(f"{label:<5}{verdict:<13}{note}")
    equal = verdicts.count(EQUAL)
    print(f"{equal} of {len(verdicts)} equal as fractions ({time.perf_counter() - begun:.1f} s)")
    return 0 if equal == len(verdicts) else 1
