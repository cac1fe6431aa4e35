"""The leaderboard as text: cells, CSV for programs, and Markdown."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nsmc.reports.leaderboard import (
    BEST_RUN,
    FEW,
    TEST_ACCURACY,
    Leaderboard,
    Row,
    Statistic,
)
from nsmc.reports.values import Value, shown

ROWS_SHOWN = 30  # of the leaderboard, where space is scarce

_TITLES = {
    "classify": "Recurrent classifiers",
    "linear": "Linear classifiers",
    "pretrain": "Language models",
}
KINDS = ("rank", "setting", "summary", "runs", "metric", "cost", "folder")  # of columns, in order
_KINDS_OF_MANY = ("rank", "runs", "metric", "setting", "cost", "folder")

_FORMULA = re.compile(r"[\s\"']*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MARKUP = "\\`*|<>[]"  # characters that Markdown or HTML would take for its own


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
    columns: dict[str, str] = {"task": KINDS[0]} if len(boards) > 1 else {}  # kind, by title
    lines: list[dict[str, Value | None]] = []
    for board in boards:
        own = _csv_columns(board)
        columns |= {column.title: column.kind for column in own}
        for place in range(len(board.rows)):
            lines.append({column.title: column.values[place] for column in own})
            lines[-1]["task"] = board.task
    titles = sorted(columns, key=lambda title: KINDS.index(columns[title]))
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
