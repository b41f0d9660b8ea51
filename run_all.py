"""Reproduce every figure. `python run_all.py --help` says how."""

import os

from benign_ref.runtime import cli, threads

if __name__ == "__main__":
    cli.guard()
threads.set_default(os.environ)  # before NumPy is imported: the same bits on any number of cores

import argparse  # noqa: E402
import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import queue  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
import webbrowser  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

from benign_ref.runtime import processes  # noqa: E402
from benign_ref.runtime.store import try_writing, write_whole  # noqa: E402
from benign_ref.validate import folder_argument, integer_argument  # noqa: E402
from figures import NAMES  # noqa: E402

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "figures" / "reference"
ADDRESS = re.compile(r"dask:(tcp|tls)://([\w.:-]+|\[[\da-fA-F:.]+\]):(\d+)")
SECONDS = 3.0  # for a scheduler to answer


def parse(argv):
    """The command line, checked: an argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="run_all.py",
        description="The figures: each as PNG, PDF, the numbers behind it (CSV), its caption (txt); "
        "manifest.json, and index.html, one page with everything.",
        epilog="Everything computed is kept in OUT/store: interrupt with Ctrl-C, run the same command again, "
        "and only what is missing is computed. Exit status: 0 done, 1 a figure could not be made or numbers "
        "differ, 2 wrong arguments, 130 interrupted.",
    )
    options = {
        "quick": {"action": "store_true",
                  "help": "reduced sizes, everything still real; each picture says so"},
        "only": {"nargs": "+", "metavar": "NAME", "choices": NAMES,
                 "help": f"only these: {', '.join(NAMES)}"},
        "list": {"action": "store_true", "help": "print the names and what they show, and stop"},
        "out": {"type": folder_argument, "default": Path("out"), "metavar": "DIR",
                "help": "where everything is written (default: %(default)s)"},
        "seed": {"type": integer_argument(0), "default": 0,
                 "help": "first seed, an integer >= 0 (default: %(default)s)"},
        "jobs": {"type": integer_argument(1), "metavar": "K",
                 "help": "worker processes (default: the cores available)"},
        "executor": {"metavar": "dask:ADDRESS",
                     "help": "compute on a dask cluster, say dask:tcp://10.0.0.1:8786"},
        "mnist": {"type": Path, "metavar": "PATH",
                  "help": "folder with the original MNIST IDX files, for the extract"},
        "authors-matrix": {"type": Path, "metavar": "FILE",
                           "help": "the authors' matrix of Figure 1, drawn beside ours"},
        "compare": {"type": folder_argument, "nargs": "?", "const": REFERENCE, "metavar": "DIR",
                    "help": "compare the numbers with figures/reference or DIR; status 1 if they differ"},
        "update-reference": {"action": "store_true", "help": "make the numbers of this run the reference"},
        "open": {"action": "store_true", "help": "open index.html in a browser at the end"},
    }  # fmt: skip
    for name, keywords in options.items():
        parser.add_argument(f"--{name}", **keywords)
    asked = parser.parse_args(argv)
    if asked.executor is not None and not ADDRESS.fullmatch(asked.executor):
        example = "an address like tcp://10.0.0.1:8786"
        parser.error(f"--executor must be dask:ADDRESS with {example}, got {asked.executor!r}")
    if asked.executor and asked.jobs:
        parser.error("--jobs and --executor exclude each other: an executor has its own workers")
    if (asked.compare or asked.update_reference) and asked.seed:
        parser.error(f"the reference has --seed 0, so there is nothing to compare with --seed {asked.seed}")
    for option, path, module, read in (
        ("--mnist", asked.mnist, "images", "load"),
        ("--authors-matrix", asked.authors_matrix, "figure1", "read_matrix"),
    ):
        try:
            if path:
                getattr(importlib.import_module(f"benign_ref.experiments.{module}"), read)(path)
        except (ValueError, OSError) as found:
            parser.error(f"{option}: {found}")
    return asked


def environment():
    """Versions, processor and commit, for the manifest; None for what cannot be found out here: whatever is
    broken around us, it shall not stop a run.
    """
    names = ("benign_ref", "numpy", "numba", "matplotlib")
    probes = {
        **{name: lambda name=name: importlib.import_module(name).__version__ for name in names},
        "commit": commit, "python": platform.python_version, "system": platform.platform,
        "processor": processor,
    }  # fmt: skip
    found = {"cores": os.cpu_count(), **dict.fromkeys(probes)}
    for name, probe in probes.items():
        with contextlib.suppress(Exception):
            found[name] = probe()
    return found


def commit():
    """The commit of this folder, as git describes it."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True, errors="replace")
    return asked.stdout.strip() if (HERE / ".git").exists() else None


def processor():
    """The processor's name, where Linux tells it, or its kind."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    return re.search(r"model name\s*:\s*(.*)|$", told)[1] or platform.processor()


def open_executor(text):
    """The PEP 3148 executor that --executor names, or None; and a function that closes it. SystemExit with a
    sentence if there is none, within 10 s.
    """
    if text is None:
        return None, lambda: None
    try:
        from distributed import Client
    except ImportError:
        sys.exit("--executor dask:… needs the extra `cluster`: pip install '.[cluster]'")
    address, answers = text.removeprefix("dask:"), queue.SimpleQueue()

    def call():
        try:
            answers.put(Client(address, timeout=SECONDS))
        except Exception as error:  # noqa: BLE001 - whatever answers there need not speak dask's language
            answers.put(error)

    threading.Thread(target=call, daemon=True).start()  # its own time limit does not cover all of it
    try:
        client = answers.get(timeout=SECONDS + 2)
    except queue.Empty:
        client = TimeoutError(f"no answer within {SECONDS + 2:g} s")
    if isinstance(client, Exception):
        sys.exit(f"--executor {text}: no dask scheduler there ({type(client).__name__}: {client})")
    return client.get_executor(pure=False), client.close


def noted(out):
    """What runs noted in OUT of the figures, {name: entry}: each in a file of its own, as runs may share the
    folder, and before that in manifest.json. A manifest that is none is told and put aside.
    """
    path, entries = out / "manifest.json", {}
    with contextlib.suppress(FileNotFoundError):
        try:
            entries = dict(json.loads(path.read_bytes())["figures"].items())
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            aside = out / "manifest.damaged.json"
            os.replace(path, aside)
            print(f"{path} is no manifest: moved to {aside.name}, and begun afresh", file=sys.stderr)
    for path in sorted((out / "store" / "manifest").glob("*.json")):
        entries[path.stem] = json.loads(path.read_bytes())
    return entries


def note(out, name, entry):
    """Put a figure's entry into OUT/manifest.json, where the entries of all figures come together, also of
    those that other runs make at the same time. Returns them.
    """
    own = out / "store" / "manifest" / f"{name}.json"
    own.parent.mkdir(parents=True, exist_ok=True)
    write_whole(own, json.dumps(entry, default=str).encode())
    written, entries = None, noted(out)
    while written != entries:  # again, if another run has noted something meanwhile
        write_whole(out / "manifest.json", (json.dumps({"figures": entries}, indent=1) + "\n").encode())
        written, entries = entries, noted(out)
    return entries


def load(argv):
    """Check the command line and the surroundings, import what is needed; returns the run, a function of no
    arguments that returns the exit status.
    """
    asked = parse(argv)
    modules = {name: importlib.import_module(f"figures.{name}") for name in asked.only or NAMES}
    if asked.list:
        lines = [f"{name:<12} {module.TITLE}" for name, module in modules.items()]
        return lambda: print("\n".join(lines)) or 0
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        try_writing(asked.out)
        noted(asked.out)
    except OSError as error:
        sys.exit(f"--out {asked.out}: cannot write there ({error.strerror})")
    importlib.import_module("figures.index")
    return partial(make, asked, modules, argv)


def make(asked, modules, argv):
    """Make the figures, then the page with all of them; returns the exit status."""
    from figures import common, compare, index

    executor, close = open_executor(asked.executor)
    options = common.Options(
        asked.out, asked.quick, asked.seed, asked.jobs, executor, asked.out / "store", mnist=asked.mnist,
        authors_matrix=asked.authors_matrix,
    )  # fmt: skip
    where = {"command": ["run_all.py", *argv], "quick": asked.quick, "seed": asked.seed,
             "environment": environment()}  # fmt: skip
    begun, name, entries = time.monotonic(), "kernels", {}
    try:
        with processes.shared():
            options.progress.start(name)
            common.load_all_kernels(options)
            for name, module in modules.items():
                entries = one(name, module, options, where)
            name = "index.html"
            options.progress.start(name)
            page = index.make(options, entries)
            options.progress.clear()
        reference = (asked.compare or REFERENCE) / ("quick" if asked.quick else "full")
        if asked.update_reference:
            compare.update(reference, asked.out, modules)
        differs = asked.compare and compare.compare(reference, asked.out, modules)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted in {name}; what is done is kept in {asked.out}: run the same command again to go on"
        ) from None
    except BrokenPipeError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # a full disk, workers gone, other settings
        options.progress.clear()
        said = f"{name} could not be made: {error}\nwhat is done is kept in {asked.out}"
        with contextlib.suppress(OSError):  # the disk is full
            write_whole(asked.out / "error.txt", traceback.format_exc().encode())
            said += "; the traceback is in error.txt there"
        print(said, file=sys.stderr)
        return 1
    finally:
        close()
    print(f"all in {asked.out}, with manifest.json; {time.monotonic() - begun:.1f} s in total\n{page}")
    if asked.open:
        webbrowser.open(page.absolute().as_uri())
    return 1 if differs else 0


def one(name, module, options, where):
    """Make a figure, print what it found, note it in the manifest; returns the manifest's entries."""
    started = time.monotonic()
    options.progress.start(name)
    result = module.make(options)
    seconds = round(time.monotonic() - started, 2)
    options.progress.clear()
    files = [path.name for path in result.files]
    told = f"{name} ({seconds:.1f} s): {module.TITLE}", *result.lines, ", ".join(files)
    print("\n    ".join(told), flush=True)
    return note(options.out, name, {
        "title": module.TITLE, "files": files, "seconds": seconds, "lines": result.lines,
        "settings": result.settings, **where,
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(cli.run(partial(load, sys.argv[1:])))
