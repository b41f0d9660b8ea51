"""The table of claims: its criteria can fail, be undecided and hold, on numbers made here."""

from types import SimpleNamespace

import numpy as np
import pytest

from benign_ref.experiments import claims, figure1
from benign_ref.experiments.figure1 import CROSSINGS, Comparison
from benign_ref.experiments.fits import Crossing

NS = [2, *CROSSINGS]
LIMITS = [733.0, *(float(of_mean) for *_, of_mean in CROSSINGS.values())]


def found(shift=0.0, error=10.0):
    """Crossings at those of the authors' data, shifted; none at N = 2."""
    there = [Crossing(mean + shift, error, 10, 10, mean) for mean, *_ in CROSSINGS.values()]
    return [Crossing(float("nan"), float("nan"), 0, 10, float("nan")), *there]


def verdicts(rows):
    return [row.verdict.split(":")[0] for row in rows]


def test_crossings_are_judged_by_joint_standard_errors_and_N_2_cannot_be():
    rows = list(claims.crossing_claims(NS, found(), LIMITS))
    assert verdicts(rows) == [claims.UNDECIDED] + [claims.HOLDS] * 9
    assert (
        rows[0].ours == "0 of 10 draws cross"
        and rows[0].data == "9 of 10 draws never fall"
        and rows[0].computed == "733"
    )
    assert rows[1].data == "923 ± 12" and rows[1].drawn == "834" and rows[1].captioned == "1000"
    far = list(claims.crossing_claims(NS, found(shift=60.0), LIMITS))  # 60 of sqrt(10^2 + error^2)
    for row, N in zip(far[1:], list(CROSSINGS)):
        away = 60 / np.hypot(10, CROSSINGS[N][1])
        assert (
            row.verdict.startswith(claims.HOLDS if away <= 3 else claims.FAILS)
            and f"{away:.1f}" in row.verdict
        )
    assert {claims.HOLDS, claims.FAILS} <= set(verdicts(far))
    alone = [c._replace(error=float("nan"), rows=1) for c in found()]
    assert verdicts(claims.crossing_claims(NS, alone, LIMITS)) == [claims.UNDECIDED] * 10


def test_one_curve_is_judged_on_both_data():
    at_1000, anywhere = claims.curve_claims(NS, found(), LIMITS)
    assert verdicts([at_1000, anywhere]) == [claims.FAILS] * 2  # the authors' own data are not on one curve
    assert "11.1 (their data)" in at_1000.verdict  # (1000 - 889)/10
    assert at_1000.ours == "889 to 995" and at_1000.drawn == "834 to 1001"
    assert at_1000.data == "889 to 995" and anywhere.computed == at_1000.computed
    alone = [c._replace(error=float("nan"), rows=1) if k == 3 else c for k, c in enumerate(found())]
    rows = list(claims.curve_claims(NS, alone, LIMITS))  # a crossing without an error says nothing
    assert verdicts(rows) == [claims.FAILS] * 2 and "nan" not in rows[0].verdict + rows[0].ours
    few = claims.curve_claims([2, 4], found()[:2], LIMITS[:2])
    assert verdicts(few) == [claims.UNDECIDED] * 2


def test_the_distance_from_a_curve_is_in_standard_errors():
    means, errors = np.array([100.0, 110.0]), np.array([1.0, 2.0])
    assert claims.away_from(100.0, means, errors) == 5
    centre = (100 / 1 + 110 / 4) / (1 + 1 / 4)
    assert np.isclose(claims.away_from(None, means, errors), max(centre - 100, (110 - centre) / 2))


@pytest.mark.parametrize(
    "pairs, rms, mean, verdict",
    [
        (900, 1.03, 0.03, claims.HOLDS),
        (900, 1.3, 0.03, claims.FAILS),
        (900, 1.0, -0.3, claims.FAILS),
        (24, 1.0, 0.0, claims.UNDECIDED),
    ],
)
def test_the_plane_is_judged_by_all_its_pairs(pairs, rms, mean, verdict):
    comparison = Comparison(np.zeros((100, 10)), pairs, rms, mean, 3.1, (5.0, 8))
    plane, limit = claims.plane_claims(comparison, np.full((100, 10), 0.011))
    said = "largest |z| 3.1" if pairs == 900 else "24 of 900 pairs"
    assert plane.verdict == f"{verdict}: {said}" and f"rms z {rms:.3f}, mean {mean:+.3f}" in plane.ours
    assert verdicts([plane, limit]) == [verdict, claims.HOLDS]
    without, limit = claims.plane_claims(None, np.full((100, 10), -0.02))
    assert verdicts([without, limit]) == [claims.UNDECIDED, claims.FAILS]
    assert verdicts(claims.plane_claims(None, np.zeros((8, 3))))[1] == claims.UNDECIDED


def ending(train_loss, test_loss, S_s, S_2):
    """A run of Figure 3 or 4, of which only the last of its steps counts."""
    end = {"train_loss": train_loss, "test_loss": test_loss, "S_s": S_s, "S_2": S_2}
    return SimpleNamespace(
        steps=np.array([0, 500]), quantities={name: np.array([0.69, value]) for name, value in end.items()}
    )


def test_figures_3_and_4_end_as_their_captions_say_and_the_wrong_way_round_fails():
    benign, harmful = ending(0.005, 0.03, 0.63, 0.12), ending(0.003, 0.45, 0.12, 0.64)
    as_said = list(claims.dynamics_claims({"benign": [benign] * 2, "harmful": [harmful] * 2}))
    assert verdicts(as_said) == [claims.HOLDS] * 2
    assert "test loss 0.03 ± 0" in as_said[0].ours and as_said[1].claim.startswith("Figure 4: harmful")
    assert "training loss 0.00482, test loss 0.0283" in as_said[0].computed  # of the limit, computed once
    assert (
        verdicts(claims.dynamics_claims({"benign": [harmful] * 2, "harmful": [benign] * 2}))
        == [claims.FAILS] * 2
    )
    untrained = ending(0.0101, 0.03, 0.63, 0.12)
    assert verdicts(claims.dynamics_claims({"benign": [untrained] * 2})) == [claims.FAILS]
    one_sign_only = ending(0.005, 0.03, 0.12, 0.63)
    assert verdicts(claims.dynamics_claims({"benign": [one_sign_only] * 2})) == [claims.FAILS]


def test_the_table_is_markdown_with_one_line_a_claim():
    rows = [*claims.crossing_claims(NS, found(), LIMITS), *claims.plane_claims(None, np.zeros((100, 10)))]
    lines = claims.as_markdown(rows + claims.other_claims()).splitlines()
    assert len(lines) == 2 + len(rows) + 3
    assert all(line.replace("\\|", "").count("|") == len(claims.COLUMNS) + 1 for line in lines)
    assert "C_p = 5√M" in lines[-3] and f"{claims.FAILS} in Figures 3, 4" in lines[-3]


def test_the_cited_facts_are_those_of_the_plane():
    assert figure1.NEVER == {2: 9} and len(figure1.NS) == 10 and len(figure1.MUS) == 100
