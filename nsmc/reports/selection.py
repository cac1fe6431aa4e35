"""What the pictures show of a leaderboard, on paper and in the page alike."""

from collections.abc import Sequence

from nsmc.reports.leaderboard import ACCURACY, Leaderboard, Row, Statistic
from nsmc.reports.runs import Run

TRAIN_LOSS = "train/loss"

Line = list[tuple[float, float]]  # epoch, value

_OUTLYING = 3  # times the median loss: what is beyond it would flatten all other curves


def accuracy_metric(board: Leaderboard) -> str:
    """The validation accuracy, or the leaderboard's metric where no run has one."""
    return ACCURACY if any(row.accuracy for row in board.rows) else board.metric


def scored(board: Leaderboard, metric: str) -> list[tuple[int, Row, Statistic]]:
    """The rows that have a metric, each with its place, the best first."""
    chosen = [row.score if metric == board.metric else row.accuracy for row in board.rows]
    pairs = enumerate(zip(board.rows, chosen, strict=True))
    return [(place, row, score) for place, (row, score) in pairs if score is not None]


def seeds_of(row: Row, metric: str) -> list[float]:
    """The metric of each run of a setting."""
    return [run.metrics[metric] for run in row.runs if metric in run.metrics]


def best_run(board: Leaderboard) -> tuple[int, Run] | None:
    """The best run of the first best setting, and the setting's place; None where none is."""
    for place, row in enumerate(board.rows):
        if row.is_best and row.best is not None:
            return place, row.best
    return None


def lines_of(board: Leaderboard, name: str) -> list[tuple[int, Run, Line]]:
    """Every run that has a learning curve of this metric, with its setting's place."""
    runs = [(place, run) for place, row in enumerate(board.rows) for run in row.runs]
    return [(place, run, line) for place, run in runs if (line := line_of(run, name))]


def line_of(run: Run, name: str) -> Line:
    """The points of a metric's learning curve."""
    return [(point["epoch"], point[name]) for point in run.curve if name in point]


def highest_loss(lines: Sequence[Line]) -> float | None:
    """Where an axis of losses had better end; None where it may show them all."""
    losses = sorted(loss for line in lines for _, loss in line)
    if not losses:
        return None
    limit = _OUTLYING * losses[len(losses) // 2]
    return limit if losses[-1] > limit > 0 else None
