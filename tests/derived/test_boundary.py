"""The boundary and the diagram of the limit: against an exact symmetry, and against single runs."""

from inspect import signature

import numpy as np
import pytest

from benign_ref.derived.boundary import attention_x, critical_x, limit_diagram, setting_at
from benign_ref.derived.limit_run import train_in_limit
from benign_ref.paper.setting import Setting

FAST = Setting(epsilon=0.1, eta=0.02, C_p=6.0, sigma_h=0.05)  # a run of about 60 steps
LAZY = Setting(epsilon=1.0)  # no step at all


def test_a_point_x_derives_its_defaults_afresh():
    base = Setting(N=20, M=16, snr=3.0, d_h=9, sigma_h=0.2)
    s = setting_at(3.0, 4, 6, base)
    assert (
        s == Setting(N=6, M=4, snr=s.snr, d_h=9, sigma_h=0.2)
        and s.C_p == 10.0
        and np.isclose(s.x, 3.0, rtol=1e-14)
    )
    assert setting_at(3.0, 4, 6) == Setting(N=6, M=4, snr=s.snr)


@pytest.mark.parametrize("search, level", [(critical_x, 0.2), (attention_x, 0.5)])
def test_the_level_and_range_that_are_taken_where_nothing_is_said(search, level):
    parameters = signature(search).parameters
    asked = {"level": level, "tolerance": 1e-3, "bracket": (0.2, 20.0), "base": None}
    assert {name: parameters[name].default for name in asked} == asked


def test_signal_and_token_2_change_places_at_x_2_for_one_sample_a_class():
    """N = 2, ||mu|| = C_p: nothing in training tells the signal from token 2, so x = 2 exactly is the
    boundary.
    """
    run = train_in_limit(setting_at(2.0, 5, 2, FAST))
    assert np.isclose(run.attention["ss"], run.attention["s2"], rtol=1e-12) and np.isclose(
        run.V_s, run.V_2, rtol=1e-12
    )
    assert (
        abs(attention_x(2, 2, tolerance=1e-4, base=FAST) / 2 - 1) < 1e-4
    )  # M = 2: the two share all attention
    assert 0 < abs(attention_x(2, 2, base=FAST) / 2 - 1) < 1e-3


def test_critical_x_is_where_the_test_loss_crosses_the_level():
    for level in (0.3, 0.5):
        x = critical_x(4, 6, level=level, tolerance=1e-3, base=FAST)
        below, above = (
            train_in_limit(setting_at(x * np.exp(u), 4, 6, FAST)).test_loss for u in (-5e-4, 5e-4)
        )
        assert below >= level >= above


def test_the_diagram_is_made_of_runs():
    snrs, Ns = [1.0, 5.0, 9.0], [2, 3.5, 5]
    losses = limit_diagram(snrs, Ns, base=FAST)
    assert losses.shape == (3, 3)
    for i, snr in enumerate(snrs):
        assert losses[i, 0] == train_in_limit(FAST.replace(N=2, snr=snr)).test_loss
        assert losses[i, 2] == train_in_limit(FAST.replace(N=5, snr=snr)).test_loss
        assert min(losses[i, [0, 2]]) < losses[i, 1] < max(losses[i, [0, 2]])


def test_the_diagram_asks_of_each_cell_only_what_its_own_run_needs():
    with pytest.warns(UserWarning, match="ends at step 0"):
        base = Setting(N=2, eta=5e-16, epsilon=0.7)  # max_steps is near its largest, and follows N
        assert np.isclose(limit_diagram([8.0], [2.0], base=base)[0, 0], np.log(2))


@pytest.mark.parametrize(
    "error,words,call",
    [
        (ValueError, "N must be an integer >= 2 in the limit", lambda: critical_x(4, 1)),
        (ValueError, "level must be a finite number > 0, got 0", lambda: critical_x(4, 2, level=0.0)),
        (ValueError, "tolerance must be a finite number > 0, got -1", lambda: critical_x(4, 2, tolerance=-1)),
        (TypeError, "bracket must be a pair", lambda: critical_x(4, 2, bracket=3.0)),
        (ValueError, "bracket must be a finite number > 0", lambda: attention_x(4, 2, bracket=(0, 2))),
        (
            ValueError,
            r"both sides of level 0\.2, got .* at x=4 and .* at x=9",
            lambda: critical_x(4, 6, bracket=(4, 9), base=FAST),
        ),
        (TypeError, "base must be a Setting", lambda: critical_x(4, 2, base=3)),
        (ValueError, "Ns must hold numbers >= 2, got 1.5", lambda: limit_diagram([1.0], [2, 1.5])),
        (ValueError, "snrs must hold numbers > 0, got 0", lambda: limit_diagram([1.0, 0.0], [2])),
        (ValueError, "snrs must have shape", lambda: limit_diagram(1.0, [2])),
    ],
)
def test_bad_arguments_are_named(error, words, call):
    with pytest.raises(error, match=words):
        call()
