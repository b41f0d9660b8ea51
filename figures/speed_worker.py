"""What the speed figure times: one process, one d, every competitor in turn. `python -m figures.speed_worker
'{...}'` prints JSON.

The threads of BLAS and XLA are settled by the environment and by the cores this process may use, before any
of them is imported; that is why the figure starts a process for each measurement. Every competitor takes the
same step: loss, gradients of W_Q, W_K, W_V, and theta - eta gradients, in float64, from the same start on the
same data (the law engine: on its own draw of the same law).
"""

import functools
import json
import os
import sys
import time

try:
    import resource
except ImportError:  # not on every system; then no peak memory is told
    resource = None


def pin(core):
    """Keep this process on one core (None: leave all), where the system can; before NumPy, JAX and PyTorch
    are imported.
    """
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


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

    return take, jax.__version__


def torch_step(s, data, theta):
    """PyTorch: eager autograd, the update in place; X (W_V w_O), the cheaper order."""
    import torch

    torch.set_num_threads(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    )
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

    return take, torch.__version__


def space_step(space, eta):
    """A step of one of our engines."""

    def take():
        value = space.evaluate()
        space.move(eta)
        return float(value)

    return take


def product_alone(space):
    """The roofline: the one matrix product of a proof-engine step, G drows, and nothing else."""
    import numpy as np

    out = np.empty_like(space.C)
    return lambda: np.matmul(space.G, space.C, out=out) is None


def competitors(s, names, seed):
    """{name: take} and {name: version} of the peers; an import that fails leaves its name out."""
    import benign_ref as br
    from benign_ref.derived import law
    from benign_ref.engines import parameter_space
    from benign_ref.engines.proof_space import ProofSpace
    from benign_ref.paper import descent

    takes, versions = {}, {}
    if set(names) - {"law"}:
        data, theta = (
            br.sample_dataset(s, br.make_rng(seed, (0,))),
            br.init_parameters(s, br.make_rng(seed, (1,))),
        )
    spaces = {
        "reference": lambda: descent.ReferenceSpace(theta, data.X, data.y, False),
        "parameters": lambda: parameter_space.ParameterSpace(theta, data.X, data.y, False),
        "proof": lambda: ProofSpace.of(theta, data.X, data.y),
        "law": lambda: law.LawSpace(s, br.make_rng(seed, (2,))),
    }
    peers = {
        "jax": jax_step,
        "jax as written": functools.partial(jax_step, as_written=True),
        "torch": torch_step,
    }
    for name in names:
        if name in spaces:
            space = spaces[name]()
            takes[name] = space_step(space, s.eta)
            if name == "proof":
                takes["product"] = product_alone(space)
        else:
            try:
                takes[name], versions[name] = peers[name](s, data, theta)
            except ImportError:
                pass
    return takes, versions


def timed(take, count):
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
        counts[name] = max(1, round(shortest / max(timed(take, 1)[0], 1e-7)))
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(result[name]["times"]) < 3:
        for name, take in takes.items():
            if counts[name] > 1:
                take()
            result[name]["times"].append(timed(take, counts[name]))
    return result


def whole_runs(s, ds, seed, seconds):
    """Times of whole law runs of s.max_steps steps, drawing included, the values of d in turn: {d: [[seconds,
    processor seconds], ...]}.
    """
    import benign_ref as br

    settings, times = {d: s.replace(d=d) for d in ds}, {d: [] for d in ds}
    br.train_in_law(s, br.make_rng(seed))  # loads the compiled kernels
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds or len(times[ds[0]]) < 3:
        for d, setting in settings.items():
            times[d].append(timed(lambda at=setting: br.train_in_law(at, br.make_rng(seed)), 1))
    return times


def main(order):
    """Carry out an order: shape (of Setting), core, seed, seconds; and names of engines and peers, or the
    values of d for whole runs.
    """
    pin(order["core"])
    import benign_ref as br

    s = br.Setting(**order["shape"])
    if "whole_runs" in order:
        answer = {"whole_runs": whole_runs(s, order["whole_runs"], order["seed"], order["seconds"])}
    else:
        takes, versions = competitors(s, order["names"], order["seed"])
        answer = {"engines": measure(takes, order["seconds"]), "versions": versions}
    unit = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss: bytes on macOS, kibibytes elsewhere
    answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit if resource else None
    print(json.dumps(answer))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
