import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import benign_ref as br
from benign_ref.experiments import fits


def made_up(c, seeds=3, noise=0.0, shape=4.0):
    """A grid whose test loss falls through 0.2 exactly at N SNR^2 = c (1 + noise_k) for seed k."""
    snrs, Ns = np.linspace(1, 25, 40), [2, 6, 10, 20]
    factors = 1 + noise * np.arange(-(seeds // 2), seeds - seeds // 2)
    u = np.log(np.outer(snrs**2, Ns))[..., None] - np.log(c * factors)
    return SimpleNamespace(snrs=snrs, Ns=Ns, seeds=range(seeds), test_loss=0.2 - 0.1 * np.tanh(shape * u))


def test_boundary_constant_finds_the_curve_it_was_made_with():
    c = br.boundary_constant(made_up(700.0))
    assert np.isclose(c, 700, rtol=0.01) and c.rows == 12 and c.spread < 1 and c.level == 0.2
    assert c.bracket[0] < 700 < c.bracket[1] and pickle.loads(pickle.dumps(c)).bracket == c.bracket
    spread = br.boundary_constant(made_up(900.0, noise=0.1))
    assert np.allclose(spread.per_seed, [810, 900, 990], rtol=0.01) and 80 < spread.spread < 100


def test_cells_that_did_not_end_well_are_left_out_not_averaged():
    result = made_up(700.0)
    result.test_loss[::3, 1, 0] = np.nan
    assert np.isclose(br.boundary_constant(result), 700, rtol=0.02)


def test_a_grid_that_never_crosses_is_refused():
    with pytest.raises(ValueError, match="level=0.9 is crossed at no N"):
        br.boundary_constant(made_up(700.0), level=0.9)
    with pytest.raises(TypeError, match="^result must be a PhaseDiagram, got list"):
        br.boundary_constant([1, 2])


def test_power_law_is_exact_on_a_power_law_and_its_interval_covers():
    x = np.array([1.0, 2, 4, 8, 16])
    fit = fits.fit_power_law(x, 3 * x**-1.5)
    assert (
        np.isclose(fit.exponent, -1.5, rtol=1e-12)
        and np.isclose(fit.prefactor, 3)
        and fit.high - fit.low < 1e-10
    )
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        fit = fits.fit_power_law(x, x**2 * np.exp(0.1 * rng.standard_normal(5)))
        covered += fit.low <= 2 <= fit.high
    assert 0.935 < covered / 2000 < 0.965  # a 95% interval, at 3 degrees of freedom


@pytest.mark.parametrize(
    "x, y, match",
    [
        ([1, 2], [1, 2], "^x must hold at least 3"),
        ([1, 2, -1], [1, 1, 1], "^x must be > 0"),
        ([1, 2, 3], [1, 2], "^y must have shape"),
        ([1, 2, 3], [1, 0, 1], "^y must be > 0"),
    ],
)
def test_bad_fits_are_named(x, y, match):
    with pytest.raises(ValueError, match=match):
        fits.fit_power_law(x, y)


@pytest.mark.parametrize("freedom", [*range(1, 31), 31, 45, 120])
def test_the_interval_leaves_a_fortieth_of_student_s_t_beyond_each_end(freedom):
    log_x = np.linspace(0, 2, freedom + 2)
    log_y = 3 * log_x + 0.1 * np.random.default_rng(freedom).standard_normal(freedom + 2)
    fit = fits.fit_power_law(np.exp(log_x), np.exp(log_y))
    _, covariance = np.polyfit(log_x, log_y, 1, cov=True)
    t = (fit.high - fit.low) / 2 / np.sqrt(covariance[0, 0])
    x, h = np.linspace(0, t, 20001, retstep=True)
    density = (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    log_norm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    density *= math.exp(log_norm) / math.sqrt(freedom * math.pi)
    inside = h * (density.sum() - (density[0] + density[-1]) / 2)
    assert abs(inside - 0.475) <= 0.0005 * density[-1] + 1e-6  # t has three decimals


@pytest.mark.parametrize("side", [0.31, 5.9])
def test_the_limit_is_searched_from_a_third_of_the_boundary_to_three_times_it(side, monkeypatch):
    base = br.Setting(N=4, M=3, snr=1.0)
    fall = side * base.C_p**2  # in N SNR^2

    def diagram(snrs, Ns, base):
        N_snr2 = np.array(Ns) * np.array(snrs)[:, None] ** 2
        return 0.2 - 0.1 * np.log(N_snr2 / fall)

    monkeypatch.setattr(fits, "limit_diagram", diagram)
    assert fits.limit_crossing(base, 4, 0.2) == pytest.approx(fall, rel=1e-9)
    fall = (0.29 if side < 1 else 6.1) * base.C_p**2
    assert np.isnan(fits.limit_crossing(base, 4, 0.2))


def test_the_spread_of_two_seeds_is_a_number_and_of_one_is_none():
    two, one = (
        fits.boundary_constant(made_up(700.0, seeds=2, noise=0.1)),
        fits.boundary_constant(made_up(700.0, 1)),
    )
    assert two.spread == pytest.approx(np.std(two.per_seed, ddof=1)) and two.spread > 10
    assert np.isnan(one.spread)
