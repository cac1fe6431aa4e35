"""Counts the rows of a file or pipe that could not be read, and says when they are too many."""

from dataclasses import dataclass, field
from typing import NamedTuple

_LISTED = 1_000  # damaged rows that are kept
_REASONS = 3  # different ones that are named together
_SHOWN = 10  # rows that are told one by one


class Damage(NamedTuple):
    """What is wrong with the row that begins at `line`."""

    line: int
    error: str


@dataclass
class Tally:
    """How many rows there were, how many of them were damaged, and the first of these.

    `unit` is what is counted: a "line", or a "row" of a file that has no lines. `doubt` is that of
    `Rows`. `unsure` counts the answers that are said to be.
    """

    rows: int = 0
    damaged: int = 0
    first: list[Damage] = field(default_factory=list)
    unit: str = "line"
    doubt: str = ""
    unsure: int = 0

    def add(self, line: int, error: str) -> None:
        """Count a row; one with an `error` is damaged."""
        self.rows += 1
        if error:
            self.damaged += 1
            if len(self.first) < _LISTED:
                self.first.append(Damage(line, error))

    @property
    def is_too_much(self) -> bool:
        """Whether more than a tenth is damaged: the others then say little about the whole."""
        return 10 * self.damaged > self.rows

    @property
    def messages(self) -> list[str]:
        """The first damaged rows, each with what is wrong with it, and how many more there are."""
        shown = [f"{self.unit} {line}: {error}" for line, error in self.first[:_SHOWN]]
        more = self.damaged - len(shown)
        return [*shown, f"{more:,} more rows cannot be read"] if more else shown

    def __str__(self) -> str:
        """In one line: how many of how many, and the first different reasons with their lines."""
        lines: dict[str, int] = {}
        for line, error in self.first:
            lines.setdefault(error, line)
        reasons = [f"{self.unit} {line}: {error}" for error, line in lines.items()][:_REASONS]
        return f"{self.damaged:,} of {self.rows:,} rows cannot be read ({'; '.join(reasons)})"
