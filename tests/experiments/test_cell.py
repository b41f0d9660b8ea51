"""One cell of a grid: what it gives back when a run does not reach epsilon, and when it does."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import cell
from benign_ref.experiments.diagram import CONVERGED, NOT_CONVERGED

BASE = br.Setting(M=3, d=32, d_h=4, d_v=4, epsilon=0.2)


def run(max_steps, engine="proof", n_test=40):
    return cell.run_cell(9.0, 3, 5, base=BASE.replace(max_steps=max_steps), engine=engine, n_test=n_test)


@pytest.mark.parametrize("engine", ["proof", "law"])
def test_a_run_cut_short_gives_its_last_loss_which_falls_with_the_steps(engine):
    short, longer = run(3, engine), run(30, engine)
    assert short.status == longer.status == NOT_CONVERGED and (short.steps, longer.steps) == (3, 30)
    assert longer.train_loss < short.train_loss < np.log(2) + 0.01


@pytest.mark.parametrize("engine", ["proof", "law"])
def test_a_run_that_ends_has_reached_epsilon_and_its_error_rate_is_a_count_of_samples(engine):
    done = run(10**5, engine)
    assert done.status == CONVERGED and done.train_loss <= 0.2
    assert 0 <= done.error_rate <= 1 and (done.error_rate * 40) % 1 == pytest.approx(0, abs=1e-9)
    assert done.error_rate <= done.test_loss / np.log(2)  # logistic(z) >= log 2 where z <= 0


def test_fresh_samples_in_parts_are_those_drawn_at_once():
    s, n = BASE.replace(N=4), 2 * cell.CHUNK + 7
    parts = [(y.copy(), Z.copy()[index]) for y, Z, index in cell.draw_D1(s, br.make_rng(3), n, True)]
    ((y, Z, index),) = cell.draw_D1(s, br.make_rng(3), n, False)
    assert [len(part[0]) for part in parts] == [cell.CHUNK, cell.CHUNK, 7]
    assert np.array_equal(np.concatenate([part[0] for part in parts]), y)
    assert np.array_equal(np.concatenate([part[1] for part in parts]), Z[index])
    for sign in (1, -1):  # the same signal in all samples of a label
        first = Z[index][y == sign, 0]
        assert len(first) and (first == first[0]).all()
