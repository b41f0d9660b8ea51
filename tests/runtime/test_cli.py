"""How commands start and end: wrong arguments, Ctrl-C, a closed pipe, a locale that knows ASCII alone."""

import ast
import ctypes
import errno
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from grids import HERE

from benign_ref import __main__, validate
from benign_ref.runtime import cli

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
COMMANDS = {
    "audit": ["benign_ref", "audit"],
    "mutants": ["benign_ref", "audit", "--mutants"],
    "derive": ["benign_ref", "derive", "W_Q", "--step"],
    "run": ["benign_ref", "run", "--epsilon", "1e-9", "--d", "64"],
    "figures": ["run_all.py", "--only", "small_steps"],
}
# runs a command that hears Ctrl-C, also as a child of a background job, and says "up" once it is prepared for
# it, right after the interpreter has started
BEGIN = """
import runpy, signal, sys
sys.argv, real = sys.argv[1:], signal.signal
real(signal.SIGINT, signal.default_int_handler)
def told(*arguments):
    real(*arguments)
    signal.signal = real
    print("up", flush=True)
signal.signal = told
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def begun(argv, **options):
    """A Python process in the project's folder."""
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    return subprocess.Popen([sys.executable, *argv], cwd=HERE.parent, text=True, **pipes, **options)


def interrupted(name, seconds, folder):
    """Status and stderr of a command that is sent Ctrl-C after so many seconds; it runs until then."""
    more = ["--out", str(folder)] if name in ("run", "figures") else []
    with begun(["-c", BEGIN, *COMMANDS[name], *more]) as process:
        assert process.stdout.readline() == "up\n"
        time.sleep(seconds)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, said


def with_pipe_closed(argv):
    """Status and stderr of a command whose output nobody reads."""
    with begun(["-m", "benign_ref", *argv]) as process:
        process.stdout.close()
        said = process.stderr.read()
    return process.returncode, said


def in_ascii(argv):
    """Status, output and stderr of a command where the locale knows ASCII alone."""
    with begun(["-m", "benign_ref", *argv], env=dict(os.environ, **ASCII)) as process:
        printed, said = process.communicate(timeout=60)
    return process.returncode, printed, said


MOMENTS = [("audit", 0.0), ("audit", 1.0), ("mutants", 1.2), ("derive", 1.0), ("run", 1.0)]
MOMENTS += [("figures", seconds) for seconds in (0.0, 0.6, 2.0)]
UNREAD = {
    name: name.split() for name in ("audit --only M1", "derive W_Q", "--help", "run --d 64 --epsilon 0.5")
}
READ = {name: name.split() for name in ("audit --only M1 M2", "derive W_Q")}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """How each of these commands ends: futures, as they wait more than they compute."""
    folder, asked = tmp_path_factory.mktemp("commands"), {}
    with ThreadPoolExecutor(3) as pool:
        for at in MOMENTS:
            asked[at] = pool.submit(interrupted, *at, folder / str(len(asked)))
        for name, argv in UNREAD.items():
            out = ["--out", str(folder)] if "run" in argv else []
            asked["unread", name] = pool.submit(with_pipe_closed, argv + out)
        for name, argv in READ.items():
            asked["ascii", name] = pool.submit(in_ascii, argv)
        yield asked


@pytest.mark.skipif(os.name == "nt", reason="on Windows a test cannot send Ctrl-C to one process alone")
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_ctrl_c_is_one_line_and_status_130(ends, moment):
    status, said = ends[moment].result()
    assert status == 130, said
    lines = [line for line in said.splitlines() if "cells" not in line or "interrupted" in line]
    assert len(lines) == 1 and "interrupted" in lines[0], said


def test_ctrl_c_in_a_callback_from_c_is_not_lost(monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", cli.come_again)
    monkeypatch.setattr(sys, "__unraisablehook__", lambda unraisable: print(unraisable.exc_type.__name__))

    def called_from_c(error):
        @ctypes.CFUNCTYPE(None)
        def callback():
            raise error

        callback()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests ignore it
    try:
        called_from_c(ValueError)
        with pytest.raises(KeyboardInterrupt):
            called_from_c(KeyboardInterrupt)
            for _ in range(1000):  # what comes again wakes nobody
                time.sleep(0.01)
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().out == "ValueError\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no status for a closed pipe")
@pytest.mark.parametrize("name", UNREAD)
def test_a_closed_pipe_is_a_quiet_end(ends, name):
    assert ends["unread", name].result() == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no file here is always full")
def test_a_full_disk_is_one_line_and_status_1():
    command = [sys.executable, "-m", "benign_ref", "derive", "w_O"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command, cwd=HERE.parent, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1 and done.stderr == f"cannot go on: {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.parametrize("name", READ)
def test_an_ascii_locale_can_print_everything(ends, name):
    status, printed, said = ends["ascii", name].result()
    assert status == 0 and printed and not said


def test_every_text_file_is_read_and_written_as_utf_8():
    sources = [
        HERE.parent / "run_all.py",
        *(p for d in ("benign_ref", "figures") for p in HERE.parent.glob(f"{d}/**/*.py")),
    ]
    calls = [
        (path.name, node.lineno, getattr(node.func, "attr", getattr(node.func, "id", "")), ast.unparse(node))
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    text = [
        call
        for call in calls
        if call[2] in ("read_text", "write_text")
        or call[2] == "open"
        and not re.search("'[rwx]b'|gzip|os.open|webbrowser", call[3])
    ]
    assert len(text) > 5 and not [call for call in text if "encoding=" not in call[3]]


@pytest.mark.parametrize("text", ["9" * 30, "9" * 5000, "-1", "words", "", "1.5", "nan", "2e3"])
@pytest.mark.parametrize("argv", [["audit"], ["derive", "W_Q"], ["run"]], ids=" ".join)
def test_seeds_that_are_none_are_refused_before_any_work(argv, text, capsys):
    with pytest.raises(SystemExit) as caught:
        __main__.main([*argv, f"--seed={text}"])
    assert caught.value.code == 2
    assert "argument --seed: must be an integer from 0 to 2**53, got '" in capsys.readouterr().err


def test_the_seed_of_a_command_line():
    assert validate.integer_argument(0)(str(2**53)) == 2**53 and validate.integer_argument(0)("0") == 0


@pytest.mark.parametrize(
    "argv, message",
    [
        (["audit", "--html", ""], "argument --html: must be a file, got ''"),
        (["derive", "W_Q", "--html", ""], "argument --html: must be a file, got ''"),
        (["derive", "W_Q", "--html", "."], "argument --html: must be a file, got '.', which is a folder"),
        (
            ["derive", "W_Q", "--html", "nowhere/page.html"],
            "got 'nowhere/page.html', whose folder is not there",
        ),
        (["derive", "W_Q", "--html", "page.html", "--step"], "--step: not allowed with argument --html"),
        (["run", "--out", " "], "argument --out: must be a folder, got ' '"),
        (["run", "--out", __file__], "which is a file"),
    ],
)
def test_files_and_folders_that_are_none_are_refused_before_any_work(argv, message, capsys):
    with pytest.raises(SystemExit) as caught:
        __main__.main(argv)
    assert caught.value.code == 2 and message in capsys.readouterr().err
