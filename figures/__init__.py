"""The figures, one small module each: numbers from benign_ref -> picture. `run_all.py` makes them in the
order of NAMES.

A module has TITLE (a line), CAPTION (what it shows, what of it is the paper's and what is ours) and
make(options), which computes what is missing in the store, draws it and returns a Result. Most have
besides SIZES ("quick" and "full"), measure(options), draw(...) -> the picture, report(...) -> the lines that
are printed.
"""

NAMES = (
    "fig1",
    "fig2",
    "fig3",
    "fig4",
    "claims",
    "departures",
    "theorem",
    "boundary",
    "small_steps",
    "phases",
    "convergence",
    "sharpness",
    "digits",
    "speed",
    "checkers",
    "ledger",
)
