"""What a run of gradient descent leaves behind: its losses, records of the steps asked for, and a file from
which it goes on if it was killed.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import validate
from ..paper import descent
from ..paper.descent import Space
from ..paper.model import softmax
from ..paper.setting import Setting
from ..runtime.progress import reporting
from ..runtime.resume import versions
from ..runtime.store import Checkpoint


class Record(NamedTuple):
    """The training set as the model sees it before step `step`.

    logits P (N,M,M), P[n,l,j] = <q_l, k_j>; attention S (N,M,M); values c (N,M), c[n,l] = x_l W_V w_O;
    outputs f (N,); observed: what the caller's `observe` gave, or None.
    """

    step: int
    logits: np.ndarray
    attention: np.ndarray
    values: np.ndarray
    outputs: np.ndarray
    observed: Any


def steps_to_record(record_every: int | Sequence[int] | None) -> Callable[[int], bool]:
    """A predicate on the step. None: never; an integer k >= 1: steps 0, k, 2k, …; a sequence of integers >=
    0: those steps.
    """
    if record_every is None:
        return lambda step: False
    chosen = validate.steps("record_every", record_every)
    if isinstance(chosen, int):
        return lambda step: step % chosen == 0
    return frozenset(chosen).__contains__


def make_record(space: Space, step: int, observe: Callable[[Any], Any] | None) -> Record:
    """The Record of a space at its present point."""
    rows, index = space.tokens()
    d_h = rows.shape[1] // 2
    q, k, values = rows[index, :d_h], rows[index, d_h:-1], rows[index, -1]  # (N,M,d_h) twice, (N,M)
    P = q @ k.swapaxes(1, 2)  # (N,M,M)
    S = softmax(P)
    f = (S @ values[..., None]).reshape(values.shape).mean(axis=1)
    return Record(step, P, S, values, f, observe(space) if observe else None)


@dataclass
class History(descent.History):
    """What a run has seen so far: a History with records."""

    records: list[Record] = field(default_factory=list)


def descend(
    space: Space,
    *,
    record_every: int | Sequence[int] | None = None,
    observe: Callable[[Any], Any] | None = None,
    history: History | None = None,
    **how: Any,
) -> tuple[np.ndarray, int, bool, list[Record]]:
    """GD in `space` as paper/descent.py:descend runs it. Returns (losses, steps, converged, records).

    how: eta, epsilon, max_steps, extra_steps, after_step. Recorded are the steps that `record_every` names
    and the last one. history: of a run that goes on.
    """
    wanted, history = steps_to_record(record_every), history or History()

    def before_step(step: int, ends: bool) -> None:
        if wanted(step) or (ends and record_every is not None):
            history.records.append(make_record(space, step, observe))

    descent.descend(space, history=history, before_step=before_step, **how)
    return np.array(history.losses), len(history.losses) - 1, history.converged, history.records


def digest_of(*arrays: np.ndarray) -> str:
    """A digest of the bits of arrays."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array))
    return whole.hexdigest()[:32]


def kept(space: Any, history: History) -> dict[str, np.ndarray]:
    """{name: array} of the state of a space and of what its run has seen."""
    arrays = {
        "losses": np.array(history.losses),
        "converged": np.array(history.converged),
        "last": np.array(-1 if history.last is None else history.last),
    }
    for name in space.STATE:
        value = getattr(space, name)
        parts = value if isinstance(value, tuple) else [value]
        arrays |= {f"state.{name}.{i}": part for i, part in enumerate(parts)}
    for name in Record._fields[:-1] if history.records else ():
        arrays[f"records.{name}"] = np.array([getattr(record, name) for record in history.records])
    return arrays


def restored(space: Any, arrays: dict[str, np.ndarray]) -> History:
    """The History kept in `arrays`; the state goes back to the space."""
    for name in space.STATE:
        value = getattr(space, name)
        parts = [array for key, array in arrays.items() if key.startswith(f"state.{name}.")]
        setattr(space, name, type(value)(*parts) if isinstance(value, tuple) else parts[0])
    columns = [arrays[f"records.{name}"] for name in Record._fields[:-1] if f"records.{name}" in arrays]
    records = [Record(int(step), *rest, None) for step, *rest in zip(*columns)]
    last = int(arrays["last"])
    return History(arrays["losses"].tolist(), bool(arrays["converged"]), None if last < 0 else last, records)


def descend_at(
    s: Setting,
    make_space: Callable[[], Any],
    *,
    name: str,
    decides: Callable[[], dict[str, Any]],
    of: str,
    seen: Callable[[Any], Any],
    observe: Callable[[Any], Any] | None,
    record_every: int | Sequence[int] | None,
    progress: bool | Callable[[int, int, float], Any] | None,
    checkpoint: str | Path | None,
) -> tuple[Any, np.ndarray, int, bool, list[Record]]:
    """`descend` at s.eta, s.epsilon, s.max_steps and s.extra_steps in the space that make_space() gives.
    Returns (space, losses, steps, converged, records).

    progress: told under this name after each step (see `reporting`). observe: called with seen(space), named
    `of` in messages. checkpoint: a file that is resumed and kept (None: none); decides(): what decides the
    numbers of the run, by name, besides s and record_every. Raises TypeError or ValueError, before any work,
    for what cannot be, or does not go together, and as Checkpoint does.
    """
    validate.require(
        observe is None or (record_every is not None and callable(observe)),
        f"observe must be a function of {of}, given together with record_every, got "
        f"{validate.shown(observe)}, record_every={validate.shown(record_every)}",
        TypeError,
    )
    validate.require(
        observe is None or checkpoint is None,
        "checkpoint must be None when observe is given: what it gives cannot be kept",
    )
    steps_to_record(record_every)
    with reporting(progress, name, "steps, loss {value:.3g}") as report:
        file = None
        if checkpoint is not None:
            steps = None if record_every is None else np.asarray(record_every).tolist()
            file = Checkpoint(checkpoint, {**versions(), **s.values(), "record_every": steps, **decides()})
        space = make_space()
        history = restored(space, file.found) if file and file.found else History()

        def after_step() -> None:
            step = len(history.losses) - 1
            report(step, s.max_steps, history.losses[-1])
            if file and (file.due() or step == (s.max_steps if history.last is None else history.last)):
                file.save(kept(space, history))

        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told by its loss
            return space, *descend(
                space,
                eta=s.eta,
                epsilon=s.epsilon,
                max_steps=s.max_steps,
                extra_steps=s.extra_steps,
                record_every=record_every,
                observe=observe and (lambda space: observe(seen(space))),
                history=history,
                after_step=after_step,
            )
