"""How a search chooses, in Optuna's terms: directions, distributions, samplers, limits, pruners."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection

from nsmc.config.search import OBJECTIVES, Range, SearchConfig


def check_sampler(search: SearchConfig) -> None:
    """Raises ValueError for a sampler that something is missing for."""
    if search.sampler == "gp" and importlib.util.find_spec("scipy") is None:
        raise ValueError("search.sampler=gp: needs pip install scipy")


def directions(search: SearchConfig, monitor: str) -> list[StudyDirection]:
    """Of the objectives, else of the metric that is monitored."""
    lower_is_better = (
        [OBJECTIVES[name] for name in search.objectives]
        if search.objectives
        else [monitor == "val/loss"]
    )
    low, high = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE
    return [low if lower else high for lower in lower_is_better]


def metric_of(objective: str) -> str:
    """What an objective is called among a trial's metrics and costs."""
    return {"size": "megabytes", "time": "microseconds"}.get(objective, f"val/{objective}")


def sampler(search: SearchConfig, seed: int | None = None) -> optuna.samplers.BaseSampler:
    startup = search.startup_trials
    if search.sampler == "tpe":
        # Trials that are under way count as bad ones, so that others look elsewhere.
        return optuna.samplers.TPESampler(n_startup_trials=startup, constant_liar=True, seed=seed)
    if search.sampler == "gp":
        return optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def excess_of(search: SearchConfig, costs: Mapping[str, float]) -> dict[str, float]:
    """How far a trial is above each limit of the search; what is not known is below it."""
    return {f"max_{what}": costs.get(what, 0) - most for what, most in limits_of(search).items()}


def limits_of(search: SearchConfig) -> dict[str, float]:
    """The most that a trial may have, by what is measured: megabytes and microseconds."""
    limits = {"megabytes": search.max_megabytes, "microseconds": search.max_microseconds}
    return {what: most for what, most in limits.items() if most is not None}


def pruner(search: SearchConfig) -> optuna.pruners.BasePruner:
    if search.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials)
    if search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()


def distribution(values: Sequence[Any] | Range) -> BaseDistribution:
    """Optuna's form of a parameter's choices or range."""
    if not isinstance(values, Range):
        return CategoricalDistribution(list(values))
    low, high, step = values.low, values.high, values.step
    if isinstance(low, int) and isinstance(high, int) and (step is None or isinstance(step, int)):
        return IntDistribution(low, high, log=values.log, step=step or 1)
    return FloatDistribution(low, high, log=values.log, step=step)
