"""python -m benign_ref run: one experiment of your own, from real draws, drawn in law, or in the limit."""

import argparse
import csv
import io
import sys
from dataclasses import fields
from typing import get_args

import numpy as np

from . import api, plots, validate
from .checked import DivergenceError
from .derived import boundary, law, limit_run
from .experiments import phases, published
from .paper.data import init_parameters, make_rng, sample_dataset
from .paper.model import logistic
from .paper.setting import Setting
from .runtime.store import digest, write_all

LEVEL = 0.2  # the test loss of the paper's cut
PER_DECADE = 12  # steps recorded on the logarithmic axis
ON_THE_WAY = 200  # fresh samples behind a test loss on the way
ROWS = {"S_ss": (0, 0), "S_s2": (0, 1), "S_2s": (1, 0), "S_22": (1, 1)}  # the row that looks, what it sees
KINDS = {  # the values of Setting that are flags, as argparse reads them
    one.name: next(kind for kind in (int, float, str) if kind in (one.type, *get_args(one.type)))
    for one in fields(Setting)
    if one.init and one.name != "balanced"
}


def arguments(argv):
    """The parsed command line; argparse leaves with status 2 on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref run",
        description="Run gradient descent once and say what came of it. Every value of Setting by its name.",
        epilog="exit status: 0 done, 1 the run diverged or could not be written, 2 wrong arguments",
    )
    flag, whole = {"action": "store_true"}, validate.integer_argument
    how = {
        "--law": dict(flag, help="draw the run in law, whatever d"),
        "--limit": dict(flag, help="the limit of large d and d_h: nothing drawn"),
    }
    options = {
        f"--{name}": dict(type=kind, metavar=name.upper(), help=f"Setting's {name}")
        for name, kind in KINDS.items()
    } | {
        "--unbalanced": dict(action="store_const", const=False, dest="balanced",
                             help="draw each label, instead of half of each"),
        "--mu": dict(type=float, help="||mu||, instead of --snr"),
        "--published": dict(
            choices=published.FIGURES, help="the published experiment's values [A] for all else"),
        **how,
        "--seed": dict(type=whole(0), default=0, help="default %(default)s"),
        "--n_test": dict(type=whole(1), default=1000, help="fresh samples (default %(default)s)"),
        "--out": dict(
            type=validate.folder_argument, default="out", metavar="DIR",
            help="folder of the picture (default %(default)s)"),
    }  # fmt: skip
    one_of = parser.add_mutually_exclusive_group()
    for name, keywords in options.items():
        (one_of if name in how else parser).add_argument(name, **keywords)
    asked = parser.parse_args(argv)
    if asked.snr is not None and asked.mu is not None:
        parser.error("--mu and --snr exclude each other: ||mu|| = SNR sigma_p sqrt(d)")
    try:
        asked.setting, asked.notes = setting_of(asked)
    except (ValueError, TypeError) as error:
        parser.error(str(error))
    return asked


def setting_of(asked):
    """(Setting, what must be said about it) of a command line. Raises ValueError or TypeError."""
    values = {name: getattr(asked, name) for name in (*KINDS, "balanced")}
    given, notes = {name: value for name, value in values.items() if value is not None}, []
    if asked.published:
        place = {name: given.pop(name, None) for name in ("N", "snr")}
        s = published.published_setting(asked.published, mu=asked.mu, **place).replace(**given)
        if given:
            notes.append(f"changed from the published experiment: {', '.join(given)}")
    else:
        s = Setting(**given)
        if asked.mu is not None:
            s = s.replace(snr=asked.mu / s.noise_norm)
    if asked.law and s.init == "uniform":
        s = s.replace(init="gaussian")
        notes.append("--law changes the start: Gaussian of the same standard deviations, not uniform")
    if asked.limit:
        notes.append(
            "--limit ignores d, d_h (but for sigma_h^2 d_h), the law of noise and start, sigma_V and the seed"
        )
    return s, notes


def history_of(records, losses):
    """What plots.draw_run takes, from the Records of a run; record.observed is the test loss there."""
    columns = {
        "step": [r.step for r in records],
        "train_loss": [losses[r.step] for r in records],
        "test_loss": [r.observed for r in records],
        **{name: [float(r.attention[:, l, j].mean()) for r in records] for name, (l, j) in ROWS.items()},
        **{f"V_{j}": [float(np.abs(r.values[:, l]).mean()) for r in records] for l, j in enumerate("s2")},
    }
    return {name: np.array(values) for name, values in columns.items()}


def run_drawn(s, seed, n_test, in_law):
    """A run on real draws, or drawn in law: (the run, its history as plots.draw_run takes it, what it shows
    on n_test fresh samples: test loss, standard error, error rate). The curve of the test loss is over
    ON_THE_WAY samples.
    """
    wanted, few = api.log_spaced_steps(s.max_steps, PER_DECADE), min(n_test, ON_THE_WAY)
    start, test = make_rng(seed, (0,)), lambda: make_rng(seed, (1,))  # the same fresh samples at every step
    if in_law:
        observe = lambda at: at.test_loss(few, test())  # noqa: E731
        run = law.train_in_law(s, start, record_every=wanted, observe=observe)
        fresh = *run.test_loss(n_test, test(), return_se=True), run.error_rate(n_test, test())
    else:
        data, theta = sample_dataset(s, start), init_parameters(s, start)
        X, y, *_ = sample_dataset(s, test(), n_test)
        margins = lambda theta, n: y[:n] * api.forward(theta, X[:n], "numba")  # noqa: E731
        observe = lambda theta: float(logistic(margins(theta, few)).mean())  # noqa: E731
        run = api.train(s, data, theta, record_every=wanted, observe=observe)
        z = margins(run.parameters, n_test)
        error = float(logistic(z).std(ddof=1) / np.sqrt(n_test)) if n_test > 1 else float("nan")
        fresh = float(logistic(z).mean()), error, float((z <= 0).mean())
    return run, history_of(run.records, run.losses), fresh


def run_limit(s):
    """The same in the limit, which is exact: no standard error (None)."""
    run = limit_run.train_in_limit(s, record_every=api.log_spaced_steps(s.max_steps, PER_DECADE))
    at = run.history
    history = {"step": at.step, "train_loss": run.losses[at.step], "test_loss": at.test_loss}
    history |= {name: at.attention[name[2:]] for name in ROWS}
    history |= {"V_s": np.abs(at.V_s), "V_2": np.abs(at.V_2)}
    return run, history, (run.test_loss, None, run.error_rate)


def boundary_line(s):
    """Where a Setting lies to the limit's boundary at its N, as one line."""
    here = f"N SNR^2 = {s.N_snr2:.4g}"
    try:
        there = boundary.critical_x(s.M, s.N, level=LEVEL, base=s) * s.C_p**2
    except (ValueError, DivergenceError) as error:
        return f"{here}; the limit has no boundary to compare with here ({error})"
    side = "benign" if s.N_snr2 > there else "harmful"
    times = f"{s.N_snr2 / there:.2f} times the limit's boundary {there:.0f} (test loss {LEVEL})"
    return f"{here}, {times} at this N: {side} side"


def report(s, engine, run, found, fresh):
    """The lines that say what came of a run; found: its Phases, fresh: as `run_drawn` gives it."""
    test_loss, standard_error, error_rate = fresh
    ended = f"L_S <= {s.epsilon:g} {'reached' if run.converged else 'NOT reached'}"
    spread = "" if standard_error is None else f" +- {standard_error:.2g} (standard error)"
    return [
        f"run      {engine}: {run.steps} steps, {ended}",
        f"losses   training {run.losses[0]:.4g} to {run.losses[-1]:.4g}",
        f"test     loss {test_loss:.4g}{spread}, error rate {error_rate:.3g}",
        f"phases   {found}",
        f"boundary {boundary_line(s)}",
    ]


def write(folder, name, title, history, found, M):
    """NAME.png and NAME.csv in the folder, which is made if it is not there; returns the paths. Raises
    OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    picture, table = io.BytesIO(), io.StringIO()
    plots.draw_run(picture, history, found, M, title)
    columns = (values.tolist() for values in history.values())
    csv.writer(table, lineterminator="\n").writerows([history, *zip(*columns)])
    contents = {"png": picture.getvalue(), "csv": table.getvalue().encode()}
    files = {folder / f"{name}.{kind}": content for kind, content in contents.items()}
    write_all(files)
    return files


def main(argv=None):
    """Run and report; returns the exit status."""
    asked = arguments(argv)
    s, engine = asked.setting, "in law" if asked.law else "the limit" if asked.limit else "real draws"
    print("\n".join([str(s), *(f"note: {note}" for note in asked.notes)]))
    try:
        run, history, fresh = (
            run_limit(s) if asked.limit else run_drawn(s, asked.seed, asked.n_test, asked.law)
        )
        found = phases.find_phases(history["step"], *(history[name] for name in ROWS), s.M)
        print("\n".join(report(s, engine, run, found, fresh)))
        key = digest([str(s), asked.n_test])[:6]
        name = f"run-N{s.N}-snr{s.snr:g}-{engine.replace(' ', '-')}-seed{asked.seed}-{key}"
        shape = f"N = {s.N}, M = {s.M}, SNR = {s.snr:.4g}, d = {s.d}, d_h = {s.d_h}"
        title = f"{shape}, {engine}; grey: phases I, II, III"
        print("written  " + ", ".join(map(str, write(asked.out, name, title, history, found, s.M))))
    except BrokenPipeError:  # whoever read what is printed has gone
        raise
    except (DivergenceError, ValueError, OSError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    return 0
