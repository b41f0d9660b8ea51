"""R1-R4: what a run records, which engine and backend ran, that nothing it gives back is shared, and the
steps taken after epsilon.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import literal
from ..core import Row, within, worst
from ..problems import GENERIC, INITIAL, MIXED, WIDE
from .gradient import STEP, TWINS, WAYS, settings

EXACT = 1e-9


def _R1(audited, problem):
    """At which steps records are kept, and that each holds the tokens as they are before that step."""
    given, (_, thetas), X = settings(audited, problem, 3), problem.path(3, False), problem.X
    base = 1 / X.shape[1]
    for name, twin in TWINS.items():
        for every, steps in ((2, [0, 2, 3]), (1, [0, 1, 2, 3]), ([1], [1, 3]), ([0, 2], [0, 2, 3])):
            run = audited.api.train(*given, **twin, record_every=every, observe=lambda theta: theta)
            other = [record.step for record in run.records] != steps
            yield f"{name}: steps recorded with record_every={every}", other, 0.0
        for step, P, S, c, f, observed in run.records:
            theta = thetas[step]
            own_P = literal.logits(theta, X)
            own = own_P, literal.softmax(own_P) - base, literal.values(theta, X), literal.outputs(theta, X)
            residual = worst((P, S - base, c, f, *observed[:3]), (*own, *theta[:3]))
            yield f"{name}: a record at its step, by complex step", residual, EXACT


def _R2(audited, problem):
    """A run has the bits of its own space, driven here, and names it; "auto" takes the one that multiplies
    less.
    """
    s, data, start = settings(audited, problem, 3)
    spaces = (
        audited.descent.ReferenceSpace,
        audited.parameter_space.ParameterSpace,
        audited.proof.ReferenceProofSpace.of,
        audited.proof_space.ProofSpace.of,
    )
    for (name, twin), space_of in zip(TWINS.items(), spaces):
        space, losses = space_of(start, problem.X, problem.y, True), []
        for _ in range(3):
            losses.append(float(space.evaluate()))
            space.move(s.eta)
        run = audited.api.train(s, data, start, **twin, train_w_O=True)
        pairs = *zip(run.parameters, space.parameters()), (run.losses[:3], np.array(losses))
        yield from within({
            f"{name}: the bits of its own space": sum((a != b).any() for a, b in pairs),
            f"{name}: named as asked": f"{run.engine}, {run.backend}" != name,
        }, 0.0)  # fmt: skip
    rng = problem.rng(70)
    for d, steps, engine in ((400, 100, "proof"), (3, 1, "parameters")):
        theta = tuple(rng.standard_normal(shape) / d for shape in ((d, 3), (d, 3), (d, 2), (2,)))
        X, y = rng.standard_normal((4, 4, d)), np.array([1.0, -1.0, 1.0, -1.0])
        run = audited.api.train(*settings(audited, replace(problem, theta=theta, X=X, y=y), steps))
        yield f"auto: d = {d}, {steps} steps", (run.engine, run.backend) != (engine, "numba"), 0.0


def _R3(audited, problem):
    """Arrays given back share no memory with what was given, nor with each other; what was given stays."""
    for options, name, _ in WAYS:
        s, data, start = settings(audited, problem, 2)
        given = *start, data.X, data.y
        kept = [array.copy() for array in given]
        run = audited.api.train(s, data, start, **options, record_every=1)
        recorded = (array for record in run.records for array in record[1:5])
        back = [*run.parameters, run.losses, *recorded]
        yield from within({
            f"{name}: arrays given back that share memory": sum(
                np.shares_memory(a, b) for k, a in enumerate(back) for b in (*given, *back[:k])),
            f"{name}: arrays given that were changed": sum((a != b).any() for a, b in zip(given, kept)),
        }, 0.0)  # fmt: skip


def _R4(audited, problem):
    """extra_steps after the first loss <= epsilon, in every engine, in law and in the limit: as many, counted
    in steps and losses, at most max_steps in all; the parameters are those after them.
    """
    s, data, start = settings(audited, problem, 4)
    for name, twin in TWINS.items():
        train = partial(audited.api.train, data=data, theta=start, **twin)
        losses = yield from _extra(name, s, train)
        longer = train(s.replace(epsilon=losses[1], extra_steps=1, max_steps=4)).parameters
        short = train(s.replace(epsilon=losses[2])).parameters
        moved = ([W - W_0 for W, W_0 in zip(theta[:3], start)] for theta in (longer, short))
        yield f"{name}: parameters after the extra step", worst(*moved), STEP
    s = audited.setting.Setting(N=4, M=4, d=30, d_h=3, d_v=1, max_steps=6, epsilon=1e-9, snr=20.0)
    for name, train in {
        "in law": lambda s: audited.law.train_in_law(s, audited.data.make_rng(problem.seed, (71,))),
        "limit, numpy": partial(audited.limit_run.train_in_limit, backend="numpy"),
        "limit, numba": partial(audited.limit_run.train_in_limit, backend="numba"),
    }.items():
        yield from _extra(name, s, train)


def _extra(name, s, train):
    """(route, whether a number is wrong, 0): runs that reach epsilon at step 1, with extra steps. Returns the
    losses without.
    """
    losses = train(s).losses
    epsilon = (losses[0] + losses[1]) / 2 if (np.diff(losses) < 0).all() else np.nan
    for extra_steps, most, steps in ((0, 3, 1), (1, 3, 2), (2, 3, 3), (5, 3, 3)):
        run = train(s.replace(epsilon=epsilon, extra_steps=extra_steps, max_steps=most))
        wrong = run.steps != steps or run.converged is not True or [*run.losses] != [*losses[: steps + 1]]
        yield f"{name}: {extra_steps} extra steps, at most {most}", wrong, 0.0
    return losses


SCALES = (GENERIC, INITIAL), (MIXED, WIDE)
ROWS = [
    Row(
        "R1",
        "a record at step t holds P, S, c, f of theta(t), before the step; kept at the steps asked for "
        "and at the "
        "last",
        "training dynamics",
        "[C]",
        (
            "engines/records.py:make_record",
            "engines/records.py:steps_to_record",
            "paper/descent.py:descend",
            "api.py:train",
        ),
        _R1,
        "",
        *SCALES,
    ),
    Row(
        "R2",
        'a run is that of the engine and backend asked for; engine "auto" multiplies least',
        "none: the engines",
        "[C]",
        ("api.py:train", "engines/cost.py:cheaper"),
        _R2,
        "",
        *SCALES,
    ),
    Row(
        "R3",
        "what is given back is shared with nothing, and what was given stays as it was",
        "none: the engines",
        "[C]",
        ("api.py:train",),
        _R3,
        "",
        *SCALES,
    ),
    Row(
        "R4",
        "extra_steps more after the first L_S <= epsilon, at most max_steps in all",
        "Figure 1's protocol",
        "[A]",
        (
            "paper/descent.py:descend",
            "api.py:train",
            "derived/law.py:train_in_law",
            "derived/limit_run.py:train_in_limit",
        ),
        _R4,
        "",
        (GENERIC,),
        (MIXED,),
    ),
]
