"""V1-V9: each operation of the vision transformer against its formula written out (loops, moments, a
quadrature), and its gradient against the complex step of that formula, from a random cotangent.
"""

import numpy as np

from .. import literal
from ..core import Row, relative_residual, within
from ..problems import MIXED
from .data import DRAWN

EXACT, STEP = 1e-10, 1e-8
H = 1e-30  # of the complex step
HEADS, SIDE = 4, 2  # heads; rows of a patch, of images with 4 x 6 pixels
SIZES = {"P": 4, "M": 7, "d": 8, "3d": 24, "w": 10, "classes": 5}  # of the small network
NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def _embed(images, W, b, cls, pos):  # V2, pixel by pixel of a patch, patch by patch
    tokens = [np.array([cls] * len(images))]
    for top, left in np.ndindex(images.shape[1] // SIDE, images.shape[2] // SIDE):
        pixels = [images[:, SIDE * top + k // SIDE, SIDE * left + k % SIDE, None] for k in range(SIDE**2)]
        tokens.append(sum(pixel * row for pixel, row in zip(pixels, W)) + b)
    return np.stack([token + position for token, position in zip(tokens, pos)], axis=1)


def _layer_norm(x, g, b):  # V3, by moments
    first, second = (np.einsum("nld->nl", x**k)[..., None] / x.shape[-1] for k in (1, 2))
    return g * (x - first) / (second - first**2 + 1e-5) ** 0.5 + b


def _attention(qkv):  # V4, image by image, head by head, token by token
    d = qkv.shape[2] // 3
    h, output = d // HEADS, np.zeros((*qkv.shape[:2], d), dtype=qkv.dtype)
    for n, l, start in ((n, l, h * k) for n, l, k in np.ndindex(*qkv.shape[:2], HEADS)):
        q, keys, values = (qkv[n, :, start + part : start + part + h] for part in (0, d, 2 * d))
        e = [np.exp(sum(q[l] * key) / d**0.5) for key in keys]
        output[n, l, start : start + h] = sum(e_j * value for e_j, value in zip(e, values)) / sum(e)
    return output


def _bell_mean(x):  # integral_0^1 e^{-(x s)^2 / 2} ds by Gauss and Legendre
    return np.exp(-0.125 * (x[..., None] * (NODES + 1)) ** 2) @ WEIGHTS / 2


LITERAL = {
    "linear": lambda x, W, b=0: np.einsum("nli,io->nlo", x, W) + b,  # V1
    "embed": _embed,
    "layer_norm": _layer_norm,
    "attention": _attention,
    "gelu": lambda x: x * (0.5 + x * _bell_mean(x) / np.sqrt(2 * np.pi)),  # V5
    "relu": lambda x: (x + x * np.sign(x.real)) / 2,  # V6
    "log_softmax": lambda z: z - np.log(np.exp(z).sum(axis=-1))[..., None],  # V7
}


def _network(theta, images):  # V8, the logits by the above
    take = lambda x, operation, *names: LITERAL[operation](x, *(theta[name] for name in names))  # noqa: E731
    x = take(images, "embed", "patch.W", "patch.b", "cls", "pos")
    for i in range(2):
        u = take(take(x, "layer_norm", f"{i}.ln1.g", f"{i}.ln1.b"), "linear", f"{i}.qkv")
        x = x + take(_attention(u), "linear", f"{i}.out.W", f"{i}.out.b")
        u = take(take(x, "layer_norm", f"{i}.ln2.g", f"{i}.ln2.b"), "linear", f"{i}.f1.W", f"{i}.f1.b")
        x = x + take(take(u, "gelu"), "linear", f"{i}.f2.W", f"{i}.f2.b")
    return take(take(take(x[:, :1], "linear", "head1.W", "head1.b"), "relu"), "linear", "head2.W", "head2.b")[
        :, 0
    ]


def _inputs(operation, rng, size):
    """Random inputs of an operation, weights and activations of the given size."""
    (B, M, h), outputs = rng.integers(2, 4, 3), rng.integers(2, 5)
    d = int(HEADS * h)
    x = size * rng.standard_normal((B, M, 3 * d if operation == "attention" else d))
    W, (b, cls) = size * rng.standard_normal((d, outputs)), size * rng.standard_normal((2, outputs))
    if operation == "embed":
        return rng.random((B, 4, 6)), W[: SIDE**2], b, cls, size * rng.standard_normal((7, outputs))
    return {"linear": (x, W, b), "layer_norm": (x, *size * rng.standard_normal((2, d)))}.get(operation, (x,))


def residuals(operation, function, rng, size):
    """(route, residual, allowed) of an implementation of one operation, at random inputs of a given size."""
    x, formula = _inputs(operation, rng, size), LITERAL[operation]
    y, back = function(*x)
    yield f"{operation}: the formula written out", relative_residual(y, formula(*x)), EXACT
    dy, blocks = rng.standard_normal(y.shape), range(operation == "embed", len(x))
    found = back(dy)
    slopes = literal.complex_step(lambda at: (dy * formula(*at)).sum(), [a + 0j for a in x], blocks, H)
    for k, dx, slope in zip(blocks, found if isinstance(found, tuple) else (found,), slopes, strict=True):
        yield f"{operation}: argument {k}, complex step", relative_residual(dx, slope), EXACT


def _theta(shapes, sizes, problem):
    """Random parameters: as at the start, uniform on +-1/sqrt(rows), or Gaussian of twice that size."""
    rng, theta = problem.rng(8), {}
    for name, axes in shapes.items():
        shape = tuple(sizes[axis] for axis in axes.split(","))
        drawn = rng.uniform(-1, 1, shape) if problem.scale == "initial" else 2 * rng.standard_normal(shape)
        theta[name] = drawn / shape[0] ** 0.5 + name.endswith(".g")
    theta["head1.b"][::2] += 3  # some ReLUs on: a block of zeros would be no check
    return theta


def _error(function, theta, claimed, v):
    """|<claimed, v> - the slope of a function along v|, a direction in some of the blocks."""
    slope = function({**theta, **{name: theta[name] + 1j * H * v[name] for name in v}}).imag / H
    return abs(sum((claimed[name] * v[name]).sum() for name in v) - slope)


def _by_block(function, theta, claimed, rng):
    """The largest relative residual of the blocks of a claimed gradient, each along a random direction.
    KeyError if one is missing.
    """
    found = [
        _error(function, theta, claimed, {name: rng.standard_normal(W.shape)})
        / (np.abs(claimed[name]).max() * W.size**0.5)
        for name, W in theta.items()
    ]
    return np.max(found)  # NaN, of a block of zeros too, is not allowed


def _at_once(function, theta, claimed, rng):
    """The same along one direction in all blocks, in which each has a share."""
    v = {name: rng.standard_normal(W.shape) / np.abs(claimed[name]).max() for name, W in theta.items()}
    return _error(function, theta, claimed, v) / sum(W.size for W in theta.values()) ** 0.5


def _V8(audited, problem):
    """A small network against the one written out; the public names at the published sizes."""
    transformer, public, rng = audited.transformer, audited.public, problem.rng(8, 1)
    theta, images = _theta(transformer.SHAPES, SIZES, problem), rng.random((3, 4, 6))
    z, back = transformer.network(theta, images)
    dz = rng.standard_normal(z.shape)
    yield from within({
        "network: the formulas written out": relative_residual(z, _network(theta, images)),
        "network: complex step of the formulas, from a random cotangent": _by_block(
            lambda at: (dz * _network(at, images)).sum(), theta, back(dz), rng),
    }, EXACT)  # fmt: skip
    theta, batch = _theta(transformer.SHAPES, transformer.SIZES, problem), rng.random((2, 28, 28))
    labels = rng.integers(0, 10, 2)
    claimed = public.gradients(theta, batch, labels)
    yield from within({
        "public loss: of the public logits": relative_residual(
            public.loss(theta, batch, labels),
            -LITERAL["log_softmax"](public.forward(theta, batch))[range(2), labels].mean()),
        "public gradients: complex step of the public loss": _at_once(
            lambda at: public.loss(at, batch, labels), theta, claimed, rng),
    }, EXACT)  # fmt: skip


def _V9(audited, problem):
    """Four steps from given gradients, some of them tiny, against sums over all gradients so far."""
    rng = problem.rng(9)
    slopes = rng.standard_normal((4, 3, 2)) * 10.0 ** rng.integers(-9, 1, (3, 2))
    theta, m, v = {"W": rng.standard_normal((3, 2))}, {"W": np.zeros((3, 2))}, {"W": np.zeros((3, 2))}
    for t in range(1, 5):
        first, second = (
            sum((1 - beta) * beta ** (t - s) * slopes[s - 1] ** power for s in range(1, t + 1))
            / (1 - beta**t)
            for beta, power in ((0.9, 1), (0.999, 2))
        )
        before = theta["W"]
        theta, m, v = audited.public.adam(theta, {"W": slopes[t - 1]}, m, v, t)
        yield (
            f"adam: step {t}",
            relative_residual(before - theta["W"], 0.0005 * first / (second**0.5 + 1e-8)),
            STEP,
        )


def _row(label, operation, statement):
    def check(audited, problem):
        function, size = getattr(audited.transformer, operation), 1.0 if problem.scale == "generic" else 0.01
        return residuals(operation, function, problem.rng(int(label[1:])), size)

    code = (f"vision/transformer.py:{operation}",)
    return Row(label, statement, "Figure 2", "[D], model [A]", code, check, "", DRAWN, (MIXED,))


ROWS = [
    _row("V1", "linear", "y = x W + b: dx = dy W^T, dW = x^T dy, db = sum_n dy_n"),
    _row("V2", "embed", "x = [cls; patches W + b] + pos: dcls = sum_n dx_n0, dpos = sum_n dx_n"),
    _row("V3", "layer_norm", "z = (x - mean x)/root: dx = (dz - mean dz - z mean(z dz))/root, dz = g dy"),
    _row("V4", "attention", "O = S V, S = phi(Z), Z = Q K^T/sqrt(d): dZ = S (dS - sum_j S_j dS_j)"),
    _row("V5", "gelu", "y = x Phi(x): dx = dy (Phi(x) + x phi(x))"),
    _row("V6", "relu", "y = max(x, 0): dx = dy where x > 0, else 0"),
    _row("V7", "log_softmax", "y = z - log sum_j e^(z_j): dz = dy - e^y sum_j dy_j"),
    Row(
        "V8",
        "L = -(1/B) sum_b log phi(z_b)[label_b], z the logits; y = x + F(x): dx = dy + F'^T dy",
        "Figure 2",
        "[D], model [A]",
        (
            "vision/transformer.py:block",
            "vision/transformer.py:network",
            "vision/transformer.py:objective",
            "vision/public.py:forward",
            "vision/public.py:loss",
            "vision/public.py:gradients",
        ),
        _V8,
        scales=DRAWN,
        shapes=(MIXED,),
    ),
    Row(
        "V9",
        "Adam: theta <- theta - rate (m/(1 - beta_1^t)) / (sqrt(v/(1 - beta_2^t)) + epsilon)",
        "Figure 2",
        "[A]",
        ("vision/public.py:adam",),
        _V9,
        scales=DRAWN,
        shapes=(MIXED,),
    ),
]
