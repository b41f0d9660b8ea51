"""Shared ground: small random problems of any shape, and an error relative to a block's largest entry."""

import os

from benign_ref.runtime import threads

threads.set_default(os.environ)  # before NumPy is imported: the arrays are small, and threads only add noise

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from benign_ref.paper.model import Parameters  # noqa: E402
from benign_ref.runtime.workers import available_cores  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Where pytest-xdist is installed, two processes share the whole suite; -n 0 or any other choice of
    the command line stands.
    """
    option, whole = config.option, config.args == config.getini("testpaths")
    chosen = option.keyword or option.markexpr or option.collectonly or option.usepdb
    free = available_cores() > 1 and not hasattr(config, "workerinput")
    if whole and free and not chosen and getattr(option, "numprocesses", 0) is None:
        option.numprocesses, option.dist = 2, "loadfile"


@pytest.fixture
def problem():
    """make(N, M, d, d_h, d_v, scale, seed) -> theta, X, y with O(1) tokens and weights of standard deviation
    `scale`.
    """

    def make(N=3, M=4, d=7, d_h=5, d_v=2, scale=1.0, seed=0):
        rng = np.random.default_rng(seed)
        shapes = ((d, d_h), (d, d_h), (d, d_v), (d_v,))
        theta = Parameters(*(scale * rng.standard_normal(shape) for shape in shapes))
        return theta, rng.standard_normal((N, M, d)), rng.choice([-1.0, 1.0], size=N)

    return make


@pytest.fixture
def worst():
    """worst(got, expected): the largest difference relative to the largest expected entry, which must not be
    0.
    """

    def relative(got, expected):
        largest = np.abs(expected).max()
        assert largest > 0, "a check against zeros is vacuous"
        return np.abs(np.asarray(got) - expected).max() / largest

    return relative
