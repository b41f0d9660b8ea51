"""Reproduce every figure. `python run_all.py --help` says how."""

import os

from benign_ref.runtime import threads

threads.set_default(os.environ)  # before NumPy is imported: the same bits on any number of cores

import argparse  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from pathlib import Path  # noqa: E402

HERE = Path(__file__).resolve().parent


def parse(argv):
    """The command line, checked: an argparse.Namespace."""
    from figures import NAMES

    parser = argparse.ArgumentParser(
        prog="run_all.py",
        description="Reproduce the figures: each as PNG, PDF, the numbers behind it (CSV) and its caption (txt), and a manifest.json.",
        epilog="Grids keep their cells in OUT/store: interrupt with Ctrl-C, run the same command again, and only what is missing is computed.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="reduced sizes, everything still real; each picture says so on its face",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=NAMES, help="only these: " + ", ".join(NAMES)
    )
    parser.add_argument("--list", action="store_true", help="print the names and what they show, and stop")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help="where everything is written (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="first seed, an integer >= 0 (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="K", help="worker processes (default: the cores available)"
    )
    parser.add_argument(
        "--executor",
        metavar="dask:ADDRESS",
        help="run the grids on a dask cluster, for example dask:tcp://10.0.0.1:8786",
    )
    parser.add_argument(
        "--mnist",
        type=Path,
        metavar="PATH",
        help="folder with the original MNIST IDX files, instead of the extract in the package",
    )
    parser.add_argument(
        "--authors-matrix",
        type=Path,
        metavar="FILE",
        help="the authors' matrix.npy (or the same numbers as text): fig1 then compares it pair by pair",
    )
    asked = parser.parse_args(argv)
    if asked.seed < 0:
        parser.error(f"--seed must be an integer >= 0, got {asked.seed}")
    if asked.jobs is not None and asked.jobs < 1:
        parser.error(f"--jobs must be an integer >= 1, got {asked.jobs}")
    if asked.executor and not asked.executor.startswith("dask:"):
        parser.error(f"--executor must be dask:ADDRESS, got {asked.executor!r}")
    if asked.executor and asked.jobs:
        parser.error("--jobs and --executor exclude each other: an executor has its own workers")
    if asked.mnist and not asked.mnist.is_dir():
        parser.error(f"--mnist must be a folder, got {str(asked.mnist)!r}")
    if asked.mnist:
        from benign_ref import images

        try:
            images.load(asked.mnist)
        except (ValueError, OSError) as error:
            parser.error(f"--mnist {asked.mnist}: {error}")
    if asked.authors_matrix:
        from benign_ref.experiments.authors import read_matrix

        try:
            read_matrix(asked.authors_matrix)
        except ValueError as error:
            parser.error(f"--authors-matrix {error}")
    return asked


def environment():
    """Versions, processor and commit, for the manifest."""
    import matplotlib
    import numba
    import numpy

    import benign_ref

    commit = None
    if (HERE / ".git").exists():
        commit = subprocess.run(
            ["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True
        )
    return {
        "benign_ref": benign_ref.__version__,
        "commit": commit.stdout.strip() if commit and commit.returncode == 0 else None,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "matplotlib": matplotlib.__version__,
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def processor():
    """The processor's name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # no such file on this system
    return platform.processor() or platform.machine()


def open_executor(text):
    """The PEP 3148 executor that --executor names, or None; and a function that closes it."""
    if not text:
        return None, lambda: None
    try:
        from distributed import Client
    except ImportError:
        sys.exit("--executor dask:… needs the extra `cluster`: pip install '.[cluster]'")
    client = Client(text.removeprefix("dask:"))
    return client.get_executor(pure=False), client.close


def prepare(out):
    """Create the output folder and try that it can be written, before any work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        sys.exit(f"--out {out}: cannot write there ({error.strerror})")


def note(out, name, entry):
    """Put a figure's entry into OUT/manifest.json; what other runs noted there of other figures stays."""
    path = out / "manifest.json"
    try:
        figures = json.loads(path.read_text())["figures"]
    except FileNotFoundError:
        figures = {}
    except (ValueError, KeyError, TypeError):
        print(f"{path} was not readable as a manifest and is begun afresh", file=sys.stderr)
        figures = {}
    figures[name] = entry
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"figures": figures}, indent=1, default=str) + "\n")
    os.replace(fresh, path)


def main(argv=None):
    """Make what was asked for; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    asked = parse(argv)
    from figures import NAMES

    modules = {name: importlib.import_module(f"figures.{name}") for name in asked.only or NAMES}
    if asked.list:
        for name, module in modules.items():
            print(f"{name:<8} {module.TITLE}")
        return 0
    from figures.common import Options

    prepare(asked.out)
    executor, close = open_executor(asked.executor)
    options = Options(
        asked.out,
        asked.quick,
        asked.seed,
        asked.jobs,
        executor,
        asked.out / "store",
        mnist=asked.mnist,
        authors_matrix=asked.authors_matrix,
    )
    where = {
        "command": ["run_all.py", *argv],
        "quick": asked.quick,
        "seed": asked.seed,
        "environment": environment(),
    }
    begun = time.monotonic()
    try:
        for name, module in modules.items():
            started = time.monotonic()
            options.progress.start(name)
            result = module.make(options)
            seconds = round(time.monotonic() - started, 2)
            options.progress.clear()
            files = [path.name for path in result.files]
            print(f"{name} ({seconds:.1f} s): {module.TITLE}")
            print("".join(f"    {line}\n" for line in result.lines) + f"    {', '.join(files)}", flush=True)
            note(
                asked.out,
                name,
                {
                    "files": files,
                    "seconds": seconds,
                    "lines": result.lines,
                    "settings": result.settings,
                    **where,
                },
            )
    except KeyboardInterrupt:
        options.progress.clear()
        print(
            f"\ninterrupted in {name}; what is done is kept in {asked.out}: run the same command again to go on",
            file=sys.stderr,
        )
        return 130
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # a store of other settings, a full disk, workers that are gone
        options.progress.clear()
        print(
            f"{name} could not be made: {error}\nwhat is done is kept in {asked.out}; the traceback is in error.txt there",
            file=sys.stderr,
        )
        try:
            (asked.out / "error.txt").write_text(traceback.format_exc())
        except OSError:  # the disk is full
            traceback.print_exc()
        return 1
    finally:
        close()
    print(f"all in {asked.out}, with manifest.json; {time.monotonic() - begun:.1f} s in total")
    return 0


if __name__ == "__main__":
    sys.exit(main())
