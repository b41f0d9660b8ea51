"""The ledger in exact arithmetic: every case holds at every seed, and each named wrong version of the plain
code is rejected by its own case.
"""

from fractions import Fraction

import numpy as np
import pytest

from benign_ref.audit import command, exact, identities, mutants
from benign_ref.audit.mutants import patches

ASKED = {
    "M3",
    *(f"{letter}{k}" for letter, most in (("G", 4), ("P", 4), ("I", 5)) for k in range(1, most + 1)),
}
PLAIN = ("paper/model.py", "paper/gradients.py", "paper/proof.py", "derived/limit.py")
WRONG = [mutant for mutant in mutants.MUTANTS if mutant.file in PLAIN and mutant.label in exact.CASES]


def test_the_cases_are_the_identities_of_the_statements():
    assert ASKED | {"L2", "L3", "L4"} <= set(exact.CASES) <= set(command.statements())


@pytest.mark.parametrize("seed", [1, 2])  # seed 0 is the ledger's own, in test_audit.py
@pytest.mark.parametrize("label", exact.CASES)
def test_every_case_is_equal_as_fractions(label, seed):
    proof = exact.prove(label, seed)
    assert proof.verdict == exact.EQUAL, proof
    assert 0 < proof.chance < 1e-8 and f"{proof.chance:.0e}" in proof.sentence


def test_there_are_wrong_versions_of_every_label_but_one():
    assert {mutant.label for mutant in WRONG} >= (ASKED | {"L1", "L2", "L3", "L4", "L5"}) - {
        *("I2", "I3", "I4", "I5")  # whose wrong versions are of the fast code
    }


@pytest.mark.parametrize(
    "mutant", WRONG, ids=lambda mutant: f"{mutant.label}-{mutant.name}".replace(" ", "_")
)
def test_a_wrong_version_is_rejected_by_its_own_case(mutant):
    with patches.copy_of_package(mutant) as audited:
        proof = exact.prove(mutant.label, 0, audited)
    assert proof.verdict == exact.REJECTED and proof.where and proof.where in proof.sentence


def test_a_true_copy_is_equal_and_a_shift_on_one_side_only_is_not_decided():
    with patches.copy_of_package() as audited:
        assert exact.prove("G1", 0, audited).verdict == exact.EQUAL
    unshifted = patches.Mutant(
        "no shift",
        "M1",
        "paper/model.py",
        "np.exp(p - p.real.max(axis=-1, keepdims=True))",
        "np.exp(p)",
        "none",
    )
    with patches.copy_of_package(unshifted) as audited:
        assert exact.prove("M1", 0, audited).verdict == exact.UNDECIDED
        assert exact.prove("G1", 0, audited).verdict == exact.EQUAL  # both sides call the same softmax


def shifted(a, b):
    """e^(a+b) two ways: equal, but not as drawn."""
    return np.exp(a + b), np.exp(a) * np.exp(b)


@pytest.mark.parametrize("scale", [Fraction(1, 10**100), 1, Fraction(10**100)])
def test_the_verdict_is_that_of_the_worst_route_at_any_scale(scale, monkeypatch):
    """An entry is judged by its own size, and two sides that are both 0 by a rule by nothing at all."""

    def case(wrong):
        def routes(audited, field, label):
            a, b = field.draw((2,))
            one, other = shifted(a, b)
            yield "right", [a], [a]
            yield "by a rule", np.array([one, scale * a]), np.array([other, scale * a])
            yield "0 by a rule", one - other, 0
            yield "wrong or right", np.array([one, scale * a * wrong]), np.array([other, scale * a])
            assert wrong == 1, "after a wrong route no other is run"

        return routes

    monkeypatch.setitem(exact.CASES, "M3", case(1))
    assert exact.prove("M3") == (exact.UNDECIDED, 0, "by a rule")
    monkeypatch.setitem(exact.CASES, "M3", case(2))
    assert exact.prove("M3") == (exact.REJECTED, 0, "wrong or right")


def test_the_chances_of_all_routes_add_up(monkeypatch):
    def case(audited, field, label):
        a, b = field.draw((2,))
        yield "degree 1", [a, b], [a, b]
        yield "degree 2", a * b, b * a

    monkeypatch.setitem(exact.CASES, "M3", case)
    assert exact.prove("M3") == (exact.EQUAL, 2 * (4 + 4) / 2**64, "")


def test_what_the_code_raises_is_a_finding():
    broken = patches.Mutant(
        "breaks", "M3", "paper/gradients.py", "return np.diag(phi) -", "return np.diag(phi, k=0.5) -", "none"
    )
    with patches.copy_of_package(broken) as audited:
        proof = exact.prove("M3", 0, audited)
    assert proof.verdict == exact.REJECTED and "Error" in proof.where


def test_the_basis_of_a_class_is_orthonormal_and_complete():
    n, m = 4, 16
    rows = []
    for sample in range(n):
        mean, between, within = identities._basis(n, m, sample)
        apart = np.zeros((m + 2, n * (m - 1)), dtype=object)
        apart[:, sample * (m - 1) : (sample + 1) * (m - 1)] = np.concatenate(within, axis=1)
        own = np.concatenate([mean, *between, apart], axis=1)
        rows.append(own if sample == 0 else own[1:])  # the signal is one token
    U = np.concatenate(rows)
    assert U.shape == (1 + n + n * m, 1 + n + n * m) and (U.T @ U == np.eye(len(U), dtype=int)).all()


def test_the_command_prints_a_line_for_each_label_and_the_status_says_whether_all_hold(capsys, monkeypatch):
    assert command.main(["--exact", "--only", "M3", "L2", "D1", "--seed", "5"]) == 0
    text = capsys.readouterr().out
    assert (
        "2 of 2 equal as fractions" in text and "D1   has no identity" in text and "M3   residual 0" in text
    )

    def wrong(audited, field, label):
        yield "a route", field.draw((2,)), field.draw((2,))

    monkeypatch.setitem(exact.CASES, "M3", wrong)
    assert command.main(["--exact", "--only", "M3"]) == 1
    assert "M3   REJECTED     a route" in capsys.readouterr().out
    assert exact.prove("M3").sentence == "REJECTED, as fractions: a route"
