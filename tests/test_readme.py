"""The README is run and compared, not believed."""

import csv
import re
from dataclasses import fields
from pathlib import Path

import pytest

import benign_ref as br
from benign_ref import audit
from benign_ref.wrong import MUTANTS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title):
    return re.split(r"^## ", TEXT.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def rows(title):
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_python_blocks_run_from_top_to_bottom(capsys):
    space = {"__name__": "readme"}
    for code in re.findall(r"```python\n(.*?)```", TEXT, flags=re.S):
        exec(compile(code, "README.md", "exec"), space)  # noqa: S102
    assert "nan" not in capsys.readouterr().out


def test_the_two_commands_are_there():
    assert "\npip install . && python run_all.py --quick\n" in TEXT
    assert "\npip install '.[test]' && python -m pytest\n" in TEXT


@pytest.mark.parametrize("row", rows("The map"), ids=lambda row: row[1] or row[0])
def test_every_place_the_map_names_exists_and_cites_its_label(row):
    _, label, mark, code, tests = row
    assert any(sign in mark.replace("\\", "") for sign in ("[P]", "[P*]", "[D]", "[C]"))
    for place in re.findall(r"`(benign_ref/[\w/]+\.py):(\w+)`", code):
        source = (ROOT / place[0]).read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {place[1]}\b", source, flags=re.M), place
        first = label.split("-")[0].split(",")[0]
        assert not first or re.search(rf"\b{first}\b", source), f"{place[0]} does not cite {first}"
    named = re.findall(r"`(tests/[\w/]+\.py)`", tests)
    assert named and all((ROOT / path).exists() for path in named)


def test_the_symbol_table_names_what_the_code_has():
    known = (
        {f.name for f in fields(br.Setting)}
        | set(br.Parameters._fields)
        | {"X", "y", "mu_plus", "mu_minus", "mu_norm", "noise_norm", "x", "T"}
    )
    named = {
        name for row in rows("Symbols") for cell in (row[1], row[3]) for name in re.findall(r"`(\w+)`", cell)
    }
    assert named <= known
    assert {
        "N",
        "M",
        "d",
        "d_h",
        "d_v",
        "snr",
        "sigma_p",
        "C_p",
        "sigma_h",
        "sigma_V",
        "w_O_norm",
        "eta",
        "epsilon",
        "W_Q",
        "W_K",
        "W_V",
        "w_O",
    } <= named


def test_every_picture_shown_is_in_the_repository():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures and all((ROOT / path).exists() for path in pictures)


def reference(name):
    with open(ROOT / "figures" / "reference" / "full" / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def found():
    """{first cell: the other cells} of the two tables of what was found."""
    return {row[0]: row[1:] for row in rows("What was found")}


def test_the_crossings_are_those_of_the_reference(found):
    claimed = {row["claim"].split(":")[0]: row for row in reference("claims")}
    claimed = [claimed[f"Figure 1, N = {N}"] for N in (4, 10, 20)]
    ours = [row["ours"].split(" draws cross, at ") for row in claimed]
    columns = {
        "as drawn: one pixel to the right, across bands of ten rows [A]": [row["drawn"] for row in claimed],
        "the authors' data, mean of ten rows [A]": [row["data"] for row in claimed],
        f"published protocol, our draws ({', '.join(draws.split()[-1] for draws, _ in ours)})":
            [crossing for _, crossing in ours],
        "the limit at the published scales": [row["computed"] for row in claimed],
    }  # fmt: skip
    for name, column in columns.items():
        assert found[name][:3] == column
    for name, row in zip(("test loss 0.2 at N·SNR², N = 4", "N = 10", "N = 20"), claimed, strict=True):
        crossing = row["ours"].split(" at ")[1]
        assert found[name][:4] == [row["captioned"], row["data"], crossing, row["computed"]]


@pytest.mark.parametrize("name, departure", [
    ("the limit at the published scales", "the published experiment (Figure 1)"),
    ("the limit, no extra step", "no step after L_S <= epsilon"),
    ("the limit, start of W_Q, W_K 3.4 times smaller", "start of W_Q, W_K 3.4 times smaller"),
    ("the limit, steps 113 times smaller", "steps 113 times smaller"),
    ("the limit, our small-step settings", "all of these: our small-step settings, D1"),
])  # fmt: skip
def test_the_limit_s_crossings_are_those_of_the_figure_departures(found, name, departure):
    computed = {r["N"]: float(r["the limit"]) for r in reference("departures") if r["departure"] == departure}
    assert found[name][:3] == [f"{computed[N]:.0f}" for N in ("4", "10", "20")]


def test_statements_and_wrong_gradients_are_counted():
    size = {re.match(r"\[(\w+)\]", row[0])[1]: row[2] for row in rows("The figures")}
    assert size["ledger"] == f"{len(audit.statements())} statements"
    assert size["checkers"] == f"{len(MUTANTS)} wrong gradients"
