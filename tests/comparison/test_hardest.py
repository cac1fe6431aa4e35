"""The surest wrong answers: which they are, what is kept of them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.comparison.answers import Answers, ReviewKeys, answers_of, as_ids
from nsmc.comparison.hardest import HARDEST_FILE, hardest_reviews, read_hardest, write_hardest
from nsmc.comparison.slices import slices_of
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle

TEXTS = ["최고의 영화", "별로 재미없다", "그저 그렇다", "배우가 좋다"]
IDS = as_ids(["d", "c", "b", "a"])  # another order than that of the rows


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(random_bundle(tmp_path_factory.mktemp("hard") / "bundle", scale=2.0))


def wrong_answers(predictor: Predictor, texts: list[str], right: int | None = None) -> Answers:
    """The predictor's own answers, to reviews that have other labels, but for one."""
    probabilities = predictor.probabilities(texts)
    labels = 1 - probabilities.argmax(axis=1)
    if right is not None:
        labels[right] = 1 - labels[right]
    keys = ReviewKeys(IDS[: len(texts)], slices_of(texts))
    return answers_of(keys, labels, probabilities, predictor.config.labels)


def test_the_surest_wrong_answers_are_explained_the_surest_first(predictor: Predictor) -> None:
    answers = wrong_answers(predictor, TEXTS, right=2)
    found = hardest_reviews(predictor, answers, IDS, TEXTS.__getitem__)
    sureness = predictor.probabilities(TEXTS).max(axis=1)
    expected = [row for row in np.argsort(-sureness).tolist() if row != 2]
    assert [review.explanation for review in found] == [
        predictor.explain(TEXTS[row]) for row in expected
    ]
    assert all(review.label != review.explanation.label for review in found)


def test_there_are_few_of_them_and_none_that_takes_long(predictor: Predictor) -> None:
    ids = as_ids(f"{number:03}" for number in range(40))
    keys = ReviewKeys(ids, slices_of(["x"] * 40))
    probabilities = np.tile([0.1, 0.9], (40, 1))
    answers = answers_of(keys, np.zeros(40, int), probabilities, predictor.config.labels)

    class Patient(Predictor):
        def encode(self, texts: Any) -> list[list[int]]:
            found = super().encode(texts)
            return [ids * 300 if len(ids) > 1 else ids for ids in found]

    patient = Patient.__new__(Patient)
    patient.__dict__ |= predictor.__dict__
    short = [row for row in range(40) if row % 2]
    found = hardest_reviews(patient, answers, ids, lambda row: "a" if row % 2 else "a b c")
    assert len(found) == 10 < len(short)
    assert all(len(review.explanation.trace) == 1 for review in found)


def test_what_is_written_is_read_again(predictor: Predictor, tmp_path: Path) -> None:
    assert read_hardest(tmp_path) == read_hardest(tmp_path / "nowhere") == []
    answers = wrong_answers(predictor, [*TEXTS[:3], " "])
    written = hardest_reviews(predictor, answers, IDS, [*TEXTS[:3], " "].__getitem__)
    write_hardest(tmp_path, written)
    assert read_hardest(tmp_path) == written
    assert "최고의" in (tmp_path / HARDEST_FILE).read_text("utf-8")  # legible


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[0].pop("label"),
        lambda content: content[0].update(label=1),
        lambda content: content[0]["explanation"].update(probability=1.5),
        lambda content: content[0]["explanation"].update(start="0"),
        lambda content: content[0]["explanation"].update(trace=[0.5, None]),
        lambda content: content[0]["explanation"].update(words=[{"text": "a"}]),
        lambda content: content[0]["explanation"]["words"][0].update(weight=float("inf")),
        lambda content: content[0]["explanation"]["words"][0].update(after=float("nan")),
        lambda content: content.append("x"),
    ],
)
def test_what_no_run_has_written_is_refused(
    predictor: Predictor, tmp_path: Path, change: Any
) -> None:
    write_hardest(
        tmp_path,
        hardest_reviews(predictor, wrong_answers(predictor, TEXTS), IDS, TEXTS.__getitem__),
    )
    path = tmp_path / HARDEST_FILE
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=f"{HARDEST_FILE}: .*damaged"):
        read_hardest(tmp_path)


@pytest.mark.parametrize("text", ["{", "3", "null", "[" * 100_000])
def test_what_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / HARDEST_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=HARDEST_FILE):
        read_hardest(tmp_path)
