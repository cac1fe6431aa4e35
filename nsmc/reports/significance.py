"""Which settings of a leaderboard cannot be told from the best, and how sure their metrics are.

From the answers that runs kept, review by review; runs of before kept none, and are ranked without.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nsmc.comparison.answers import Answers, read_answers
from nsmc.comparison.contributions import contributions
from nsmc.comparison.testing import LEVEL, Setting, mean, p_values
from nsmc.reports.leaderboard import TEST_ACCURACY, Leaderboard, Row, Significance
from nsmc.reports.records import Problem, Run
from nsmc.reports.settings import CORPUS
from nsmc.reports.values import clean

MOST_SETTINGS = 30  # of which answers are read, the best; a search has hundreds


@dataclass(frozen=True)
class Compared:
    """A leaderboard whose rows have intervals and tests, and what there is to say about them."""

    board: Leaderboard
    notes: list[str]


def with_significance(board: Leaderboard, reader: "Reader") -> Compared:
    """The leaderboard with what the answers of its runs say."""
    rows = list[Row]()
    notes = dict[str, None]()
    for of_corpus in _by_corpus(board.rows):
        rows += _tested(of_corpus, board.metric, reader, notes)
    return Compared(replace(board, rows=rows), [*notes])


def _by_corpus(rows: Sequence[Row]) -> Iterator[list[Row]]:
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.values.get(CORPUS), []).append(row)
    yield from groups.values()


def _tested(
    rows: list[Row], metric: str, reader: "Reader", notes: dict[str, None]
) -> Iterator[Row]:
    """The rows of a corpus, the best of which is the first."""
    near = rows[:MOST_SETTINGS]
    settings = [reader.setting(row.runs, metric) for row in near]
    intervals = [
        _intervals(row, {metric: of}, reader) for row, of in zip(near, settings, strict=True)
    ]
    values: Sequence[float | None] = [None] * len(near)
    if rows[0].is_best:
        values = p_values(settings, 0, sum(metric in row.metrics for row in rows))
        notes |= dict.fromkeys(_notes(near, settings, values, metric))
    is_tied = [p is not None and p >= LEVEL for p in values]
    for number, (row, p) in enumerate(zip(near, values, strict=True)):
        test = Significance(intervals[number], p, is_tied[number] or (number == 0 and any(is_tied)))
        yield replace(row, test=test)
    yield from rows[MOST_SETTINGS:]


def _intervals(
    row: Row, known: dict[str, Setting], reader: "Reader"
) -> dict[str, tuple[float, float]]:
    if TEST_ACCURACY in row.metrics:
        known[TEST_ACCURACY] = reader.setting(row.runs, TEST_ACCURACY)
    intervals = {}
    for metric, setting in known.items():
        estimate = mean([*setting.values()]) if setting else None
        if estimate and estimate.error > 0:  # a few reviews, all of them right, say nothing of it
            low, high = estimate.interval()
            most = math.inf if metric.endswith("loss") else 1.0
            intervals[metric] = (max(low, 0.0), min(high, most))
    return intervals


def _notes(
    rows: Sequence[Row], settings: Sequence[Setting], values: Sequence[float | None], metric: str
) -> Iterator[str]:
    tested = [number for number, p in enumerate(values) if p is not None]
    if not tested:
        if len(rows) > 1:
            yield f"no difference to the best setting was tested: {_why_not(settings, metric)}"
        return
    yield (
        f"=1: not to be told from the best (p of {LEVEL:g} or more, over reviews and seeds, "
        "corrected for all settings)"
    )
    apart = sum(bool(settings[number]) for number in range(1, len(rows))) - len(tested)
    if apart:
        yield (
            f"{_settings(apart)} measured on other reviews than the best, and not compared with "
            "it: choose one data.split_seed"
        )
    if left_out := _runs_left_out(settings, tested):
        yield (
            f"{left_out:,} run{'s' * (left_out != 1)} without a counterpart on the same reviews "
            "left out of the tests"
        )
    single = [number for number in (0, *tested) if sum(map(len, settings[number].values())) == 1]
    if 0 in single and len(single) > 1:
        yield "settings of one run each: what other seeds would make of them is not known"
    if without := sum(not setting for setting in settings):
        yield f"{_settings(without)} not compared: runs of before kept no answers"


def _why_not(settings: Sequence[Setting], metric: str) -> str:
    """Why no setting could be compared with the first one, the best."""
    if not any(settings):
        return f"no run kept answers from which {metric} follows"
    if not settings[0]:
        return "its runs kept no answers"
    if not any(settings[1:]):
        return "the others' runs kept no answers"
    return "no other one was measured on the same reviews: choose one data.split_seed"


def _runs_left_out(settings: Sequence[Setting], tested: Sequence[int]) -> int:
    """Runs on reviews that no run of the best setting, or none of any other, was measured on."""
    of_best = settings[0].keys()
    of_others = {key for number in tested for key in settings[number]}
    return sum(len(settings[0][key]) for key in of_best - of_others) + sum(
        len(settings[number][key]) for number in tested for key in settings[number].keys() - of_best
    )


def _settings(count: int) -> str:
    return f"{count:,} setting{'s' * (count != 1)}"


class Reader:
    """Reads the answers of runs, and collects which are damaged."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def setting(self, runs: Sequence[Run], metric: str) -> Setting:
        """What reviews add to the metric, by run; the runs by the reviews that they share."""
        part, _, name = metric.partition("/")
        by_reviews = defaultdict(list)
        for run in runs:
            answers = self.answers(run, part)
            added = None if answers is None else contributions(answers, name)
            if answers is not None and added is not None:
                by_reviews[reviews_key(answers)].append(added)
        return {key: np.array(added) for key, added in by_reviews.items()}

    def answers(self, run: Run, part: str) -> Answers | None:
        try:
            return read_answers(run.folder, part)
        except (OSError, ValueError) as error:
            reason = f"its answers cannot be read: {clean(error)}"
            problem = Problem(run.name, run.status, reason)
            if problem not in self.problems:
                self.problems.append(problem)
            return None


def reviews_key(answers: Answers) -> str:
    """The same for answers to the same reviews with the same labels."""
    digest = hashlib.sha256(repr(answers.names).encode())
    for array in (answers.ids, answers.labels):
        digest.update(str(array.dtype).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
