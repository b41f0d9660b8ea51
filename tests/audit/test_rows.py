"""What the rows of the ledger compare with: a class of the limit, equal tokens, samples, derivatives."""

import numpy as np
import pytest

from benign_ref.audit import literal
from benign_ref.audit.core import AuditedPackage
from benign_ref.audit.problems import INITIAL, MIXED, drawn
from benign_ref.audit.rows import law, model, proof, theory, vision
from benign_ref.audit.rows.limit_class import Class


@pytest.mark.parametrize("one", [Class(1, 0), Class(3, 0), Class(3, 1), Class(1, 3), Class(2, 4)])
def test_the_basis_of_a_class_is_orthonormal_and_whole_and_its_blocks_are_those_of_a_sum_over_samples(one):
    basis = np.hstack(one.basis())
    assert basis.shape == (one.T, one.T)
    assert np.allclose(basis.T @ basis, np.eye(one.T), atol=1e-14)
    assert sorted(set(np.ravel(one.samples))) == list(range(one.T))
    rows = np.random.default_rng(0).standard_normal((3, 4))
    D = one.by_types(rows)
    B = one.summed(D, 2.0)
    by_loops = np.zeros((one.T, one.T))
    for tokens in one.samples:
        for l, j in np.ndindex(one.M, one.M):
            by_loops[tokens[l], tokens[j]] += 2.0 * D[l, j]
    assert np.array_equal(B, by_loops)
    mean, between, within = one.basis()
    assert np.allclose(mean.T @ B @ between, 0) and np.allclose(between.T @ B @ within, 0)
    there = np.ones((one.k, 4), dtype=bool)  # which of the kernel's rows have an entry
    there[:2, 3] = False
    there[:, one.M :] = False
    assert np.array_equal(one.rows_of(D), np.where(there, rows[: one.k], 0))


def test_equal_tokens_are_one_in_the_order_in_which_they_come():
    a, b, c = np.eye(3)
    Z, tokens = proof._different(np.array([[c, a, c], [b, a, b]]))
    assert np.array_equal(Z, [c, a, b]) and np.array_equal(tokens, [[0, 1, 0], [2, 1, 2]])


def test_samples_without_spread_must_be_equal_and_hold_no_nan():
    sample = np.random.default_rng(1).standard_normal((500, 2)) * [1.0, 0.0] + [0.0, 3.0]
    other = np.random.default_rng(2).standard_normal((500, 2)) * [1.0, 0.0] + [0.0, 3.0]
    assert 0 < law._differences(sample, other) < 4
    assert law._differences(sample, other + [1.0, 0.0]) > 6
    assert law._differences(sample, other + [0.0, 1e-3]) == np.inf
    assert law._differences(sample, np.where(np.arange(500)[:, None] == 7, np.nan, other)) == np.inf


def test_what_has_to_be_zero_is_measured_by_its_size_and_its_shape():
    zero = np.zeros((2, 1))
    assert model.or_zero(True, zero, zero) == 0 and model.or_zero(True, zero + 1e-3, zero) == 1e-3
    assert model.or_zero(True, zero, zero + 1e-3) == 1e-3
    assert model.or_zero(True, zero[0], zero) == np.inf
    assert model.or_zero(False, zero + 1.5, zero + 1) == 0.5


def test_derivatives_are_taken_by_each_entry_of_the_blocks_asked_for():
    theta = np.array([[1.0, 2.0]]), np.array([3.0, 4.0])
    function = lambda at: (at[0] ** 2).sum() * at[1][0] + at[1][1] ** 3  # noqa: E731
    assert np.allclose(literal.complex_step(function, theta, [1])[0], [5.0, 48.0])
    first, second = literal.complex_step(function, theta, range(2), 1e-30)
    assert np.allclose(first, [[6.0, 12.0]]) and np.allclose(second, [5.0, 48.0])
    assert np.allclose(literal.central(function, theta, 0, 1e-3), first)


@pytest.mark.parametrize("residual", [vision._by_block, vision._at_once])
def test_a_gradient_that_lacks_a_block_is_no_gradient(residual):
    theta = {"one": np.array([1.0, 2.0]), "two": np.array([[3.0]])}
    function = lambda at: (at["one"] ** 2).sum() * at["two"].sum()  # noqa: E731
    right = {"one": 6 * theta["one"], "two": np.array([[5.0]])}
    found = lambda claimed: residual(function, theta, claimed, np.random.default_rng(0))  # noqa: E731
    assert found(right) < 1e-14 < 0.1 < found(right | {"two": -right["two"]})
    with pytest.raises(KeyError, match="two"):
        found({"one": right["one"]})


def test_the_ledger_shows_no_progress_of_its_runs(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    (problem,) = drawn(0, "T2", (INITIAL,), (MIXED,))
    assert len(list(theory._ends(AuditedPackage(), problem, "harmful"))) == 4
    assert capsys.readouterr().err == ""
