"""The leaderboard as text: cells, CSV for programs, Markdown, and a table for a terminal."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from nsmc.experiments.reports.leaderboard import (
    BEST_RUN,
    TEST_ACCURACY,
    Leaderboard,
    Row,
    Statistic,
)
from nsmc.experiments.reports.values import Value, shortened, shown

WIDTH = 100  # characters of a terminal's line
ROWS_SHOWN = 30  # of the leaderboard, where space is scarce

_LONGEST_CELL = (32, 20, 14)  # characters on a terminal: the first with which lines fit
_LONGEST_NAME = 18  # characters of a run's folder there
_MARKUP = "\\`*|<>[]"  # characters that Markdown or HTML would take for its own
_BOLD, _PLAIN = "\N{ESCAPE}[1m", "\N{ESCAPE}[0m"


@dataclass(frozen=True)
class Column:
    """A column of the table: what it shows, and what it sorts by, for each row."""

    title: str
    texts: list[str]
    values: list[Value | None]
    is_metric: bool = False

    @property
    def is_numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


def columns_of(board: Leaderboard) -> list[Column]:
    """Rank, settings, runs, metrics, what it cost, and the folder of each setting's best run."""
    rows = board.rows
    ranks = list(range(1, len(rows) + 1))
    settings = [
        Column(title, [shown(row.values[place]) for row in rows], [r.values[place] for r in rows])
        for place, title in enumerate(board.columns)
    ]
    columns = [Column("rank", [str(rank) for rank in ranks], [*ranks]), *settings]
    columns.append(_counts("runs", [float(len(row.runs)) for row in rows]))
    columns.append(_metric(board.metric, [row.score for row in rows]))
    if any(row.test for row in rows):
        columns.append(_metric(TEST_ACCURACY, [row.test for row in rows]))
    columns.append(_counts("parameters", _means(rows, "parameters")))
    columns.append(_counts("seconds", _means(rows, "seconds")))
    columns.append(_counts("reviews/s", _means(rows, "reviews_per_second")))
    sizes = [None if size is None else size / 1e6 for size in _means(rows, "bundle_bytes")]
    columns.append(_column("MB", sizes, "{:,.2f}"))
    folders = [row.best.name if row.best else "" for row in rows]
    return [*columns, Column(BEST_RUN, folders, [*folders])]


def csv_table(board: Leaderboard) -> str:
    """Plain numbers at full length; a metric's mean and deviation have a column each."""
    columns = columns_of(board)
    titles, values = [], []
    for column in columns:
        titles.append(column.title)
        values.append(column.values)
        if column.is_metric:
            titles.append(f"{column.title} std")
            values.append(_deviations(board, column.title))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(zip(*values, strict=True))
    return text.getvalue()


def markdown_table(board: Leaderboard) -> str:
    """A table in Markdown; the best metric is bold."""
    columns = columns_of(board)
    bodies = [[escaped(text) for text in column.texts] for column in columns]
    for column, body in zip(columns, bodies, strict=True):
        if column.title == board.metric:
            for place, row in enumerate(board.rows):
                body[place] = f"**{body[place]}**" if row.is_best else body[place]
    lines = [
        [escaped(column.title) for column in columns],
        ["---:" if column.is_numeric else "---" for column in columns],
        *zip(*bodies, strict=True),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def terminal_table(board: Leaderboard, ansi: bool = False) -> str:
    """The best rows, aligned, in `WIDTH` characters where that is possible; bold with `ansi`."""
    *others, folders = columns_of(board)
    columns, dropped = _fitting([_cut(column) for column in [*others, _names_alone(folders)]])
    widths = [_width(column) for column in columns]
    lines = [_line([column.title for column in columns], columns, widths)]
    for place, row in enumerate(board.rows[:ROWS_SHOWN]):
        line = _line([column.texts[place] for column in columns], columns, widths)
        lines.append(f"{_BOLD}{line}{_PLAIN}" if ansi and row.is_best else line)
    if len(board.rows) > ROWS_SHOWN:
        lines.append(f"… and {len(board.rows) - ROWS_SHOWN:,} more settings")
    if dropped:
        lines.append(f"(no room for {', '.join(dropped)}: see leaderboard.md)")
    return "\n".join(lines)


def _names_alone(folders: Column) -> Column:
    """The column of folders as a terminal has room for it: their names, which end in a digest."""
    names = [shortened(text.rpartition("/")[2], _LONGEST_NAME) for text in folders.texts]
    return Column(folders.title, names, folders.values)


def escaped(text: str) -> str:
    """The text for a cell in Markdown."""
    return "".join(f"&#{ord(char)};" if char in _MARKUP else char for char in text)


def measured(metric: Statistic | None) -> str:
    """A metric as `0.8614 ± 0.0010`, without a deviation where there was one run."""
    if metric is None:
        return ""
    deviation = "" if metric.deviation is None else f" ± {metric.deviation:.4f}"
    return f"{metric.mean:.4f}{deviation}"


def _metric(title: str, metrics: Sequence[Statistic | None]) -> Column:
    means = [None if metric is None else metric.mean for metric in metrics]
    return Column(title, [measured(metric) for metric in metrics], [*means], is_metric=True)


def _column(title: str, values: Sequence[float | None], form: str) -> Column:
    texts = ["" if value is None else form.format(value) for value in values]
    return Column(title, texts, [*values])


def _counts(title: str, values: Sequence[float | None]) -> Column:
    """Numbers that are shown without decimals, but for small ones that are no counts."""
    is_small = any(value is not None and 0 < value < 10 and value % 1 for value in values)
    rounded = [int(value) if value is not None and value % 1 == 0 else value for value in values]
    return _column(title, rounded, "{:,.1f}" if is_small else "{:,.0f}")


def _means(rows: Sequence[Row], name: str) -> list[float | None]:
    return [row.measures.get(name) for row in rows]


def _deviations(board: Leaderboard, title: str) -> list[Value | None]:
    metrics = [row.score if title == board.metric else row.test for row in board.rows]
    return [None if metric is None else metric.deviation for metric in metrics]


def _fitting(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns that fit on a line, and the titles of those that were left out for it."""
    kept, dropped = columns, []
    for title in ("reviews/s", "parameters", "seconds", "MB"):
        if _is_narrow(kept):
            break
        kept = [column for column in kept if column.title != title]
        dropped.append(title)
    for longest in _LONGEST_CELL:
        if not _is_narrow(kept):
            kept = [_cut(column, longest) for column in kept]
    return kept, dropped


def _cut(column: Column, longest: int = _LONGEST_CELL[0]) -> Column:
    """A column of the rows that are shown, with no longer texts; metrics stay whole."""
    if column.is_metric:
        return column
    texts = [shortened(text, longest) for text in column.texts[:ROWS_SHOWN]]
    return Column(shortened(column.title, longest), texts, column.values)


def _is_narrow(columns: Sequence[Column]) -> bool:
    return sum(_width(column) + 2 for column in columns) - 2 <= WIDTH


def _width(column: Column) -> int:
    return max(len(text) for text in [column.title, *column.texts[:ROWS_SHOWN]])


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = [
        # A mean without a deviation stands below the means that have one.
        text.rjust(width) if column.is_numeric and not column.is_metric else text.ljust(width)
        for text, column, width in zip(texts, columns, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()
