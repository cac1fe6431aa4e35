"""Draws a chart for the page, as plain data for plotly.js; the page's script adds its colours.

plotly.js takes some HTML tags in texts for its own, so texts from records are escaped.
"""

from html import escape
from typing import Any

from nsmc.reports.charts import GAP, Axis, Chart, Point, Series
from nsmc.reports.legend import Legend

# plotly.js's "data" and "layout", a name, and shorter "ticks" for narrow screens
Figure = dict[str, Any]

_FEW_EPOCHS = 12  # that each have a tick


def figure(chart: Chart) -> Figure:
    """The chart as plotly.js draws it."""
    names = len(chart.y.names)
    layout = {
        "xaxis": _axis(chart.x, chart.series),
        "yaxis": _axis(chart.y, chart.series),
        "height": 130 + 26 * max(names, 3) if names else 420,
        "margin": {"l": 10, "r": 16, "t": 36, "b": 10},
        "hovermode": "closest",
        "showlegend": bool(chart.legend.title),
        "legend": {
            "title": {"text": _escape(chart.legend.title)},
            **{"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
        },
    }
    traces = [_trace(series, chart.metric_axis) for series in chart.series]
    return {
        "name": chart.name,
        "data": [*_legend_entries(chart.legend), *traces],
        "layout": layout,
        "ticks": [*chart.y.short_names],
    }


def _trace(series: Series, metric_axis: str) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": _escape(series.group),
        "legendgroup": _escape(series.group),  # a click on its entry hides all of the group
        "x": [point.x for point in series.points],
        "y": [point.y for point in series.points],
        "text": [_hover(point) for point in series.points],
        "hovertemplate": "%{text}<extra></extra>",
        "opacity": series.opacity,
        "marker": {"color": series.colour, "size": 6, "opacity": 1, "line": {"width": 0}},
        "showlegend": False,
    }
    match series.mark:
        case "mean":
            best = [point.is_best for point in series.points]
            shapes = {"symbol": ["star" if is_best else "circle" for is_best in best]}
            trace["marker"] |= {**shapes, "size": [16 if is_best else 9 for is_best in best]}
            deviations = [point.deviation for point in series.points]
            bars = {"type": "data", "array": deviations, "thickness": 1.3, "width": 3}
            trace[f"error_{metric_axis}"] = bars
        case "line":
            trace["marker"]["size"] = 3 + round(series.width)
            line = {"width": series.width, "color": series.colour}
            trace |= {"mode": "lines+markers", "line": line}
        case "bar":
            shares = [_escape(point.hover[-1]) for point in series.points]  # on the bars
            trace |= {"type": "bar", "orientation": "h", "text": shares, "hoverinfo": "skip"}
            del trace["hovertemplate"]
    return trace


def _axis(axis: Axis, series: list[Series]) -> dict[str, Any]:
    layout: dict[str, Any] = {"title": {"text": _escape(axis.title)}, "automargin": True}
    if names := [_escape(name) for name in axis.names]:
        layout |= {"tickvals": [*range(len(names))], "ticktext": names, "zeroline": False}
        layout["range"] = [len(names) - 0.4, -0.6]
    epochs = {point.x for line in series for point in line.points} - {None}
    if axis.is_count and len(epochs) <= _FEW_EPOCHS:
        layout["dtick"] = 1
    if axis.upper_limit is not None:
        layout["range"] = [0, axis.upper_limit]
    return layout


def _legend_entries(legend: Legend) -> list[dict[str, Any]]:
    """A trace without points for each colour: the others have stars or are faint."""
    if not legend.title:
        return []
    entries = [Series("run", colour, [GAP], group) for group, colour in legend.colours.items()]
    return [{**_trace(entry, "y"), "showlegend": True} for entry in entries]


def _hover(point: Point) -> str:
    heading, *lines = [_escape(line) for line in point.hover] or [""]
    return "<br>".join([heading and f"<b>{heading}</b>", *lines])


def _escape(text: str) -> str:
    """The text with its tags made plain; plotly.js knows no entity for quotes."""
    return escape(text, quote=False)
