"""What a record of values and a stream of randomness need around their mathematics: names and seeds checked,
defaults derived by rules that are shown, everything printed with where it is from.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import fields
from math import ceil, inf, isfinite, sqrt
from typing import Any, ClassVar, TypeVar

import numpy as np

from . import validate

Self = TypeVar("Self", bound="Checked")


class Checked:
    """The base of a frozen dataclass whose values may be derived from one another.

    RULES: {name: (an expression in the other values, which is shown and evaluated, its mark)}. sources: where
    a value that was given is from, by name; those without are derived.
    """

    RULES: ClassVar[Mapping[str, tuple[str, str]]] = {}
    sources: Mapping[str, str]

    def __new__(cls: type[Self], **values: Any) -> Self:
        validate.names(cls.__name__, values, cls)
        return super().__new__(cls)

    def _store(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the dataclass is frozen

    def _derived(self, name: str, blamed: tuple[str, ...], **more: Any) -> Any:
        """The value of a rule; `more`: names in it that are no values. ValueError, which shows the values
        `blamed`, if it is no finite number > 0.
        """
        rule, _ = self.RULES[name]
        try:
            value = eval(rule, {"sqrt": sqrt, "ceil": ceil, **more}, vars(self))  # a constant text of RULES
        except (OverflowError, ZeroDivisionError):
            value = inf
        if not (isfinite(value) and value > 0):
            at = ", ".join(f"{other}={getattr(self, other)!r}" for other in blamed)
            raise ValueError(
                f"{name} cannot be derived as {rule}: it would be {value!r} at {at}; give {name}"
            )
        return value

    def values(self) -> dict[str, Any]:
        """Every value by name, derived ones included."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}  # type: ignore[arg-type]

    def replace(self: Self, **changes: Any) -> Self:
        """The same with some values changed; every default that was not set by hand is derived afresh. None
        derives one that was. Raises TypeError for an unknown name, else as the class itself.
        """
        validate.names("replace", changes, type(self))
        kept = {n: v for n, v in self.values().items() if n in self.sources or n not in self.RULES}
        sources = {name: source for name, source in self.sources.items() if name not in changes}
        return type(self)(**{**kept, **changes}).with_sources(sources)

    def with_sources(self: Self, sources: Mapping[str, str]) -> Self:
        """The same, with where its values are from, by name; shown by print, kept by `replace`."""
        same = copy(self)
        same._store("sources", {**self.sources, **sources})
        return same

    def _text(self, more: list[tuple[str, Any, str]]) -> str:
        """Every value on a line with its source or its rule, then the rows (name, value, note) of `more`."""
        rules = {name: f"= {rule}  {mark}" for name, (rule, mark) in self.RULES.items()}
        notes = {**dict.fromkeys(self.values(), ""), **rules, **self.sources}
        rows = [(name, value, notes[name]) for name, value in self.values().items()] + more
        lines = [f"  {n:<11} {f'{v:.6g}' if isinstance(v, float) else v!s:<12} {note}" for n, v, note in rows]
        return "\n".join([type(self).__name__, *(line.rstrip() for line in lines)])


def make_rng(seed: int, spawn_key: Sequence[int] = ()) -> np.random.Generator:
    """A numpy Generator from an integer seed >= 0, or from a child of it: `SeedSequence(entropy=seed,
    spawn_key=spawn_key)`.

    Different spawn keys (tuples of integers >= 0) give independent streams. Raises TypeError or ValueError.
    """
    seed = validate.integer("seed", seed, 0)
    if not isinstance(spawn_key, (tuple, list)):
        raise TypeError(f"spawn_key must be a tuple of integers >= 0, got {spawn_key!r}")
    key = tuple(validate.integer("spawn_key", k, 0) for k in spawn_key)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


class DivergenceError(ArithmeticError):
    """A training loss that is not finite. Attributes: step, eta, loss."""

    def __init__(self, step: int, eta: float, loss: float) -> None:
        super().__init__(
            f"training diverged: the loss is {loss} at step {step} with eta={eta:g}; a smaller eta may help"
        )
        self.step, self.eta, self.loss = step, eta, loss

    def __reduce__(self) -> tuple:  # so that a worker process can hand it over
        return type(self), (self.step, self.eta, self.loss)
