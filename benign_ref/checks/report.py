"""What both checkers say at the end: one line for each block, what the verdicts mean, passed or not."""

from collections.abc import Callable
from typing import Any, ClassVar


class Report:
    """The base of a frozen dataclass that holds rows, each with a block, a shape and a verdict."""

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
        """The rows as a table under `title`; head, cells: of what stands between shape and verdict."""
        width = max(len("block"), *(len(row.block) for row in self.rows))
        lines = [title, f"{'block':<{width}}  {'shape':<10}{head}  verdict"]
        for row in self.rows:
            shape = "x".join(map(str, row.shape)) or "number"
            lines.append(f"{row.block:<{width}}  {shape:<10}{cells(row)}  {row.verdict}")
        bad = dict.fromkeys(row.verdict for row in self.rows if row.verdict != self.GOOD)
        lines += [*notes, *(f"{verdict}: {self.EXPLAINED[verdict]}" for verdict in bad)]
        return "\n".join([*lines, "passed" if self.passed else "NOT passed"])
