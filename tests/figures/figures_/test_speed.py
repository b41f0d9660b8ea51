"""The speed figure: that the competitors take the same step, that a peer may be absent, and that nothing is
left out in silence.
"""

import importlib.util
import json
import sys

import numpy as np
import pytest

import benign_ref as br
from figures import speed, speed_worker
from figures.common import Options

SMALL = {"N": 2, "M": 3, "d_h": 4, "d_v": 3, "snr": 2.0}


def test_every_engine_takes_the_step_of_the_parameters():
    s = br.Setting(**SMALL, d=12)
    data, theta = br.sample_dataset(s, br.make_rng(5, (0,))), br.init_parameters(s, br.make_rng(5, (1,)))
    expected = br.train(
        s.replace(max_steps=3, epsilon=1e-9), data, theta, engine="parameters", backend="numpy"
    ).losses[:3]
    takes, _ = speed_worker.competitors(s, ["reference", "parameters", "proof"], 5)
    assert list(takes) == ["reference", "parameters", "proof", "product"]
    for name in ("reference", "parameters", "proof"):
        assert np.allclose([takes[name]() for _ in range(3)], expected, rtol=1e-12)


def test_peers_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)  # import raises ImportError
    monkeypatch.setitem(sys.modules, "torch", None)
    takes, versions = speed_worker.competitors(
        br.Setting(**SMALL, d=12), ["law", "jax", "jax as written", "torch"], 0
    )
    assert list(takes) == ["law"] and versions == {}


@pytest.mark.parametrize("name", ["jax", "jax as written", "torch"])
def test_peers_that_are_there_take_the_same_step(name):
    peer = name.split()[0]
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed, so there is no step of it to compare")
    takes, versions = speed_worker.competitors(br.Setting(**SMALL, d=12), ["parameters", name], 0)
    assert list(takes) == ["parameters", name] and list(versions) == [name]
    losses = [[take() for _ in range(3)] for take in takes.values()]
    assert np.allclose(losses, losses[0], rtol=1e-12, atol=0)


def test_measuring_takes_turns_and_tells_the_first_call_apart():
    calls = []
    takes = {name: (lambda n=name: calls.append(n) or float(len(calls))) for name in ("a", "product")}
    found = speed_worker.measure(takes, seconds=0.0, shortest=0.0)
    assert calls[:8] == ["a"] * 4 + ["product"] * 4 and calls[8:] == ["a", "product"] * 3
    assert (
        found["a"]["losses"] == [1.0, 2.0, 3.0]
        and found["product"]["losses"] is None
        and len(found["a"]["times"]) == 3
    )


@pytest.fixture
def small_cells(monkeypatch):
    """Cells of a few tokens in the place of the published ones."""
    s = br.Setting(**SMALL, d=12, epsilon=0.5)
    monkeypatch.setattr(speed_worker, "published", lambda N, mu: s.replace(N=N))


def test_the_parts_of_a_run_are_the_whole_of_it(small_cells):
    """Every part is there and takes time; a longer run takes longer in its steps, not in its set-up."""
    shape = {**SMALL, "d": 12, "epsilon": 1e-12}
    small, *published = speed_worker.parts([{**shape, "max_steps": 40}], 1)
    assert list(small["parts"]) == list(speed.PARTS) and small["steps"] == 40
    assert all(seconds >= 0 for seconds in small["parts"].values()) and small["limit"] > 0
    assert len(published) == len(speed_worker.AUTHORS) and all(one["steps"] > 2 for one in published)


def test_ratios_of_cells_are_the_authors_time_over_ours():
    lines = speed_worker.compared([[20, 50.0, [0.2, 0.225, 0.3]], [10, 20.0, [0.2]]])
    assert "0.225 s" in lines[0] and "2.25 s [A" in lines[0] and "10.0 times" in lines[0]
    assert lines[-1] == "published cells, mean of the ratios: 7.5"


def test_a_measurement_in_its_own_process_answers_or_says_why():
    how = {"shape": {**SMALL, "d": 12}, "names": ["proof"], "seed": 0, "seconds": 0.0}
    answers = speed.ask([["steps", how]] * 2, speed.one_core())
    assert len(answers) == 2
    for found in answers:
        assert list(found["engines"]) == ["proof", "product"] and len(found["engines"]["proof"]["times"]) == 3
    with pytest.raises(RuntimeError, match="(?s)measuring .*steps.* failed: .*N must be"):
        speed.ask([["steps", {**how, "shape": {"N": -1}}]], None)


def test_the_figure_is_made(tmp_path, monkeypatch, small_cells):
    """From real measurements of a small shape; CSV holds every number, absent peers are named."""

    def in_this_process(orders, core):
        orders = json.loads(json.dumps(orders))
        return json.loads(json.dumps([getattr(speed_worker, what)(**how) for what, how in orders]))

    monkeypatch.setattr(speed, "SHAPE", SMALL)
    size = {"d": [64, 128], "N": [2, 3], "M": [3, 4], "part_d": [64], "part_steps": 4}
    size |= {"run_d": [64, 10**6], "steps": 5, "seconds": 0.05, "repeats": 1}
    monkeypatch.setattr(speed, "sizes", lambda quick: size)
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
