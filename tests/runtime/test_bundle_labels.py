"""What a file's labels mean to a bundle, where some could mean two of its labels."""

from collections.abc import Iterable
from typing import Any

import pytest

from nsmc.reading.rows import Row
from nsmc.runtime.bundle_labels import BundleLabels
from tests.bundles import config_of

TWO = ("0", "1")
STARS = {"label_map": {"1-5": "0", "6-10": "1"}}  # so "1" is the label "0", or the name of another


def numbers(
    values: Iterable[object],
    reading: str | None = None,
    labels: tuple[str, ...] = TWO,
    bundle: dict[str, Any] | None = STARS,
) -> list[int]:
    rows = (Row(line, "a", str(value)) for line, value in enumerate(values, start=2))
    read = BundleLabels(config_of(labels=labels, reading=bundle), reading=reading)
    return [int(row.label or "") for row in read.numbered(rows)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 1, 1], [1, 0, 1, 1]),  # 0 is a name alone, so 1 is one, too
        ([1, 1, 9, 2], [0, 0, 1, 0]),  # 9 and 2 are in the map alone
        ([0, 7, 0], [0, 1, 0]),  # each means one label, so both may be there
        ([5, 6], [0, 1]),
    ],
)
def test_a_label_that_may_mean_two_is_read_as_the_file_s_others_are(
    values: list[int], expected: list[int]
) -> None:
    assert numbers(values) == expected


def test_where_nothing_says_which_the_reading_has_to_be_chosen() -> None:
    message = r"^'1': labels of the bundle by name, but others.*--labels names or --labels mapped$"
    with pytest.raises(ValueError, match=message):
        numbers([1, 1, 1])
    assert numbers([1, 1], "names") == [1, 1]
    assert numbers([1, 1], "mapped") == [0, 0]


@pytest.mark.parametrize("values", [[1, 0, 7], [7, 1, 0], [0, 7, 1]])
def test_a_file_of_both_kinds_with_a_label_that_may_mean_two_is_refused(values: list[int]) -> None:
    zero, seven = (f"line {values.index(value) + 2}" for value in (0, 7))
    message = rf"both: '0' \({zero}\) is only a name, '7' \({seven}\) only in the map; rewrite"
    with pytest.raises(ValueError, match=message):
        numbers(values)


def test_a_reading_that_is_chosen_knows_no_other_labels() -> None:
    with pytest.raises(ValueError, match="line 3: label '7' is not one of the bundle's"):
        numbers([0, 7], "names")
    with pytest.raises(ValueError, match="line 2: label '0' is not one of the bundle's"):
        numbers([0, 7], "mapped")
    with pytest.raises(ValueError, match="--labels mapped: the bundle has no label_map, only name"):
        numbers([0, 1], "mapped", bundle={})


def test_a_label_that_the_map_leaves_out_may_be_a_name() -> None:
    labels, bundle = ("2", "3"), {"label_map": {"1": "2", "2": "3", "3": None}}
    assert numbers([1, 2, 3], labels=labels, bundle=bundle) == [0, 1]
    assert numbers([2, 3], "names", labels=labels, bundle=bundle) == [0, 1]


def test_labels_that_mean_the_same_by_both_need_no_others() -> None:
    bundle = {"label_map": {"1": "1", "2": "2", "3": "1"}}
    assert numbers([1, 2], labels=("1", "2"), bundle=bundle) == [0, 1]
    swapped = {"label_map": {"1": "2", "2": "1"}}
    with pytest.raises(ValueError, match=r"^'1', '2': labels of the bundle by name, but"):
        numbers([2, 1], labels=("1", "2"), bundle=swapped)


def test_no_more_rows_are_read_ahead_than_say_how_labels_are_read() -> None:
    rows = iter([Row(2, "a", "1"), Row(3, error="no label"), Row(4, "b", "0"), Row(5, "c", "1")])
    read = BundleLabels(config_of(labels=TWO, reading=STARS)).numbered(rows)
    assert (next(read).label, next(rows).line) == ("1", 5)
    assert [row.line for row in read] == [3, 4]


@pytest.mark.parametrize("label_map", [None, {"yes": "True", "no": "0.50"}])
def test_a_bundle_of_before_knows_the_labels_of_its_own_corpus(
    label_map: dict[str, str] | None,
) -> None:
    """Readers make "true" and "0.5" of these names; once they left them as they were."""
    bundle = {} if label_map is None else {"label_map": label_map}
    assert numbers(["0.5", "true"], labels=("True", "0.50"), bundle=bundle) == [1, 0]
