"""Gradient descent at the limits of a Setting that says where it is, and can be killed and resumed."""

import hashlib

import numpy as np

from ..runtime.resume import versions
from .records import History, Record, descend


def digest_of(*arrays):
    """A digest of the bits of arrays."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array))
    return whole.hexdigest()[:32]


def what_decides(s, record_every, **rest):
    """What decides the numbers of a run, by name."""
    steps = np.asarray(record_every).tolist() if record_every is not None else None
    return {**versions(), **s.values(), "record_every": steps, **rest}


def kept(space, history):
    """{name: array} of the state of a space and of what its run has seen."""
    arrays = {"losses": np.array(history.losses), "converged": np.array(history.converged)}
    arrays["last"] = np.array(-1 if history.last is None else history.last)
    for name in space.STATE:
        value = getattr(space, name)
        parts = value if isinstance(value, tuple) else [value]
        arrays |= {f"state.{name}.{i}": part for i, part in enumerate(parts)}
    for name in Record._fields[:-1] if history.records else ():
        arrays[f"records.{name}"] = np.array([getattr(record, name) for record in history.records])
    return arrays


def restored(space, arrays):
    """The History kept in `arrays`; the state goes back to the space."""
    for name in space.STATE:
        value = getattr(space, name)
        if isinstance(value, tuple):
            setattr(space, name, type(value)(*(arrays[f"state.{name}.{i}"] for i in range(len(value)))))
        else:
            setattr(space, name, arrays[f"state.{name}.0"])
    columns = [arrays[f"records.{name}"] for name in Record._fields[:-1] if f"records.{name}" in arrays]
    records = [Record(int(step), *rest, None) for step, *rest in zip(*columns)]
    last = int(arrays["last"])
    ends = None if last < 0 else last
    return History(arrays["losses"].tolist(), bool(arrays["converged"]), ends, records)


def descend_at(space, s, report, *, record_every=None, observe=None, checkpoint=None):
    """`descend` in `space` at s.eta, s.epsilon, s.max_steps and s.extra_steps. report(done, total, loss) is
    called after each step; checkpoint: a Checkpoint, whose file is resumed and kept.
    """
    history = restored(space, checkpoint.found) if checkpoint and checkpoint.found else History()

    def after_step(history):
        step = len(history.losses) - 1
        report(step, s.max_steps, history.losses[-1])
        if checkpoint and (
            checkpoint.due() or step == (s.max_steps if history.last is None else history.last)
        ):
            checkpoint.save(kept(space, history))

    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told by its loss
        return descend(
            space,
            eta=s.eta,
            epsilon=s.epsilon,
            max_steps=s.max_steps,
            extra_steps=s.extra_steps,
            record_every=record_every,
            observe=observe,
            history=history,
            after_step=after_step,
        )
