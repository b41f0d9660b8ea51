"""Ties, ends and parts of the engines: what memory and time are bounded by, and what a checkpoint keeps."""

from inspect import signature
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import benign_ref as br
from benign_ref.engines import kernels, parameter_space, proof_space, records

plain = pytest.mark.plain


@pytest.mark.parametrize(
    "chunk, sizes", [(4096, [7]), (12, [3, 3, 1]), (15, [3, 3, 1]), (8, [2, 2, 2, 1]), (3, [1] * 7)]
)
def test_forward_takes_as_many_tokens_at_once_as_is_said(problem, monkeypatch, chunk, sizes):
    theta, X, _ = problem(N=7, M=4)
    asked, outputs = [], parameter_space.outputs
    monkeypatch.setattr(
        parameter_space, "outputs", lambda rows, at: asked.append(at.shape) or outputs(rows, at)
    )
    f = parameter_space.forward_numba(theta, X, chunk)
    assert asked == [(size, 4) for size in sizes] and f == pytest.approx(br.forward(theta, X), rel=1e-12)
    assert signature(parameter_space.forward_numba).parameters["chunk"].default == 4096


def test_the_columns_of_a_step_are_2T_beyond_4T_and_never_rotated_before(problem):
    found = [proof_space.columns_of_a_step(3, d_h) for d_h in (1, 6, 7, 11, 12, 13, 14, 40)]
    assert found == [1, 6, 7, 11, 12, 6, 6, 6]
    theta, X, y = problem(N=1, M=3, d_h=13)
    for d_h, columns in ((5, 5), (12, 12), (13, 6)):
        cut = theta._replace(W_Q=theta.W_Q[:, :d_h], W_K=theta.W_K[:, :d_h])
        space = proof_space.ProofSpace.of(cut, X, y)
        assert (space.O is None) == (d_h == columns) and space.rows.shape == (3, 2 * columns + 1)


def test_tokens_that_all_differ_are_not_copied_and_others_are_held_once():
    X = np.random.default_rng(0).standard_normal((2, 3, 20))
    Z, index = proof_space.different_tokens(X)
    assert np.shares_memory(Z, X) and index.tolist() == [[0, 1, 2], [3, 4, 5]] and Z.shape == (6, 20)
    for d in (1, 7, 8, 20):  # tokens that differ in one entry only, wherever it stands
        for entry in range(d):
            X = np.ones((2, 2, d))
            X[1, 0, entry] = 2.0
            Z, index = proof_space.different_tokens(X)
            assert index.tolist() == [[0, 0], [1, 0]] and Z[:, entry].tolist() == [1, 2]
            X[:, :, entry] = [[0.0, -0.0], [2.0, 0.0]]  # two signs of one number
            assert proof_space.different_tokens(X)[1].tolist() == [[0, 0], [1, 0]]


@plain
def test_loss_and_cotangent_at_an_output_of_0_and_on_both_sides():
    for f, y in ((0.0, 1.0), (0.0, -1.0), (0.5, 1.0), (0.5, -1.0), (-2.0, 1.0)):
        S, c, zero = np.ones((1, 1, 1)), np.full((1, 1), f), np.zeros((1, 1))
        D, dc = np.empty((1, 1, 1)), np.empty((1, 1))
        loss = kernels.couple(S, c, c, zero, np.array([f]), np.array([y]), D, dc)
        assert loss == pytest.approx(np.log1p(np.exp(-y * f))) and D[0, 0, 0] == 0
        assert dc[0, 0] == pytest.approx(-y / (1 + np.exp(y * f)))


class Pair(NamedTuple):
    a: np.ndarray
    b: np.ndarray


@pytest.mark.parametrize("last", [None, 0, 1, 5])
@pytest.mark.parametrize("steps", [[], [0], [0, 3, 4]])
def test_what_a_checkpoint_keeps_comes_back(last, steps):
    rng = np.random.default_rng(0)
    seen = [records.Record(step, *rng.standard_normal((4, 2, 2)), None) for step in steps]
    history = records.History([0.7, 0.5, 0.4], last is not None, last, seen)
    space = SimpleNamespace(STATE=("one", "two"), one=np.arange(3.0), two=Pair(np.ones(2), np.zeros((1, 2))))
    arrays = records.kept(space, history)
    other = SimpleNamespace(STATE=("one", "two"), one=None, two=Pair(None, None))
    back = records.restored(other, arrays)
    assert (back.losses, back.converged, back.last) == (history.losses, history.converged, last)
    assert other.one.tolist() == [0, 1, 2] and [part.tolist() for part in other.two] == [[1, 1], [[0, 0]]]
    assert [one.step for one in back.records] == steps
    for one, kept in zip(seen, back.records):
        assert all(np.array_equal(a, b) for a, b in zip(one[1:5], kept[1:5])) and kept.observed is None


def test_a_digest_has_32_signs_and_tells_arrays_apart():
    one, other = records.digest_of(np.zeros(2)), records.digest_of(np.zeros(3))
    assert len(one) == len(other) == 32 and one != other


def test_a_run_is_kept_at_its_end_and_where_that_is_due(monkeypatch):
    s = br.Setting(N=2, M=2, d=9, d_h=1, d_v=1, snr=4.0, max_steps=6)
    losses = [0.69, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]

    def run(due, **how):
        left = iter(losses)
        space = SimpleNamespace(STATE=(), evaluate=lambda: next(left), move=lambda eta: None)
        kept, told = [], []
        store = SimpleNamespace(
            found=None,
            due=lambda: len(told) - 1 in due,
            save=lambda arrays: kept.append(len(arrays["losses"]) - 1),
        )
        monkeypatch.setattr(records, "Checkpoint", lambda path, decides: store)
        records.descend_at(
            s.replace(**how), lambda: space, name="a run", decides=dict, of="a space", seen=None,
            observe=None, record_every=None, progress=lambda *what: told.append(what), checkpoint="file",
        )  # fmt: skip
        return kept, told

    kept, told = run(())
    assert kept == [6] and told == [(k, 6, losses[k]) for k in range(7)]
    assert run((1, 4))[0] == [1, 4, 6] and run((6,))[0] == [6]
    assert run((), epsilon=0.45)[0] == [3] and run((2,), epsilon=0.45, extra_steps=2)[0] == [2, 5]
    assert run((), epsilon=0.65, extra_steps=9)[0] == [6]


@pytest.mark.parametrize(
    "how, told",
    [
        ({"record_every": 0}, "^record_every"),
        ({"observe": len}, "^observe must be a function of a space, given together with record_every"),
        ({"observe": len, "record_every": 1, "checkpoint": "c"}, "^checkpoint must be None when observe"),
    ],
)
def test_what_a_run_cannot_keep_is_refused_before_any_work(how, told):
    asked = {"observe": None, "record_every": None, "checkpoint": None, "progress": False, **how}
    with pytest.raises((TypeError, ValueError), match=told):
        records.descend_at(
            br.Setting(), lambda: pytest.fail("work"), name="a run", decides=lambda: pytest.fail("work"),
            of="a space", seen=None, **asked,
        )  # fmt: skip


def test_a_product_of_exactly_the_small_size_is_left_whole(monkeypatch):
    monkeypatch.setattr(proof_space, "small_products_are_quick", lambda: True)
    assert 128 * 128 * 64 == proof_space.SMALL == 2**20
    assert [proof_space.shape_of_a_step(128, w) for w in (64, 65)] == [(128, 64, 64), (8, 64, 72)]
