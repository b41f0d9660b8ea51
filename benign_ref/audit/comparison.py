"""How many wrong gradients do the gradient checkers in common use accept?

    python -m benign_ref.audit.comparison [--markdown] [--csv FILE] [--seeds 0 1 2]

Each checker is called as its users call it, with its default tolerances, on the same f, the same 24 wrong
gradients (wrong/gradients.py) and the right one, at three scales of W_Q, W_K, W_V; w_O has norm 1, as in the
theory; and where attention is saturated, |dL_S/dW_Q| ~ e^-30. A checker that is not installed is reported
absent.

    f = L_S (M2) on N = 4 samples of M = 3 tokens of d = 4 Gaussian entries, d_h = 3, d_v = 2; weights
    Gaussian, of std `scale`

Some wrong gradients are wrong by little at a small scale: where attention is nearly uniform, rows of S in
place of columns change the gradient by its distance from 1/M, a 1e-6th. No tolerance above that can tell; the
complex step can.
"""

import argparse
import csv
import sys
from importlib import import_module, metadata
from itertools import product
from typing import NamedTuple

import numpy as np

from ..checks import check_exactly, check_gradient
from ..paper.data import make_rng
from ..paper.gradients import gradients
from ..paper.model import Parameters, loss
from ..wrong.gradients import MUTANTS, GradientMutant

SCALES = (1.0, 1e-2, 1e-3)
SATURATED, GAP = "saturated", 25  # what the two largest logits of a row differ by, about
N, M, D, D_H, D_V = 4, 3, 4, 3, 2
SCIPY_ALLOWED = 1e-5
TAYLOR_STEPS = 0.01 * 0.5 ** np.arange(4)
HEADER = ["checker", "version", "seed", "scale", "block", "mutant", "accepted"]


def point(scale, seed):
    """X (N,M,d), y (N,), theta at one scale; X and the directions of the weights are the same at every
    scale, except that SATURATED is a point by itself.
    """
    rng = make_rng(seed)
    X, y = rng.standard_normal((N, M, D)), np.where(np.arange(N) % 2, -1.0, 1.0)
    W_Q, W_K, W_V, w_O = (rng.standard_normal(shape) for shape in ((D, D_H), (D, D_H), (D, D_V), D_V))
    w_O /= np.linalg.norm(w_O)
    if scale != SATURATED:
        return X, y, Parameters(scale * W_Q, scale * W_K, scale * W_V, w_O)
    # logits c a_l b_j and a little more, with 1 <= |a_l| <= 1.3 and the b_j of a sample at least 1 apart
    X[..., 0] = rng.uniform(1, 1.3, (N, M)) * rng.choice([-1, 1], (N, M))
    X[..., 1] = rng.permuted(rng.uniform(-0.1, 0.1, (N, M)) + 1.2 * np.arange(M), axis=1)
    across, along = np.eye(D)[:2]
    h = np.ones(D_H) / D_H**0.5
    W_Q, W_K = GAP * (np.outer(across, h) + 0.01 * W_Q), np.outer(along, h) + 0.01 * W_K
    return X, y, Parameters(W_Q, W_K, W_V, w_O)


def gaps(seed):
    """The differences of the two largest logits of each row at the saturated point of a seed."""
    X, _, theta = point(SATURATED, seed)
    P = np.sort(X @ theta.W_Q @ (X @ theta.W_K).swapaxes(1, 2))
    return (P[..., -1] - P[..., -2]).ravel()


def split(flat, theta):
    """A flat vector as Parameters of theta's shapes."""
    ends = np.cumsum([W.size for W in theta])[:-1]
    return Parameters(*(part.reshape(W.shape) for part, W in zip(np.split(np.asarray(flat), ends), theta)))


def joined(theta):
    """The blocks of theta as one flat vector, in their order; `split` undoes it."""
    return np.concatenate([np.ravel(W) for W in theta])


def scipy_check_grad(f, grad, theta):
    """scipy.optimize.check_grad: forward differences over all entries; it returns the 2-norm of the error, to
    be small.
    """
    from scipy.optimize import check_grad

    error = check_grad(
        lambda v: float(f(split(v, theta))), lambda v: joined(grad(split(v, theta))), joined(theta)
    )
    return bool(error < SCIPY_ALLOWED)


def torch_gradcheck(f, grad, theta):
    """torch.autograd.gradcheck on a custom autograd.Function whose backward is the claimed gradient; float64,
    defaults.
    """
    import torch

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *blocks):
            ctx.save_for_backward(*blocks)
            return torch.tensor(f(Parameters(*(W.detach().numpy() for W in blocks))), dtype=torch.float64)

        @staticmethod
        def backward(ctx, upstream):
            claimed = grad(Parameters(*(W.detach().numpy() for W in ctx.saved_tensors)))
            return tuple(upstream * torch.from_numpy(np.array(W)) for W in claimed)

    blocks = tuple(torch.tensor(W, dtype=torch.float64, requires_grad=True) for W in theta)
    return bool(torch.autograd.gradcheck(Claimed.apply, blocks, raise_exception=False))


def jax_check_grads(f, grad, theta):
    """jax.test_util.check_grads(order=1, modes=["rev"]) on a custom_vjp whose backward is the claimed
    gradient; float64, else defaults.
    """
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    number = jax.ShapeDtypeStruct((), np.float64)
    shapes = tuple(jax.ShapeDtypeStruct(W.shape, np.float64) for W in theta)
    numpy_of = lambda blocks: Parameters(*(np.array(W) for W in blocks))  # noqa: E731

    @jax.custom_vjp
    def value(*blocks):
        return jax.pure_callback(lambda *W: np.float64(f(numpy_of(W))), number, *blocks)

    def backward(blocks, upstream):
        claimed = jax.pure_callback(
            lambda *W: tuple(np.asarray(G) for G in grad(numpy_of(W))), shapes, *blocks
        )
        return tuple(upstream * G for G in claimed)

    value.defvjp(lambda *blocks: (value(*blocks), blocks), backward)
    try:
        check_grads(value, tuple(jax.numpy.asarray(W) for W in theta), order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


def taylor_test(f, grad, theta):
    """|f(x + h v) - f(x) - h <grad, v>| must fall like h^2: a rate above 1.9 over the last of three halvings
    of h = 0.01.

    One direction v, Gaussian, in units of each block's largest entry.
    """
    rng = make_rng(0, (1,))
    v = Parameters(*(np.abs(W).max() * rng.standard_normal(W.shape) for W in theta))
    slope = joined(grad(theta)) @ joined(v)
    left = np.array(
        [
            abs(f(Parameters(*(W + h * V for W, V in zip(theta, v)))) - f(theta) - h * slope)
            for h in TAYLOR_STEPS
        ]
    )
    return bool(np.log2(left[-2] / left[-1]) > 1.9)


def ours_complex_step(f, grad, theta):
    """check_gradient by complex step: 1e-10 relative to each block's largest entry."""
    return check_gradient(f, grad, theta).passed


def ours_central(f, grad, theta):
    """check_gradient by central differences: 1e-5 relative to each block's largest entry."""
    return check_gradient(f, grad, theta, method="central").passed


def ours_exactly(f, grad, theta):
    """check_exactly: equal as fractions."""
    return check_exactly(f, grad, theta).passed


class Checker(NamedTuple):
    """accepts(f, grad, theta) -> bool; `module` is what it needs, "" for nothing; `rule`: when its users take
    a gradient for right.
    """

    name: str
    module: str
    accepts: object
    rule: str


CHECKERS = [
    Checker("scipy check_grad", "scipy", scipy_check_grad,
            f"returned error < {SCIPY_ALLOWED:g}, as its users ask (it has no default)"),
    Checker("torch gradcheck", "torch", torch_gradcheck,
            "error <= 1e-5 + 1e-3 of the gradient (defaults, float64)"),
    Checker("jax check_grads", "jax", jax_check_grads,
            "error <= 1e-5 + 1e-5 of the slope, along one direction (defaults, float64)"),
    Checker("Taylor test", "", taylor_test,
            "the remainder falls faster than h^1.9 along one direction (written here)"),
    Checker("ours (central)", "", ours_central, "error <= 1e-5 of each block's largest entry"),
    Checker("ours (complex step)", "", ours_complex_step, "error <= 1e-10 of each block's largest entry"),
    Checker("ours (exact arithmetic)", "", ours_exactly, "residual 0 on fractions drawn at random"),
]  # fmt: skip
RIGHT = GradientMutant("none", "the right gradient", gradients)


def version_of(checker):
    """The installed version of what a checker needs, this package's for none; None if it is absent."""
    if not checker.module:
        return "this package"
    try:
        import_module(checker.module)
    except ImportError:
        return None
    return metadata.version(checker.module)


def compare(seeds=(0,), scales=(*SCALES, SATURATED), checkers=None):
    """Every checker on every mutant and the right gradient, at every scale and seed: rows of HEADER. An
    absent one gives one row.
    """
    rows = []
    for checker in CHECKERS if checkers is None else checkers:
        version = version_of(checker)
        if version is None:
            rows.append([checker.name, "absent", "", "", "", "", ""])
            continue
        for seed, scale in product(seeds, scales):
            X, y, theta = point(scale, seed)
            for mutant in [RIGHT, *MUTANTS]:
                accepted = checker.accepts(
                    lambda p, X=X, y=y: loss(p, X, y),
                    lambda p, m=mutant, X=X, y=y: m.gradients(p, X, y),
                    theta,
                )
                rows.append([checker.name, version, seed, scale, mutant.block, mutant.name, int(accepted)])
    return rows


def summary(rows):
    """{checker: (version, {scale: {seed: (wrong accepted, of how many, right accepted)}})}; an absent one has
    no scales.
    """
    found = {}
    for name, version, seed, scale, block, _, accepted in rows:
        scales = found.setdefault(name, (version, {}))[1]
        if version == "absent":
            continue
        wrong, of, right = scales.setdefault(scale, {}).get(seed, (0, 0, None))
        scales[scale][seed] = (
            (wrong, of, bool(accepted)) if block == "none" else (wrong + accepted, of + 1, right)
        )
    return found


def cell(by_seed):
    """One entry of the table: the least and the most wrong gradients accepted over the seeds."""
    wrong = sorted({one[0] for one in by_seed.values()})
    of, right = next(iter(by_seed.values()))[1], all(one[2] for one in by_seed.values())
    return f"{wrong[0]}{f'-{wrong[-1]}' if len(wrong) > 1 else ''} of {of}" + (
        "" if right else ", rejects the right one"
    )


def table(rows, markdown=False):
    """The summary as text: how many wrong gradients each checker accepts, of how many."""
    found = summary(rows)
    scales = list(dict.fromkeys(row[3] for row in rows if row[3] != ""))
    head = [
        "checker",
        "version",
        *(scale if scale == SATURATED else f"weights {scale:g}" for scale in scales),
        "takes a gradient for right if",
    ]
    lines = []
    for name, (version, by_scale) in found.items():
        cells = [cell(by_scale[scale]) if scale in by_scale else "" for scale in scales]
        lines.append([name, version, *cells, next((c.rule for c in CHECKERS if c.name == name), "")])
    if markdown:
        return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])
    widths = [max(len(line[k]) for line in [head, *lines]) for k in range(len(head))]
    return "\n".join(
        "  ".join(f"{text:<{width}}" for text, width in zip(line, widths)).rstrip() for line in [head, *lines]
    )


def main(argv=None):
    """Print the table and, if asked, write every verdict as CSV; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref.audit.comparison", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of the points, integers >= 0; ranges are over them"
    )
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")
    parser.add_argument("--csv", metavar="FILE", help="write every verdict there too")
    chosen = parser.parse_args(argv)
    if min(chosen.seeds) < 0:
        parser.error(f"argument --seeds: must be integers >= 0, got {min(chosen.seeds)}")
    rows = compare(chosen.seeds)
    print("Wrong gradients accepted:")
    print(table(rows, chosen.markdown))
    if chosen.csv:
        with open(chosen.csv, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
