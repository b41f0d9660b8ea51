"""Changes by the syntax tree that are no wrong version of anything, each with the reason; argued one by one.

(file, the line as it is, the line as it became): why no input tells the two apart.
"""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "checks/exact.py",
        "_DIGITS = Context(prec=60, Emin=-(10**6), Emax=10**6)",
        "_DIGITS = Context(prec=60, Emin=-(10**6), Emax=(9)**6)",
    ): "arguments of e^a are at most 1000 by the choice of the unit, so no exponent comes near 9^6",
    (
        "experiments/claims.py",
        "same = HOLDS if median <= MEDIAN else FAILS",
        "same = HOLDS if median < MEDIAN else FAILS",
    ): "a median of differences of measured losses is not exactly the bound, which is ours",
}
