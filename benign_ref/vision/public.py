"""The public functions of the vision transformer: arguments are checked by name before any work."""

from functools import partial

import numpy as np

from .. import validate
from . import training, transformer
from .transformer import SHAPES, SIZES

Theta = dict[str, np.ndarray]
CHUNK = 500  # images whose activations are in memory at once, about 0.3 MB each


def _theta(theta, complex_too=False):
    """theta, each array checked by name: shape, finite, real or (complex_too) complex."""
    validate.instance("theta", theta, dict)
    if theta.keys() != SHAPES.keys():
        wrong = sorted(theta.keys() ^ SHAPES.keys(), key=str)
        raise ValueError(f"theta must hold the {len(SHAPES)} names of SHAPES; missing or unknown: {wrong}")
    found = {}
    for name, shape in SHAPES.items():
        a, check = theta[name], partial(validate.array, f"theta[{name!r}]", shape=shape)
        if complex_too and isinstance(a, np.ndarray) and a.dtype == np.complex128:
            found[name] = check(a.real, sizes=dict(SIZES)) + 1j * check(a.imag, sizes=dict(SIZES))
        else:
            found[name] = check(a, sizes=dict(SIZES))
    return found


def _images(images):
    images = validate.array("images", images, "B,rows,columns", {"rows": 28, "columns": 28})
    if images.min() < 0 or images.max() > 1:
        raise ValueError(f"images must be in 0..1, got {images.min():g} to {images.max():g}")
    return images


def _labels(labels, B):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers from 0 to 9, got dtype {labels.dtype}")
    if labels.shape != (B,):
        raise ValueError(f"labels must have shape (B,) with B={B}, one an image, got shape {labels.shape}")
    if labels.min() < 0 or labels.max() > 9:
        wrong = np.flatnonzero((labels < 0) | (labels > 9))[0]
        raise ValueError(f"labels must be integers from 0 to 9, got {labels[wrong]} at index {wrong}")
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
    theta, images = _theta(theta, complex_too=True), _images(images)
    return np.concatenate([transformer.network(theta, images[part])[0] for part, _ in _chunks(images)])


def loss(theta: Theta, images: np.ndarray, labels: np.ndarray) -> float:
    """V8 [A]: the mean over images of -log softmax(logits)[label], labels (B,) integers 0 to 9."""
    theta, images = _theta(theta, complex_too=True), _images(images)
    labels = _labels(labels, len(images))
    parts = _chunks(images)
    return sum(share * transformer.objective(theta, images[k], labels[k])[0] for k, share in parts)


def gradients(theta: Theta, images: np.ndarray, labels: np.ndarray) -> Theta:
    """V8 [D]: the gradient of `loss` by hand, a dict of theta's names and shapes, float64."""
    theta, images = _theta(theta), _images(images)
    labels, total = _labels(labels, len(images)), dict.fromkeys(theta, 0.0)
    for part, share in _chunks(images):
        slopes = transformer.objective(theta, images[part], labels[part])[1]()
        total = {name: total[name] + share * slope for name, slope in slopes.items()}
    return total


def train(
    theta: Theta,
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    epochs: int = training.EPOCHS,
    batch: int = training.BATCH,
    precision: str = "double",
) -> tuple[Theta, np.ndarray]:
    """V9 [A]: Adam over `epochs` shuffles of the images, drawn from rng. Returns the trained theta and the
    mean training loss of each epoch, (epochs,). precision, of all arithmetic and of theta: "double" or
    "single".
    """
    theta, images, rng = _theta(theta), _images(images), validate.generator("rng", rng)
    labels = _labels(labels, len(images))
    epochs, batch = validate.integer("epochs", epochs, 1), validate.integer("batch", batch, 1)
    precision = validate.choice("precision", precision, ("double", "single"))
    dtype = np.float64 if precision == "double" else np.float32
    return training.train(theta, images, labels, rng, epochs, batch, dtype)
