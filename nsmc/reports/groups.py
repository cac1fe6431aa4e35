"""Colours for a leaderboard's rows: by architecture, or by what else is varied."""

from dataclasses import dataclass

from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.values import shown

# Okabe and Ito's, who chose them for all kinds of colour vision, without the black and the yellow
# that vanish on a dark or a light page (https://jfly.uni-koeln.de/color/).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


@dataclass(frozen=True)
class Group:
    """Rows of one colour."""

    name: str  # "" where there is but one group
    colour: str


@dataclass(frozen=True)
class Grouping:
    title: str  # the column that the colours stand for, "" for none
    groups: list[Group]
    of_row: list[str]  # the colour of each row of the leaderboard


def grouping(board: Leaderboard) -> Grouping:
    """Colours for `architecture`, or the first column with as few values as there are colours."""
    order = sorted(
        range(len(board.columns)), key=lambda place: board.columns[place] != "architecture"
    )
    for place in order:
        names = [shown(row.values[place]) for row in board.rows]
        distinct = sorted(dict.fromkeys(names), key=_natural)
        if 1 < len(distinct) <= len(PALETTE):
            groups = [Group(*pair) for pair in zip(distinct, PALETTE, strict=False)]
            colours = {group.name: group.colour for group in groups}
            return Grouping(board.columns[place], groups, [colours[name] for name in names])
    return Grouping("", [Group("", PALETTE[0])], [PALETTE[0]] * len(board.rows))


def _natural(name: str) -> tuple[float, str]:
    """Numbers by their size, then texts."""
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name
