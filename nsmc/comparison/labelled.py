"""Answers of bundles to a file of labelled reviews, and the user's own slices of them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers, ReviewKeys, answers_of, as_ids
from nsmc.comparison.slices import slices_of
from nsmc.reading.labels import positions
from nsmc.reading.rows import Row
from nsmc.runtime.bundle_labels import BundleLabels
from nsmc.runtime.damage import Tally
from nsmc.runtime.predictor import Predictor

Mask = npt.NDArray[np.bool_]  # [N]

_MOST_VALUES = 20  # of a column; the commonest


@dataclass(frozen=True)
class LabelledReviews:
    """Reviews with what is known of them; damaged rows are left out, and counted by `tally`.

    `columns` are what other columns of their rows hold.
    """

    keys: ReviewKeys
    texts: list[str]
    labels: npt.NDArray[np.int64]
    columns: Sequence[Mapping[str, Any]]
    tally: Tally

    def answers(self, predictor: Predictor, names: Sequence[str]) -> Answers:
        """What a bundle says, with the labels numbered as in `names`, which are the bundle's.

        Raises ValueError for a bundle of other labels.
        """
        own = predictor.config.labels
        order = positions(names, own)
        if order is None:
            raise ValueError(
                f"the bundles have different labels: {', '.join(names)[:80]} and "
                f"{', '.join(own)[:80]}"
            )
        return answers_of(
            self.keys, self.labels, predictor.probabilities(self.texts)[:, order], names
        )


def labelled_reviews(
    predictor: Predictor, rows: Iterable[Row], unit: str, reading: str | None, source: str
) -> LabelledReviews:
    """Read rows whose labels are of the bundle, or mean them in its corpus: `reading` says which.

    Messages call the file `source`.

    Raises ValueError for another label, and where too many rows are damaged.
    """
    tally, sound = Tally(unit=unit), list[Row]()
    for row in BundleLabels(predictor.config, unit, reading).numbered(rows):
        tally.add(row.line, row.error)
        if not row.error:
            sound.append(row)
    if tally.is_too_much:
        raise ValueError(f"{source}: not compared: {tally}")
    if not sound:
        raise ValueError(
            f"{source}: nothing to compare: no row has a text and a label of the bundles"
        )
    texts = [row.text for row in sound]
    ids = as_ids(row.id or f"{row.line}" for row in sound)
    labels = np.array([int(row.label or 0) for row in sound])
    keys = ReviewKeys(ids, slices_of(texts))
    return LabelledReviews(keys, texts, labels, [row.others for row in sound], tally)


def compiled(slices: Sequence[str]) -> dict[str, re.Pattern[str]]:
    """Slices given as NAME=REGEX; raises ValueError, naming it, for what is none."""
    patterns = {}
    for text in slices:
        name, equals, pattern = text.partition("=")
        if not (name.strip() and equals and pattern):
            raise ValueError(f"--slice {text}: expected NAME=REGEX, such as actors=배우|연기")
        try:
            patterns[name.strip()] = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"--slice {text}: no regular expression ({error})") from None
    return patterns


def by_patterns(patterns: Mapping[str, re.Pattern[str]], texts: Sequence[str]) -> dict[str, Mask]:
    """The reviews in which each pattern is found."""
    return {
        name: np.array([pattern.search(text) is not None for text in texts], dtype=bool)
        for name, pattern in patterns.items()
    }


def by_column(column: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mask]:
    """A slice for each value of a column, of many values for the commonest ones.

    Raises ValueError where no row has the column.
    """
    if not any(column in row for row in rows):
        there = ", ".join(dict.fromkeys(name for row in rows[:100] for name in row))
        raise ValueError(
            f"--slice-column {column}: no such column; there are {there[:200] or 'none'}"
        )
    values = ["" if row.get(column) is None else str(row[column]) for row in rows]
    commonest = [value for value, _ in Counter(values).most_common(_MOST_VALUES)]
    return {
        f"{column}={value[:40]}": np.array([other == value for other in values], dtype=bool)
        for value in sorted(commonest)
    }
