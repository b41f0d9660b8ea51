import json

import pytest

import run_all
from figures import NAMES


def test_list_names_every_figure(capsys):
    assert run_all.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES) and all(len(line) > 20 for line in lines)


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--seed", "-1"], "--seed must be an integer >= 0, got -1"),
        (["--jobs", "0"], "--jobs must be an integer >= 1, got 0"),
        (["--executor", "mpi"], "--executor must be dask:ADDRESS, got 'mpi'"),
        (["--only", "fig99"], "invalid choice: 'fig99'"),
        (["--jobs", "2", "--executor", "dask:tcp://h:1"], "--jobs and --executor exclude each other"),
        (["--mnist", "nowhere"], "--mnist must be a folder, got 'nowhere'"),
    ],
)
def test_a_wrong_command_line_is_explained(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        run_all.main(argv)
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match="cannot write there"):
        run_all.main(["--only", "small_steps", "--out", str(tmp_path / "file" / "out")])


def test_the_manifest_says_what_was_used():
    environment = run_all.environment()
    assert {"python", "numpy", "numba", "matplotlib", "processor", "commit", "benign_ref"} <= set(environment)
    json.dumps(environment)


def test_a_later_run_of_one_figure_keeps_what_the_manifest_says_of_others(tmp_path, capsys):
    run_all.note(tmp_path, "fig1", {"seed": 0})
    run_all.note(tmp_path, "speed", {"seed": 3})
    run_all.note(tmp_path, "fig1", {"seed": 1})
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")) == {
        "figures": {"fig1": {"seed": 1}, "speed": {"seed": 3}}
    }
    (tmp_path / "manifest.json").write_text("{torn", encoding="utf-8")
    run_all.note(tmp_path, "fig1", {"seed": 2})
    assert "begun afresh" in capsys.readouterr().err
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")) == {
        "figures": {"fig1": {"seed": 2}}
    }


def test_a_store_of_other_settings_is_told_in_words(tmp_path, capsys):
    (tmp_path / "store" / "small_steps-proof").mkdir(parents=True)
    (tmp_path / "store" / "small_steps-proof" / "settings.json").write_text(
        '{"engine": "another"}', encoding="utf-8"
    )
    assert run_all.main(["--only", "small_steps", "--quick", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert (
        "small_steps could not be made: store" in said
        and "engine: 'another' in the store, 'proof' asked for" in said
    )
    assert "Traceback" not in said and "Traceback" in (tmp_path / "error.txt").read_text(encoding="utf-8")
