"""Every step of every walk has an exercise; its solution is right, each named mistake is recognised by name,
and a broken file gets a sentence.
"""

import numpy as np
import pytest

from benign_ref.paper.gradients import gradients
from benign_ref.teach import derive, exercises
from benign_ref.teach.exercises import judged, main, result, versions
from benign_ref.teach.proof_steps import ProofExample
from benign_ref.teach.solutions import ASKED, SOLUTIONS
from benign_ref.wrong import MISTAKES, MUTANTS

CATALOGUE = exercises.catalogue()
FILES = {
    "coupling": """
import numpy as np
def coupling(S_n, c_n):
    D = S_n * 0
    for l in range(len(c_n)):
        for j in range(len(c_n)):
            D[l, j] = S_n[l, j] * (c_n[j] - S_n[l] @ c_n) / len(c_n)
    return D
""",
    "W_Q": """
import numpy as np
def gradient_W_Q(X, y, W_Q, W_K, W_V, w_O):
    total = 0
    for X_n, y_n in zip(X, y):
        S = np.exp(X_n @ W_Q @ W_K.T @ X_n.T)
        S, c = S / S.sum(axis=1, keepdims=True), X_n @ W_V @ w_O
        g = -y_n / (1 + np.exp(y_n * (S @ c).mean())) / len(y)
        D = S * (c - (S @ c)[:, None]) / len(c)
        total = total + g * X_n.T @ D @ X_n @ W_K
    return total
""",
}


def tried(tmp_path, capsys, name, text, *options):
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    status = main([name, str(file), *options])
    said = capsys.readouterr()
    return status, " ".join((said.out + said.err).split())


def test_every_step_has_an_exercise_and_every_exercise_its_mistakes():
    asked = {step.exercise for name, walk in derive.TARGETS.items() for step in walk.steps(0)}
    assert asked == set(SOLUTIONS) and len(CATALOGUE) == len(SOLUTIONS) == 34
    assert all(len(versions(one.function)) > 1 for one in CATALOGUE.values())
    assert {mistake.step for mistake in MISTAKES} <= set(SOLUTIONS) and set(ASKED) <= set(SOLUTIONS)


def test_no_two_sizes_of_the_example_are_the_same_but_d_and_N():
    example = CATALOGUE["W_Q"].example(0)
    theta = example.theta
    sizes = [example.N, example.M, len(example.Z), theta.W_Q.shape[1], theta.W_V.shape[1]]
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_solution_is_right_and_each_named_mistake_is_recognised(name):
    right, small = CATALOGUE[name].function, {}

    def example(seed, field=None):  # each once, and small
        if (field is None) not in small:
            is_proof = "theta" in vars(CATALOGUE[name].example(0))
            made = ProofExample(3, field, (1, -1), 5) if is_proof else CATALOGUE[name].example(3, field)
            small[field is None] = made
        return small[field is None]

    exercise = CATALOGUE[name]._replace(example=example)
    for version in versions(right):

        def learners(*arguments, formula=version.formula):
            exact = any(np.asarray(one).dtype == object for one in arguments)
            return result(formula, example(3, field=exact or None))

        verdict, words = judged("mine.py", exercise, learners, 3)
        assert verdict == (version.name == "") and version.name in words and version.hint in words
        assert "equal, as fractions, by chance" in words


def test_no_two_mistakes_of_a_step_are_the_same_and_none_is_right():
    for name, exercise in CATALOGUE.items():
        example = exercise.example(1)
        results = [result(version.formula, example) for version in versions(exercise.function)]
        for k, a in enumerate(results):
            for b in results[:k]:
                assert np.shape(a) != np.shape(b) or np.abs(a - b).max() > 1e-6 * np.abs(b).max(), name
    for mutant in MUTANTS:
        if mutant.block != "all":
            there = versions(SOLUTIONS[f"gradient_{mutant.block}"])
            assert mutant.name in [version.name for version in there]


def test_the_solutions_are_the_gradients_of_the_reference():
    example = ProofExample(2)
    G = gradients(example.theta, example.X, example.y)
    for block, expected in G._asdict().items():
        got = SOLUTIONS[f"gradient_{block}"](example.X, example.y, *example.theta)
        assert np.abs(got - expected).max() < 1e-15


def test_a_learner_s_loops_are_right_as_fractions(tmp_path, capsys):
    status, said = tried(tmp_path, capsys, "coupling", FILES["coupling"])
    assert status == 0 and said.startswith("right: equal, as fractions")


def test_floats_and_another_shift_are_right_and_said_to_be_less(tmp_path, capsys):
    text = FILES["coupling"].replace("S_n * 0", "np.zeros(S_n.shape)")
    status, said = tried(tmp_path, capsys, "coupling", text)
    assert status == 0 and "equal to rounding; not tried on fractions" in said and "cast to float" in said
    status, said = tried(tmp_path, capsys, "gradient_W_Q", FILES["W_Q"])
    assert status == 0 and "equal to 90 digits; as fractions not decided" in said
    rounded = "S_n, c_n = (np.vectorize(lambda x: float(getattr(x, 'value', x)))(a) for a in (S_n, c_n))"
    text = FILES["coupling"].replace("    D = S_n * 0", f"    {rounded}\n    D = S_n * 0")
    status, said = tried(tmp_path, capsys, "coupling", text)
    assert status == 0 and "not tried on fractions: it gives floating-point numbers" in said
    text = FILES["coupling"].replace("/ len(c_n)", "* 0.3333333333333333")
    status, said = tried(tmp_path, capsys, "coupling", text)
    assert status == 0 and "a constant was rounded" in said


def test_a_wrong_one_is_named_or_its_first_entry_shown(tmp_path, capsys):
    status, said = tried(tmp_path, capsys, "W_Q", FILES["W_Q"].replace("@ D @", "@ D.T @"))
    assert status == 1 and "'D transposed'" in said and "queries belong to the rows" in said
    status, said = tried(tmp_path, capsys, "W_Q", FILES["W_Q"].replace("@ W_K\n", "@ W_K * 7\n"))
    assert status == 1 and "every entry is 7 times the right one" in said and "One step back" in said
    status, said = tried(tmp_path, capsys, "coupling", FILES["coupling"].replace("c_n[j] -", "c_n[l] -"))
    assert status == 1 and "entry [0, 1] (counted from 0)" in said and "phi_j (1[i=j] - phi_i)" in said
    status, said = tried(tmp_path, capsys, "coupling", FILES["coupling"].replace("return D", "return D[0]"))
    assert status == 1 and "shape (3,), wanted is (3, 3)" in said
    status, said = tried(tmp_path, capsys, "coupling", FILES["coupling"].replace("return D", "return 0 * D"))
    assert status == 1 and "is 0, right is" in said and "every entry" not in said
    status, said = tried(tmp_path, capsys, "output", "def output(X_n, W_Q, W_K, W_V, w_O): return 3")
    assert status == 1 and "the number is 3, right is" in said and "every entry" not in said


@pytest.mark.parametrize(
    "text, words",
    [
        ("def coupling(S_n, c_n:\n", "line 1: SyntaxError"),
        ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("", "must define coupling(S_n, c_n); it defines no function"),
        ("def other(x): return x", "it defines other(x)"),
        ("def coupling(S_n): return S_n", "must define coupling(S_n, c_n); it defines coupling(S_n)"),
        ("def coupling(S_n, c_n):\n    return nothing", "line 2: NameError"),
        ("def coupling(S_n, c_n):\n    return 'x'", "must return real numbers"),
        ("def coupling(S_n, c_n):\n    return None", "must return real numbers"),
        ("def coupling(S_n, c_n):\n    return S_n * 1j", "must return real numbers"),
        ("raise KeyboardInterrupt", None),
    ],
)
def test_a_broken_file_gets_a_sentence(tmp_path, capsys, text, words):
    if words is None:  # the mechanism of all commands answers it
        with pytest.raises(KeyboardInterrupt):
            tried(tmp_path, capsys, "coupling", text)
        return
    status, said = tried(tmp_path, capsys, "coupling", text)
    assert status == 2 and said.startswith("not tried: ") and words in said and "Traceback" not in said


def test_the_template_can_be_started_from_and_gives_nothing_away(tmp_path, capsys):
    for name in CATALOGUE:
        assert main([name, "--template"]) == 0
        text = capsys.readouterr().out
        status, said = tried(tmp_path, capsys, name, text)
        assert status == 2 and "NotImplementedError: yours" in said
    for words in ("list", "hint", "solution"):
        assert main(["coupling"][: words != "list"] + [f"--{words}"]) == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    "argv, words",
    [
        ([], "NAME must be one of"),
        (["nope", "x.py"], "NAME must be one of"),
        (["coupling"], "FILE must be"),
        (["coupling", "absent.py"], "FILE must be a Python file that is there"),
        (["coupling", "x.py", "--hint"], "FILE is not read here"),
        (["coupling", "--hint", "--list"], "not allowed with"),
        (["coupling", "x.py", "--seed", "-1"], "--seed"),
        (["coupling", "x.py", "--seed", "9" * 30], "--seed"),
    ],
)
def test_wrong_arguments_are_exit_status_2(argv, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2 and words in capsys.readouterr().err


def test_nothing_but_the_command_runs_the_file(tmp_path, capsys):
    flag = tmp_path / "ran"
    text = f"open({str(flag)!r}, 'w').close()\n"
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    for option in ("--template", "--hint", "--solution"):
        main(["coupling", option])
    assert not flag.exists()
    assert tried(tmp_path, capsys, "coupling", text)[0] == 2 and flag.exists()
