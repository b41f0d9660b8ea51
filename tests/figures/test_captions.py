"""Numbers in captions come from the run: what is typed in a template is the same with --quick and at full
size.
"""

import importlib
import re

import pytest

from figures import NAMES

NO_NUMBERS = re.compile(
    r"\{[^{}]*\}"  # filled in from the run
    r"|\b(fig|Figures? )\d( and \d)?|\b[A-Z]\d(-[A-Z]?\d)?\b"  # names of figures, labels of statements
    r"|\b\w+_\{*[\w,]+\}*|\^\{*[-\w/]+\}*|\d+/[A-Z(]\w*"  # indices, powers, fractions of symbols
)
TYPED = {  # what is typed, and is so whatever the size: constants of the protocol, and rules
    "fig1": "6.4 1000", "fig2": "1 1 100 256 255 255 3.0", "fig3": "500 2 50 1 3 2", "fig4": "500 2 50 1 3 2",
    "departures": "20 5 10 0.01 3 2 3", "theorem": "1", "boundary": "2 1000 8 6 10 2.2 64 1 2",
    "small_steps": "1000", "phases": "2 0 3 0 1 1 0 0", "sharpness": "0.01 5 8 6 1 4 1 2 6 8 8 6",
    "digits": "1 2 1 2 1000 3.0",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TYPED))
def test_no_other_number_is_typed_in_a_caption(name):
    caption = NO_NUMBERS.sub("", importlib.import_module(f"figures.{name}").CAPTION)
    found = re.findall(r"(?<![\w.])\d+(?:\.\d+)?", caption)
    assert set(found) <= set(TYPED[name].split()), found


def test_every_caption_is_looked_at():
    without = {"claims", "convergence", "speed", "checkers", "ledger"}
    assert set(NAMES) == set(TYPED) | without
