"""The paper's claim itself, at the size of Figure 1: real gradient descent on real draws, on both sides of
the boundary.
"""

import pytest

import benign_ref as br


@pytest.mark.parametrize("N_snr2, benign", [(3000.0, True), (200.0, False)])
def test_large_N_SNR2_generalises_and_small_does_not(N_snr2, benign):
    s = br.Setting(N=10, M=16, d=1024, d_h=64, d_v=64, C_p=20.0, snr=(N_snr2 / 10) ** 0.5, epsilon=0.01)
    data, theta = br.sample_dataset(s, br.make_rng(0, (0,))), br.init_parameters(s, br.make_rng(0, (1,)))
    fresh = br.sample_dataset(s, br.make_rng(0, (2,)), n=300)
    run = br.train(s, data, theta)
    assert (
        run.converged and br.error_rate(run.parameters, data.X, data.y) == 0
    )  # it fits the training data either way
    loss = br.test_loss(run.parameters, fresh.X, fresh.y)
    assert loss < 0.15 if benign else loss > 0.5


def test_the_fitted_boundary_lies_where_the_paper_draws_it():
    base = br.Setting(M=16, d=1024, d_h=64, d_v=64, C_p=20.0, epsilon=0.01)
    result = br.phase_diagram([12.0, 15.0, 20.0], [4], base=base, seeds=1, jobs=1)
    assert 600 < br.boundary_constant(result, level=0.2) < 1600
