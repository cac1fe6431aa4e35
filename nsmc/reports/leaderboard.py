"""Ranks settings: a row for each, over its seeds, by the validation metric."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from nsmc.reports.labels import Label, label_settings
from nsmc.reports.records import Problem, Run
from nsmc.reports.settings import (
    CORPUS,
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
from nsmc.reports.values import Value

ACCURACY = "val/accuracy"
TEST_ACCURACY = "test/accuracy"

_MONITOR = "callbacks.checkpoint.monitor"

BEST_RUN = "best run"
# Names that a column for a setting must not have.
RESERVED = ("task", "rank", "runs", "parameters", "seconds", "reviews/s", "MB", CORPUS, BEST_RUN)


@dataclass(frozen=True)
class Statistic:
    """A metric over the runs of a setting."""

    mean: float
    deviation: float | None  # of the sample, over n - 1; None for one run


@dataclass(frozen=True)
class Row:
    """A setting, and how its runs turned out."""

    values: tuple[Value, ...]  # in the order of the leaderboard's columns
    label: str
    differs: str  # the label without corpus and architecture
    unusual: str  # the summarized columns in which it differs from most settings
    runs: list[Run]
    best: Run  # by the leaderboard's metric; without it, the first by name
    score: Statistic | None  # of the leaderboard's metric
    accuracy: Statistic | None
    test: Statistic | None
    measures: dict[str, float]  # means
    rank: int  # from 1, in its corpus

    @property
    def is_best(self) -> bool:
        """Whether it is the best of its corpus."""
        return self.rank == 1 and self.score is not None


@dataclass(frozen=True)
class Leaderboard:
    """The settings of one task: corpora by name, in each the best first."""

    task: str
    columns: list[str]  # what was varied
    summarized: set[str]  # of many columns, those of little variety: `Row.unusual` replaces them
    metric: str
    rows: list[Row]

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
    groups: dict[tuple[Value, ...], list[Run]] = {}
    for run, values in zip(runs, settings, strict=True):
        corpus = (corpora[corpus_of(run)],) if by_corpus else ()
        groups.setdefault((*corpus, *(values.get(key, MISSING) for key in keys)), []).append(run)
    columns = [CORPUS] * by_corpus + column_names(keys, RESERVED)
    labels, summarized = label_settings(list(groups), columns)
    rows = [
        _row(values, group, label, metric)
        for (values, group), label in zip(groups.items(), labels, strict=True)
    ]
    task = task_of(runs[0]) if runs else TASKS[0]
    return Leaderboard(task, columns, summarized, metric, _ranked(rows, metric, by_corpus))


def monitored_metric(runs: Sequence[Run]) -> str:
    """The validation metric that all runs chose their best epoch by, else the accuracy."""
    metrics = {str(run.config.get(_MONITOR, ACCURACY)) for run in runs}
    metric = metrics.pop() if len(metrics) == 1 else ACCURACY
    return metric if metric.startswith("val/") else ACCURACY


def drop_repeats(runs: Sequence[Run]) -> list[Run]:
    """Each job's newest run: the same signature, or the same setting, seed and result, counts once.

    (The signatures differ if only one of the two was measured on the test part.)
    """
    kept = _newest(runs, [run.signature for run in runs])
    results = [
        (frozenset(values.items()), corpus_of(run), run.config.get(SEED), _validation(run))
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


def statistic(values: Iterable[float | None]) -> Statistic | None:
    """Mean and sample deviation of the values that are not None; None if there are none."""
    present = [value for value in values if value is not None]
    if not present:
        return None
    mean = math.fsum(present) / len(present)
    return Statistic(mean, statistics.stdev(present) if len(present) > 1 else None)


def _row(values: tuple[Value, ...], runs: list[Run], label: Label, metric: str) -> Row:
    names = dict.fromkeys(name for run in runs for name in run.measures)
    means = {name: statistic(run.measures.get(name) for run in runs) for name in names}
    return Row(
        values=values,
        label=label.whole or (runs[0].name if len(runs) == 1 else "all runs"),
        differs=label.differs,
        unusual=label.unusual,
        runs=runs,
        best=_best(runs, metric),
        score=statistic(run.metrics.get(metric) for run in runs),
        accuracy=statistic(run.metrics.get(ACCURACY) for run in runs),
        test=statistic(run.metrics.get(TEST_ACCURACY) for run in runs),
        measures={name: mean.mean for name, mean in means.items() if mean is not None},
        rank=0,
    )


def _best(runs: Sequence[Run], metric: str) -> Run:
    sign = 1 if metric.endswith("loss") else -1
    return min(runs, key=lambda run: (sign * run.metrics.get(metric, sign * math.inf), run.name))


def _ranked(rows: list[Row], metric: str, by_corpus: bool) -> list[Row]:
    sign = 1 if metric.endswith("loss") else -1

    def corpus_of_row(row: Row) -> str:
        return str(row.values[0]) if by_corpus else ""

    def order(row: Row) -> tuple[str, float, str]:
        return corpus_of_row(row), sign * row.score.mean if row.score else math.inf, row.label

    ranked, counts = [], Counter[str]()
    for row in sorted(rows, key=order):
        counts[corpus_of_row(row)] += 1
        ranked.append(replace(row, rank=counts[corpus_of_row(row)]))
    return ranked


def _validation(run: Run) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(item for item in run.metrics.items() if item[0].startswith("val/")))


def _newest(runs: Sequence[Run], jobs: Sequence[Hashable]) -> list[Run]:
    """The newest run of each job, in the runs' order; a run whose job is falsy is always kept."""
    newest: dict[Hashable, Run] = {}
    order: Callable[[Run], tuple[float, str]] = lambda run: (run.ended, run.name)  # noqa: E731
    for run, job in zip(runs, jobs, strict=True):
        if job and (job not in newest or order(run) > order(newest[job])):
            newest[job] = run
    return [run for run, job in zip(runs, jobs, strict=True) if not job or newest[job] is run]
