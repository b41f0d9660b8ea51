"""The ledger's rows shared among workers; the files of a picture drawn by workers: as in one process."""

from dataclasses import replace

import pytest

from benign_ref import audit
from benign_ref.runtime import processes, workers
from figures import common, ledger


@pytest.mark.parametrize("jobs", [1, 2])
def test_rows_by_workers_are_those_of_the_audit_in_its_order(tmp_path, monkeypatch, jobs):
    labels = ["M1", "G1", "P2", "I1"]
    few = {label: row for label, row in audit.statements().items() if label in labels}
    assert len(few) == 4
    expected = [replace(entry, seconds=0.0) for entry in audit.run(labels, seed=7)]
    monkeypatch.setattr(audit, "statements", lambda: few)
    options = common.Options(tmp_path, seed=7, jobs=jobs, store=tmp_path / "store")
    entries = list(ledger.run(options))
    assert [replace(entry, seconds=0.0) for entry in entries] == expected and all(
        e.seconds > 0 for e in entries
    )
    assert not options.store.exists()  # an audit that is kept would not see the code change


def test_workers_that_wait_draw_the_same_bytes(monkeypatch):
    def picture():
        figure, axes = common.plt.subplots()
        axes.errorbar([1, 2, 3], [3, 1, 2], yerr=0.5, label=r"$N\,\mathrm{SNR}^2$")
        axes.legend()
        return figure

    figure = picture()
    here = common.rendered("name", figure)
    assert list(here) == ["png", "pdf"] and here["png"][:4] == b"\x89PNG" and here["pdf"][:4] == b"%PDF"
    assert not common.plt.fignum_exists(figure.number)
    with processes.shared():
        list(workers.by_processes(abs, [(-1,), (-2,)], 2))
        assert processes.idle() == 2 and common.rendered("name", picture()) == here

    def the_last_first(function, tasks, jobs, executor):
        return ((task, function(*task), 0.0) for task in reversed(tasks))

    monkeypatch.setattr(workers, "start", the_last_first)
    assert list(common.rendered("name", picture())) == ["png", "pdf"]


def test_a_picture_that_is_lost_is_told_with_the_reason(monkeypatch):
    lost = workers.Lost("two worker processes died of it, exit code -9")
    monkeypatch.setattr(workers, "start", lambda function, tasks, *how: ((task, lost, 0.0) for task in tasks))
    with pytest.raises(RuntimeError, match="^fig.png was lost: two worker processes died of it"):
        common.rendered("fig", common.plt.figure())
