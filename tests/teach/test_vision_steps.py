"""The walks through layer norm and attention end where the vision transformer's own code does."""

import numpy as np
import pytest

from benign_ref.teach import derive, exercises, solutions, vision_steps
from benign_ref.vision import transformer


@pytest.mark.parametrize("seed", range(5))
def test_layer_norm_is_that_of_the_transformer(seed):
    ex = vision_steps.norm_example(seed)
    y, back = transformer.layer_norm(ex.x, ex.g, ex.b, ex.epsilon)
    dx, dg, db = back(ex.dy)
    assert np.abs(ex.g * solutions.normalise(ex.x, ex.epsilon) + ex.b - y).max() < 1e-14
    got = solutions.layer_norm_back(ex.dy, ex.x, ex.g, ex.epsilon)
    assert np.abs(got - dx).max() < 1e-13 * np.abs(dx).max()
    shown = {name: value for step in derive.TARGETS["layer_norm"].steps(seed) for name, value in step.numbers}
    assert np.abs(shown["dx"] - dx).max() < 1e-13 * np.abs(dx).max()
    assert np.abs(shown["dg"] - dg).max() < 1e-14 and np.abs(shown["db"] - db).max() < 1e-14


@pytest.mark.parametrize("seed", range(5))
def test_attention_is_that_of_the_transformer(seed):
    ex = vision_steps.heads_example(seed)
    out, back = transformer.attention(ex.qkv[None], heads=2)
    assert np.abs(solutions.heads_output(ex.qkv, 2) - out[0]).max() < 1e-14
    dqkv = back(np.concatenate(ex.dO, axis=1)[None])[0]
    shown = {name: value for step in derive.TARGETS["attention"].steps(seed) for name, value in step.numbers}
    for part, letter in enumerate("QKV"):
        ours = np.concatenate([shown[f"d{letter}_1"], shown[f"d{letter}_2"]], axis=1)
        assert np.abs(ours - dqkv[:, 4 * part : 4 * part + 4]).max() < 1e-14


def test_the_mistakes_of_a_layer_norm_are_what_their_names_say():
    ex = vision_steps.norm_example(0)
    z, z_sample, z_variance = [
        exercises.result(one.formula, ex) for one in exercises.versions(solutions.normalise)
    ]
    assert np.abs(z_variance - z / ex.root).max() < 1e-13
    assert np.abs(z_sample - ex.u / np.sqrt(ex.x.var(axis=1, ddof=1)[:, None] + ex.epsilon)).max() < 1e-14
    dx, no_mean, no_root = [
        exercises.result(one.formula, ex) for one in exercises.versions(solutions.layer_norm_back)
    ]
    assert np.abs(no_mean - no_mean.mean(axis=1, keepdims=True) - dx).max() < 1e-13
    through_root = ex.z * (ex.dz * ex.z).mean(axis=1, keepdims=True) / ex.root
    assert np.abs(no_root - through_root - dx).max() < 1e-13
    assert np.abs(no_mean - no_root).max() > 1e-2
