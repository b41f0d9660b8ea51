"""Where time goes: a step of gradient descent against d, N and M, beside JAX and PyTorch; the parts of a run
against the products it needs; cells of the published Figure 1; whole runs in law.
"""

import os
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from benign_ref import validate
from benign_ref.plots import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION
from benign_ref.runtime import processes, workers

from . import speed_worker
from .common import WIDTH, bars, finish, line, panel, plt
from .speed_worker import AUTHORS

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
STYLES = {
    "reference": {"label": "line by line (NumPy)", "color": "0.45", "marker": "x"},
    "torch": {"label": "PyTorch, eager", "color": ORANGE, "marker": "v"},
    "jax as written": {"label": "JAX, jit, as written", "color": SKY, "marker": "s"},
    "jax": {"label": "JAX, jit", "color": VERMILLION, "marker": "D"},
    "parameters": {"label": "parameter engine", "color": BLUE, "marker": "o"},
    "proof": {"label": "proof engine", "color": GREEN, "marker": "^"},
    "law": {"label": "law engine", "color": PURPLE, "marker": "."},
}
PARTS = ("draw", "set-up", "product", "attention", "advance", "test")
PAIRS = (  # whose times are compared in the printed lines
    ("jax", "proof"), ("jax as written", "proof"), ("torch", "proof"), ("parameters", "proof"),
    ("proof", "product"), ("jax", "parameters"),
)  # fmt: skip
PEERS = {"jax": "JAX", "torch": "PyTorch"}
ALL, GROWING = (*STYLES, "product"), ("parameters", "proof", "product", "jax")  # in (a); in (b) and (c)
# The values of d in (a), of N in (b), M in (c), d and steps of the runs in (d), d and steps of those in (e),
# seconds for each process, draws in (d) and (f)
SIZES = {
    "quick": {"d": [1024, 4096], "N": [10, 20], "M": [8, 16], "part_d": [1024], "part_steps": 100,
              "run_d": [1024, 10**6], "steps": 60, "seconds": 0.4, "repeats": 2},
    "full": {"d": [4**k for k in range(5, 9)], "N": [5, 10, 20, 40, 80], "M": [4, 8, 16, 32, 64],
             "part_d": [1024, 16384], "part_steps": 600, "run_d": [10**k for k in range(3, 10)],
             "steps": 300, "seconds": 10.0, "repeats": 5},
}  # fmt: skip
HEADER = ["what", "N", "M", "d", "engine or part", "median_s", "shortest_s", "longest_s", "processor_s",
          "rounds or steps", "first_s", "third_loss"]  # fmt: skip


def one_core():
    """The core that the one-core measurements use, None where the system cannot say."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def ask(calls):
    """The Rows of all calls, measured by a process of its own, BLAS with one thread, on one core. Raises
    RuntimeError with the traceback of a call that fails, or if the process is lost.
    """
    with processes.shared():  # with no worker that waits
        ((_, rows, _),) = workers.by_processes(speed_worker.answer, [(one_core(), *calls)], 1)
    validate.require(isinstance(rows, list), f"a process that measured was lost: {rows}", RuntimeError)
    return rows


def measure(options, size):
    """The Rows of every measurement: steps, law runs, parts of runs, published cells."""
    seed, seconds, repeats, first = options.seed, size["seconds"], size["repeats"], size["d"][0]
    long = {**SHAPE, "epsilon": 1e-12}
    wider = [{name: value} for name in "NM" for value in size[name] if value != SHAPE[name]]
    shapes = [{**long, "max_steps": size["part_steps"], "d": d} for d in size["part_d"]]
    orders = [
        *([partial(speed_worker.steps, {**SHAPE, "d": d}, ALL, seed, seconds)] for d in size["d"]),
        [partial(speed_worker.steps, {**SHAPE, "d": first, **one}, GROWING, seed, seconds / 3)
         for one in wider],
        [partial(speed_worker.law_runs, {**long, "max_steps": size["steps"]}, size["run_d"], seed, seconds),
         partial(speed_worker.parts, shapes, repeats), partial(speed_worker.cells, repeats)],
    ]  # fmt: skip
    rows = []
    for k, calls in enumerate(orders, 1):
        rows += ask(calls)
        options.progress(k, len(orders), "processes that measure")
    return rows


def those(rows, **values):
    """The rows that have these values."""
    return [row for row in rows if values.items() <= row._asdict().items()]


def runs_of(rows):
    """{what: {part: Row}} of the parts of runs."""
    return {
        end.what: {row.name: row for row in those(rows, what=end.what)} for end in those(rows, name="limit")
    }


def cells_of(rows):
    """The Rows of the published cells."""
    return [row for row in rows if row.what.startswith("published cell")]


def ratio(slow, fast):
    """How many times longer `slow` takes, in words. On a busy machine the shortest times say more."""
    return (
        f"{slow.median / fast.median:.2f} (medians; shortest times: {slow.shortest / fast.shortest:.2f}; "
        f"processor time: {slow.processor / fast.processor:.2f})"
    )


def report(rows, size):
    """The printed lines: absent peers, agreement, ratios, compilation, law runs, parts, published cells."""
    steps, first = those(rows, what="step"), size["d"][0]
    of_shape = those(steps, N=SHAPE["N"], M=SHAPE["M"])
    same = [
        row for row in steps if row.name not in ("law", "product")
    ]  # the law engine has a draw of its own
    first_loss = {row[1:4]: row.third_loss for row in reversed(same)}
    spread = max(abs(row.third_loss / first_loss[row[1:4]] - 1) for row in same)
    lines = [f"{PEERS[name]} is not installed: left out" for name in PEERS if not those(steps, name=name)]
    lines.append(f"all engines and peers agree in the loss after two steps to {spread:.1g} (relative)")
    for d in sorted({first, 16384, size["d"][-1]} & set(size["d"])):
        there = {row.name: row for row in those(of_shape, d=d)}
        lines += [
            f"d = {d}, one core: {slow} / {fast} = {ratio(there[slow], there[fast])}"
            for slow, fast in PAIRS if {slow, fast} <= there.keys()
        ]  # fmt: skip
    compiled = [f"{row.name} {row.first:.2f} s" for row in those(of_shape, d=first) if row.name != "product"]
    few, *_, many = those(rows, what=f"run of {size['steps']} steps")
    lines += [
        f"first step, compilation or loading of compiled code included: {', '.join(compiled)}",
        f"a law run of {size['steps']} steps: {many.processor:.3f} s at d = {many.d:.0e}, "
        f"{few.processor:.3f} s at d = {few.d}, {many.processor / few.processor:.2f} times",
    ]
    for what, run in runs_of(rows).items():
        whole, shares = (
            sum(run[part].processor for part in PARTS),
            [f"{part} {run[part].processor:.3f}" for part in PARTS],
        )
        lines.append(
            f"{what}: {whole:.3f} s in {run['limit'].rounds:g} steps ({', '.join(shares)}), "
            f"{whole / run['limit'].processor:.2f} times the limit"
        )
    return lines + speed_worker.compared(cells_of(rows))


def timed(rows, axis, **style):
    """A mark: medians against `axis`, a field of the rows, bars from the shortest to the longest time."""
    x, middle, low, high = np.array([[getattr(row, axis), *row[5:8]] for row in rows]).T
    look = {"markersize": 3.5, "markerfacecolor": "none", "capsize": 1.5, "elinewidth": 0.7, **style}
    return bars(x, middle, [middle - low, high - middle], **look)


def draw_steps(axes, rows, axis, names, title, **settings):
    """The steps of the competitors against one of N, M and d, and the product alone in grey."""
    found = {name: sorted(those(rows, name=name), key=lambda row: getattr(row, axis)) for name in names}
    marks = [timed(found[name], axis, **STYLES[name]) for name in STYLES if found.get(name)]
    x, seconds = zip(*((getattr(row, axis), row.median) for row in found["product"]))
    grey = {"color": "0.7", "linewidth": 2.5, "zorder": 0, "label": "proof engine: product alone"}
    panel(
        axes, *marks, line(x, seconds, **grey), yscale="log", title=title, log_x=(x, f"${axis}$"), **settings
    )


def draw_parts(axes, runs):
    """The parts of each run, stacked, and the limit."""
    begun, places = np.zeros(len(runs)), np.arange(len(runs))
    for part, colour in zip(PARTS, (GREY, *COLOURS)):
        seconds = np.array([run[part].processor for run in runs.values()])
        axes.barh(places, seconds, left=begun, height=0.6, color=colour, label=part)
        begun = begun + seconds
    axes.vlines([run["limit"].processor for run in runs.values()], places - 0.38, places + 0.38,
                color="black", linewidth=2, label="limit")  # fmt: skip
    names = [name.replace(", ", "\n", 1).replace("||mu||", r"$\|\mu\|$") for name in runs]
    axes.set(yticks=places, yticklabels=names, xlabel="seconds (processor)", title="(d) parts of a run")
    axes.invert_yaxis()
    axes.legend(fontsize=6, ncols=2)


def draw_cells(axes, ours, theirs):
    """Processor time of the published cells, ours beside the authors' program."""
    places = np.arange(len(AUTHORS))
    axes.bar(places - 0.2, [row.processor for row in ours], 0.38, color=GREEN, label="ours, double precision")
    axes.bar(
        places + 0.2, [row.median for row in theirs], 0.38, color="0.6", label="the authors' [A], single"
    )
    ticks = [f"N = {N}\n$\\|\\mu\\|$ = {mu:g}" for N, mu in AUTHORS]
    axes.set(xticks=places, xticklabels=ticks, ylabel="seconds", title="(f) a published cell")
    axes.set_ylim(top=1.3 * max(AUTHORS.values()))
    axes.legend(fontsize=6)


def draw(rows, size):
    """All panels."""
    N, M, first = SHAPE["N"], SHAPE["M"], size["d"][0]
    figure, ((by_d, by_N, by_M), (stacked, runs, cells)) = plt.subplots(
        2, 3, figsize=(WIDTH * 1.35, 5.6), width_ratios=[1.5, 1, 1]
    )
    steps, in_law = those(rows, what="step"), those(rows, what=f"run of {size['steps']} steps")
    draw_steps(by_d, those(steps, N=N, M=M), "d", ALL, "(a) a step", ylabel="seconds a step, one core")
    draw_steps(by_N, those(steps, M=M, d=first), "N", GROWING, f"(b) M = {M}, d = {first}")
    draw_steps(by_M, those(steps, N=N, d=first), "M", GROWING, f"(c) N = {N}, d = {first}")
    draw_parts(stacked, runs_of(rows))
    panel(runs, timed(in_law, "d", color=PURPLE, marker="."), xscale="log", xlabel=r"$d$",
          ylabel="seconds, one core", title=f"(e) a law run, {size['steps']} steps")  # fmt: skip
    runs.set_ylim(bottom=0)
    draw_cells(cells, cells_of(rows)[::2], cells_of(rows)[1::2])
    figure.legend(*by_d.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def joined(values):
    """Numbers in words, for the caption."""
    return " and ".join(f"{value:g}" for value in values)


def version_of(peer):
    """The version of a peer, in words where it was installed without saying one."""
    try:
        return version(peer)
    except PackageNotFoundError:
        return "of unknown version"


def make(options):
    """Measure, draw, return a Result."""
    size = SIZES[options.size]
    rows = measure(options, size)
    versions = {name: version_of(name) for name in PEERS if those(rows, name=name)}
    peers = [f"With {' and '.join(f'{PEERS[name]} {versions[name]}' for name in versions)}."] * bool(versions)
    absent = ", ".join(PEERS[name] for name in PEERS if name not in versions)
    peers += [f"Not installed: {absent}."] * bool(absent)
    return finish(
        options, "speed",
        figure=draw(rows, size),
        caption=CAPTION.format(
            N=SHAPE["N"], M=SHAPE["M"], d_h=SHAPE["d_h"], peers=" ".join(peers), first_d=size["d"][0],
            steps=size["part_steps"], part_d=" and ".join(map(str, size["part_d"])), repeats=size["repeats"],
            n_test=speed_worker.N_TEST, cell_N=joined(N for N, _ in AUTHORS),
            cell_mu=joined(mu for _, mu in AUTHORS), run_steps=size["steps"],
            authors=joined(AUTHORS.values()),
        ),
        table=[HEADER, *rows],
        lines=report(rows, size),
        settings={"shape": SHAPE, **size, "versions": versions, "core": one_core()},
    )  # fmt: skip
