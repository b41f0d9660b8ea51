"""One cell of a grid: what it gives back when a run does not reach epsilon, and when it does."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import cell
from benign_ref.experiments.cell import CONVERGED, NOT_CONVERGED

BASE = br.Setting(M=3, d=32, d_h=4, d_v=4, epsilon=0.2)


def run(max_steps, engine="proof", n_test=40):
    return cell.run_cell(9.0, 3, 5, base=BASE.replace(max_steps=max_steps), engine=engine, n_test=n_test)


def test_a_run_cut_short_gives_its_last_loss():
    s = BASE.replace(snr=9.0, N=3, max_steps=7)
    for_data, for_start, _ = cell.streams(9.0, 3, 5)
    data, theta = br.sample_dataset(s, for_data), br.init_parameters(s, for_start)
    cut, real = run(7), br.train(s, data, theta)
    assert (cut.status, cut.steps) == (NOT_CONVERGED, 7)
    assert cut.train_loss == pytest.approx(real.losses[-1], rel=1e-12) and np.isnan(cut.test_loss)
    in_law = br.train_in_law(s, cell.streams(9.0, 3, 5)[0])
    assert run(7, "law").train_loss == in_law.losses[-1] < in_law.losses[-2]


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


def test_the_streams_of_a_cell_depend_on_every_bit_of_its_place():
    first = lambda snr, N, seed: tuple(rng.random() for rng in cell.streams(snr, N, seed))  # noqa: E731
    places = [(3.0, 5, 0), (3.0, 5, 1), (3.0, 6, 0), (3.0, 5 + 2**32, 0), (3.0, 5 + 2**33, 0)]
    bits = np.array(3.0).view(np.int64)
    places += [(float((bits ^ (1 << k)).view(np.float64)), 5, 0) for k in range(62)]
    drawn = [number for place in places for number in first(*place)]
    assert len(set(drawn)) == 3 * len(places) and first(3.0, 5, 0) == first(3.0, 5, 0)
    key = 0, 5, int(bits) >> 32, int(bits) & (2**32 - 1)
    assert first(3.0, 5, 7) == tuple(br.make_rng(7, (*key, k)).random() for k in range(3))
