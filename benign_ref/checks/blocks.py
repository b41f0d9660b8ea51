"""What both checkers share: the named arrays that they take, a dict or NamedTuple, unpacked and packed again;
and the table that they give back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..validate import require

Unpacked = tuple[Callable[[dict[str, np.ndarray]], Any], dict[str, np.ndarray]]


def unpack(what: str, blocks: Any) -> Unpacked:
    """(pack, dict of float64 arrays) of a dict or NamedTuple; pack(dict) gives the caller's type back.

    TypeError for another type and for arrays that are not float64, ValueError for empty ones; what: its name.
    """
    pack, arrays = split(what, blocks)
    for name, a in arrays.items():
        refuse_rough(f"{what}[{name!r}]", a)
        require(a.dtype == np.float64, f"{what}[{name!r}] must be real, got {a.dtype}", TypeError)
        require(a.size > 0, f"{what}[{name!r}] must have entries, got shape {a.shape}")
    return pack, arrays


def split(what: str, blocks: Any) -> Unpacked:
    """As `unpack`, whatever the entries are."""
    if isinstance(blocks, tuple) and hasattr(blocks, "_fields"):
        kind: Any = type(blocks)
        return lambda arrays: kind(**arrays), {k: np.asarray(a) for k, a in zip(kind._fields, blocks)}
    if isinstance(blocks, dict):
        return dict, {name: np.asarray(a) for name, a in blocks.items()}
    raise TypeError(f"{what} must be a dict or NamedTuple of arrays, got {type(blocks).__name__}")


def subject(
    f: Any, grad: Any, point: Any, blocks: list[str] | None
) -> tuple[Callable[[dict[str, np.ndarray]], Any], dict[str, np.ndarray], list[str]]:
    """(pack, arrays, names): the point as named arrays, and which of them to check, from the arguments of
    both checkers (blocks None: all).

    TypeError for an f or grad that is no function, for what `unpack` refuses and for no list of names;
    ValueError for other names, for a point without blocks and for what is not finite.
    """
    for what, given in (("f", f), ("grad", grad)):
        require(callable(given), f"{what} must be a function of the point, got {given!r}", TypeError)
    pack, arrays = unpack("point", point)
    require(len(arrays) > 0, "point must have blocks, got none")
    names = list(arrays) if blocks is None else blocks
    listed = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    require(listed, f"blocks must be a list of names, got {blocks!r}", TypeError)
    known = names and all(name in arrays for name in names)
    require(known, f"blocks must name some of {', '.join(arrays)}, got {blocks!r}")
    for name, a in arrays.items():
        if not np.isfinite(a).all():
            raise ValueError(f"point[{name!r}] must be finite, got {a[~np.isfinite(a)][0]}")
    return pack, arrays, list(names)


def claims(
    claimed: dict[str, np.ndarray], arrays: dict[str, np.ndarray], names: list[str]
) -> dict[str, np.ndarray]:
    """The claimed gradients; ValueError for names and shapes other than the point's."""
    for name in names:
        if name not in claimed or claimed[name].shape != arrays[name].shape:
            got = f"shape {claimed[name].shape}" if name in claimed else f"only {', '.join(claimed)}"
            raise ValueError(
                f"grad(point)[{name!r}] must have the shape {arrays[name].shape} of the point, got {got}"
            )
    return claimed


def copies(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays, for a function that may write into them."""
    return {name: a.copy() for name, a in arrays.items()}


def refuse_rough(what: str, a: np.ndarray) -> None:
    """TypeError unless the array is in double precision, real or complex."""
    if a.dtype not in (np.float64, np.complex128):
        rounding = ""
        if a.dtype.kind in "fc":
            rounding = f", whose rounding of {np.finfo(a.dtype).eps:.1e} would hide wrong terms"
        raise TypeError(f"{what} must be float64 (double precision), got {a.dtype}{rounding}")


@dataclass(frozen=True)
class Block:
    """One block: its verdict, and what was claimed and found at one place, to be shown ("" if at none)."""

    block: str
    shape: tuple[int, ...]
    verdict: str
    where: str  # an index, or the number of a direction
    claimed: float
    found: float


class Report:
    """The base of a frozen dataclass that holds rows, each a Block: a line for each, what the verdicts mean,
    passed or not.
    """

    GOOD: ClassVar[str]  # the one verdict that passes
    EXPLAINED: ClassVar[dict[str, str]]  # what the others mean
    rows: tuple

    @property
    def passed(self) -> bool:
        """Whether there is a block, and the verdict of every block is the good one."""
        return bool(self.rows) and all(row.verdict == self.GOOD for row in self.rows)

    def __bool__(self) -> bool:
        return self.passed

    def _table(self, title: str, head: str, cells: Callable[[Any], str], notes: list[str]) -> str:
        """The rows as a table under `title`; head, cells: of what stands between shape and place."""
        width = max(len("block"), *(len(row.block) for row in self.rows))
        columns = f"{head}  {'where':<12}{'claimed':>14}{'found':>14}  verdict"
        lines = [title, f"{'block':<{width}}  {'shape':<10}{columns}"]
        for row in self.rows:
            shape = "x".join(map(str, row.shape)) or "number"
            numbers = f"{row.claimed:>14.6g}{row.found:>14.6g}" if row.where else f"{'':>28}"
            place = f"  {row.where:<12}{numbers}  {row.verdict}"
            lines.append(f"{row.block:<{width}}  {shape:<10}{cells(row)}{place}")
        bad = dict.fromkeys(row.verdict for row in self.rows if row.verdict != self.GOOD)
        lines += [*notes, *(f"{verdict}: {self.EXPLAINED[verdict]}" for verdict in bad)]
        return "\n".join([*lines, "passed" if self.passed else "NOT passed"])
