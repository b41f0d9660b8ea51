"""What `python -m benign_ref run` prints and writes: against the same run by the public functions; what it
says when it changes something.
"""

import csv
import io
import sys

import numpy as np
import pytest

import benign_ref as br
from benign_ref import run
from benign_ref.experiments.published import published_setting

SMALL = [
    "--N",
    "4",
    "--M",
    "6",
    "--d",
    "64",
    "--d_h",
    "4",
    "--snr",
    "16",
    "--eta",
    "0.02",
    "--epsilon",
    "0.1",
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal, on which progress is shown."""

    def isatty(self):
        return True


@pytest.fixture
def command(capsys, tmp_path):
    """command(argv) -> (lines on stdout, the last row of the CSV); with status 1: (lines, text on stderr)."""

    def of(argv, status=0):
        assert run.main([*argv, "--out", str(tmp_path)]) == status
        out, err = capsys.readouterr()
        lines = out.splitlines()
        paths = sorted(tmp_path.iterdir())
        if status:
            return lines, err
        assert lines[-1].startswith("written  ") and all(str(path) in lines[-1] for path in paths)
        table, picture = paths
        assert (table.suffix, picture.suffix) == (".csv", ".png")
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and picture.stat().st_size > 10_000
        with table.open(encoding="utf-8", newline="") as file:
            return lines, {name: float(value) for name, value in list(csv.DictReader(file))[-1].items()}

    return of


def line(lines, name):
    """The words of the one line that begins with a name."""
    (found,) = [one for one in lines if one.split()[0] == name]
    return found.removeprefix(name).strip()


def setting(**more):
    return br.Setting(N=4, M=6, d=64, d_h=4, snr=16.0, eta=0.02, epsilon=0.1, **more)


def test_a_run_on_real_draws_says_what_the_public_functions_say(command, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    lines, last = command([*SMALL, "--n_test", "300", "--seed", "5"])
    s, rng = setting(), br.make_rng(5, (0,))
    data, theta = br.sample_dataset(s, rng), br.init_parameters(s, rng)
    expected = br.train(s, data, theta, record_every=1, progress=False)
    fresh = br.sample_dataset(s, br.make_rng(5, (1,)), 300)
    z = fresh.y * br.forward(expected.parameters, fresh.X)
    assert lines[: len(str(s).splitlines())] == str(s).splitlines()  # the setting, every value with its rule
    assert line(lines, "run") == f"real draws: {expected.steps} steps, L_S <= 0.1 reached"
    first, end = expected.losses[[0, -1]]
    assert line(lines, "losses") == f"training {first:.4g} to {end:.4g}" and last["train_loss"] == end
    loss = np.log1p(np.exp(-z))
    error = loss.std(ddof=1) / 300**0.5
    told = f"loss {loss.mean():.4g} +- {error:.2g} (standard error), error rate {(z <= 0).mean():.3g}"
    assert line(lines, "test") == told
    assert last["test_loss"] == pytest.approx(loss[:200].mean(), rel=1e-12) and last["step"] == expected.steps
    record = expected.records[-1]
    assert last["S_s2"] == pytest.approx(record.attention[:, 0, 1].mean(), rel=1e-9)
    assert last["V_2"] == pytest.approx(np.abs(record.values[:, 1]).mean(), rel=1e-9)
    assert line(lines, "phases").endswith(f"the end is step {expected.steps}")
    boundary = br.critical_x(6, 4, level=0.2, base=s) * s.C_p**2
    side = "benign" if s.N_snr2 > boundary else "harmful"
    times = f"{s.N_snr2 / boundary:.2f} times the limit's boundary {boundary:.0f} (test loss 0.2)"
    assert line(lines, "boundary") == f"N SNR^2 = 1024, {times} at this N: {side} side"


def test_a_line_of_progress_is_shown_on_a_terminal_and_nowhere_else(command, monkeypatch):
    from benign_ref.runtime import progress

    class Eager(progress.Line):
        def start(self, name):
            super().start(name)
            self.shown = 0.0  # whatever is told is shown

    monkeypatch.setattr(progress, "Line", Eager)
    for stream, wanted in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        command(SMALL)
        assert ("train: " in stream.getvalue() and " steps, loss 0." in stream.getvalue()) is wanted


def test_in_law_and_in_the_limit(command):
    lines, _ = command([*SMALL, "--law", "--seed", "2", "--unbalanced"])
    s = setting(balanced=False)
    expected = br.train_in_law(s, br.make_rng(2, (0,)))
    loss, error = expected.test_loss(1000, br.make_rng(2, (1,)), return_se=True)
    assert line(lines, "run").startswith(f"in law: {expected.steps} steps")
    assert line(lines, "test").startswith(f"loss {loss:.4g} +- {error:.2g} (standard error)")
    assert str(s).splitlines() == lines[: len(str(s).splitlines())]


def test_the_limit_is_exact_and_says_what_it_ignores(command):
    lines, last = command([*SMALL, "--limit"])
    expected = br.train_in_limit(setting())
    assert line(lines, "run") == f"the limit: {expected.steps} steps, L_S <= 0.1 reached"
    assert line(lines, "test") == f"loss {expected.test_loss:.4g}, error rate {expected.error_rate:.3g}"
    assert line(lines, "note:").startswith("--limit ignores d, d_h")
    assert last["test_loss"] == expected.test_loss and last["step"] == expected.steps


def test_published_values_and_what_is_changed_in_them_is_said():
    asked = run.arguments(["--published", "figure1", "--law", "--N", "10", "--mu", "60", "--eta", "0.05"])
    s = published_setting("figure1", N=10, mu=60.0)
    assert asked.setting == s.replace(eta=0.05, init="gaussian")
    assert asked.notes == [
        "changed from the published experiment: eta",
        "--law changes the start: Gaussian of the same standard deviations, not uniform",
    ]
    plain = run.arguments(["--published", "figure1", "--N", "10", "--mu", "60"])
    assert plain.setting == s and plain.notes == []
    assert run.arguments(["--mu", "9"]).setting.snr == pytest.approx(9)


def test_a_run_that_ends_before_epsilon_or_diverges_says_so(command):
    lines, _ = command([*SMALL, "--max_steps", "3"])
    assert line(lines, "run") == "real draws: 3 steps, L_S <= 0.1 NOT reached"
    lines, err = command([*SMALL, "--eta", "1e300"], status=1)
    assert err.startswith("run: training diverged") and not any(one.startswith("run ") for one in lines)


@pytest.mark.parametrize(
    "argv, says",
    [
        (["--N", "x"], "argument --N: invalid int value: 'x'"),
        (["--N", "0"], "N must be an integer"),
        (["--eta", "-1"], "eta must be a finite number > 0, got -1.0"),
        (["--snr", "2", "--mu", "3"], "--mu and --snr exclude each other"),
        (["--law", "--limit"], "not allowed with argument"),
        (["--published", "figure9"], "invalid choice: 'figure9'"),
        (["--seed", "-1"], "--seed: must be an integer from 0 to 2**53, got '-1'"),
        (["--n_test", "0"], "--n_test: must be an integer from 1 to 2**53, got '0'"),
        (["--out", ""], "--out: must be a folder, got ''"),
        (["--out", __file__], "which is a file"),
        (["--noise", "white"], "noise"),
        (["--steps", "3"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_told_in_words_before_any_work(argv, says, capsys):
    with pytest.raises(SystemExit) as left:
        run.main(argv)
    out, err = capsys.readouterr()
    assert left.value.code == 2 and says in err and "Traceback" not in err and not out
