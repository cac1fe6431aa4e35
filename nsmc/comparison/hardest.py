"""The reviews whose wrong answers are the surest, with the words that made them, and their file.

`hardest_reviews.json` in a run's folder has those of the validation part, the surest first.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nsmc.atomic import write_file
from nsmc.comparison.answers import Answers, Ids
from nsmc.runtime.explanation import Explained, Explanation, explain
from nsmc.small_files import read_json

HARDEST_FILE = "hardest_reviews.json"

_MOST = 10  # reviews, of which a person reads each
_LONGEST = 256  # tokens: a longer review takes long to explain, and to read
_LOOKED_AT = 100  # reviews, the longer ones among them


class HardReview(NamedTuple):
    """A review that has this `label`, and why it was answered with another one."""

    label: str
    explanation: Explanation


def hardest_reviews(
    predictor: Explained, answers: Answers, ids: Ids, text_of: Callable[[int], str]
) -> list[HardReview]:
    """Explain the surest of the answers that are wrong, with the predictor that gave them.

    `ids` are those of the reviews by the rows by which `text_of` gives their texts.
    """
    wrong = np.flatnonzero(~answers.is_right)
    surest = wrong[np.argsort(-answers.probabilities[wrong], kind="stable")][:_LOOKED_AT]
    order = np.argsort(ids)
    rows = order[np.searchsorted(ids, answers.ids[surest], sorter=order)].tolist()
    reviews = list[HardReview]()
    for index, row in zip(surest.tolist(), rows, strict=True):
        text = text_of(row)
        if len(predictor.encode([text])[0]) <= _LONGEST and len(reviews) < _MOST:
            explanation = explain(predictor, text)
            reviews.append(HardReview(answers.names[answers.labels[index]], explanation))
    return reviews


def write_hardest(folder: Path, reviews: Sequence[HardReview]) -> None:
    """Write the run's file; raises OSError where that fails."""
    content = [
        {"label": review.label, "explanation": review.explanation.as_json()} for review in reviews
    ]
    write_file(folder / HARDEST_FILE, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_hardest(folder: Path) -> list[HardReview]:
    """What a run kept; nothing where it kept none, as runs of before.

    Raises ValueError, in one line that names the file, for what no run has written.
    """
    path = folder / HARDEST_FILE
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return []
    try:
        return [_review(each) for each in content]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the reviews of a run, or damaged ({error})") from None


def _review(content: object) -> HardReview:
    match content:
        case {"label": str(label), "explanation": explanation}:
            return HardReview(label, Explanation.from_json(explanation))
    raise ValueError(f"not a review: {repr(content)[:40]}")
