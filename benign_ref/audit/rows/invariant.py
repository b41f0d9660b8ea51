"""I1-I6: identities that every correct implementation satisfies, whatever its formulas look like."""

import numpy as np

from .. import literal
from ..core import Row, Vacuous, relative_residual
from .gradient import TWINS, settings
from .model import cotangents

EXACT = 1e-9  # measured on 100 seeds: at most 5.5e-13


def parts(audited, problem):
    """theta, (twin, gradients), f, g, D, P from the audited."""
    theta, gradients = audited.model.Parameters(*problem.theta), audited.gradients
    X, y = problem.X, problem.y
    f = audited.model.forward(theta, X)
    g = gradients.output_cotangent(f, y)
    S, c = audited.model.attention(theta, X), X @ theta.W_V @ theta.w_O
    D = np.array([gradients.coupling(S_n, c_n) for S_n, c_n in zip(S, c)])
    twins = [
        ("gradients", gradients.gradients(theta, X, y)),
        ("parameter_space", audited.parameter_space.gradients(theta, X, y)),
    ]
    return theta, twins, f, g, D, literal.logits(theta, X)


def check_I1(audited, problem):
    """Rows of D; in the kernel, keys that are all one vector get no query gradient, whatever the values."""
    *_, D, P = parts(audited, problem)
    yield "coupling: sums of its rows", audited.invariants.rows_of_coupling(D), EXACT
    N, M = P.shape[:2]
    drows = cotangents(audited, problem, np.ones((N * M, M)))
    size = np.abs(drows[:, -1]).max() * np.abs(literal.values(problem.theta, problem.X)).max()
    if not size > 0:
        raise Vacuous("the engines' cotangents are 0, so nothing was checked")
    yield (
        "Attention.add_cotangents, all keys equal: no gradient of q",
        float(np.abs(drows[:, :M]).max() / size),
        EXACT,
    )


def check_I2(audited, problem):
    """Euler's identity for W_V and w_O, in which f is linear."""
    theta, twins, f, g, *_ = parts(audited, problem)
    wanted = problem.cotangent @ problem.exact[0]
    for twin, gradient in twins:
        yield (
            f"{twin}: the three numbers against each other",
            audited.invariants.degree_of_values(theta, gradient, f, g),
            EXACT,
        )
        got = [(gradient[b] * theta[b]).sum() for b in (2, 3)]
        yield f"{twin}: f and g by loops over scalars", relative_residual(got, [wanted, wanted]), EXACT


def check_I3(audited, problem):
    """Euler's identity for W_Q and W_K, in which the logits are linear."""
    theta, twins, f, g, D, P = parts(audited, problem)
    longer = (1 + 1j * literal.STEP) * theta[0]
    wanted = literal.loss((longer, *theta[1:]), problem.X, problem.y).imag / literal.STEP
    for twin, gradient in twins:
        yield (
            f"{twin}: the three numbers against each other",
            audited.invariants.degree_of_logits(theta, gradient, g, D, P),
            EXACT,
        )
        got = [(gradient[b] * theta[b]).sum() for b in (0, 1)]
        yield (
            f"{twin}: complex step of the loss in a factor of the logits",
            relative_residual(got, [wanted, wanted]),
            EXACT,
        )


def check_balance(balance, blocks):
    """A check of I4 or I5 on a step of each engine and twin, as long as the weights of `blocks`: the
    identities are O(eta^2).
    """

    def check(audited, problem):
        eta = problem.stride(*blocks)
        for engine, backend in TWINS:
            s, data, before = settings(audited, problem, 1, eta)
            run = audited.api.train(s, data, before, engine=engine, backend=backend, train_w_O=True)
            yield (
                f"{engine}, {backend}: a step, gradients by complex step",
                getattr(audited.invariants, balance)(before, run.parameters, problem.gradient, eta),
                EXACT,
            )

    return check


def check_I6(audited, problem):
    """Symmetries of f in both twins; the flip of labels and values leaves a run's losses as they are."""
    theta, X = audited.model.Parameters(*problem.theta), problem.X
    forwards = {"model": audited.model.forward, "parameter_space": audited.parameter_space.forward_numba}
    for twin, forward in forwards.items():
        for name, found in audited.invariants.symmetries(forward, theta, X, problem.rng(20)).items():
            yield f"{twin}.forward: {name}", found, EXACT
    for engine, backend in TWINS:
        s, data, start = settings(audited, problem, 3, 0.1 * problem.stride(2))
        mirrored = data._replace(y=-data.y), start._replace(W_V=-start.W_V)
        one, two = (
            audited.api.train(s, d, at, engine=engine, backend=backend).losses
            for d, at in ((data, start), mirrored)
        )
        yield (
            f"{engine}, {backend}: losses under (y, W_V) -> (-y, -W_V)",
            relative_residual(two - two[0], one - one[0]),
            EXACT,
        )
    for twin, home in (("gradients", audited.gradients), ("parameter_space", audited.parameter_space)):
        yield (
            f"{twin}: gradients under (y, W_V) -> (-y, -W_V)",
            audited.invariants.flip(home.gradients, theta, X, problem.y),
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
        check_I1,
    ),
    Row(
        "I2",
        "<grad W_V, W_V> = <grad w_O, w_O> = sum_n g_n f_n",
        "f is linear in W_V and in w_O",
        "[D]",
        ("paper/model.py:forward", *GRADIENTS, "audit/invariants.py:degree_of_values"),
        check_I2,
    ),
    Row(
        "I3",
        "<grad W_Q, W_Q> = <grad W_K, W_K> = sum_n g_n tr(D_n^T P_n)",
        "P_n is linear in W_Q and in W_K",
        "[D]",
        ("paper/gradients.py:coupling", *GRADIENTS, "audit/invariants.py:degree_of_logits"),
        check_I3,
    ),
    Row(
        "I4",
        "a step changes W_Q^T W_Q - W_K^T W_K by eta^2 (grad W_Q^T grad W_Q - grad W_K^T grad W_K)",
        "conserved by gradient flow",
        "[D]",
        (*STEPS, "audit/invariants.py:balance_of_logits"),
        check_balance("balance_of_logits", (0, 1)),
    ),
    Row(
        "I5",
        "w_O trained: a step changes W_V^T W_V - w_O w_O^T by eta^2 (grad W_V^T grad W_V - grad w_O grad "
        "w_O^T)",
        "conserved by gradient flow",
        "[D]",
        (*STEPS, "audit/invariants.py:balance_of_values"),
        check_balance("balance_of_values", (2, 3)),
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
        check_I6,
    ),
]
