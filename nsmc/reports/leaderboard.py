"""The leaderboard: a row for each setting, over its seeds, ranked by the validation metric."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from nsmc.reports.runs import Problem, Run
from nsmc.reports.settings import (
    ARCHITECTURE,
    MISSING,
    SEED,
    TASKS,
    corpus_names,
    corpus_of,
    effective,
    short_names,
    task_of,
    varied_keys,
)
from nsmc.reports.values import Value, shown

ACCURACY = "val/accuracy"
TEST_ACCURACY = "test/accuracy"

CORPUS = "corpus"
_MONITOR = "callbacks.checkpoint.monitor"

# Names that a column of settings must not have.
BEST_RUN = "best run"
RESERVED = ("task", "rank", "runs", "parameters", "seconds", "reviews/s", "MB", CORPUS, BEST_RUN)

FEW = 6  # settings that a line has room for


@dataclass(frozen=True)
class Statistic:
    """Of a metric over the runs of a setting that have it."""

    mean: float
    deviation: float | None  # of the sample, over n - 1; None for one run


@dataclass(frozen=True)
class Row:
    """A setting, and how its runs came out."""

    values: tuple[Value, ...]  # in the order of the leaderboard's columns
    label: str
    differs: str  # the label without corpus and architecture
    runs: list[Run]
    best: Run | None  # of them, by the leaderboard's metric; None where none has it
    score: Statistic | None  # of the leaderboard's metric
    accuracy: Statistic | None
    test: Statistic | None
    measures: dict[str, float]  # means
    is_best: bool  # of its corpus


@dataclass(frozen=True)
class Leaderboard:
    """Runs of one task. Rows in their order: corpora by name, in each the best first."""

    task: str
    columns: list[str]  # of what was varied
    metric: str
    rows: list[Row]

    @property
    def lower_is_better(self) -> bool:
        return self.metric.endswith("loss")


def leaderboards(runs: Sequence[Run]) -> list[Leaderboard]:
    """One for each task: a language model's loss is for each token, no classifier's."""
    tasks = sorted({task_of(run) for run in runs}, key=lambda task: (task not in TASKS, task))
    return [leaderboard([run for run in runs if task_of(run) == task]) for task in tasks]


def leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """Rank the settings of one task's finished runs.

    Metrics of different corpora are not ranked together.
    """
    settings, corpora = effective(runs), corpus_names(runs)
    keys = varied_keys(settings)
    columns = short_names(keys, RESERVED)
    metric = monitored(runs)
    groups: dict[tuple[Value, ...], list[Run]] = {}
    for run, values in zip(runs, settings, strict=True):
        corpus = (corpora[corpus_of(run)],) if len(corpora) > 1 else ()
        place = (*corpus, *(values.get(key, MISSING) for key in keys))
        groups.setdefault(place, []).append(run)
    if len(corpora) > 1:
        columns = [CORPUS, *columns]
    bare = (
        {columns.index("architecture")}
        if ARCHITECTURE in keys and "architecture" in columns
        else set()
    )
    bare |= {columns.index(CORPUS)} if CORPUS in columns else set()
    labels = _labels(list(groups), columns, bare)
    rows = [
        _row(values, group, *parts, metric)
        for (values, group), parts in zip(groups.items(), labels, strict=True)
    ]
    task = task_of(runs[0]) if runs else TASKS[0]
    return Leaderboard(task, columns, metric, _ranked(rows, metric, len(corpora) > 1))


def monitored(runs: Sequence[Run]) -> str:
    """The validation metric that all runs chose their epoch by, else the accuracy."""
    metrics = {str(run.config.get(_MONITOR, ACCURACY)) for run in runs}
    metric = metrics.pop() if len(metrics) == 1 else ACCURACY
    return metric if metric.startswith("val/") else ACCURACY


def without_repeats(runs: Sequence[Run]) -> list[Run]:
    """Each job's newest run: the same signature, or the same setting, seed and result, counts once.

    (The signature differs where one of two was measured on the test part as well.)
    """
    kept = _newest(runs, [run.signature for run in runs])
    results = [
        (frozenset(values.items()), corpus_of(run), run.config.get(SEED), _validation(run))
        for run, values in zip(kept, effective(kept), strict=True)
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
    """Mean and sample deviation of those that are there; None where none is."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    mean = math.fsum(found) / len(found)
    return Statistic(mean, statistics.stdev(found) if len(found) > 1 else None)


def _labels(
    settings: Sequence[tuple[Value, ...]], columns: Sequence[str], bare: set[int]
) -> list[tuple[str, str]]:
    """Each setting in words, corpus and architecture, then the rest.

    Where much was varied, the rest is without what most settings share.
    """
    usual: list[Value | None] = [None] * len(columns)
    if len(columns) > FEW:
        usual = [Counter(values).most_common(1)[0][0] for values in zip(*settings, strict=True)]
    labels = []
    for values in settings:
        names = [shown(value) for place, value in enumerate(values) if place in bare]
        rest = [
            f"{column}={shown(value)}"
            for place, (column, value) in enumerate(zip(columns, values, strict=True))
            if place not in bare and value != usual[place]
        ]
        labels.append((", ".join(names), ", ".join(rest)))
    return labels


def _row(values: tuple[Value, ...], runs: list[Run], name: str, rest: str, metric: str) -> Row:
    names = dict.fromkeys(name for run in runs for name in run.measures)
    means = {name: statistic(run.measures.get(name) for run in runs) for name in names}
    return Row(
        values=values,
        label=", ".join(part for part in (name, rest) if part)
        or (runs[0].name if len(runs) == 1 else "all runs"),
        differs=rest,
        runs=runs,
        best=_best(runs, metric),
        score=statistic(run.metrics.get(metric) for run in runs),
        accuracy=statistic(run.metrics.get(ACCURACY) for run in runs),
        test=statistic(run.metrics.get(TEST_ACCURACY) for run in runs),
        measures={name: mean.mean for name, mean in means.items() if mean is not None},
        is_best=False,
    )


def _best(runs: Sequence[Run], metric: str) -> Run | None:
    sign = 1 if metric.endswith("loss") else -1
    measured = [run for run in runs if metric in run.metrics]
    return min(measured, key=lambda run: (sign * run.metrics[metric], run.name), default=None)


def _ranked(rows: list[Row], metric: str, by_corpus: bool) -> list[Row]:
    sign = 1 if metric.endswith("loss") else -1

    def place(row: Row) -> tuple[str, float, str]:
        corpus = str(row.values[0]) if by_corpus else ""
        return corpus, sign * row.score.mean if row.score else math.inf, row.label

    ranked, seen = [], set()
    for row in sorted(rows, key=place):
        corpus = place(row)[0]
        is_best = corpus not in seen and row.score is not None
        seen.add(corpus)
        ranked.append(Row(**{**vars(row), "is_best": is_best}))
    return ranked


def _validation(run: Run) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(item for item in run.metrics.items() if item[0].startswith("val/")))


def _newest(runs: Sequence[Run], jobs: Sequence[Hashable]) -> list[Run]:
    """The newest run of each job, in the runs' order; a job that is not known is no repeat."""
    newest: dict[Hashable, Run] = {}
    order: Callable[[Run], tuple[float, str]] = lambda run: (run.ended, run.name)  # noqa: E731
    for run, job in zip(runs, jobs, strict=True):
        if job and (job not in newest or order(run) > order(newest[job])):
            newest[job] = run
    return [run for run, job in zip(runs, jobs, strict=True) if not job or newest[job] is run]
