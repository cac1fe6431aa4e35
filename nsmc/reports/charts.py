"""What a report draws: every chart as data, described once and drawn by two renderers.

`charts_of` says which points, colours, titles and texts there are; `render_png` makes files of them
with matplotlib, `render_plotly` figures for the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nsmc.reports.leaderboard import ACCURACY, Leaderboard, Row
from nsmc.reports.legend import NO_LEGEND, PALETTE, Legend, legend_of
from nsmc.reports.records import Run
from nsmc.reports.tables import MAX_ROWS, format_metric
from nsmc.reports.values import ellipsize_middle

TRAIN_LOSS = "train/loss"

# The charts of a leaderboard, in their order; also the names of their files, without the ending.
NAMES = (
    *("metric_by_setting", "accuracy_by_size", "accuracy_by_time"),
    *("metric_by_epoch", "train_loss_by_epoch", "importance"),
)

_MAX_LABEL = 60  # characters
_FEW = 12  # curves that can be told apart when they are drawn strongly
_OUTLYING = 3  # times the median loss: a loss above it would flatten all other curves


@dataclass(frozen=True)
class Point:
    x: float | None  # None: a gap between two lines
    y: float | None
    hover: tuple[str, ...] = ()  # lines shown under the pointer; the first is a heading
    deviation: float | None = None  # of the metric, to either side of the point
    is_best: bool = False


GAP = Point(None, None)
Mark = Literal["mean", "run", "line", "bar"]


@dataclass(frozen=True)
class Series:
    """Points of one colour: means with error bars, single runs, lines with gaps, or bars."""

    mark: Mark
    colour: str
    points: list[Point]
    group: str = ""  # the entry of the legend that it belongs to
    opacity: float = 1.0
    width: float = 1.3  # of a line, in points


@dataclass(frozen=True)
class Axis:
    title: str
    names: tuple[str, ...] = ()  # of 0, 1, …, from top to bottom
    short_names: tuple[str, ...] = ()  # for narrow screens; none: as above
    is_count: bool = False  # ticks at whole numbers only
    upper_limit: float | None = None  # show 0 to here; None: all there is


@dataclass(frozen=True)
class Chart:
    name: str
    title: str
    x: Axis
    y: Axis
    series: list[Series]
    caption: str = ""
    metric_axis: Literal["x", "y"] = "y"  # along which error bars are drawn
    legend: Legend = NO_LEGEND


def charts_of(board: Leaderboard, importances: Mapping[str, float]) -> list[Chart]:
    """Those charts for which there is something to compare.

    `importances` are a search's, by hyperparameter.
    """
    by_setting, by_size, by_time, by_epoch, loss_by_epoch, importance = NAMES
    legend = legend_of(board)
    charts = (
        _metric_by_setting(by_setting, board, legend),
        _accuracy_by(by_size, board, legend, "bundle_bytes", "bundle size", "MB", 1e6),
        _accuracy_by(by_time, board, legend, "train_seconds", "training time", "s", 1.0),
        _metric_by_epoch(by_epoch, board, legend, board.metric),
        _metric_by_epoch(loss_by_epoch, board, legend, TRAIN_LOSS),
        _importance_of(importance, importances),
    )
    return [chart for chart in charts if chart is not None]


def _metric_by_setting(name: str, board: Leaderboard, legend: Legend) -> Chart | None:
    """Mean and deviation of the best settings, from top to bottom, and a faint dot for each run."""
    metric = board.metric
    scored = _rows_with(board, legend, metric)
    shown = scored[:MAX_ROWS]
    if sum(metric in run.metrics for _, row in shown for run in row.runs) < 2:
        return None
    runs = [
        (group, Point(run.metrics[metric], y, _about_run(row, run, metric, run.metrics[metric])))
        for y, (group, row) in enumerate(shown)
        if row.metrics[metric].deviation is not None
        for run in row.runs
        if metric in run.metrics
    ]
    means = [
        (group, _mean(row.metrics[metric].mean, y, row, metric))
        for y, (group, row) in enumerate(shown)
    ]
    note = f", the best {len(shown)} of {len(scored):,}" if len(scored) > len(shown) else ""
    names = tuple(ellipsize_middle(row.label, _MAX_LABEL) for _, row in shown)
    return Chart(
        name=name,
        title=f"{metric} by setting{note}",
        caption="mean, standard deviation and single runs",
        x=Axis(metric),
        y=Axis("", names, short_names=tuple(f"{row.rank}" for _, row in shown)),
        series=[*_by_colour(legend, "run", runs, 0.35), *_by_colour(legend, "mean", means)],
        metric_axis="x",
        legend=legend,
    )


def _accuracy_by(
    name: str, board: Leaderboard, legend: Legend, cost: str, what: str, unit: str, scale: float
) -> Chart | None:
    """A setting's mean accuracy against one of its costs, in units of `scale`."""
    has_accuracy = any(ACCURACY in row.metrics for row in board.rows)
    metric = ACCURACY if has_accuracy else board.metric
    rows = [pair for pair in _rows_with(board, legend, metric) if cost in pair[1].metrics]
    if len({row.metrics[cost].mean for _, row in rows}) < 2:  # nothing to compare
        return None
    means = []
    for group, row in rows:
        x = row.metrics[cost].mean / scale
        y = row.metrics[metric].mean
        means.append((group, _mean(x, y, row, metric, f"{what} {x:,.2f} {unit}")))
    return Chart(
        name=name,
        title=f"{metric} against {what}",
        caption="a point for each setting",
        x=Axis(f"{what} / {unit}"),
        y=Axis(metric),
        series=_by_colour(legend, "mean", means, 0.9 if len(rows) <= 60 else 0.5),
        legend=legend,
    )


def _metric_by_epoch(name: str, board: Leaderboard, legend: Legend, metric: str) -> Chart | None:
    """A line for each run; all lines of a colour are one series with gaps, which draws fast."""
    rows = list(zip(legend.of_row, board.rows, strict=True))
    curves = [(group, _curve(row, run, metric)) for group, row in rows for run in row.runs]
    curves = [(group, curve) for group, curve in curves if curve]
    if not curves:
        return None
    points = [(group, point) for group, curve in curves for point in (*curve, GAP)]
    opacity = 0.8 if len(curves) <= _FEW else max(0.3, 8 / len(curves))
    series = _by_colour(legend, "line", points, opacity)
    caption = "a line for each run"
    best = [(group, row) for group, row in rows if row.is_best and _curve(row, row.best, metric)]
    for group, row in best:
        curve = _curve(row, row.best, metric)
        series.append(Series("line", legend.colours[group], curve, width=3))
        which = ellipsize_middle(row.label, _MAX_LABEL) if len(best) == 1 else "of each corpus"
        caption = f"a line for each run, the best thick ({which})"
    limit = _upper_limit([curve for _, curve in curves]) if metric.endswith("loss") else None
    return Chart(
        name=name,
        title=f"{metric} by epoch",
        caption=caption,
        x=Axis("epoch", is_count=True),
        y=Axis(metric, upper_limit=limit),
        series=series,
        legend=legend,
    )


def _importance_of(name: str, importances: Mapping[str, float]) -> Chart | None:
    """How much each hyperparameter mattered to a search, the most important on top."""
    bars = sorted(importances.items(), key=lambda item: -item[1])[:MAX_ROWS]
    if not bars:
        return None
    points = [
        Point(share, height, (key, f"{share:.3f}")) for height, (key, share) in enumerate(bars)
    ]
    return Chart(
        name=name,
        title="Importance of hyperparameters",
        caption="share of the differences that each explains",
        x=Axis("importance"),
        y=Axis("", tuple(ellipsize_middle(key, _MAX_LABEL) for key, _ in bars)),
        series=[Series("bar", PALETTE[0], points)],
    )


def _rows_with(board: Leaderboard, legend: Legend, metric: str) -> list[tuple[str, Row]]:
    """The rows that have a metric, the best first, each with its entry of the legend."""
    rows = zip(legend.of_row, board.rows, strict=True)
    return [(group, row) for group, row in rows if metric in row.metrics]


def _by_colour(
    legend: Legend, mark: Mark, points: Sequence[tuple[str, Point]], opacity: float = 1.0
) -> list[Series]:
    """A series for each entry of the legend, of the points that belong to it."""
    return [
        Series(mark, colour, [point for of, point in points if of == group], group, opacity)
        for group, colour in legend.colours.items()
    ]


def _mean(x: float, y: float, row: Row, metric: str, *more: str) -> Point:
    score = row.metrics[metric]
    runs = f"{len(row.runs)} runs" if len(row.runs) > 1 else row.runs[0].name
    about = (row.label, f"{metric} {format_metric(score)}", runs, *more)
    return Point(x, y, about, score.deviation, row.is_best)


def _about_run(row: Row, run: Run, metric: str, value: float) -> tuple[str, ...]:
    return *dict.fromkeys((row.label, run.name)), f"{metric} {value:.4f}"


def _curve(row: Row, run: Run, metric: str) -> list[Point]:
    return [
        Point(
            point["epoch"],
            point[metric],
            (*_about_run(row, run, metric, point[metric]), f"epoch {point['epoch']:g}"),
        )
        for point in run.curve
        if metric in point
    ]


def _upper_limit(curves: Sequence[Sequence[Point]]) -> float | None:
    """Where an axis of losses should end; None if it can show them all."""
    losses = sorted(point.y for curve in curves for point in curve if point.y is not None)
    limit = _OUTLYING * losses[len(losses) // 2]
    return limit if losses[-1] > limit > 0 else None
