"""The walk's checks must hold on any example and fail when a formula is wrong; what it prints must be what it
computed.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from once import walk

from benign_ref.paper.gradients import gradients
from benign_ref.paper.model import forward
from benign_ref.teach import derivation, derive, model_steps, proof_steps, weights


@pytest.mark.parametrize("name", derive.TARGETS)
def test_every_check_of_every_walk_holds_on_any_example(name):
    for seed in range(3):
        for step in derive.TARGETS[name].steps(seed):
            assert step.checks and all(check.passed for check in step.checks), (seed, step.title, step.checks)


@pytest.mark.parametrize("name", derive.TARGETS)
def test_every_check_says_what_fractions_say(name):
    checks = {check.what: check for step in walk(name, 0) for check in step.checks}
    undecided = {what for what, check in checks.items() if check.exact == derivation.UNDECIDED}
    assert undecided <= {"L_S against -(1/N) log of the product of all 1/(1 + e^{-z})"}  # log a + log b
    not_tried = {what for what, check in checks.items() if not check.exact}
    assert not_tried <= {"the same by central differences", "as many tokens as different rows in the data"}
    assert max(check.chance for check in checks.values()) < 1e-6


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_fractions_judge_every_entry_by_its_own_size(scale):
    """The first entry needs e^(a+b) = e^a e^b; the second is right or wrong by a 1e-16th."""

    def steps(field):
        a, b = derivation.decimals(np.random.default_rng(0), (2,), field)
        rule = [np.exp(a) * np.exp(b), scale * a], [np.exp(a + b), scale * a]
        wrong = rule[0], [np.exp(a + b), scale * a * (1 + 2.0**-52)]
        same = [a, b], [a, b]
        checks = [derivation.compare("", *map(np.array, sides)) for sides in (same, rule, wrong)]
        return [derivation.Step("", "", "", [], checks)]

    (step,) = derivation.with_fractions(steps, 0)
    said = [check.exact for check in step.checks]
    assert said == [derivation.EQUAL, derivation.UNDECIDED, derivation.UNEQUAL]
    assert step.checks[0].chance == 2 * 4 / 2**64  # of two numbers on either side
    assert all(check.residual < 1e-15 for check in step.checks)  # in floating point nothing is seen
    assert [check.passed for check in step.checks] == [True, True, False]


def broken(function, change):
    return lambda *arguments: change(function(*arguments))


@pytest.mark.parametrize(
    "name, module, what, change, fails",
    [
        ("W_Q", derivation, "coupling", lambda D: D.T, "From an output to its logits"),
        ("W_K", model_steps, "softmax_jacobian", abs, "Through the softmax"),
        (
            "W_V",
            derivation,
            "mean_attention",
            lambda a: a[::-1],
            "From an output to the values of its tokens",
        ),
        ("w_O", derivation, "output_cotangent", lambda g: 2 * g, "From the loss to the outputs"),
        ("W_Q", derivation, "forward", lambda f: -f, "The loss"),
        ("W_Q", derivation, "attention", lambda S: S.transpose(0, 2, 1), "The model"),
        ("W_Q", weights, "gradients", lambda G: G._replace(W_Q=-G.W_Q), "Sum over the samples: G1"),
        ("W_Q", weights, "gradients", lambda G: G._replace(W_Q=G.W_K), "What it is for: gradient descent"),
        ("V_plus", proof_steps, "gradients", lambda G: G._replace(W_V=2 * G.W_V), "$V_+$ in closed form"),
        ("V_plus", proof_steps, "gradients", lambda G: G._replace(W_V=-G.W_V), "All tokens at once: P1"),
        ("q_plus", proof_steps, "gradients", lambda G: G._replace(W_Q=G.W_K), "All tokens at once: P2"),
        ("q_plus", derivation, "coupling", lambda D: D.T, "What $mu_+$ picks out: the first row of $D_n$"),
    ],
)
def test_a_wrong_formula_fails_its_own_step(monkeypatch, name, module, what, change, fails):
    monkeypatch.setattr(module, what, broken(getattr(module, what), change))
    steps = derive.TARGETS[name].steps(0)
    assert fails in [step.title for step in steps if not all(check.passed for check in step.checks)]


@pytest.mark.parametrize(
    "block, change",
    [
        ("W_Q", lambda one: -one),
        ("W_K", lambda one: one[:, ::-1]),
        ("W_V", lambda one: 2 * one),
        ("w_O", lambda one: one[::-1]),
    ],
)
def test_a_wrong_last_link_fails_where_it_is(monkeypatch, block, change):
    name = f"into_{block}"
    monkeypatch.setitem(weights.SOLUTIONS, name, broken(weights.SOLUTIONS[name], change))
    steps = {step.title: step for step in derive.TARGETS[block].steps(0)}
    into, total = (
        steps[f"From there into ${block}$"],
        next(step for title, step in steps.items() if title.startswith("Sum over")),
    )
    assert not any(check.passed for check in into.checks) and not any(check.passed for check in total.checks)


def test_a_wrong_formula_is_the_exit_status_and_fractions_refuse_it_too(monkeypatch, capsys):
    monkeypatch.setattr(derivation, "coupling", broken(derivation.coupling, lambda D: D.T))
    assert derive.main(["W_Q"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "FAIL" in said
        and "D_n against the derivative of f_n in P_n, by complex step: NOT equal as fractions" in said
    )


def test_the_equations_shown_are_those_written_beside_the_code():
    beside = dict(
        re.findall(r"# (G[1-4]): (.*)", Path(gradients.__code__.co_filename).read_text(encoding="utf-8"))
    )
    assert {one.label: one.short for one in weights.CHAINS.values()} == {
        k: f"sum_n {v}" for k, v in beside.items()
    }


def test_an_example_holds_what_D1_asks_and_leaves_no_check_vacuous():
    for seed in range(20):
        ex = proof_steps.ProofExample(seed)
        assert ex.N == 3 and len(ex.plus) == 2 and len(np.unique(ex.Z, axis=0)) == 8
        assert (
            np.abs(ex.X[:, 1:] @ ex.mu_plus).max()
            == np.abs(ex.X[:, 1:] @ ex.mu_minus).max()
            == ex.mu_plus @ ex.mu_minus
            == 0
        )
        assert (ex.X[:, 0] == np.where(ex.y[:, None] > 0, ex.mu_plus, ex.mu_minus)).all()
        assert np.abs(ex.f - forward(ex.theta, ex.X)).max() == 0 and all(
            np.abs(W).min() > 0.1 for W in ex.theta
        )
        assert all(
            abs(10 * W - np.round(10 * W)).max() < 1e-12 for W in ex.theta
        )  # one decimal: a reader can repeat it


def test_a_comparison_of_zeros_is_no_pass():
    assert not derivation.compare("nothing", np.zeros(2), np.zeros(2)).passed
    assert not derivation.compare("a NaN", np.array([np.nan, 1.0]), np.ones(2)).passed
    assert (
        derivation.compare("ones", [np.ones(2)], [np.ones(2)]).passed
        and not derivation.compare("", 1.0, 1.001).passed
    )


def test_what_fractions_say_is_left_out_where_they_were_not_tried(monkeypatch, capsys):
    step = derivation.Step("", "", "", [], [derivation.Check("", 0.0, 1e-12)])
    monkeypatch.setattr(derive, "walk", lambda name, seed: [step])
    assert derive.main(["W_Q"]) == 0 and capsys.readouterr().out.endswith("\n1 of 1 checks hold\n")


def test_the_printed_gradient_is_the_gradient(monkeypatch, capsys):
    monkeypatch.setattr(derive, "walk", walk)
    assert derive.main(["W_Q", "--seed", "11"]) == 0
    text = capsys.readouterr().out
    printed = text[text.index("gradient of L_S in W_Q = ") :].split("=", 1)[1]
    numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", printed.split("ok")[0])]
    ex = derivation.Example(11, (1, -1))
    assert np.reshape(numbers, (4, 2)) == pytest.approx(
        gradients(ex.theta, ex.X, ex.y).W_Q, rel=1e-4, abs=1e-9
    )
    assert (
        max(map(len, text.splitlines())) <= 100
        and "$" not in text
        and "12 of 12 checks hold, 10 of them equal, as fractions" in text
    )
    derive.main(["W_Q", "--seed", "4"])
    assert capsys.readouterr().out != text


class Balance(HTMLParser):
    """Counts what opens and closes, and keeps every address."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.seen = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.addresses += [value for key, value in attributes if key in ("href", "src")]
        if tag not in ("meta", "wbr", "mspace"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        if tag != "li":
            while self.open[-1] == "li":
                self.open.pop()
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", derive.TARGETS)
def test_the_page_is_one_file_with_every_step(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(derive, "walk", walk)
    assert derive.main([name, "--html", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    reader = Balance()
    reader.feed(page)
    steps = walk(name, 0)
    assert (
        reader.open == [] and reader.seen.count("h2") == len(steps) and "prefers-color-scheme: dark" in page
    )
    assert all(address.startswith("#step") for address in reader.addresses) and len(reader.addresses) == len(
        steps
    )
    assert page.count('class="ok"') == sum(len(step.checks) for step in steps) and 'class="FAIL"' not in page
    assert reader.seen.count("math") > 10 * len(steps)


def test_step_waits_after_each_step_and_stops_when_asked(monkeypatch, capsys):
    answers = iter(["", "", "q"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    monkeypatch.setattr(derive, "walk", walk)
    assert derive.main(["W_V", "--step"]) == 0
    text = capsys.readouterr().out
    assert "3/7" in text and "4/7" not in text and next(answers, None) is None

    def closed(prompt):
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert derive.main(["W_V", "--step"]) == 0 and "7/7" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["W_X"], ["W_Q", "--seed", "-1"], ["W_Q", "--seed", "x"]])
def test_wrong_arguments_are_exit_status_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        derive.main(argv)
    assert stop.value.code == 2 and "usage" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error_not_a_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        derive.main(["W_Q", "--html", str(tmp_path / "no" / "page.html")])
    assert caught.value.code == 2 and "whose folder is not there" in capsys.readouterr().err


def test_a_page_is_written_whole_or_what_was_there_stays(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.html"
    assert derive.page.write(page, "first")

    def full(self, text, encoding):
        with open(self, "w", encoding=encoding) as file:
            file.write(text[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(page), "write_text", full)
    assert not derive.page.write(page, "second") and "No space left" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "first" and list(tmp_path.iterdir()) == [page]


def test_walk_names_what_it_takes():
    with pytest.raises(ValueError, match="'V_plus'"):
        derive.walk("V")
    with pytest.raises(ValueError, match="seed"):
        derive.walk("W_Q", -1)
