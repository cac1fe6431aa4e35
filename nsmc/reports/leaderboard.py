"""Ranks settings: a row for each, over its seeds and folds, by the validation metric."""

import math
import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from nsmc.reports.front import breaks_a_limit, front, objectives_of
from nsmc.reports.records import Problem, Run
from nsmc.reports.settings import (
    ARCHITECTURE_COLUMN,
    CORPUS,
    FOLD,
    MISSING,
    SEED,
    TASKS,
    column_names,
    corpus_names,
    corpus_of,
    settings_of,
    task_of,
    varied_keys,
)
from nsmc.reports.values import Value, format_value

ACCURACY = "val/accuracy"
_ALWAYS = (ACCURACY, "val/loss")
TEST_ACCURACY = "test/accuracy"

_MONITOR = "callbacks.checkpoint.monitor"

BEST_RUN = "best run"
# Names that a column for a setting must not have.
RESERVED = (
    *("task", "rank", "front", "runs", "p", "parameters", "seconds", "reviews/s", "MB", "µs"),
    *(CORPUS, BEST_RUN),
)

FEW = 6  # columns of settings that a reader takes in
NAMELESS = (CORPUS, ARCHITECTURE_COLUMN)  # columns whose values say enough without a name


@dataclass(frozen=True)
class Statistic:
    """A metric over the runs of a setting."""

    mean: float
    deviation: float | None  # of the sample, over n - 1; None for one run


@dataclass(frozen=True)
class Significance:
    """What the answers of a setting's runs say: see `significance`.

    `p` is against the best setting of the corpus; None for itself, and where it cannot be told. A
    setting `is_tied` that cannot be told from the best, and so is then the best.
    """

    intervals: dict[str, tuple[float, float]]  # of 95 %, by metric
    p: float | None
    is_tied: bool


@dataclass(frozen=True)
class Row:
    """A setting, and how its runs turned out."""

    values: dict[str, Value]  # by the leaderboard's columns
    label: str
    runs: list[Run]
    best: Run  # by the leaderboard's metric; without it, the first by name
    metrics: dict[str, Statistic]  # as in `Run.metrics`
    rank: int = 0  # from 1, in its corpus
    is_best: bool = False  # of its corpus
    is_over: bool = False  # above a limit of its search, and so never the best
    on_front: bool = False  # of the search's objectives
    test: Significance | None = None


@dataclass(frozen=True)
class Leaderboard:
    """The settings of one task: corpora by name, in each the best first."""

    task: str
    columns: list[str]  # what was varied
    usual: dict[str, Value]  # of many columns, those where most settings have one value, and it
    metric: str
    rows: list[Row]
    objectives: tuple[str, ...] = ()  # of the one search that all runs are of, if it has several

    @property
    def title(self) -> str:
        return TASKS.get(self.task, f"task={self.task}")

    @property
    def lower_is_better(self) -> bool:
        return self.metric.endswith("loss")


def leaderboards(runs: Sequence[Run]) -> list[Leaderboard]:
    """One for each task: a language model's loss per token is not comparable to a classifier's."""
    tasks = sorted({task_of(run) for run in runs}, key=lambda task: (task not in TASKS, task))
    return [leaderboard([run for run in runs if task_of(run) == task]) for task in tasks]


def leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Rank the settings of one task's finished runs, each corpus on its own."""
    settings, corpora = settings_of(runs), corpus_names(runs)
    keys, metric = varied_keys(settings), monitored_metric(runs)
    by_corpus = len(corpora) > 1
    columns = [CORPUS] * by_corpus + column_names(keys, RESERVED)
    groups: dict[tuple[Value, ...], list[Run]] = {}
    for run, values in zip(runs, settings, strict=True):
        corpus = (corpora[corpus_of(run)],) if by_corpus else ()
        groups.setdefault((*corpus, *(values.get(key, MISSING) for key in keys)), []).append(run)
    varied = [dict(zip(columns, values, strict=True)) for values in groups]
    usual = _usual_values(varied, columns)
    found = [
        _row(values, describe(values, usual), group, metric)
        for values, group in zip(varied, groups.values(), strict=True)
    ]
    task = task_of(runs[0]) if runs else "classify"
    objectives = objectives_of(runs)
    means = [
        {} if row.is_over else {name: metric.mean for name, metric in row.metrics.items()}
        for row in found
    ]
    rows = [
        replace(row, on_front=is_on_front)
        for row, is_on_front in zip(found, front(means, objectives), strict=True)
    ]
    return Leaderboard(task, columns, usual, metric, _ranked(rows, metric), tuple(objectives))


def best_of_corpora(board: Leaderboard) -> list[tuple[str, Row]]:
    """The best row of each corpus, with the corpus's name where there are several."""
    return [(str(row.values.get(CORPUS, "")), row) for row in board.rows if row.is_best]


def describe(values: dict[str, Value], usual: dict[str, Value]) -> str:
    """A setting in words, such as `gru, hidden_size=128`, without what is as usual."""
    return ", ".join(
        ("" if column in NAMELESS else f"{column}=") + format_value(value)
        for column, value in values.items()
        if value != usual.get(column, MISSING)
    )


def monitored_metric(runs: Sequence[Run]) -> str:
    """The validation metric that all runs chose their best epoch by, else the accuracy."""
    metrics = {str(run.config.get(_MONITOR, ACCURACY)) for run in runs}
    metric = metrics.pop() if len(metrics) == 1 else ACCURACY
    return metric if metric.startswith("val/") else ACCURACY


def drop_repeats(runs: Sequence[Run]) -> list[Run]:
    """Each job's newest run; the same signature is one job.

    So is the same setting, seed, fold and result.

    (The signatures differ if only one of the two was measured on the test part.)
    """
    kept = _newest(runs, [run.signature for run in runs])
    results = [
        (
            *(frozenset(values.items()), corpus_of(run)),
            *(run.config.get(SEED), run.config.get(FOLD), _validation(run)),
        )
        for run, values in zip(kept, settings_of(kept), strict=True)
    ]
    return _newest(kept, [result if result[-1] else None for result in results])


def problems_in(board: Leaderboard) -> list[Problem]:
    """Finished runs that lack the metric they would be ranked by."""
    return [
        Problem(run.name, "finished", f"its record has no {board.metric}")
        for row in board.rows
        for run in row.runs
        if board.metric not in run.metrics
    ]


def _usual_values(settings: Sequence[dict[str, Value]], columns: Sequence[str]) -> dict[str, Value]:
    usual = {}
    for column in columns if len(columns) > FEW else ():
        value, count = Counter(values[column] for values in settings).most_common(1)[0]
        if column not in NAMELESS and 2 * count > len(settings):
            usual[column] = value
    return usual


def _row(values: dict[str, Value], label: str, runs: list[Run], metric: str) -> Row:
    return Row(
        values=values,
        label=label or (runs[0].name if len(runs) == 1 else "all runs"),
        runs=runs,
        best=min(runs, key=lambda run: (_order(metric, run.metrics.get(metric)), run.name)),
        metrics=_statistics([run.metrics for run in runs]),
        is_over=any(map(breaks_a_limit, runs)),
    )


def _statistics(numbers: Sequence[dict[str, float]]) -> dict[str, Statistic]:
    """Mean and sample deviation of each, over the runs that have it."""
    by_name: dict[str, list[float]] = {}
    for of_run in numbers:
        for name, value in of_run.items():
            by_name.setdefault(name, []).append(value)
    return {
        name: Statistic(
            mean=math.fsum(values) / len(values),
            deviation=statistics.stdev(values) if len(values) > 1 else None,
        )
        for name, values in by_name.items()
    }


def _ranked(rows: list[Row], metric: str) -> list[Row]:
    def order(row: Row) -> tuple[str, bool, float, bool, str]:
        mean = row.metrics[metric].mean if metric in row.metrics else None
        corpus = str(row.values.get(CORPUS))
        return corpus, row.is_over, _order(metric, mean), not row.on_front, row.label

    ranked, ranks = [], Counter[Value | None]()
    for row in sorted(rows, key=order):
        ranks[corpus := row.values.get(CORPUS)] += 1
        is_best = ranks[corpus] == 1 and metric in row.metrics and not row.is_over
        ranked.append(replace(row, rank=ranks[corpus], is_best=is_best))
    return ranked


def _order(metric: str, value: float | None) -> float:
    """A number that is the smaller the better the value is."""
    if value is None:
        return math.inf
    return value if metric.endswith("loss") else -value


def _validation(run: Run) -> tuple[tuple[str, float], ...]:
    """The validation metrics that runs of all versions of the program have."""
    return tuple((name, run.metrics[name]) for name in _ALWAYS if name in run.metrics)


def _newest(runs: Sequence[Run], jobs: Sequence[Hashable]) -> list[Run]:
    """The newest run of each job, in the runs' order; a run whose job is falsy is always kept."""
    newest = {
        job: run
        for run, job in sorted(
            zip(runs, jobs, strict=True), key=lambda pair: (pair[0].ended, pair[0].name)
        )
    }
    return [run for run, job in zip(runs, jobs, strict=True) if not job or newest[job] is run]
