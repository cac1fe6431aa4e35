"""The report's interactive pictures: what `plots` draws, for plotly.js in the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from nsmc.reports.groups import PALETTE, Group, grouping
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.runs import Run
from nsmc.reports.selection import (
    TRAIN_LOSS,
    Line,
    accuracy_metric,
    best_run,
    highest_loss,
    lines_of,
    scored,
    seeds_of,
)
from nsmc.reports.tables import ROWS_SHOWN
from nsmc.reports.traces import (
    GAP,
    Point,
    Trace,
    about_run,
    about_setting,
    layout,
    legend_entry,
    markers,
    means,
    plain,
)
from nsmc.reports.values import shortened

# plotly.js's "data" and "layout", and for a narrow screen shorter "ticks".
Figure = dict[str, Any]

_LONGEST_LABEL = 60  # characters
_FEW = 12  # curves that can be told apart when they are strong


def figures(board: Leaderboard, importances: Mapping[str, float]) -> dict[str, Figure]:
    """Each picture under its title; those for which nothing was measured are left out."""
    accuracy = accuracy_metric(board)
    size, time = (
        ("bundle_bytes", "bundle size / MB", 1e6),
        ("train_seconds", "training time / s", 1.0),
    )
    settings = len(scored(board, board.metric))
    note = f", the best {ROWS_SHOWN} of {settings:,}" if settings > ROWS_SHOWN else ""
    drawn = {
        f"{board.metric} by setting{note}": metric_by_setting(board),
        f"{accuracy} against bundle size": accuracy_by(board, *size),
        f"{accuracy} against training time": accuracy_by(board, *time),
        f"{board.metric} by epoch": learning_curves(board, board.metric),
        f"{TRAIN_LOSS} by epoch": learning_curves(board, TRAIN_LOSS),
        "Importance of hyperparameters": importance(importances),
    }
    return {title: figure for title, figure in drawn.items() if figure is not None}


def metric_by_setting(board: Leaderboard) -> Figure | None:
    """Mean and deviation of the best settings, from top to bottom, and a faint dot for each run."""
    metric, colours = board.metric, grouping(board)
    shown = [(height, *each) for height, each in enumerate(scored(board, metric)[:ROWS_SHOWN])]
    data: list[Trace] = []
    for group in colours.groups:
        own = [each for each in shown if colours.of_row[each[1]] == group.colour]
        seeds: list[Point] = [
            (run.metrics[metric], height, about_run(row, run, metric, run.metrics[metric]))
            for height, _, row, _ in own
            for run in row.runs
            if len(seeds_of(row, metric)) > 1 and metric in run.metrics
        ]
        points: list[Point] = [
            (score.mean, height, about_setting(row, metric, score)) for height, _, row, score in own
        ]
        data += [*legend_entry(group), markers(seeds, group, size=6, opacity=0.35)]
        data.append(means(points, [each[2:] for each in own], group, "x"))
    plan = layout(metric, "", 130 + 26 * max(len(shown), 3), colours.title)
    labels = [plain(shortened(row.label, _LONGEST_LABEL)) for _, _, row, _ in shown]
    _name_heights(plan, labels)
    ranks = [f"{place + 1}" for _, place, _, _ in shown]
    return {"data": data, "layout": plan, "ticks": ranks} if shown else None


def accuracy_by(board: Leaderboard, measure: str, label: str, unit: float) -> Figure | None:
    """A setting's mean accuracy against one of its measures; the best is a star."""
    metric, colours = accuracy_metric(board), grouping(board)
    rows = [each for each in scored(board, metric) if measure in each[1].measures]
    data: list[Trace] = []
    for group in colours.groups:
        points: list[Point] = []
        own = [(row, score) for place, row, score in rows if colours.of_row[place] == group.colour]
        for row, score in own:
            x = row.measures[measure] / unit
            text = f"{about_setting(row, metric, score)}<br>{label} {x:,.2f}"
            points.append((x, score.mean, text))
        data += [*legend_entry(group), means(points, own, group, "y")]
    return {"data": data, "layout": layout(label, metric, 420, colours.title)} if rows else None


def learning_curves(board: Leaderboard, metric: str) -> Figure | None:
    """A line for each run; all lines of a colour are one trace with gaps, which draws fast."""
    lines, colours, best = lines_of(board, metric), grouping(board), best_run(board)
    opacity = 0.8 if len(lines) <= _FEW else max(0.35, 8 / len(lines))
    data: list[Trace] = []
    for group in colours.groups:
        own = [each for each in lines if colours.of_row[each[0]] == group.colour]
        points = [point for each in own for point in [*_points(board, metric, *each), GAP]]
        data += [*legend_entry(group), _joined(points, group, width=1.3, opacity=opacity)]
    for each in lines:
        if best is not None and each[1] is best[1]:
            group = Group("", colours.of_row[each[0]])
            data.append(_joined(_points(board, metric, *each), group, width=3.5))
    plan = layout("epoch", metric, 420, colours.title)
    highest = highest_loss([line for _, _, line in lines]) if metric.endswith("loss") else None
    plan["yaxis"] |= {} if highest is None else {"range": [0, highest]}
    epochs = {epoch for _, _, line in lines for epoch, _ in line}
    plan["xaxis"] |= {"dtick": 1} if len(epochs) <= _FEW else {}
    return {"data": data, "layout": plan} if lines else None


def importance(importances: Mapping[str, float]) -> Figure | None:
    """How much each hyperparameter mattered to a search, the most important on top."""
    bars = sorted(importances.items(), key=lambda item: -item[1])[:ROWS_SHOWN]
    plan = layout("importance", "", 110 + 28 * len(bars), "")
    _name_heights(plan, [plain(shortened(name, _LONGEST_LABEL)) for name, _ in bars])
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [value for _, value in bars],
        "y": [*range(len(bars))],
        "text": [f"{value:.3f}" for _, value in bars],
        "hoverinfo": "skip",
        "marker": {"color": PALETTE[0]},
    }
    return {"data": [trace], "layout": plan} if bars else None


def _points(board: Leaderboard, metric: str, place: int, run: Run, line: Line) -> list[Point]:
    row = board.rows[place]
    return [
        (epoch, value, f"{about_run(row, run, metric, value)}<br>epoch {epoch:g}")
        for epoch, value in line
    ]


def _joined(points: Sequence[Point], group: Group, width: float, opacity: float = 1.0) -> Trace:
    trace = markers(points, group, size=3 + round(width))
    lines = {"mode": "lines+markers", "line": {"width": width, "color": group.colour}}
    return {**trace, **lines, "opacity": opacity}


def _name_heights(plan: dict[str, Any], names: Sequence[str]) -> None:
    """Name the heights 0, 1, … of a layout from top to bottom."""
    ticks = {"tickvals": [*range(len(names))], "ticktext": [*names]}
    plan["yaxis"] |= {**ticks, "range": [len(names) - 0.4, -0.6], "zeroline": False}
