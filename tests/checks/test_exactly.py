"""Exact arithmetic: the rules of the numbers against integers and closed forms, gradients that are right and
wrong in one term at any scale, identities that it cannot decide, and what it refuses.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

import benign_ref as br
from benign_ref.audit import comparison
from benign_ref.checks import check_exactly
from benign_ref.checks.exactly import EXPLAINED
from benign_ref.paper.gradients import gradients
from benign_ref.paper.model import Parameters, loss, softmax
from benign_ref.wrong.gradients import MUTANTS

POINT = {"a": np.array([0.3, -1.2, 0.0]), "B": np.array([[0.5, 2.0], [-0.7, 0.1]])}


def f(p):
    """e^{a_1 a_2} / (1 + a_3^2) + tr(B^T B B)."""
    a, B = p["a"], p["B"]
    return np.exp(a[0] * a[1]) / (1 + a[2] ** 2) + (B * (B @ B)).sum()


def grad(p):
    a, B = p["a"], p["B"]
    e, q = np.exp(a[0] * a[1]), 1 + a[2] ** 2
    return {
        "a": np.array([a[1] * e / q, a[0] * e / q, -2 * a[2] * e / q**2]),
        "B": B @ B + B @ B.T + B.T @ B,
    }


def verdicts(result):
    return {row.block: row.verdict for row in result.rows}


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e6])
def test_a_right_gradient_has_residual_zero_and_each_wrong_entry_is_named_at_any_scale(scale):
    point = {name: scale * a for name, a in POINT.items()}
    assert check_exactly(f, grad, point).passed
    for block in POINT:
        for index in np.ndindex(POINT[block].shape):

            def wrong(p, block=block, index=index):
                claimed = grad(p)
                claimed[block][index] *= 1 + 1e-15
                return claimed

            result = check_exactly(f, wrong, point, seed=7)
            assert verdicts(result) == {k: "rejected" if k == block else "residual 0" for k in POINT}
            assert next(row for row in result.rows if row.block == block).where == str(list(index))
            assert not result and "not the derivative" in str(result)


@pytest.mark.parametrize(
    "scale, seed, M", [(1.0, 0, 2), (1e-3, 1, 2), (1e-9, 2, 3), (20.0, 3, 2), (1e4, 4, 2)]
)
def test_the_model_is_equal_as_fractions_and_every_wrong_gradient_is_rejected(scale, seed, M):
    X, y, theta = comparison.point(scale, seed)
    X, y, theta = X[:2, :M, :2], y[:2], Parameters(*(W[:2, :2] for W in theta[:3]), theta.w_O)
    right = check_exactly(lambda p: loss(p, X, y), lambda p: gradients(p, X, y), theta, seed=seed)
    assert right.passed and max(row.chance for row in right.rows) < 1e-11, str(right)
    # each at scale 1, and at two of the others: the fractions are of another size there, the rules the same
    for mutant in MUTANTS if seed == 0 else [*MUTANTS[seed % 4 :: 4], *MUTANTS[seed - 1 :: 4]]:
        claim = lambda p, m=mutant: m.gradients(p, X, y)  # noqa: E731
        blocks = list(Parameters._fields) if mutant.block == "all" else [mutant.block]
        found = verdicts(check_exactly(lambda p: loss(p, X, y), claim, theta, seed=seed, blocks=blocks))
        assert found == dict.fromkeys(blocks, "rejected"), mutant


def test_one_token_has_a_gradient_of_zero_which_is_proved_and_not_vacuous():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 1, 3)), np.array([1.0, -1.0])
    theta = Parameters(*(rng.standard_normal(s) for s in ((3, 2), (3, 2), (3, 1), (1,))))
    assert check_exactly(lambda p: loss(p, X, y), lambda p: gradients(p, X, y), theta).passed


def test_an_identity_that_needs_the_sum_rule_of_exponentials_is_not_decided_and_not_called_wrong():
    def lopsided(p):
        return softmax(p["a"])[0]  # shifted by the largest

    def claim(p):
        e = np.exp(p["a"])  # not shifted
        S = e / e.sum()
        return {"a": S[0] * (np.eye(3, dtype=int)[0] - S)}

    point = {"a": np.array([0.2, 1.0, -0.5])}
    assert br.checks.check_gradient(lopsided, claim, point).passed
    result = check_exactly(lopsided, claim, point)
    assert verdicts(result) == {"a": "not decided"} and not result.passed and "e^(a+b)" in str(result)
    wrong = check_exactly(lopsided, lambda p: {"a": claim(p)["a"][::-1]}, point)
    assert verdicts(wrong) == {"a": "rejected"}


def test_so_is_one_that_needs_the_double_angle_of_tanh():
    f = lambda p: np.tanh(p["a"]).sum()  # noqa: E731
    point = {"a": np.array([0.3, -0.7])}
    assert check_exactly(f, lambda p: {"a": 1 - np.tanh(p["a"]) ** 2}, point).passed

    def halved(p):
        t = np.tanh(p["a"] / 2)
        return {"a": 1 - (2 * t / (1 + t * t)) ** 2}

    assert verdicts(check_exactly(f, halved, point)) == {"a": "not decided"}
    wrong = lambda p: {"a": halved(p)["a"] * (1 + 1e-15)}  # noqa: E731
    assert verdicts(check_exactly(f, wrong, point)) == {"a": "rejected"}


RULES = {  # 0 only by the rule of its name: of a, b > 0
    "e^(a+b)": lambda a, b: np.exp(a + b) - np.exp(a) * np.exp(b),
    "log(ab)": lambda a, b: np.log(a * b) - np.log(a) - np.log(b),
    "tanh(a+b)": lambda a, b: np.tanh(a + b) - (np.tanh(a) + np.tanh(b)) / (1 + np.tanh(a) * np.tanh(b)),
    "root of ab": lambda a, b: np.sqrt(a * b) - np.sqrt(a) * np.sqrt(b),
    "root squared": lambda a, b: np.sqrt(a) * np.sqrt(a) - a,
    "log e^a": lambda a, b: np.log(np.exp(a)) - a,
}


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("rule", RULES)
def test_what_is_zero_by_a_rule_is_not_decided_and_a_wrong_entry_beside_it_is_named(rule, scale):
    """The derivative is that of c^2; the rule's 0, times c, is all that the other entries have."""
    point = {"p": scale * np.array([0.3, 0.7, 1.1])}
    f = lambda p: p["p"][2] * RULES[rule](*p["p"][:2]) + p["p"][2] ** 2  # noqa: E731
    assert verdicts(check_exactly(f, lambda p: {"p": np.array([0, 0, 2 * p["p"][2]])}, point)) == {
        "p": "not decided"
    }
    for off in (1e-30, 1e-3, 1e3):
        for entry in range(3):

            def wrong(p, entry=entry, off=off):
                return {"p": np.array([0, 0, 2 * p["p"][2]]) + off * np.eye(3)[entry]}

            (row,) = check_exactly(f, wrong, point).rows
            assert (row.verdict, row.where) == ("rejected", f"[{entry}]")


def test_kinks_are_decided_on_the_piece_where_the_point_lies():
    hinge = lambda p: np.maximum(p["a"], 0).sum() + abs(p["a"]).max()  # noqa: E731

    def slope(p):
        a = p["a"]
        largest = abs(a) == abs(a).max()
        return {"a": np.where(a > 0, 1, 0) + np.where(largest, np.sign(a), 0)}

    point = {"a": np.array([1.0, -1e-3, -7.0])}
    assert check_exactly(hinge, slope, point).passed
    claim = {"a": np.array([1.0, 0.5, -1.0])}
    assert verdicts(check_exactly(hinge, lambda p: claim, point)) == {"a": "rejected"}


def test_terms_that_are_not_holomorphic_are_seen():
    tiny = lambda p: p["a"][0] + 2e-5 * abs(p["a"][1]) ** 2  # noqa: E731
    point = {"a": np.array([1.0, 1.0])}
    assert not check_exactly(tiny, lambda p: {"a": np.array([1, 0])}, point).passed
    assert check_exactly(tiny, lambda p: {"a": np.array([1, 4e-5 * p["a"][1]])}, point).passed


def test_roots_of_squares_are_exact_and_others_drawn():
    square = lambda p: np.sqrt(p["a"] ** 2).sum()  # noqa: E731 - the sum of |a|
    assert check_exactly(square, lambda p: {"a": np.where(p["a"] > 0, 1, -1)}, POINT, blocks=["a"]).passed
    norm = lambda p: np.sqrt((p["a"] ** 2).sum())  # noqa: E731
    assert check_exactly(norm, lambda p: {"a": p["a"] / norm(p)}, POINT, blocks=["a"]).passed
    wrong = check_exactly(norm, lambda p: {"a": 2 * p["a"] / norm(p)}, POINT, blocks=["a"])
    assert wrong.rows[0].verdict == "rejected"
    other = lambda p: {"a": p["a"] * norm(p) / (p["a"] ** 2).sum()}  # noqa: E731 - needs R(a)^2 = a
    assert check_exactly(norm, other, POINT, blocks=["a"]).rows[0].verdict == "not decided"


REFUSED = {
    "logaddexp": lambda p: np.logaddexp(0, p["a"]).sum(),
    "a cast": lambda p: p["a"].astype(float).sum(),
    "a cast to float": lambda p: float(p["a"][0]),
    "a cast to float rounds": lambda p: math.sin(p["a"][0]),
    "linalg|[Cc]annot cast": lambda p: np.linalg.inv(np.diag(p["a"])).sum(),
    "sin": lambda p: np.sin(p["a"]).sum(),
    "root of": lambda p: np.sqrt(-(p["a"] ** 2)).sum(),
    "whole exponent": lambda p: abs(p["a"][0]) ** 0.3,
    "log of": lambda p: np.log(p["a"]).sum(),
    "one number": lambda p: p["a"],
    "division": lambda p: p["a"][0] / (p["a"][1] - p["a"][1]),
    "complex": lambda p: p["a"][0] * 1j,
    "infinity|integer ratio": lambda p: p["a"][0] * np.inf,
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_cannot_be_carried_is_refused_in_words(says):
    with pytest.raises(ValueError, match=f"f cannot be followed in exact arithmetic: .*({says})"):
        check_exactly(REFUSED[says], grad, POINT)


def test_so_is_a_gradient_that_cannot():
    for says in ("logaddexp", "a cast", "sin", "root of", "complex"):
        claim = lambda p, says=says: {"a": np.array([REFUSED[says](p)] * 3)}  # noqa: E731
        with pytest.raises(ValueError, match="grad cannot be followed in exact arithmetic"):
            check_exactly(f, claim, POINT, blocks=["a"])


@pytest.mark.parametrize(
    "call, kind, says",
    [
        (lambda: check_exactly(f, grad, {"a": np.array([1, 2, 3])}), TypeError, "float64"),
        (lambda: check_exactly(f, grad, [np.ones(2)]), TypeError, "dict or NamedTuple"),
        (
            lambda: check_exactly(f, grad, {**POINT, "a": np.array([np.nan] * 3)}),
            ValueError,
            "finite, got nan",
        ),
        (lambda: check_exactly(f, lambda p: {"a": grad(p)["a"]}, POINT), ValueError, "only a"),
        (
            lambda: check_exactly(f, lambda p: {**grad(p), "a": np.ones(2)}, POINT),
            ValueError,
            r"\(3,\).*got shape \(2,\)",
        ),
        (lambda: check_exactly(f, grad, POINT, blocks=["c"]), ValueError, "blocks"),
        (lambda: check_exactly(f, grad, POINT, seed=-1), ValueError, "seed"),
        (lambda: check_exactly(f, grad, POINT, seed=0.5), TypeError, "seed"),
    ],
)
def test_bad_arguments_are_named(call, kind, says):
    with pytest.raises(kind, match=says):
        call()


def test_named_tuples_numbers_and_functions_that_scribble_are_taken():
    class Pair(NamedTuple):
        x: np.ndarray
        s: np.ndarray

    def scribbles(p):
        value = (p.x**2).sum() * p.s
        p.x[:] = 0
        return value

    point = Pair(np.array([1.0, 2.0]), np.array(3.0))
    result = check_exactly(scribbles, lambda p: Pair(2 * p.x * p.s, (p.x**2).sum()), point)
    assert result.passed and "number" in str(result) and point.x.tolist() == [1.0, 2.0]
    text = str(check_exactly(scribbles, lambda p: Pair(2 * p.x * p.s, p.s), point))
    assert "[]" in text and text.endswith("NOT passed") and "2^64" in text and EXPLAINED["rejected"] in text


def test_an_f_that_is_wrong_for_a_while_is_rejected_all_the_same():
    calls = []
    f = lambda p: p["a"].sum() * (2 if calls.append(0) or len(calls) <= 3 else 1)  # noqa: E731
    (row,) = check_exactly(f, lambda p: {"a": p["a"] * 0 + 1}, {"a": np.ones(4)}).rows
    assert (row.verdict, row.where) == ("rejected", "[3]")


def test_the_public_name():
    assert br.checks.check_exactly is check_exactly


PIECES = {  # f and its true derivative, where a value of a function decides the piece
    "norm": (
        lambda x: np.maximum(np.sqrt((x * x).sum()), 1),
        lambda x: x / np.sqrt((x * x).sum()),
        [3.0, 4.1],
    ),
    "exp": (lambda x: np.maximum(np.exp(x), 10).sum(), np.exp, [5.0]),
    "tanh": (lambda x: np.maximum(np.tanh(x) - 0.999, 0).sum(), lambda x: 1 - np.tanh(x) ** 2, [5.0]),
    "root": (lambda x: np.abs(np.sqrt(x) - 3).sum(), lambda x: 0.5 / np.sqrt(x), [17.0]),
    "where": (lambda x: np.where(1 / (1 + np.exp(-x)) > 0.9, x, 0 * x).sum(), lambda x: 0 * x + 1, [5.0]),
    "log": (lambda x: np.maximum(np.log(x) + 0.5, 0).sum(), lambda x: 1 / x, [0.9]),
    "zero": (lambda x: np.maximum(x + 0.5, 0).sum(), lambda x: 0 * x + 1, [0.0]),
    "saturated beside it": (
        lambda x: np.maximum(np.exp(x[0]), 10) + x[1] / (1 + np.exp(-x[1])),
        lambda x: np.array(
            [np.exp(x[0]), 1 / (1 + np.exp(-x[1])) + x[1] * np.exp(-x[1]) / (1 + np.exp(-x[1])) ** 2]
        ),
        [5.0, 1e4],
    ),
}


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("seed", range(4))
def test_the_piece_is_that_of_the_point_whatever_stands_for_the_functions(name, seed):
    f, slope, x = PIECES[name]
    of = lambda grad: check_exactly(lambda p: f(p["x"]), grad, {"x": np.array(x)}, seed=seed).rows[0].verdict  # noqa: E731
    assert of(lambda p: {"x": slope(p["x"])}) == "residual 0"
    assert of(lambda p: {"x": 0 * p["x"]}) == of(lambda p: {"x": -slope(p["x"])}) == "rejected"


def test_what_is_beyond_floats_is_shown_as_infinite():
    (row,) = check_exactly(
        lambda p: (p["x"] ** 40).sum(), lambda p: {"x": 2 * p["x"] ** 39}, {"x": np.array([-1e8])}
    ).rows
    assert row.verdict == "rejected" and row.claimed == row.found == -np.inf
