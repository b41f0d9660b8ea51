"""The speed figure: that the competitors take the same step, that a peer may be absent, and that nothing is
left out in silence.
"""

import importlib.util
import json
import sys
from functools import partial

import numpy as np
import pytest

import benign_ref as br
from benign_ref.runtime import processes
from benign_ref.runtime.workers import Lost
from figures import speed, speed_worker
from figures.common import Options

SMALL = {"N": 2, "M": 3, "d_h": 4, "d_v": 3, "snr": 2.0}


def test_every_engine_takes_the_step_of_the_parameters():
    s = br.Setting(**SMALL, d=12)
    data, theta = br.sample_dataset(s, br.make_rng(5, (0,))), br.init_parameters(s, br.make_rng(5, (1,)))
    expected = br.train(
        s.replace(max_steps=3, epsilon=1e-9), data, theta, engine="parameters", backend="numpy"
    ).losses[:3]
    names = ["reference", "parameters", "proof"]
    takes = speed_worker.competitors(s, names, 5)
    assert list(takes) == names
    for name in names:
        assert np.allclose([takes[name]() for _ in range(3)], expected, rtol=1e-12)


def test_peers_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)  # import raises ImportError
    monkeypatch.setitem(sys.modules, "torch", None)
    names = ["law", "jax", "jax as written", "torch"]
    assert list(speed_worker.competitors(br.Setting(**SMALL, d=12), names, 0)) == ["law"]


@pytest.mark.parametrize("name", ["jax", "jax as written", "torch"])
def test_peers_that_are_there_take_the_same_step(name):
    peer = name.split()[0]
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed, so there is no step of it to compare")
    takes = speed_worker.competitors(br.Setting(**SMALL, d=12), ["parameters", name], 0)
    assert list(takes) == ["parameters", name]
    losses = [[take() for _ in range(3)] for take in takes.values()]
    assert np.allclose(losses, losses[0], rtol=1e-12, atol=0)


def test_measuring_takes_turns_and_tells_the_first_call_apart(monkeypatch):
    calls = []
    takes = {"a": lambda: calls.append("a") or float(len(calls)), "product": lambda: calls.append("product")}
    monkeypatch.setattr(speed_worker, "competitors", lambda *asked: takes)
    rows = speed_worker.steps({**SMALL, "d": 12}, [*takes], 0, seconds=0.0, shortest=0.0)
    assert calls == ["a"] * 4 + ["product"] * 4 + ["a", "product"] * 3
    assert [row[:5] for row in rows] == [("step", 2, 3, 12, "a"), ("step", 2, 3, 12, "product")]
    assert [row.third_loss for row in rows] == [3.0, ""] and all(row.rounds == 3 for row in rows)
    assert all(0 < row.shortest <= row.median <= row.longest and row.first > 0 for row in rows)


def test_what_is_timed_several_times_a_round_is_so_after_a_call_that_is_not_counted():
    calls = []
    takes = {"a": partial(calls.append, "a"), "b": partial(calls.append, "b")}
    times = speed_worker.in_turn(takes, 0.0, {"a": 2, "b": 1})
    assert calls == ["a", "a", "a", "b"] * 3 and [len(of) for of in times.values()] == [3, 3]


@pytest.fixture
def small_cells(monkeypatch):
    """Cells of a few tokens in the place of the published ones."""
    s = br.Setting(**SMALL, d=12, epsilon=0.5)
    monkeypatch.setattr(speed_worker, "published_setting", lambda figure, N, mu: s.replace(N=N))


def test_the_parts_of_a_run_are_the_whole_of_it(small_cells):
    """Every part is there and takes time; a run has its steps."""
    shape = {**SMALL, "d": 12, "epsilon": 1e-12}
    rows = speed_worker.parts([{**shape, "max_steps": 40}], 1)
    small, *published = speed.runs_of(rows).values()
    assert list(small) == [*speed.PARTS, "limit"] and small["draw"].what == "d = 12, 40 steps"
    assert all(row.rounds == 40 and row.processor >= 0 for row in small.values())
    assert small["limit"].processor > 0
    assert len(published) == len(speed_worker.AUTHORS) and all(one["limit"].rounds > 2 for one in published)


def test_ratios_of_cells_are_the_authors_time_over_ours():
    rows = [
        speed_worker.Row("a cell", processor=0.225, rounds=3), speed_worker.Row("the same", median=2.25),
        speed_worker.Row("another", processor=0.2, rounds=1), speed_worker.Row("the same", median=1.0),
    ]  # fmt: skip
    lines = speed_worker.compared(rows)
    assert "N = 20, ||mu|| = 50: 0.225 s (one core, median of 3)" in lines[0] and "10.0 times" in lines[0]
    assert "2.25 s [A" in lines[0] and lines[-1] == "published cells, mean of the ratios: 7.5"


def made_up(name, d, seconds, loss, **more):
    """A Row of a step whose times are `seconds` and its half and double."""
    shape = {"N": speed.SHAPE["N"], "M": speed.SHAPE["M"], **more}
    return speed_worker.Row(
        "step", **shape, d=d, name=name, median=seconds, shortest=seconds / 2, longest=2 * seconds,
        processor=seconds / 4, first=9.0, third_loss=loss,
    )  # fmt: skip


def test_lines_and_panels_choose_their_rows():
    rows = [
        made_up("parameters", 64, 8.0, 0.5), made_up("proof", 64, 2.0, 0.5 * (1 + 3e-9)),
        made_up("product", 64, 1.0, ""), made_up("law", 64, 2.0, 0.7), made_up("proof", 64, 3.0, 0.6, N=30),
        made_up("product", 64, 1.5, "", N=30), made_up("proof", 64, 1.0, 0.4, N=10),
        made_up("product", 64, 0.5, "", N=10),
    ]  # fmt: skip
    runs = [
        speed_worker.Row("run of 5 steps", d=d, processor=seconds) for d, seconds in ((64, 2), (10**6, 3))
    ]
    parts = [
        speed_worker.Row("a run", name=name, processor=2.0, rounds=7) for name in (*speed.PARTS, "limit")
    ]
    cells = [speed_worker.Row(f"published cell {k}", median=1.0, processor=0.1, rounds=3) for k in range(4)]
    said = speed.report([*rows, *runs, *parts, *cells], {"d": [64], "steps": 5})
    assert "all engines and peers agree in the loss after two steps to 3e-09 (relative)" in said
    assert (
        "d = 64, one core: parameters / proof = 4.00 (medians; shortest times: 4.00; processor time: 4.00)"
        in said
    )
    assert (
        "first step, compilation or loading of compiled code included: "
        "parameters 9.00 s, proof 9.00 s, law 9.00 s" in said
    )
    assert "a law run of 5 steps: 3.000 s at d = 1e+06, 2.000 s at d = 64, 1.50 times" in said
    (of_run,) = (line for line in said if line.startswith("a run: 12.000 s in 7 steps (draw 2.000"))
    assert of_run.endswith("6.00 times the limit")
    figure, axes = speed.plt.subplots()
    speed.draw_steps(axes, rows, "N", speed.GROWING, "a title")
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["proof engine: product alone"] == [[10, 0.5], [20, 1.0], [30, 1.5]]
    (bars,) = (one for one in axes.containers if one.get_label() == "proof engine")
    assert bars.lines[0].get_xydata().tolist() == [[10, 1.0], [20, 2.0], [30, 3.0]]
    assert bars.lines[2][0].get_segments()[0].tolist() == [[10, 0.5], [10, 2.0]]
    assert {one.get_label() for one in axes.containers} == {"proof engine", "parameter engine"}
    speed.plt.close(figure)


def test_a_measurement_in_its_own_process_answers_or_says_why(monkeypatch):
    one = partial(speed_worker.steps, {**SMALL, "d": 12}, ["proof", "product"], 0, 0.0)
    rows = speed.ask([one] * 2)
    assert [row.name for row in rows] == ["proof", "product"] * 2 and all(row.rounds == 3 for row in rows)
    with pytest.raises(RuntimeError, match="(?s)computation of .*steps.* failed:.*N must be"):
        speed.ask([partial(speed_worker.steps, {"N": -1}, ["proof"], 0, 0.0)])
    with pytest.raises(RuntimeError, match="^a process that measured was lost: two worker processes died"):
        with monkeypatch.context() as lost:  # as tests/runtime/test_workers.py sees it happen
            died = Lost("two worker processes died of it")
            lost.setattr(speed.workers, "by_processes", lambda f, tasks, jobs: [(tasks[0], died, 0.0)])
            speed.ask([])
    assert not processes.idle()


def test_a_process_measures_on_the_core_and_with_the_threads_that_it_is_told(monkeypatch):
    pinned = []
    monkeypatch.setattr(speed_worker.os, "sched_setaffinity", lambda *asked: pinned.append(asked), False)
    monkeypatch.setenv("XLA_FLAGS", "--one")
    assert speed_worker.answer(3, lambda: ["row"], lambda: ["another"]) == ["row", "another"]
    assert pinned == [(0, {3})]
    assert speed_worker.os.environ["XLA_FLAGS"] == "--one --xla_cpu_multi_thread_eigen=false"
    assert speed_worker.answer(None) == [] and len(pinned) == 1


def test_a_peer_without_package_metadata_is_of_unknown_version():
    assert speed.version_of("numpy") == np.__version__
    assert speed.version_of("no package of this name") == "of unknown version"


def test_pytorch_is_told_to_compute_with_one_thread(monkeypatch):
    class Told(Exception):
        pass

    class Torch:
        @staticmethod
        def set_num_threads(count):
            raise Told(count)

    monkeypatch.setitem(sys.modules, "torch", Torch)
    with pytest.raises(Told, match="^1$"):
        speed_worker.torch_step(None, None, None)


def test_the_figure_is_made(tmp_path, monkeypatch, small_cells):
    """From real measurements of a small shape; CSV holds every number, absent peers are named."""

    def in_this_process(calls):
        return [row for call in calls for row in call()]

    monkeypatch.setattr(speed, "SHAPE", SMALL)
    size = {"d": [64, 128], "N": [2, 3], "M": [3, 4], "part_d": [64], "part_steps": 4}
    size |= {"run_d": [64, 10**6], "steps": 5, "seconds": 0.05, "repeats": 1}
    monkeypatch.setitem(speed.SIZES, "quick", size)
    monkeypatch.setattr(speed, "ask", in_this_process)
    result = speed.make(Options(out=tmp_path, quick=True))
    assert [path.name for path in result.files] == ["speed.png", "speed.pdf", "speed.csv", "speed.txt"]
    rows, text = (tmp_path / "speed.csv").read_text(encoding="utf-8").splitlines(), "\n".join(result.lines)
    for name in ("reference", "parameters", "proof", "product", "law"):
        assert sum(row.startswith(f"step,2,3,64,{name},") for row in rows) == 1
    for place in ("3,3,64", "2,4,64"):
        assert sum(row.startswith(f"step,{place},proof,") for row in rows) == 1
    assert sum(row.startswith("run of 5 steps,2,3,") for row in rows) == 2
    for part in (*speed.PARTS, "limit"):
        assert sum(f",,,,{part},,,," in row for row in rows) == 3
    for module, name in speed.PEERS.items():
        absent = importlib.util.find_spec(module) is None
        assert absent == (f"{name} is not installed: left out" in text)
    for said in ("d = 64, one core: proof / product = ", "a law run of 5 steps", "first step",
                 "mean of the ratios", "times the limit"):  # fmt: skip
        assert said in text
    caption = (tmp_path / "speed.txt").read_text(encoding="utf-8")
    assert "N = 2, M = 3, d_h = d_v = 4" in caption and "4\nsteps at d = 64" in caption and "{" not in caption
    json.dumps(result.settings)
