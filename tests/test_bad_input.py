"""200 random bad inputs over the public functions: each refused by our own check, in a message that names the
argument, before any work.
"""

import re
import traceback
from pathlib import Path

import numpy as np
import pytest
from bad_values import (
    DATA,
    MANY,
    THETA,
    S,
    not_arrays,
    not_axes,
    not_booleans,
    not_callables,
    not_datasets,
    not_executors,
    not_generators,
    not_integers,
    not_labels,
    not_names,
    not_parameters,
    not_paths,
    not_reals,
    not_seeds,
    not_settings,
    not_steps,
    not_tokens,
    too_large,
)

import benign_ref as br
from benign_ref.paper.model import Parameters

SOURCE = Path(br.__file__).resolve().parent
NUMBERS = np.array([[[0.9, 0.9]], [[0.1, 0.05]]])
DIAGRAM = br.PhaseDiagram(
    np.array([1.0, 9.0]),
    np.array([4]),
    np.arange(2),
    np.full((2, 1, 2), "converged"),
    *[NUMBERS] * 4,
    settings={},
)
GRID = {"snrs": [2.0], "Ns": [2], "base": S, "seeds": 1}
SIZES = {name: not_integers for name in ("N", "d_h", "d_v")}
SIZES |= {"M": lambda rng: not_integers(rng, 2), "d": lambda rng: not_integers(rng, 3)}
REALS = {name: not_reals for name in ("snr", "w_O_norm", "epsilon")}
DERIVED = {
    name: lambda rng: [bad for bad in not_reals(rng) if bad is not None] for name in ("sigma_p", "C_p", "eta")
}
DERIVED |= {
    name: lambda rng: [bad for bad in not_reals(rng, zero=False) if bad is not None]
    for name in ("sigma_h", "sigma_V")
}
DERIVED |= {"max_steps": lambda rng: [bad for bad in not_integers(rng) if bad is not None]}
SETTING = SIZES | REALS | DERIVED | {"balanced": not_booleans}
COUNT = lambda rng: [bad for bad in not_integers(rng) if bad is not None] + [MANY, 2**50]  # noqa: E731
LAW = {"rng": not_generators, "record_every": not_steps, "observe": not_callables}
LAW |= {"s": lambda rng: [*not_settings(rng), S.replace(d=10), S.replace(d=2**53, d_h=2**40)]}
LIMIT = {
    "setting": lambda rng: [*not_settings(rng), S.replace(N=1), S.replace(balanced=False)],
    "backend": not_names,
}
KEYS = lambda rng: [3, "a", None, (-1,), [1.5], ("a",), {1}, (True,), (10**400,), br]  # noqa: E731
TRIPLE = np.array([1.0, 2.0, 3.0])
POSITIVE = lambda rng: [*not_arrays(rng, TRIPLE), [1.0, -2.0, 3.0], [0.0, 1.0, 2.0]]  # noqa: E731
RUN = br.train_in_law(S.replace(d=20), br.make_rng(0))
ON_DATA = {"theta": not_parameters, "X": not_tokens, "y": not_labels}
PUBLIC = [  # function, good arguments, {argument: a list of bad values}
    (br.Setting, {}, SETTING),
    (S.replace, {}, SETTING),
    (br.make_rng, {"seed": 0}, {"seed": lambda rng: not_integers(rng, 0), "spawn_key": KEYS}),
    (br.sample_dataset, {"s": S, "rng": br.make_rng(0)}, {"s": too_large, "rng": not_generators, "n": COUNT}),
    (br.init_parameters, {"s": S, "rng": br.make_rng(0)}, {"s": too_large, "rng": not_generators}),
    (
        br.forward,
        {"theta": THETA, "X": DATA.X},
        {"theta": not_parameters, "X": not_tokens, "backend": not_names},
    ),
    (br.attention, {"theta": THETA, "X": DATA.X}, {"theta": not_parameters, "X": not_tokens}),
    (br.loss, {"theta": THETA, "X": DATA.X, "y": DATA.y}, ON_DATA | {"backend": not_names}),
    (br.gradients, {"theta": THETA, "X": DATA.X, "y": DATA.y}, ON_DATA | {"backend": not_names}),
    (br.test_loss, {"theta": THETA, "X": DATA.X, "y": DATA.y}, ON_DATA),
    (br.error_rate, {"theta": THETA, "X": DATA.X, "y": DATA.y}, ON_DATA),
    (
        br.train,
        {"s": S, "data": DATA, "theta": THETA},
        {
            "s": not_settings,
            "data": not_datasets,
            "theta": not_parameters,
            "engine": not_names,
            "backend": not_names,
        }
        | {"train_w_O": not_booleans, "record_every": not_steps, "observe": not_callables},
    ),
    (br.train_in_law, {"s": S.replace(d=20), "rng": br.make_rng(0)}, LAW),
    (br.train_in_limit, {"setting": S, "backend": "numpy"}, LIMIT | {"record_every": not_steps}),
    (
        br.phase_diagram,
        GRID,
        {"snrs": lambda rng: [*not_axes(rng, not_reals(rng)), [2.0, 1e300]]}
        | {"Ns": lambda rng: [*not_axes(rng, not_integers(rng)), [2, 2**50]]}
        | {"seeds": not_seeds, "base": too_large}
        | {"jobs": lambda rng: [bad for bad in not_integers(rng) if bad is not None], "n_test": COUNT}
        | {"executor": not_executors, "engine": not_names}
        | {"progress": not_callables, "store": not_paths},
    ),
    (br.PhaseDiagram.load, {}, {"path": not_paths}),
    (
        RUN.test_loss,
        {"n": 10, "rng": br.make_rng(0)},
        {"n": not_integers, "rng": not_generators, "return_se": not_booleans},
    ),
    (
        RUN.error_rate,
        {"n": 10, "rng": br.make_rng(0)},
        {"n": not_integers, "rng": not_generators, "return_se": not_booleans},
    ),
    (
        br.boundary_constant,
        {"result": DIAGRAM},
        {"result": lambda rng: [None, 3, {}, "result", NUMBERS, object()], "level": not_reals},
    ),
    (DIAGRAM.mean, {}, {"name": lambda rng: [*not_names(rng), "status", "snrs"]}),
    (br.log_spaced_steps, {"last": 10}, {"last": not_integers, "per_decade": not_integers}),
    (br.fit_power_law, {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]}, {"x": POSITIVE, "y": POSITIVE}),
]


def random_cases(seed, count):
    """(function, argument, good arguments, bad value): every argument of every function at least once, then
    at random.
    """
    rng = np.random.default_rng(seed)
    arguments = [
        (function, name, good, bad) for function, good, table in PUBLIC for name, bad in table.items()
    ]
    chosen = [*range(len(arguments)), *rng.integers(len(arguments), size=count)][:count]
    for function, name, good, bad in (arguments[i] for i in chosen):
        values = bad(rng)
        yield function, name, good, values[int(rng.integers(len(values)))]


def complaint(function, name, good, value):
    """What is wrong with how function(name=value) was refused; "" if nothing is."""
    try:
        function(**{**good, name: value})
    except (ValueError, TypeError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        if SOURCE not in Path(last.filename).resolve().parents:
            return f"refused outside the package, in {last.filename}: {error}"
        known_as = {
            "setting": "setting|N|balanced",
            "s": "s|d|d_h|N|n",
            "base": "base|d|d_h|Ns",
            "snrs": "snrs|snr",
        }.get(name, name)
        return (
            ""
            if re.search(rf"\b({known_as})\b", str(error))
            else f"the message does not name {name}: {error}"
        )
    except BaseException as error:  # noqa: BLE001 - any other way to end is what this test looks for
        return f"ended with {type(error).__name__}: {error}"
    return "accepted"


@pytest.mark.filterwarnings("error")
def test_200_random_bad_inputs_are_refused_by_name():
    wrong = []
    for function, name, good, value in random_cases(seed=20, count=200):
        told = complaint(function, name, good, value)
        if told:
            shown = (
                f"an integer of {value.bit_length()} bits"
                if type(value) is int
                else re.sub(r"\s+", " ", repr(value)[:200])
            )
            wrong.append(f"{function.__qualname__}({name}={shown}): {told}")
    assert not wrong, "\n".join(wrong)


GOOD = [(function, good) for function, good, _ in PUBLIC if good and function is not br.phase_diagram]


@pytest.mark.parametrize("function, good", GOOD, ids=lambda x: getattr(x, "__name__", ""))
def test_the_good_arguments_that_the_bad_ones_replace_are_good(function, good):
    function(**good)


def test_messages_of_settings_that_cannot_be_derived_name_what_is_extreme():
    extremes = (
        {"snr": 1e300},
        {"snr": 1e-300, "C_p": 1e-300},
        {"sigma_p": 1e-200},
        {"w_O_norm": 1e-200},
        {"epsilon": 1e-320, "eta": 1e-300},
    )
    for changes in extremes:
        with pytest.raises(ValueError, match="cannot be derived") as told:
            br.Setting(**changes)
        assert all(f"{name}={value!r}" in str(told.value) for name, value in changes.items() if name != "eta")


def test_parameters_of_any_other_kind_of_sequence_are_fine():
    assert (br.forward(list(THETA), DATA.X.tolist()) == br.forward(Parameters(*THETA), DATA.X)).all()


ON_PROBLEM = {"theta": THETA, "X": DATA.X, "y": DATA.y}
ONCE = [  # each was once taken, or refused by NumPy or Python instead of by us
    (br.Setting, {}, "N", 10**5000),
    (br.loss, ON_PROBLEM, "X", np.ma.masked_array(DATA.X, mask=True)),
    *((function, ON_PROBLEM, "y", None) for function in (br.loss, br.gradients, br.test_loss, br.error_rate)),
    (br.train, {"s": S, "data": DATA, "theta": THETA}, "record_every", [[1], [1, 2]]),
    (br.train_in_limit, {"setting": S}, "record_every", [[1], [1, 2]]),
]


@pytest.mark.parametrize(
    "function, good, name, value", ONCE, ids=lambda x: getattr(x, "__name__", x if isinstance(x, str) else "")
)
def test_inputs_that_once_got_through_are_refused_by_name(function, good, name, value):
    assert complaint(function, name, good, value) == ""
