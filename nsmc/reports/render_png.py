"""Draws a chart with matplotlib, as the bytes of a PNG file, and leaves its global state alone.

Text from a record is never taken for a formula, and has a sign for each letter that no font has.
"""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nsmc.reports.charts import Axis, Chart, Series
from nsmc.reports.legend import Legend
from nsmc.training.fonts import drawable, families

_DPI = 130
_GRID: dict[str, Any] = {"color": "#e2e2e2", "linewidth": 0.7}
_FAINT = "#666666"
_EDGE: dict[str, Any] = {"markeredgecolor": "black", "markeredgewidth": 0.8}
_SMALL: dict[str, Any] = {"ms": 2, "mew": 0}

Array = npt.NDArray[np.float64]


def png(chart: Chart) -> bytes:
    """The chart as a PNG file."""
    image = io.BytesIO()
    draw(chart).savefig(image, format="png")
    return image.getvalue()


def draw(chart: Chart) -> Figure:
    """The chart as a figure that belongs to nobody else."""
    names = len(chart.y.names)
    size = (9, 1.5 + 0.27 * max(names, 3)) if names else (6.5, 4.4)  # inches
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.grid(True, **_GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    for series in chart.series:
        _draw(axes, series, chart.metric_axis)
    _set_axis(axes, "x", chart.x)
    _set_axis(axes, "y", chart.y)
    axes.set_title(f"{chart.title}\n", fontsize=10)
    style: dict[str, Any] = {"ha": "center", "va": "bottom", "color": _FAINT}
    style |= {"transform": axes.transAxes, "fontproperties": _font(chart.caption)}
    axes.text(0.5, 1.02, _label(chart.caption), **style)
    _add_legend(figure, chart.legend)
    return figure


def _draw(axes: Any, series: Series, metric_axis: str) -> None:
    x = np.array([point.x for point in series.points], dtype=float)  # None becomes NaN, a gap
    y = np.array([point.y for point in series.points], dtype=float)
    style = {"color": series.colour, "alpha": series.opacity}
    match series.mark:
        case "bar":
            axes.barh(y, x, height=0.65, **style)
        case "run":
            axes.plot(x, y, "o", ms=4.5, mew=0, **style)
        case "line":  # the marks show runs of one epoch
            is_best = series.width > 2
            marks: dict[str, Any] = {"ms": 5, "zorder": 4, **_EDGE} if is_best else _SMALL
            axes.plot(x, y, "o-", lw=series.width, **style, **marks)
        case "mean":
            _draw_means(axes, series, x, y, f"{metric_axis}err")


def _draw_means(axes: Any, series: Series, x: Array, y: Array, errors: str) -> None:
    """Points with error bars; the best is a larger star with a dark edge."""
    is_best = np.array([point.is_best for point in series.points], dtype=bool)
    deviation = np.array([point.deviation for point in series.points], dtype=float)  # NaN: no bar
    plain: dict[str, Any] = {"fmt": "o", "markersize": 5.5, "zorder": 3, "alpha": series.opacity}
    star: dict[str, Any] = {"fmt": "*", "markersize": 14, "zorder": 4, **_EDGE}
    for chosen, shape in ((~is_best, plain), (is_best, star)):
        if chosen.any():
            bars = {errors: deviation[chosen], "capsize": 2.5, "elinewidth": 1.2}
            axes.errorbar(x[chosen], y[chosen], color=series.colour, **bars, **shape)


def _set_axis(axes: Any, letter: str, axis: Axis) -> None:
    matplotlib_axis = getattr(axes, f"{letter}axis")
    matplotlib_axis.set_label_text(_label(axis.title), fontsize=9)
    if axis.names:
        labels = [_label(name) for name in axis.names]
        matplotlib_axis.set_ticks(range(len(labels)), labels, fontproperties=_font("".join(labels)))
        axes.set(**{f"{letter}lim": (len(labels) - 0.5, -0.5)})
    if axis.is_count:
        matplotlib_axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if axis.upper_limit is not None:
        axes.set(**{f"{letter}lim": (0, axis.upper_limit)})


def _add_legend(figure: Figure, legend: Legend) -> None:
    """What the colours stand for, if there are several, below the axes."""
    if not legend.title:
        return
    labels = [_label(f"{legend.title} {group}") for group in legend.colours]
    pairs = zip(labels, legend.colours.values(), strict=True)
    handles = [Line2D([], [], color=colour, lw=3, label=label) for label, colour in pairs]
    style: dict[str, Any] = {"ncols": 4, "prop": _font("".join(labels)), "frameon": False}
    figure.legend(handles=handles, loc="outside lower center", **style)


def _font(text: str) -> Any:
    return FontProperties(family=families(text), size=8)


def _label(text: str) -> str:
    """The text with letters that the fonts have, and no formula between dollar signs."""
    label = drawable(text).replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label  # matplotlib hides labels like "_this"
