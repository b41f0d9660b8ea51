"""I1-I6: identities that any implementation of M1-M3 and G1-G4 must satisfy to rounding error, whatever its
formulas look like [D].

Each takes what an implementation gave and is one residual: the largest violation relative to the largest of
the terms that should cancel. Rounding is 1e-15 or so; a wrong sign, factor or transpose is of order 1. The
identities catch what a derivative check cannot (a wrong f whose gradient is right), and cost one evaluation
where a derivative check costs one for each entry.

    X (N,M,d)   y, f, g (N,)   S, D, P (N,M,M)   theta, grads = (W_Q (d,d_h), W_K (d,d_h), W_V (d,d_v), w_O
                (d_v,))
"""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import literal
from ..core import Row, relative_residual, within
from .gradient import TWINS, settings
from .model import cotangents

EXACT = 1e-9  # measured on 100 seeds: at most 5.5e-13


def relative(violation, *terms):
    """The largest violation relative to the largest term: the relative residual of the violation beside the
    terms, expected as 0 beside them. Raises Vacuous if all terms are 0.
    """
    beside = np.concatenate([np.ravel(term) for term in terms])
    return relative_residual(np.append(violation, beside), np.append(np.zeros(np.size(violation)), beside))


def rows_of_coupling(D):
    """I1 [D]: sum_j D_n[l,j] = 0 for every n, l. Adding one number to a row of logits changes no softmax."""
    return relative(D.sum(axis=-1), D)


def degree(blocks, theta, grads, terms):
    """I2 [D]: <dW_V, W_V> = <dw_O, w_O> = sum_n g_n f_n, with g = dL_S/df: f is linear in W_V, and in w_O.
    I3 [D]: <dW_Q, W_Q> = <dW_K, W_K> = sum_n g_n tr(D_n^T P_n): the logits P_n are linear in W_Q, and in W_K.

    blocks: the two; terms: those of the sum on the right.
    """
    terms = *(grads[b] * theta[b] for b in blocks), terms
    first, second, third = (term.sum() for term in terms)
    return relative([first - third, second - third, first - second], *terms)


def balance(blocks, before, after, grads, eta):
    """I4 [D]: W_Q^T W_Q - W_K^T W_K changes in one step by exactly eta^2 (dW_Q^T dW_Q - dW_K^T dW_K), so
    gradient flow conserves it. I5 [D]: W_V^T W_V - w_O w_O^T alike when w_O is trained too.

    blocks: the two; before, after: theta on either side of a GD step of size eta; grads: the gradients it
    used. The change is O(eta^2) and is found as a difference of numbers of order W^T W, so take eta large
    enough for a step to be comparable to the weights: a residual of rounding * (|W| / |eta grad|)^2 is no
    violation.
    """
    squares = lambda theta: [W.T @ W for W in (np.atleast_2d(theta[b]) for b in blocks)]  # noqa: E731
    of_A, of_B = squares([eta * dW for dW in grads])  # eta^2 itself may overflow where gradients are tiny
    change = np.subtract(*squares(after)) - np.subtract(*squares(before))
    return relative(change - (of_A - of_B), of_A, of_B)


def symmetries(forward, theta, X, rng):
    """I6 [D]: how far f = forward(theta, X) changes, as a dict, under what must not change it:

    "permutation"   of the tokens of every sample       x_l -> x_{pi(l)}
    "rotation"      of the token space                  x -> R x, W_Q, W_K, W_V -> R W
    "scaling"       of tokens against weights           x -> 3 x, W_Q, W_K, W_V -> W / 3
    """
    R, f = np.linalg.qr(rng.standard_normal((X.shape[2], X.shape[2])))[0], forward(theta, X)
    moved = lambda change: theta._make([*map(change, theta[:3]), theta.w_O])  # noqa: E731
    changed = {
        "permutation": forward(theta, np.array([X_n[rng.permutation(len(X_n))] for X_n in X])),
        "rotation": forward(moved(lambda W: R @ W), X @ R.T),
        "scaling": forward(moved(lambda W: W / 3), 3 * X),
    }
    return {name: relative(other - f, f) for name, other in changed.items()}


def flip(gradients, theta, X, y):
    """I6 [D]: (y, W_V) -> (-y, -W_V) leaves every loss of a run unchanged: dW_Q, dW_K stay, dW_V changes its
    sign (w_O fixed).

    gradients(theta, X, y) gives the four gradients; the residual is the worst of the three blocks.
    """
    here, there = gradients(theta, X, y), gradients(theta._replace(W_V=-theta.W_V), X, -y)
    return max(relative(there[b] - sign * here[b], here[b]) for b, sign in enumerate((1, 1, -1)))


def _parts(audited, problem):
    """theta, {twin: gradients}, f, g, D, P from the audited."""
    theta, X, y, home = audited.model.Parameters(*problem.theta), problem.X, problem.y, audited.gradients
    f, S, c = audited.model.forward(theta, X), audited.model.attention(theta, X), X @ theta.W_V @ theta.w_O
    D = np.array([home.coupling(S_n, c_n) for S_n, c_n in zip(S, c)])
    twins = {twin: getattr(audited, twin).gradients(theta, X, y) for twin in ("gradients", "parameter_space")}
    return theta, twins, f, home.output_cotangent(f, y), D, literal.logits(theta, X)


def _I1(audited, problem):
    *_, D, P = _parts(audited, problem)
    yield "coupling: sums of its rows", rows_of_coupling(D), EXACT
    # In the kernel, keys that are all one vector get no query gradient. Attention is uniform then, f the mean
    # value; labels against it, as the slope of a large margin may be 0.
    (N, M), c = P.shape[:2], literal.values(problem.theta, problem.X)
    drows = cotangents(audited, replace(problem, y=-np.sign(c.mean(axis=1))), np.ones((N * M, M)))
    size = np.abs(drows[:, -1]).max() * np.abs(c).max()
    yield "Attention.add_cotangents, all keys equal: no gradient of q", relative(drows[:, :M], size), EXACT


def _degree(blocks, audited, problem):
    """I2 or I3, Euler's identity for two blocks: the three numbers against each other, and against theirs by
    other means.
    """
    theta, twins, f, g, D, P = _parts(audited, problem)
    means, wanted, terms = "f and g by loops over scalars", problem.cotangent @ problem.exact[0], g * f
    if 0 in blocks:
        terms = g[:, None, None] * D * P
        means, factor = "complex step of the loss in a factor of the logits", 1 + 1j * literal.STEP
        wanted = problem.loss((factor * theta[0], *theta[1:])).imag / literal.STEP
    for twin, gradient in twins.items():
        yield from within({
            f"{twin}: the three numbers against each other": degree(blocks, theta, gradient, terms),
            f"{twin}: {means}": relative_residual(
                [(gradient[b] * theta[b]).sum() for b in blocks], [wanted, wanted]),
        }, EXACT)  # fmt: skip


def _balance(blocks, audited, problem):
    """I4 or I5 on a step as long as the weights of `blocks`: the identities are O(eta^2)."""
    eta = problem.stride(*blocks)
    s, data, before = settings(audited, problem, 1, eta)
    for name, twin in TWINS.items():
        after = audited.api.train(s, data, before, **twin, train_w_O=True).parameters
        yield (
            f"{name}: a step, gradients by complex step",
            balance(blocks, before, after, problem.gradient, eta),
            EXACT,
        )


def _I6(audited, problem):
    theta, X, flipped = audited.model.Parameters(*problem.theta), problem.X, "under (y, W_V) -> (-y, -W_V)"
    forwards = {"model": audited.model.forward, "parameter_space": audited.parameter_space.forward_numba}
    for twin, forward in forwards.items():
        found = symmetries(forward, theta, X, problem.rng(20))
        yield from within({f"{twin}.forward: {name}": residual for name, residual in found.items()}, EXACT)
    s, data, start = settings(audited, problem, 3, 0.1 * problem.stride(2))
    pairs = (data, start), (data._replace(y=-data.y), start._replace(W_V=-start.W_V))
    for name, twin in TWINS.items():
        one, two = (audited.api.train(s, *pair, **twin).losses for pair in pairs)
        yield f"{name}: losses {flipped}", relative_residual(two - two[0], one - one[0]), EXACT
    yield from within({
        f"{twin}: gradients {flipped}": flip(getattr(audited, twin).gradients, theta, X, problem.y)
        for twin in ("gradients", "parameter_space")
    }, EXACT)  # fmt: skip


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
        ),
        _I1,
    ),
    Row(
        "I2",
        "<grad W_V, W_V> = <grad w_O, w_O> = sum_n g_n f_n",
        "f is linear in W_V and in w_O",
        "[D]",
        ("paper/model.py:forward", *GRADIENTS),
        partial(_degree, (2, 3)),
    ),
    Row(
        "I3",
        "<grad W_Q, W_Q> = <grad W_K, W_K> = sum_n g_n tr(D_n^T P_n)",
        "P_n is linear in W_Q and in W_K",
        "[D]",
        ("paper/gradients.py:coupling", *GRADIENTS),
        partial(_degree, (0, 1)),
    ),
    Row(
        "I4",
        "a step changes W_Q^T W_Q - W_K^T W_K by eta^2 (grad W_Q^T grad W_Q - grad W_K^T grad W_K)",
        "conserved by gradient flow",
        "[D]",
        STEPS,
        partial(_balance, (0, 1)),
    ),
    Row(
        "I5",
        "w_O trained: a step changes W_V^T W_V - w_O w_O^T by eta^2 (grad W_V^T grad W_V - grad w_O grad "
        "w_O^T)",
        "conserved by gradient flow",
        "[D]",
        STEPS,
        partial(_balance, (2, 3)),
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
        ),
        _I6,
    ),
]
