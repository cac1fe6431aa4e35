"""The leaderboard on a terminal: as much of it as fits on a line."""

import contextlib
import os.path
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from nsmc.reports.labels import FEW
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.settings import ARCHITECTURE_COLUMN, CORPUS, MISSING
from nsmc.reports.tables import MAX_ROWS, ROLES, SUMMARY, Column, columns_of
from nsmc.reports.values import display_width, ellipsize, ellipsize_middle

WIDTH = 100  # columns, if there is no terminal to ask

_CELL_LENGTHS = (32, 20, 14)  # characters: the first with which lines fit
_NAME_LENGTH = 18  # characters of a run's folder that has to be short
_LONG_SUMMARY = 60  # columns that a summary of many settings may take
_MIN_SUMMARY = 20  # and those that it should have at least
_ALWAYS_KEPT = (CORPUS, ARCHITECTURE_COLUMN)  # of the settings, the last to be left out
_BOLD, _PLAIN = "\N{ESCAPE}[1m", "\N{ESCAPE}[0m"

Columns = dict[str, Column]  # by their whole titles


def terminal_table(board: Leaderboard, ansi: bool = False, width: int = WIDTH) -> str:
    """The best rows, aligned, in `width` columns if that is possible; the best is bold with `ansi`.

    Lines that are too long lose, one after the other, costs, the ends of long texts, and settings;
    what is left out is named below.
    """
    ordered = sorted(columns_of(board), key=lambda column: ROLES.index(column.role))
    columns = {column.title: _first_rows(column) for column in ordered}
    fitting = _fit(columns, board, width)
    shown = [_cut_summary(column, fitting, width) for column in fitting.values()]
    widths = [_width(column) for column in shown]
    lines = [_line([column.title for column in shown], shown, widths)]
    for index, row in enumerate(board.rows[:MAX_ROWS]):
        line = _line([column.texts[index] for column in shown], shown, widths)
        lines.append(f"{_BOLD}{line}{_PLAIN}" if ansi and row.is_best else line)
    if len(board.rows) > MAX_ROWS:
        lines.append(f"… and {len(board.rows) - MAX_ROWS:,} more settings")
    if dropped := [title for title in columns if not _is_told(title, columns, fitting)]:
        note = f"(no room for {', '.join(dropped)}: see leaderboard.md)"
        lines += textwrap.wrap(note, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _first_rows(column: Column) -> Column:
    """The rows that are shown, their folders relative to the one that they have in common."""
    column = replace(column, texts=column.texts[:MAX_ROWS])
    if column.role != "folder":
        return _cut(column, _CELL_LENGTHS[0])
    with contextlib.suppress(ValueError):  # inside and outside the working directory, or no rows
        parent = os.path.commonpath([PurePath(text).parent for text in column.texts])
        texts = [str(PurePath(text).relative_to(parent)) for text in column.texts]
        return replace(column, texts=texts)
    return column


def _is_told(title: str, columns: Columns, fitting: Columns) -> bool:
    is_in_summary = columns[title].role == "setting" and title not in _ALWAYS_KEPT
    return title in fitting or (is_in_summary and SUMMARY in fitting)


def _fit(columns: Columns, board: Leaderboard, width: int) -> Columns:
    """The columns that fit on a line, with texts that are cut where that helps."""
    for summary_width, ways in (
        (_LONG_SUMMARY, _ways_without_loss(board)),
        (_MIN_SUMMARY, _ways_with_loss(columns)),
    ):
        for narrow in ways:
            if _line_width(columns, summary_width) <= width:
                return columns
            columns = narrow(columns)
    return columns


def _ways_without_loss(board: Leaderboard) -> Iterator[Callable[[Columns], Columns]]:
    """Ways to make lines shorter that leave the settings and names readable, the best first."""
    yield _without("reviews/s")
    yield _without("parameters")
    yield _with_short_names
    yield _without("seconds")
    yield _without("MB")
    if len(board.columns) > FEW:
        yield _summarized(board)


def _ways_with_loss(columns: Columns) -> Iterator[Callable[[Columns], Columns]]:
    for length in _CELL_LENGTHS[1:]:
        yield _with_cells_of(length)
    # Of settings, those that vary least go first; of those that vary as little, the last.
    settings = [title for title in reversed(columns) if columns[title].role == "setting"]
    for title in sorted(settings, key=lambda t: (t in _ALWAYS_KEPT, columns[t].variety)):
        yield _without(title)


def _without(left_out: str) -> Callable[[Columns], Columns]:
    return lambda columns: {title: column for title, column in columns.items() if title != left_out}


def _with_cells_of(length: int) -> Callable[[Columns], Columns]:
    return lambda columns: {title: _cut(column, length) for title, column in columns.items()}


def _summarized(board: Leaderboard) -> Callable[[Columns], Columns]:
    """Many settings in one column, which says how a row differs from most others."""
    texts = [row.differs or MISSING for row in board.rows[:MAX_ROWS]]
    summary = Column(SUMMARY, texts, [*texts], "summary")

    def narrow(columns: Columns) -> Columns:
        kept = [
            column
            for title, column in columns.items()
            if column.role not in ("setting", "summary") or title in _ALWAYS_KEPT
        ]
        ordered = sorted([*kept, summary], key=lambda column: ROLES.index(column.role))
        return {column.title: column for column in ordered}

    return narrow


def _with_short_names(columns: Columns) -> Columns:
    """Folders by their names alone, which end in a digest."""
    shorter = {}
    for title, column in columns.items():
        if column.role == "folder":
            names = [text.rpartition("/")[2] for text in column.texts]
            column = replace(column, texts=[ellipsize_middle(name, _NAME_LENGTH) for name in names])
        shorter[title] = column
    return shorter


def _cut(column: Column, length: int) -> Column:
    """The column with texts of at most `length` characters; a metric stays whole."""
    if column.role in ("metric", "summary"):
        return column
    title, *texts = (ellipsize_middle(text, length) for text in (column.title, *column.texts))
    return replace(column, title=title, texts=texts)


def _cut_summary(column: Column, columns: Columns, width: int) -> Column:
    """A summary takes what the other columns leave."""
    if column.role != "summary":
        return column
    room = width - sum(_width(other) + 2 for other in columns.values() if other is not column)
    return replace(column, texts=[ellipsize(t, max(room, _MIN_SUMMARY)) for t in column.texts])


def _line_width(columns: Columns, summary_width: int) -> int:
    widths = [
        min(_width(column), summary_width) if column.role == "summary" else _width(column)
        for column in columns.values()
    ]
    return sum(widths) + 2 * (len(widths) - 1)


def _width(column: Column) -> int:
    return max(display_width(text) for text in [column.title, *column.texts])


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = []
    for text, column, width in zip(texts, columns, widths, strict=True):
        space = " " * (width - display_width(text))
        # A mean without a deviation stands below the means that have one.
        is_right = column.is_numeric and column.role != "metric"
        cells.append(space + text if is_right else text + space)
    return "  ".join(cells).rstrip()
