"""The chart of a search's two first objectives, with the front as a line."""

from nsmc.config.search import OBJECTIVES
from nsmc.reports.charts import Axis, Chart, Point, Series
from nsmc.reports.front import metric_of
from nsmc.reports.leaderboard import Leaderboard, Row

FRONT = "front"  # also the name of its file, without the ending

_UNITS = {"size": ("bundle size / MB", 1e6), "time": ("time of one review / µs", 1.0)}
_FAINT, _STRONG = "#7f7f7f", "#d55e00"


def front_charts(board: Leaderboard) -> list[Chart]:
    """The chart, where the runs are of a search for several objectives."""
    if not board.objectives:
        return []
    # A cost lies along the bottom.
    x, y = sorted(board.objectives[:2], key=lambda name: not OBJECTIVES[name])
    names = [metric_of(name) for name in (x, y)]
    rows = [row for row in board.rows if all(name in row.metrics for name in names)]
    if len(rows) < 2:
        return []
    points = [_point(row, x, y) for row in rows]
    front = [point for row, point in zip(rows, points, strict=True) if row.on_front]
    line = sorted(front, key=lambda point: (point.x or 0, point.y or 0))
    of = "" if len(board.objectives) == 2 else f", the front of {', '.join(board.objectives)}"
    return [
        Chart(
            name=FRONT,
            title=f"Front of {y} and {x}",
            caption=f"a point for each setting, {len(front)} of them on the front{of}",
            x=Axis(_title(x)),
            y=Axis(_title(y)),
            series=[
                Series("mean", _FAINT, points, opacity=0.7),
                Series("line", _STRONG, line, width=3),
            ],
        )
    ]


def _title(objective: str) -> str:
    return _UNITS[objective][0] if objective in _UNITS else metric_of(objective)


def _point(row: Row, x: str, y: str) -> Point:
    values = [row.metrics[metric_of(name)].mean / _UNITS.get(name, ("", 1.0))[1] for name in (x, y)]
    told = [f"{_title(name)} {value:.5g}" for name, value in zip((x, y), values, strict=True)]
    state = "over a limit" if row.is_over else "on the front" if row.on_front else ""
    hover = (row.label, *told, *([state] if state else []))
    return Point(values[0], values[1], hover, is_best=row.is_best)
