"""images.py: reading MNIST, refusing broken files by name, and the protocol that puts images in place of the
signals.
"""

import gzip

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import images
from benign_ref.experiments.cell import streams

SMALL = br.Setting(N=6, M=5, d=images.PIXELS + 400, d_h=4, d_v=3, snr=7.0, C_p=3.0, sigma_p=0.05)


def idx(array):
    """The IDX file of a uint8 array, as bytes."""
    return (
        bytes([0, 0, 8, array.ndim])
        + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
        + array.tobytes()
    )


def digits(n, seed):
    """n images of noise with labels 0 and 1 in turn, as uint8."""
    return np.random.default_rng(seed).integers(1, 256, (n, 28, 28)).astype(np.uint8), np.arange(
        n, dtype=np.uint8
    ) % 2


@pytest.fixture
def folder(tmp_path):
    for name, seed in (("train", 0), ("t10k", 1)):
        pixels, labels = digits(8, seed)
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(pixels))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_extract_holds_four_digits_split_without_overlap():
    mnist = images.load()
    for part, count in ((mnist.training, 300), (mnist.held_out, 200)):
        assert dict(zip(*np.unique(part.labels, return_counts=True))) == {
            digit: count for digit in (0, 1, 3, 7)
        }
    training = {row.tobytes() for row in mnist.training.pixels}
    assert not any(row.tobytes() in training for row in mnist.held_out.pixels)


def test_idx_files_are_read_as_written(folder):
    mnist = images.load(folder)
    for part, seed in ((mnist.training, 0), (mnist.held_out, 1)):
        pixels, labels = digits(8, seed)
        assert np.array_equal(part.pixels.reshape(-1, 28, 28), pixels) and np.array_equal(part.labels, labels)


@pytest.mark.parametrize(
    "rename",
    [lambda name: name + ".gz", lambda name: name, lambda name: name.replace("-idx", ".idx") + ".gz"],
)
def test_gzipped_idx_files_are_read_whatever_their_name(folder, rename):
    plain = images.load(str(folder))
    for path in list(folder.iterdir()):
        content = gzip.compress(path.read_bytes())
        path.unlink()
        (folder / rename(path.name)).write_bytes(content)
    zipped = images.load(folder)
    assert all(np.array_equal(a, b) for one, two in zip(plain, zipped) for a, b in zip(one, two))


PIXELS, LABELS = digits(8, 0)
BROKEN = {
    "cut": (idx(PIXELS)[:-1], "is truncated: shape .8, 28, 28. takes 6288 bytes, the file has 6287"),
    "too long": (idx(PIXELS) + b"x", "has bytes too many"),
    "header cut": (idx(PIXELS)[:9], "is truncated: a header for 3 axes has 16 bytes, the file 9"),
    "empty": (b"", "is no IDX file.*got nothing"),
    "two bytes": (b"\0\0", "is no IDX file.*got 00 00"),
    "text": (b"<html>not found</html>", "is no IDX file.*3c 68 74 6d"),
    "floats": (b"\0\0\x0d\x03" + idx(PIXELS)[4:], "unsigned bytes .type 8., got type 13"),
    "gzip cut": (gzip.compress(idx(PIXELS))[:-9], "cannot be read: "),
    "gzip garbled": (b"\x1f\x8b" + bytes(40), "cannot be read: "),
    "gzip body garbled": (gzip.compress(idx(PIXELS))[:10] + b"\xff" * 400, "cannot be read: "),
    "labels": (idx(LABELS), r"images must be uint8 of shape \(n,28,28\), got uint8 of shape \(8,\)"),
    "wrong shape": (idx(PIXELS[:, :27]), r"shape \(n,28,28\), got uint8 of shape \(8, 27, 28\)"),
    "fewer images": (idx(PIXELS[:7]), r"one an image \(7\), got uint8 of shape \(8,\)"),
    "huge": (b"\0\0\x08\x03" + b"\xff" * 12, "is truncated: shape .4294967295"),
    "2**64 bytes": (
        b"\0\0\x08\x04" + b"\0\1\0\0" * 4,
        "is truncated: shape .65536.* takes 18446744073709551636 bytes",
    ),
}


@pytest.mark.parametrize("content, wrong", BROKEN.values(), ids=BROKEN.keys())
def test_broken_idx_file_is_refused_by_name(folder, content, wrong):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.*" + wrong):
        images.load(folder)


def test_wrong_labels_are_refused_by_name(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([0, 1, 10, 0, 0, 0, 0, 0], dtype=np.uint8)))
    with pytest.raises(ValueError, match="t10k-labels.*digits 0 to 9, got 10 at index 2"):
        images.load(folder)


def test_missing_file_and_missing_folder_are_named(folder):
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(ValueError, match="has no file t10k-images-idx3-ubyte"):
        images.load(folder)
    with pytest.raises(ValueError, match="nowhere', which is not there"):
        images.load(folder / "nowhere")
    with pytest.raises(ValueError, match="which is a file"):
        images.load(folder / "train-images-idx3-ubyte")
    with pytest.raises(TypeError, match="path must be a folder"):
        images.load(3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not an archive", None])
def test_broken_extract_is_refused_by_name(tmp_path, content):
    path = tmp_path / "extract.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="extract.npz: cannot be read"):
        images.load_extract(path)


@pytest.mark.parametrize(
    "changes, wrong",
    [
        ({"images": PIXELS.astype(float)}, "must be uint8.*got float64"),
        ({"labels": LABELS.astype(int)}, "got int64"),
    ],
)
def test_extract_of_another_type_is_refused(tmp_path, changes, wrong):
    np.savez(tmp_path / "extract.npz", **{"images": PIXELS, "labels": LABELS, **changes})
    with pytest.raises(ValueError, match="extract.npz: .*" + wrong):
        images.load_extract(tmp_path / "extract.npz")


def test_extract_cut_in_half_or_without_labels_is_refused(tmp_path):
    path = tmp_path / "extract.npz"
    content = images.EXTRACT.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="extract.npz: cannot be read"):
        images.load_extract(path)
    for byte in (b"\0", b"\xff"):
        path.write_bytes(content[:2000] + byte * 1000 + content[3000:])
        with pytest.raises(ValueError, match="extract.npz: cannot be read"):
            images.load_extract(path)
    np.savez(path, images=PIXELS)
    with pytest.raises(ValueError, match="extract.npz.*labels"):
        images.load_extract(path)


def test_first_token_is_an_image_of_its_class_scaled_to_snr():
    part = images.load().held_out
    X, y, mu_plus, mu_minus = images.sample_images(SMALL, part, (3, 7), br.make_rng(0), n=400)
    assert mu_plus is None and mu_minus is None and X.shape == (400, 5, SMALL.d) and y.sum() == 0
    unit = part.pixels / np.linalg.norm(part.pixels.astype(float), axis=1, keepdims=True)
    of_class = np.isin(part.labels, (3, 7))
    cosine = X[:, 0, : images.PIXELS] @ unit[of_class].T / SMALL.mu_norm  # (400, images there)
    drawn = cosine.argmax(axis=1)
    assert np.allclose(cosine.max(axis=1), 1, rtol=0, atol=1e-12)
    assert np.allclose(np.linalg.norm(X[:, 0], axis=1), 7.0 * 0.05 * np.sqrt(SMALL.d))
    assert np.array_equal(part.labels[of_class][drawn], np.where(y > 0, 3, 7))
    assert len(set(drawn)) == 400  # none twice


def test_noise_tokens_are_off_the_images_with_the_norms_of_D1():
    X = images.sample_images(SMALL, images.load().training, (0, 1), br.make_rng(1), n=100).X
    assert not X[:, 1:, : images.PIXELS].any() and not X[:, 0, images.PIXELS :].any()
    square = (X[:, 1:] ** 2).sum(axis=2).mean(axis=0) / (
        SMALL.sigma_p**2 * SMALL.d
    )  # expected C_p^2, 1, 1, 1
    assert np.allclose(
        square, [9, 1, 1, 1], rtol=5 * np.sqrt(2 / (100 * 400))
    )  # 5 standard errors of chi squared
    assert abs(X[:, 2, images.PIXELS :].mean()) < 5 * SMALL.noise_norm / np.sqrt(400) / np.sqrt(100 * 400)


def test_same_seed_same_draw_and_another_seed_another():
    one, again, other = (
        images.sample_images(SMALL, images.load().training, (0, 1), br.make_rng(seed)).X for seed in (4, 4, 5)
    )
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    "changes, classes, n, wrong",
    [
        ({"d": 784}, (0, 1), 4, "d must be > 784.*got 784"),
        ({}, (0, 0), 4, "two different digits"),
        ({}, (0, 1, 3), 4, "two different digits"),
        ({}, (0, 5), 4, "2 images of the digit 5 asked for, 0 there .digits there: 0, 1, 3, 7"),
        ({}, (0, 1), 402, "201 images of the digit 0 asked for, 200 there"),
        ({}, (0, 1), 0, "n must be an integer from 1"),
    ],
)
def test_bad_arguments_are_named(changes, classes, n, wrong):
    with pytest.raises(ValueError, match=wrong):
        images.sample_images(SMALL.replace(**changes), images.load().held_out, classes, br.make_rng(0), n)


def test_image_without_ink_is_refused():
    empty = images.Images(np.zeros((4, 784), np.uint8), np.array([0, 0, 1, 1], np.uint8))
    with pytest.raises(ValueError, match="without ink"):
        images.sample_images(SMALL, empty, (0, 1), br.make_rng(0), 2)


CELL = {
    "base": br.Setting(M=4, d=images.PIXELS + 100, d_h=4, d_v=2, C_p=4.0, epsilon=0.2),
    "path": None,
    "n_test": 60,
}


def test_cell_trains_on_training_images_and_tests_on_held_out_ones():
    result = images.run_cell(0, 1, 12.0, 6, 3, **CELL)
    s, mnist = CELL["base"].replace(snr=12.0, N=6), images.load()
    for_data, for_start, for_test = streams(12.0, 6, 3)
    run = br.train(
        s,
        images.sample_images(s, mnist.training, (0, 1), for_data),
        br.init_parameters(s, for_start),
        engine="parameters",
        backend="numpy",
    )
    test = images.sample_images(s, mnist.held_out, (0, 1), for_test, 60)
    assert (result.status, result.steps) == ("converged", run.steps)
    assert result.train_loss == pytest.approx(run.losses[-1], rel=1e-9)
    assert result.test_loss == pytest.approx(br.test_loss(run.parameters, test.X, test.y), rel=1e-9)
    assert result.error_rate == br.error_rate(run.parameters, test.X, test.y)


def test_cell_that_does_not_end_well_says_so():
    short = images.run_cell(0, 1, 12.0, 6, 3, **{**CELL, "base": CELL["base"].replace(max_steps=2)})
    assert (
        (short.status, short.steps) == ("not converged", 2)
        and np.isnan(short.test_loss)
        and short.train_loss > 0.2
    )
    wild = images.run_cell(0, 1, 12.0, 6, 3, **{**CELL, "base": CELL["base"].replace(eta=1e300)})
    assert wild.status == "diverged" and not np.isfinite(wild.train_loss)


def test_fingerprint_tells_images_apart(folder):
    mnist, other = images.load(), images.load(folder)
    assert images.fingerprint(mnist) == images.fingerprint(images.load()) != images.fingerprint(other)
    assert len(images.fingerprint(mnist)) == 32
    assert images.fingerprint(other) != images.fingerprint(images.Mnist(other.held_out, other.training))


def test_benign_and_harmful_overfitting_on_images_of_0_and_1():
    mnist, losses = images.load(), {}
    for N_snr2 in (500, 5000):
        s = br.Setting(N=10, M=16, d=images.PIXELS + 256, d_h=8, d_v=4, snr=(N_snr2 / 10) ** 0.5, C_p=20.0)
        data = images.sample_images(s, mnist.training, (0, 1), br.make_rng(0, (0,)))
        run = br.train(s, data, br.init_parameters(s, br.make_rng(0, (1,))))
        test = images.sample_images(s, mnist.held_out, (0, 1), br.make_rng(0, (2,)), n=200)
        assert run.converged and run.losses[-1] <= 0.01
        losses[N_snr2] = br.test_loss(run.parameters, test.X, test.y)
    assert losses[500] > 0.5 and losses[5000] < 0.2
