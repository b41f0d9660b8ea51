"""The ledger: right code passes on any seed, what is gone or wrong fails in words; all forms say the same."""

import dataclasses
import html.parser
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import once
import pytest

from benign_ref import audit
from benign_ref.audit import core, exact, literal, mutants, render
from benign_ref.audit.core import AuditedPackage, Found, Row, Vacuous, run_row
from benign_ref.audit.mutants import patches
from benign_ref.audit.problems import INITIAL, MIXED, ONE_CLASS, ONE_TOKEN, SCALES, SHAPES, WIDE, drawn
from benign_ref.checks import relative_residual
from benign_ref.experiments import theorem

KNOWN, ALL = audit.statements(), mutants.MUTANTS
QUICK = [label for label, row in KNOWN.items() if "measured" not in row.mark]
NAMED = [(label, named) for label, row in KNOWN.items() if "measured" not in row.mark for named in row.code]
LINE = "for phi in S_n]) / len(S_n)"
NOTHING_WRONG = patches.Mutant(
    "nothing wrong", "I1", "paper/gradients.py", LINE, f"{LINE} + 0", "it is right"
)


@pytest.fixture(scope="module")
def entries():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theorem, "exponents", once.exponents)
        return audit.run()


@pytest.fixture(scope="module")
def at():
    return drawn(0, "G1")


def test_every_statement_has_a_row_that_holds_on_the_true_code(entries):
    labels = "D1 M1 M2 M3 G1 G2 G3 G4 GD P1 P2 P3 P4 I1 I2 I3 I4 I5 I6 LAW L1 L2 L3 L4 L5 T1 T2 T3"
    numbered = {"S": 3, "R": 4, "E": 6, "V": 9}
    labels = [
        *labels.split(),
        *(f"{letter}{k + 1}" for letter, most in numbered.items() for k in range(most)),
    ]
    assert [entry.row.label for entry in entries] == labels
    assert [entry.sentence for entry in entries if not entry.passed] == []
    for entry in entries:
        assert {one.scale for one in entry.found} == set(entry.row.scales)
        assert entry.exact.startswith("equal, as fractions") or entry.row.label not in exact.CASES
        assert ("measured" in entry.row.mark) == (entry.row.scales == ("initial",))


@pytest.mark.parametrize("label", QUICK)
def test_no_false_alarm_on_another_seed(label):
    # seeds 0 to 99 in all shapes were run when the allowed residuals were chosen; here one shape of another
    row = KNOWN[label]
    assert run_row(dataclasses.replace(row, shapes=row.shapes[:1]), AuditedPackage(), 100).sentence == ""


def owner(named):
    """(object, attribute) under which a named function is kept."""
    file, path = named.split(".py:")
    found = import_module(f"benign_ref.{file.replace('/', '.')}")
    *outer, last = path.split(".")
    for part in outer:
        found = getattr(found, part)
    return found, last


def run_on_one_problem(row):
    """The entry of a row on the first problem that it draws."""
    first = dataclasses.replace(row, scales=row.scales[:1], shapes=row.shapes[:1])
    return run_row(first, AuditedPackage())


@pytest.mark.parametrize("label,named", NAMED)
def test_a_function_that_is_gone_fails_its_row_with_a_sentence(label, named, monkeypatch):
    monkeypatch.delattr(*owner(named))
    entry = run_on_one_problem(KNOWN[label])
    assert (
        not entry.passed
        and entry.sentence.startswith(f"{label}: ")
        and named.replace(":", " has no function ") in entry.sentence
    )


@pytest.mark.parametrize("label,named", NAMED)
def test_a_function_that_breaks_fails_its_row_with_a_sentence(label, named, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("out of order")

    monkeypatch.setattr(*owner(named), broken)
    entry = run_on_one_problem(KNOWN[label])
    assert not entry.passed and "RuntimeError: out of order" in entry.sentence
    assert f"{named} is not the function of its file but test_audit.py:broken" in entry.sentence


def test_a_missing_or_failing_module_is_named(at):
    class Bare(AuditedPackage):
        package = "benign_ref"

        def __getattr__(self, name):
            if name == "law":
                raise core.Missing("law.py is missing")
            return super().__getattr__(name)

    assert run_row(KNOWN["LAW"], Bare()).sentence == "LAW: law.py is missing"
    with pytest.raises(core.Missing, match="nowhere.py is missing"):
        AuditedPackage().function("nowhere.py:f")


def test_what_raises_inside_the_package_is_named_with_its_function(at):
    def check(audited, problem):
        yield "a route", audited.gradients.softmax_jacobian(None), 1.0

    sentence = run_row(Row("X", "", "", "", (), check), AuditedPackage()).sentence
    assert sentence.startswith("X: paper/gradients.py:softmax_jacobian, line ") and "raised" in sentence


@pytest.mark.parametrize(
    "residual,passed", [(1.0, True), (1.1, False), (np.nan, False), (np.inf, False), (0.0, True)]
)
def test_a_residual_passes_only_at_or_below_what_is_allowed(residual, passed, at):
    entry = run_row(
        Row("X", "x", "", "", (), lambda audited, problem: [("a route", residual, 1.0)]), AuditedPackage()
    )
    assert (
        entry.passed == passed
        and entry.rejected_at("generic") != passed
        and ("X" in entry.sentence) != passed
    )
    assert Found("", "", residual, 1.0).passed == passed


def test_no_route_and_zero_blocks_are_no_pass(at):
    assert (
        "nothing was checked"
        in run_row(Row("X", "x", "", "", (), lambda audited, problem: []), AuditedPackage()).sentence
    )
    with pytest.raises(Vacuous):
        relative_residual(np.zeros(3), np.zeros(3))
    assert (
        relative_residual([1.0, np.nan], [1.0, 1.0]) == np.inf and relative_residual([1.0], [[1.0]]) == np.inf
    )
    assert relative_residual([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)


def test_the_ledger_s_own_models_agree_by_loops_and_by_einsum(at):
    for problem in at:
        f, S = literal.triple_loop(problem.theta, problem.X)
        assert relative_residual(literal.outputs(problem.theta, problem.X), f) < 1e-12
        assert relative_residual(literal.softmax(literal.logits(problem.theta, problem.X)), S) < 1e-12
        for block, step in enumerate(problem.gradient):
            if not problem.saturated:
                assert relative_residual(problem.difference(block), step) < 1e-6
        assert all(np.abs(block).max() > 0 for block in problem.gradient)


def test_each_scale_and_shape_is_what_it_says():
    for seed in range(20):
        for one in drawn(seed, "M1", SCALES, (*SHAPES, ONE_TOKEN)):
            (N, M, _), d_h = one.X.shape, one.theta[0].shape[1]
            P, S = np.sort(literal.logits(one.theta, one.X)), one.exact[1]
            assert 1 <= N <= 5 and 1 <= M <= 9 and (M == 1) == (one.shape == ONE_TOKEN)
            assert one.shape != ONE_CLASS or one.saturated or len(set(one.y)) == 1
            assert one.shape != MIXED or one.saturated or len(set(one.y)) == min(N, 2)
            assert one.shape != WIDE or d_h > 64 and d_h > 2 * N * M
            if one.scale == INITIAL:
                assert np.abs(S - 1 / M).max() < 0.05
            if one.saturated:
                margins = np.abs(one.exact[0]).max()
                assert M == 1 or 10 < (P[..., -1] - P[..., -2]).min() < (P[..., -1] - P[..., -2]).max() < 60
                assert margins <= 601 and margins + (P[..., -1] - P[..., 0]).max() < 651


def test_text_markdown_and_json_say_the_same(entries):
    text, table, data = (
        render.text(entries, "title"),
        render.markdown(entries, "title"),
        json.loads(render.as_json(entries, "0", 0)),
    )
    assert (
        max(map(len, text.splitlines())) <= 120
        and f"{len(KNOWN)} of {len(KNOWN)} statements hold" in text
        and data["passed"] is True
    )
    for entry, row in zip(entries, data["rows"]):
        assert (
            row["label"] == entry.row.label
            and row["verdict"] == "holds"
            and len(row["routes"]) == len(entry.found)
        )
        for number in render.numbers(entry):
            assert f"| {number} |" in next(
                line for line in table.splitlines() if line.startswith(f"| {entry.row.label} |")
            )
    routes = " ".join(render.text(entries, "t", routes=True).split())
    assert all(one.route in routes for one in entries[0].found)


def failing(entries):
    entry = entries[0]
    found = (*entry.found, Found("a wrong <route>", "generic", np.inf, 1e-9))
    return [dataclasses.replace(entry, found=found, sentence="D1: broken & <so on>"), *entries[1:]]


def test_a_failing_row_shows_in_every_form(entries):
    wrong = failing(entries)
    assert f"{len(KNOWN) - 1} of {len(KNOWN)}" in render.text(
        wrong, "t"
    ) and "BROKEN D1: broken & <so on>" in render.text(wrong, "t")
    assert "FAILS: D1: broken" in render.markdown(wrong, "t")
    data = json.loads(render.as_json(wrong, "0", 0))
    assert data["passed"] is False and data["rows"][0]["routes"][-1]["residual"] is None
    assert "D1: broken &amp; &lt;so on&gt;" in render.as_html(wrong, "t")


def test_the_page_is_one_file_with_equation_code_and_residuals(entries):
    text = render.as_html(entries, "The ledger")
    tags = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append(tag)
            assert not {"src", "srcset"} & {name for name, _ in attributes} and tag not in (
                "link",
                "script",
                "img",
                "iframe",
            )

    Parser().feed(text)
    assert tags.count("section") == len(KNOWN) and "prefers-color-scheme: dark" in text
    assert "http" not in text.split("</style>")[0] and "url(" not in text
    for excerpt in (
        "def softmax_jacobian(phi: np.ndarray)",
        "def gather(rows, tokens, q, k, c):",
        "def move_block(QK, QQ, KK, B, G, eta, work):",
    ):
        assert excerpt in text  # kernels too, behind their compiled form


def cannot(*arguments):
    raise OSError(28, "No space left on device")


def test_command_line(tmp_path, capsys, monkeypatch):
    assert (
        audit.main(["--only", "I1", "M3", "--seed", "5"]) == 0
        and "2 of 2 statements hold" in capsys.readouterr().out
    )
    assert audit.main(["--only", "I1", "--json"]) == 0 and json.loads(capsys.readouterr().out)["seed"] == 0
    assert audit.main(["--only", "I1", "--html", str(tmp_path / "a.html")]) == 0
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with monkeypatch.context() as full:
        full.setattr(Path, "replace", cannot)
        assert audit.main(["--only", "M3", "--html", str(tmp_path / "a.html")]) == 2
    assert "cannot write" in capsys.readouterr().err and list(tmp_path.iterdir()) == [tmp_path / "a.html"]
    assert 'id="I1"' in (tmp_path / "a.html").read_text(encoding="utf-8")  # what was there stays
    assert audit.main(["--only", "I2", "--mutants"]) == 0
    assert "1 of 1 mutants rejected" in capsys.readouterr().out
    monkeypatch.setattr(AuditedPackage().gradients, "coupling", lambda S_n, c_n: S_n)
    assert audit.main(["--only", "I1", "--markdown"]) == 1 and "FAILS" in capsys.readouterr().out
    nowhere = str(tmp_path / "no" / "a.html")
    files = [["--html", name] for name in (nowhere, "", str(tmp_path))]
    seeds = [["--seed", seed] for seed in ("-1", "1" * 30, "word")]
    for wrong in (["--only", "G9"], ["--json", "--markdown"], *files, *seeds):
        with pytest.raises(SystemExit) as stopped:
            audit.main(wrong)
        assert stopped.value.code == 2
    with pytest.raises(ValueError, match="^only must hold labels"):
        audit.run(["G9"])
    with pytest.raises(ValueError, match="^seed "):
        audit.run(["G1"], -1)


def test_module_hands_over_to_its_commands():
    def call(*words):
        return subprocess.run([sys.executable, "-m", "benign_ref", *words], capture_output=True, text=True)

    assert "audit" in call().stdout and call("nothing").returncode == 2
    shown = call("audit", "--only", "I1")
    assert shown.returncode == 0 and "1 of 1 statements hold" in shown.stdout


def test_each_scale_is_judged_by_itself_and_each_seed_is_another_problem(at):
    entry = run_row(
        Row(
            "X",
            "x",
            "",
            "",
            (),
            lambda audited, problem: [("a route", float(problem.scale == "generic"), 0.5)],
        ),
        AuditedPackage(),
    )
    assert entry.rejected_at("generic") and not entry.rejected_at("initial") and not audit.rejected([entry])
    assert entry.tightest.scale == "generic" and render.route_of(entry) == "a route (generic scale)"
    for one, two in zip(at, drawn(1, "G1")):
        assert not np.isin(one.theta[0], two.theta[0]).any() and not np.isin(one.X, two.X).any()


def test_a_mutant_that_is_not_rejected_or_does_not_fit_is_told_and_gives_status_1(capsys, monkeypatch):
    for mutant, error in (
        (NOTHING_WRONG, ""),
        (NOTHING_WRONG._replace(old="gone"), "error: mutant 'nothing wrong' (I1) does not fit: 'gone' must"),
        (NOTHING_WRONG._replace(file="paper/gone.py"), "error: [Errno 2] No such file"),
    ):
        rejected = [] if error else [next(one for one in ALL if one.label == "I2")]
        monkeypatch.setattr(mutants, "MUTANTS", [mutant, *rejected])
        assert audit.main(["--mutants"]) == 1
        said = capsys.readouterr()
        assert f"{len(rejected)} of {1 + len(rejected)} mutants rejected" in said.out
        assert said.err.startswith(error)
        told = f"NOT REJECTED: nothing wrong (I1, {mutant.file}): it is right"
        assert told in said.out and bool(said.err) == bool(error)


def test_numbers_are_short():
    shown = [render.number(value) for value in (0.0, 1.23456e-12, 0.25, 12345.6, np.inf, np.nan)]
    assert shown == ["0", "1.2e-12", "0.25", "1.2e+04", "inf", "inf"]
