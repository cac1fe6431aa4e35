"""Traces and layouts in plotly.js's format, as plain dictionaries.

plotly's own graph objects check each value when they are made, which takes longer than all the rest
of a report. Texts are escaped, as plotly.js takes some HTML tags in them for its own.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from nsmc.reports.groups import Group
from nsmc.reports.leaderboard import Row, Statistic
from nsmc.reports.runs import Run
from nsmc.reports.tables import measured

Trace = dict[str, Any]
Point = tuple[float | None, float | None, str]  # x, y and what is shown when the pointer is on it

GAP: Point = (None, None, "")  # between two lines of one trace


def plain(text: str) -> str:
    """The text as one that plotly.js shows letter by letter; it knows no entity for quotes."""
    return escape(text, quote=False)


def markers(points: Sequence[Point], group: Group, size: int, opacity: float = 1.0) -> Trace:
    """Points of one colour; a click on its entry in the legend hides all of the group."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(group.name),
        "legendgroup": plain(group.name),
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "text": [text for _, _, text in points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": group.colour, "size": size, "opacity": opacity, "line": {"width": 0}},
        "showlegend": False,
    }


def means(
    points: Sequence[Point], rows: Sequence[tuple[Row, Statistic]], group: Group, axis: str
) -> Trace:
    """Settings with error bars along an axis, `x` or `y`; the best is a star."""
    trace = markers(points, group, size=9)
    trace["marker"] |= {
        "symbol": ["star" if row.is_best else "circle" for row, _ in rows],
        "size": [16 if row.is_best else 9 for row, _ in rows],
    }
    trace[f"error_{axis}"] = {
        "type": "data",
        "array": [score.deviation for _, score in rows],
        "thickness": 1.3,
        "width": 3,
    }
    return trace


def legend_entry(group: Group) -> list[Trace]:
    """What the legend shows of a group; its own traces have stars or are faint."""
    entry = {**markers([GAP], group, size=9), "showlegend": True}
    return [entry] if group.name else []


def layout(x: str, y: str, height: int, legend: str) -> dict[str, Any]:
    """Axes with their titles, and a legend above the picture where it says something."""
    return {
        "xaxis": {"title": {"text": plain(x)}, "automargin": True},
        "yaxis": {"title": {"text": plain(y)}, "automargin": True},
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 36, "b": 10},
        "hovermode": "closest",
        "showlegend": bool(legend),
        "legend": {
            "title": {"text": plain(legend)},
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "x": 0,
        },
    }


def about_setting(row: Row, metric: str, score: Statistic) -> str:
    runs = f"{len(row.runs)} runs" if len(row.runs) > 1 else plain(row.runs[0].name)
    return f"<b>{plain(row.label)}</b><br>{plain(metric)} {measured(score)}<br>{runs}"


def about_run(row: Row, run: Run, metric: str, value: float) -> str:
    label = f"<b>{plain(row.label)}</b><br>" if row.label != run.name else ""
    return f"{label}{plain(run.name)}<br>{plain(metric)} {value:.4f}"
