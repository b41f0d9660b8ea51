"""The public functions of the vision transformer: arguments are checked by name before any work. V9: Adam,
written out, and the training of Figure 2 [A] (mnist.py): batches, reshuffled every epoch.
"""

from functools import partial

import numpy as np

from .. import validate
from . import transformer
from .transformer import SHAPES, SIZES

Theta = dict[str, np.ndarray]
CHUNK = 500  # images whose activations are in memory at once, about 0.3 MB each
RATE, BETA_1, BETA_2, EPSILON = 0.0005, 0.9, 0.999, 1e-8
EPOCHS, BATCH = 15, 100


def _weights(name, value, complex_too):
    check = partial(validate.array, f"theta[{name!r}]", shape=SHAPES[name])
    if complex_too and isinstance(value, np.ndarray) and value.dtype == np.complex128:
        return check(value.real, sizes=dict(SIZES)) + 1j * check(value.imag, sizes=dict(SIZES))
    return check(value, sizes=dict(SIZES))


def _checked(theta, images, complex_too=False):
    """theta, each array checked by name: shape, finite, real or (complex_too) complex; and the images."""
    wrong = sorted(validate.instance("theta", theta, dict).keys() ^ SHAPES.keys(), key=str)
    validate.require(
        not wrong, f"theta must hold the {len(SHAPES)} names of SHAPES; missing or unknown: {wrong}"
    )
    theta = {name: _weights(name, theta[name], complex_too) for name in SHAPES}
    images = validate.array("images", images, "B,rows,columns", {"rows": 28, "columns": 28})
    low, high = images.min(), images.max()
    validate.require(low >= 0 and high <= 1, f"images must be in 0..1, got {low:g} to {high:g}")
    return theta, images


def _labels(labels, B):
    labels = np.asarray(labels)
    digits = "labels must be integers from 0 to 9, got"
    validate.require(labels.dtype.kind in "iu", f"{digits} dtype {labels.dtype}", TypeError)
    validate.require(
        labels.shape == (B,),
        f"labels must have shape (B,) with B={B}, one an image, got shape {labels.shape}",
    )
    wrong = np.flatnonzero((labels < 0) | (labels > 9))
    if wrong.size:
        raise ValueError(f"{digits} {labels[wrong[0]]} at index {wrong[0]}")
    return labels.astype(np.int64)


def _chunks(images):
    """(slice, share of the images) of at most CHUNK images each."""
    for begin in range(0, len(images), CHUNK):
        yield slice(begin, begin + CHUNK), min(CHUNK, len(images) - begin) / len(images)


def init(rng: np.random.Generator) -> Theta:
    """theta(0) [A]: see transformer.init and SHAPES. TypeError if rng is no numpy.random.Generator."""
    return transformer.init(validate.generator("rng", rng))


def forward(theta: Theta, images: np.ndarray) -> np.ndarray:
    """V8 [A]: the logits (B,10) of images (B,28,28) in 0..1; complex where theta is.

    Raises TypeError or ValueError naming the argument, its value and what is allowed; so do all below.
    """
    theta, images = _checked(theta, images, complex_too=True)
    return np.concatenate([transformer.network(theta, images[part])[0] for part, _ in _chunks(images)])


def loss(theta: Theta, images: np.ndarray, labels: np.ndarray) -> float:
    """V8 [A]: the mean over images of -log softmax(logits)[label], labels (B,) integers 0 to 9."""
    theta, images = _checked(theta, images, complex_too=True)
    y = _labels(labels, len(images))
    return sum(
        share * transformer.objective(theta, images[part], y[part])[0] for part, share in _chunks(images)
    )


def gradients(theta: Theta, images: np.ndarray, labels: np.ndarray) -> Theta:
    """V8 [D]: the gradient of `loss` by hand, a dict of theta's names and shapes, float64."""
    theta, images = _checked(theta, images)
    labels, total = _labels(labels, len(images)), dict.fromkeys(theta, 0.0)
    for part, share in _chunks(images):
        slopes = transformer.objective(theta, images[part], labels[part])[1]()
        total = {name: total[name] + share * slope for name, slope in slopes.items()}
    return total


def adam(theta, gradients, m, v, t, rate=RATE):
    """V9: step t = 1, 2, ... of Adam. theta, gradients, m, v: dicts of the same names; m and v begin at 0.

        m <- m + (1 - beta_1) (g - m)          the running mean of g; E m = (1 - beta_1^t) g for a constant g
        v <- v + (1 - beta_2) (g^2 - v)        of g^2, entry by entry
        theta <- theta - rate (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Returns the new theta, m, v; the old are left alone.
    """
    m = {name: m[name] + (1 - BETA_1) * (g - m[name]) for name, g in gradients.items()}
    v = {name: v[name] + (1 - BETA_2) * (g * g - v[name]) for name, g in gradients.items()}
    theta = {
        name: a - rate * (m[name] / (1 - BETA_1**t)) / (np.sqrt(v[name] / (1 - BETA_2**t)) + EPSILON)
        for name, a in theta.items()
    }
    return theta, m, v


def train(
    theta: Theta,
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    epochs: int = EPOCHS,
    batch: int = BATCH,
    precision: str = "double",
) -> tuple[Theta, np.ndarray]:
    """V9 [A]: Adam from theta over `epochs` shuffles of the images, drawn from rng, in batches; the last of
    an epoch may be smaller. Returns the trained theta, and of each epoch the mean over batches of the loss
    before the step, (epochs,). precision, of all arithmetic and of theta: "double" or "single".
    """
    theta, images = _checked(theta, images)
    labels, rng = _labels(labels, len(images)), validate.generator("rng", rng)
    epochs, batch = validate.integer("epochs", epochs, 1), validate.integer("batch", batch, 1)
    dtype = validate.choice("precision", precision, ("double", "single"))  # both are names of NumPy's dtypes
    theta = {name: a.astype(dtype) for name, a in theta.items()}
    m = v = {name: np.zeros_like(a) for name, a in theta.items()}
    images, losses = images.astype(dtype), np.zeros(epochs)
    for epoch in range(epochs):
        parts = np.split(rng.permutation(len(images)), range(batch, len(images), batch))
        for t, part in enumerate(parts, 1 + epoch * len(parts)):
            L, back = transformer.objective(theta, images[part], labels[part])
            theta, m, v = adam(theta, back(), m, v, t)
            losses[epoch] += L / len(parts)
    return theta, losses
