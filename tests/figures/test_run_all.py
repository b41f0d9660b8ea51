"""run_all.py: wrong command lines, folders shared, damaged and full, executors that are not there."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import run_all
from benign_ref.runtime import store
from figures import NAMES, common, compare, index

ROOT = Path(run_all.__file__).resolve().parent


def test_list_names_every_figure(capsys):
    assert run_all.load(["--list"])() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES) and all(len(line) > 20 for line in lines)


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--seed", "-1"], "--seed: must be an integer from 0 to 2**53, got '-1'"),
        (["--seed", "9" * 30], "--seed: must be an integer from 0 to 2**53, got '999"),
        (["--jobs", "0"], "--jobs: must be an integer from 1 to 2**53, got '0'"),
        (
            ["--executor", "mpi"],
            "--executor must be dask:ADDRESS with an address like tcp://10.0.0.1:8786, got 'mpi'",
        ),
        (["--executor", "dask:"], "got 'dask:'"),
        (["--executor", ""], "got ''"),
        (["--executor", "dask:cluster"], "got 'dask:cluster'"),
        (["--only", "fig99"], "invalid choice: 'fig99'"),
        (["--jobs", "2", "--executor", "dask:tcp://h:1"], "--jobs and --executor exclude each other"),
        (
            ["--mnist", "nowhere"],
            "--mnist: path must be a folder with the four IDX files of MNIST, got 'nowhere'",
        ),
        (["--authors-matrix", "nowhere"], "--authors-matrix: nowhere: cannot be read as the authors' matrix"),
        (["--out", ""], "--out: must be a folder, got ''"),
        (["--out", __file__], "which is a file"),
        (["--compare", "--seed", "3"], "nothing to compare with --seed 3"),
    ],
)
def test_a_wrong_command_line_is_explained(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        run_all.load(argv)()
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit, match="cannot write there"):
        run_all.load(["--only", "small_steps", "--out", str(tmp_path / "file" / "out")])()


def test_a_scheduler_that_does_not_answer_is_a_sentence_within_10_s(monkeypatch):
    def silent(address, timeout):
        time.sleep(60)

    def of_another_kind(address, timeout):
        raise MemoryError("of 3 EiB")

    monkeypatch.setitem(sys.modules, "distributed", type(sys)("distributed"))
    for client, reason in (
        (silent, "TimeoutError: no answer within 0.1 s"),
        (of_another_kind, "MemoryError: of 3 EiB"),
    ):
        sys.modules["distributed"].Client = client
        monkeypatch.setattr(run_all, "SECONDS", 0.1 - 2)
        with pytest.raises(SystemExit, match=f"tcp://h:1: no dask scheduler there .{reason}"):
            run_all.open_executor("dask:tcp://h:1")
    monkeypatch.undo()
    assert run_all.SECONDS + 2 < 10 and run_all.open_executor(None)[0] is None


def test_an_executor_without_the_package_it_needs_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SystemExit, match="needs the extra `cluster`"):
        run_all.open_executor("dask:tcp://127.0.0.1:8786")


def test_the_manifest_says_what_was_used():
    environment = run_all.environment()
    assert {"python", "numpy", "numba", "matplotlib", "processor", "commit", "benign_ref"} <= set(environment)
    json.dumps(environment)


def test_a_broken_surrounding_stops_nothing(monkeypatch):
    def broken(*arguments, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(run_all.subprocess, "run", broken)
    monkeypatch.setattr(run_all.platform, "platform", broken)
    monkeypatch.setattr(run_all.Path, "read_text", broken)
    found = run_all.environment()
    assert found["commit"] is None and found["system"] is None and found["python"]


def test_a_later_run_of_one_figure_keeps_what_the_manifest_says_of_others(tmp_path):
    run_all.note(tmp_path, "fig1", {"seed": 0})
    run_all.note(tmp_path, "speed", {"seed": 3})
    assert run_all.note(tmp_path, "fig1", {"seed": 1}) == {"fig1": {"seed": 1}, "speed": {"seed": 3}}
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")) == {
        "figures": {"fig1": {"seed": 1}, "speed": {"seed": 3}}
    }


def test_an_older_manifest_is_kept(tmp_path):
    (tmp_path / "manifest.json").write_text('{"figures": {"fig7": {"seed": 9}}}', encoding="utf-8")
    assert run_all.note(tmp_path, "fig1", {"seed": 1}) == {"fig1": {"seed": 1}, "fig7": {"seed": 9}}


@pytest.mark.parametrize(
    "content", ["{torn", "[]", "3", "null", '{"figures": []}', '{"figures": 3}', "", "[" * 9999]
)
def test_a_manifest_that_is_none_is_told_put_aside_and_begun_afresh_before_the_work(
    content, tmp_path, capsys
):
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    run_all.load(["--only", "small_steps", "--out", str(tmp_path)])
    assert "manifest.json is no manifest: moved to manifest.damaged.json" in capsys.readouterr().err
    assert (tmp_path / "manifest.damaged.json").read_text(encoding="utf-8") == content
    assert run_all.note(tmp_path, "fig1", {"seed": 2}) == {"fig1": {"seed": 2}}


def test_nothing_is_lost_when_many_note_at_once(tmp_path):
    names = [f"figure{k}" for k in range(12)]
    threads = [
        threading.Thread(
            target=lambda name=name: [run_all.note(tmp_path, name, {"try": k}) for k in range(5)]
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["figures"]
    assert entries == {name: {"try": 4} for name in names} and not list(tmp_path.rglob("*.tmp"))


def test_a_store_of_other_settings_is_told_in_words(tmp_path, capsys):
    folder = tmp_path / "store" / "small_steps-proof"
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text('{"engine": "another"}', encoding="utf-8")
    assert run_all.load(["--only", "small_steps", "--quick", "--out", str(tmp_path)])() == 1
    said = capsys.readouterr().err
    assert "small_steps could not be made: store" in said
    assert "engine: 'another' in the store, 'proof' asked for" in said and "Traceback" not in said
    assert "Traceback" in (tmp_path / "error.txt").read_text(encoding="utf-8")


class Tiny:
    """A figure that takes no time."""

    TITLE = "a figure that takes no time"

    @staticmethod
    def make(options):
        figure = common.plt.figure(figsize=(1, 1))
        table = [["x", "y"], [1, 0.5], [2, 0.25]]
        return common.finish(options, "tiny", figure, "Tiny.", table, ["found nothing"], {"size": 1})


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """run(*argv): run_all.py with Tiny as its only figure, and an index that is one line."""

    def page(options, entries):
        (options.out / "index.html").write_text(str(entries), encoding="utf-8")
        return options.out / "index.html"

    monkeypatch.setattr(run_all, "NAMES", ["tiny"])
    monkeypatch.setitem(sys.modules, "figures.tiny", Tiny)
    monkeypatch.setattr(index, "make", page)
    monkeypatch.setattr(common, "load_all_kernels", lambda options: None)  # it needs none
    return lambda *argv: run_all.load(["--out", str(tmp_path / "out"), *argv])()


def test_a_disk_that_is_full_leaves_every_file_whole_or_not_there(tiny, tmp_path, monkeypatch, capsys):
    assert tiny() == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    room, real = [6], os.fsync

    def fsync(descriptor):
        room[0] -= 1
        if room[0] < 0:
            os.truncate(descriptor, 3)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(store.os, "fsync", fsync)
    monkeypatch.setattr(Tiny, "TITLE", "changed")
    for files in range(5):  # room for the probe and that many of the figure's files
        room[0] = 1 + files
        assert tiny() == 1 - (files > 5)
        said = capsys.readouterr().err
        assert "could not be made: [Errno 28] No space left on device" in said and "Traceback" not in said
        assert {
            path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()
        } == before


def test_a_run_ends_with_the_path_of_its_page(tiny, tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(run_all.webbrowser, "open", opened.append)
    assert tiny("--open") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out" / "index.html")
    assert opened == [(tmp_path / "out" / "index.html").as_uri()]


def test_numbers_are_compared_with_the_reference(tiny, tmp_path, capsys):
    reference = tmp_path / "reference" / "full"
    assert (
        tiny("--compare", str(tmp_path / "reference")) == 1 and "no reference in" in capsys.readouterr().out
    )
    compare.update(reference, tmp_path / "out", ["tiny"])
    assert tiny("--compare", str(tmp_path / "reference")) == 0 and "identical" in capsys.readouterr().out
    table = (reference / "tiny.csv").read_text(encoding="utf-8")
    (reference / "tiny.csv").write_text(table.replace("0.25", "0.26"), encoding="utf-8")
    assert tiny("--compare", str(tmp_path / "reference")) == 1
    assert (
        "differs in 1 cells, most in column 'y', line 3 (2, 0.26): 0.25, reference 0.26"
        in capsys.readouterr().out
    )


def test_a_full_disk_is_told_on_a_real_full_disk(tiny, tmp_path, capsys):
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only the superuser of a Linux system can make a small disk")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "none", small], capture_output=True
    ).returncode:
        pytest.skip("this system does not allow a small disk")
    try:
        assert tiny("--out", str(small)) == 1
        said = capsys.readouterr().err
        assert "tiny could not be made: [Errno 28]" in said and "Traceback" not in said
        assert not list(small.glob("tiny.*")) and not list(small.glob("*.tmp"))
    finally:
        subprocess.run(["umount", small], check=True)
