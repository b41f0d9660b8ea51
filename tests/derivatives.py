"""Derivatives of a function of Parameters, entry by entry: complex steps and central differences."""

import numpy as np

from benign_ref.paper.model import Parameters


def perturbed(theta, block, index, step):
    changed = list(theta)
    changed[block] = changed[block].astype(np.result_type(changed[block], step))
    changed[block][index] += step
    return Parameters(*changed)


def derivatives(function, theta, difference):
    """All four blocks of derivatives of function(theta), entry by entry."""
    return [
        np.array([difference(function, theta, b, i) for i in np.ndindex(W.shape)]).reshape(W.shape)
        for b, W in enumerate(theta)
    ]


def complex_step(function, theta, block, index):
    return function(perturbed(theta, block, index, 1e-30j)).imag / 1e-30


def central(h):
    """Central differences of fourth order, step h."""

    def difference(function, theta, block, index):
        f = [function(perturbed(theta, block, index, k * h)) for k in (-2, -1, 1, 2)]
        return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)

    return difference
