"""Parameters rebuilt block by block, against the sums as they stand."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.engines.proof_space import ProofSpace, blocks


@pytest.mark.parametrize(
    "d, work, lengths",
    [
        (1, 5, [1]),
        (1008, 10**6, [1008]),
        (2016, 10**6, [2016]),
        (2017, 10**6, [1008, 1009]),
        (5041, 1041, [1008] * 4 + [1009]),  # 1008 * 1041 > 2^20
        (5041, 1040, [2016, 3025]),  # 1008 * 1040 < 2^20
        (10**6, 1, [10**6]),
        (4 * 1008 * 1041, 1, [1008 * 1041] * 2 + [2 * 1008 * 1041]),
    ],
)
def test_blocks_are_whole_tiles_and_none_is_small(d, work, lengths):
    parts = list(blocks(d, work))
    assert [part.stop - part.start for part in parts] == lengths
    assert np.array_equal(np.concatenate([np.arange(d)[part] for part in parts]), np.arange(d))


@pytest.mark.parametrize("train_w_O", [False, True])
@pytest.mark.parametrize("d", [900, 2016, 2017, 3500])
def test_parameters_of_several_blocks_are_those_of_the_whole(worst, d, train_w_O):
    s = br.Setting(N=6, M=5, d=d, d_h=24, d_v=3, snr=4.0)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    space = ProofSpace.of(theta, data.X, data.y, train_w_O)
    for _ in range(3):
        space.evaluate()
        space.move(0.5)
    C_V = space.C_V if train_w_O else np.outer(space.C[:, -1], theta.w_O)
    C = [*space.coefficients(), C_V]
    for W, before, part in zip(space.parameters(), theta, C):
        assert np.abs(W - before).max() > 1e-6
        assert worst(W - before, space.Z.T @ part) < 1e-10
    assert np.array_equal(space.parameters().w_O, space.w_O) and space.parameters().w_O is not space.w_O
    assert (theta.W_Q == br.init_parameters(s, br.make_rng(1)).W_Q).all()  # those that were given stay
