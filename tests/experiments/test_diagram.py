"""PhaseDiagram: what enters a mean, and files that keep every bit."""

import os

import numpy as np
import pytest
from grids import NS, SEEDS, SNRS, bits, undisturbed

from benign_ref.experiments.grid import PhaseDiagram


def test_mean_and_spread_take_in_the_runs_that_converged_only():
    status = np.array(
        [["converged", "diverged", "converged"], ["not converged", "lost", "converged"], ["diverged"] * 3]
    )[:, None, :]
    values = np.array([[1.0, 50.0, 4.0], [70.0, np.nan, 3.0], [np.inf, 1.0, 1.0]])[:, None, :]
    result = PhaseDiagram(
        np.array([1.0, 2.0, 3.0]),
        np.array([5]),
        np.arange(3),
        status,
        values.astype(object),
        values,
        values,
        values,
        {},
    )
    for name in ("test_loss", "train_loss", "error_rate"):
        assert result.mean(name)[:2, 0].tolist() == [2.5, 3.0] and np.isnan(result.mean(name)[2, 0])
        assert (
            result.spread(name)[0, 0] == np.std([1.0, 4.0], ddof=1)
            and np.isnan(result.spread(name)[1:]).all()
        )
    with pytest.raises(ValueError, match="name must be one of"):
        result.mean("status")


def test_save_load_and_csv_keep_every_bit(tmp_path):
    undisturbed().save(tmp_path / "result.npz")
    assert bits(PhaseDiagram.load(tmp_path / "result.npz")) == bits(undisturbed())
    undisturbed().to_csv(tmp_path / "result.csv")
    header, *lines = (tmp_path / "result.csv").read_text(encoding="utf-8").splitlines()
    assert header == "snr,N,seed,status,steps,train_loss,test_loss,error_rate" and len(lines) == 27
    columns = list(zip(*(line.split(",") for line in lines)))
    for name, column in zip(("status", "steps", "train_loss", "test_loss", "error_rate"), columns[3:]):
        values = getattr(undisturbed(), name).ravel()
        assert (np.array(column).astype(values.dtype) == values).all()
    assert [tuple(map(float, row)) for row in zip(*columns[:3])] == [
        (snr, N, seed) for snr in SNRS for N in NS for seed in range(SEEDS)
    ]


class Trap:
    """Whose pickle makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_load_reads_no_pickle_and_refuses_what_is_no_diagram(tmp_path):
    path = tmp_path / "x.npz"
    undisturbed().save(path)
    whole = path.read_bytes()
    arrays = dict(np.load(path))
    middle = whole.index(undisturbed().test_loss.tobytes())
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for content in (whole[:-30], whole[:100], b"", b"\x80\x04pickle", flipped, b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="x.npz"):
            PhaseDiagram.load(path)
    changes = [
        ("seeds", np.array([Trap(tmp_path / "unpickled")], dtype=object)),
        ("steps", arrays["steps"][:2]),
        ("test_loss", arrays["status"]),
        ("settings", np.array("{")),
    ]
    for name, value in changes:
        np.savez(path, **arrays | {name: value})
        with pytest.raises(ValueError, match="x.npz"):
            PhaseDiagram.load(path)
    assert not (tmp_path / "unpickled").exists()
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(ValueError, match="x.npy"):
        PhaseDiagram.load(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError):
        PhaseDiagram.load(tmp_path / "nothing")


@pytest.mark.parametrize("length", [0, 1])
def test_an_axis_that_is_a_table_is_refused_whatever_its_length(tmp_path, length):
    result, path = undisturbed(), tmp_path / "result.npz"
    part = lambda name: getattr(result, name)[:length]  # noqa: E731
    arrays = {name: part(name) for name in ("status", "steps", "train_loss", "test_loss", "error_rate")}
    one = PhaseDiagram(result.snrs[:1][None], result.Ns, result.seeds, **arrays, settings=result.settings)
    one.save(path)
    with pytest.raises(ValueError, match="not the shape"):
        PhaseDiagram.load(path)
