"""Where a checker of gradients can be fooled: kinks, terms that are not holomorphic, large blocks, edges of a
domain, entries too small to be seen.
"""

import tracemalloc

import numpy as np
import pytest

from benign_ref.checks import check_gradient
from benign_ref.checks.lines import Line

KINKS = {  # f, the point, the derivative there, and what far differences take for it
    "max(a, 0)": (lambda a: np.maximum(a, 0).sum(), [1.0, -0.001], [1, 0], [1, 0.5]),
    "dead unit": (lambda a: (np.maximum(a, 0) ** 2).sum(), [1.0, -0.3], [2, 0], [2, 0.5]),
    "hinge": (lambda a: a[0] + np.maximum(1e-2 - a[1], 0), [1.0, 0.011], [1, 0], [1, -0.5]),
    "loser of a max": (lambda a: a.max() + a[0], [1.0, 0.999], [2, 0], [1.5, 0.5]),
}


def at(values):
    return {"a": np.array(values, dtype=float)}


def verdict(f, claim, point, method):
    f_of = lambda p: f(p["a"])  # noqa: E731
    return check_gradient(f_of, lambda p: at(claim), at(point), method=method).rows[0].verdict


@pytest.mark.parametrize("kink", KINKS)
def test_near_a_kink_differences_decide_nothing_and_the_complex_step_decides(kink):
    f, point, slope, far = KINKS[kink]
    assert verdict(f, slope, point, "central") == "unresolved"
    assert verdict(f, far, point, "central") != "agrees"
    assert verdict(f, [slope[0], 30.0], point, "central") == "differs"
    assert verdict(f, slope, point, "complex_step") == "agrees"
    assert verdict(f, far, point, "complex_step") == "differs"


@pytest.mark.parametrize("leak", [0.01, 0.5])
def test_where_short_steps_move_f_they_decide_against_far_ones(leak):
    f = lambda a: np.where(a > 0, a, leak * a).sum()  # noqa: E731
    assert verdict(f, [1, leak], [1.0, -0.001], "central") == "agrees"
    assert verdict(f, [1, (1 + leak) / 2], [1.0, -0.001], "central") == "differs"


def test_a_saturating_function_is_no_kink():
    for steep in (1.0, 1e2, 1e4):
        f = lambda a, k=steep: np.tanh(k * a[0] + 0.1) + a[1]  # noqa: E731
        slope = [steep / np.cosh(0.1) ** 2, 1.0]
        for method in ("central", "complex_step"):
            assert verdict(f, slope, [0.0, 1.0], method) == "agrees"


@pytest.mark.parametrize("size", [2e-5, 1e-9])
def test_a_term_that_is_not_holomorphic_is_seen(size):
    """a0 + size |a1|^2, its derivative left out, is a claim that the complex step confirms to 1e-15."""
    f = lambda p: p["a"][0] + size * np.abs(p["a"][1]) ** 2  # noqa: E731
    with pytest.raises(ValueError, match="block 'a' it violates the Cauchy-Riemann equations"):
        check_gradient(f, lambda p: at([1, 0]), at([1.0, 1.0]))


def test_a_violation_that_fades_far_out_is_seen_too():
    f = lambda p: p["a"][0] + 1e-6 * np.tanh(np.abs(50 * p["a"][1] - 3) ** 2)  # noqa: E731
    with pytest.raises(ValueError, match="Cauchy-Riemann"):
        check_gradient(f, lambda p: at([1, 0]), at([1.0, 0.04]))


@pytest.mark.parametrize("seed", range(3))
def test_the_violation_is_the_error_of_the_complex_step(seed):
    """For f = z^3 + c |z|^2 the derivative is 3 x^2 + 2 c x, of which the complex step finds the first
    term.
    """
    c, x = np.random.default_rng(seed).uniform(0.1, 2, 2)
    line = Line(lambda p: p["a"] ** 3 + c * p["a"] * np.conj(p["a"]), dict, {"a": np.array(x)}, "a", ())
    assert line.complex_step() == pytest.approx(3 * x**2, rel=1e-14)
    seen, hidden = line.violation(0.0)
    assert seen == pytest.approx(2 * c * x, rel=1e-3) and hidden < 1e-3 * seen


def test_a_holomorphic_function_violates_nothing_however_near_its_poles_are():
    for pole in (1.0, 1e-2, 1e-5):
        f = lambda p, pole=pole: (1 / (1 + (p["a"] / pole) ** 2)).sum() * pole  # noqa: E731
        a = at([0.3 * pole, 1.0])
        x = a["a"] / pole
        assert check_gradient(f, lambda p, x=x: at(-2 * x / (1 + x**2) ** 2), a).passed


def test_what_may_hide_at_small_derivatives_is_said():
    f = lambda p: 1 + 1e-9 * (np.sin(p["a"]) ** 2).sum()  # noqa: E731
    claim = lambda p: {"a": 1e-9 * np.sin(2 * p["a"])}  # noqa: E731
    result = check_gradient(f, claim, at([1.0, 0.5]))
    assert result.passed and result.rows[0].hidden > 1e-10 and "not holomorphic, below" in str(result)


def test_a_function_rounded_on_the_way_is_not_taken_for_one_that_is_not_holomorphic():
    f = lambda p: (1e9 + np.sin(p["a"][0])) - 1e9 + p["a"][1]  # noqa: E731
    result = check_gradient(f, lambda p: at([np.cos(0.3), 1.0]), at([0.3, 0.7]))
    assert result.passed and result.rows[0].hidden > 1e-8


@pytest.mark.parametrize("method", ["central", "complex_step"])
def test_a_point_near_the_edge_of_a_domain_is_no_reason_to_refuse(method):
    a = np.array([1e-6, 1e3, 0.5])
    f = lambda p: (p["a"] * np.log(p["a"])).sum()  # noqa: E731
    result = check_gradient(f, lambda p: {"a": np.log(p["a"]) + 1}, {"a": a}, method=method)
    assert result.passed or method == "central", str(result)  # 7e3 eps over 1e-6 is too much
    assert result.rows[0].verdict in ("agrees", "unresolved")
    result = check_gradient(
        lambda p: np.log(p["a"]).sum(), lambda p: {"a": 1 / p["a"]}, {"a": a}, method=method
    )
    assert result.passed and result.rows[0].found == pytest.approx(1e6)
    wrong = check_gradient(f, lambda p: {"a": np.log(p["a"])}, {"a": a}, method=method)
    assert wrong.rows[0].verdict == "differs"


@pytest.mark.parametrize("method", ["central", "complex_step"])
def test_a_block_of_65536_entries_takes_memory_of_its_own_size(method):
    a = {"a": np.linspace(1, 2, 65536)}
    calls = []

    def f(p):
        calls.append(1)
        if len(calls) > 300:  # enough of them to see the memory
            raise InterruptedError
        return (p["a"] ** 2).sum()

    tracemalloc.start()
    with pytest.raises(InterruptedError):
        check_gradient(f, lambda p: {"a": 2 * p["a"]}, a, method=method)
    assert tracemalloc.get_traced_memory()[1] < 40 * a["a"].nbytes
    tracemalloc.stop()
    assert check_gradient(lambda p: (p["a"] ** 2).sum(), lambda p: {"a": 2 * p["a"]}, a, directions=3).passed


def test_entries_far_below_the_largest_are_said_to_be_unchecked():
    f = lambda p: p["a"][0] + 1e-12 * np.sin(p["a"][1]) + 0 * p["a"][2]  # noqa: E731
    point = at([1.0, 0.5, 0.2])
    for claim in (1e-12 * np.cos(0.5), -1e-12):
        result = check_gradient(f, lambda p, c=claim: at([1.0, c, 0.0]), point)
        assert result.passed and result.rows[0].unchecked == 1
        assert "a: 1 entries are below 1e-10 of the largest" in str(result)
    full = check_gradient(lambda p: (p["a"] ** 2).sum(), lambda p: {"a": 2 * p["a"]}, point)
    assert full.rows[0].unchecked == 0 and "below" not in str(full)
