"""The parts that the report's matplotlib pictures share: axes, points, legends, safe text."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nsmc.reports.groups import Grouping
from nsmc.reports.leaderboard import Statistic
from nsmc.reports.values import shortened
from nsmc.training.fonts import drawable, families

_LONGEST_LABEL = 56  # characters
_DPI = 130
_GRID = {"color": "#e2e2e2", "linewidth": 0.7}


def canvas(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Any]]:
    """A figure of so many inches, and its axes side by side."""
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    row = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in row:
        axes.grid(True, **_GRID)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.xaxis.label.set_size(9)
        axes.yaxis.label.set_size(9)
    return figure, row


def point(
    axes: Any, x: float, y: float, colour: str, is_best: bool, alpha: float = 1.0, **errors: float
) -> None:
    """A mean with its error bars, `xerr` or `yerr`; the best is a larger star with a dark edge."""
    shape: dict[str, Any] = {"fmt": "o", "markersize": 5.5, "zorder": 3}
    if is_best:
        edge = {"markeredgecolor": "black", "markeredgewidth": 0.8}
        shape = {"fmt": "*", "markersize": 14, "zorder": 4, **edge}
        alpha = 1.0
    axes.errorbar(x, y, color=colour, alpha=alpha, capsize=2.5, elinewidth=1.2, **shape, **errors)


def spread(metric: Statistic, axis: str) -> dict[str, float]:
    """The error bar of a mean; none for one run."""
    return {} if metric.deviation is None else {axis: metric.deviation}


def legend(figure: Figure, colours: Grouping, others: Sequence[Line2D] = ()) -> None:
    """What the colours stand for, where there are several, below the axes."""
    handles = [
        Line2D([], [], color=group.colour, lw=3, label=label_of(f"{colours.title} {group.name}"))
        for group in colours.groups
        if colours.title
    ]
    handles += others
    if handles:
        font = {
            "family": families("".join(str(handle.get_label()) for handle in handles)),
            "size": 8,
        }
        style: dict[str, Any] = {"ncols": 4, "prop": font, "frameon": False}
        figure.legend(handles=handles, loc="outside lower center", **style)


def name_heights(axes: Any, names: Sequence[str]) -> None:
    """Name the heights 0, 1, … from top to bottom."""
    labels = [label_of(name) for name in names]
    axes.set_yticks(range(len(labels)), labels, fontsize=8, family=families("".join(labels)))
    axes.set_ylim(len(labels) - 0.5, -0.5)


def label_of(text: str) -> str:
    """The text as a short label: in letters the fonts have, and no formula between dollar signs."""
    label = drawable(shortened(text, _LONGEST_LABEL)).replace("$", r"\$")
    return f" {label}" if label.startswith("_") else label  # matplotlib leaves out "_names"
