"""The surest wrong answers of the best settings, which their runs have explained."""

from collections.abc import Sequence
from typing import NamedTuple

from nsmc.comparison.hardest import HardReview, read_hardest
from nsmc.reports.leaderboard import Leaderboard, best_of_corpora
from nsmc.reports.records import Problem
from nsmc.reports.values import clean


class Hardest(NamedTuple):
    """The explained reviews of the validation part of a run."""

    title: str
    run: str
    reviews: Sequence[HardReview]


def hardest_of(board: Leaderboard) -> tuple[list[Hardest], list[Problem]]:
    """Those of the best run of each corpus that kept some, and which files are damaged."""
    hardest, problems = [], []
    for name, row in best_of_corpora(board):
        title = "Surest wrong answers of the best setting" + (f", {name}" if name else "")
        try:
            reviews = read_hardest(row.best.folder)
        except (OSError, ValueError) as error:
            reason = f"its hardest reviews cannot be read: {clean(error)}"
            problems.append(Problem(row.best.name, row.best.status, reason))
            continue
        if reviews:
            hardest.append(Hardest(title, row.best.name, reviews))
    return hardest, problems
