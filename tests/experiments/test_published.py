"""The published experiments: their sizes and scales, where each value is from, and what is refused."""

import math

import numpy as np
import pytest

import benign_ref as br


def test_figure_1_has_the_published_scales():
    s = br.published_setting("figure1", N=10, mu=20.0)
    assert (s.N, s.M, s.d, s.d_h, s.d_v) == (10, 16, 1024, 512, 512)
    assert math.isclose(s.mu_norm, 20) and math.isclose(s.snr, 20 / 6.4) and s.sigma_p == 0.2
    assert math.isclose(s.C_p * s.sigma_p, 4) and (s.eta, s.epsilon, s.max_steps, s.extra_steps) == (
        0.1,
        0.01,
        1000,
        1,
    )
    theta = br.init_parameters(s, br.make_rng(0))
    widths = [np.abs(W).max() for W in theta]
    assert np.allclose(widths, [1 / 512, 1 / 512, 1 / 512, 1 / math.sqrt(512)], rtol=0.02)
    assert max(widths[:3]) <= 1 / 512 * (1 + 1e-12) and widths[3] <= 1 / math.sqrt(512) * (1 + 1e-12)
    data = br.sample_dataset(s, br.make_rng(1))
    assert (
        data.y.sum() == 0 and np.abs(data.X[:, 1:, :2]).min() > 0
    )  # half of each label; noise along the signals
    assert np.allclose([data.X[:, 1].std(), data.X[:, 2:].std()], [4, 0.2], rtol=0.05)


@pytest.mark.parametrize(
    "figure, N, mu, eta, x", [("figure3", 16, 25, 0.01, 4.8828125), ("figure4", 10, 15, 0.02, 1.0986328125)]
)
def test_figures_3_and_4_have_the_published_scales(figure, N, mu, eta, x):
    s = br.published_setting(figure)
    assert (s.N, s.M, s.d, s.d_h, s.d_v) == (N, 4, 2048, 1024, 256) and math.isclose(s.mu_norm, mu)
    assert math.isclose(s.C_p * s.sigma_p, 1) and s.sigma_p == 0.05 and s.eta == eta and math.isclose(s.x, x)
    assert s.max_steps == 500 and s.extra_steps == 0
    theta = br.init_parameters(s, br.make_rng(0))
    expected = [1 / math.sqrt(2048) / 64] * 3 + [1 / 16]
    assert np.allclose([np.abs(W).max() for W in theta], expected, rtol=0.02)
    assert br.published_setting(figure, N=4, mu=3.0).N == 4


def test_the_scales_of_the_start_are_uniform_laws_of_the_published_half_widths():
    """A uniform law on [-a, a] has the standard deviation a / sqrt 3."""
    one, three = br.published_setting("figure1", N=10, mu=20.0), br.published_setting("figure3")
    for s, a in ((one, 1 / 512), (three, 1 / (64 * math.sqrt(2048)))):
        assert s.sigma_h == pytest.approx(a / math.sqrt(3), rel=1e-14) and s.sigma_V == s.sigma_h
        assert s.w_O_norm == pytest.approx(1 / math.sqrt(3), rel=1e-15)
        assert (s.balanced, s.noise, s.init) == (True, "full", "uniform")
    assert three.epsilon == br.published_setting("figure4").epsilon == 1e-300  # no end by the loss
    assert three.snr == pytest.approx(25 / (0.05 * math.sqrt(2048)), rel=1e-14)
    assert br.published_setting("figure4").snr == pytest.approx(15 / (0.05 * math.sqrt(2048)), rel=1e-14)
    assert br.published_setting("figure3", snr=2.5).snr == 2.5


@pytest.mark.parametrize("figure, file", [("figure1", "vit.py"), ("figure3", "training_dynamic_benign.py")])
def test_every_value_is_printed_with_the_file_it_is_from(figure, file):
    text = str(br.published_setting(figure, N=4, mu=3.0))
    for line in text.splitlines()[1:19]:
        name = line.split()[0]
        if name not in ("N", "snr", "epsilon"):
            assert f"[A: {file}]" in line, line
    assert "[A: vit.py]" not in str(br.published_setting("figure1", N=4, mu=3.0).replace(M=5)).splitlines()[2]


def test_what_is_not_given_is_printed_with_where_it_is_from_and_what_is_given_without():
    published, own = br.published_setting("figure4"), br.published_setting("figure4", N=4, mu=3.0)
    file = "[A: training_dynamic_harmful.py]"
    assert (published.sources["N"], published.sources["snr"]) == (file, f"{file}, from ||mu|| = 15.0")
    assert not {"N", "snr"} & set(own.sources)
    for s in (published, own):
        assert s.sources["epsilon"] == "[C], no end: 500 steps whatever the loss [A]"
    assert br.published_setting("figure1", N=4, mu=3.0).sources["epsilon"] == "[A: vit.py]"


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("figure2",), "^figure must be one of 'figure1', 'figure3', 'figure4', got 'figure2'"),
        ((1, 10, 20.0), "^figure must be"),
        (("figure1", None, 20.0), "^N must be given .*missing"),
        (("figure1", 10), "^mu must be given .*missing"),
        (("figure1", 10, 20.0, 3.125), "^mu and snr exclude each other"),
        (("figure3", None, 25.0, 1.0), "^mu and snr exclude each other"),
        (("figure1", 10, -1.0), "^mu must be a finite number > 0, got -1"),
        (("figure1", 10, "20"), "^mu must be"),
        (("figure1", 0, 20.0), "^N must be"),
    ],
)
def test_what_is_missing_or_too_much_is_named(arguments, match):
    with pytest.raises((ValueError, TypeError), match=match):
        br.published_setting(*arguments)
