import math

import numpy as np
import pytest

import benign_ref as br


def test_defaults_are_the_stated_formulas():
    s = br.Setting(N=10, M=16, d=1024, d_h=64, snr=16.0)
    assert math.isclose(s.sigma_p * math.sqrt(1024), 1) and s.C_p == 20 and s.mu_norm == 16 and s.T == 152
    assert math.isclose(s.eta, 0.3 * 16 / 20**2)
    assert math.isclose(s.sigma_h, 0.2 / 64**0.25 / 20)
    assert math.isclose(s.sigma_V, 0.01 / 20)
    assert math.isclose(s.x, 10 * 256 / 400) and s.N_snr2 == 2560
    assert br.Setting(snr=50.0).largest_norm == 50  # beyond C_p the signal is the longest token


def test_the_sizes_that_no_formula_gives_are_those_of_the_first_example():
    values = br.Setting().values()
    given = {"N": 20, "M": 16, "d": 1024, "d_h": 64, "d_v": 64, "snr": 8.0, "w_O_norm": 1.0, "epsilon": 0.01}
    assert {name: values[name] for name in given} == given and values["extra_steps"] == 0


def test_replace_derives_what_was_not_set_by_hand_and_keeps_what_was():
    s = br.Setting(snr=8.0, eta=0.5)
    assert s.replace(snr=40.0).eta == 0.5
    assert s.replace(snr=40.0).sigma_V == 0.01 / 40 != s.sigma_V
    assert s.replace(M=4).C_p == 10
    assert s.replace(eta=None) == br.Setting(snr=8.0)
    assert s.replace(N=3).N == 3 and s.N == 20


def test_scaling_the_tokens_scales_every_default_as_I6_asks():
    one = br.Setting(snr=30.0)
    two = br.Setting(snr=30.0, sigma_p=7 * one.sigma_p)
    assert (
        math.isclose(two.eta, one.eta / 49)
        and math.isclose(two.sigma_h, one.sigma_h / 7)
        and math.isclose(two.sigma_V, one.sigma_V / 7)
    )
    assert two.max_steps in (one.max_steps, one.max_steps + 1)


def test_print_shows_every_resolved_value_and_the_three_ratios():
    text = str(br.Setting(eta=0.25))
    for word in (
        "sigma_p",
        "C_p",
        "eta",
        "0.25",
        "set by hand",
        "max_steps",
        "SNR",
        "N SNR^2",
        "1280",
        "3.2",
        "[P*]",
        "[C]",
    ):
        assert word in text


def test_condition_gives_both_sides_of_each_clause_with_constants_set_to_one():
    s = br.Setting(N=20, d=1024, d_h=16, epsilon=0.1, snr=2.0, sigma_h=0.3)
    clauses = s.condition()
    assert len(clauses) == 7
    assert clauses[0].left == 1024 and math.isclose(clauses[0].right, 400 * 16 / 0.01)
    assert math.isclose(clauses[4].right, 1 / (4 * 4))  # min(1/||mu||^2, 1) / sqrt(d_h)
    assert (
        clauses[6].left == 0.3
        and math.isclose(clauses[6].right, 0.5 / 2)
        and math.isclose(clauses[6].ratio, 1.2)
    )
    assert "set to 1" in s.condition_text()


def test_a_setting_is_frozen_and_keyword_only():
    with pytest.raises(AttributeError):
        br.Setting().N = 3
    with pytest.raises(TypeError):
        br.Setting(20)


@pytest.mark.parametrize(
    "name, value, error",
    [
        ("N", 0, ValueError),
        ("N", 2.0, TypeError),
        ("N", True, TypeError),
        ("M", 1, ValueError),
        ("d", 2, ValueError),
        ("d_h", 0, ValueError),
        ("d_v", -1, ValueError),
        ("snr", 0, ValueError),
        ("snr", -1.0, ValueError),
        ("snr", float("nan"), ValueError),
        ("snr", "8", TypeError),
        ("snr", 1j, TypeError),
        ("sigma_p", 0.0, ValueError),
        ("C_p", math.inf, ValueError),
        ("w_O_norm", 0, ValueError),
        ("eta", 0, ValueError),
        ("epsilon", -0.1, ValueError),
        ("sigma_h", -1e-9, ValueError),
        ("sigma_V", np.nan, ValueError),
        ("max_steps", 0, ValueError),
        ("max_steps", 1e3, TypeError),
        ("balanced", 1, TypeError),
        ("N", 10**40, ValueError),
        ("snr", [8.0], TypeError),
    ],
)
def test_bad_values_are_named(name, value, error):
    with pytest.raises(error, match=rf"^{name} "):
        br.Setting(**{name: value})
    with pytest.raises(error, match=rf"^{name} "):
        br.Setting().replace(**{name: value})


def test_zero_initial_scales_are_allowed():
    s = br.Setting(sigma_h=0, sigma_V=0)
    assert s.sigma_h == 0 and s.sigma_V == 0


def test_values_too_extreme_for_a_default_are_refused_with_the_default_named():
    with pytest.raises(ValueError, match="eta cannot be derived"):
        br.Setting(snr=1e300)
    with pytest.raises(TypeError, match="replace.* 'width'"):
        br.Setting().replace(width=3)


def test_noise_init_and_extra_steps_have_the_defaults_of_D1_and_bad_ones_are_named():
    s = br.Setting()
    assert (s.noise, s.init, s.extra_steps) == ("orthogonal", "gaussian", 0)
    for name, value, error in (
        ("noise", "projected", ValueError),
        ("noise", None, ValueError),
        ("init", "Uniform", ValueError),
        ("init", 1, ValueError),
        ("extra_steps", -1, ValueError),
        ("extra_steps", 1.0, TypeError),
        ("extra_steps", True, TypeError),
    ):
        with pytest.raises(error, match=rf"^{name} must be .*{value}"):
            br.Setting(**{name: value})


@pytest.mark.parametrize(
    "name, nearest",
    [("n", "N"), ("mu_norm", "w_O_norm"), ("learning_rate", "eta"), ("sigmah", "sigma_h"), ("C_P", "C_p")],
)
def test_an_unknown_name_is_told_with_the_nearest(name, nearest):
    for call in (br.Setting, br.Setting().replace):
        with pytest.raises(TypeError, match=rf"unknown name '{name}'.*allowed are N, M, d") as told:
            call(**{name: 3})
        assert name == "learning_rate" or f"nearest is {nearest!r}" in str(told.value)


def test_a_target_that_the_start_has_reached_is_warned_of():
    with pytest.warns(UserWarning, match=r"epsilon=0\.7 is not below log 2"):
        br.Setting(epsilon=0.7)


def test_where_values_are_from_is_shown_and_kept_by_replace():
    s = br.Setting(eta=0.5).with_sources({"M": "from a paper"})
    assert "from a paper" in str(s) and "set by hand" in str(s)
    assert "from a paper" in str(s.replace(N=3)) and "from a paper" not in str(s.replace(M=16))
    assert s == br.Setting(eta=0.5) and hash(s) == hash(br.Setting(eta=0.5))
    assert s.replace(eta=None) == br.Setting()


def test_a_value_that_would_be_derived_as_zero_is_refused_too():
    with pytest.raises(ValueError, match="sigma_V cannot be derived as .*: it would be 0.0 at .*C_p=1e"):
        br.Setting(C_p=1e307, w_O_norm=1e30, eta=1.0, max_steps=5)


def test_the_smallest_sizes_are_taken_and_none_smaller():
    least = {"N": 1, "M": 2, "d": 3, "d_h": 1, "d_v": 1, "extra_steps": 0}
    assert br.Setting(**least).values().items() >= least.items()
    for name, value in least.items():
        with pytest.raises(ValueError, match=f"^{name} must be an integer from {value} to"):
            br.Setting(**{**least, name: value - 1})
