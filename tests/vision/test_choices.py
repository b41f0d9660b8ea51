"""The sizes and the training of Figure 2's transformer as they were read [A] or chosen [C], said twice."""

from inspect import signature

import pytest

from benign_ref.vision import public, transformer

pytestmark = pytest.mark.plain  # one of the modules has a jitted function


def test_the_optimiser_s_constants():
    assert (public.RATE, public.BETA_1, public.BETA_2) == (5e-4, 0.9, 0.999)
    assert (public.EPSILON, public.EPOCHS, public.BATCH) == (1e-8, 15, 100)
    assert signature(public.adam).parameters["rate"].default == public.RATE


def test_the_sizes():
    sizes = {"P": 7 * 7, "M": 4 * 4 + 1, "d": 64, "3d": 3 * 64, "w": 128, "classes": 10}
    assert transformer.SIZES == sizes and transformer.HEADS == 4 and transformer.EPSILON == 1e-5
    assert signature(transformer.layer_norm).parameters["epsilon"].default == transformer.EPSILON
    assert signature(transformer.attention).parameters["heads"].default == transformer.HEADS


def test_what_training_takes_where_nothing_is_said():
    parameters = signature(public.train).parameters
    asked = {"epochs": 15, "batch": 100, "precision": "double"}
    assert {name: parameters[name].default for name in asked} == asked
