"""Time of a step of gradient descent against d: the engines, JAX, PyTorch, and the matrix product inside the
proof engine's step.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benign_ref.runtime.threads import THREAD_VARIABLES

from .common import WIDTH, Result, plt, save

TITLE = "time of a step against d: engines, JAX and PyTorch (if there)"
CAPTION = """ Speed. (a) Time of one step of gradient descent (loss, gradients of W_Q, W_K, W_V, update;
float64) against d, all on one core, in one process for each d, the competitors taking turns: medians, bars
from the shortest to the longest. N = 20, M = 16, d_h = d_v = 64. JAX: jit of value_and_grad and the update,
its compilation not counted; "as written" takes X W_V w_O from left to right, the other the cheaper X (W_V
w_O), as our engines do. PyTorch: eager. Grey: the matrix product of a proof-engine step alone, the tokens'
Gram matrix times the cotangents. The proof engine knows d only through that Gram matrix, so its step costs
the same at any d; the law engine draws the Gram matrix, so that nothing at all has length d. (b) A whole law
run, drawing included, against d. All of it is ours [C].
"""
SHAPE = {"N": 20, "M": 16, "d_h": 64, "d_v": 64, "snr": 8.0, "C_p": 20.0}
STYLES = {  # name: (label, colour, marker)
    "reference": ("line by line (NumPy)", "0.45", "x"),
    "torch": ("PyTorch, eager", "C1", "v"),
    "jax as written": ("JAX, jit, as written", "C5", "s"),
    "jax": ("JAX, jit", "C3", "D"),
    "parameters": ("parameter engine", "C0", "o"),
    "proof": ("proof engine", "C2", "^"),
    "law": ("law engine", "C4", "."),
}
PAIRS = (  # whose times are compared in the printed lines
    ("jax", "proof"), ("jax as written", "proof"), ("torch", "proof"), ("parameters", "proof"), ("proof", "product"), ("jax", "parameters"),
)  # fmt: skip
PEERS = {"jax": "JAX", "torch": "PyTorch"}
ROOT = Path(__file__).resolve().parent.parent
BYTES_PER_D = 32e3  # of a process with every competitor, 26e3 measured at d = 16384


def sizes(quick):
    """The values of d in (a) and (b), steps of a run in (b), seconds for each process."""
    if quick:
        return {"d": [1024, 4096], "run_d": [1024, 10**6], "steps": 60, "seconds": 1.5}
    return {
        "d": [4**k for k in range(5, 11)],
        "run_d": [1024, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9],
        "steps": 300,
        "seconds": 12.0,
    }


def one_core():
    """The core that the one-core measurements use, None where the system cannot say."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def available_bytes():
    """Half of the memory that the system reports as available; without a report, what d = 16384 needs."""
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        return 512 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return BYTES_PER_D * 16384


def ask(order, threads):
    """Start a process for one order to speed_worker and return its answer; RuntimeError with its last words
    if it fails.
    """
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
    }
    if threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false"
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    command = [sys.executable, "-m", "figures.speed_worker", json.dumps(order)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"speed: the measurement {order} failed: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def names_at(d, before, seconds):
    """The competitors at d, and a line on who is left out (None: nobody). before: the last, smaller d and
    {name: seconds a step} there.
    """
    if BYTES_PER_D * d > available_bytes():
        return (
            ["law"],
            f"d = {d}: the law engine alone; with the others the process would need about {BYTES_PER_D * d / 1e9:.0f} GB",
        )
    last, known = before
    grow = [name for name in known if name not in ("law", "proof", "product")]  # in proportion to d
    slow = [name for name in grow if known[name] * d / last > seconds / 3]
    names = [name for name in STYLES if name not in slow and (not known or name in known)]
    return (
        names,
        f"d = {d}: without {', '.join(slow)}, a step of which would take {seconds / 3:g} s or more"
        if slow
        else None,
    )


def measure(options, size):
    """Every measurement: {(d, cores): answer}, the whole runs' answer, and notes on what was left out."""
    core, cores, answers, notes = one_core(), os.cpu_count() or 1, {}, []
    before, total = (1, {}), len(size["d"]) + 2
    for place, d in enumerate(size["d"]):
        names, note = names_at(d, before, size["seconds"])
        order = {
            "shape": {**SHAPE, "d": d},
            "core": core,
            "seed": options.seed,
            "seconds": size["seconds"],
            "names": names,
        }
        answers[d, 1] = ask(order, 1)
        notes += [note] if note else []
        if len(names) > 1:
            before = d, {name: times(found, True)[0] for name, found in answers[d, 1]["engines"].items()}
        options.progress(place + 1, total, "measurements")
    order = {"shape": {**SHAPE, "d": 1024}, "core": None, "seed": options.seed, "seconds": size["seconds"]}
    answers[1024, cores] = ask({**order, "names": ["parameters", "jax", "jax as written"]}, cores)
    options.progress(total - 1, total, "measurements")
    order = {**order, "core": core, "shape": {**order["shape"], "max_steps": size["steps"], "epsilon": 1e-12}}
    runs = ask({**order, "whole_runs": size["run_d"]}, 1)
    options.progress(total, total, "measurements")
    return answers, runs, notes


def times(found, processor=False):
    """Median, shortest and longest time of a competitor, by the clock or of the processor."""
    values = [pair[1 if processor else 0] for pair in (found["times"] if isinstance(found, dict) else found)]
    return median(values), min(values), max(values)


def ratio(answer, slow, fast):
    """How many times longer `slow` takes, as a text; None if one of them was not there. On a busy machine the
    shortest times say more.
    """
    found = answer["engines"]
    if slow not in found or fast not in found:
        return None
    clock, shortest, _ = (a / b for a, b in zip(times(found[slow]), times(found[fast])))
    processor = times(found[slow], True)[0] / times(found[fast], True)[0]
    return f"{clock:.2f} (medians; shortest times: {shortest:.2f}; processor time: {processor:.2f})"


def report(answers, runs, size):
    """The printed lines: agreement, ratios, compilation, law runs, absent peers."""
    first = answers[size["d"][0], 1]
    lines = [f"{PEERS[name]} is not installed: left out" for name in PEERS if name not in first["versions"]]
    spread = 0.0
    for answer in answers.values():
        last = [
            found["losses"][-1]
            for name, found in answer["engines"].items()
            if found["losses"] and name != "law"
        ]
        spread = max([spread, *(abs(loss / last[0] - 1) for loss in last)])
    lines.append(f"all engines and peers agree in the loss after two steps to {spread:.1g} (relative)")
    for (d, cores), answer in answers.items():
        place = f"d = {d}, {'one core' if cores == 1 else f'{cores} cores'}"
        for slow, fast in PAIRS:
            text = ratio(answer, slow, fast)
            if text and (d in (1024, 16384) or d == size["d"][-1]):
                lines.append(f"{place}: {slow} / {fast} = {text}")
    compiled = ", ".join(
        f"{name} {found['first']:.2f} s" for name, found in first["engines"].items() if name != "product"
    )
    lines.append(f"first step, compilation or loading of compiled code included: {compiled}")
    low, high = (times(runs["whole_runs"][str(d)], True)[0] for d in (1024, 10**6))
    # processor time, which a busy machine does not change
    lines.append(
        f"a law run of {size['steps']} steps: {high:.3f} s at d = 1e6, {low:.3f} s at d = 1024, {high / low:.2f} times"
    )
    if runs["peak_mb"]:
        lines.append(
            f"peak memory of the law runs' process, libraries included: {runs['peak_mb']:.0f} MB, d up to {size['run_d'][-1]:.0e}"
        )
    return lines


def draw_line(axes, ds, found, colour, **style):
    """Medians against d with bars from the shortest to the longest time."""
    mid, low, high = zip(*(times(one) for one in found))
    bars = [[m - v for m, v in zip(mid, low)], [v - m for m, v in zip(mid, high)]]
    axes.errorbar(
        ds,
        mid,
        bars,
        color=colour,
        markersize=3.5,
        markerfacecolor="none",
        capsize=1.5,
        elinewidth=0.7,
        **style,
    )


def draw(answers, runs, size):
    """Both panels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.1), width_ratios=[1.7, 1])
    for name, (label, colour, marker) in STYLES.items():
        there = [d for d in size["d"] if name in answers[d, 1]["engines"]]
        if there:
            draw_line(
                left,
                there,
                [answers[d, 1]["engines"][name] for d in there],
                colour,
                marker=marker,
                label=label,
            )
    there = [d for d in size["d"] if "product" in answers[d, 1]["engines"]]
    product = [times(answers[d, 1]["engines"]["product"])[0] for d in there]
    left.plot(there, product, color="0.7", linewidth=2.5, zorder=0, label="proof engine: product alone")
    left.set(xscale="log", yscale="log", xlabel=r"$d$", ylabel="seconds a step, one core", title="(a) a step")
    draw_line(right, size["run_d"], [runs["whole_runs"][str(d)] for d in size["run_d"]], "C4", marker=".")
    right.set(
        xscale="log",
        xlabel=r"$d$",
        ylabel="seconds, one core",
        title=f"(b) a whole law run, {size['steps']} steps",
    )
    right.set_ylim(bottom=0)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def make(options):
    """Measure, draw, return a Result."""
    size = sizes(options.quick)
    answers, runs, notes = measure(options, size)
    header = [
        "what",
        "d",
        "cores",
        "engine",
        "median_s",
        "shortest_s",
        "longest_s",
        "processor_s",
        "rounds",
        "first_s",
        "third_loss",
    ]
    rows = []
    for (d, cores), answer in answers.items():
        for name, found in answer["engines"].items():
            last = found["losses"][-1] if found["losses"] else ""
            rows.append(
                [
                    "step",
                    d,
                    cores,
                    name,
                    *times(found),
                    times(found, True)[0],
                    len(found["times"]),
                    found["first"],
                    last,
                ]
            )
    for d, found in runs["whole_runs"].items():
        rows.append(
            [
                f"run of {size['steps']} steps",
                d,
                1,
                "law",
                *times(found),
                times(found, True)[0],
                len(found),
                "",
                "",
            ]
        )
    files = save(draw(answers, runs, size), "speed", CAPTION, header, rows, options)
    settings = {"shape": SHAPE, **size, "versions": answers[size["d"][0], 1]["versions"], "core": one_core()}
    return Result(files, notes + report(answers, runs, size), settings)
