"""The corpus inside the package is what its documentation and other tests rely on."""

from collections import Counter
from pathlib import Path

import pytest

import nsmc.data
from nsmc.data.corpus import read_reviews

SAMPLE = Path(nsmc.data.__file__).parent / "sample"
FILES = ("ratings_train.txt", "ratings_test.txt")


@pytest.mark.parametrize(
    ("name", "at_least"), [("ratings_train.txt", 1_000), ("ratings_test.txt", 250)]
)
def test_there_are_enough_reviews_with_balanced_labels(name: str, at_least: int) -> None:
    reviews = read_reviews(SAMPLE / name)
    assert len(reviews) >= at_least
    counts = Counter(reviews.labels.tolist())
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", FILES)
def test_no_row_is_left_out(name: str) -> None:
    lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines()
    reviews = read_reviews(SAMPLE / name)
    assert not reviews.left_out
    assert len(reviews) == len(lines) - 1


def test_no_text_comes_twice_in_a_file_or_in_both() -> None:
    texts = [text.strip() for name in FILES for text in read_reviews(SAMPLE / name).texts]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


@pytest.mark.parametrize("name", FILES)
def test_reviews_are_as_short_as_the_real_ones_and_some_are_one_word(name: str) -> None:
    texts = read_reviews(SAMPLE / name).texts
    assert max(map(len, texts)) <= 140  # the real corpus's limit, in characters
    assert any(len(text.split()) == 1 for text in texts)
    assert all(text == text.strip() for text in texts)


def test_ids_are_unique() -> None:
    lines = [
        line
        for name in FILES
        for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()[1:]
    ]
    ids = [line.split("\t")[0] for line in lines]
    assert len(ids) == len(set(ids))
    assert all(ids)
