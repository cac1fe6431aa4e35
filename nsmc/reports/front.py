"""What a search asked of its runs: limits that they may break, and objectives that make a front."""

import json
from collections.abc import Mapping, Sequence

from nsmc.config.search import OBJECTIVES
from nsmc.reports.records import Run

# By key of the configuration: a run's cost, and what the key's unit is of the cost's.
_LIMITS = {
    "search.max_megabytes": ("bundle_bytes", 1e6),
    "search.max_microseconds": ("microseconds", 1.0),
}
_COSTS = {"size": "bundle_bytes", "time": "microseconds"}


def breaks_a_limit(run: Run) -> bool:
    """Whether the run is above what its search allows."""
    for key, (cost, unit) in _LIMITS.items():
        most = run.config.get(key)
        if isinstance(most, int | float) and run.metrics.get(cost, 0) > most * unit:
            return True
    return False


def objectives_of(runs: Sequence[Run]) -> list[str]:
    """The objectives of the one search that all the runs are of; none where there is none."""
    texts = {str(run.config.get("search.objectives")) for run in runs}
    if len(texts) != 1:
        return []
    try:
        names = json.loads(texts.pop())
    except ValueError:
        return []
    is_known = isinstance(names, list) and len(names) > 1
    return names if is_known and all(isinstance(n, str) and n in OBJECTIVES for n in names) else []


def metric_of(objective: str) -> str:
    """What an objective is called among a run's metrics."""
    return _COSTS.get(objective, f"val/{objective}")


def front(settings: Sequence[Mapping[str, float]], objectives: Sequence[str]) -> list[bool]:
    """Which settings no other one is as good as in all objectives, and better than in one.

    Each is its means by metric; one that lacks an objective is not on the front.
    """
    points = [_point(means, objectives) if objectives else None for means in settings]
    known = [point for point in points if point is not None]
    return [
        point is not None and not any(_beats(other, point) for other in known) for point in points
    ]


def _point(means: Mapping[str, float], objectives: Sequence[str]) -> tuple[float, ...] | None:
    """The lower the better in each; None where one is missing."""
    if not all(metric_of(name) in means for name in objectives):
        return None
    return tuple(means[metric_of(name)] * (1 if OBJECTIVES[name] else -1) for name in objectives)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
