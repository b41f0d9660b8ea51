"""Real images in place of the signals: MNIST digits, one class for y = +1, another for y = -1. The protocol
is ours [C].

    x_1            ||mu|| image / ||image|| in the first PIXELS = 784 coordinates, so ||x_1|| = SNR sigma_p
                   sqrt(d); no two images are alike
    x_2, ..., x_M  noise as in D1, on the d - 784 coordinates off the images: <image, xi> = 0, as <mu, xi> = 0
                   in D1

The noise has sigma_p sqrt(d) / sqrt(d - 784) in place of sigma_p, so that the norm of a noise token stays
sigma_p sqrt(d) to leading order, and SNR, C_p and N SNR^2 keep their meaning. The proof's coordinates hold
for any tokens: here T = N M, no two shared.
"""

import gzip
import hashlib
import zipfile
import zlib
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import validate
from ..paper import Dataset, Setting, data, descent
from . import cell

PIXELS = 28 * 28
EXTRACT = Path(__file__).resolve().parent.parent / "mnist" / "mnist_subset.npz"
HELD_OUT = 0.4  # of the extract: the last 40% of each class, in the order of the file [C]
IDX_FILES = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


class Images(NamedTuple):
    """pixels (n,784) of uint8, 0 background to 255 ink; labels (n,) of uint8, the digit."""

    pixels: np.ndarray
    labels: np.ndarray


class Mnist(NamedTuple):
    """Two sets of Images without a common one: `training`, from which runs draw, and `held_out`, on which
    they are tested.
    """

    training: Images
    held_out: Images


def checked(images, labels, source):
    """Images from pixels (n,28,28) and labels (n,). ValueError naming `source` and what is wrong."""
    validate.require(
        images.shape[1:] == (28, 28) and images.dtype == np.uint8,
        f"{source}: images must be uint8 of shape (n,28,28), got {images.dtype} of shape {images.shape}",
    )
    validate.require(
        labels.shape == images.shape[:1] and labels.dtype == np.uint8,
        f"{source}: labels must be uint8, one an image ({len(images)}), "
        f"got {labels.dtype} of shape {labels.shape}",
    )
    if labels.size and labels.max() > 9:
        raise ValueError(
            f"{source}: labels must be digits 0 to 9, got {labels.max()} at index {labels.argmax()}"
        )
    return Images(images.reshape(-1, PIXELS), labels)


def read_idx(path):
    """The uint8 array in one IDX file, plain or gzipped (told by its first bytes, not by its name).

    The format: 0, 0, type (8 for unsigned bytes), number of axes; each axis as a big-endian 4-byte integer;
    the entries, last axis fastest. Raises ValueError that names the file and what is wrong with it.
    """
    try:
        content = Path(path).read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:  # OSError: not readable, or no gzip after all
        raise ValueError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    validate.require(
        len(content) >= 4 and content[:2] == b"\0\0",
        f"{path}: is no IDX file: it must begin with two zero bytes, type and number of axes, "
        f"got {content[:4].hex(' ') or 'nothing'}",
    )
    validate.require(content[2] == 8, f"{path}: must hold unsigned bytes (type 8), got type {content[2]}")
    begin = 4 + 4 * content[3]
    validate.require(
        len(content) >= begin,
        f"{path}: is truncated: a header for {content[3]} axes has {begin} bytes, the file {len(content)}",
    )
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, begin, 4))
    expected = begin + int(np.prod(shape, dtype=object))
    validate.require(
        len(content) == expected,
        f"{path}: {'is truncated' if len(content) < expected else 'has bytes too many'}: "
        f"shape {shape} takes {expected} bytes, the file has {len(content)}",
    )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)


def find_idx(folder, name):
    """The path of IDX file `name` in `folder`: as published, with a dot before idx, gzipped or not.
    ValueError if there is none.
    """
    names = [stem + suffix for stem in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    there = [folder / candidate for candidate in names if (folder / candidate).is_file()]
    validate.require(there, f"{folder}: has no file {names[0]} (also looked for: {', '.join(names[1:])})")
    return there[0]


def load_extract(path, share=HELD_OUT):
    """Mnist from an archive with `images` (n,28,28) and `labels` (n,): of each class the last `share` is
    held out.
    """
    try:
        with np.load(path) as archive:
            images = checked(archive["images"], archive["labels"], source=str(path))
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read as the extract of MNIST: {error}") from None
    held_out = np.zeros(len(images.labels), dtype=bool)
    for digit in np.unique(images.labels):
        of_class = np.flatnonzero(images.labels == digit)
        held_out[of_class[len(of_class) - round(share * len(of_class)) :]] = True
    return Mnist(*(Images(images.pixels[chosen], images.labels[chosen]) for chosen in (~held_out, held_out)))


def load(path=None):
    """MNIST as Mnist(training, held_out). path None: the extract in the package (digits 0, 1, 3, 7: 300 and
    200 images each); otherwise a folder with the four original IDX files, gzipped or not, train-* for
    training, t10k-* held out.

    Raises ValueError that names the file and says what is wrong with it (missing, unreadable, truncated, not
    IDX, unequal lengths).
    """
    if path is None:
        return load_extract(EXTRACT)
    validate.require(
        isinstance(path, (str, Path)),
        f"path must be a folder (str or Path) or None, got {path!r} of type {type(path).__name__}",
        TypeError,
    )
    folder = Path(path)
    validate.require(
        folder.is_dir(),
        f"path must be a folder with the four IDX files of MNIST, got {str(folder)!r}, "
        f"which is {'a file' if folder.exists() else 'not there'}",
    )
    paths = [[find_idx(folder, name) for name in names] for names in IDX_FILES]
    return Mnist(*(checked(*map(read_idx, two), source=f"{two[0]} with {two[1].name}") for two in paths))


def draw_images(images, classes, y, rng):
    """Rows of images.pixels for labels y (n,), drawn without repetition: digit classes[0] for y = +1,
    classes[1] for y = -1.
    """
    validate.require(
        len(classes) == 2 and classes[0] != classes[1],
        f"classes must be two different digits, got {classes!r}",
    )
    chosen = np.empty(len(y), dtype=np.int64)
    for digit, label in zip(classes, (1.0, -1.0)):
        of_class, wanted = np.flatnonzero(images.labels == digit), np.flatnonzero(y == label)
        validate.require(
            len(wanted) <= len(of_class),
            f"classes={classes!r}: {len(wanted)} images of the digit {digit!r} asked for, "
            f"{len(of_class)} there (digits there: {', '.join(map(str, np.unique(images.labels)))})",
        )
        chosen[wanted] = rng.choice(of_class, size=len(wanted), replace=False)
    return images.pixels[chosen]


def sample_images(s, images, classes, rng, n=None):
    """n samples (default s.N) of images with noise, the protocol above [C], as a Dataset with mu_plus =
    mu_minus = None.

    classes: two digits, of y = +1 and of y = -1; labels as in D1 (data.sample_labels). No image is drawn
    twice. Raises ValueError or TypeError for a bad argument, s.d <= 784 and too few images included.
    """
    validate.instance("s", s, Setting)
    validate.instance("images", images, Images)
    validate.generator("rng", rng)
    n = s.N if n is None else validate.integer("n", n, 1)
    validate.require(
        s.d > PIXELS, f"d must be > {PIXELS}, as noise lives on the coordinates off the image, got {s.d}"
    )
    validate.fits_memory("n", n, n * s.M * s.d)
    y = data.sample_labels(s, rng, n)
    pixels = draw_images(images, tuple(classes), y, rng)
    norms = np.linalg.norm(pixels, axis=1)
    validate.require(norms.all(), "images must have no image without ink: it cannot be scaled to norm ||mu||")
    X = np.zeros((n, s.M, s.d))
    X[:, 0, :PIXELS] = pixels * (s.mu_norm / norms)[:, None]
    X[:, 1:, PIXELS:] = s.noise_norm / np.sqrt(s.d - PIXELS) * rng.standard_normal((n, s.M - 1, s.d - PIXELS))
    X[:, 1] *= s.C_p  # the paper's token 2
    return Dataset(X, y, None, None)


loaded = lru_cache(maxsize=1)(load)  # once a process; path a str or None


def fingerprint(mnist):
    """A digest of all pixels and labels, that says which images a result is of."""
    whole = b"".join(part.pixels.tobytes() + part.labels.tobytes() for part in mnist)
    return hashlib.sha256(whole).hexdigest()[:32]


def draw_digits(s, rng, n, fresh, *, classes, path):
    """The cell's Source of images with noise: training images, or (fresh) held-out ones."""
    sample = sample_images(s, loaded(path).held_out if fresh else loaded(path).training, classes, rng, n)
    yield sample.y, sample.X.reshape(-1, s.d), descent.own_rows(n, s.M)


def run_cell(digit_plus, digit_minus, snr, N, seed, *, base, path, n_test):
    """cell.run_cell at (SNR, N) on images of two digits; path as in `load`. A function of its arguments and
    the images alone.
    """
    return cell.run_cell(
        snr, N, seed, base=base, engine="proof", n_test=n_test,
        source=partial(draw_digits, classes=(digit_plus, digit_minus), path=path),
    )  # fmt: skip
