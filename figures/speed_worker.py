"""What the speed figure times, in a process of its own: a step of every competitor (JAX and PyTorch need not
be installed), the parts of a run, cells of the published Figure 1. `python -m figures.speed_worker` times
these cells beside the authors' program.

Every competitor takes the same step: loss, gradients of W_Q, W_K, W_V, and theta - eta gradients, in float64,
from the same start on the same data (the law engine: on its own draw of the same law).
"""

import contextlib
import os
import time
from collections import namedtuple
from functools import partial
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
from benign_ref.experiments.published import published_setting
from benign_ref.paper.descent import ReferenceSpace
from benign_ref.runtime.threads import one_blas_thread

N_TEST = 100
# (N, ||mu||): seconds that a cell takes the authors' program [A: vit.py at commit 01e6b62], drawing, training
# and test, on a core like those that this was developed on: PyTorch on the CPU, one thread, single precision
AUTHORS = {(20, 50.0): 2.25, (10, 20.0): 1.0}
# One measurement, "" where it has no such number: median, shortest and longest time by the clock, the median
# of processor time, rounds (of a part of a run: its steps), the first call, the loss that the third returned
Row = namedtuple(
    "Row", "what N M d name median shortest longest processor rounds first third_loss", defaults=[""] * 11
)


def row_of(what, s, name, times, *more):
    """The Row of `times`, pairs as `timed` has them, at the sizes of Setting s."""
    clock, processor = zip(*times)
    told = median(clock), min(clock), max(clock), median(processor), len(times)
    return Row(what, s.N, s.M, s.d, name, *told, *more)


def answer(core, *calls):
    """The Rows of all calls, on one core (None: on any), XLA computing with one thread: for a process that
    has not imported JAX or PyTorch yet.
    """
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    if core is not None:
        os.sched_setaffinity(0, {core})
    return [row for call in calls for row in call()]


def space_step(space, eta):
    """A step of one of our engines."""

    def take():
        value = space.evaluate()
        space.move(eta)
        return float(value)

    return take


def product_alone(space):
    """The one matrix product of a proof-engine step, G C, and nothing else."""
    return partial(np.matmul, space.G, space.C, out=np.empty_like(space.C))


def jax_step(s, data, theta, as_written=False):
    """JAX: jit of value_and_grad and the update together, the old weights given back to it. as_written: X W_V
    w_O from left to right (M1); otherwise X (W_V w_O), which is cheaper and what our engines do.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    def loss(weights, w_O, X, y):
        W_Q, W_K, W_V = weights
        S = jax.nn.softmax(jnp.einsum("nlh,njh->nlj", X @ W_Q, X @ W_K), axis=-1)
        c = X @ W_V @ w_O if as_written else X @ (W_V @ w_O)
        return jnp.logaddexp(0.0, -y * jnp.einsum("nlj,nj->n", S, c) / s.M).mean()

    def step(weights, w_O, X, y):
        value, gradient = jax.value_and_grad(loss)(weights, w_O, X, y)
        return value, [W - s.eta * dW for W, dW in zip(weights, gradient)]

    step = jax.jit(step, donate_argnums=0)
    X, y, w_O = jnp.asarray(data.X), jnp.asarray(data.y), jnp.asarray(theta.w_O)
    state = [[jnp.array(W) for W in theta[:3]]]

    def take():
        value, state[0] = jax.block_until_ready(step(state[0], w_O, X, y))
        return float(value)

    return take


def torch_step(s, data, theta):
    """PyTorch: eager autograd, the update in place; X (W_V w_O), the cheaper order."""
    import torch

    torch.set_num_threads(1)  # where a process cannot be held on one core, too
    X, y, w_O = (torch.from_numpy(a) for a in (data.X, data.y, theta.w_O))
    weights = [torch.from_numpy(W.copy()).requires_grad_() for W in theta[:3]]

    def take():
        W_Q, W_K, W_V = weights
        S = torch.softmax((X @ W_Q) @ (X @ W_K).transpose(1, 2), dim=-1)
        f = (S @ (X @ (W_V @ w_O))[..., None])[..., 0].mean(dim=1)
        value = torch.nn.functional.softplus(-y * f, threshold=1e9).mean()
        value.backward()
        with torch.no_grad():
            for W in weights:
                W -= s.eta * W.grad
                W.grad = None
        return value.item()

    return take


def competitors(s, names, seed):
    """{name: take}; an import that fails leaves its name out."""
    data = br.sample_dataset(s, br.make_rng(seed, (0,)))
    theta = br.init_parameters(s, br.make_rng(seed, (1,)))
    proof = ProofSpace.of(theta, data.X, data.y)
    makers = {
        "reference": lambda: space_step(ReferenceSpace(theta, data.X, data.y), s.eta),
        "parameters": lambda: space_step(ParameterSpace(theta, data.X, data.y), s.eta),
        "proof": lambda: space_step(proof, s.eta),
        "product": lambda: product_alone(proof),
        "law": lambda: space_step(LawSpace(s, br.make_rng(seed, (2,))), s.eta),
        "jax": lambda: jax_step(s, data, theta),
        "jax as written": lambda: jax_step(s, data, theta, as_written=True),
        "torch": lambda: torch_step(s, data, theta),
    }
    takes = {}
    for name in names:
        with contextlib.suppress(ImportError):
            takes[name] = makers[name]()
    return takes


def timed(take, count=1):
    """Seconds a call over `count` calls, by the clock and of processor time; the second leaves out what other
    processes took.
    """
    begun, worked = time.perf_counter(), time.process_time()
    for _ in range(count):
        take()
    return (time.perf_counter() - begun) / count, (time.process_time() - worked) / count


def in_turn(takes, seconds, counts):
    """{name: [timed, ...]} of rounds over all of `takes` in turn until `seconds` have passed, three rounds at
    least. What is taken several times a round (counts) is so after a call that is not counted: in a run a
    step finds its data in the cache, not another's.
    """
    times, begun = {name: [] for name in takes}, time.perf_counter()
    while time.perf_counter() - begun < seconds or min(map(len, times.values())) < 3:
        for name, take in takes.items():
            if counts[name] > 1:
                take()
            times[name].append(timed(take, counts[name]))
    return times


def steps(shape, names, seed, seconds, shortest=0.02):
    """Rows of the competitors at a `shape` of Setting, `in_turn`, a fast step as often as takes `shortest`
    seconds. The first call, compilation included, is told apart.
    """
    s, told, counts = br.Setting(**shape), {}, {}
    takes = competitors(s, names, seed)
    for name, take in takes.items():
        first, _ = timed(take)
        take()
        third = take()
        told[name] = first, third if isinstance(third, float) else ""  # a product has no loss
        counts[name] = max(1, round(shortest / max(timed(take)[0], 1e-7)))
    times = in_turn(takes, seconds, counts)
    return [row_of("step", s, name, times[name], *told[name]) for name in takes]


def law_runs(shape, ds, seed, seconds):
    """Rows of whole law runs of max_steps steps, drawing included, the values of d in turn."""
    settings = [br.Setting(**shape, d=d) for d in ds]
    runs = {s.d: lambda s=s: br.train_in_law(s, br.make_rng(seed), progress=False) for s in settings}
    runs[ds[0]]()  # loads the compiled kernels
    times = in_turn(runs, seconds, dict.fromkeys(ds, 1))
    return [row_of(f"run of {s.max_steps} steps", s, "law", times[s.d]) for s in settings]


def parts_once(s, seed):
    """Processor seconds of each part of a run of the proof engine on real draws, tested on fresh samples, and
    the limit, what the products would take at the rate of `product_alone`: {part: seconds}, steps.
    """
    clock, rngs = time.process_time, cell.streams(s.snr, s.N, seed)
    marks = [clock()]
    ((y, Z, index),) = cell.draw_D1(s, rngs[0], s.N, False)
    start = cell.draw_start(s, rngs[1])
    marks.append(clock())
    space = ColumnSpace(Z, *start, index, y)
    marks.append(clock())
    _, taken, *_ = descend(
        space, eta=s.eta, epsilon=s.epsilon, max_steps=s.max_steps, extra_steps=s.extra_steps
    )
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
    counted = cost.products(s, s.T, taken)["proof"] + N_TEST * (s.M - 1) * s.d * (2 * s.d_h + 1)
    return {
        "draw": draw, "set-up": begin + rebuild, "product": product, "attention": attention,
        "advance": max(run - product - attention, 0.0), "test": test,
        "limit": counted * alone / (s.T * space.C.size * taken),
    }, taken  # fmt: skip


def parts(shapes, repeats):
    """Rows of `parts_once`, medians over draws, at each of `shapes` of Setting and in the published cells."""
    places = {f"d = {shape['d']}, {shape['max_steps']} steps": br.Setting(**shape) for shape in shapes} | {
        f"N = {N}, ||mu|| = {mu:g}, published": published_setting("figure1", N=N, mu=mu) for N, mu in AUTHORS
    }
    rows = []
    parts_once(next(iter(places.values())), 0)  # loads the compiled kernels
    for what, s in places.items():
        found, taken = zip(*(parts_once(s, seed) for seed in range(repeats)))
        seconds = {part: median(one[part] for one in found) for part in found[0]}
        rows += [Row(what, name=part, processor=seconds[part], rounds=median(taken)) for part in seconds]
    return rows


def cells(repeats):
    """Two Rows of each published cell: ours, drawing, training and test, and the authors' program."""
    rows = []
    for (N, mu), theirs in AUTHORS.items():
        s, what = published_setting("figure1", N=N, mu=mu), f"published cell, ||mu|| = {mu:g}"
        run = partial(cell.run_cell, s.snr, N, base=s, engine="proof", n_test=N_TEST)
        if not rows:
            run(0)  # loads the compiled kernels
        times = [timed(partial(run, seed)) for seed in range(repeats)]
        rows += [row_of(what, s, "proof", times), Row(what, N, s.M, s.d, "the authors' program [A]", theirs)]
    return rows


def compared(rows):
    """Lines on the Rows of `cells`, and how many times as long the authors' program takes."""
    lines, ratios = [], []
    for (N, mu), ours, theirs in zip(AUTHORS, rows[::2], rows[1::2]):
        ratios.append(theirs.median / ours.processor)
        lines.append(
            f"published cell N = {N}, ||mu|| = {mu:g}: {ours.processor:.3f} s (one core, median of "
            f"{ours.rounds}); the authors' program {theirs.median:g} s [A, one thread, single precision], "
            f"{ratios[-1]:.1f} times"
        )
    return [*lines, f"published cells, mean of the ratios: {sum(ratios) / len(ratios):.1f}"]


if __name__ == "__main__":
    with one_blas_thread():
        print("\n".join(compared(cells(5))))
