"""Ties and ends of Figure 2's transformer: parts of many images, labels at both ends, steps counted on."""

import math

import numpy as np
import pytest

from benign_ref import vision
from benign_ref.vision import public, transformer


def test_images_are_taken_in_parts_with_their_share():
    assert public.CHUNK == 500
    for n, sizes in ((1, [1]), (500, [500]), (501, [500, 1]), (1200, [500, 500, 200])):
        parts = list(public._chunks(np.zeros((n, 1))))
        assert [len(range(n)[part]) for part, _ in parts] == sizes
        assert [share for _, share in parts] == [size / n for size in sizes]


def test_labels_are_the_ten_digits_and_no_other():
    assert public._labels(np.arange(10), 10).tolist() == list(range(10))
    for wrong in (-1, 10):
        with pytest.raises(ValueError, match=f"from 0 to 9, got {wrong} at index 1"):
            public._labels([0, wrong, 9], 3)


def test_images_are_in_0_to_1_ends_included():
    theta = vision.init(np.random.default_rng(0))
    images = np.zeros((1, 28, 28))
    images[0, 0, 0] = 1.0
    z = vision.forward(theta, images)
    assert z.shape == (1, 10) and z.dtype == np.float64
    for wrong in (-1e-9, 1 + 1e-9):
        images[0, 1, 1] = wrong
        with pytest.raises(ValueError, match="images must be in 0..1"):
            vision.forward(theta, images)
        images[0, 1, 1] = 0.0


def test_a_weight_that_is_complex_is_carried_by_the_output_and_refused_by_the_gradient():
    theta = vision.init(np.random.default_rng(0))
    images = np.random.default_rng(1).random((2, 28, 28))
    theta["head2.b"] = theta["head2.b"] + 1e-20j * np.arange(10)
    z = vision.forward(theta, images)
    assert z.imag / 1e-20 == pytest.approx(np.tile(np.arange(10.0), (2, 1)))
    with pytest.raises(TypeError, match=r"theta\['head2.b'\]"):
        vision.gradients(theta, images, [0, 1])


def test_the_steps_of_Adam_are_counted_on_from_epoch_to_epoch(monkeypatch):
    counted = []
    monkeypatch.setattr(transformer, "objective", lambda theta, images, y: (float(len(y)), lambda: theta))
    monkeypatch.setattr(public, "adam", lambda theta, g, m, v, t: counted.append(t) or (theta, m, v))
    rng = np.random.default_rng(0)
    _, losses = vision.train(vision.init(rng), np.zeros((5, 28, 28)), np.zeros(5, int), rng, 3, 2)
    assert counted == [1, 2, 3, 4, 5, 6, 7, 8, 9] and losses == pytest.approx([5 / 3] * 3)


def test_adam_is_the_formula_at_any_step():
    g, m, v, t = 0.3, 0.2, 0.05, 3
    (theta,), (m_1,), (v_1,) = (
        one.values() for one in public.adam({"w": 1.0}, {"w": g}, {"w": m}, {"w": v}, t, 0.01)
    )
    assert m_1 == pytest.approx(0.9 * m + 0.1 * g) and v_1 == pytest.approx(0.999 * v + 0.001 * g**2)
    step = m_1 / (1 - 0.9**3) / (math.sqrt(v_1 / (1 - 0.999**3)) + 1e-8)
    assert theta == pytest.approx(1 - 0.01 * step, rel=1e-14)


def test_the_complex_normal_law_goes_over_into_0_and_1_at_9():
    h, bell = 1e-30, lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    for x in (0.0, 0.5, -0.5, 3.0, -3.0, 8.0, -8.05):
        Phi = transformer.normal_cdf(np.array([x + 1j * h]))[0]
        assert Phi.real == pytest.approx(math.erfc(-x / math.sqrt(2)) / 2, abs=4e-16)
        assert Phi.imag / h == pytest.approx(bell(x), rel=1e-12 if abs(x) < 4 else 0.5)
    for x in (9.0, 9.5, 40.0):
        assert transformer.normal_cdf(np.array([x + 1j * h, -x + 1j * h])).tolist() == [1, 0]


@pytest.mark.plain
def test_the_normal_law_of_real_numbers():
    x, Phi = np.array([-30.0, -2.0, 0.0, 0.7, 9.0]), np.full(5, np.nan)
    transformer._normal_cdf(x, Phi)
    assert Phi == pytest.approx([math.erfc(-a / math.sqrt(2)) / 2 for a in x], rel=1e-12, abs=0)
