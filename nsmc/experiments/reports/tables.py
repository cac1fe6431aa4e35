"""The leaderboard as text: cells, CSV for programs, Markdown, and a table for a terminal."""

import csv
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from nsmc.experiments.reports.leaderboard import (
    BEST_RUN,
    CORPUS,
    FEW,
    TEST_ACCURACY,
    Leaderboard,
    Row,
    Statistic,
)
from nsmc.experiments.reports.settings import MISSING
from nsmc.experiments.reports.values import Value, ellipsized, shortened, shown, width_of

WIDTH = 100  # characters of a line where there is no terminal to ask
ROWS_SHOWN = 30  # of the leaderboard, where space is scarce

_TITLES = {
    "classify": "Recurrent classifiers",
    "linear": "Linear classifiers",
    "pretrain": "Language models",
}
_SUMMARY = 24  # characters that a summary of many settings should have at least
_KINDS = ("rank", "setting", "summary", "runs", "metric", "cost", "folder")  # of columns, in order
_KINDS_OF_MANY = ("rank", "runs", "metric", "setting", "cost", "folder")

_LONGEST_CELL = (32, 20, 14)  # characters on a terminal: the first with which lines fit
_LONGEST_NAME = 18  # characters of a run's folder there
_KEPT = (CORPUS, "cell")  # before any other setting
_DISPENSABLE = ("reviews/s", "parameters", "seconds", "MB")  # where lines are too long
_FORMULA = re.compile(r"[\s\"']*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MARKUP = "\\`*|<>[]"  # characters that Markdown or HTML would take for its own
_BOLD, _PLAIN = "\N{ESCAPE}[1m", "\N{ESCAPE}[0m"


@dataclass(frozen=True)
class Column:
    """A column of the table: what it shows, and what it sorts by, for each row."""

    title: str
    texts: list[str]
    values: list[Value | None]
    kind: str = "cost"

    @property
    def is_metric(self) -> bool:
        return self.kind == "metric"

    @property
    def variety(self) -> int:
        return len(set(self.texts))

    @property
    def is_numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


def title_of(board: Leaderboard) -> str:
    """What a report over several tasks calls this one's table."""
    return _TITLES.get(board.task, f"task={board.task}")


def columns_of(board: Leaderboard) -> list[Column]:
    """Rank, settings, metrics, costs, best runs; many settings come after the metrics."""
    rows = board.rows
    ranks = list(range(1, len(rows) + 1))
    settings = [
        _setting(title, [row.values[place] for row in rows])
        for place, title in enumerate(board.columns)
    ]
    columns = [Column("rank", [str(rank) for rank in ranks], [*ranks], "rank"), *settings]
    columns.append(_counts("runs", [float(len(row.runs)) for row in rows], "runs"))
    columns.append(_metric(board.metric, [row.score for row in rows]))
    if any(row.test for row in rows):
        columns.append(_metric(TEST_ACCURACY, [row.test for row in rows]))
    columns.append(_counts("parameters", _means(rows, "parameters")))
    columns.append(_counts("seconds", _means(rows, "seconds")))
    columns.append(_counts("reviews/s", _means(rows, "reviews_per_second")))
    sizes = [None if size is None else size / 1e6 for size in _means(rows, "bundle_bytes")]
    columns.append(_column("MB", sizes, "{:,.2f}"))
    folders = [row.best.name if row.best else "" for row in rows]
    columns.append(Column(BEST_RUN, folders, [*folders], "folder"))
    if len(settings) > FEW:
        columns.sort(key=lambda column: _KINDS_OF_MANY.index(column.kind))
    return columns


def csv_table(*boards: Leaderboard) -> str:
    """Plain numbers at full length; a metric's mean and deviation have a column each.

    Several boards are one table: it has a column for the task, and empty cells for what another
    board alone has.
    """
    columns: dict[str, str] = {"task": _KINDS[0]} if len(boards) > 1 else {}  # kind, by title
    lines: list[dict[str, Value | None]] = []
    for board in boards:
        own = _csv_columns(board)
        columns |= {column.title: column.kind for column in own}
        for place in range(len(board.rows)):
            lines.append({column.title: column.values[place] for column in own})
            lines[-1]["task"] = board.task
    titles = sorted(columns, key=lambda title: _KINDS.index(columns[title]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(title) for title in titles])
    writer.writerows([_inert(line.get(title)) for title in titles] for line in lines)
    return text.getvalue()


def _inert(value: Value | None) -> Value | None:
    """The value for a cell of CSV; a spreadsheet would run text that begins as a formula does.

    An apostrophe in front is what OWASP advises ("CSV Injection"). Numbers stay numbers.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def markdown_tables(boards: Sequence[Leaderboard]) -> str:
    """A table for each board, below a heading where there are several."""
    tables = [markdown_table(board) for board in boards]
    if len(boards) < 2:
        return "".join(tables)
    pairs = zip(boards, tables, strict=True)
    return "\n".join(f"## {title_of(board)}\n\n{table}" for board, table in pairs)


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


def escaped(text: str) -> str:
    """The text for a cell in Markdown."""
    return "".join(f"&#{ord(char)};" if char in _MARKUP else char for char in text)


def measured(metric: Statistic | None) -> str:
    """A metric as `0.8614 ± 0.0010`, without a deviation where there was one run."""
    if metric is None:
        return ""
    deviation = "" if metric.deviation is None else f" ± {metric.deviation:.4f}"
    return f"{metric.mean:.4f}{deviation}"


def _setting(title: str, values: Sequence[Value]) -> Column:
    return Column(title, [shown(value) for value in values], [*values], "setting")


def _metric(title: str, metrics: Sequence[Statistic | None]) -> Column:
    means = [None if metric is None else metric.mean for metric in metrics]
    return Column(title, [measured(metric) for metric in metrics], [*means], "metric")


def _column(title: str, values: Sequence[float | None], form: str, kind: str = "cost") -> Column:
    texts = ["" if value is None else form.format(value) for value in values]
    return Column(title, texts, [*values], kind)


def _counts(title: str, values: Sequence[float | None], kind: str = "cost") -> Column:
    """Numbers that are shown without decimals, but for small ones that are no counts."""
    is_small = any(value is not None and 0 < value < 10 and value % 1 for value in values)
    rounded = [int(value) if value is not None and value % 1 == 0 else value for value in values]
    return _column(title, rounded, "{:,.1f}" if is_small else "{:,.0f}", kind)


def _means(rows: Sequence[Row], name: str) -> list[float | None]:
    return [row.measures.get(name) for row in rows]


def _csv_columns(board: Leaderboard) -> list[Column]:
    columns = []
    for column in columns_of(board):
        columns.append(column)
        if column.is_metric:
            deviations = _deviations(board, column.title)
            columns.append(Column(f"{column.title} std", [], deviations, "metric"))
    return columns


def _deviations(board: Leaderboard, title: str) -> list[Value | None]:
    metrics = [row.score if title == board.metric else row.test for row in board.rows]
    return [None if metric is None else metric.deviation for metric in metrics]


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
    return sorted([*kept, summary], key=lambda column: _KINDS.index(column.kind))


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
