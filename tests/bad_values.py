"""Values that no public function may take, by kind of argument: not_reals(rng) and the like list them."""

from decimal import Decimal

import numpy as np

import benign_ref as br
from benign_ref.paper.data import Dataset

S = br.Setting(N=3, M=4, d=7, d_h=5, d_v=2, max_steps=20)
DATA, THETA = br.sample_dataset(S, br.make_rng(0)), br.init_parameters(S, br.make_rng(1))
MANY = 10**18  # larger than what any array can have


def not_numbers(rng):
    arrays = [np.array([1, 2]), np.array(3.0), np.datetime64("2024-01-01"), np.complex128(2)]
    return [None, "3", b"3", 3 + 0j, [3], (1.0,), {}, Decimal(3), object(), int, len, *arrays]


def not_reals(rng, zero=True):
    bad = not_numbers(rng) + [
        True,
        np.bool_(False),
        np.nan,
        np.float32("nan"),
        np.inf,
        -np.inf,
        10**400,
        -(10**400),
        10**5000,
    ]
    bad += [-int(rng.integers(1, 10**9)), -rng.exponential(), -(10 ** rng.uniform(-300, 300))]
    return bad + ([0, 0.0, -0.0, np.float64(0)] if zero else [])


def not_integers(rng, least=1):
    bad = not_numbers(rng) + [
        True,
        False,
        np.nan,
        np.inf,
        rng.uniform(1, 9),
        np.float64(3),
        np.float32(3),
        3.0,
        10**400,
        10**5000,
    ]
    return bad + [2**53 + 1, least - 1, -int(rng.integers(1, 10**9)), np.int64(least - 1 - rng.integers(5))]


def not_booleans(rng):
    return [0, 1, "True", None, 1.0, np.array(True), [], np.array([True, False])]


def not_names(rng):
    return [
        "jax",
        "",
        "Numpy",
        None,
        0,
        True,
        ["numpy"],
        b"numpy",
        ("proof",),
        np.array("numpy"),
        np.array(["numpy", "proof"]),
        {},
    ]


def not_generators(rng):
    return [
        None,
        0,
        np.random,
        np.random.RandomState(0),
        np.random.SeedSequence(0),
        np.random.default_rng,
        "rng",
        [br.make_rng(0)],
    ]


def not_arrays(rng, good):
    """What must not pass for an array like `good`: of another kind, number of axes, size, or with an entry
    that is no finite number.
    """
    place = tuple(int(rng.integers(n)) for n in good.shape)
    spoilt = []
    for entry in (np.nan, np.inf, -np.inf):
        spoilt.append(good.copy())
        spoilt[-1][place] = entry
    tagged = good.astype(object)
    tagged[place] = rng.choice(np.array([None, "a", 10**400], dtype=object))
    ragged = [list(row) if isinstance(row, np.ndarray) else row for row in good]
    ragged[0] = [1.0]
    kinds = [good.astype(kind) for kind in (complex, object, str, bool)]
    shapes = [
        good[None],
        good[..., None],
        good.sum(),
        good.ravel()[: int(rng.integers(good.size))][None, None, None],
        good[..., :0],
    ]
    masked = np.ma.masked_array(good, mask=rng.random(good.shape) < 2)
    others = [
        None,
        "array",
        {},
        1.5,
        [],
        [[]],
        object(),
        [None] * len(good),
        np.array([{"a": 1}]),
        iter([1.0]),
        good[:0],
    ]
    return spoilt + [tagged, ragged, masked] + kinds + shapes + others


def not_labels(rng):
    y = DATA.y.copy()
    y[rng.integers(3)] = rng.choice([0, 2, -1.0000001, 0.5, 1e300])
    shapes = [DATA.y[:2], np.append(DATA.y, 1.0), DATA.y[:, None]]
    return (
        not_arrays(rng, DATA.y)
        + shapes
        + [y, -2 * DATA.y, np.array([0, 1, 1]), np.array([1, 0, 1], dtype=np.uint8)]
    )


def not_tokens(rng):
    return not_arrays(rng, DATA.X) + [
        DATA.X[:, :, :-1],
        DATA.X[0],
        np.repeat(DATA.X, 2, axis=2),
        DATA.X.T[: int(rng.integers(1, 7))],
    ]


def not_parameters(rng):
    block = int(rng.integers(4))
    broken = [THETA._replace(**{THETA._fields[block]: bad}) for bad in not_arrays(rng, THETA[block])]
    turned = THETA._replace(**{THETA._fields[block % 3]: THETA[block % 3].T})
    longer = THETA._replace(**{THETA._fields[block]: np.concatenate([THETA[block]] * 2, axis=-1)})
    others = [
        None,
        THETA[:3],
        (*THETA, THETA.w_O),
        "theta",
        THETA._asdict(),
        THETA.W_Q,
        object(),
        [],
        np.zeros(4),
        iter(THETA),
    ]
    return broken + [turned, longer, *others]


def not_datasets(rng):
    X, y, *signals = DATA
    tokens, labels = not_arrays(rng, X), not_labels(rng)
    broken = [Dataset(bad, y, *signals) for bad in tokens] + [Dataset(X, bad, *signals) for bad in labels]
    other = (
        br.sample_dataset(S.replace(N=4), rng),
        br.sample_dataset(S.replace(M=3), rng),
        br.sample_dataset(S.replace(d=8), rng),
    )
    return [*broken, *other, None, tuple(DATA), list(DATA), X, "data", THETA, {}]


def not_settings(rng):
    return [None, {}, "setting", br.Setting, vars(S), 3, object(), [S]]


def too_large(rng):
    return [
        *not_settings(rng),
        S.replace(d=2**50),
        S.replace(d=2**40, d_h=2**40),
        S.replace(d=2**53, M=2**53, N=2**53),
    ]


def not_steps(rng):
    lists = [[1, -2], [0.5], [[1.0]], [True], [None], [1, "b"], [[1], [1, 2]], np.array([1.0, 2.0])]
    return [0, -1, 1.5, "a", np.nan, {}, object(), 10**5000, True, *lists]


def not_axes(rng, wrong):
    good, bad = [2, 3, 4], wrong[int(rng.integers(len(wrong)))]
    place = int(rng.integers(3))
    others = [
        [],
        (),
        np.array([]),
        None,
        "23",
        {2: 3},
        {2, 3},
        iter(good),
        np.ones((2, 2)),
        np.array(3),
        [good],
        2.5,
        object(),
    ]
    return [[*good[:place], bad, *good[place:]], [2, 3, 2], *others]


def not_seeds(rng):
    return not_axes(rng, not_integers(rng, least=0)) + [0, -3, 1.0, True, MANY, range(MANY), range(0)]


def not_callables(rng):
    return [3, "f", [], S, True, {}]


def not_executors(rng):
    return [3, "dask:tcp://127.0.0.1:8786", [], True, {}, br.Setting, object()]


def not_paths(rng):
    return [3, b"folder", 1.5, ["folder"], "", "a\0b", {}, True, object()]
