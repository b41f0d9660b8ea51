"""The checkers against what is known without them: derivatives in closed form, gradients wrong on purpose,
functions that mislead.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest

from benign_ref.audit import comparison
from benign_ref.checks.gradient import METHODS, check_gradient, derivative
from benign_ref.paper.gradients import gradients
from benign_ref.paper.model import loss
from benign_ref.wrong.gradients import MUTANTS

POINT = {"a": np.array([0.3, -1.2]), "B": np.array([[0.5, 2.0], [-0.7, 0.1]])}


def f(p):
    """sin(a_1) e^{a_2} + tr(B^T B B), which needs no model."""
    return np.sin(p["a"][0]) * np.exp(p["a"][1]) + (p["B"] * (p["B"] @ p["B"])).sum()


def grad(p):
    a, B = p["a"], p["B"]
    return {
        "a": np.array([np.cos(a[0]) * np.exp(a[1]), np.sin(a[0]) * np.exp(a[1])]),
        "B": B @ B + B @ B.T + B.T @ B,
    }


def wrong_claims(theta, X, y):
    """(mutant, what it claims, the blocks in which that is wrong); to the bit, the others are right."""
    right = gradients(theta, X, y)
    for mutant in MUTANTS:
        claim = mutant.gradients(theta, X, y)
        blocks = list(theta._fields) if mutant.block == "all" else [mutant.block]
        for name in set(theta._fields) - set(blocks):
            assert np.array_equal(getattr(claim, name), getattr(right, name)), mutant
        yield mutant, claim, blocks


def verdicts(result):
    return {row.block: row.verdict for row in result.rows}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("directions", [None, 3])
def test_a_right_gradient_passes_and_each_wrong_entry_is_found(method, directions):
    assert check_gradient(f, grad, POINT, method=method, directions=directions).passed
    for block in POINT:
        for index in np.ndindex(POINT[block].shape):

            def wrong(p, block=block, index=index):
                claimed = grad(p)
                claimed[block][index] += 1e-3 * np.abs(claimed[block]).max()
                return claimed

            result = check_gradient(f, wrong, POINT, method=method, directions=directions)
            assert not result.passed and not result
            assert verdicts(result) == {name: "differs" if name == block else "agrees" for name in POINT}
            row = next(row for row in result.rows if row.block == block)
            if directions is None:
                assert row.where == str(list(index)) and row.error == pytest.approx(1e-3, rel=0.01)
                assert row.claimed - row.found == pytest.approx(1e-3 * row.largest, rel=0.01)


@pytest.mark.parametrize("scale, seed", [(1.0, 0), (1e-2, 1), (1e-3, 2)])
def test_the_model_s_gradients_agree_and_every_mutant_is_rejected(scale, seed):
    X, y, theta = comparison.point(scale, seed)
    right = gradients(theta, X, y)
    result = check_gradient(lambda p: loss(p, X, y), lambda p: right, theta)
    assert result.passed, str(result)
    for mutant, claim, blocks in wrong_claims(theta, X, y):
        found = verdicts(check_gradient(lambda p: loss(p, X, y), lambda p, c=claim: c, theta, blocks=blocks))
        assert "agrees" not in found.values() and list(found) == blocks, mutant


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_central_differences_attain_what_they_claim(scale, seed):
    X, y, theta = comparison.point(scale, seed)
    result = check_gradient(lambda p: loss(p, X, y), lambda p: gradients(p, X, y), theta, method="central")
    assert result.passed and max(row.error for row in result.rows) < 2e-8, str(result)


def test_a_constant_factor_in_front_of_f_changes_no_verdict():
    for factor in (1e-9, 1e6):
        scaled = lambda p, c=factor: c * f(p)  # noqa: E731
        assert check_gradient(
            scaled, lambda p, c=factor: {k: c * g for k, g in grad(p).items()}, POINT
        ).passed
        assert not check_gradient(
            scaled, lambda p, c=factor: {k: 1.001 * c * g for k, g in grad(p).items()}, POINT
        ).passed


@pytest.mark.parametrize("method", METHODS)
def test_a_block_without_effect_is_vacuous_and_no_pass(method):
    point = {**POINT, "idle": np.ones(2)}
    result = check_gradient(f, lambda p: {**grad(p), "idle": np.zeros(2)}, point, method=method)
    assert verdicts(result) == {"a": "agrees", "B": "agrees", "idle": "vacuous"} and not result.passed
    assert "nothing was checked" in str(result)
    assert check_gradient(f, grad, point, method=method, blocks=["a", "B"]).passed
    claimed = check_gradient(
        f, lambda p: {**grad(p), "idle": np.full(2, 1e-3)}, point, method=method, blocks=["idle"]
    )
    assert verdicts(claimed) == {"idle": "differs"}  # a derivative claimed where there is none
    missed = check_gradient(f, lambda p: {**grad(p), "a": np.zeros(2)}, point, method=method, blocks=["a"])
    assert (
        verdicts(missed) == {"a": "differs"} and missed.rows[0].error == 1.0
    )  # and none claimed where there is one


def test_saturated_attention_is_told_from_a_wrong_derivation():
    """There dL_S/dW_Q is what rounding left of it; both routes may be far off, and that is nobody's
    mistake.
    """
    X, y, theta = comparison.point(6.0, 1)
    for method in METHODS:
        result = check_gradient(
            lambda p: loss(p, X * 4, y), lambda p: gradients(p, X * 4, y), theta, method=method
        )
        assert "differs" not in verdicts(result).values(), str(result)


def test_central_differences_say_so_when_they_decide_nothing():
    """f = 1 + 1e-13 a_1: no difference in double precision resolves the slope to 1e-5; the complex step
    does.
    """
    tiny = lambda p: 1.0 + 1e-13 * np.sin(p["a"][0]) * p["a"][1]  # noqa: E731

    def slope(p):
        a, b = p["a"]
        return {"a": 1e-13 * np.array([np.cos(a) * b, np.sin(a)])}

    point = {"a": np.array([0.3, -1.2])}
    assert verdicts(check_gradient(tiny, slope, point, method="central")) == {"a": "unresolved"}
    assert check_gradient(tiny, slope, point).passed


def test_differences_of_a_noisy_f_are_not_taken_for_a_wrong_gradient():
    # rounds to 1e-5 inside, though its value is of order 1
    noisy = lambda p: (1e11 + np.sin(p["a"][0])) - 1e11  # noqa: E731
    assert verdicts(
        check_gradient(noisy, lambda p: {"a": np.cos(p["a"])}, {"a": np.array([0.3])}, method="central")
    ) == {"a": "unresolved"}


@pytest.mark.parametrize(
    "steep, slope",
    [
        # constant beyond 1e-2: far differences are all 0
        (lambda p: 1 + np.exp(-((1e3 * p["a"][0] - 0.5) ** 2)), 1e3 * np.exp(-0.25)),
        (lambda p: np.tanh(1e4 * p["a"][0] + 0.1), 1e4 / np.cosh(0.1) ** 2),
    ],
)
def test_far_differences_that_agree_with_each_other_do_not_deceive(steep, slope):
    point, exact = {"a": np.array([0.0, 1.0])}, {"a": np.array([slope, 0.0])}
    assert check_gradient(steep, lambda p: exact, point, method="central").passed
    assert check_gradient(steep, lambda p: exact, point).passed
    assert not check_gradient(steep, lambda p: {"a": np.zeros(2)}, point, method="central").passed


def test_an_f_that_rounding_holds_still_is_not_taken_for_one_that_drops_imaginary_parts():
    still = lambda p: 1 + 1e-16 * np.sin(100 * p["a"][0])  # noqa: E731 - 1.0 everywhere, in double precision
    slope, point = (lambda p: {"a": 1e-14 * np.cos(100 * p["a"])}), {"a": np.array([0.3])}
    assert check_gradient(still, slope, point).passed
    assert verdicts(check_gradient(still, slope, point, method="central")) == {"a": "unresolved"}


def test_an_f_that_is_finite_at_the_point_alone_is_refused():
    with pytest.raises(ValueError, match="no central difference"):
        check_gradient(lambda p: 1.0 if p["a"][0] == 0.3 else np.nan, grad, POINT, method="central")
    with pytest.raises(ValueError, match="no finite complex step"):
        check_gradient(lambda p: p["a"][0] * (np.nan if p["a"].imag.any() else 1.0), grad, POINT)


DROPPED = {  # how: (f, what the refusal says)
    "a cast inside": (lambda p: f({**p, "a": p["a"].astype(float)}), "followed"),
    "real value": (lambda p: f(p).real, "f is real at a complex point"),
    "float()": (lambda p: float(f(p)), "followed"),
    "math.sin": (lambda p: math.sin(p["a"][0]) + f(p), "followed"),
    ".real of one block": (lambda p: f({**p, "B": p["B"].real}), "block 'B'"),
    "abs of one factor": (lambda p: np.sin(p["a"][0]) * abs(np.exp(p["a"][1])) + f(p), "block 'a'"),
    "conjugated, a small part": (lambda p: f(p) + 3e-4 * np.vdot(p["a"], p["a"]), "block 'a'"),
    "filled into a real array": (lambda p: f({**p, "a": filled(p["a"])}), "followed"),
}


def filled(a):
    out = np.zeros(2)
    out[:] = a
    return out


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
@pytest.mark.parametrize("how", DROPPED)
def test_an_f_that_drops_the_imaginary_part_is_refused_not_taken_for_constant(how):
    # what such an f would confirm
    zero = lambda p: {name: np.zeros_like(block) for name, block in p.items()}  # noqa: E731
    drops, says = DROPPED[how]
    with pytest.raises(ValueError, match=says):
        check_gradient(drops, zero, POINT)
    assert not check_gradient(drops, zero, POINT, method="central").passed


def with_block(value, name="a"):
    return {**POINT, name: value}


@pytest.mark.parametrize(
    "call, kind, says",
    [
        (
            lambda: check_gradient(f, grad, with_block(np.array([0.3, 1], np.float32))),
            TypeError,
            r"point\['a'\].*float64.*float32.*1\.2e-07",
        ),
        (lambda: check_gradient(f, grad, with_block(np.array([0.3, 1], np.float16))), TypeError, "float16"),
        (lambda: check_gradient(f, grad, with_block(np.array([1, 2]))), TypeError, "int64"),
        (lambda: check_gradient(f, grad, with_block(np.array([1j, 2]))), TypeError, "must be real"),
        (lambda: check_gradient(f, grad, with_block(np.array([np.nan, 2]))), ValueError, "finite, got nan"),
        (lambda: check_gradient(f, grad, with_block(np.zeros((0, 2)))), ValueError, "must have entries"),
        (lambda: check_gradient(f, grad, [np.ones(2)]), TypeError, "dict or NamedTuple"),
        (
            lambda: check_gradient(f, lambda p: {k: g.astype(np.float32) for k, g in grad(p).items()}, POINT),
            TypeError,
            r"grad\(point\)\['a'\]",
        ),
        (lambda: check_gradient(f, lambda p: {"a": grad(p)["a"]}, POINT), ValueError, "only a"),
        (
            lambda: check_gradient(f, lambda p: {**grad(p), "a": np.ones(3)}, POINT),
            ValueError,
            r"shape \(2,\).*got shape \(3,\)",
        ),
        (lambda: check_gradient(lambda p: np.float32(f(p)), grad, POINT), TypeError, "f must be float64"),
        (lambda: check_gradient(lambda p: p["a"], grad, POINT), TypeError, "one number"),
        (lambda: check_gradient(lambda p: np.inf, grad, POINT), ValueError, r"f\(point\) must be finite"),
        (lambda: check_gradient(lambda p: 1j, grad, POINT), TypeError, "real at a real point"),
        (lambda: check_gradient(f, grad, POINT, method="forward"), ValueError, "'complex_step', 'central'"),
        (lambda: check_gradient(f, grad, POINT, directions=0), ValueError, "directions"),
        (lambda: check_gradient(f, grad, POINT, tolerance=0), ValueError, "tolerance"),
        (lambda: check_gradient(f, grad, POINT, rng=1), TypeError, "rng"),
        (lambda: check_gradient(f, grad, POINT, blocks=["c"]), ValueError, "blocks"),
        (lambda: check_gradient(f, grad, POINT, blocks=[]), ValueError, "blocks"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_reason(call, kind, says):
    with pytest.raises(kind, match=says):
        call()


def test_a_nan_in_the_claimed_gradient_is_a_verdict():
    result = check_gradient(f, lambda p: {**grad(p), "a": np.array([np.nan, 1.0])}, POINT)
    assert (
        verdicts(result) == {"a": "not finite", "B": "agrees"} and not result.passed and "[0]" in str(result)
    )


def test_named_tuples_numbers_and_functions_that_scribble_are_taken():
    class Pair(NamedTuple):
        x: np.ndarray
        s: np.ndarray

    def scribbles(p):
        value = (p.x**2).sum() * p.s
        p.x[:] = 0
        return value

    point = Pair(np.array([1.0, 2.0]), np.array(3.0))
    result = check_gradient(scribbles, lambda p: Pair(2 * p.x * p.s, (p.x**2).sum()), point)
    assert result.passed and "number" in str(result) and point.x.tolist() == [1.0, 2.0]


def test_the_table_shows_every_block_and_where_it_fails():
    text = str(check_gradient(f, lambda p: {**grad(p), "B": -grad(p)["B"]}, POINT))
    assert (
        "block" in text
        and "worst error" in text
        and "NOT passed" in text
        and "differs: the claimed gradient is not" in text
    )
    assert [line.split()[0] for line in text.splitlines()[2:4]] == ["a", "B"] and text.splitlines()[
        2
    ].endswith("agrees")


def test_directions_are_three_evaluations_a_block_not_one_for_each_entry():
    calls = []
    big = {"a": np.ones(5000)}
    result = check_gradient(
        lambda p: calls.append(1) or (p["a"] ** 3).sum(), lambda p: {"a": 3 * p["a"] ** 2}, big, directions=3
    )
    assert result.passed and len(calls) < 60
    assert abs(result.rows[0].found) < 12  # 3 <1, v>, and v has norm 1: Gaussian of standard deviation 3
    one_wrong = lambda p: {"a": 3 * p["a"] ** 2 + 1e-6 * (np.arange(5000) == 7)}  # noqa: E731
    row = check_gradient(lambda p: (p["a"] ** 3).sum(), one_wrong, big, directions=3).rows[0]
    assert row.verdict != "agrees" and 1e-10 < row.error < 2e-8  # 1e-6/3 over sqrt(5000), times a Gaussian


def test_derivative_by_complex_step_in_closed_form():
    assert derivative(lambda x: (x**3).sum(), np.array([1.0, 2.0])) == pytest.approx([3.0, 12.0], rel=1e-15)
    assert derivative(np.exp, 0.5) == pytest.approx(np.exp(0.5), rel=1e-15)
