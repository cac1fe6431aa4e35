"""Counts the rows of a file or pipe that could not be read, and says when they are too many."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

_SHOWN = 10  # damaged rows that are kept to be shown one by one
_REASONS = 3  # different ones that are named together


class Damage(NamedTuple):
    """What is wrong with the row that begins at `line`."""

    line: int
    error: str


@dataclass
class Tally:
    """How many rows there were, how many of them were damaged, and the first of these."""

    rows: int = 0
    damaged: int = 0
    first: list[Damage] = field(default_factory=list)

    def add(self, line: int, error: str) -> None:
        """Count a row; without an `error` it is sound."""
        self.rows += 1
        if error:
            self.damaged += 1
            if len(self.first) < _SHOWN:
                self.first.append(Damage(line, error))

    @property
    def is_too_much(self) -> bool:
        return too_many(self.damaged, self.rows)

    def __str__(self) -> str:
        return summary(self.damaged, self.rows, self.first)


def too_many(damaged: int, rows: int) -> bool:
    """Whether more than a tenth is damaged: what is left then says little about the whole."""
    return 10 * damaged > rows


def summary(damaged: int, rows: int, first: Iterable[Damage]) -> str:
    """In one line: how many of how many, and the first few different reasons with their lines."""
    lines: dict[str, int] = {}
    for line, error in first:
        lines.setdefault(error, line)
    reasons = [f"line {line}: {error}" for error, line in lines.items()][:_REASONS]
    return f"{damaged:,} of {rows:,} rows cannot be read ({'; '.join(reasons)})"
