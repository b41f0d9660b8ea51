"""The paper's numbers beside our labels: none by default, an auditor's in every form, refusals in words."""

import json

import pytest

from benign_ref import audit
from benign_ref.audit import concordance, exact


def written(tmp_path, text):
    path = tmp_path / "numbers.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_file_of_the_project_has_every_label_and_no_number():
    rows = concordance.HOME.read_text(encoding="utf-8").splitlines()
    assert rows[0] == "label,number" and rows[1:] == [f"{label}," for label in audit.statements()]
    assert concordance.read(concordance.HOME, audit.statements()) == {}


@pytest.mark.parametrize("form", [[], ["--markdown"], ["--json"], ["--html"]])
def test_an_auditor_s_numbers_stand_beside_the_labels_in_every_form(form, tmp_path, capsys):
    numbers = written(tmp_path, 'label,number\nI1,"Lemma <4>, p. 7"\nM3,\n')
    if form == ["--html"]:
        form.append(str(tmp_path / "page.html"))
    assert audit.main(["--only", "I1", "M3", "--concordance", numbers, *form]) == 0
    text = capsys.readouterr().out
    if "--json" in form:
        assert [row["number"] for row in json.loads(text)["rows"]] == ["", "Lemma <4>, p. 7"]
    elif "--html" in form:
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert page.count("I1 = Lemma &lt;4&gt;, p. 7") == 2 and "M3 =" not in page
    else:
        assert "I1 = Lemma <4>, p. 7" in text and "M3 =" not in text


@pytest.mark.parametrize(
    "text,words",
    [
        ("label,number\nG9,1\n", "unknown label 'G9'"),
        ("label,number\nG1,1\nG1,2\n", "'G1' twice"),
        ("G1,1\n", "must begin with the line label,number"),
        ("", "must begin with the line label,number"),
        ("label,number\nG1\n", "must have lines label,number, got 'G1'"),
    ],
)
def test_what_is_no_concordance_is_refused_before_any_work(text, words, tmp_path, capsys):
    for path, sentence in ((written(tmp_path, text), words), (str(tmp_path / "none"), "cannot read")):
        with pytest.raises(SystemExit) as stopped:
            audit.main(["--concordance", path])
        assert stopped.value.code == 2 and sentence in capsys.readouterr().err


def test_exact_arithmetic_is_a_column_and_can_fail_a_row(monkeypatch, capsys):
    audit.main(["--only", "I1", "S2", "--json"])
    first, second = json.loads(capsys.readouterr().out)["rows"]
    assert (
        first["exact"].startswith("equal, as fractions (wrong with a probability of")
        and second["exact"] == ""
    )

    def differs(audited, field, label):
        yield "a route", field.draw((2,)), field.draw((2,))

    monkeypatch.setitem(exact.CASES, "I1", differs)
    assert audit.main(["--only", "I1"]) == 1
    assert "I1: REJECTED, as fractions: a route" in capsys.readouterr().out
