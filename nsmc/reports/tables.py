"""The leaderboard's columns, and the leaderboard as CSV for programs and as Markdown."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nsmc.reports.front import metric_of
from nsmc.reports.leaderboard import (
    BEST_RUN,
    FEW,
    TEST_ACCURACY,
    Leaderboard,
    Row,
    Statistic,
    describe,
)
from nsmc.reports.settings import MISSING
from nsmc.reports.values import Value, format_value

MAX_ROWS = 30  # of the leaderboard, where space is scarce
SUMMARY = "differs from most in"  # the title of a column that stands for many settings

# What columns are about, in their order; with many settings, the metrics come before them.
ROLES = ("rank", "setting", "summary", "runs", "metric", "test", "cost", "folder")
_ROLES_WITH_MANY_SETTINGS = (
    *("rank", "runs", "metric", "test", "setting", "summary", "cost", "folder"),
)

_COST_TITLES = {"size": "MB", "time": "µs"}  # by objective

_FORMULA = re.compile(r"[\s\"']*[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MARKUP = "\\`*|<>[]"  # characters that mean something in Markdown or HTML


@dataclass(frozen=True)
class Column:
    """A column of the table: what it shows in each row, and the values that it sorts by."""

    title: str
    texts: list[str]
    values: Sequence[Value | None]
    role: str

    @cached_property
    def is_numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


class Table(NamedTuple):
    """A small one that stands below the leaderboard."""

    title: str
    columns: list[Column]


def columns_of(board: Leaderboard) -> list[Column]:
    """Rank, settings, metrics, costs, best runs.

    Of many settings, those that hardly vary share one column, which says how a row differs from
    most others.
    """
    columns = _columns_of(board, [name for name in board.columns if name not in board.usual])
    if len(board.columns) <= FEW:
        return columns
    if board.usual:
        columns.append(summary_of(board, [*board.usual]))
    return sorted(columns, key=lambda column: _ROLES_WITH_MANY_SETTINGS.index(column.role))


def summary_of(board: Leaderboard, names: Sequence[str]) -> Column:
    """These settings in one column, which says how a row differs in them from most others."""
    settings = [{name: row.values[name] for name in names} for row in board.rows]
    return _texts(SUMMARY, [describe(s, board.usual) or MISSING for s in settings], "summary")


def csv_table(*boards: Leaderboard) -> str:
    """All metrics in plain numbers at full length; mean and deviation have a column each.

    Several boards make one table with a column for the task; cells for what another board alone has
    are empty.
    """
    roles: dict[str, str] = {"task": ROLES[0]} if len(boards) > 1 else {}  # by title
    lines: list[dict[str, Value | None]] = []
    for board in boards:
        columns = _columns_of(board, board.columns, with_all_metrics=True)
        roles |= {column.title: column.role for column in columns}
        for index in range(len(board.rows)):
            cells = {column.title: column.values[index] for column in columns}
            lines.append({"task": board.task, **cells})
    titles = sorted(roles, key=lambda title: ROLES.index(roles[title]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(title) for title in titles])
    writer.writerows([_inert(line.get(title)) for title in titles] for line in lines)
    return text.getvalue()


def markdown_table(board: Leaderboard) -> str:
    """A table in Markdown; the best metric is bold."""
    bold = {index for index, row in enumerate(board.rows) if row.is_best}
    return markdown(columns_of(board), {board.metric: bold})


def markdown(columns: Sequence[Column], bold: Mapping[str, set[int]] = {}) -> str:
    """A table in Markdown; of columns by their title, some rows are `bold`."""
    bodies = [
        [
            f"**{_escape(text)}**" if index in bold.get(column.title, ()) else _escape(text)
            for index, text in enumerate(column.texts)
        ]
        for column in columns
    ]
    lines = [
        [_escape(column.title) for column in columns],
        ["---:" if column.is_numeric else "---" for column in columns],
        *zip(*bodies, strict=True),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rank_of(row: Row) -> str:
    """The rank as it is shown: `=1` where the setting cannot be told from the best."""
    if row.is_over:
        return "over"
    return "=1" if row.test and row.test.is_tied else f"{row.rank}"


def objective_titles(board: Leaderboard) -> list[str]:
    """What the columns of the search's objectives are called."""
    return [_COST_TITLES.get(name, metric_of(name)) for name in board.objectives]


def interval_title(metric: str) -> str:
    """What the column of a metric's intervals is called."""
    return f"{metric} 95%"


def format_metric(metric: Statistic) -> str:
    """A metric as `0.8614 ± 0.0010`, without a deviation if there was one run."""
    deviation = "" if metric.deviation is None else f" ± {metric.deviation:.4f}"
    return f"{metric.mean:.4f}{deviation}"


def _columns_of(
    board: Leaderboard, settings: Sequence[str], with_all_metrics: bool = False
) -> list[Column]:
    """All columns but the summary, these settings among them.

    `with_all_metrics`, those by which nothing is ranked are among them, and deviations.
    """
    rows = board.rows
    ranks = [row.rank for row in rows]
    columns = [Column("rank", [rank_of(row) for row in rows], ranks, "rank")]
    if any(row.on_front for row in rows):
        marks = ["●" if row.on_front else "" for row in rows]
        columns.append(Column("front", marks, [int(row.on_front) for row in rows], "rank"))
    columns += [_texts(name, [row.values[name] for row in rows], "setting") for name in settings]
    columns.append(_numbers("runs", [len(row.runs) for row in rows], "runs"))
    is_tested = any(TEST_ACCURACY in row.metrics for row in rows)
    metrics = [board.metric, *([TEST_ACCURACY] if is_tested else [])]
    columns_of_costs = _COST_TITLES.values()
    metrics += [t for t in objective_titles(board) if t not in {*metrics, *columns_of_costs}]
    if with_all_metrics:
        measured = {name for row in rows for name in row.metrics if "/" in name}
        metrics += sorted(measured.difference(metrics))
    for title in metrics:
        scores = [row.metrics.get(title) for row in rows]
        texts = [format_metric(score) if score else "" for score in scores]
        columns.append(Column(title, texts, _means(rows, title), "metric"))
        if with_all_metrics:
            deviations = [score.deviation if score else None for score in scores]
            columns.append(Column(f"{title} std", [], deviations, "metric"))
        columns += _interval_columns(rows, title, with_all_metrics)
    columns += _p_column(rows)
    columns.append(_numbers("parameters", _means(rows, "parameters")))
    columns.append(_numbers("seconds", _means(rows, "seconds")))
    columns.append(_numbers("reviews/s", _means(rows, "reviews_per_second")))
    columns.append(_formatted(_COST_TITLES["size"], _means(rows, "bundle_bytes", 1e6), "{:,.2f}"))
    if any("microseconds" in row.metrics for row in rows):
        columns.append(_formatted(_COST_TITLES["time"], _means(rows, "microseconds"), "{:,.0f}"))
    return [*columns, _texts(BEST_RUN, [row.best.name for row in rows], "folder")]


def _interval_columns(rows: Sequence[Row], metric: str, with_bounds: bool) -> list[Column]:
    """One column of texts, or one for each bound; none where there are no intervals."""
    intervals = [row.test.intervals.get(metric) if row.test else None for row in rows]
    if not any(intervals):
        return []
    lows, highs = ([it[bound] if it else None for it in intervals] for bound in (0, 1))
    if with_bounds:
        return [
            Column(f"{metric} {name}", [], bounds, "metric")
            for name, bounds in (("low", lows), ("high", highs))
        ]
    texts = [f"{it[0]:.4f}–{it[1]:.4f}" if it else "" for it in intervals]
    return [Column(interval_title(metric), texts, lows, "test")]


def _p_column(rows: Sequence[Row]) -> list[Column]:
    """How sure it is that each is worse than the best."""
    values = [row.test.p if row.test else None for row in rows]
    if all(p is None for p in values):
        return []
    return [Column("p", ["" if p is None else format_p(p) for p in values], values, "test")]


def format_p(p: float) -> str:
    """A probability with as many digits as matter."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _means(rows: Sequence[Row], metric: str, unit: float = 1) -> list[float | None]:
    metrics = [row.metrics.get(metric) for row in rows]
    return [statistic.mean / unit if statistic else None for statistic in metrics]


def _texts(title: str, values: Sequence[Value], role: str) -> Column:
    return Column(title, [format_value(value) for value in values], values, role)


def _numbers(title: str, values: Sequence[float | None], role: str = "cost") -> Column:
    """Numbers without decimals, unless there are small fractions among them."""
    is_small = any(value is not None and 0 < value < 10 and value % 1 for value in values)
    rounded = [int(value) if value is not None and value % 1 == 0 else value for value in values]
    return _formatted(title, rounded, "{:,.1f}" if is_small else "{:,.0f}", role)


def _formatted(title: str, values: Sequence[float | None], form: str, role: str = "cost") -> Column:
    texts = ["" if value is None else form.format(value) for value in values]
    return Column(title, texts, values, role)


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
