"""What a run of gradient descent leaves behind: its losses, and records of the steps asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .. import validate
from ..paper import descent
from ..paper.descent import Space
from ..paper.model import softmax


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
