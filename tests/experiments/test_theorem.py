"""The Condition's own regime, the exponents measured there, and the rule that judges them."""

import numpy as np
import once
import pytest

from benign_ref.audit.rows import theory
from benign_ref.experiments import theorem
from benign_ref.experiments.theorem import FAILS, HOLDS, UNDECIDED, Exponent, verdict
from benign_ref.paper.theorems import THEOREMS

CHANGED = [  # one exponent at a time
    ("benign", "epsilon", -2 / 3),
    ("benign", "mu", -1.75),
    ("benign", "w_O", -7 / 3),
    ("harmful", "N", 4 / 3),
    ("harmful", "epsilon", -1 / 2),
    ("harmful", "sigma_p^2 d", -3 / 2),
]


@pytest.fixture(scope="module")
def found():
    """{regime: [Exponent, ...]}, measured once."""
    return {regime: list(once.exponents(regime)) for regime in theorem.X}


def failures(regime, exponents):
    """How many routes of the row's comparison fail."""
    return sum(residual for _, residual, _ in theory.judged(regime, exponents, dict(theory.RECORDED[regime])))


def test_the_rule():
    assert verdict([-1.2, -0.8, -1.0], -1) == HOLDS
    assert verdict([-1.26, -0.8], -1) == UNDECIDED
    assert verdict([-0.6, -0.7], -1) == FAILS and verdict([-1.3, -0.7], -1) == FAILS
    assert verdict([0.3, 2.0], None) == HOLDS and verdict([0.0, 0.1], None) == FAILS
    assert verdict([0.3, np.nan], None) == UNDECIDED and verdict([np.nan], -1) == FAILS


@pytest.mark.parametrize("exponent", [-2.0, 0.0, 1.5])
def test_an_exponent_is_read_off_a_power_law(exponent):
    values = (3.0, 1.0, 2.0, 8.0)
    one = Exponent("T", "mu", values, tuple(7 * v**exponent for v in values), exponent + 0.24)
    assert np.allclose(one.local, exponent)
    assert one.verdict == HOLDS and one._replace(claimed=exponent + 0.26).verdict == FAILS
    assert HOLDS in str(one) and f"1 to 8: {exponent:.2f}, locally {exponent:.2f} to" in str(one)
    bent = one._replace(measured=(1.0, 9.0, 4.0, (8 / 3) ** exponent))  # over the whole range by its two ends
    assert f": {exponent:.2f}, locally" in str(bent)


@pytest.mark.parametrize("regime", theorem.X)
def test_every_recorded_verdict_is_the_measured_one(found, regime):
    assert failures(regime, found[regime]) == 0


@pytest.mark.parametrize("regime, quantity, claim", CHANGED)
def test_a_changed_claim_fails(found, regime, quantity, claim):
    changed = [
        one._replace(claimed=claim) if (one.what, one.quantity) == ("T", quantity) else one
        for one in found[regime]
    ]
    assert failures(regime, changed) == 1


@pytest.mark.parametrize("regime", theorem.X)
def test_a_claim_on_the_test_loss_that_is_the_other_theorem_s_fails(found, regime):
    swapped = [one._replace(claimed=None if one.claimed == 0 else 0) if one.what == "L_D" else one
               for one in found[regime]]  # fmt: skip
    assert failures(regime, swapped) == 1


def test_an_exponent_that_is_not_measured_fails(found):
    assert failures("benign", found["benign"][1:]) == 1


@pytest.mark.parametrize("regime, x", theorem.X.items())
def test_the_condition_is_met_with_the_margin_asked_for(regime, x):
    for margin in (10, 3):
        s = theorem.condition_setting(x, 12, 0.03, margin=margin)
        assert np.allclose(theory.clauses(s), margin, rtol=1e-6)
        assert s.x == pytest.approx(x) and s.d == pytest.approx(margin * 144 * 64 / 0.03**2, rel=1e-6)
    assert np.allclose(theory.clauses(theorem.base_setting(regime)), 10, rtol=1e-6)  # as the text says
    assert s.max_steps == 10**8 and (s.M, s.d_h, s.C_p) == (4, 64, 10.0)
    assert theorem.condition_setting(x, 12, 0.03, d_margin=40).d == pytest.approx(40 / margin * s.d)


def test_a_run_in_law_ends_where_the_limit_does():
    one, limit = theorem.end_in_law("harmful", 6, 0.1, 20, 3), theorem.end_in_limit("harmful", 6, 0.1)
    assert one == theorem.end_in_law("harmful", 6, 0.1, 20, 3)
    assert np.allclose(one, limit, rtol=0.1)  # T and L_D


def test_what_the_limit_does_not_reach_is_an_error(monkeypatch):
    train = theorem.train_in_limit
    monkeypatch.setattr(theorem, "train_in_limit", lambda s, **how: train(s.replace(max_steps=10), **how))
    for measure in (theorem.exponents("harmful"), (theorem.end_in_limit("harmful", 6, 0.01) for _ in "1")):
        with pytest.raises(RuntimeError, match="epsilon=0.01 was not reached in 10 steps"):
            list(measure)
    assert THEOREMS["harmful"].label == "T2"


@pytest.mark.parametrize("regime, theorem_s", THEOREMS.items())
def test_the_claims_are_those_of_the_theorems(found, regime, theorem_s):
    claimed = {one.quantity: one.claimed for one in found[regime] if one.what == "T"}
    assert claimed == {name: claimed[name] for name in theorem_s.orders} == dict(theorem_s.orders)
    *_, in_the_step = theorem.through_epsilon(regime)
    assert (
        in_the_step.what == "L_S" and in_the_step.claimed == 1 / claimed["epsilon"] == -1
    )  # T = Theta(1/epsilon), the other way round
    assert in_the_step.measured == tuple(sorted(in_the_step.measured, reverse=True))
