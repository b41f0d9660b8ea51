"""R1-R4: what a run records, which engine and backend ran, that nothing it gives back is shared, and the
steps taken after epsilon.
"""

from itertools import pairwise

import numpy as np

from .. import literal
from ..core import Row, relative_residual
from ..problems import GENERIC, INITIAL, MIXED, WIDE
from .gradient import STEP, TWINS, settings

EXACT = 1e-9


def check_R1(audited, problem):
    """At which steps records are kept, and that each holds the tokens as they are before that step."""
    thetas = [problem.path(t, False)[1] for t in range(4)]
    kept = {2: [0, 2, 3], 1: [0, 1, 2, 3], (1,): [1, 3], (0, 2): [0, 2, 3]}
    for engine, backend in TWINS:
        s, data, start = settings(audited, problem, 3)
        for every, steps in kept.items():
            every = list(every) if isinstance(every, tuple) else every
            options = dict(engine=engine, backend=backend, record_every=every, observe=lambda theta: theta)
            run = audited.api.train(s, data, start, **options)
            wrong = [record.step for record in run.records] != steps
            yield f"{engine}, {backend}: steps recorded with record_every={every}", float(wrong), 0.0
        for record in run.records:
            theta = thetas[record.step]
            P, c = literal.logits(theta, problem.X), literal.values(theta, problem.X)
            S = literal.softmax(P)
            pairs = [(record.logits, P), (record.attention - 1 / P.shape[1], S - 1 / P.shape[1]),
                     (record.values, c), (record.outputs, literal.outputs(theta, problem.X))]  # fmt: skip
            pairs += [(a, b) for a, b in zip(record.observed[:3], theta[:3])]
            yield (
                f"{engine}, {backend}: a record at its step, by complex step",
                max(relative_residual(a, b) for a, b in pairs),
                EXACT,
            )


def homes(audited):
    """The space of each engine and backend, from its own file."""
    return {
        ("parameters", "numpy"): audited.descent.ReferenceSpace,
        ("parameters", "numba"): audited.parameter_space.ParameterSpace,
        ("proof", "numpy"): audited.proof.ReferenceProofSpace.of,
        ("proof", "numba"): audited.proof_space.ProofSpace.of,
    }


def check_R2(audited, problem):
    """A run has the bits of its own space, driven here, and names it; "auto" takes the one that multiplies
    less.
    """
    for asked, space_of in homes(audited).items():
        s, data, start = settings(audited, problem, 3)
        space = space_of(start, problem.X, problem.y, True)
        losses = []
        for _ in range(3):
            losses.append(space.evaluate())
            space.move(s.eta)
        run = audited.api.train(s, data, start, engine=asked[0], backend=asked[1], train_w_O=True)
        other = sum((a != b).any() for a, b in zip(run.parameters, space.parameters()))
        other += list(run.losses[:3]) != [float(loss) for loss in losses]
        yield f"{', '.join(asked)}: the bits of its own space", float(other), 0.0
        yield f"{', '.join(asked)}: named as asked", float((run.engine, run.backend) != asked), 0.0
    rng = problem.rng(70)
    for d, engine in ((400, "proof"), (3, "parameters")):
        s = audited.setting.Setting(N=4, M=4, d=d, d_h=3, d_v=2, max_steps=100, epsilon=1e-9)
        s = s.replace(max_steps=100 if engine == "proof" else 1)
        theta = [rng.standard_normal(shape) / d for shape in ((d, 3), (d, 3), (d, 2), (2,))]
        X, y = rng.standard_normal((4, 4, d)), np.array([1.0, -1.0, 1.0, -1.0])
        run = audited.api.train(
            s, audited.data.Dataset(X, y, X[0, 0], X[0, 0]), audited.model.Parameters(*theta)
        )
        yield (
            f"auto: d = {d}, {s.max_steps} steps",
            float((run.engine, run.backend) != (engine, "numba")),
            0.0,
        )


def check_R3(audited, problem):
    """Arrays given back share no memory with what was given, nor with each other; what was given stays."""
    for engine, backend in TWINS:
        for train_w_O in (False, True):
            s, data, start = settings(audited, problem, 2)
            given = [array.copy() for array in (*start, data.X, data.y)]
            options = dict(engine=engine, backend=backend, train_w_O=train_w_O, record_every=1)
            run = audited.api.train(s, data, start, **options)
            records = [
                getattr(r, name) for r in run.records for name in ("logits", "attention", "values", "outputs")
            ]
            back = [*run.parameters, run.losses, *records]
            shared = sum(np.shares_memory(a, b) for a in back for b in (*start, data.X, data.y))
            shared += sum(np.shares_memory(a, b) for k, a in enumerate(back) for b in back[:k])
            name = f"{engine}, {backend}, w_O {'trained' if train_w_O else 'fixed'}"
            yield f"{name}: arrays given back that share memory", float(shared), 0.0
            changed = sum((a != b).any() for a, b in zip((*start, data.X, data.y), given))
            yield f"{name}: arrays given that were changed", float(changed), 0.0


def check_R4(audited, problem):
    """extra_steps after the first loss <= epsilon, in every engine, in law and in the limit: as many, counted
    in steps and losses, at most max_steps in all; the parameters are those after them.
    """
    for engine, backend in TWINS:
        s, data, start = settings(audited, problem, 4)
        twin = dict(engine=engine, backend=backend)
        full = audited.api.train(s, data, start, **twin)
        yield from extra(
            f"{engine}, {backend}",
            s,
            full,
            lambda s, data=data, start=start, twin=twin: audited.api.train(s, data, start, **twin),
        )
        s = s.replace(epsilon=full.losses[1], extra_steps=1, max_steps=4)
        short = audited.api.train(s.replace(extra_steps=0, epsilon=full.losses[2]), data, start, **twin)
        longer = audited.api.train(s, data, start, **twin).parameters
        yield (
            f"{engine}, {backend}: parameters after the extra step",
            max(relative_residual(a - c, b - c) for a, b, c in zip(longer[:3], short.parameters, start)),
            STEP,
        )
    s = audited.setting.Setting(N=4, M=4, d=30, d_h=3, d_v=1, max_steps=6, epsilon=1e-9, snr=20.0)
    law = lambda s: audited.law.train_in_law(s, audited.data.make_rng(problem.seed, (71,)))  # noqa: E731
    yield from extra("in law", s, law(s), law)
    for backend in ("numpy", "numba"):
        limit = lambda s, backend=backend: audited.limit_run.train_in_limit(s, backend=backend)  # noqa: E731
        yield from extra(f"limit, {backend}", s, limit(s), limit)


def extra(name, s, full, train):
    """(route, count of wrong numbers, 0): runs that reach epsilon at step 1, with extra steps."""
    falls = all(a > b for a, b in pairwise(full.losses))
    epsilon = (full.losses[0] + full.losses[1]) / 2 if falls else np.nan
    for extra_steps, most, steps in ((0, 3, 1), (1, 3, 2), (2, 3, 3), (5, 3, 3)):
        run = train(s.replace(epsilon=epsilon, extra_steps=extra_steps, max_steps=most))
        wrong = (run.steps != steps) + (len(run.losses) != steps + 1) + (run.converged is not True)
        wrong += list(run.losses) != list(full.losses[: steps + 1])
        yield f"{name}: {extra_steps} extra steps, at most {most}", float(wrong), 0.0


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
        check_R1,
        "",
        *SCALES,
    ),
    Row(
        "R2",
        'a run is that of the engine and backend asked for; engine "auto" multiplies least',
        "none: the engines",
        "[C]",
        ("api.py:train", "engines/cost.py:cheaper"),
        check_R2,
        "",
        *SCALES,
    ),
    Row(
        "R3",
        "what is given back is shared with nothing, and what was given stays as it was",
        "none: the engines",
        "[C]",
        ("api.py:train",),
        check_R3,
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
        check_R4,
        "",
        (GENERIC,),
        (MIXED,),
    ),
]
