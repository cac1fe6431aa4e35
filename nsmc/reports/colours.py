"""Colours for a leaderboard's rows: by architecture, or by the first setting with few values."""

from dataclasses import dataclass

from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.settings import ARCHITECTURE_COLUMN
from nsmc.reports.values import format_value

# Okabe and Ito's, which people with any kind of colour vision can tell apart, without the black and
# the yellow that vanish on a dark or a light page (https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


@dataclass(frozen=True)
class Group:
    """Rows of one colour."""

    name: str  # "" if there is only one group
    colour: str


@dataclass(frozen=True)
class Colouring:
    title: str  # the column that the colours stand for, "" for none
    groups: list[Group]
    of_row: list[str]  # the colour of each row of the leaderboard


NO_COLOURS = Colouring("", [], [])


def colouring(board: Leaderboard) -> Colouring:
    """Colours for `architecture`, or the first column with as few values as there are colours."""
    order = sorted(board.columns, key=lambda column: column != ARCHITECTURE_COLUMN)
    for index in map(board.columns.index, order):
        names = [format_value(row.values[index]) for row in board.rows]
        distinct = sorted(dict.fromkeys(names), key=_natural_order)
        if 1 < len(distinct) <= len(PALETTE):
            groups = [Group(*pair) for pair in zip(distinct, PALETTE, strict=False)]
            colours = {group.name: group.colour for group in groups}
            return Colouring(board.columns[index], groups, [colours[name] for name in names])
    return Colouring("", [Group("", PALETTE[0])], [PALETTE[0]] * len(board.rows))


def _natural_order(name: str) -> tuple[float, str]:
    """Numbers by their size, then texts."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
