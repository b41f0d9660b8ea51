"""Where a checker of gradients can be fooled: kinks, terms that are not holomorphic, large blocks, edges of a
domain, entries too small to be seen.
"""

import tracemalloc

import numpy as np
import pytest

from benign_ref.checks import check_exactly, check_gradient
from benign_ref.checks.lines import Line
from benign_ref.paper.gradients import gradients
from benign_ref.paper.model import Parameters, forward, loss
from benign_ref.wrong import MUTANTS

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


def saturated(seed):
    """theta, X, y of random small shapes whose two largest logits differ by 30 to 60 in every row, with the
    largest |f| up to 600, as far as e^-650 is no underflow; the margin of either sign.
    """
    rng = np.random.default_rng([5, seed])
    N, M, d, d_h, d_v = (
        int(rng.integers(low, high)) for low, high in ((1, 3), (2, 4), (3, 4), (1, 3), (1, 3))
    )
    X, gap = 0.3 * rng.standard_normal((N, M, d)), rng.uniform(30, 46)
    X[..., 0] = rng.uniform(1, 1.3, (N, M)) * rng.choice([-1, 1], (N, M))
    X[..., 1] = rng.permuted(np.arange(M) + rng.uniform(-0.001, 0.001, (N, M)), axis=1)
    h, W_V, w_O = np.ones(d_h) / d_h**0.5, rng.standard_normal((d, d_v)), rng.standard_normal(d_v)
    across, along = np.eye(d)[:2]
    W_Q = gap * (np.outer(across, h) + 1e-4 * rng.standard_normal((d, d_h)))
    theta = Parameters(W_Q, np.outer(along, h) + 1e-4 * rng.standard_normal((d, d_h)), W_V, w_O)
    P = np.sort(X @ W_Q @ (X @ theta.W_K).swapaxes(1, 2))
    assert 29 < (P[..., -1] - P[..., -2]).min() and (P[..., -1] - P[..., -2]).max() < 61
    most = min(600.0, 650 - (P[..., -1] - P[..., 0]).max())
    size = rng.choice([rng.uniform(0.5, 20), rng.uniform(0.5, 1) * most]) / np.abs(forward(theta, X)).max()
    return theta._replace(W_V=size * W_V), X, rng.choice([-1.0, 1.0], N)


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_saturated_a_right_gradient_is_never_refused_and_a_wrong_one_never_right(start):
    for seed in range(start, start + 20):
        theta, X, y = saturated(seed)
        f, right = (lambda p: loss(p, X, y)), gradients(theta, X, y)  # noqa: B023
        result = check_gradient(f, lambda p: right, theta)  # noqa: B023
        assert all(row.verdict in ("agrees", "unresolved") for row in result.rows), (seed, str(result))
        if seed % 2:
            continue  # for wrong gradients, which are further from right, every other point is enough
        mutant = MUTANTS[seed // 2 % len(MUTANTS)]
        wrong = mutant.gradients(theta, X, y)
        for block in theta._fields if mutant.block == "all" else [mutant.block]:
            off, size = (
                np.abs(a).max()
                for a in (getattr(wrong, block) - getattr(right, block), getattr(right, block))
            )
            if off > 1e-9 * size:  # at saturation a row of S may be as good as a column
                for method in ("complex_step", "central") if off > 1e-4 * size else ("complex_step",):
                    found = check_gradient(
                        f, lambda p, wrong=wrong: wrong, theta, blocks=[block], method=method
                    )
                    assert not found.passed, (seed, mutant.name, str(found))


HOSTILE = {  # f, its derivative, the point
    "log beside 1e40": (lambda a: np.log(a).sum(), lambda a: 1 / a, [1e-40, 1.0]),
    "log at 1e-300": (lambda a: np.log(a).sum(), lambda a: 1 / a, [1e-300, 3e-300]),
    "edge not at 0": (lambda a: np.log(1 - a).sum(), lambda a: -1 / (1 - a), [1 - 2**-30, 0.5]),
    "edge 1e-12 away": (lambda a: np.log1p(a).sum(), lambda a: 1 / (1 + a), [-1 + 2**-40, 0.5]),
    "root at its edge": (lambda a: np.sqrt(1 - a).sum(), lambda a: -0.5 / np.sqrt(1 - a), [1 - 2**-33, 0.5]),
    "tiny point": (lambda a: ((a * 1e200) ** 3).sum(), lambda a: 3e200 * (a * 1e200) ** 2, [1e-200, 2e-200]),
    "huge point": (lambda a: ((a * 1e-200) ** 2).sum(), lambda a: 2e-200 * (a * 1e-200), [1e200, 2e200]),
    "f = 0 at 0": (lambda a: (2 * a + a**2).sum(), lambda a: 2 + 2 * a, [0.0, 0.0]),
    "a kink near by": (lambda a: (np.maximum(a, 0) + a**2).sum(), lambda a: (a > 0) + 2 * a, [1.0, -1e-9]),
    "exp(-600 - tiny)": (
        lambda a: np.exp(-(600 + 1e-13 * a.sum())),
        lambda a: np.full(2, -1e-13 * np.exp(-(600 + 1e-13 * a.sum()))),
        [1.0, 2.0],
    ),
    "log(1 + e^-300)": (
        lambda a: np.log1p(np.exp(-a.sum())), lambda a: np.full(2, -1 / (1 + np.exp(a.sum()))), [100.0, 200.0]
    ),
    "as steep as a step": (
        lambda a: np.tanh(1e8 * (a - 0.5)).sum(),
        lambda a: 1e8 / np.cosh(1e8 * (a - 0.5)) ** 2,
        [0.5, 0.5 + 1e-9],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_function_is_passed_by_the_complex_step_and_its_wrong_gradient_by_nothing(name):
    f, slope, point = HOSTILE[name]
    right, wrong = slope(np.array(point)), slope(np.array(point)) * 1.01
    assert verdict(f, right, point, "complex_step") == "agrees"
    assert verdict(f, wrong, point, "complex_step") in ("differs", "unresolved")
    try:
        assert verdict(f, right, point, "central") in ("agrees", "unresolved")
        assert verdict(f, wrong, point, "central") in ("differs", "unresolved")
    except ValueError as error:  # no two steps within the domain
        assert "f is not finite near the point" in str(error)  # noqa: PT017
    if "step" not in name and "tiny" not in name:
        assert check_exactly(
            lambda p: f(p["a"]), lambda p: {"a": exact_slope(name, p["a"])}, at(point)
        ).passed


def exact_slope(name, a):
    return HOSTILE[name][1](a)


@pytest.mark.parametrize(
    "f, point",
    [
        (lambda a: np.maximum(a, 0).sum(), [1.0, 0.0]),
        (lambda a: np.max(a) ** 2 + a.sum(), [1.0, 1.0]),
    ],
)
def test_at_a_kink_no_claim_is_right(f, point):
    for claim in ([1.0, 0.0], [1.0, 0.5], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]):
        assert verdict(f, claim, point, "central") != "agrees"
        with pytest.raises(ValueError, match="kink at the point"):
            verdict(f, claim, point, "complex_step")
