"""The split never leaks a text or a group, loses nothing, and gives each label its share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from nsmc.data.corpus import Reviews
from nsmc.data.splitting import HELD_OUT, SplitSettings, folds_of, split, split_off

FRACTION = "validation_fraction"


def reviews_of(rows: Sequence[tuple[str, int]], groups: Sequence[str] = ()) -> Reviews:
    labels = np.array([label for _, label in rows], np.int16)
    names = tuple(map(str, range(labels.max() + 1)))
    ids = [*map(str, range(len(rows)))]
    return Reviews([text for text, _ in rows], labels, names, {}, ids, [*groups])


def distinct_reviews(*counts: int) -> Reviews:
    """So many reviews of each label, all different."""
    return reviews_of(
        [
            (f"text {label} {row}", label)
            for label, count in enumerate(counts)
            for row in range(count)
        ]
    )


def rows_of(reviews: Reviews) -> list[tuple[str, int]]:
    return list(zip(reviews.texts, reviews.labels.tolist(), strict=True))


def texts_of(reviews: Reviews) -> set[str]:
    return {text.strip() for text in reviews.texts}


# A fraction


def test_one_seed_gives_one_split_and_another_seed_another() -> None:
    reviews = distinct_reviews(50, 50)
    first, again, other = (split_off(reviews, 0.2, seed, FRACTION) for seed in (1, 1, 2))
    assert [rows_of(part) for part in first] == [rows_of(part) for part in again]
    assert rows_of(first[1]) != rows_of(other[1])


def split_of_two_labels(
    texts: list[str], labels: npt.NDArray[np.int16], fraction: float, seed: int
) -> list[int]:
    """Rows of the validation part as they were drawn when there were two labels only."""
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(text.strip(), len(numbers)) for text in texts])
    sizes = np.bincount(group)
    share = np.bincount(group, labels) / sizes
    stratum = np.select([share == 0, share == 1], [0, 2], 1)
    generator, taken = np.random.default_rng(seed), set()
    for number in (0, 1, 2):
        members = generator.permutation(np.flatnonzero(stratum == number))
        room = round(fraction * int(sizes[members].sum()))
        for member in members:
            if sizes[member] <= room:
                taken.add(member)
                room -= sizes[member]
    return [row for row, member in enumerate(group) if member in taken]


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(st.text("가나 ", min_size=1, max_size=4), st.integers(0, 1))),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**32),
)
def test_two_labels_are_divided_as_they_always_were(
    rows: list[tuple[str, int]], fraction: float, seed: int
) -> None:
    reviews = reviews_of([*rows, *((f"filler {row}", row % 2) for row in range(20))])
    _, validation = split_off(reviews, fraction, seed, FRACTION)
    expected = split_of_two_labels(reviews.texts, reviews.labels, fraction, seed)
    assert validation.ids == [str(row) for row in expected]


def test_the_split_is_stratified_by_label() -> None:
    training, validation = split_off(distinct_reviews(800, 200, 40), 0.1, 42, FRACTION)
    assert Counter(validation.labels.tolist()) == {0: 80, 1: 20, 2: 4}
    assert Counter(training.labels.tolist()) == {0: 720, 1: 180, 2: 36}


@settings(deadline=None, max_examples=100)
@given(
    copies=st.lists(st.tuples(st.integers(1, 2), st.integers(0, 3)), max_size=60),
    fraction=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32),
)
def test_each_label_has_its_share_of_the_taken_part_within_two_rows(
    copies: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    copies = [*copies, *((1, label) for label in range(4) for _ in range(2))]
    rows = [(f"text {i}", label) for i, (count, label) in enumerate(copies) for _ in range(count)]
    _, taken = split_off(reviews_of(rows), fraction, seed, FRACTION)
    for label in range(4):
        share = fraction * sum(row_label == label for _, row_label in rows)
        assert abs(np.count_nonzero(taken.labels == label) - share) <= 2


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(
        # Few texts, so that most come several times, with and without space around them.
        st.tuples(st.text("가나 \u3000", min_size=1, max_size=4), st.integers(0, 2))
    ),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**32),
)
def test_a_split_loses_nothing_keeps_file_order_and_never_parts_identical_texts(
    rows: list[tuple[str, int]], fraction: float, seed: int
) -> None:
    rows = [("always there", 0), *rows, *((f"filler {i}", i % 3) for i in range(30))]
    training, taken = split_off(reviews_of(rows), fraction, seed, FRACTION)
    assert Counter(rows_of(training)) + Counter(rows_of(taken)) == Counter(rows)
    assert not texts_of(training) & texts_of(taken)
    for part in (training, taken):
        assert part.ids == sorted(part.ids, key=int)
        assert {*part.labels.tolist()} == {0, 1, 2}


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_text_with_both_labels_stays_on_one_side(fraction: float) -> None:
    rows = [("그냥 그래요", 0), (" 그냥 그래요", 1), *((f"text {i}", i % 2) for i in range(40))]
    for seed in range(20):
        parts = split_off(reviews_of(rows), fraction, seed, FRACTION)
        sides = [sum("그냥 그래요" in text for text in part.texts) for part in parts]
        assert sorted(sides) == [0, 2]


def test_a_frequent_text_does_not_take_the_others_share() -> None:
    rows = [("굿", 1)] * 20 + [(f"text {i}", int(i < 80)) for i in range(180)]
    for seed in range(50):
        _, validation = split_off(reviews_of(rows), 0.1, seed, FRACTION)
        assert validation.labels.tolist().count(1) == 10


def test_a_rare_label_is_in_both_parts_all_the_same() -> None:
    for fraction in (0.1, 0.9):
        for part in split_off(distinct_reviews(200, 2), fraction, 7, FRACTION):
            assert (part.labels == 1).sum() == 1


@pytest.mark.parametrize(
    ("rows", "fraction", "problem"),
    [
        ([("a", 0), ("b", 0), ("c", 1)], 0.5, "the label '1' has 1 review, too few"),
        (
            [("a", 0), ("b", 0), ("c", 1), ("c ", 1)],
            0.5,
            "the label '1' has 2 reviews of 1 text",
        ),
        (
            [("a", 0), ("b", 0), ("d", 0), ("c", 1), ("a", 1)],
            0.5,
            "the label '1' has 2 reviews, too few",
        ),
        ([("a", 0)] * 4, 0.5, "the label '0' has 4 reviews of 1 text, too few"),
    ],
)
def test_a_label_with_too_few_reviews_is_named(
    rows: list[tuple[str, int]], fraction: float, problem: str
) -> None:
    with pytest.raises(ValueError) as raised:
        split_off(reviews_of(rows), fraction, 0, FRACTION)
    assert str(raised.value).startswith(f"data.validation_fraction={fraction}: {problem}")
    assert "data.label_map" in str(raised.value)


def test_too_few_reviews_without_labels_are_refused_too() -> None:
    reviews = Reviews(["a"], np.zeros(1, np.int16))
    with pytest.raises(ValueError, match="the file has 1 review, too few to have"):
        split_off(reviews, 0.5, 0, FRACTION)


# Groups


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(st.tuples(st.text("가나", max_size=2), st.integers(0, 1), st.integers(0, 9))),
    fraction=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32),
)
def test_no_group_and_no_text_is_on_both_sides(
    rows: list[tuple[str, int, int]], fraction: float, seed: int
) -> None:
    rows += [(f"filler {i}", i % 2, 10 + i) for i in range(20)]
    groups = [f"film {film}" for _, _, film in rows]
    reviews = reviews_of([(text, label) for text, label, _ in rows], groups)
    try:
        training, taken = split_off(reviews, fraction, seed, FRACTION)
    except ValueError:  # few large groups, or texts that many groups share
        reject()
    assert not {*training.groups} & {*taken.groups}
    assert not texts_of(training) & texts_of(taken)
    # What is in neither part has a text of the part that was taken.
    gone = {*reviews.ids} - {*training.ids} - {*taken.ids}
    assert {reviews.texts[int(row)].strip() for row in gone} <= texts_of(taken)


def test_groups_that_are_too_large_for_a_part_are_named_as_the_reason() -> None:
    rows = [(f"text {row}", row % 2) for row in range(100)]
    with pytest.raises(ValueError, match="50 reviews of 2 groups, too few or too large to"):
        split_off(reviews_of(rows, [str(row // 50) for row in range(100)]), 0.1, 0, FRACTION)


# Folds


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(st.text("가나 ", min_size=1, max_size=3), st.integers(0, 2))),
    folds=st.integers(2, 6),
    seed=st.integers(0, 2**32),
    with_groups=st.booleans(),
)
def test_folds_are_disjoint_and_cover_everything(
    rows: list[tuple[str, int]], folds: int, seed: int, with_groups: bool
) -> None:
    rows += [(f"filler {i}", i % 3) for i in range(60)]
    groups = [str(row % 47) for row in range(len(rows))] if with_groups else ()
    reviews = reviews_of(rows, groups)
    tested = Counter[str]()
    for fold in range(folds):
        settings = SplitSettings(0.1, seed, folds=folds, fold=fold)
        parts = split(reviews, settings, validation=False, test=True)
        assert not texts_of(parts["train"]) & texts_of(parts["test"])
        assert not {*parts["train"].groups} & {*parts["test"].groups}
        if not with_groups:
            assert len(parts["train"]) + len(parts["test"]) == len(rows)
        tested.update(parts["test"].ids)
    assert tested == Counter(reviews.ids)


def test_folds_have_as_many_reviews_of_each_label() -> None:
    reviews = distinct_reviews(100, 50, 13)
    fold_of_row = folds_of(reviews, 5, seed=3)
    for label, low, high in ((0, 20, 20), (1, 10, 10), (2, 2, 3)):
        counts = np.bincount(fold_of_row[reviews.labels == label])
        assert (counts.min(), counts.max()) == (low, high)
    assert sorted(np.bincount(fold_of_row)) == [32, 32, 33, 33, 33]


def test_folds_of_groups_of_any_size_are_about_as_large() -> None:
    groups = [f"film {film}" for film in range(60) for _ in range(1 + film)]
    rows = [(f"text {row}", row % 2) for row in range(len(groups))]
    sizes = np.bincount(folds_of(reviews_of(rows, groups), 5, seed=3))
    assert sizes.max() - sizes.min() <= 6


def test_the_seed_decides_the_folds() -> None:
    reviews = distinct_reviews(50, 50)
    first, again, other = (folds_of(reviews, 5, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_a_label_that_cannot_be_in_every_fold_is_named() -> None:
    with pytest.raises(ValueError, match=r"data\.folds=5: the label '1' has 4 reviews, too few to"):
        folds_of(distinct_reviews(50, 4), 5, seed=1)


# All parts


def test_the_test_part_does_not_depend_on_the_validation_part() -> None:
    reviews = distinct_reviews(100, 100)
    tests = [
        split(reviews, SplitSettings(fraction, 1, 0.2), validation=validation, test=True)["test"]
        for fraction, validation in ((0.1, True), (0.3, True), (0.1, False))
    ]
    assert len({tuple(part.ids) for part in tests}) == 1


@pytest.mark.parametrize("how", [{"test_fraction": 0.1}, {"folds": 10, "fold": 3}])
def test_three_parts_are_disjoint_and_cover_everything(how: dict[str, float]) -> None:
    reviews = distinct_reviews(100, 100)
    settings = SplitSettings(0.1, 1, **how)  # type: ignore[arg-type]
    parts = split(reviews, settings, validation=True, test=True)
    assert {name: len(part) for name, part in parts.items()} == {
        **{"train": 162, "test": 20, "val": 18},
    }
    assert sorted(text for part in parts.values() for text in part.texts) == sorted(reviews.texts)


def test_what_the_test_part_has_taken_is_not_counted_as_too_few_reviews() -> None:
    with pytest.raises(ValueError) as raised:
        split(distinct_reviews(50, 2), SplitSettings(0.1, 1, 0.1), validation=True, test=True)
    expected = "data.validation_fraction=0.1: the label '1' has 1 review left beside the test part"
    assert str(raised.value).startswith(expected)


def test_reviews_that_groups_cost_the_training_part_are_counted() -> None:
    rows = [("same text" if row % 10 == 0 else f"text {row}", row % 2) for row in range(200)]
    reviews = replace(
        reviews_of(rows, [f"film {row // 4}" for row in range(200)]), left_out={"damaged": 1}
    )
    parts = split(reviews, SplitSettings(0.2, 1, 0.2), validation=True, test=True)
    lost = 200 - sum(map(len, parts.values()))
    assert lost > 0
    assert parts["train"].left_out == {"damaged": 1, HELD_OUT: lost}
    without = split(
        replace(reviews, groups=[]), SplitSettings(0.2, 1, 0.2), validation=True, test=True
    )
    assert without["train"].left_out == {"damaged": 1}


def test_only_wanted_parts_are_split_off() -> None:
    reviews = distinct_reviews(10, 10)
    parts = split(reviews, SplitSettings(0.1, 1, 0.1), validation=False, test=False)
    assert rows_of(parts["train"]) == rows_of(reviews)
    assert [*parts] == ["train"]
