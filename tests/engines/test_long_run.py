"""Long runs: a killed run resumed from its checkpoint gives the same bits; a file that is not its own is left
alone; progress is told.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import benign_ref as br
from benign_ref.runtime import store

S = br.Setting(N=4, M=4, d=40, d_h=5, d_v=3, snr=6.0, epsilon=1e-9, max_steps=60)
DATA, THETA = br.sample_dataset(S, br.make_rng(0)), br.init_parameters(S, br.make_rng(1))


class Killed(Exception):
    pass


def killed_at(step):
    def progress(done, total, loss):
        assert total == S.max_steps and loss > 0
        if done == step:
            raise Killed

    return progress


@pytest.fixture(autouse=True)
def written_at_every_step(monkeypatch):
    monkeypatch.setattr(store, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(store, "MOST_OF_THE_TIME", 1e9)


def same(one, other):
    assert (one.losses == other.losses).all() and one.steps == other.steps
    for W, V in zip(one.parameters, other.parameters):
        assert (W == V).all()
    assert (
        [r.step for r in one.records]
        == [r.step for r in other.records]
        == [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]
    )
    for r, q in zip(one.records, other.records):
        assert all((a == b).all() for a, b in zip(r[1:5], q[1:5])) and r.observed is q.observed is None


@pytest.mark.parametrize("train_w_O", [False, True])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("engine", ["parameters", "proof"])
def test_a_killed_run_goes_on_with_the_same_bits(tmp_path, engine, backend, train_w_O):
    options = dict(engine=engine, backend=backend, train_w_O=train_w_O, record_every=7)
    whole = br.train(S, DATA, THETA, **options)
    path = tmp_path / "run.checkpoint"
    for step in (1, 30, 59):  # killed three times
        with pytest.raises(Killed):
            br.train(S, DATA, THETA, **options, checkpoint=path, progress=killed_at(step))
    begun = []
    resumed = br.train(
        S, DATA, THETA, **options, checkpoint=path, progress=lambda *told: begun.append(told[0])
    )
    same(whole, resumed)
    assert begun[0] >= 59  # it did go on, and was not computed again
    steps = []
    finished = br.train(S, DATA, THETA, **options, checkpoint=path, progress=lambda *told: steps.append(told))
    same(whole, finished)
    assert not steps


def test_extra_steps_are_counted_across_a_kill(tmp_path):
    s = S.replace(epsilon=0.5, extra_steps=9)
    whole = br.train(s, DATA, THETA)
    first = int(np.argmax(whole.losses <= 0.5))
    assert whole.converged and whole.steps == first + 9
    with pytest.raises(Killed):
        br.train(s, DATA, THETA, checkpoint=tmp_path / "c", progress=killed_at(first + 4))
    resumed = br.train(s, DATA, THETA, checkpoint=tmp_path / "c")
    assert resumed.converged and (resumed.losses == whole.losses).all()


def test_a_process_that_dies_leaves_a_file_to_go_on_from(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, numpy as np, benign_ref as br\n"
        "from benign_ref.runtime import store\n"
        "store.LEAST_SECONDS, store.MOST_OF_THE_TIME = 0.0, 1e9\n"
        "s = br.Setting(N=4, M=4, d=40, d_h=5, d_v=3, snr=6.0, epsilon=1e-9, max_steps=60)\n"
        "data, theta = br.sample_dataset(s, br.make_rng(0)), br.init_parameters(s, br.make_rng(1))\n"
        "die = lambda done, total, loss: os._exit(9) if done == 33 and len(sys.argv) > 1 else None\n"
        "run = br.train(s, data, theta, record_every=7, checkpoint='run.checkpoint', progress=die)\n"
        "np.savez('out.npz', losses=run.losses, *run.parameters)\n",
        encoding="utf-8",
    )
    where = dict(cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(br.__file__).parents[1])})
    assert subprocess.run([sys.executable, script, "die"], **where).returncode == 9
    assert (tmp_path / "run.checkpoint").exists() and not (tmp_path / "out.npz").exists()
    subprocess.run([sys.executable, script], check=True, **where)
    whole, out = br.train(S, DATA, THETA), np.load(tmp_path / "out.npz")
    assert (out["losses"] == whole.losses).all()
    assert all((out[f"arr_{i}"] == W).all() for i, W in enumerate(whole.parameters))


def test_a_law_run_draws_again_what_it_drew(tmp_path):
    rng = br.make_rng(5)
    whole = br.train_in_law(S, rng, record_every=20)
    with pytest.raises(Killed):
        br.train_in_law(S, br.make_rng(5), record_every=20, checkpoint=tmp_path / "c", progress=killed_at(31))
    again = br.make_rng(5)
    resumed = br.train_in_law(S, again, record_every=20, checkpoint=tmp_path / "c")
    assert (resumed.losses == whole.losses).all() and (resumed.model.U == whole.model.U).all()
    assert (resumed.model.R == whole.model.R).all() and len(resumed.records) == len(whole.records) == 4
    assert whole.test_loss(50, rng) == resumed.test_loss(50, again)  # the stream goes on where it would have
    with pytest.raises(ValueError, match="is of another run"):
        br.train_in_law(S, br.make_rng(6), record_every=20, checkpoint=tmp_path / "c")


def test_a_file_that_is_not_its_own_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "c"
    br.train(S, DATA, THETA, checkpoint=path)
    good = path.read_bytes()
    others = [
        (dict(s=S.replace(eta=0.1)), "is of another run.*eta"),
        (dict(engine="parameters", backend="numpy"), "is of another run"),
        (dict(train_w_O=True), "is of another run.*train_w_O"),
        (dict(record_every=3), "is of another run.*record_every"),
        (dict(theta=THETA._replace(W_Q=2 * THETA.W_Q)), "is of another run.*data_and_start"),
    ]
    for change, told in others:
        arguments = {"s": S, "data": DATA, "theta": THETA, **change}
        with pytest.raises(ValueError, match=f"(?s){told}"):
            br.train(**arguments, checkpoint=path)
    other = (good[:-100], good[:-1], good[1:], good + b" ", good[:200] + b"x" + good[201:])
    for damaged in (*other, b"", b"not a checkpoint", b"{}\n{}", b"text\n"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged, or no checkpoint; it is left as it is"):
            br.train(S, DATA, THETA, checkpoint=path)
        assert path.read_bytes() == damaged


def test_what_cannot_be_a_checkpoint_is_refused_before_any_work(tmp_path):
    with pytest.raises(OSError, match="checkpoint .* cannot be written"):
        br.train(S, DATA, THETA, checkpoint=tmp_path / "no" / "c")
    with pytest.raises(ValueError, match="is damaged, or no checkpoint"):
        br.train(S, DATA, THETA, checkpoint=tmp_path)
    for bad in ("", 3):
        with pytest.raises((TypeError, ValueError), match="^checkpoint must be a path"):
            br.train(S, DATA, THETA, checkpoint=bad)
    with pytest.raises(ValueError, match="^checkpoint must be None when observe is given"):
        br.train(S, DATA, THETA, checkpoint=tmp_path / "c", record_every=1, observe=len)
    with pytest.raises(ValueError, match="^checkpoint must be None when observe is given"):
        br.train_in_law(S, br.make_rng(0), checkpoint=tmp_path / "c", record_every=1, observe=len)
    assert not list(tmp_path.iterdir())


def test_progress_is_a_function_a_line_or_nothing(capsys, monkeypatch):
    told = []
    run = br.train(S, DATA, THETA, progress=lambda *values: told.append(values))
    assert [step for step, *_ in told] == list(range(61)) and {total for _, total, _ in told} == {60}
    assert [loss for *_, loss in told] == run.losses.tolist()
    br.train(S, DATA, THETA, progress=False)
    br.train(S, DATA, THETA)  # stderr is no terminal here
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    br.train(S, DATA, THETA, progress=True)
    assert "train: 60/60 steps, loss " in sys.stderr.getvalue()
    with pytest.raises(TypeError, match="^progress must be"):
        br.train(S, DATA, THETA, progress="often")
