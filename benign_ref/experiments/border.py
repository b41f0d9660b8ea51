"""The experiment of Figure 2 [A] (mnist.py, heatmap2.py): MNIST with noise in its border, over SNR and N,
learned by the vision transformer (vision/). One cell: train on N images, report the mean loss on others.

    pixel = uint8(image SNR/(1 + SNR) + |z| 255/(1 + SNR)) / 255
    z ~ N(0,1), once an image; 0 in the 20 x 20 pixels of the middle

**The wrap-around.** |z| 255/(1 + SNR) has no upper bound, and a byte holds 0 to 255. The conversion to a byte
keeps the remainder modulo 256 (C leaves it open; common processors do that), so what should be whitest comes
out as any grey: at SNR 0.2 wherever |z| > 1.2, in 23% of the border; at SNR 2 where |z| > 3, in 0.3%.
"wrapped" pixels are as published, by an explicit remainder; of "clipped" ones 255 stands in its place.

The original files, that --mnist takes, are these four, gzipped or not; SHA-256 of the gzipped ones:
    train-images-idx3-ubyte  60,000  440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
    train-labels-idx1-ubyte  60,000  3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
    t10k-images-idx3-ubyte   10,000  8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
    t10k-labels-idx1-ubyte   10,000  f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
"""

import functools

import numpy as np

from .. import validate, vision
from . import images
from .cell import streams
from .images import Images, Mnist

SNRS = tuple(k / 5 for k in range(1, 11))  # [A]
NS = tuple(3000 + 600 * k for k in range(10))  # [A]
EPOCHS, LEVEL = 15, 0.35  # [A]; the cut
EXTRACT_NS = (800, 1000, 1200, 1400, 1600)  # [C], on the extract in the package
HELD_OUT = 0.2  # of the extract: 100 of 500 of each digit [C]
PIXELS = ("wrapped", "clipped")


@functools.lru_cache(maxsize=1)
def loaded(path: str | None) -> Mnist:
    """MNIST from the folder `path`, whole and in the files' order [A]; None: the extract in the package, of
    each of its four digits the first 400 for training, the last 100 held out, the digits in turn [C].
    """
    if path is not None:
        return images.load(path)
    mnist = images.load_extract(images.EXTRACT, HELD_OUT)  # sorted by digit, with as many of each
    turns = [np.arange(len(y)).reshape(len(np.unique(y)), -1).T.ravel() for _, y in mnist]
    return Mnist(*(Images(part.pixels[turn], part.labels[turn]) for part, turn in zip(mnist, turns)))


def with_border(pixels: np.ndarray, snr: float, rng: np.random.Generator, how: str = "wrapped") -> np.ndarray:
    """Images (n,28,28) in 0..1: the bytes `pixels` (n,784) mixed as above with noise, drawn from rng.

    how: "wrapped" or "clipped". Raises TypeError or ValueError for an snr that is no finite number > 0, an
    rng that is no Generator, another `how`.
    """
    snr, rng = validate.real("snr", snr), validate.generator("rng", rng)
    validate.choice("how", how, PIXELS)
    z = np.abs(rng.standard_normal((len(pixels), 28, 28)))
    z[:, 4:24, 4:24] = 0
    mixed = (pixels.reshape(-1, 28, 28) * snr + z * 255) / (1 + snr)
    whole = mixed.astype(np.int64)  # rounded towards 0, as a conversion to a byte does
    return (whole % 256 if how == "wrapped" else np.minimum(whole, 255)) / 255


def run_cell(snr, N, seed, how, *, path, epochs, n_test, precision="double"):
    """(test loss, error rate, last epoch's training loss) of a transformer trained on the first N images.

    A function of its arguments and the images alone; the draws come from the cell's streams (cell.py), the
    same ones for both `how`. path: as in `loaded`. n_test: of so many held-out images, the first. Raises
    ValueError if there are fewer images.
    """
    mnist = loaded(path)
    for name, count, part in (("N", N, mnist.training), ("n_test", n_test, mnist.held_out)):
        have = len(part.labels)
        validate.require(count <= have, f"{name} must be at most {have}, the images there are, got {count}")
    for_data, for_start, for_test = streams(snr, N, seed)
    training, held_out = (part.labels.astype(np.int64) for part in mnist)
    seen = with_border(mnist.training.pixels[:N], snr, for_data, how)
    theta, losses = vision.train(
        vision.init(for_start), seen, training[:N], for_data, epochs=epochs, precision=precision
    )
    fresh, labels = with_border(mnist.held_out.pixels[:n_test], snr, for_test, how), held_out[:n_test]
    wrong = vision.forward(theta, fresh).argmax(axis=1) != labels
    return float(vision.loss(theta, fresh, labels)), float(wrong.mean()), float(losses[-1])
