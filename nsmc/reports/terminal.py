"""The leaderboard on a terminal: as much of it as fits on a line."""

import textwrap
from collections.abc import Sequence

from nsmc.reports.leaderboard import CORPUS, FEW, Leaderboard
from nsmc.reports.settings import MISSING
from nsmc.reports.tables import KINDS, ROWS_SHOWN, Column, columns_of
from nsmc.reports.values import ellipsized, shortened, width_of

WIDTH = 100  # characters of a line where there is no terminal to ask

_LONGEST_CELL = (32, 20, 14)  # characters on a terminal: the first with which lines fit
_LONGEST_NAME = 18  # characters of a run's folder there
_SUMMARY = 24  # characters that a summary of many settings should have at least
_KEPT = (CORPUS, "architecture")  # before any other setting
_DISPENSABLE = ("reviews/s", "parameters", "seconds", "MB")  # where lines are too long
_BOLD, _PLAIN = "\N{ESCAPE}[1m", "\N{ESCAPE}[0m"


def terminal_table(board: Leaderboard, ansi: bool = False, width: int = WIDTH) -> str:
    """The best rows, aligned, in `width` characters where that is possible; bold with `ansi`.

    Of many settings it says how each row differs from most others.
    """
    columns = [_cut(_with_names_alone(column)) for column in columns_of(board)]
    columns, dropped = _fitting(columns, board, width)
    widths = [_width(column) for column in columns]
    lines = [_line([column.title for column in columns], columns, widths)]
    for place, row in enumerate(board.rows[:ROWS_SHOWN]):
        line = _line([column.texts[place] for column in columns], columns, widths)
        lines.append(f"{_BOLD}{line}{_PLAIN}" if ansi and row.is_best else line)
    if len(board.rows) > ROWS_SHOWN:
        lines.append(f"… and {len(board.rows) - ROWS_SHOWN:,} more settings")
    if dropped:
        told = f"(no room for {', '.join(dropped)}: see leaderboard.md)"
        lines += textwrap.wrap(told, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _with_names_alone(column: Column) -> Column:
    """Folders as a terminal has room for them: their names, which end in a digest."""
    if column.kind != "folder":
        return column
    names = [shortened(text.rpartition("/")[2], _LONGEST_NAME) for text in column.texts]
    return Column(column.title, names, column.values, column.kind)


def _fitting(
    columns: list[Column], board: Leaderboard, width: int
) -> tuple[list[Column], list[str]]:
    """The columns that fit on a line, and the titles of those that were left out for it."""
    dropped: list[str] = []
    kept = columns if len(board.columns) <= FEW else _summed_up(columns, board)
    for column in [each for name in _DISPENSABLE for each in kept if each.title == name]:
        if not _is_narrow(kept, width):
            kept, dropped = _without(kept, column), [*dropped, column.title]
    for longest in _LONGEST_CELL:
        if not _is_narrow(kept, width):
            kept = [_cut(column, longest) for column in kept]
    # What can be spared comes first: of those that vary as little, the last.
    settings = [column for column in reversed(kept) if column.kind == "setting"]
    for column in sorted(settings, key=lambda each: (each.title in _KEPT, each.variety)):
        if not _is_narrow(kept, width):
            kept, dropped = _without(kept, column), [*dropped, column.title]
    return [_cut_summary(column, kept, width) for column in kept], dropped


def _summed_up(columns: list[Column], board: Leaderboard) -> list[Column]:
    """Many settings as one column, which says how a row differs from most others."""
    texts = [row.differs or MISSING for row in board.rows[:ROWS_SHOWN]]
    summary = Column("differs from most in", texts, [*texts], "summary")
    kept = [each for each in columns if each.kind != "setting" or each.title in _KEPT]
    return sorted([*kept, summary], key=lambda column: KINDS.index(column.kind))


def _cut_summary(column: Column, columns: Sequence[Column], width: int) -> Column:
    """A summary takes what the other columns leave."""
    if column.kind != "summary":
        return column
    room = width - sum(_width(each) + 2 for each in columns if each is not column)
    texts = [ellipsized(text, max(room, _SUMMARY)) for text in column.texts]
    return Column(column.title, texts, column.values, column.kind)


def _without(columns: Sequence[Column], left_out: Column) -> list[Column]:
    return [column for column in columns if column is not left_out]


def _cut(column: Column, longest: int = _LONGEST_CELL[0]) -> Column:
    """A column of the rows that are shown, with no longer texts; metrics stay whole."""
    if column.kind in ("metric", "summary"):
        return column
    texts = [shortened(text, longest) for text in column.texts[:ROWS_SHOWN]]
    return Column(shortened(column.title, longest), texts, column.values, column.kind)


def _is_narrow(columns: Sequence[Column], width: int) -> bool:
    widths = [
        min(_width(column), _SUMMARY) if column.kind == "summary" else _width(column)
        for column in columns
    ]
    return sum(widths) + 2 * (len(widths) - 1) <= width


def _width(column: Column) -> int:
    return max(width_of(text) for text in [column.title, *column.texts[:ROWS_SHOWN]])


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = []
    for text, column, width in zip(texts, columns, widths, strict=True):
        space = " " * (width - width_of(text))
        # A mean without a deviation stands below the means that have one.
        is_right = column.is_numeric and not column.is_metric
        cells.append(space + text if is_right else text + space)
    return "  ".join(cells).rstrip()
