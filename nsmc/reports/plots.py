"""The report's pictures, as matplotlib figures. None of them touches matplotlib's global state."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from nsmc.reports.canvas import canvas, legend, name_heights, point, spread
from nsmc.reports.curve_plot import learning_curves
from nsmc.reports.groups import PALETTE, grouping
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.selection import accuracy_metric, scored, seeds_of
from nsmc.reports.tables import ROWS_SHOWN

FILES = (
    "metric_by_setting.png",
    "accuracy_by_size.png",
    "accuracy_by_time.png",
    "learning_curves.png",
    "importance.png",
)


def plots(board: Leaderboard, importances: Mapping[str, float]) -> dict[str, Figure]:
    """Each picture under its file's name; those for which nothing was measured are left out."""
    figures = (
        metric_by_setting(board),
        accuracy_by(board, "bundle_bytes", "bundle size / MB", 1e6),
        accuracy_by(board, "train_seconds", "training time / s", 1.0),
        learning_curves(board),
        importance(importances),
    )
    drawn = zip(FILES, figures, strict=True)
    return {name: figure for name, figure in drawn if figure is not None}


def metric_by_setting(board: Leaderboard) -> Figure | None:
    """Mean and deviation of the best settings, from top to bottom, and a faint dot for each run."""
    rows = scored(board, board.metric)
    shown = rows[:ROWS_SHOWN]
    if not shown:
        return None
    colours = grouping(board)
    figure, (axes,) = canvas(9, 1.3 + 0.27 * max(len(shown), 3))
    for height, (place, row, score) in enumerate(shown):
        colour, seeds = colours.of_row[place], seeds_of(row, board.metric)
        if len(seeds) > 1:
            axes.plot(seeds, [height] * len(seeds), "o", color=colour, ms=4.5, alpha=0.35, mew=0)
        point(axes, score.mean, height, colour, row.is_best, **spread(score, "xerr"))
    name_heights(axes, [row.label for _, row, _ in shown])
    axes.set_xlabel(f"{board.metric} (mean, standard deviation and single runs)")
    note = f", the best {len(shown)} of {len(rows):,}" if len(rows) > len(shown) else ""
    axes.set_title(f"{board.metric} by setting{note}", fontsize=10)
    legend(figure, colours)
    return figure


def accuracy_by(board: Leaderboard, measure: str, label: str, unit: float) -> Figure | None:
    """A setting's mean accuracy against one of its measures; the best is a star."""
    metric = accuracy_metric(board)
    points = [each for each in scored(board, metric) if measure in each[1].measures]
    if not points:
        return None
    colours = grouping(board)
    figure, (axes,) = canvas(6.5, 4.2)
    alpha = 0.9 if len(points) <= 60 else 0.4
    for place, row, score in reversed(points):  # the best on top
        x, bars = row.measures[measure] / unit, spread(score, "yerr")
        point(axes, x, score.mean, colours.of_row[place], row.is_best, alpha, **bars)
    axes.set_xlabel(label)
    axes.set_ylabel(metric)
    axes.set_title(f"{metric} against {label.partition(' /')[0]}, by setting", fontsize=10)
    axes.margins(0.08)
    legend(figure, colours)
    return figure


def importance(importances: Mapping[str, float]) -> Figure | None:
    """How much each hyperparameter mattered to a search, the most important on top."""
    bars = sorted(importances.items(), key=lambda item: -item[1])[:ROWS_SHOWN]
    if not bars:
        return None
    figure, (axes,) = canvas(6.5, 1.2 + 0.3 * len(bars))
    axes.barh(range(len(bars)), [value for _, value in bars], color=PALETTE[0], height=0.65)
    name_heights(axes, [name for name, _ in bars])
    axes.set_xlabel("importance (share of the differences that it explains)")
    axes.set_title("Importance of hyperparameters", fontsize=10)
    return figure
