"""The picture of all runs' learning curves."""

from collections.abc import Sequence
from typing import Any

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nsmc.reports.canvas import canvas, label_of, legend
from nsmc.reports.groups import Grouping, grouping
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.selection import (
    TRAIN_LOSS,
    Line,
    best_run,
    highest_loss,
    line_of,
    lines_of,
)

_FEW = 12  # curves that can be told apart when they are strong
_BEST: dict[str, Any] = {"marker": "o", "ms": 5, "mec": "black", "mew": 0.8, "lw": 2.6}


def learning_curves(board: Leaderboard) -> Figure | None:
    """The metric and the training loss after each epoch, a line for each run."""
    names = (board.metric, TRAIN_LOSS)
    if not any(lines_of(board, name) for name in names):
        return None
    colours, best = grouping(board), best_run(board)
    figure, panels = canvas(10, 4.4, panels=2)
    for axes, name in zip(panels, names, strict=True):
        _draw_all(axes, lines_of(board, name), colours)
        if best is not None and (line := line_of(best[1], name)):
            axes.plot(*zip(*line, strict=True), color=colours.of_row[best[0]], zorder=4, **_BEST)
        _label(axes, name, [line for _, _, line in lines_of(board, name)])
    legend(figure, colours, _best_line(board, colours, best[0]) if best else [])
    return figure


def _draw_all(axes: Any, lines: Sequence[tuple[int, object, Line]], colours: Grouping) -> None:
    """One collection for all lines: hundreds are drawn fast."""
    few = len(lines) <= _FEW
    alpha, width = (0.75, 1.3) if few else (max(0.12, 6 / len(lines)), 0.9)
    shades = [colours.of_row[place] for place, _, _ in lines]
    points = [line for _, _, line in lines]
    collection = LineCollection(points, colors=shades, alpha=alpha, linewidths=width)
    axes.add_collection(collection)
    # A run of one epoch is a point, no line.
    single = [(line[0], shade) for line, shade in zip(points, shades, strict=True) if len(line) < 2]
    for (epoch, value), shade in single:
        axes.plot(epoch, value, "o", color=shade, ms=4, alpha=max(alpha, 0.4))
    axes.autoscale_view()


def _label(axes: Any, name: str, lines: Sequence[Line]) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.set_title(f"{name} by epoch", fontsize=10)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    highest = highest_loss(lines)
    if name.endswith("loss") and highest is not None:
        axes.set_ylim(0, highest)


def _best_line(board: Leaderboard, colours: Grouping, place: int) -> list[Line2D]:
    label = label_of(f"best: {board.rows[place].label}")
    return [Line2D([], [], color=colours.of_row[place], label=label, **_BEST)]
