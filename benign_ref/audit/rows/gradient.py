"""G1-G4 and GD: the gradients against derivatives of the ledger's own loss and of model.py's, the runs
against GD by those derivatives.
"""

import numpy as np

from .. import literal
from ..core import Row, Vacuous, worst

EXACT = 1e-9  # measured on 100 seeds: at most 1e-14
DIFFERENCES = 1e-5  # 1.5e-8
STEP = 1e-8  # 1.3e-10, where a short step is found as a difference of weights
NAMES = ("W_Q", "W_K", "W_V", "w_O")


def claims(audited, problem):
    """(twin, four gradients) of each implementation."""
    theta = audited.model.Parameters(*problem.theta)
    return [
        ("gradients", audited.gradients.gradients(theta, problem.X, problem.y)),
        ("parameter_space", audited.parameter_space.gradients(theta, problem.X, problem.y)),
        ("public name", audited.api.gradients(theta, problem.X, problem.y)),
    ]


def check_block(block):
    """A check of one of G1-G4."""

    def check(audited, problem):
        for twin, gradient in claims(audited, problem):
            yield (
                f"{twin}: complex step of the ledger's own loss",
                worst(gradient[block], problem.gradient[block]),
                EXACT,
            )
            yield (
                f"{twin}: central differences of the ledger's own loss",
                worst(gradient[block], problem.difference[block]),
                DIFFERENCES,
            )
        theta, X, y = audited.model.Parameters(*problem.theta), problem.X, problem.y
        own = audited.checks.check_gradient(
            lambda at: audited.model.loss(at, X, y),
            lambda at: audited.gradients.gradients(at, X, y),
            theta,
            blocks=[NAMES[block]],
            directions=2,
            rng=problem.rng(block),
            tolerance=EXACT,
        )
        if own.rows[0].verdict == "vacuous":
            raise Vacuous(f"the gradient of {NAMES[block]} is zero, so nothing was checked")
        yield "gradients: checks.py, complex step of model.loss", own.rows[0].error, EXACT
        g = problem.rng(4).standard_normal(len(y))
        slope = literal.complex_step(lambda at: g @ literal.outputs(at, X), problem.theta)[block]
        yield (
            "pull_back of a random cotangent: complex step",
            worst(audited.gradients.pull_back(theta, X, g)[block], slope),
            EXACT,
        )
        f = problem.exact[0]
        g = literal.step_of(lambda at: np.log(1 + np.exp(-y * at)).sum(keepdims=True) / len(y), f)[0]
        yield (
            "output_cotangent: complex step of the mean of ell",
            worst(audited.gradients.output_cotangent(f, y), g),
            EXACT,
        )
        if block >= 2:  # a_n, which only G3 and G4 hold
            S = problem.exact[1]
            a = S.sum(axis=1) / S.shape[1] - 1 / S.shape[1]
            yield (
                "mean_attention: sum over rows",
                worst([audited.gradients.mean_attention(S_n) - 1 / len(S_n) for S_n in S], a),
                EXACT,
            )

    return check


def settings(audited, problem, steps, eta=None):
    """Setting, Dataset and Parameters of a problem for `api.train`, as the audited's own types."""
    (N, M, d), d_h, d_v = problem.X.shape, problem.theta[0].shape[1], problem.theta[2].shape[1]
    s = audited.setting.Setting(
        N=N,
        M=M,
        d=d,
        d_h=d_h,
        d_v=d_v,
        eta=problem.eta if eta is None else eta,
        epsilon=1e-12,
        max_steps=steps,
    )
    return (
        s,
        audited.data.Dataset(problem.X, problem.y, problem.X[0, 0], problem.X[0, 0]),
        audited.model.Parameters(*problem.theta),
    )


def check_GD(audited, problem):
    """Three steps of every engine and twin, with w_O fixed and trained; when a run stops; what it calls
    losses.
    """
    steps = 3
    for train_w_O in (False, True):
        losses, theta = problem.path(steps, train_w_O)
        moved = [new - old for new, old in zip(theta, problem.theta)][: 4 if train_w_O else 3]
        for engine in ("parameters", "proof"):
            for backend in ("numpy", "numba"):
                s, data, start = settings(audited, problem, steps)
                run = audited.api.train(s, data, start, engine=engine, backend=backend, train_w_O=train_w_O)
                name = f"{engine}, {backend}, w_O {'trained' if train_w_O else 'fixed'}"
                got = [new - old for new, old in zip(run.parameters, start)]
                # relative to how far each block moved
                yield (
                    f"{name}: three steps by complex step",
                    max(worst(a, b) for a, b in zip(got, moved)),
                    STEP,
                )
                if not train_w_O:
                    yield f"{name}: w_O as it was", float(np.abs(got[3]).max()), 1e-15
                yield (
                    f"{name}: falls of the loss",
                    worst(run.losses - run.losses[0], losses - losses[0]),
                    STEP,
                )
    yield from check_spaces(audited, problem)
    yield from check_stop(audited, problem)


def check_spaces(audited, problem):
    """One step of each space by itself."""
    theta = audited.model.Parameters(*problem.theta)
    for name in ("ReferenceSpace", "ParameterSpace"):
        home = audited.descent if name == "ReferenceSpace" else audited.parameter_space
        space = getattr(home, name)(theta, problem.X, problem.y, True)
        space.evaluate()
        space.move(problem.eta)
        step = [-problem.eta * dW for dW in problem.gradient]
        yield (
            f"{name}: a step is -eta times the complex step",
            max(worst(new - old, b) for new, old, b in zip(space.parameters(), theta, step)),
            STEP,
        )


def check_stop(audited, problem):
    """A run ends at the first loss <= epsilon, or at max_steps; losses[t] is the loss before step t. Counted
    on a made-up space.
    """
    levels = [0.9, 0.5, 0.25, 0.1, 0.05]

    class Ladder:
        at, steps = 0, []

        def evaluate(self):
            return levels[self.at]

        def move(self, eta):
            self.at += 1
            self.steps.append(eta)

    wrong = 0
    for epsilon, most, count in ((0.25, 9, 2), (0.1, 9, 3), (1e-3, 3, 3), (0.9, 9, 0)):
        space = Ladder()
        losses, taken, converged, _ = audited.descent.descend(space, eta=0.1, epsilon=epsilon, max_steps=most)
        wrong += (
            taken != count
            or space.at != count
            or list(losses) != levels[: count + 1]
            or converged != (levels[count] <= epsilon)
        )
    yield "descend: stops at the first loss <= epsilon or at max_steps", float(wrong), 0.0


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
    )


ROWS = [
    _row(1, 0, "sum_n g_n X_n^T D_n X_n W_K, g_n = y_n ell'_n / N"),
    _row(2, 1, "sum_n g_n X_n^T D_n^T X_n W_Q"),
    _row(3, 2, "sum_n g_n X_n^T a_n w_O^T, a_n = (1/M) S_n^T 1"),
    _row(4, 3, "sum_n g_n W_V^T X_n^T a_n"),
    Row(
        "GD",
        "theta(t+1) = theta(t) - eta grad L_S(theta(t)), full batch, until L_S <= epsilon; w_O fixed or trained",
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
