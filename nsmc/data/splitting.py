"""Divides reviews into parts: seeded, by label, identical texts and groups on one side.

Legend: N reviews, G groups of reviews that must not be divided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nsmc.data.corpus import Reviews

IntArray = npt.NDArray[np.int64]

HELD_OUT = "with a text that is held out"  # what reviews that must not be trained on are called


@dataclass(frozen=True)
class SplitSettings:
    """How a file's reviews are divided into parts.

    Of `folds`, the `fold`, from 0, is the test part, else a `test_fraction`; of what is left, a
    `validation_fraction` is the validation part.
    """

    validation_fraction: float
    split_seed: int
    test_fraction: float | None = None
    folds: int | None = None
    fold: int | None = None


def split(
    reviews: Reviews, settings: SplitSettings, *, validation: bool, test: bool
) -> dict[str, Reviews]:
    """The parts train and, where they are wanted, val and test; raises what `split_off` raises.

    `left_out` of train counts also what is lost to groups: reviews whose text is in another part.
    """
    train, parts = reviews, dict[str, Reviews]()
    if test and settings.folds is not None:
        fold_of_row = folds_of(reviews, settings.folds, settings.split_seed)
        train, parts["test"] = _divided(reviews, fold_of_row == settings.fold)
        _check_labels(reviews, [train, parts["test"]], f"data.fold={settings.fold}")
    elif test and settings.test_fraction is not None:
        other_seed = (settings.split_seed, 1)  # or validation and test would be drawn alike
        fraction = settings.test_fraction
        train, parts["test"] = split_off(reviews, fraction, other_seed, "test_fraction")
    if validation:
        fraction, seed = settings.validation_fraction, settings.split_seed
        train, parts["val"] = split_off(
            train, fraction, seed, "validation_fraction", is_rest="test" in parts
        )
    lost = len(reviews) - len(train) - sum(map(len, parts.values()))
    left_out = {**reviews.left_out, **({HELD_OUT: lost} if lost else {})}
    return {"train": replace(train, left_out=left_out), **parts}


def split_off(
    reviews: Reviews,
    fraction: float,
    seed: int | tuple[int, int],
    key: str,
    *,
    is_rest: bool = False,
) -> tuple[Reviews, Reviews]:
    """Split into the reviews that stay and a `fraction` of them, as the key `key` demands it.

    Identical texts (white space around them aside) stay together, or, where reviews have groups,
    these; what stays has then lost the reviews whose text is also in the other part. Each label has
    its share in both parts, or at least one group. Both are in file order. Raises ValueError for a
    label that cannot be in both; `is_rest` is as in `_check_labels`.
    """
    group_of_row, sizes = _groups(reviews)
    is_taken = np.zeros(len(sizes), dtype=bool)
    generator = np.random.default_rng(seed)
    for groups, is_pure in _strata(reviews.labels, group_of_row, len(sizes)):
        groups = generator.permutation(groups)
        room = round(fraction * int(sizes[groups].sum()))
        if is_pure and len(groups) > 1:
            least, total = int(sizes[groups].min()), int(sizes[groups].sum())
            room = min(max(room, least), total - least)
        for group in groups:  # what is too large for the room that is left stays
            if sizes[group] <= room:
                is_taken[group] = True
                room -= sizes[group]
    parts = _divided(reviews, is_taken[group_of_row])
    _check_labels(reviews, parts, f"data.{key}={fraction}", is_rest)
    return parts


def folds_of(reviews: Reviews, folds: int, seed: int) -> IntArray:
    """The fold [N], from 0, of each review: of every label about as many reviews in each.

    What stays together is as in `split_off`. Raises ValueError for a label that is not in every
    fold.
    """
    group_of_row, sizes = _groups(reviews)
    fold_of_group = np.zeros(len(sizes), dtype=np.int64)
    totals = np.zeros(folds, dtype=np.int64)
    generator = np.random.default_rng(seed)
    for groups, _ in _strata(reviews.labels, group_of_row, len(sizes)):
        filled = np.zeros(folds, dtype=np.int64)
        groups = generator.permutation(groups)
        largest_first = groups[np.argsort(-sizes[groups], kind="stable")]
        for group in largest_first:
            fold = np.lexsort((totals, filled))[0]  # the emptiest of this label, then of all
            fold_of_group[group] = fold
            filled[fold] += sizes[group]
            totals[fold] += sizes[group]
    fold_of_row = fold_of_group[group_of_row]
    parts = [reviews.take(np.flatnonzero(fold_of_row == fold)) for fold in range(folds)]
    _check_labels(reviews, parts, f"data.folds={folds}")
    return fold_of_row


def _divided(reviews: Reviews, is_taken: npt.NDArray[np.bool_]) -> tuple[Reviews, Reviews]:
    """The reviews that stay and those that are taken.

    A text that is in groups of both is lost to those that stay.
    """
    taken = reviews.take(np.flatnonzero(is_taken))
    if reviews.groups:
        texts = {text.strip() for text in taken.texts}
        is_taken = np.array([text.strip() in texts for text in reviews.texts]) | is_taken
    return reviews.take(np.flatnonzero(~is_taken)), taken


def _groups(reviews: Reviews) -> tuple[IntArray, IntArray]:
    """The group of each review [N], and how many reviews each group has [G]."""
    # Not pandas' factorize, which leaves a second copy of every text in memory.
    numbers: dict[str, int] = {}
    names = reviews.groups or (text.strip() for text in reviews.texts)
    of_rows = (numbers.setdefault(name, len(numbers)) for name in names)
    group_of_row = np.fromiter(of_rows, np.int64, len(reviews))
    return group_of_row, np.bincount(group_of_row)


def _strata(
    labels: npt.NDArray[np.integer], group_of_row: IntArray, count: int
) -> list[tuple[IntArray, bool]]:
    """The groups by their lowest and highest label; whether that is one."""
    lowest = np.full(count, np.iinfo(np.int64).max)
    highest = np.full(count, -1)
    np.minimum.at(lowest, group_of_row, labels)
    np.maximum.at(highest, group_of_row, labels)
    code = lowest * (highest.max() + 1) + highest
    _, first, code_of_group = np.unique(code, return_index=True, return_inverse=True)
    return [
        (np.flatnonzero(code_of_group == index), bool(lowest[group] == highest[group]))
        for index, group in enumerate(first)
    ]


def _check_labels(
    reviews: Reviews, parts: Sequence[Reviews], key: str, is_rest: bool = False
) -> None:
    """Raises ValueError where a label of the reviews is not in each of the parts.

    `is_rest` tells that the reviews are what a test part has left.
    """
    for label in np.unique(reviews.labels):
        if not all((part.labels == label).any() for part in parts):
            own = reviews.take(np.flatnonzero(reviews.labels == label))
            names = own.label_names
            whose = f"the label {names[label]!r} has" if names else "the file has"
            left = " left beside the test part" if is_rest else ""
            many, too_few = _counted(len(own), "review"), "too few"
            if own.groups:
                many += f" of {_counted(len({*own.groups}), 'group')}"
                too_few = "too few or too large"
            elif len(texts := {text.strip() for text in own.texts}) < len(own):
                many += f" of {_counted(len(texts), 'text')}"
            way_out = "; leave it out with data.label_map, or add some" if names else ""
            raise ValueError(
                f"{key}: {whose} {many}{left}, {too_few} to have different ones in each part"
                f"{way_out}"
            )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
