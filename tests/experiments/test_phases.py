import numpy as np
import pytest

from benign_ref.experiments.phases import Phases, concentration, find_phases, rises_for_good

M = 8
STEPS = np.arange(0, 401)


def attention_to_the_winner(steps, M, middle, width=10.0):
    """S on the winner, from 1/M to 1, whose concentration is 1/(1+e^{-(t-middle)/width}): it is 0.1 and 0.9
    at middle -+ width log 9.
    """
    return 1 / M + (1 - 1 / M) / (1 + np.exp(-(steps - middle) / width))


def a_run(steps, M, signal_middle, noise_middle, benign):
    """S_ss, S_s2, S_2s, S_22 of a run in which the two rows turn to the winner at different times; the rest
    of a row is shared alike.
    """
    wins = [attention_to_the_winner(steps, M, middle) for middle in (signal_middle, noise_middle)]
    loses = [(1 - S) / (M - 1) for S in wins]
    return (wins[0], loses[0], wins[1], loses[1]) if benign else (loses[0], wins[0], loses[1], wins[1])


def test_concentration_is_0_at_uniform_attention_and_1_at_full():
    assert (
        concentration(1 / 16, 16) == pytest.approx(0, abs=1e-15)
        and concentration(1.0, 16) == 1
        and concentration(0.0, 5) == -1 / 4
    )
    assert concentration([0.5, 1.0], 2).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("benign, winner", [(True, "signal"), (False, "xi_2")])
@pytest.mark.parametrize("signal_middle, noise_middle", [(100, 200), (230, 90)])
def test_phases_begin_where_the_first_row_has_come_a_tenth_and_the_last_nine_tenths_of_the_way(
    benign, winner, signal_middle, noise_middle
):
    phases = find_phases(STEPS, *a_run(STEPS, M, signal_middle, noise_middle, benign), M)
    assert phases.winner == winner and phases.found and phases.end == 400
    assert phases.leaves == pytest.approx(min(signal_middle, noise_middle) - 10 * np.log(9), abs=0.1)
    assert phases.settles == pytest.approx(max(signal_middle, noise_middle) + 10 * np.log(9), abs=0.1)


def test_the_winner_is_the_one_at_the_end():
    S_ss, S_s2, S_2s, S_22 = a_run(STEPS, M, 200, 100, False)
    S_ss = S_ss + np.where(STEPS < 50, 0.01, 0.0)  # ahead at first
    phases = find_phases(STEPS, S_ss, S_s2, S_2s, S_22, M)
    assert phases.winner == "xi_2" and phases.found


def test_sparse_records_move_the_times_little_as_they_are_interpolated():
    sparse = STEPS[::7]
    dense, coarse = (find_phases(steps, *a_run(steps, M, 100, 200, True), M) for steps in (STEPS, sparse))
    assert abs(coarse.leaves - dense.leaves) < 1 and abs(coarse.settles - dense.settles) < 1


def test_a_phase_that_is_not_reached_is_nan():
    at_rest = [np.full(5, 1 / M)] * 4
    phases = find_phases([0, 1, 2, 5, 9], *at_rest, M)
    assert np.isnan(phases.leaves) and np.isnan(phases.settles) and not phases.found
    assert str(phases) == "attention stays near 1/M until the end, step 9"
    one_row_only = find_phases(STEPS, *a_run(STEPS, M, 100, 5000, True), M)
    assert (
        one_row_only.leaves == pytest.approx(100 - 10 * np.log(9), abs=0.1)
        and np.isnan(one_row_only.settles)
        and not one_row_only.found
    )


def test_the_last_upward_crossing_counts():
    values = np.array([0.0, 0.3, 0.0, 0.2, 0.3])
    assert rises_for_good([0, 10, 20, 30, 40], values, 0.1) == 25
    assert rises_for_good([0, 10, 20, 30, 40], values, -0.1) == 0
    assert np.isnan(rises_for_good([0, 10, 20, 30, 40], values[::-1], 0.1))


def test_phases_tell_their_times():
    text = str(Phases("signal", 12.3, 45.6, 99))
    assert "signal" in text and "step 12" in text and "step 46" in text and "step 99" in text
    assert not Phases("signal", 50.0, 40.0, 99).found and not Phases("signal", 50.0, 99.0, 99).found


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"M": 1}, ValueError, "M must be an integer"),
        ({"steps": [0, 2, 1]}, ValueError, "steps must be >= 0 and increase"),
        ({"steps": [0, 1, 1]}, ValueError, "steps must be >= 0 and increase"),
        ({"steps": [-1, 1, 2]}, ValueError, "must be >= 0 and"),
        ({"S_s2": [0.1, 0.2]}, ValueError, "S_s2 must have shape"),
        ({"S_22": [0.1, 0.2, 1.2]}, ValueError, "S_22 must hold attention"),
        ({"S_2s": [-0.1, 0.2, 0.2]}, ValueError, "S_2s must hold attention"),
        ({"S_ss": ["a", "b", "c"]}, TypeError, "S_ss must be an array"),
    ],
)
def test_wrong_arguments_are_told(change, error, message):
    good = {
        "steps": [0, 1, 2],
        "S_ss": [0.1, 0.2, 0.3],
        "S_s2": [0.1] * 3,
        "S_2s": [0.1] * 3,
        "S_22": [0.1] * 3,
        "M": 4,
    }
    with pytest.raises(error, match=message):
        find_phases(**{**good, **change})


def test_a_run_that_is_recorded_once_it_has_settled_has_not_three_phases():
    late = np.arange(5, 20)
    settled = [np.full(15, value) for value in (0.99, 0.001, 0.99, 0.001)]
    phases = find_phases(late, *settled, M)
    assert phases.leaves == phases.settles == 5 and phases.end == 19 and not phases.found
    assert not Phases("signal", 0.0, 3.0, 9).found and not Phases("signal", 2.0, 9.0, 9).found
    assert Phases("signal", 2.0, 3.0, 9).found and not Phases("signal", 3.0, 2.0, 9).found
