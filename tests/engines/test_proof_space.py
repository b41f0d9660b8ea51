"""What is multiplied block by block, against the products as they stand."""

import numpy as np
import pytest

import benign_ref as br
from benign_ref.engines import proof_space, records
from benign_ref.engines.proof_space import ProofSpace, blocks, shape_of_a_step


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


@pytest.mark.parametrize(
    "T, w, shape",
    [
        (302, 129, (8, 128, 136)),
        (384, 191, (8, 192, 192)),
        (385, 129, (385, 129, 129)),
        (384, 193, (384, 193, 193)),
        (91, 127, (8, 128, 128)),
        (91, 125, (91, 125, 125)),  # 91 * 91 * 125 < 2^20
    ],
)
def test_shape_of_a_step(monkeypatch, T, w, shape):
    monkeypatch.setattr(proof_space, "small_products_are_quick", lambda: True)
    assert shape_of_a_step(T, w) == shape
    monkeypatch.setattr(proof_space, "small_products_are_quick", lambda: False)
    assert shape_of_a_step(T, w) == (T, w, w)


def test_small_products_are_quick_with_one_thread_on_avx512_only(monkeypatch):
    def unknown():
        raise RuntimeError("this processor is not known")

    for features, count, quick in [(True, 1, True), (True, 2, False), (True, None, False), (False, 1, False)]:
        monkeypatch.setattr(proof_space, "get_host_cpu_features", lambda there=features: {"avx512f": there})
        monkeypatch.setattr(proof_space.threads, "of_blas", lambda count=count: count)
        assert proof_space.small_products_are_quick() is quick
    monkeypatch.setattr(proof_space, "get_host_cpu_features", unknown)
    assert proof_space.small_products_are_quick() is False


@pytest.mark.parametrize("train_w_O", [False, True])
@pytest.mark.parametrize("M, d_h", [(16, 64), (17, 60), (20, 95)])  # T = 92, 98, 116: whole blocks, or not
def test_a_step_by_blocks_is_the_step(monkeypatch, worst, train_w_O, M, d_h):
    """With and without blocks the run is the same, to rounding, and zeros stay; one that is kept and goes on
    has the same bits.
    """
    s = br.Setting(N=6, M=M, d=150, d_h=d_h, d_v=3, snr=8.0)
    data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))
    spaces = []
    for there in (True, False, True):
        monkeypatch.setattr(proof_space, "small_products_are_quick", lambda there=there: there)
        spaces.append(ProofSpace.of(theta, data.X, data.y, train_w_O))
    by_blocks, whole, later = spaces
    assert len(by_blocks.G_by_block) == -(-s.T // 8) and len(whole.G_by_block) == 1
    assert by_blocks.together == (192 if d_h == 95 else 2 * d_h) and whole.together == 2 * d_h + 1

    def go_on(space, steps=5):
        for _ in range(steps):
            loss = space.evaluate()
            space.move(0.5)
        return loss

    assert np.isclose(go_on(by_blocks), go_on(whole), rtol=1e-12)
    for name in ("G", "rows", "C"):
        assert worst(getattr(by_blocks, name), getattr(whole, name)) < 1e-12
    assert worst(by_blocks.G @ by_blocks.C, whole.G @ whole.C) < 1e-12
    assert not by_blocks.wide_C[:, 2 * d_h + 1 :].any() and not by_blocks.wide_rows[:, 2 * d_h + 1 :].any()
    kept = records.kept(by_blocks, records.History([0.0]))
    records.restored(later, {name: array.copy() for name, array in kept.items()})
    assert go_on(later) == go_on(by_blocks)
    for one, other in zip(later.parameters(), by_blocks.parameters()):
        assert np.array_equal(one, other)
