"""The README is run and compared, not believed."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import benign_ref as br

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
