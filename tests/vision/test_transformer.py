"""The vision transformer: each operation and the whole against derivatives and formulas written out; named
wrong derivations are rejected; arguments are refused by name.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from wrong_operations import WRONG

from benign_ref import vision
from benign_ref.audit import exact
from benign_ref.audit.core import AuditedPackage
from benign_ref.audit.problems import drawn
from benign_ref.audit.rows import vision as rows
from benign_ref.checks.equality import values
from benign_ref.checks.exact import Field
from benign_ref.vision import public, transformer


@pytest.fixture(scope="module", params=["start", "O(1)"])
def theta(request):
    rng = np.random.default_rng(7)
    start = vision.init(rng)
    if request.param == "start":
        return start
    return {name: a + 0.3 * rng.standard_normal(a.shape) for name, a in start.items()}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(8)
    return rng.random((3, 28, 28)), np.array([2, 9, 2])


@pytest.fixture(scope="module")
def moved(theta, batch):
    """Parameters of which no g is 1, which would hide that it was dropped; a direction of each block; the
    loss, and its slopes along them by complex step.
    """
    rng = np.random.default_rng(0)
    theta = {name: a + 0.1 * name.endswith(".g") for name, a in theta.items()}
    ways = {name: rng.standard_normal(a.shape) for name, a in theta.items()}
    at = {name: {**theta, name: theta[name] + 1e-30j * way} for name, way in ways.items()}
    slopes = {name: vision.loss(point, *batch).imag / 1e-30 for name, point in at.items()}
    return theta, ways, vision.loss(theta, *batch), slopes


def apart(claimed, ways, slopes):
    """The relative residual of each block of a claimed gradient along its direction; its max keeps a NaN."""
    sizes = [np.abs(block).max() * block.size**0.5 for block in claimed.values()]
    errors = [abs((block * ways[name]).sum() - slopes[name]) for name, block in claimed.items()]
    return np.divide(errors, sizes)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1.0, 0.01])
@pytest.mark.parametrize("operation", rows.LITERAL)
def test_each_operation_and_its_gradient_are_those_of_the_formula_written_out(operation, size, seed):
    rng = np.random.default_rng(seed)
    for route, residual, allowed in rows.residuals(operation, getattr(transformer, operation), rng, size):
        assert residual <= allowed, route


@pytest.mark.parametrize("operation", rows.LITERAL)
def test_each_gradient_is_that_of_central_differences(operation):
    rng = np.random.default_rng(3)
    x = rows._inputs(operation, rng, 1.0)
    function = getattr(transformer, operation)
    y, back = function(*x)
    dy = rng.standard_normal(y.shape)
    found = back(dy)
    for k, dx in enumerate(found if isinstance(found, tuple) else (found,), operation == "embed"):
        v = rng.standard_normal(x[k].shape)
        f = [
            (dy * function(*x[:k], x[k] + step * v, *x[k + 1 :])[0]).sum()
            for step in (-2e-4, -1e-4, 1e-4, 2e-4)
        ]
        assert abs((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / 12e-4 - (dx * v).sum()) < 1e-8 * np.abs(dx).sum()


def test_all_thirty_gradients_are_the_complex_steps_of_the_loss(moved, batch):
    theta, ways, _, slopes = moved
    claimed = vision.gradients(theta, *batch)
    assert len(claimed) == 30 and all(np.abs(block).max() > 0 for block in claimed.values())
    assert apart(claimed, ways, slopes).max() < 1e-12


def test_all_thirty_gradients_are_the_central_differences_of_the_loss(theta, batch):
    rng = np.random.default_rng(5)
    for name, block in vision.gradients(theta, *batch).items():
        v = rng.standard_normal(block.shape)
        steps = np.array([-2e-5, -1e-5, 1e-5, 2e-5])
        f = [vision.loss({**theta, name: theta[name] + step * v}, *batch) for step in steps]
        slope = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / 12e-5
        assert abs(slope - (block * v).sum()) < 1e-6 * np.abs(block).max() * math.sqrt(block.size), name


def test_gradients_of_single_entries_of_qkv_stand_where_the_heads_are(theta, batch):
    """Central differences entry by entry, in each of q, k, v and each head."""
    slope = vision.gradients(theta, *batch)["1.qkv"]
    for column in range(5, 192, 16):
        moved = []
        for step in (1e-4, -1e-4):
            theta_at = {**theta, "1.qkv": theta["1.qkv"].copy()}
            theta_at["1.qkv"][11, column] += step
            moved.append(vision.loss(theta_at, *batch))
        assert (moved[0] - moved[1]) / 2e-4 == pytest.approx(
            slope[11, column], abs=1e-6 * np.abs(slope).max()
        )


def test_the_loss_is_that_of_the_network_written_out(theta, batch):
    """The ledger's own network, of triple loops, cut to images of 28 x 28 with patches of 7 x 7."""
    images, labels = batch
    side, rows.SIDE = rows.SIDE, 7
    try:
        z = rows._network(theta, images)
    finally:
        rows.SIDE = side
    assert np.abs(vision.forward(theta, images) - z).max() < 1e-12 * np.abs(z).max()
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert vision.loss(theta, images, labels) == pytest.approx(-np.log(p[range(3), labels]).mean(), rel=1e-12)


def test_patches_are_in_reading_order_row_by_row():
    image = np.arange(28 * 28, dtype=float).reshape(1, 28, 28)
    cut = transformer.patches(image, 7)
    assert cut.shape == (1, 16, 49)
    assert np.array_equal(cut[0, 6], image[0, 7:14, 14:21].ravel())


def test_gelu_is_exact_to_rounding_and_its_complex_form_the_same_function():
    for x in (-30.0, -8.0, -5.5, -1.0, -1e-9, 0.0, 0.3, 2.0, 9.5):
        expected = x * math.erfc(-x / math.sqrt(2)) / 2
        assert transformer.gelu(np.array([x]))[0][0] == pytest.approx(expected, rel=1e-15)
    x = np.linspace(-12, 12, 201).reshape(3, 67)
    assert np.abs(transformer.normal_cdf(x + 0j) - transformer.normal_cdf(x)).max() < 4e-15
    assert np.array_equal(transformer.normal_cdf(x.T), transformer.normal_cdf(x).T)


def test_softmaxes_do_not_overflow_and_the_relu_is_off_at_its_kink():
    z = np.array([[1e4, 0.0, -1e4]])
    y, back = transformer.log_softmax(z)
    assert np.array_equal(y, [[0.0, -1e4, -2e4]]) and np.isfinite(back(np.ones_like(z))).all()
    assert np.array_equal(transformer.softmax(z), [[1.0, 0.0, 0.0]])
    assert np.array_equal(transformer.relu(np.array([0.0, -0.0, 1.0]))[1](np.ones(3)), [0.0, 0.0, 1.0])


@pytest.mark.parametrize("gap", [1, 15, 30, 60])
def test_attention_keeps_its_digits_when_saturated(gap, worst):
    """Against 60 digits, with every row's two largest logits about `gap` apart."""
    rng = np.random.default_rng(gap)
    qkv, dO = 0.1 * rng.standard_normal((1, 4, 48)), rng.standard_normal((1, 4, 16))
    qkv[0, :, :32] += np.tile(np.eye(4), 8)  # in each head q_l and k_l are nearly unit vector l
    qkv[0, :, :16] *= 4 * gap
    exact = np.frompyfunc(Field(0, Fraction(1)).number, 1, 1)
    expected = values(transformer.attention(exact(qkv))[1](exact(dO)))
    got = transformer.attention(qkv)[1](dO)
    for part in range(3):
        block = np.s_[..., 16 * part : 16 * (part + 1)]
        assert worst(got[block], expected[block]) < 1e-12


@pytest.mark.parametrize(
    "wrong", [w for w in WRONG if w.label in exact.CASES], ids=lambda w: f"{w.operation}: {w.name}"
)
def test_exact_arithmetic_rejects_the_wrong_derivations_too(wrong, monkeypatch):
    assert exact.prove(wrong.label).verdict == exact.EQUAL
    monkeypatch.setattr(transformer, wrong.operation, wrong.wrong)
    assert exact.prove(wrong.label).verdict == exact.REJECTED


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.operation}: {w.name}")
def test_the_row_of_a_statement_rejects_its_wrong_derivations(wrong, monkeypatch):
    home = public if wrong.operation == "adam" else transformer
    monkeypatch.setattr(home, wrong.operation, wrong.wrong)
    row = next(row for row in rows.ROWS if row.label == wrong.label)
    for problem in drawn(1, row.label, row.scales, row.shapes):
        found = list(row.check(AuditedPackage(), problem))
        assert any(not residual <= allowed for _, residual, allowed in found), problem.scale


@pytest.mark.parametrize(
    "wrong", [w for w in WRONG if w.label < "V9"], ids=lambda w: f"{w.operation}: {w.name}"
)
def test_the_whole_gradient_with_a_wrong_derivation_in_it_is_rejected(wrong, monkeypatch, moved, batch):
    theta, ways, loss, slopes = moved
    monkeypatch.setattr(transformer, wrong.operation, wrong.wrong)
    assert vision.loss(theta, *batch) == loss  # wrong is the derivative alone: the slopes are still its own
    assert not apart(vision.gradients(theta, *batch), ways, slopes).max() < 1e-6


def test_init_is_uniform_within_one_over_root_inputs_and_gaussian_for_the_tokens():
    theta = vision.init(np.random.default_rng(0))
    assert list(theta) == list(vision.SHAPES) and len(theta) == 30
    assert sum(a.size for a in theta.values()) == 80522
    inputs = {"patch": 49, "qkv": 64, "out": 64, "f1": 64, "f2": 128, "head1": 64, "head2": 128}
    for name, a in theta.items():
        assert a.dtype == np.float64
        part = name.split(".")[1] if name[0] in "01" else name.split(".")[0]
        if part in inputs:
            bound = inputs[part] ** -0.5
            assert np.abs(a).max() <= bound
            if a.size > 1000:
                assert (
                    a.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
                    and np.abs(a).max() > 0.97 * bound
                )
        elif part in ("ln1", "ln2"):
            assert np.array_equal(a, np.full(64, float(name.endswith("g"))))
        else:
            assert name in ("cls", "pos") and a.std() == pytest.approx(1, rel=0.3) and np.abs(a).max() > 1.5


def test_many_images_are_treated_in_chunks_that_do_not_show(theta, monkeypatch):
    rng = np.random.default_rng(0)
    images, labels = rng.random((7, 28, 28)), rng.integers(0, 10, 7)
    whole = (
        vision.forward(theta, images),
        vision.loss(theta, images, labels),
        vision.gradients(theta, images, labels),
    )
    monkeypatch.setattr(public, "CHUNK", 3)
    assert np.allclose(vision.forward(theta, images), whole[0], rtol=1e-12)
    assert vision.loss(theta, images, labels) == pytest.approx(whole[1], rel=1e-13)
    for name, slope in vision.gradients(theta, images, labels).items():
        assert np.abs(slope - whole[2][name]).max() <= 1e-12 * np.abs(whole[2][name]).max()


def test_training_takes_shuffled_batches_and_lowers_the_loss():
    rng = np.random.default_rng(0)
    images, labels = rng.random((50, 28, 28)), np.arange(50) % 2
    images[labels == 1, :14] *= 0.2
    start = vision.init(rng)
    theta, losses = vision.train(start, images, labels, np.random.default_rng(1), epochs=6, batch=20)
    again, _ = vision.train(start, images, labels, np.random.default_rng(1), epochs=6, batch=20)
    assert losses.shape == (6,) and losses[-1] < 0.5 * losses[0]
    assert all(np.array_equal(theta[name], again[name]) for name in theta)
    # one epoch, by hand: batches of 20, 20 and 10 in the order of the permutation
    order, at = np.random.default_rng(1).permutation(50), dict(start)
    m = v = {name: np.zeros_like(a) for name, a in at.items()}
    for t, part in enumerate((order[:20], order[20:40], order[40:]), 1):
        at, m, v = public.adam(at, vision.gradients(at, images[part], labels[part]), m, v, t)
    once, _ = vision.train(start, images, labels, np.random.default_rng(1), epochs=1, batch=20)
    assert all(np.abs(once[name] - at[name]).max() <= 1e-12 for name in at)


def test_single_precision_trains_in_single_precision():
    rng = np.random.default_rng(0)
    images, labels, start = rng.random((20, 28, 28)), np.arange(20) % 10, vision.init(rng)
    theta, losses = vision.train(start, images, labels, rng, epochs=1, batch=10, precision="single")
    assert {a.dtype for a in theta.values()} == {np.dtype(np.float32)} and np.isfinite(losses).all()


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"theta": [1]}, TypeError, "theta must be a dict"),
        ({"theta": "without cls"}, ValueError, "missing or unknown: ['cls']"),
        (
            {"theta": "short pos"},
            ValueError,
            "theta['pos'] must have shape (M,d) with M=17, d=64, got shape (16, 64)",
        ),
        ({"theta": "nan"}, ValueError, "theta['head2.b'] must be finite, got nan at index (3,)"),
        (
            {"images": np.zeros((2, 28, 27))},
            ValueError,
            "images must have shape (B,rows,columns) with rows=28",
        ),
        ({"images": np.full((3, 28, 28), 255)}, ValueError, "images must be in 0..1, got 255 to 255"),
        ({"images": np.zeros((0, 28, 28))}, ValueError, "images must have no empty axis"),
        (
            {"labels": np.array([1.0, 2.0, 3.0])},
            TypeError,
            "labels must be integers from 0 to 9, got dtype float64",
        ),
        ({"labels": np.array([1, 2])}, ValueError, "labels must have shape (B,) with B=3"),
        (
            {"labels": np.array([1, 2, 10])},
            ValueError,
            "labels must be integers from 0 to 9, got 10 at index 2",
        ),
    ],
)
def test_a_bad_argument_is_refused_by_name(change, error, message, batch):
    theta = vision.init(np.random.default_rng(0))
    broken = {
        "without cls": {name: a for name, a in theta.items() if name != "cls"},
        "short pos": {**theta, "pos": theta["pos"][1:]},
        "nan": {**theta, "head2.b": np.where(np.arange(10) == 3, np.nan, 0.0)},
    }
    if isinstance(change.get("theta"), str):
        change = {"theta": broken[change["theta"]]}
    arguments = {"theta": theta, "images": batch[0], "labels": batch[1], **change}
    for function in (vision.loss, vision.gradients):
        with pytest.raises(error) as caught:
            function(**arguments)
        assert message in str(caught.value)


def test_other_bad_arguments_are_refused_by_name(batch):
    theta = vision.init(np.random.default_rng(0))
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        vision.init(0)
    with pytest.raises(TypeError, match=r"theta\['cls'\] must be an array of real numbers"):
        vision.gradients({**theta, "cls": theta["cls"] + 0j}, *batch)
    for change in ({"epochs": 0}, {"batch": 0}, {"precision": "half"}):
        with pytest.raises(ValueError, match=next(iter(change))):
            vision.train(theta, *batch, np.random.default_rng(0), **change)
