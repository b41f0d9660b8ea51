"""The store: nothing kept, read or mixed up that should not be, on disks that fill up too."""

import errno
import json
import os
from pathlib import Path

import pytest
from grids import SMALL, Inline, bits

from benign_ref.experiments.cell import Cell
from benign_ref.experiments.grid import phase_diagram
from benign_ref.runtime import resume, store


def test_a_store_of_other_settings_is_refused_name_by_name(tmp_path, monkeypatch):
    phase_diagram([2.0], [2], store=tmp_path, executor=Inline(), **SMALL)
    other = SMALL | {"base": SMALL["base"].replace(M=4, eta=0.5), "n_test": 21}
    untouched = Inline()
    with pytest.raises(ValueError) as refusal:
        phase_diagram([2.0], [2], store=tmp_path, executor=untouched, engine="law", **other)
    first, *lines = str(refusal.value).splitlines()
    assert str(tmp_path) in first and "another computation" in first and not untouched.tasks
    assert lines == [
        "  engine: 'proof' in the store, 'law' asked for",
        "  n_test: 20 in the store, 21 asked for",
        "  M: 3 in the store, 4 asked for",
        "  eta: 'derived: 0.3 * M / s**2' in the store, 0.5 asked for",
    ]
    monkeypatch.setattr(resume, "MATHEMATICS", "4")
    with pytest.raises(ValueError, match="MATHEMATICS: '3' in the store, '4' asked for"):
        phase_diagram([2.0], [2], store=tmp_path, executor=Inline(), **SMALL)


def test_torn_and_foreign_cells_are_computed_again_and_reported(tmp_path, capsys):
    here, there = tmp_path / "here", tmp_path / "there"
    expected = phase_diagram([2.0, 3.0], [2, 3], store=here, executor=Inline(), **SMALL)
    phase_diagram([2.0], [2], store=there, executor=Inline(), **SMALL | {"n_test": 21})
    path = {
        (snr, N, seed): here / "cells" / f"{resume.file_name(Cell(snr, N, seed))}.json"
        for snr in (2.0, 3.0)
        for N in (2, 3)
        for seed in (0, 1)
    }
    content = path[2.0, 2, 0].read_bytes()
    path[2.0, 2, 0].write_bytes(content[: len(content) // 2])  # torn
    path[2.0, 2, 1].write_bytes((there / "cells" / path[2.0, 2, 1].name).read_bytes())  # from another store
    path[2.0, 3, 0].write_bytes(path[3.0, 3, 0].read_bytes())  # another cell's
    edited = path[2.0, 3, 1].read_text(encoding="utf-8").replace('"converged", ', '"converged", 1')
    path[2.0, 3, 1].write_text(edited, encoding="utf-8")
    path[3.0, 2, 0].write_text("[]", encoding="utf-8")
    path[3.0, 2, 1].write_bytes(b"")
    path[3.0, 3, 0].unlink()
    capsys.readouterr()
    again = phase_diagram([2.0, 3.0], [2, 3], store=here, executor=Inline(), **SMALL)
    told = capsys.readouterr().err
    assert (again.computed, again.reused) == (7, 1) and bits(again) == bits(expected)
    assert (
        told.count("is computed again") == 6
        and str(path[2.0, 2, 0]) in told
        and "computed 7, reused 1 cells" in told
    )
    assert phase_diagram([2.0, 3.0], [2, 3], store=here, executor=Inline(), **SMALL).reused == 8


def test_a_store_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "settings.json").write_text("[1, 2", encoding="utf-8")
    for folder, error in (
        (tmp_path / "file", ValueError),
        (tmp_path / "file" / "in", OSError),
        (tmp_path / "other", ValueError),
    ):
        untouched = Inline()
        with pytest.raises(error, match=f"store.*{folder}"):
            phase_diagram([2.0], [2], store=folder, executor=untouched, **SMALL)
        assert not untouched.tasks
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_finished_store_that_may_not_be_written_is_read(tmp_path, monkeypatch):
    first = phase_diagram([2.0], [2], store=tmp_path, executor=Inline(), **SMALL)
    monkeypatch.setattr(
        store, "write_whole", lambda path, content: pytest.fail("nothing is there to be written")
    )
    assert bits(phase_diagram([2.0], [2], store=tmp_path, jobs=1, **SMALL)) == bits(first)


def test_a_disk_that_fills_up_is_told_at_once_and_corrupts_nothing(tmp_path, monkeypatch):
    room, real = [5], os.fsync  # the settings, the probe, three cells

    def fsync(descriptor):
        room[0] -= 1
        if room[0] < 0:
            os.truncate(descriptor, 10)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(store.os, "fsync", fsync)
    pool = Inline()
    with pytest.raises(
        OSError, match="(?s)store.*cannot be written any more.*No space left on device"
    ) as told:
        phase_diagram([2.0, 3.0], [2, 3], store=tmp_path, executor=pool, **SMALL)
    assert told.value.errno == errno.ENOSPC and not list(tmp_path.rglob("*.tmp"))
    with pytest.raises(OSError, match="(?s)store.*nothing was computed.*No space left on device"):
        phase_diagram([2.0, 3.0], [2, 3], store=tmp_path, executor=pool, **SMALL)
    monkeypatch.undo()
    result = phase_diagram([2.0, 3.0], [2, 3], store=tmp_path, executor=Inline(), **SMALL)
    assert (result.computed, result.reused) == (5, 3)
    assert bits(result) == bits(phase_diagram([2.0, 3.0], [2, 3], executor=Inline(), **SMALL))


def test_json_in_a_store_is_json(tmp_path):
    phase_diagram(
        [1e160],
        [2],
        store=tmp_path,
        executor=Inline(),
        **SMALL | {"base": SMALL["base"].replace(eta=0.01, max_steps=50)},
    )
    for path in tmp_path.rglob("*.json"):
        json.loads(
            path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON")
        )


def test_a_file_that_another_process_reads_is_replaced_with_patience(tmp_path, monkeypatch):
    refusals, real = [PermissionError("it is open")] * 3, os.replace

    def replace(source, target):
        if refusals:
            raise refusals.pop()
        real(source, target)

    monkeypatch.setattr(store.os, "replace", replace)
    monkeypatch.setattr(store.time, "sleep", lambda seconds: None)
    store.write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and not refusals
    refusals += [PermissionError("it is open")] * 100
    with pytest.raises(PermissionError):
        store.write_whole(tmp_path / "file", b"newer")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (
        tmp_path / "file"
    ).read_bytes() == b"new"


def test_every_float_comes_back_with_its_bits(tmp_path):
    kept = store.Store(tmp_path, {"a": 1})
    record = [0.1, -0.0, 5e-324, float("inf"), {"x": [float("-inf"), 2**60, "nan", None, True]}, float("nan")]
    kept.write("one", record)
    assert repr(kept.read("one")) == repr(record) and kept.read("two") is None


def test_a_store_that_another_computation_claims_at_the_same_instant_is_refused(tmp_path, monkeypatch):
    store.Store(tmp_path, {"M": 3})
    settings = tmp_path / "settings.json"
    before, exists = settings.read_bytes(), Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path != settings and exists(path))  # seen too early
    with pytest.raises(ValueError, match="M: 3 in the store, 4 asked for"):
        store.Store(tmp_path, {"M": 4})
    assert settings.read_bytes() == before and not list(tmp_path.glob(".settings*"))
