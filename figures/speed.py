"""Where time goes: a step of gradient descent against d, N and M, beside JAX and PyTorch; the parts of a run
against the products it needs; cells of the published Figure 1; whole runs in law.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benign_ref.plots import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from benign_ref.runtime.threads import THREAD_VARIABLES

from . import speed_worker
from .common import WIDTH, finish, log_axis, plt

TITLE = "where time goes: engines, JAX and PyTorch (if there), the parts of a run, a published cell"
CAPTION = """
Speed. (a) Time of one step of gradient descent (loss, gradients of W_Q, W_K, W_V, update; float64) against
d, all on one core, in one process for each d, the competitors taking turns: medians, bars from the shortest
to the longest. N = {N}, M = {M}, d_h = d_v = {d_h}. {peers} JAX: jit of value_and_grad and the update, its
compilation not counted; "as written" takes X W_V w_O from left to right, the other the cheaper X (W_V w_O),
as our engines do. PyTorch: eager. Grey: the one matrix product of a proof-engine step alone, the tokens'
Gram matrix times the coefficients. The proof engine knows d only through that Gram matrix; the law engine
draws it. (b), (c) The same, in one process, against N (M = {M}) and against M (N = {N}) at d = {first_d}.
(d) Processor time of each part of whole runs of the proof engine on real draws,
with a test on {n_test} fresh samples: {steps}
steps at d = {part_d}, and two published cells [A: vit.py], N = {cell_N}, ||mu|| = {cell_mu}; medians of
{repeats} draws. Set-up: Gram matrix, projections, rebuilt columns; advance: what is left of a step. Black:
the limit, the time of the counted multiplications at the speed of the grey product. (e) A whole law run of
{run_steps} steps, drawing included, against d. (f) The published cells, ours beside the authors' program:
{authors} s [A: PyTorch on a CPU, one thread, single precision; taken once, not by this figure]. All of ours
is [C].
"""
SHAPE = {"N": 20, "M": 16, "d_h": 64, "d_v": 64, "snr": 8.0, "C_p": 20.0}
STYLES = {  # name: (label, colour, marker)
    "reference": ("line by line (NumPy)", "0.45", "x"),
    "torch": ("PyTorch, eager", ORANGE, "v"),
    "jax as written": ("JAX, jit, as written", SKY, "s"),
    "jax": ("JAX, jit", VERMILLION, "D"),
    "parameters": ("parameter engine", BLUE, "o"),
    "proof": ("proof engine", GREEN, "^"),
    "law": ("law engine", PURPLE, "."),
}
PARTS = ("draw", "set-up", "product", "attention", "advance", "test")
PAIRS = (  # whose times are compared in the printed lines
    ("jax", "proof"), ("jax as written", "proof"), ("torch", "proof"), ("parameters", "proof"),
    ("proof", "product"), ("jax", "parameters"),
)  # fmt: skip
PEERS = {"jax": "JAX", "torch": "PyTorch"}
GROWING = ("parameters", "proof", "jax")  # in (b) and (c)
ROOT = Path(__file__).resolve().parent.parent


def sizes(quick):
    """The values of d in (a), of N in (b), M in (c), d and steps of the runs in (d), d and steps of those in
    (e), seconds for each process, draws in (d) and (f).
    """
    if quick:
        return {"d": [1024, 4096], "N": [10, 20], "M": [8, 16], "part_d": [1024], "part_steps": 100,
                "run_d": [1024, 10**6], "steps": 60, "seconds": 0.4, "repeats": 2}  # fmt: skip
    return {"d": [4**k for k in range(5, 9)], "N": [5, 10, 20, 40, 80], "M": [4, 8, 16, 32, 64],
            "part_d": [1024, 16384], "part_steps": 600, "run_d": [10**k for k in range(3, 10)],
            "steps": 300, "seconds": 10.0, "repeats": 5}  # fmt: skip


def one_core():
    """The core that the one-core measurements use, None where the system cannot say."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def ask(orders, core):
    """What speed_worker answers to orders [[function, arguments by name], ...], in a process of its own: the
    threads of BLAS and XLA are settled by the environment, the core by its affinity, before NumPy, JAX and
    PyTorch are imported. Raises RuntimeError with the last words of a process that fails.
    """
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    pin = f"os.sched_setaffinity(0, {{{core}}})\n" if core is not None else ""
    script = f"import json, os, sys\n{pin}from figures import speed_worker\n"
    script += "print(json.dumps([getattr(speed_worker, f)(**how) for f, how in json.loads(sys.argv[1])]))"
    command = [sys.executable, "-c", script, json.dumps(orders)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"speed: measuring {orders} failed: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(options, size):
    """Every measurement: {(N, M, d): answer} of steps, times of law runs, parts of runs, published cells."""
    N, M, first = SHAPE["N"], SHAPE["M"], size["d"][0]
    by_d, long = [(N, M, d) for d in size["d"]], {**SHAPE, "epsilon": 1e-12}
    wider = [(n, M, first) for n in size["N"] if n != N] + [(N, m, first) for m in size["M"] if m != M]
    timing = {"seed": options.seed, "seconds": size["seconds"]}

    def steps(places, names, seconds):
        shapes = [{**SHAPE, "N": n, "M": m, "d": d} for n, m, d in places]
        how = {"names": list(names), "seed": options.seed, "seconds": seconds}
        return [["steps", {"shape": shape, **how}] for shape in shapes]

    law = {"shape": {**long, "max_steps": size["steps"]}, "ds": size["run_d"], **timing}
    shapes = [{**long, "max_steps": size["part_steps"], "d": d} for d in size["part_d"]]
    runs = [["law_runs", law], ["parts", {"shapes": shapes, "repeats": size["repeats"]}],
            ["cells", {"repeats": size["repeats"]}]]  # fmt: skip
    orders = [steps([place], STYLES, size["seconds"]) for place in by_d]  # a process each
    orders += [steps(wider, GROWING, size["seconds"] / 3), runs]
    answers, core = [], one_core()
    for k, order in enumerate(orders, 1):
        answers += ask(order, core)
        options.progress(k, len(orders), "processes that measure")
    return dict(zip(by_d + wider, answers)), *answers[-3:]


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


def report(answers, law, parts, cells, size):
    """The printed lines: agreement, ratios, compilation, law runs, parts, published cells, absent peers."""
    N, M, first = SHAPE["N"], SHAPE["M"], size["d"][0]
    there = answers[N, M, first]
    lines = [f"{PEERS[name]} is not installed: left out" for name in PEERS if name not in there["versions"]]
    spread = 0.0
    for answer in answers.values():
        found = [(name, one["losses"]) for name, one in answer["engines"].items() if one["losses"]]
        last = [losses[-1] for name, losses in found if name != "law"]
        spread = max([spread, *(abs(loss / last[0] - 1) for loss in last)])
    lines.append(f"all engines and peers agree in the loss after two steps to {spread:.1g} (relative)")
    for d in sorted({first, 16384, size["d"][-1]} & set(size["d"])):
        for slow, fast in PAIRS:
            text = ratio(answers[N, M, d], slow, fast)
            lines += [f"d = {d}, one core: {slow} / {fast} = {text}"] if text else []
    compiled = [f"{name} {one['first']:.2f} s" for name, one in there["engines"].items() if name != "product"]
    lines.append(f"first step, compilation or loading of compiled code included: {', '.join(compiled)}")
    few, many = size["run_d"][0], size["run_d"][-1]
    low, high = (times(law[str(d)], True)[0] for d in (few, many))  # processor time, whoever else is at work
    lines.append(
        f"a law run of {size['steps']} steps: {high:.3f} s at d = {many:.0e}, {low:.3f} s at d = {few}, "
        f"{high / low:.2f} times"
    )
    for name, one in zip(names_of(size), parts):
        whole, shares = sum(one["parts"].values()), [f"{part} {one['parts'][part]:.3f}" for part in PARTS]
        against = f"{whole / one['limit']:.2f} times the limit"
        lines.append(f"{name}: {whole:.3f} s in {one['steps']:g} steps ({', '.join(shares)}), {against}")
    return lines + speed_worker.compared(cells)


def names_of(size):
    """What the bars of (d) are called."""
    small = [f"d = {d}, {size['part_steps']} steps" for d in size["part_d"]]
    return small + [f"N = {N}, ||mu|| = {mu:g}, published" for N, mu in speed_worker.AUTHORS]


def draw_lines(axes, places, answers, names):
    """Medians of a step against the numbers `places` {number: key of answers}, bars from the shortest to the
    longest time; the product alone in grey.
    """
    for name in names:
        _, colour, marker = STYLES[name]
        there = {
            x: answers[key]["engines"][name] for x, key in places.items() if name in answers[key]["engines"]
        }
        if there:
            draw_line(axes, list(there), list(there.values()), colour, marker=marker, label=STYLES[name][0])
    there = {x: answers[key]["engines"].get("product") for x, key in places.items()}
    product = {x: times(found)[0] for x, found in there.items() if found}
    axes.plot(
        *zip(*product.items()), color="0.7", linewidth=2.5, zorder=0, label="proof engine: product alone"
    )
    axes.set(xscale="log", yscale="log")


def draw_line(axes, xs, found, colour, **style):
    """Medians with bars from the shortest to the longest time."""
    mid, low, high = zip(*(times(one) for one in found))
    bars = [[m - v for m, v in zip(mid, low)], [v - m for m, v in zip(mid, high)]]
    look = {"markersize": 3.5, "markerfacecolor": "none", "capsize": 1.5, "elinewidth": 0.7}
    axes.errorbar(xs, mid, bars, color=colour, **look, **style)


def draw_parts(axes, parts, size):
    """The parts of each run, stacked, and the limit."""
    for k, one in enumerate(parts):
        begun = 0.0
        for part, colour in zip(PARTS, (GREY, *COLOURS)):
            label = part if k == 0 else None
            axes.barh(k, one["parts"][part], left=begun, height=0.6, color=colour, label=label)
            begun += one["parts"][part]
        label = "limit" if k == 0 else None
        axes.plot([one["limit"]] * 2, [k - 0.38, k + 0.38], color="black", linewidth=2, label=label)
    names = [name.replace(", ", "\n", 1).replace("||mu||", r"$\|\mu\|$") for name in names_of(size)]
    axes.set(
        yticks=range(len(names)), yticklabels=names, xlabel="seconds (processor)", title="(d) parts of a run"
    )
    axes.invert_yaxis()
    axes.legend(fontsize=6, ncols=2)


def draw(answers, law, parts, cells, size):
    """All panels."""
    N, M, first = SHAPE["N"], SHAPE["M"], size["d"][0]
    figure, panels = plt.subplots(2, 3, figsize=(WIDTH * 1.35, 5.6), width_ratios=[1.5, 1, 1])
    (by_d, by_N, by_M), (bars, runs, ours_and_theirs) = panels
    draw_lines(by_d, {d: (N, M, d) for d in size["d"]}, answers, STYLES)
    by_d.set(ylabel="seconds a step, one core", title="(a) a step")
    log_axis(by_d, size["d"], r"$d$")
    draw_lines(by_N, {n: (n, M, first) for n in size["N"]}, answers, GROWING)
    by_N.set(title=f"(b) M = {M}, d = {first}")
    log_axis(by_N, size["N"], r"$N$")
    draw_lines(by_M, {m: (N, m, first) for m in size["M"]}, answers, GROWING)
    by_M.set(title=f"(c) N = {N}, d = {first}")
    log_axis(by_M, size["M"], r"$M$")
    draw_parts(bars, parts, size)
    draw_line(runs, size["run_d"], [law[str(d)] for d in size["run_d"]], PURPLE, marker=".")
    title = f"(e) a law run, {size['steps']} steps"
    runs.set(xscale="log", xlabel=r"$d$", ylabel="seconds, one core", title=title)
    runs.set_ylim(bottom=0)
    for k, (n, mu, seconds) in enumerate(cells):
        label = ("ours, double precision", "the authors' [A], single") if k == 0 else (None, None)
        ours_and_theirs.bar(k - 0.2, median(seconds), 0.38, color=GREEN, label=label[0])
        ours_and_theirs.bar(k + 0.2, speed_worker.AUTHORS[n, mu], 0.38, color="0.6", label=label[1])
    ticks = [f"N = {n}\n$\\|\\mu\\|$ = {mu:g}" for n, mu, _ in cells]
    ours_and_theirs.set(
        xticks=range(len(ticks)), xticklabels=ticks, ylabel="seconds", title="(f) a published cell"
    )
    ours_and_theirs.set_ylim(top=1.3 * max(speed_worker.AUTHORS.values()))
    ours_and_theirs.legend(fontsize=6)
    figure.legend(*by_d.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def caption(answers, size):
    """The caption, filled in from what was measured."""
    versions = answers[SHAPE["N"], SHAPE["M"], size["d"][0]]["versions"]
    peers = [f"{PEERS[name]} {versions[name]}" for name in PEERS if name in versions]
    absent = [PEERS[name] for name in PEERS if name not in versions]
    text = [f"With {' and '.join(peers)}."] * bool(peers) + [f"Not installed: {', '.join(absent)}."] * bool(
        absent
    )
    join = lambda values: " and ".join(f"{value:g}" for value in values)  # noqa: E731
    return CAPTION.format(
        N=SHAPE["N"], M=SHAPE["M"], d_h=SHAPE["d_h"], peers=" ".join(text), first_d=size["d"][0],
        steps=size["part_steps"], part_d=" and ".join(map(str, size["part_d"])), repeats=size["repeats"],
        n_test=speed_worker.N_TEST,
        cell_N=join(N for N, _ in speed_worker.AUTHORS), cell_mu=join(mu for _, mu in speed_worker.AUTHORS),
        run_steps=size["steps"], authors=join(speed_worker.AUTHORS.values()),
    )  # fmt: skip


def make(options):
    """Measure, draw, return a Result."""
    size = sizes(options.quick)
    answers, law, parts, cells = measure(options, size)
    header = ["what", "N", "M", "d", "engine or part", "median_s", "shortest_s", "longest_s", "processor_s"]
    header += ["rounds", "first_s", "third_loss"]
    row = lambda found: [*times(found), times(found, True)[0]]  # noqa: E731
    rows = []
    for key, answer in answers.items():
        for name, one in answer["engines"].items():
            last = one["losses"][-1] if one["losses"] else ""
            rows.append(["step", *key, name, *row(one), len(one["times"]), one["first"], last])
    N, M = SHAPE["N"], SHAPE["M"]
    rows += [[f"run of {size['steps']} steps", N, M, d, "law", *row(law[d]), len(law[d])] for d in law]
    for name, one in zip(names_of(size), parts):
        every = {**one["parts"], "limit": one["limit"]}
        rows += [[name, "", "", "", part, "", "", "", seconds] for part, seconds in every.items()]
    for n, mu, seconds in cells:
        what = [f"published cell, ||mu|| = {mu:g}", n, 16, 1024]
        rows.append([*what, "proof", "", min(seconds), max(seconds), median(seconds), len(seconds)])
        rows.append([*what, "the authors' program [A]", speed_worker.AUTHORS[n, mu]])
    rows = [one + [""] * (len(header) - len(one)) for one in rows]
    picture = draw(answers, law, parts, cells, size)
    versions = answers[N, M, size["d"][0]]["versions"]
    settings = {"shape": SHAPE, **size, "versions": versions, "core": one_core()}
    return finish(
        options,
        "speed",
        picture,
        caption(answers, size),
        [header, *rows],
        report(answers, law, parts, cells, size),
        settings,
    )
