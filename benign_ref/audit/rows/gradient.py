"""G1-G4 and GD: the gradients against derivatives of the ledger's own loss and of model.py's, the runs
against GD by those derivatives.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np

from .. import literal
from ..core import Row, apart, relative_residual, worst
from ..problems import ONE_TOKEN, SHAPES
from .model import or_zero

EXACT = 1e-9  # measured on 100 seeds: at most 1e-14
SATURATED = 1e-11  # where attention is saturated
DIFFERENCES = 1e-5  # 1.5e-8
STEP = 1e-8  # 1.3e-10, where a short step is found as a difference of weights
NAMES = ("W_Q", "W_K", "W_V", "w_O")
TWINS = {
    f"{engine}, {backend}": dict(engine=engine, backend=backend)
    for engine in ("parameters", "proof")
    for backend in ("numpy", "numba")
}  # options of `api.train` by their name
WAYS = [
    (dict(twin, train_w_O=trained), f"{name}, w_O {word}", 3 + trained)
    for trained, word in ((False, "fixed"), (True, "trained"))
    for name, twin in TWINS.items()
]  # the same with w_O, their name, how many blocks move


def _gradient(block, audited, problem):
    """G1 to G4, of the gradient in one block."""
    theta, X, (f, S) = audited.model.Parameters(*problem.theta), problem.X, problem.exact
    allowed = SATURATED if problem.saturated else EXACT
    residual = partial(or_zero, X.shape[1] == 1 and block < 2)  # W_Q, W_K of one token: exactly 0
    difference = None if problem.saturated else problem.difference(block)  # it has no digits there
    for twin, home in {
        "gradients": audited.gradients,
        "parameter_space": audited.parameter_space,
        "public name": audited.api,
    }.items():
        got, own = home.gradients(theta, X, problem.y)[block], "of the ledger's own loss"
        yield f"{twin}: complex step {own}", residual(got, problem.gradient[block]), allowed
        if difference is not None:
            yield f"{twin}: central differences {own}", residual(got, difference), DIFFERENCES
    g = problem.rng(4).standard_normal(len(X))
    yield (
        "pull_back of a random cotangent: complex step",
        residual(
            audited.gradients.pull_back(theta, X, g)[block],
            literal.complex_step(lambda at: g @ literal.outputs(at, X), problem.theta, [block])[0],
        ),
        allowed,
    )
    yield (
        "output_cotangent: scalars, each relative to itself",
        apart(audited.gradients.output_cotangent(f, problem.y), problem.cotangent),
        allowed,
    )
    if block >= 2:  # a_n, which only G3 and G4 hold
        got = [audited.gradients.mean_attention(S_n) for S_n in S]
        yield "mean_attention: sum over rows", relative_residual(got, S.mean(axis=1)), EXACT
    # at saturated attention the derivatives lie below the last digits of the loss itself
    if X.shape[1] > 1 and not problem.saturated:
        checked = audited.checks.check_gradient(
            lambda at: audited.model.loss(at, X, problem.y),
            lambda at: audited.gradients.gradients(at, X, problem.y),
            theta,
            blocks=[NAMES[block]],
            directions=2,
            rng=problem.rng(block),
            tolerance=allowed,
        )
        yield "gradients: checks.py, complex step of model.loss", checked.rows[0].error, allowed


def settings(audited, problem, steps, eta=None):
    """Setting, Dataset and Parameters of a problem for `api.train`, as the audited's own types."""
    (N, M, d), (_, d_h), (d_v,) = problem.X.shape, problem.theta[0].shape, problem.theta[3].shape
    sizes, signal = dict(N=N, M=M, d=d, d_h=d_h, d_v=d_v), problem.X[0, 0]
    return (
        audited.setting.Setting(**sizes, eta=eta or problem.eta, epsilon=1e-300, max_steps=steps),
        audited.data.Dataset(problem.X, problem.y, signal, signal),
        audited.model.Parameters(*problem.theta),
    )


def trained(audited, problem, steps, options, eta=None):
    """The losses of a run of `api.train`, and how far each block has moved."""
    s, data, start = settings(audited, problem, steps, eta)
    run = audited.api.train(s, data, start, **options)
    return run.losses, [new - old for new, old in zip(run.parameters, start)]


def moved(space, eta, steps=1):
    """A space after so many steps of GD."""
    for _ in range(steps):
        space.evaluate()
        space.move(eta)
    return space


def _GD(audited, problem):
    # saturated: no step is as long as all blocks at once, so that there is one for each
    yield from (_long_steps if problem.saturated else _steps)(audited, problem)
    theta, blocks = audited.model.Parameters(*problem.theta), [2] if problem.saturated else range(4)
    eta = problem.stride(2) if problem.saturated else problem.eta
    for kind in (audited.descent.ReferenceSpace, audited.parameter_space.ParameterSpace):
        space = moved(kind(theta, problem.X, problem.y, True), eta)
        yield (
            f"{kind.__name__}: a step is -eta times the complex step",
            worst(
                [space.parameters()[b] - theta[b] for b in blocks],
                [-eta * problem.gradient[b] for b in blocks],
            ),
            STEP,
        )
    yield (
        "descend: stops at the first loss <= epsilon or at max_steps, and takes extra steps",
        _wrong_stops(audited.records.descend),
        0.0,
    )


def _steps(audited, problem):
    """Three steps: how far each block has moved, relative to that; the losses."""
    paths = {blocks: problem.path(3, blocks == 4) for blocks in (3, 4)}
    for options, name, blocks in WAYS:
        wanted, (*_, theta) = paths[blocks]
        losses, got = trained(audited, problem, 3, options)
        yield (
            f"{name}: three steps by complex step",
            worst(got[:blocks], [new - old for new, old in zip(theta, problem.theta)][:blocks]),
            STEP,
        )
        if blocks == 3:
            yield f"{name}: w_O as it was", np.abs(got[3]).max(), 1e-15
        yield f"{name}: falls of the loss", relative_residual(losses - losses[0], wanted - wanted[0]), STEP


def _long_steps(audited, problem):
    """For each block a step as long as its weights, and the losses of a shorter one on both of its sides."""
    eta = 0.02 * min(problem.stride(2), problem.stride(3))
    for options, twin, blocks in WAYS:
        for block, name in enumerate(NAMES[:blocks]):
            stride = problem.stride(block)
            _, got = trained(audited, problem, 1, options, stride)
            yield (
                f"{twin}: a step of {name}",
                relative_residual(got[block], -stride * problem.gradient[block]),
                STEP,
            )
        if blocks == 3:
            yield f"{twin}: w_O as it was", np.abs(got[3]).max(), 1e-15
        losses, _ = trained(audited, problem, 1, options, eta)
        after = [W - eta * dW for W, dW in zip(problem.theta[:blocks], problem.gradient)]
        after += problem.theta[blocks:]
        for when, theta, loss in zip(("before", "after"), (problem.theta, after), losses):
            own = np.logaddexp(0, -problem.y * literal.outputs(theta, problem.X)).mean()
            yield f"{twin}: the loss {when} a step", relative_residual(loss, own), STEP


def _wrong_stops(descend):
    """How many runs do not end at the first loss <= epsilon and as many steps later as asked, or at
    max_steps, with losses[t] the loss before step t; counted on a made-up space.
    """
    levels, wrong = [0.9, 0.5, 0.25, 0.1, 0.05], 0
    for epsilon, most, extra, count in (
        (0.25, 9, 0, 2), (0.1, 9, 0, 3), (1e-3, 3, 0, 3), (0.9, 9, 0, 0),
        (0.25, 9, 1, 3), (0.5, 9, 2, 3), (0.1, 3, 1, 3), (0.9, 2, 4, 2),
    ):  # fmt: skip
        left = list(levels)
        ladder = SimpleNamespace(evaluate=lambda left=left: left[0], move=lambda eta, left=left: left.pop(0))
        losses, taken, converged, _ = descend(
            ladder, eta=0.1, epsilon=epsilon, max_steps=most, extra_steps=extra
        )
        found = taken, left, list(losses), converged
        wrong += found != (count, levels[count:], levels[: count + 1], levels[count] <= epsilon)
    return wrong


def _row(number, block, formula):
    return Row(
        f"G{number}",
        f"grad {NAMES[block]} L = {formula}",
        "gradient lemma",
        "[D], form [P*]",
        (
            "paper/gradients.py:gradients",
            "paper/gradients.py:pull_back",
            "paper/gradients.py:output_cotangent",
            *(("paper/gradients.py:mean_attention",) if block >= 2 else ()),
            "engines/parameter_space.py:gradients",
            "api.py:gradients",
            "checks/gradient.py:check_gradient",
        ),
        partial(_gradient, block),
        shapes=(*SHAPES, ONE_TOKEN),
    )


ROWS = [
    _row(1, 0, "sum_n g_n X_n^T D_n X_n W_K, g_n = y_n ell'_n / N"),
    _row(2, 1, "sum_n g_n X_n^T D_n^T X_n W_Q"),
    _row(3, 2, "sum_n g_n X_n^T a_n w_O^T, a_n = (1/M) S_n^T 1"),
    _row(4, 3, "sum_n g_n W_V^T X_n^T a_n"),
    Row(
        "GD",
        "theta(t+1) = theta(t) - eta grad L_S(theta(t)), full batch, until L_S <= epsilon; w_O fixed or "
        "trained",
        "gradient descent",
        "[P*]",
        (
            "paper/descent.py:descend",
            "paper/descent.py:ReferenceSpace.move",
            "engines/parameter_space.py:ParameterSpace.move",
            "api.py:train",
        ),
        _GD,
    ),
]
