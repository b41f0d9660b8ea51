"""G1-G4 and GD: the gradients against derivatives of the ledger's own loss and of model.py's, the runs
against GD by those derivatives.
"""

import numpy as np

from .. import literal
from ..core import Row, Vacuous, relative_residual
from ..problems import ONE_TOKEN, SHAPES

EXACT = 1e-9  # measured on 100 seeds: at most 1e-14
SATURATED = 1e-11  # where attention is saturated
DIFFERENCES = 1e-5  # 1.5e-8
STEP = 1e-8  # 1.3e-10, where a short step is found as a difference of weights
NAMES = ("W_Q", "W_K", "W_V", "w_O")
TWINS = [(engine, backend) for engine in ("parameters", "proof") for backend in ("numpy", "numba")]


def claims(audited, problem):
    """(twin, four gradients) of each implementation."""
    theta, X, y = audited.model.Parameters(*problem.theta), problem.X, problem.y
    return [
        ("gradients", audited.gradients.gradients(theta, X, y)),
        ("parameter_space", audited.parameter_space.gradients(theta, X, y)),
        ("public name", audited.api.gradients(theta, X, y)),
    ]


def residual_of_block(problem, block, got, expected):
    """The relative residual; for one token W_Q and W_K have the gradient 0, exactly, on both sides."""
    if problem.X.shape[1] > 1 or block > 1:
        return relative_residual(got, expected)
    return float(np.abs(got).max() + np.abs(expected).max()) if got.shape == expected.shape else np.inf


def check_block(block):
    """A check of one of G1-G4."""

    def check(audited, problem):
        allowed = SATURATED if problem.saturated else EXACT
        residual = lambda got, expected: residual_of_block(problem, block, got, expected)  # noqa: E731
        difference = None if problem.saturated else problem.difference(block)  # it has no digits there
        for twin, gradient in claims(audited, problem):
            yield (
                f"{twin}: complex step of the ledger's own loss",
                residual(gradient[block], problem.gradient[block]),
                allowed,
            )
            if difference is not None:
                yield (
                    f"{twin}: central differences of the ledger's own loss",
                    residual(gradient[block], difference),
                    DIFFERENCES,
                )
        theta, X = audited.model.Parameters(*problem.theta), problem.X
        g = problem.rng(4).standard_normal(len(X))
        slope = literal.complex_step(lambda at: g @ literal.outputs(at, X), problem.theta, [block])[0]
        yield (
            "pull_back of a random cotangent: complex step",
            residual(audited.gradients.pull_back(theta, X, g)[block], slope),
            allowed,
        )
        got = audited.gradients.output_cotangent(problem.exact[0], problem.y)
        yield (
            "output_cotangent: scalars, each relative to itself",
            float(np.max(np.abs(got / problem.cotangent - 1))),
            allowed,
        )
        if block >= 2:  # a_n, which only G3 and G4 hold
            S = problem.exact[1]
            got = [audited.gradients.mean_attention(S_n) for S_n in S]
            yield "mean_attention: sum over rows", relative_residual(got, S.sum(axis=1) / S.shape[1]), EXACT
        # at saturated attention the derivatives lie below the last digits of the loss itself
        if X.shape[1] > 1 and not problem.saturated:
            yield from by_checks(audited, problem, block, allowed)

    return check


def by_checks(audited, problem, block, allowed):
    """The claim of gradients.py by checks.py, which differentiates model.py's own loss."""
    own = audited.checks.check_gradient(
        lambda at: audited.model.loss(at, problem.X, problem.y),
        lambda at: audited.gradients.gradients(at, problem.X, problem.y),
        audited.model.Parameters(*problem.theta),
        blocks=[NAMES[block]],
        directions=2,
        rng=problem.rng(block),
        tolerance=allowed,
    ).rows[0]
    if own.verdict == "vacuous":
        raise Vacuous(f"the gradient of {NAMES[block]} is zero, so nothing was checked")
    yield "gradients: checks.py, complex step of model.loss", own.error, allowed


def settings(audited, problem, steps, eta=None):
    """Setting, Dataset and Parameters of a problem for `api.train`, as the audited's own types."""
    (N, M, d), d_h, d_v = problem.X.shape, problem.theta[0].shape[1], problem.theta[2].shape[1]
    eta = problem.eta if eta is None else eta
    sizes = dict(N=N, M=M, d=d, d_h=d_h, d_v=d_v)
    s = audited.setting.Setting(**sizes, eta=eta, epsilon=1e-300, max_steps=steps)
    data = audited.data.Dataset(problem.X, problem.y, problem.X[0, 0], problem.X[0, 0])
    return s, data, audited.model.Parameters(*problem.theta)


def check_GD(audited, problem):
    """Steps of every engine and twin, with w_O fixed and trained; when a run stops; what it calls losses."""
    if problem.saturated:  # no step is as long as all blocks at once: one for each
        yield from check_long_steps(audited, problem)
    else:
        yield from check_steps(audited, problem)
    yield from check_spaces(audited, problem)
    yield from check_stop(audited, problem)


def check_steps(audited, problem):
    """Three steps: how far each block has moved, relative to that; the losses."""
    for train_w_O in (False, True):
        losses, theta = problem.path(3, train_w_O)
        moved = [new - old for new, old in zip(theta, problem.theta)][: 4 if train_w_O else 3]
        for engine, backend in TWINS:
            s, data, start = settings(audited, problem, 3)
            run = audited.api.train(s, data, start, engine=engine, backend=backend, train_w_O=train_w_O)
            name = f"{engine}, {backend}, w_O {'trained' if train_w_O else 'fixed'}"
            got = [new - old for new, old in zip(run.parameters, start)]
            yield (
                f"{name}: three steps by complex step",
                max(relative_residual(a, b) for a, b in zip(got, moved)),
                STEP,
            )
            if not train_w_O:
                yield f"{name}: w_O as it was", float(np.abs(got[3]).max()), 1e-15
            yield (
                f"{name}: falls of the loss",
                relative_residual(run.losses - run.losses[0], losses - losses[0]),
                STEP,
            )


def check_long_steps(audited, problem):
    """For each block a step as long as its weights, and the losses of a shorter one on both of its sides."""

    def after(eta, last):
        moved = [W - eta * dW for W, dW in zip(problem.theta[:last], problem.gradient)]
        return [*moved, *problem.theta[last:]]

    for engine, backend in TWINS:
        for train_w_O in (False, True):
            twin = f"{engine}, {backend}, w_O {'trained' if train_w_O else 'fixed'}"
            for block, name in enumerate(NAMES[: 4 if train_w_O else 3]):
                s, data, start = settings(audited, problem, 1, problem.stride(block))
                run = audited.api.train(s, data, start, engine=engine, backend=backend, train_w_O=train_w_O)
                got, wanted = run.parameters[block] - start[block], -s.eta * problem.gradient[block]
                yield f"{twin}: a step of {name}", relative_residual(got, wanted), STEP
            if not train_w_O:
                yield f"{twin}: w_O as it was", float(np.abs(run.parameters[3] - start[3]).max()), 1e-15
            s, data, start = settings(audited, problem, 1, 0.02 * min(problem.stride(2), problem.stride(3)))
            run = audited.api.train(s, data, start, engine=engine, backend=backend, train_w_O=train_w_O)
            moved = after(s.eta, 4 if train_w_O else 3)
            margins = [problem.y * literal.outputs(theta, problem.X) for theta in (problem.theta, moved)]
            for loss, z, when in zip(run.losses, margins, ("before", "after")):
                yield (
                    f"{twin}: the loss {when} a step",
                    relative_residual(loss, np.logaddexp(0, -z).mean()),
                    STEP,
                )


def check_spaces(audited, problem):
    """One step of each space by itself."""
    theta = audited.model.Parameters(*problem.theta)
    blocks = [2] if problem.saturated else range(4)
    eta = problem.stride(2) if problem.saturated else problem.eta
    for name, home in (("ReferenceSpace", audited.descent), ("ParameterSpace", audited.parameter_space)):
        space = getattr(home, name)(theta, problem.X, problem.y, True)
        space.evaluate()
        space.move(eta)
        moved = space.parameters()
        yield (
            f"{name}: a step is -eta times the complex step",
            max(relative_residual(moved[b] - theta[b], -eta * problem.gradient[b]) for b in blocks),
            STEP,
        )


def check_stop(audited, problem):
    """A run ends at the first loss <= epsilon and as many steps later as asked, or at max_steps; losses[t] is
    the loss before step t. Counted on a made-up space.
    """
    levels = [0.9, 0.5, 0.25, 0.1, 0.05]

    class Ladder:
        """A space whose losses are `levels`."""

        at = 0

        def evaluate(self):
            """The loss at this step of the ladder."""
            return levels[self.at]

        def move(self, eta):
            """One step down."""
            self.at += 1

    wrong = 0
    cases = [(0.25, 9, 0, 2), (0.1, 9, 0, 3), (1e-3, 3, 0, 3), (0.9, 9, 0, 0)]  # epsilon, most, extra, count
    cases += [(0.25, 9, 1, 3), (0.5, 9, 2, 3), (0.1, 3, 1, 3), (0.9, 2, 4, 2)]
    for epsilon, most, extra, count in cases:
        space = Ladder()
        options = dict(eta=0.1, epsilon=epsilon, max_steps=most, extra_steps=extra)
        losses, taken, converged, _ = audited.records.descend(space, **options)
        wrong += (taken, space.at) != (count, count) or list(losses) != levels[: count + 1]
        wrong += converged != (min(levels[: count + 1]) <= epsilon)
    yield (
        "descend: stops at the first loss <= epsilon or at max_steps, and takes extra steps",
        float(wrong),
        0.0,
    )


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
        check_block(block),
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
        check_GD,
    ),
]
