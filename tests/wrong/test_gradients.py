"""The named wrong gradients are wrong where they say, and nowhere else; their parts add up to them."""

import numpy as np
import pytest

from benign_ref.audit import comparison
from benign_ref.paper.gradients import gradients, output_cotangent
from benign_ref.paper.model import Parameters, attention_of, forward
from benign_ref.wrong import MUTANTS


def test_each_has_a_block_a_name_of_its_own_and_a_hint():
    assert len({(mutant.block, mutant.name) for mutant in MUTANTS}) == len(MUTANTS) == 24
    assert all(mutant.hint and mutant.block in (*Parameters._fields, "all") for mutant in MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.block}: {mutant.name}")
def test_it_is_wrong_in_its_block_alone_and_is_the_sum_of_its_parts(mutant):
    X, y, theta = comparison.point(1.0, 0)
    right, wrong = gradients(theta, X, y), mutant.gradients(theta, X, y)
    for block, G, H in zip(Parameters._fields, right, wrong):
        assert G.shape == H.shape
        differs = np.abs(G - H).max() > 1e-3 * np.abs(G).max()
        assert differs == (mutant.block in (block, "all"))
    f = forward(theta, X)
    if mutant.block == "all":
        assert np.abs(mutant.part(y, f) - output_cotangent(f, y)).max() > 1e-3
        return
    parts = [mutant.part(theta, X_n, attention_of(theta, X_n), X_n @ theta.W_V @ theta.w_O) for X_n in X]
    total = sum(g_n * part for g_n, part in zip(output_cotangent(f, y), parts))
    assert np.abs(total - getattr(wrong, mutant.block)).max() < 1e-14
