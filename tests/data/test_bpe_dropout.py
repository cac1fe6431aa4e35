"""Without dropout the tokens are the tokenizer's own; with it, others of the same words."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nsmc.data.bpe_dropout
from nsmc.data.bpe_dropout import (
    Merges,
    SampledReviews,
    ranges,
    sample_reviews,
    split_words,
    tokenize_words,
)
from nsmc.data.encoding import EncodedReviews, encode_texts
from nsmc.data.tokenizer import train_tokenizer
from tests.bundles import wrapped

TEXTS = [
    *(
        "정말 재밌는 영화 ㅋㅋㅋㅋㅋㅋ",
        "정말 재미없는 영화 ㅠㅠㅠㅠ",
        "최고의 영화였어요!! 👍👍👍👍",
    ),
    *("aaaa aaaaaaaa banana bananas", "good movie, 10 points!", "ㅋㅋㅋㅋㅋㅋㅋㅋ 재밌다 재밌어"),
]
TOKENIZER = train_tokenizer(TEXTS * 3, vocab_size=420, min_frequency=2, normalization="nfc")
MERGES = Merges(TOKENIZER)
VOCABULARY = TOKENIZER.get_vocab()
TOKENS = {number: token for token, number in VOCABULARY.items()}


def samples_of(words: list[str], dropout: float, seed: int = 0) -> list[list[int]]:
    characters = np.array([VOCABULARY[char] for word in words for char in word], np.int32)
    starts = np.cumsum([0, *map(len, words)])
    ids, offsets = tokenize_words(characters, starts, MERGES, dropout, np.random.default_rng(seed))
    return [ids[start:end].tolist() for start, end in pairwise(offsets)]


def spelled(ids: list[int]) -> str:
    return "".join(TOKENS[number] for number in ids)


# Texts that the tokenizer knows something of: pieces of what it was trained on, and anything.
pieces = st.sampled_from(
    [*"ㅋㅠa!", "ㅋㅋㅋ", "재밌", "영화", "정말", "👍", "👍🏽", "banana", " ", "가"]
)
texts = st.lists(pieces, min_size=1, max_size=30).map("".join) | st.text(min_size=1, max_size=20)


@settings(deadline=None, max_examples=300)
@given(st.lists(texts, min_size=1, max_size=8))
@example(["ㅋ" * length for length in range(1, 40)])
@example(["a" * length for length in range(1, 40)])
def test_without_dropout_the_tokens_are_the_tokenizer_s(texts: list[str]) -> None:
    words = [word for text in texts for word in split_words(TOKENIZER, text)]
    if not words:
        return
    samples = iter(samples_of(words, dropout=0))
    for text in texts:
        found = [number for _ in split_words(TOKENIZER, text) for number in next(samples)]
        assert found == TOKENIZER.encode(text, add_special_tokens=False).ids


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, min_size=1, max_size=8), st.floats(0, 0.99), st.integers(0, 2**32))
def test_whatever_is_dropped_the_tokens_spell_the_words(
    texts: list[str], dropout: float, seed: int
) -> None:
    words = [word for text in texts for word in split_words(TOKENIZER, text)]
    if not words:
        return
    assert [spelled(ids) for ids in samples_of(words, dropout, seed)] == words


def test_the_more_is_dropped_the_more_tokens_there_are() -> None:
    words = [word for text in TEXTS for word in split_words(TOKENIZER, text)] * 50
    counts = [
        sum(map(len, samples_of(words, dropout))) / len(words)
        for dropout in (0, 0.1, 0.3, 0.6, 0.99)
    ]
    assert counts == sorted(counts) and len(set(counts)) == 5
    characters = sum(map(len, words)) / len(words)
    assert counts[0] < 0.5 * characters and 0.9 * characters < counts[-1] <= characters


def test_a_merge_is_skipped_as_often_as_asked() -> None:
    # The first merge of all, where nothing else can be merged: one draw for each word.
    left, right = next(
        (a, b)
        for a in VOCABULARY
        for b in VOCABULARY
        if f"{a}{b}" in VOCABULARY and len(a + b) == 2
    )
    counts = Counter(map(len, samples_of([left + right] * 20_000, dropout=0.3)))
    assert counts.keys() == {1, 2}
    assert counts[2] / 20_000 == pytest.approx(0.3, abs=0.02)


def test_a_seed_gives_the_same_tokens_and_another_seed_others() -> None:
    words = [word for text in TEXTS for word in split_words(TOKENIZER, text)]
    first, again, other = (samples_of(words, 0.3, seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_tokens_do_not_depend_on_how_words_are_grouped(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word for text in TEXTS for word in split_words(TOKENIZER, text)]
    together = samples_of(words, 0.3)
    monkeypatch.setattr(nsmc.data.bpe_dropout, "_GROUP_SIZE", size)
    assert samples_of(words, 0.3) == together


def test_ranges_are_those_of_a_plain_loop() -> None:
    starts, counts = np.array([5, 0, 9, 2]), np.array([2, 0, 1, 3])
    assert ranges(starts, counts).tolist() == [5, 6, 9, 2, 3, 4]
    assert ranges(np.array([], int), np.array([], int)).tolist() == []


# Reviews


def encoded(texts: list[str] = TEXTS) -> EncodedReviews:
    labels = np.array([number % 2 for number in range(len(texts))], np.int16)
    reviews = encode_texts(wrapped(TOKENIZER), texts, labels)
    return replace(reviews, targets=np.linspace(0, 1, len(texts), dtype=np.float32))


def sampled(
    folder: Path, texts: list[str] = TEXTS, dropout: float = 0.3, samples: int = 4, seed: int = 0
) -> SampledReviews:
    return sample_reviews(
        encoded(texts),
        texts,
        TOKENIZER,
        dropout=dropout,
        samples=samples,
        seed=seed,
        cache_dir=folder,
    )


def tokens(reviews: SampledReviews, rows: list[int], epoch: int) -> list[list[int]]:
    selected, places = reviews.select(np.array(rows), epoch)
    return [selected.review(place).tolist() for place in places]


ROWS = list(range(len(TEXTS)))


def test_without_dropout_the_reviews_are_those_of_the_tokenizer(tmp_path: Path) -> None:
    reviews, plain = sampled(tmp_path, dropout=0), encoded()
    assert len(reviews) == len(TEXTS)
    for epoch in (0, 3):
        assert tokens(reviews, ROWS, epoch) == [plain.review(row).tolist() for row in ROWS]
        assert reviews.lengths(epoch).tolist() == plain.lengths(epoch).tolist()


def test_every_epoch_s_reviews_spell_their_texts(tmp_path: Path) -> None:
    reviews = sampled(tmp_path)
    for epoch in range(5):
        for text, ids in zip(TEXTS, tokens(reviews, ROWS, epoch), strict=True):
            assert TOKENIZER.decode(ids) == text


def test_lengths_are_those_of_the_reviews_that_are_selected(tmp_path: Path) -> None:
    reviews = sampled(tmp_path)
    for epoch in range(5):
        assert reviews.lengths(epoch).tolist() == list(map(len, tokens(reviews, ROWS, epoch)))


def test_other_epochs_and_seeds_draw_other_samples_and_the_same_ones_the_same(
    tmp_path: Path,
) -> None:
    first, again, other = (sampled(tmp_path, seed=seed) for seed in (0, 0, 1))
    assert tokens(first, ROWS, 0) == tokens(again, ROWS, 0)
    assert tokens(first, ROWS, 0) != tokens(first, ROWS, 1)
    assert tokens(first, ROWS, 0) != tokens(other, ROWS, 0)


def test_one_word_is_tokenized_in_several_ways_within_an_epoch(tmp_path: Path) -> None:
    reviews = sampled(tmp_path, texts=["banana " * 200], samples=5)
    (ids,) = tokens(reviews, [0], epoch=0)
    (word,) = set(reviews.words[1:-1].tolist())  # all but the first have a space before them
    ways = {
        tuple(
            reviews.token_ids[reviews.sample_offsets[at] : reviews.sample_offsets[at + 1]].tolist()
        )
        for at in range(5 * word, 5 * word + 5)
    }
    assert len(ways) > 1
    text = " ".join(map(str, ids))
    assert all(" ".join(map(str, way)) in text for way in ways)


@pytest.mark.parametrize("samples", [1, 3, 8])
def test_all_samples_are_drawn_equally_often(tmp_path: Path, samples: int) -> None:
    reviews = sampled(tmp_path, texts=["가"] * 30_000, samples=samples)
    drawn = reviews._draw(np.arange(30_000), epoch=1)
    shares = np.bincount(drawn - drawn.min(), minlength=samples) / 30_000
    assert shares == pytest.approx(np.full(samples, 1 / samples), abs=0.02)
    # Neighbours, and a place in two epochs, have nothing to do with each other.
    later = reviews._draw(np.arange(30_000), epoch=2)
    for one, two in ((drawn[:-1], drawn[1:]), (drawn, later)):
        assert np.mean(one == two) == pytest.approx(1 / samples, abs=0.02)


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.sampled_from(ROWS), min_size=1, max_size=12), epoch=st.integers(0, 100))
def test_a_review_is_tokenized_the_same_alone_and_in_any_batch(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], epoch: int
) -> None:
    reviews = sampled(tmp_path_factory.getbasetemp() / "shared")
    alone = [tokens(reviews, [row], epoch)[0] for row in rows]
    assert tokens(reviews, rows, epoch) == alone


def test_labels_and_targets_stay_with_their_rows(tmp_path: Path) -> None:
    reviews, plain = sampled(tmp_path), encoded()
    assert plain.targets is not None
    rows = np.array([4, 1, 1, 0])
    selected, places = reviews.select(rows, epoch=2)
    assert selected.targets is not None
    assert selected.labels[places].tolist() == plain.labels[rows].tolist()
    assert selected.targets[places].tolist() == plain.targets[rows].tolist()
    hard, places = replace(reviews, plain=replace(plain, targets=None)).select(rows, epoch=2)
    assert hard.targets is None


# The cache


def test_what_was_sampled_before_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tokens(sampled(tmp_path), ROWS, 0)

    def refuse(*_: object) -> None:
        raise AssertionError("sampled again")

    monkeypatch.setattr(nsmc.data.bpe_dropout, "tokenize_words", refuse)
    assert tokens(sampled(tmp_path), ROWS, 0) == first


def test_all_that_the_samples_depend_on_has_a_folder_of_its_own(tmp_path: Path) -> None:
    sampled(tmp_path)
    sampled(tmp_path, dropout=0.2)
    sampled(tmp_path, samples=2)
    sampled(tmp_path, seed=1)
    sampled(tmp_path, texts=TEXTS[:2])
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 5


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*data\.cache_dir"):
        sampled(tmp_path / "file")
