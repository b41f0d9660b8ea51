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
    takes, versions = speed_worker.competitors(br.Setting(**SMALL, d=12), ["parameters", name], 0)
    assert list(takes) == [
        "parameters",
        *versions,
    ]  # on a machine without the peer this is all there is to check
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


def test_who_is_left_out_is_told(monkeypatch):
    known = {"reference": 2.0, "jax": 0.1, "proof": 0.5, "law": 0.5, "product": 0.4}
    monkeypatch.setattr(speed, "available_bytes", lambda: 1e12)
    names, note = speed.names_at(4000, (1000, known), seconds=12.0)
    assert (
        names == ["jax", "proof", "law"]
        and note == "d = 4000: without reference, a step of which would take 4 s or more"
    )
    assert speed.names_at(1000, (1, {}), 12.0) == (list(speed.STYLES), None)
    monkeypatch.setattr(speed, "available_bytes", lambda: 1e6)
    names, note = speed.names_at(4000, (1000, known), 12.0)
    assert names == ["law"] and "the law engine alone" in note


def test_the_figure_is_made(tmp_path, monkeypatch):
    """From real measurements of a small shape, each in its own process; CSV holds every number, absent peers
    are named.
    """
    monkeypatch.setattr(speed, "SHAPE", SMALL)
    monkeypatch.setattr(
        speed, "sizes", lambda quick: {"d": [1024], "run_d": [1024, 10**6], "steps": 5, "seconds": 0.05}
    )
    result = speed.make(Options(out=tmp_path, quick=True))
    assert [path.name for path in result.files] == ["speed.png", "speed.pdf", "speed.csv", "speed.txt"]
    rows, text = (tmp_path / "speed.csv").read_text(encoding="utf-8").splitlines(), "\n".join(result.lines)
    for name in ("reference", "parameters", "proof", "product", "law"):
        assert sum(row.startswith(f"step,1024,1,{name},") for row in rows) == 1
    assert sum(row.startswith("run of 5 steps,") for row in rows) == 2
    for module, name in speed.PEERS.items():
        assert (importlib.util.find_spec(module) is None) == (f"{name} is not installed: left out" in text)
    assert (
        "d = 1024, one core: proof / product = " in text
        and "a law run of 5 steps" in text
        and "first step" in text
    )
    json.dumps(result.settings)


def test_a_measurement_that_fails_says_why():
    with pytest.raises(RuntimeError, match="N must be an integer from 1"):
        speed.ask(
            {"shape": {**SMALL, "N": 0, "d": 12}, "core": None, "seed": 0, "seconds": 0.1, "names": ["law"]},
            1,
        )
