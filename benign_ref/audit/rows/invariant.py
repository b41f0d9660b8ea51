"""I1-I6: identities that every correct implementation satisfies, whatever its formulas look like."""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import literal
from ..core import Row, Vacuous, relative_residual, within
from .gradient import TWINS, settings
from .model import cotangents

EXACT = 1e-9  # measured on 100 seeds: at most 5.5e-13


def _parts(audited, problem):
    """theta, {twin: gradients}, f, g, D, P from the audited."""
    theta, X, y, home = audited.model.Parameters(*problem.theta), problem.X, problem.y, audited.gradients
    f, S, c = audited.model.forward(theta, X), audited.model.attention(theta, X), X @ theta.W_V @ theta.w_O
    D = np.array([home.coupling(S_n, c_n) for S_n, c_n in zip(S, c)])
    twins = {twin: getattr(audited, twin).gradients(theta, X, y) for twin in ("gradients", "parameter_space")}
    return theta, twins, f, home.output_cotangent(f, y), D, literal.logits(theta, X)


def _I1(audited, problem):
    *_, D, P = _parts(audited, problem)
    yield "coupling: sums of its rows", audited.invariants.rows_of_coupling(D), EXACT
    # In the kernel, keys that are all one vector get no query gradient. Attention is uniform then, f the mean
    # value; labels against it, as the slope of a large margin may be 0.
    (N, M), c = P.shape[:2], literal.values(problem.theta, problem.X)
    drows = cotangents(audited, replace(problem, y=-np.sign(c.mean(axis=1))), np.ones((N * M, M)))
    size = np.abs(drows[:, -1]).max() * np.abs(c).max()
    if not size > 0:
        raise Vacuous("the engines' cotangents are 0, so nothing was checked")
    yield (
        "Attention.add_cotangents, all keys equal: no gradient of q",
        float(np.abs(drows[:, :M]).max() / size),
        EXACT,
    )


def _degree(name, blocks, audited, problem):
    """I2 or I3, Euler's identity for two blocks: the three numbers against each other, and against theirs by
    other means.
    """
    theta, twins, f, g, D, P = _parts(audited, problem)
    means, wanted = "f and g by loops over scalars", problem.cotangent @ problem.exact[0]
    if 0 in blocks:
        longer = (1 + 1j * literal.STEP) * theta[0], *theta[1:]
        means = "complex step of the loss in a factor of the logits"
        wanted = problem.loss(longer).imag / literal.STEP
    for twin, gradient in twins.items():
        yield from within({
            f"{twin}: the three numbers against each other": getattr(audited.invariants, name)(
                theta, gradient, *((g, D, P) if 0 in blocks else (f, g))),
            f"{twin}: {means}": relative_residual(
                [(gradient[b] * theta[b]).sum() for b in blocks], [wanted, wanted]),
        }, EXACT)  # fmt: skip


def _balance(name, blocks, audited, problem):
    """I4 or I5 on a step as long as the weights of `blocks`: the identities are O(eta^2)."""
    eta = problem.stride(*blocks)
    s, data, before = settings(audited, problem, 1, eta)
    for engine, backend in TWINS:
        after = audited.api.train(s, data, before, engine=engine, backend=backend, train_w_O=True).parameters
        yield (
            f"{engine}, {backend}: a step, gradients by complex step",
            getattr(audited.invariants, name)(before, after, problem.gradient, eta),
            EXACT,
        )


def _I6(audited, problem):
    theta, X, flipped = audited.model.Parameters(*problem.theta), problem.X, "under (y, W_V) -> (-y, -W_V)"
    forwards = {"model": audited.model.forward, "parameter_space": audited.parameter_space.forward_numba}
    for twin, forward in forwards.items():
        for name, found in audited.invariants.symmetries(forward, theta, X, problem.rng(20)).items():
            yield f"{twin}.forward: {name}", found, EXACT
    s, data, start = settings(audited, problem, 3, 0.1 * problem.stride(2))
    pairs = (data, start), (data._replace(y=-data.y), start._replace(W_V=-start.W_V))
    for engine, backend in TWINS:
        one, two = (audited.api.train(s, *pair, engine=engine, backend=backend).losses for pair in pairs)
        yield (f"{engine}, {backend}: losses {flipped}", relative_residual(two - two[0], one - one[0]), EXACT)
    for twin in ("gradients", "parameter_space"):
        yield (
            f"{twin}: gradients {flipped}",
            audited.invariants.flip(getattr(audited, twin).gradients, theta, X, problem.y),
            EXACT,
        )


GRADIENTS = (
    "paper/gradients.py:gradients",
    "paper/gradients.py:output_cotangent",
    "engines/parameter_space.py:gradients",
)
STEPS = (
    "api.py:train",
    "paper/descent.py:ReferenceSpace.move",
    "engines/parameter_space.py:ParameterSpace.move",
    "engines/proof_space.py:ColumnSpace.move",
    "paper/proof.py:ReferenceProofSpace.move",
)
ROWS = [
    Row(
        "I1",
        "sum_j D_n[l,j] = 0",
        "softmax is shift-invariant",
        "[D]",
        (
            "paper/gradients.py:coupling",
            "engines/attention.py:Attention.add_cotangents",
            "audit/invariants.py:rows_of_coupling",
        ),
        _I1,
    ),
    Row(
        "I2",
        "<grad W_V, W_V> = <grad w_O, w_O> = sum_n g_n f_n",
        "f is linear in W_V and in w_O",
        "[D]",
        ("paper/model.py:forward", *GRADIENTS, "audit/invariants.py:degree_of_values"),
        partial(_degree, "degree_of_values", (2, 3)),
    ),
    Row(
        "I3",
        "<grad W_Q, W_Q> = <grad W_K, W_K> = sum_n g_n tr(D_n^T P_n)",
        "P_n is linear in W_Q and in W_K",
        "[D]",
        ("paper/gradients.py:coupling", *GRADIENTS, "audit/invariants.py:degree_of_logits"),
        partial(_degree, "degree_of_logits", (0, 1)),
    ),
    Row(
        "I4",
        "a step changes W_Q^T W_Q - W_K^T W_K by eta^2 (grad W_Q^T grad W_Q - grad W_K^T grad W_K)",
        "conserved by gradient flow",
        "[D]",
        (*STEPS, "audit/invariants.py:balance_of_logits"),
        partial(_balance, "balance_of_logits", (0, 1)),
    ),
    Row(
        "I5",
        "w_O trained: a step changes W_V^T W_V - w_O w_O^T by eta^2 (grad W_V^T grad W_V - grad w_O grad "
        "w_O^T)",
        "conserved by gradient flow",
        "[D]",
        (*STEPS, "audit/invariants.py:balance_of_values"),
        partial(_balance, "balance_of_values", (2, 3)),
    ),
    Row(
        "I6",
        "f is unchanged by permuting tokens, by (x, W) -> (Rx, RW), by (x, W) -> (cx, W/c); a run's "
        "losses by (y, W_V) -> (-y, -W_V)",
        "symmetries",
        "[D]",
        (
            "paper/model.py:forward",
            "engines/parameter_space.py:forward_numba",
            "api.py:train",
            "audit/invariants.py:symmetries",
            "audit/invariants.py:flip",
        ),
        _I6,
    ),
]
