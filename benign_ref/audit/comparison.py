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
from contextlib import suppress
from functools import partial
from importlib import import_module, metadata
from itertools import product
from typing import NamedTuple

import numpy as np

from .. import validate
from ..checks import check_exactly, check_gradient
from ..paper import data, model
from ..wrong.gradients import MUTANTS, GradientMutant

SCALES = (1.0, 1e-2, 1e-3)
SATURATED, GAP = "saturated", 25  # what the two largest logits of a row differ by, about
N, M, D, D_H, D_V = 4, 3, 4, 3, 2
SCIPY_ALLOWED = 1e-5
HEADER = ["checker", "version", "seed", "scale", "block", "mutant", "accepted"]


def point(scale, seed):
    """X (N,M,d), y (N,), theta at one scale; X and the directions of the weights are the same at every
    scale, except that SATURATED is a point by itself.
    """
    rng = data.make_rng(seed)
    X, y = rng.standard_normal((N, M, D)), np.where(np.arange(N) % 2, -1.0, 1.0)
    W_Q, W_K, W_V, w_O = (rng.standard_normal(shape) for shape in ((D, D_H), (D, D_H), (D, D_V), D_V))
    w_O /= np.linalg.norm(w_O)
    if scale != SATURATED:
        return X, y, model.Parameters(scale * W_Q, scale * W_K, scale * W_V, w_O)
    # logits c a_l b_j and a little more, with 1 <= |a_l| <= 1.3 and the b_j of a sample at least 1 apart
    X[..., 0] = rng.uniform(1, 1.3, (N, M)) * rng.choice([-1, 1], (N, M))
    X[..., 1] = rng.permuted(rng.uniform(-0.1, 0.1, (N, M)) + 1.2 * np.arange(M), axis=1)
    e, h = np.eye(D), np.ones(D_H) / D_H**0.5
    W_Q, W_K = GAP * (np.outer(e[0], h) + 0.01 * W_Q), np.outer(e[1], h) + 0.01 * W_K
    return X, y, model.Parameters(W_Q, W_K, W_V, w_O)


def gaps(seed):
    """The differences of the two largest logits of each row at the saturated point of a seed."""
    X, _, theta = point(SATURATED, seed)
    P = X @ theta.W_Q @ (X @ theta.W_K).swapaxes(1, 2)
    return np.diff(np.sort(P)[..., -2:]).ravel()


def joined(theta):
    """The blocks of theta as one flat vector, in their order."""
    return np.concatenate([np.ravel(W) for W in theta])


def flattened(f, grad, theta):
    """f and grad as functions of one flat vector, and theta as one: what the checkers of others take."""
    ends = np.cumsum([W.size for W in theta])[:-1]

    def at(v):
        parts = np.split(np.asarray(v), ends)
        return model.Parameters(*(part.reshape(W.shape) for part, W in zip(parts, theta)))

    return lambda v: float(f(at(v))), lambda v: joined(grad(at(v))), joined(theta)


def scipy_check_grad(f, grad, theta):
    """scipy.optimize.check_grad: forward differences over all entries; it returns the 2-norm of the error, to
    be small.
    """
    from scipy.optimize import check_grad

    return check_grad(*flattened(f, grad, theta)) < SCIPY_ALLOWED


def torch_gradcheck(f, grad, theta):
    """torch.autograd.gradcheck on a custom autograd.Function whose backward is the claimed gradient; float64,
    defaults.
    """
    import torch

    value, slope, x = flattened(f, grad, theta)

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return torch.tensor(value(v.detach().numpy()), dtype=torch.float64)

        @staticmethod
        def backward(ctx, upstream):
            return upstream * torch.from_numpy(slope(ctx.saved_tensors[0].detach().numpy()))

    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(Claimed.apply, x, raise_exception=False)


def jax_check_grads(f, grad, theta):
    """jax.test_util.check_grads(order=1, modes=["rev"]) on a custom_vjp whose backward is the claimed
    gradient; float64, else defaults.
    """
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    value, slope, x = flattened(f, grad, theta)
    number, vector = (jax.ShapeDtypeStruct(shape, x.dtype) for shape in ((), x.shape))
    claimed = jax.custom_vjp(lambda v: jax.pure_callback(value, number, v))
    claimed.defvjp(
        lambda v: (claimed(v), v), lambda v, upstream: (upstream * jax.pure_callback(slope, vector, v),)
    )
    try:
        check_grads(claimed, (jax.numpy.asarray(x),), order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


def taylor_test(f, grad, theta):
    """|f(x + h v) - f(x) - h <grad, v>| must fall like h^2: a rate above 1.9 where h = 0.0025 is halved.

    One direction v, Gaussian, in units of each block's largest entry.
    """
    value, slope, x = flattened(f, grad, theta)
    rng = data.make_rng(0, (1,))
    v = joined([np.abs(W).max() * rng.standard_normal(W.shape) for W in theta])
    along = slope(x) @ v
    before, after = (abs(value(x + h * v) - value(x) - h * along) for h in (0.0025, 0.00125))
    return np.log2(before / after) > 1.9


class Checker(NamedTuple):
    """accepts(f, grad, theta) is true or not; `module` is what it needs, "" for nothing; `rule`: when its
    users take a gradient for right.
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
    Checker("ours (central)", "", partial(check_gradient, method="central"),
            "error <= 1e-5 of each block's largest entry"),
    Checker("ours (complex step)", "", check_gradient, "error <= 1e-10 of each block's largest entry"),
    Checker("ours (exact arithmetic)", "", check_exactly, "residual 0 on fractions drawn at random"),
]  # fmt: skip
RIGHT = GradientMutant("none", "the right gradient")


def version_of(checker):
    """The installed version of what a checker needs, this package's for none; None if it is absent, or
    there but cannot be imported.
    """
    with suppress(ImportError):
        return metadata.version(import_module(checker.module).__name__) if checker.module else "this package"


def compare(seeds=(0,), scales=(*SCALES, SATURATED), checkers=CHECKERS):
    """Every checker on every mutant and the right gradient, at every scale and seed: rows of HEADER. An
    absent one gives one row.
    """
    rows = []
    for checker in checkers:
        version = version_of(checker)
        if version is None:
            rows.append([checker.name, "absent", "", "", "", "", ""])
            continue
        for seed, scale, mutant in product(seeds, scales, [RIGHT, *MUTANTS]):
            X, y, theta = point(scale, seed)
            f, grad = partial(model.loss, X=X, y=y), partial(mutant.gradients, X=X, y=y)
            accepted = int(bool(checker.accepts(f, grad, theta)))
            rows.append([checker.name, version, seed, scale, mutant.block, mutant.name, accepted])
    return rows


def shares(rows):
    """(checkers, scales, mutants, accepted (mutants, checkers, scales, seeds) of 0 or 1, NaN where a draw was
    not tried), the right gradient last. A checker that is absent is left out.
    """
    rows = [row for row in rows if row[1] != "absent"]
    checkers, seeds, scales = (list(dict.fromkeys(row[k] for row in rows)) for k in (0, 2, 3))
    mutants = sorted(dict.fromkeys((row[4], row[5]) for row in rows), key=lambda one: one[0] == "none")
    verdicts = {(row[4:6], row[0], row[3], row[2]): float(row[6]) for row in map(tuple, rows)}
    accepted = [verdicts.get(which, np.nan) for which in product(mutants, checkers, scales, seeds)]
    return checkers, scales, mutants, np.reshape(accepted, [*map(len, (mutants, checkers, scales, seeds))])


def counted(accepted):
    """For one checker and scale, accepted (mutants, seeds): how many wrong gradients it accepts, least and
    most over the seeds that were tried, as "2-3"; and whether it always accepts the right one.
    """
    tried = accepted[:, np.isfinite(accepted[-1])]
    counts = tried[:-1].sum(axis=0).astype(int)
    return "-".join(map(str, sorted({counts.min(), counts.max()}))), bool(tried[-1].all())


def table(rows, markdown=False):
    """As text: how many wrong gradients each checker accepts, of how many; none where it is absent."""
    checkers, scales, mutants, accepted = shares(rows)
    names = [scale if scale == SATURATED else f"weights {scale:g}" for scale in scales]
    lines = [["checker", "version", *names, "takes a gradient for right if"]]
    rules = {checker.name: checker.rule for checker in CHECKERS}
    told = {
        name: [f"{wrong} of {len(mutants) - 1}{'' if right else ', rejects the right one'}"
               for wrong, right in map(counted, by_scale)]
        for name, by_scale in zip(checkers, np.moveaxis(accepted, 0, 2))
    }  # fmt: skip
    for name, version in dict(row[:2] for row in rows).items():
        lines.append([name, version, *told.get(name, [""] * len(scales)), rules.get(name, "")])
    if markdown:
        lines.insert(1, ["---"] * len(lines[0]))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def main(argv=None):
    """Print the table and, if asked, write every verdict as CSV; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benign_ref.audit.comparison", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--seeds", type=validate.integer_argument(0), nargs="+", default=[0],
        help="of the points, integers >= 0; ranges are over them",
    )  # fmt: skip
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")
    parser.add_argument("--csv", metavar="FILE", help="write every verdict there too")
    chosen = parser.parse_args(argv)
    rows = compare(chosen.seeds)
    print(f"Wrong gradients accepted:\n{table(rows, chosen.markdown)}")
    if chosen.csv:
        with open(chosen.csv, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
