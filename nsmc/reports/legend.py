"""Colours for a leaderboard's rows: by architecture, or by the first setting with few values."""

from dataclasses import dataclass, field

from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.settings import ARCHITECTURE_COLUMN
from nsmc.reports.values import format_value

# Okabe and Ito's, which people with any kind of colour vision can tell apart, without the black and
# the yellow that vanish on a dark or a light page (https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


@dataclass(frozen=True)
class Legend:
    """What the colours stand for."""

    title: str = ""  # a column of the leaderboard; "" where all has one colour
    colours: dict[str, str] = field(default_factory=dict)  # by the column's values
    of_row: list[str] = field(default_factory=list)  # the value of each row


NO_LEGEND = Legend()


def legend_of(board: Leaderboard) -> Legend:
    """Colours for `architecture`, or the first column with as few values as there are colours."""
    for column in sorted(board.columns, key=lambda column: column != ARCHITECTURE_COLUMN):
        of_row = [format_value(row.values[column]) for row in board.rows]
        values = sorted(set(of_row), key=_natural_order)
        if 1 < len(values) <= len(PALETTE):
            return Legend(column, dict(zip(values, PALETTE, strict=False)), of_row)
    return Legend("", {"": PALETTE[0]}, [""] * len(board.rows))


def _natural_order(value: str) -> tuple[float, str]:
    """Numbers by their size, then texts."""
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value
