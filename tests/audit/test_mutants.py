"""Wrong derivations: each is rejected by its own row, at each scale, on a copy of the package that leaves no
trace.
"""

import dataclasses
import sys
from functools import partial

import numpy as np
import pytest

from benign_ref import audit
from benign_ref.audit import command, comparison, mutants
from benign_ref.audit.core import AuditedPackage, run_row
from benign_ref.audit.mutants import patches
from benign_ref.wrong.gradients import MUTANTS

KNOWN = audit.statements()
ALL = mutants.MUTANTS
LABELS = dict.fromkeys(mutant.label for mutant in ALL)
# one of each statement and file; `python -m benign_ref audit --mutants` tries all of them
SAMPLE = list({(one.label, one.file): one for one in ALL}.values())


def test_there_are_forty_and_more_each_named_once_of_a_statement_in_the_ledger():
    assert len(ALL) >= 40 and len({mutant.name for mutant in ALL}) == len(ALL)
    assert {mutant.label for mutant in ALL} == {
        label for label, row in KNOWN.items() if "measured" not in row.mark
    }
    assert all(mutant.why and mutant.old != mutant.new for mutant in ALL)


@pytest.mark.parametrize("k", [0, len(MUTANTS) - 1])
def test_a_named_wrong_gradient_is_that_of_its_name_for_all_that_call_it(k):
    mutant, wrong = ALL[[one.label for one in ALL].index("G1") + k], MUTANTS[k]
    assert mutant.name.endswith(f", {wrong.block}: {wrong.name}") and mutant.why == wrong.hint
    X, y, theta = comparison.point(1.0, 0)
    with patches.copy_of_package(mutant) as audited:
        for gradients in (audited.gradients.gradients, partial(audited.api.gradients, backend="numpy")):
            found = gradients(audited.model.Parameters(*theta), X, y)
            assert all(map(np.array_equal, found, wrong.gradients(theta, X, y)))


@pytest.mark.parametrize(
    "mutant", SAMPLE, ids=lambda mutant: f"{mutant.label}-{mutant.name}".replace(" ", "_")
)
def test_the_ledger_rejects(mutant):
    row, *_ = command.concerned(mutant)
    assert row.label == mutant.label and row.scales == (mutant.scales or KNOWN[mutant.label].scales)
    with patches.copy_of_package(mutant) as audited:
        entry = run_row(row, audited, first_failure=True)
    for scale in row.scales:  # by a residual at each scale by itself; an exception alone would not count
        assert entry.rejected_at(scale), f"{mutant.name} passes at the {scale} scale: {entry.sentence}"


def test_a_true_copy_passes_every_row_and_holds_no_numba():
    with patches.copy_of_package() as audited:
        assert isinstance(audited.kernels.gather, type(test_a_true_copy_passes_every_row_and_holds_no_numba))
        for row in KNOWN.values():
            if "measured" not in row.mark:
                row = dataclasses.replace(row, shapes=row.shapes[:1])
                assert run_row(row, audited).sentence == ""


def test_a_copy_leaves_nothing_behind():
    gradients, before, finders = AuditedPackage().gradients, set(sys.modules), list(sys.meta_path)
    with patches.copy_of_package(
        next(mutant for mutant in ALL if mutant.file == "paper/gradients.py")
    ) as audited:
        assert audited.gradients is not gradients and audited.gradients.coupling is not gradients.coupling
    assert set(sys.modules) == before and sys.meta_path == finders
    assert np.array_equal(gradients.softmax_jacobian(np.array([0.5, 0.5])), [[0.25, -0.25], [-0.25, 0.25]])


@pytest.mark.parametrize("old", ["not in the file", "def "])
def test_a_patch_must_fit_exactly_once(old):
    with pytest.raises(ValueError, match="must occur once in paper/model.py, it occurs"):
        patches.patched(patches.Mutant("misfit", "M1", "paper/model.py", old, "", "none"))


def test_the_list_says_which_row_caught_which():
    mutant = next(mutant for mutant in ALL if mutant.label == "G1")
    entries = audit.run_mutant(mutant)
    line = command.mutant_line(mutant, entries)
    assert (
        audit.rejected(entries)
        and line.startswith(mutant.name)
        and "generic" in line
        and "initial" in line
        and "NOT" not in line
    )
    assert {"G1", "G2", "M3"} <= {entry.row.label for entry in entries} and entries[0].row.label == "G1"
    for one in ALL:
        own, *others = command.concerned(one)
        assert own.label == one.label and all("measured" not in row.mark for row in others)
    blank = entries[0].__class__(entries[0].row, (), "", 0.0)
    assert not audit.rejected([blank]) and "NOT REJECTED" in command.mutant_line(mutant, [blank])


@pytest.mark.parametrize(
    "new,told", [("def gone(", "cannot import name 'coupling'"), ("def coupling((", "SyntaxError")]
)
def test_a_function_deleted_from_its_file_or_a_file_that_does_not_parse_fails_the_row(new, told):
    with patches.copy_of_package(
        patches.Mutant("deleted", "M3", "paper/gradients.py", "def coupling(", new, "none")
    ) as audited:
        for label in ("M3", "P2"):
            sentence = run_row(KNOWN[label], audited).sentence
            assert sentence.startswith(f"{label}: ") and told in sentence
