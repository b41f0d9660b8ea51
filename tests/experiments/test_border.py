"""border.py: the noise in the border, its wrap-around, the images, and one cell of Figure 2's experiment."""

import gzip
import math

import numpy as np
import pytest

from benign_ref import vision
from benign_ref.experiments import border
from benign_ref.experiments.cell import streams


def idx(array):
    """The IDX file of a uint8 array, as bytes."""
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, n in (("train", 12), ("t10k", 8)):
        pixels = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx((np.arange(n) % 10).astype(np.uint8)))
    return tmp_path


def test_the_published_axes():
    assert border.SNRS == (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
    assert border.NS == (3000, 3600, 4200, 4800, 5400, 6000, 6600, 7200, 7800, 8400)
    assert (border.EPOCHS, border.LEVEL) == (15, 0.35)


@pytest.mark.parametrize("how", border.PIXELS)
@pytest.mark.parametrize("snr", [0.2, 1.0, 2.0])
def test_each_pixel_is_the_published_formula(how, snr):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 784)).astype(np.uint8)
    found = border.with_border(pixels, snr, np.random.default_rng(2), how)
    z = np.random.default_rng(2).standard_normal((3, 28, 28))
    for n, row, column in np.ndindex(3, 28, 28):
        noise = 0.0 if 4 <= row < 24 and 4 <= column < 24 else abs(z[n, row, column])
        mixed = int((int(pixels[n, 28 * row + column]) * snr + noise * 255) / (1 + snr))
        byte = mixed % 256 if how == "wrapped" else min(mixed, 255)
        assert found[n, row, column] == byte / 255


def test_wrapped_and_clipped_differ_where_noise_leaves_a_byte_as_often_as_is_said():
    dark = np.zeros((2000, 784), dtype=np.uint8)
    outside = np.ones((28, 28), dtype=bool)
    outside[4:24, 4:24] = False
    for snr, share in ((0.2, 0.23), (2.0, 0.003)):
        wrapped, clipped = (
            border.with_border(dark, snr, np.random.default_rng(0), how) for how in border.PIXELS
        )
        differ = wrapped != clipped
        beyond = math.erfc(256 * (1 + snr) / 255 / math.sqrt(2))
        assert not differ[:, ~outside].any() and (clipped[differ] == 1).all()
        assert differ[:, outside].mean() == pytest.approx(beyond, rel=0.05) == pytest.approx(share, rel=0.15)
        assert 0 <= wrapped.min() and wrapped.max() <= 1


def test_the_extract_comes_in_turn_and_split_without_overlap():
    training, held_out = border.loaded(None)
    assert training.labels[:8].tolist() == held_out.labels[:8].tolist() == [0, 1, 3, 7, 0, 1, 3, 7]
    assert (len(training.labels), len(held_out.labels)) == (1600, 400)
    assert set(np.unique(training.labels, return_counts=True)[1]) == {400}
    seen = {row.tobytes() for row in training.pixels}
    assert len(seen) == 1600 and not any(row.tobytes() in seen for row in held_out.pixels)


def test_a_cell_is_the_published_protocol_step_by_step_on_original_files(folder):
    found = border.run_cell(0.6, 10, 3, "wrapped", path=str(folder), epochs=2, n_test=5)
    mnist = border.loaded(str(folder))
    for_data, for_start, for_test = streams(0.6, 10, 3)
    seen = border.with_border(mnist.training.pixels[:10], 0.6, for_data)
    theta, losses = vision.train(vision.init(for_start), seen, mnist.training.labels[:10], for_data, epochs=2)
    fresh, labels = border.with_border(mnist.held_out.pixels[:5], 0.6, for_test), mnist.held_out.labels[:5]
    wrong = np.mean(vision.forward(theta, fresh).argmax(axis=1) != labels)
    assert found == (vision.loss(theta, fresh, labels), wrong, losses[-1])
    assert found == border.run_cell(0.6, 10, 3, "wrapped", path=str(folder), epochs=2, n_test=5)
    assert found != border.run_cell(0.6, 10, 4, "wrapped", path=str(folder), epochs=2, n_test=5)
    assert found != border.run_cell(0.6, 10, 3, "clipped", path=str(folder), epochs=2, n_test=5)


def test_more_epochs_lower_the_loss_on_images_seen_and_on_others():
    first, later = (
        border.run_cell(2.0, 200, 0, "wrapped", path=None, epochs=epochs, n_test=80) for epochs in (1, 8)
    )
    assert later[0] < first[0] and later[2] < first[2] and later[0] < 0.8 * np.log(10)


def test_too_few_images_and_bad_arguments_are_refused_by_name(folder):
    with pytest.raises(ValueError, match="N must be at most 12, the images there are, got 13"):
        border.run_cell(1.0, 13, 0, "wrapped", path=str(folder), epochs=1, n_test=5)
    with pytest.raises(ValueError, match="n_test must be at most 8"):
        border.run_cell(1.0, 12, 0, "wrapped", path=str(folder), epochs=1, n_test=9)
    pixels, rng = np.zeros((1, 784), dtype=np.uint8), np.random.default_rng(0)
    with pytest.raises(ValueError, match="snr must be a finite number > 0"):
        border.with_border(pixels, 0.0, rng)
    with pytest.raises(ValueError, match="how must be one of 'wrapped', 'clipped', got 'cut'"):
        border.with_border(pixels, 1.0, rng, "cut")
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        border.with_border(pixels, 1.0, 0)
