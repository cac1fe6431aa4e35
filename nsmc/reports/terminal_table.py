"""The leaderboard on a terminal: as much of it as fits on a line."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from nsmc.reports.leaderboard import BEST_RUN, FEW, NAMELESS, TEST_ACCURACY, Leaderboard
from nsmc.reports.settings import CORPUS
from nsmc.reports.tables import (
    MAX_ROWS,
    ROLES,
    SUMMARY,
    Column,
    columns_of,
    interval_title,
    objective_titles,
    summary_of,
)
from nsmc.reports.values import ellipsize_middle
from nsmc.terminal import display_width, ellipsize

WIDTH = 100  # columns, if there is no terminal to ask

_CELL_LENGTHS = (32, 20, 14)  # characters: the first with which lines fit
_LONG_SUMMARY = 60  # columns that a summary of many settings may take
_MIN_SUMMARY = 20  # and those that it should have at least
_BOLD, _PLAIN = "\N{ESCAPE}[1m", "\N{ESCAPE}[0m"

Columns = dict[str, Column]  # by their whole titles


def terminal_table(board: Leaderboard, ansi: bool = False, width: int = WIDTH) -> str:
    """The best rows, aligned, in `width` columns if that is possible; the best is bold with `ansi`.

    Lines that are too long lose, one after the other, costs, the folders of the best runs, the ends
    of long texts, and settings; the folders are listed below, and what else is left out is named.
    """
    columns = _ordered([_first_rows(column) for column in columns_of(board)])
    shown = columns
    for shown, summary_width in _narrower(columns, board):
        if _line_width(shown, summary_width) <= width:
            break
    title, *lines = _lines([_cut_summary(column, shown, width) for column in shown.values()])
    for index, row in enumerate(board.rows[:MAX_ROWS]):
        if ansi and row.is_best:
            lines[index] = f"{_BOLD}{lines[index]}{_PLAIN}"
    if len(board.rows) > MAX_ROWS:
        lines.append(f"… and {len(board.rows) - MAX_ROWS:,} more settings")
    covered = {*shown, *(_summarizable(columns) if SUMMARY in shown else ())}
    if dropped := [name for name in columns if name not in {*covered, BEST_RUN}]:
        note = f"(no room for {', '.join(dropped)}: see leaderboard.md)"
        lines += textwrap.wrap(note, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join([title, *lines, *_folder_lines(columns, shown)])


def _folder_lines(columns: Columns, shown: Columns) -> list[str]:
    """The best runs' folders below a table that has no room for them; whole, to be copied."""
    if BEST_RUN in shown:
        return []
    titles = [title for title in ("rank", CORPUS, BEST_RUN) if title in columns]
    return ["", *_lines([columns[title] for title in titles])]


def _narrower(columns: Columns, board: Leaderboard) -> Iterator[tuple[Columns, int]]:
    """The columns, then fewer and shorter ones, the least useful first to go.

    Each time with the width that a summary should have at least.
    """
    yield columns, _LONG_SUMMARY
    # Settings stay readable for now.
    of_test, of_metric = interval_title(TEST_ACCURACY), interval_title(board.metric)
    costs = ("reviews/s", "parameters", of_test, BEST_RUN, "seconds", "p", of_metric, "µs", "MB")
    objectives = objective_titles(board)  # stay beside the marks of their front
    for title in (title for title in costs if title not in objectives):
        columns = _without(title, columns)
        yield columns, _LONG_SUMMARY
    if len(board.columns) > FEW:
        summarized = _summarizable(columns)
        kept = [column for title, column in columns.items() if title not in summarized]
        summary = summary_of(board, [name for name in board.columns if name not in NAMELESS])
        columns = _ordered([*kept, _first_rows(summary)])
        yield columns, _LONG_SUMMARY
    yield columns, _MIN_SUMMARY
    for length in _CELL_LENGTHS[1:]:
        columns = {title: _cut(column, length) for title, column in columns.items()}
        yield columns, _MIN_SUMMARY
    # Of settings, those that vary least go first; of those that vary as little, the last. A corpus
    # stays: ranks begin anew in each.
    settings = [t for t in reversed(columns) if columns[t].role == "setting" and t != CORPUS]
    for title in sorted(settings, key=lambda t: (t in NAMELESS, len(set(columns[t].texts)))):
        columns = _without(title, columns)
        yield columns, _MIN_SUMMARY


def _ordered(columns: Iterable[Column]) -> Columns:
    return {c.title: c for c in sorted(columns, key=lambda column: ROLES.index(column.role))}


def _summarizable(columns: Columns) -> list[str]:
    """The titles of what one column can stand for."""
    return [
        title
        for title, column in columns.items()
        if column.role in ("setting", "summary") and title not in NAMELESS
    ]


def plain_table(columns: Sequence[Column]) -> str:
    """Columns of a small table, aligned."""
    return "\n".join(_lines(columns))


def _first_rows(column: Column) -> Column:
    column = replace(column, texts=column.texts[:MAX_ROWS])
    return column if column.role == "folder" else _cut(column, _CELL_LENGTHS[0])


def _without(title: str, columns: Columns) -> Columns:
    return {other: column for other, column in columns.items() if other != title}


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


def _lines(columns: Sequence[Column]) -> list[str]:
    """The titles, then each row."""
    return ["  ".join(line).rstrip() for line in zip(*map(_cells, columns), strict=True)]


def _cells(column: Column) -> list[str]:
    """The title and the texts, all as wide as the widest."""
    # A mean without a deviation stands below the means that have one.
    is_right = column.is_numeric and column.role != "metric"
    width, cells = _width(column), []
    for text in (column.title, *column.texts):
        space = " " * (width - display_width(text))
        cells.append(space + text if is_right else text + space)
    return cells
