"""What the speed figure times, in a process of its own: a step of every competitor, the parts of a run, cells
of the published Figure 1. `python -m figures.speed_worker` times these cells beside the authors' program.

Every competitor takes the same step: loss, gradients of W_Q, W_K, W_V, and theta - eta gradients, in float64,
from the same start on the same data (the law engine: on its own draw of the same law).
"""

import functools
import time
from statistics import median

import numpy as np

import benign_ref as br
from benign_ref.derived.law import LawSpace
from benign_ref.engines import cost
from benign_ref.engines.attention import outputs
from benign_ref.engines.parameter_space import ParameterSpace
from benign_ref.engines.proof_space import ColumnSpace, ProofSpace
from benign_ref.engines.records import descend
from benign_ref.experiments import cell
from benign_ref.paper.descent import ReferenceSpace
from benign_ref.runtime.threads import one_blas_thread

from . import speed_peers

N_TEST = 100
# (N, ||mu||): seconds that a cell takes the authors' program [A: vit.py at commit 01e6b62], drawing, training
# and test, on a core like those that this was developed on: PyTorch on the CPU, one thread, single precision
AUTHORS = {(20, 50.0): 2.25, (10, 20.0): 1.0}


def space_step(space, eta):
    """A step of one of our engines."""

    def take():
        value = space.evaluate()
        space.move(eta)
        return float(value)

    return take


def product_alone(space):
    """The one matrix product of a proof-engine step, G C, and nothing else."""
    out = np.empty_like(space.C)
    return lambda: np.matmul(space.G, space.C, out=out) is None


def competitors(s, names, seed):
    """{name: take} and {name: version} of the peers; an import that fails leaves its name out."""
    data, theta = (
        br.sample_dataset(s, br.make_rng(seed, (0,))),
        br.init_parameters(s, br.make_rng(seed, (1,))),
    )
    ours = {"reference": ReferenceSpace, "parameters": ParameterSpace, "proof": ProofSpace.of}
    peers = {
        "jax": speed_peers.jax_step,
        "jax as written": functools.partial(speed_peers.jax_step, as_written=True),
        "torch": speed_peers.torch_step,
    }
    takes, versions = {}, {}
    for name in names:
        if name in peers:
            try:
                takes[name], versions[name] = peers[name](s, data, theta)
            except ImportError:
                continue
        elif name == "law":
            takes[name] = space_step(LawSpace(s, br.make_rng(seed, (2,))), s.eta)
        else:
            space = ours[name](theta, data.X, data.y)
            takes[name] = space_step(space, s.eta)
            takes |= {"product": product_alone(space)} if name == "proof" else {}
    return takes, versions


def timed(take, count=1):
    """Seconds a call over `count` calls, [by the clock, of processor time]; the second leaves out what other
    processes took.
    """
    begun, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        take()
    return [(time.perf_counter() - begun) / count, (time.process_time() - worked) / count]


def measure(takes, seconds, shortest=0.02):
    """Interleaved times of every competitor: {name: {"first", "losses", "times"}}.

    The first call, compilation included, is told apart; then rounds over all of them in turn until `seconds`
    have passed (three rounds at least). A fast step is taken several times, after one that is not counted: in
    a run it finds its data in the cache, not another's.
    """
    result, counts = {}, {}
    for name, take in takes.items():
        begun = time.perf_counter()
        losses = [take()]
        first = time.perf_counter() - begun
        losses += [take(), take()]
        result[name] = {"first": first, "losses": None if name == "product" else losses, "times": []}
        counts[name] = max(1, round(shortest / max(timed(take)[0], 1e-7)))
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(result[name]["times"]) < 3:
        for name, take in takes.items():
            if counts[name] > 1:
                take()
            result[name]["times"].append(timed(take, counts[name]))
    return result


def steps(shape, names, seed, seconds):
    """`measure` of competitors at a `shape` of Setting: {"engines", "versions"}."""
    takes, versions = competitors(br.Setting(**shape), names, seed)
    return {"engines": measure(takes, seconds), "versions": versions}


def law_runs(shape, ds, seed, seconds):
    """Times of whole law runs of max_steps steps, drawing included, the values of d in turn: {d: [[seconds,
    processor seconds], ...]}.
    """
    settings, found = {d: br.Setting(**{**shape, "d": d}) for d in ds}, {d: [] for d in ds}
    run = lambda s: br.train_in_law(s, br.make_rng(seed), progress=False)  # noqa: E731
    run(settings[ds[0]])  # loads the compiled kernels
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(found[ds[0]]) < 3:
        for d, s in settings.items():
            found[d].append(timed(functools.partial(run, s)))
    return found


def parts_once(s, seed):
    """Processor seconds of each part of a run of the proof engine on real draws, tested on fresh samples:
    ({part: seconds}, steps, the limit: what the products would take at the rate of `product_alone`).
    """
    clock, rngs = time.process_time, cell.streams(s.snr, s.N, seed)
    marks = [clock()]
    ((y, Z, index),) = cell.draw_D1(s, rngs[0], s.N, False)
    start = cell.draw_start(s, rngs[1])
    marks.append(clock())
    space = ColumnSpace(Z, *start, index, y)
    marks.append(clock())
    limits = {name: getattr(s, name) for name in ("eta", "epsilon", "max_steps", "extra_steps")}
    _, taken, *_ = descend(space, **limits)
    marks.append(clock())
    W = space.columns()
    marks.append(clock())
    for _, fresh, places in cell.draw_D1(s, rngs[2], N_TEST, True):
        outputs(fresh @ W, places)
    marks.append(clock())
    draw, begin, run, rebuild, test = (float(seconds) for seconds in np.diff(marks))
    drows, many = np.zeros_like(space.C), max(20, min(taken, 200))
    alone = timed(product_alone(space), many)[1] * taken
    product = timed(space.multiply, many)[1] * taken
    backward = timed(lambda: space.attention.add_cotangents(drows), many)[1] * taken
    attention = timed(space.evaluate, many)[1] * (taken + 1) + backward
    parts = {"draw": draw, "set-up": begin + rebuild, "product": product, "attention": attention}
    parts |= {"advance": max(run - product - attention, 0.0), "test": test}
    of_steps = s.T * space.C.size * taken
    counted = cost.products(s, s.T, taken)["proof"] + N_TEST * (s.M - 1) * s.d * (2 * s.d_h + 1)
    return parts, taken, counted * alone / of_steps


def published(N, mu):
    """The Setting of a cell of the published Figure 1."""
    return br.published_setting("figure1", N=N, mu=mu)


def parts(shapes, repeats):
    """Medians of `parts_once` over draws, at each of `shapes` of Setting and in the published cells: a list
    of {"parts", "steps", "limit"}.
    """
    answers = []
    for s in [*(br.Setting(**shape) for shape in shapes), *(published(*place) for place in AUTHORS)]:
        parts_once(s, 0)  # loads the compiled kernels
        found, taken, limits = zip(*(parts_once(s, seed) for seed in range(repeats)))
        middle = {name: median(one[name] for one in found) for name in found[0]}
        answers.append({"parts": middle, "steps": median(taken), "limit": median(limits)})
    return answers


def cells(repeats):
    """Times of published cells, drawing, training and test: [[N, ||mu||, [processor seconds, ...]], ...]."""
    answers = []
    for N, mu in AUTHORS:
        s = published(N, mu)
        run = functools.partial(cell.run_cell, s.snr, N, base=s, engine="proof", n_test=N_TEST)
        run(0)  # loads the compiled kernels
        answers.append([N, mu, [timed(functools.partial(run, seed))[1] for seed in range(repeats)]])
    return answers


def compared(found):
    """Lines on the cells that `cells` timed, and how many times as long the authors' program takes."""
    lines, ratios = [], []
    for N, mu, seconds in found:
        theirs, ours = AUTHORS[N, mu], median(seconds)
        ratios.append(theirs / ours)
        lines.append(
            f"published cell N = {N}, ||mu|| = {mu:g}: {ours:.3f} s (one core, median of {len(seconds)}); "
            f"the authors' program {theirs:g} s [A, one thread, single precision], {ratios[-1]:.1f} times"
        )
    return [*lines, f"published cells, mean of the ratios: {sum(ratios) / len(ratios):.1f}"]


if __name__ == "__main__":
    with one_blas_thread():
        print("\n".join(compared(cells(5))))
