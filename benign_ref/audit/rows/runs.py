"""R1-R4: what a run records, which engine and backend ran, that nothing it gives back is shared, and the
steps taken after epsilon.
"""

from functools import partial

import numpy as np

from .. import literal
from ..core import Row, worst
from ..problems import GENERIC, INITIAL, MIXED, WIDE
from .gradient import STEP, TWINS, WAYS, settings

EXACT = 1e-9


def _R1(audited, problem):
    """At which steps records are kept, and that each holds the tokens as they are before that step."""
    _, thetas = problem.path(3, False)
    for engine, backend in TWINS:
        given = settings(audited, problem, 3)
        for every, steps in ((2, [0, 2, 3]), (1, [0, 1, 2, 3]), ([1], [1, 3]), ([0, 2], [0, 2, 3])):
            options = dict(record_every=every, observe=lambda theta: theta)
            run = audited.api.train(*given, engine=engine, backend=backend, **options)
            yield (
                f"{engine}, {backend}: steps recorded with record_every={every}",
                float([record.step for record in run.records] != steps),
                0.0,
            )
        for record in run.records:
            theta = thetas[record.step]
            P, M = literal.logits(theta, problem.X), problem.X.shape[1]
            own = P, literal.softmax(P) - 1 / M, literal.values(theta, problem.X)
            own += literal.outputs(theta, problem.X), *theta[:3]
            got = record.logits, record.attention - 1 / M, record.values, record.outputs
            yield (
                f"{engine}, {backend}: a record at its step, by complex step",
                worst((*got, *record.observed[:3]), own),
                EXACT,
            )


def _R2(audited, problem):
    """A run has the bits of its own space, driven here, and names it; "auto" takes the one that multiplies
    less.
    """
    spaces = (
        audited.descent.ReferenceSpace,
        audited.parameter_space.ParameterSpace,
        audited.proof.ReferenceProofSpace.of,
        audited.proof_space.ProofSpace.of,
    )
    for asked, space_of in zip(TWINS, spaces):
        s, data, start = settings(audited, problem, 3)
        space, losses = space_of(start, problem.X, problem.y, True), []
        for _ in range(3):
            losses.append(float(space.evaluate()))
            space.move(s.eta)
        run = audited.api.train(s, data, start, engine=asked[0], backend=asked[1], train_w_O=True)
        other = sum((a != b).any() for a, b in zip(run.parameters, space.parameters()))
        other += list(run.losses[:3]) != losses
        yield f"{', '.join(asked)}: the bits of its own space", float(other), 0.0
        yield f"{', '.join(asked)}: named as asked", float((run.engine, run.backend) != asked), 0.0
    rng = problem.rng(70)
    for d, steps, engine in ((400, 100, "proof"), (3, 1, "parameters")):
        s = audited.setting.Setting(N=4, M=4, d=d, d_h=3, d_v=2, max_steps=steps, epsilon=1e-9)
        theta = [rng.standard_normal(shape) / d for shape in ((d, 3), (d, 3), (d, 2), (2,))]
        X, y = rng.standard_normal((4, 4, d)), np.array([1.0, -1.0, 1.0, -1.0])
        data = audited.data.Dataset(X, y, X[0, 0], X[0, 0])
        run = audited.api.train(s, data, audited.model.Parameters(*theta))
        yield (f"auto: d = {d}, {steps} steps", float((run.engine, run.backend) != (engine, "numba")), 0.0)


def _R3(audited, problem):
    """Arrays given back share no memory with what was given, nor with each other; what was given stays."""
    for options, name, _ in WAYS:
        s, data, start = settings(audited, problem, 2)
        given = *start, data.X, data.y
        kept, run = (
            [array.copy() for array in given],
            audited.api.train(s, data, start, **options, record_every=1),
        )
        back = [*run.parameters, run.losses]
        for record in run.records:
            back += [record.logits, record.attention, record.values, record.outputs]
        shared = sum(np.shares_memory(a, b) for a in back for b in given)
        shared += sum(np.shares_memory(a, b) for k, a in enumerate(back) for b in back[:k])
        changed = sum((a != b).any() for a, b in zip(given, kept))
        yield f"{name}: arrays given back that share memory", float(shared), 0.0
        yield f"{name}: arrays given that were changed", float(changed), 0.0


def _R4(audited, problem):
    """extra_steps after the first loss <= epsilon, in every engine, in law and in the limit: as many, counted
    in steps and losses, at most max_steps in all; the parameters are those after them.
    """
    s, data, start = settings(audited, problem, 4)
    for engine, backend in TWINS:
        train = partial(audited.api.train, data=data, theta=start, engine=engine, backend=backend)
        losses = yield from _extra(f"{engine}, {backend}", s, train)
        longer = train(s.replace(epsilon=losses[1], extra_steps=1, max_steps=4)).parameters
        short = train(s.replace(epsilon=losses[2])).parameters
        moved = ([W - W_0 for W, W_0 in zip(theta[:3], start)] for theta in (longer, short))
        yield f"{engine}, {backend}: parameters after the extra step", worst(*moved), STEP
    s = audited.setting.Setting(N=4, M=4, d=30, d_h=3, d_v=1, max_steps=6, epsilon=1e-9, snr=20.0)
    law = lambda s: audited.law.train_in_law(s, audited.data.make_rng(problem.seed, (71,)))  # noqa: E731
    yield from _extra("in law", s, law)
    for backend in ("numpy", "numba"):
        yield from _extra(f"limit, {backend}", s, partial(audited.limit_run.train_in_limit, backend=backend))


def _extra(name, s, train):
    """(route, count of wrong numbers, 0): runs that reach epsilon at step 1, with extra steps. Returns the
    losses without.
    """
    losses = train(s).losses
    epsilon = (losses[0] + losses[1]) / 2 if (np.diff(losses) < 0).all() else np.nan
    for extra_steps, most, steps in ((0, 3, 1), (1, 3, 2), (2, 3, 3), (5, 3, 3)):
        run = train(s.replace(epsilon=epsilon, extra_steps=extra_steps, max_steps=most))
        wrong = (run.steps != steps) + (len(run.losses) != steps + 1) + (run.converged is not True)
        wrong += list(run.losses) != list(losses[: steps + 1])
        yield f"{name}: {extra_steps} extra steps, at most {most}", float(wrong), 0.0
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
