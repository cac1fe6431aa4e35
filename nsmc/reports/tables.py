"""The leaderboard's columns, and the leaderboard as CSV for programs and as Markdown."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nsmc.reports.labels import FEW
from nsmc.reports.leaderboard import (
    BEST_RUN,
    TEST_ACCURACY,
    Leaderboard,
    Row,
    Statistic,
)
from nsmc.reports.settings import MISSING
from nsmc.reports.values import Value, format_value

MAX_ROWS = 30  # of the leaderboard, where space is scarce
SUMMARY = "differs from most in"  # the title of a column that stands for many settings

_TITLES = {
    "classify": "Neural classifiers",
    "linear": "Linear classifiers",
    "pretrain": "Language models",
}
# What columns are about, in their order; with many settings, the metrics come before them.
ROLES = ("rank", "setting", "summary", "runs", "metric", "cost", "folder")
_ROLES_WITH_MANY_SETTINGS = ("rank", "runs", "metric", "setting", "summary", "cost", "folder")

_FORMULA = re.compile(r"[\s\"']*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MARKUP = "\\`*|<>[]"  # characters that mean something in Markdown or HTML


@dataclass(frozen=True)
class Column:
    """A column of the table: what it shows in each row, and the values that it sorts by."""

    title: str
    texts: list[str]
    values: list[Value | None]
    role: str = "cost"

    @property
    def variety(self) -> int:
        return len(set(self.texts))

    @property
    def is_numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


def title_of(board: Leaderboard) -> str:
    """The title of this task's section in a report over several tasks."""
    return _TITLES.get(board.task, f"task={board.task}")


def columns_of(board: Leaderboard, summarize: bool = True) -> list[Column]:
    """Rank, settings, metrics, costs, best runs.

    Of many settings, those that hardly vary share one column, which says how a row differs from
    most others; without `summarize` each keeps its own.
    """
    rows = board.rows
    ranks = [row.rank for row in rows]
    settings = [
        _text_column(title, [row.values[index] for row in rows], "setting")
        for index, title in enumerate(board.columns)
        if not (summarize and title in board.summarized)
    ]
    columns = [Column("rank", [str(rank) for rank in ranks], [*ranks], "rank"), *settings]
    if summarize and board.summarized:
        unusual = [row.unusual or MISSING for row in rows]
        columns.append(_text_column(SUMMARY, unusual, "summary"))
    columns += _result_columns(board)
    folders = [row.best.name for row in rows]
    columns.append(_text_column(BEST_RUN, folders, "folder"))
    if len(board.columns) > FEW:
        columns.sort(key=lambda column: _ROLES_WITH_MANY_SETTINGS.index(column.role))
    return columns


def csv_table(*boards: Leaderboard) -> str:
    """Plain numbers at full length; a metric's mean and deviation have a column each.

    Several boards make one table with a column for the task; cells for what another board alone has
    are empty.
    """
    columns: dict[str, str] = {"task": ROLES[0]} if len(boards) > 1 else {}  # role, by title
    lines: list[dict[str, Value | None]] = []
    for board in boards:
        own = _csv_columns(board)
        columns |= {column.title: column.role for column in own}
        for index in range(len(board.rows)):
            lines.append({column.title: column.values[index] for column in own})
            lines[-1]["task"] = board.task
    titles = sorted(columns, key=lambda title: ROLES.index(columns[title]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(title) for title in titles])
    writer.writerows([_inert(line.get(title)) for title in titles] for line in lines)
    return text.getvalue()


def markdown_tables(boards: Sequence[Leaderboard]) -> str:
    """A table for each board, below headings if there are several."""
    tables = [markdown_table(board) for board in boards]
    if len(boards) < 2:
        return "".join(tables)
    pairs = zip(boards, tables, strict=True)
    return "\n".join(f"## {title_of(board)}\n\n{table}" for board, table in pairs)


def markdown_table(board: Leaderboard) -> str:
    """A table in Markdown; the best metric is bold."""
    columns = columns_of(board)
    bodies = [[_escape(text) for text in column.texts] for column in columns]
    for column, body in zip(columns, bodies, strict=True):
        if column.title == board.metric:
            for index, row in enumerate(board.rows):
                body[index] = f"**{body[index]}**" if row.is_best else body[index]
    lines = [
        [_escape(column.title) for column in columns],
        ["---:" if column.is_numeric else "---" for column in columns],
        *zip(*bodies, strict=True),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_metric(metric: Statistic | None) -> str:
    """A metric as `0.8614 ± 0.0010`, without a deviation if there was one run."""
    if metric is None:
        return ""
    deviation = "" if metric.deviation is None else f" ± {metric.deviation:.4f}"
    return f"{metric.mean:.4f}{deviation}"


def _result_columns(board: Leaderboard) -> list[Column]:
    rows = board.rows
    columns = [_counts("runs", [float(len(row.runs)) for row in rows], "runs")]
    columns.append(_metric(board.metric, [row.score for row in rows]))
    if any(row.test for row in rows):
        columns.append(_metric(TEST_ACCURACY, [row.test for row in rows]))
    columns.append(_counts("parameters", _means(rows, "parameters")))
    columns.append(_counts("seconds", _means(rows, "seconds")))
    columns.append(_counts("reviews/s", _means(rows, "reviews_per_second")))
    sizes = [None if size is None else size / 1e6 for size in _means(rows, "bundle_bytes")]
    columns.append(_number_column("MB", sizes, "{:,.2f}"))
    return columns


def _text_column(title: str, values: Sequence[Value], role: str) -> Column:
    return Column(title, [format_value(value) for value in values], [*values], role)


def _metric(title: str, metrics: Sequence[Statistic | None]) -> Column:
    means = [None if metric is None else metric.mean for metric in metrics]
    return Column(title, [format_metric(metric) for metric in metrics], [*means], "metric")


def _number_column(
    title: str, values: Sequence[float | None], form: str, role: str = "cost"
) -> Column:
    texts = ["" if value is None else form.format(value) for value in values]
    return Column(title, texts, [*values], role)


def _counts(title: str, values: Sequence[float | None], role: str = "cost") -> Column:
    """Numbers without decimals, unless there are small fractions among them."""
    is_small = any(value is not None and 0 < value < 10 and value % 1 for value in values)
    rounded = [int(value) if value is not None and value % 1 == 0 else value for value in values]
    return _number_column(title, rounded, "{:,.1f}" if is_small else "{:,.0f}", role)


def _means(rows: Sequence[Row], name: str) -> list[float | None]:
    return [row.measures.get(name) for row in rows]


def _csv_columns(board: Leaderboard) -> list[Column]:
    columns = []
    for column in columns_of(board, summarize=False):
        columns.append(column)
        if column.role == "metric":
            deviations = _deviations(board, column.title)
            columns.append(Column(f"{column.title} std", [], deviations, "metric"))
    return columns


def _deviations(board: Leaderboard, title: str) -> list[Value | None]:
    metrics = [row.score if title == board.metric else row.test for row in board.rows]
    return [None if metric is None else metric.deviation for metric in metrics]


def _inert(value: Value | None) -> Value | None:
    """The value for a cell of CSV; a spreadsheet would run text that starts like a formula.

    An apostrophe in front is what OWASP advises ("CSV Injection"). Numbers stay numbers.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def _escape(text: str) -> str:
    """The text for a cell in Markdown."""
    return "".join(f"&#{ord(char)};" if char in _MARKUP else char for char in text)
