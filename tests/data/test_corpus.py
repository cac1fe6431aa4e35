"""Corpus files are read exactly, errors name their row, and the split never leaks a text."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nsmc.data.corpus import Reviews, read_reviews, split_validation

HEADER = "id\tdocument\tlabel\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "ratings.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(reviews: Reviews) -> list[tuple[str, int]]:
    return list(zip(reviews.texts, reviews.labels.tolist(), strict=True))


# Reading


def test_reviews_are_read_in_file_order(tmp_path: Path) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + "1\t재미있다\t1\n2\tso so\t0\n3\t최고\t1\n"))
    assert reviews.texts == ["재미있다", "so so", "최고"]
    assert reviews.labels.dtype == np.int8
    assert reviews.labels.tolist() == [1, 0, 1]
    assert reviews.dropped == 0
    assert len(reviews) == 3


def test_ids_stay_with_their_reviews(tmp_path: Path) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + "7\ta\t1\n8\t\t0\nx9\tb\t0\n"))
    assert reviews.ids == ["7", "x9"]
    taken = reviews.take(np.array([1, 0]))
    assert (taken.ids, taken.texts) == (["x9", "7"], ["b", "a"])


@pytest.mark.parametrize("header", ["id\tdocument", "document\tid", "id\tstars\tdocument"])
def test_unlabelled_reviews_need_no_labels(tmp_path: Path, header: str) -> None:
    row = {"id": "7", "document": '"""좋다"""', "stars": "3"}
    line = "\t".join(row[name] for name in header.split("\t"))
    path = written(tmp_path, f"{header}\n{line}\n")
    reviews = read_reviews(path, labelled=False)
    assert (reviews.ids, reviews.labels.tolist()) == (["7"], [0])
    with pytest.raises(ValueError, match="no column 'label'"):
        read_reviews(path)


def test_labels_that_are_there_are_not_read_where_none_are_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "7\ta\t1\n8\tb\tunknown\n")
    assert read_reviews(path, labelled=False).labels.tolist() == [0, 0]


@pytest.mark.parametrize("header", ["id\tlabel", "document\tlabel"])
def test_unlabelled_reviews_need_the_other_columns(tmp_path: Path, header: str) -> None:
    with pytest.raises(ValueError, match="expected a tab-separated file with the columns id, doc"):
        read_reviews(written(tmp_path, f"{header}\n1\t2\n"), labelled=False)


@pytest.mark.parametrize(
    "content",
    [
        "label\tid\tdocument\n1\t7\tgood\n0\t8\tbad\n",
        "document\tlabel\tid\ngood\t1\t7\nbad\t0\t8\n",
        "id\tdate\tdocument\tstars\tlabel\n7\t2016\tgood\t10\t1\n8\t2016\tbad\t1\t0\n",
    ],
)
def test_columns_are_found_by_name_in_any_order(tmp_path: Path, content: str) -> None:
    assert rows_of(read_reviews(written(tmp_path, content))) == [("good", 1), ("bad", 0)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last_end", [True, False])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_line_end_and_a_byte_order_mark_are_accepted(
    tmp_path: Path, end: str, last_end: bool, mark: str
) -> None:
    content = mark + end.join(["id\tdocument\tlabel", "1\t좋다\t1", "2\t 싫다 \t0"])
    reviews = read_reviews(written(tmp_path, content + end * last_end))
    assert rows_of(reviews) == [("좋다", 1), (" 싫다 ", 0)]


def test_line_ends_may_be_mixed(tmp_path: Path) -> None:
    content = "id\tdocument\tlabel\r\n1\ta\t0\r2\tb\t1\n3\tc\t1"
    assert rows_of(read_reviews(written(tmp_path, content))) == [("a", 0), ("b", 1), ("c", 1)]


def test_only_tabs_and_line_ends_separate(tmp_path: Path) -> None:
    # Python's str.splitlines would break the row at each of these.
    text = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x00h"
    content = HEADER + f"1\t{text}\t0\n2\tb\t1\n"
    assert rows_of(read_reviews(written(tmp_path, content))) == [(text, 0), ("b", 1)]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ('"""""""명작"""" 이라더니"""', '"명작" 이라더니'),  # two layers, as the NSMC files have it
        ('"""a""""b"""', 'a"b'),
        ('""""""""""', '"'),
        ('""""""""""""""', '""'),
        ('"one layer"', "one layer"),
        ('"one ""layer"" of it"', 'one "layer" of it'),
        ('"', '"'),
        ('a "good" film', 'a "good" film'),
        ('"good" film', '"good" film'),
        ('"good" and "bad"', '"good" and "bad"'),  # begins and ends with quotes that are its own
        ('"never closed', '"never closed'),
        ('never opened"', 'never opened"'),
        ("'single'", "'single'"),
        ('"""three layers of it"""', "three layers of it"),
    ],
)
def test_both_layers_of_quoting_are_removed_and_other_quotes_kept(
    tmp_path: Path, field: str, text: str
) -> None:
    content = HEADER + f"1\t{field}\t0\n2\tafter\t1\n"
    assert rows_of(read_reviews(written(tmp_path, content))) == [(text, 0), ("after", 1)]


def csv_quoted(text: str) -> str:
    """The text as a field of a tab-separated CSV file: quoted if it has a double quote."""
    field = io.StringIO()
    csv.writer(field, delimiter="\t", lineterminator="").writerow([text])
    return field.getvalue()


reviewed_texts = st.text(
    st.one_of(
        st.sampled_from('""" 가나다ab'),  # quotes often enough to meet in every arrangement
        st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"),
    ),
    min_size=1,
).filter(lambda text: bool(text.strip()))


@settings(deadline=None, max_examples=200)
@given(rows=st.lists(st.tuples(reviewed_texts, st.integers(0, 1)), min_size=1, max_size=5))
@example(rows=[('"', 0), ('""', 1), ('"""', 0), ('"a"', 1), ('a""b', 0), ('" "', 1), ('" ', 1)])
def test_texts_quoted_twice_are_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    lines = [
        f"{i}\t{csv_quoted(csv_quoted(text))}\t{label}\n" for i, (text, label) in enumerate(rows)
    ]
    path = written(tmp_path_factory.getbasetemp(), HEADER + "".join(lines))
    reviews = read_reviews(path)
    assert rows_of(reviews) == rows
    assert reviews.dropped == 0


@pytest.mark.parametrize(
    "text", ["NA", "N/A", "nan", "NaN", "null", "NULL", "None", "-", "0", "1.0"]
)
def test_words_that_tables_use_for_missing_values_are_texts(tmp_path: Path, text: str) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + f"{text}\t{text}\t1\n"))
    assert rows_of(reviews) == [(text, 1)]
    assert reviews.dropped == 0


def test_rows_without_a_text_are_dropped_and_counted(tmp_path: Path) -> None:
    content = HEADER + '1\t\t1\n2\ta\t0\n3\t \t1\n4\t\u3000\u00a0\t0\n5\t""\t1\n6\tb\t1\n'
    reviews = read_reviews(written(tmp_path, content))
    assert rows_of(reviews) == [("a", 0), ("b", 1)]
    assert reviews.dropped == 4


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_ignored_and_not_counted_as_dropped(tmp_path: Path, end: str) -> None:
    content = (HEADER + "\n1\ta\t0\n\n\n2\tb\t1\n\n").replace("\n", end)
    reviews = read_reviews(written(tmp_path, content))
    assert rows_of(reviews) == [("a", 0), ("b", 1)]
    assert reviews.dropped == 0


# Errors

_LONG = "".join(f"{i}\t가나다라마바사\t{i % 2}\n" for i in range(20_000))  # beyond one read buffer


@pytest.mark.parametrize(
    ("content", "row", "problem"),
    [
        ("id\tdocument\n1\ta\n", 1, "no column 'label'"),
        ("document\tlabel\na\t1\n", 1, "no column 'id'"),
        ("id,document,label\n1,a,0\n", 1, "no column 'id'"),
        ("ID\tdocument\tlabel\n1\ta\t0\n", 1, "no column 'id'"),
        ("1\ta\t0\n2\tb\t1\n", 1, "no column 'id'"),
        ("", 1, "empty"),
        ("\ufeff", 1, "empty"),
        (HEADER + "1\ta\t2\n", 2, "label '2' is not 0 or 1"),
        (HEADER + "1\ta\t0\n2\tb\tpositive\n", 3, "label 'positive' is not 0 or 1"),
        (HEADER + "1\ta\t0\n2\tb\t1.0\n", 3, "label '1.0' is not 0 or 1"),
        (HEADER + "1\ta\t0\n2\tb\t 1\n", 3, "label ' 1' is not 0 or 1"),
        (HEADER + "1\ta\t0\n\n\n2\tb\t-1\n", 5, "label '-1' is not 0 or 1"),
        (HEADER + "1\t\t3\n", 2, "label '3' is not 0 or 1"),
        (HEADER + _LONG + "1\ta\t2\n", 20_002, "label '2' is not 0 or 1"),
        (HEADER + "1\ta\t0\n2\tb\t\n3\tc\t1\n", 3, "no label"),
        (HEADER + "1\ta\t0\n2\tb\n3\tc\t1\n", 3, "truncated"),
        (HEADER + "1\ta\t0\n2\tb", 3, "truncated"),
        (HEADER + "1\ta\t0\n2", 3, "truncated"),
        (HEADER + "1\ta\t0\n2\tb\t1\tx\n", 3, "fields"),
        (HEADER + "1\ta\t0\n2\tb\t1\t\n", 3, "fields"),
        (HEADER + "1\ta\t0\n\n2\ttab\tin it\t1\n", 4, "fields"),
        (HEADER + _LONG + "1\ta\t1\t1\n", 20_002, "fields"),
        ("label\tid\tdocument\n0\t1\ta\n1\t2\n", 3, "truncated"),
        ("document\tlabel\tid\na\t0\t1\nb\t1\n", 3, "truncated"),
        (HEADER.encode() + b"1\ta\t0\n2\t\xff\t1\n", 3, "not UTF-8"),
        (HEADER.encode() + b"\n\n1\t\xea\xb0\t1\n", 4, "not UTF-8"),
        (b"id\tdocument\tlabel\xff\n1\ta\t0\n", 1, "not UTF-8"),
        (HEADER.encode() + _LONG.encode() + b"1\t\xff\t1\n", 20_002, "not UTF-8"),
        ((HEADER + "1\ta\t0\n").encode("utf-16"), 1, "not UTF-8"),
        ((HEADER + "1\t영화\t0\n").encode("cp949"), 2, "not UTF-8"),
    ],
)
def test_an_error_names_the_file_the_row_and_the_problem_in_one_line(
    tmp_path: Path, content: str | bytes, row: int, problem: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as raised:
        read_reviews(path)
    message = str(raised.value)
    assert message.startswith(f"{path}, row {row}: ")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("line", [b"2\tb\t7", b"2\tb", b"2\tb\t1\tx", b"2\t\xff\t1"])
def test_rows_are_counted_alike_with_every_line_end(tmp_path: Path, end: str, line: bytes) -> None:
    content = (HEADER + "1\ta\t0\n\n").encode() + line + b"\n3\tc\t1\n"
    path = written(tmp_path, content.replace(b"\n", end.encode()))
    with pytest.raises(ValueError) as raised:
        read_reviews(path)
    assert str(raised.value).startswith(f"{path}, row 4: ")


@pytest.mark.parametrize("content", [HEADER, HEADER.strip(), HEADER + "\n\n", HEADER + "1\t \t1\n"])
def test_a_file_without_a_single_text_is_an_error(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as raised:
        read_reviews(path)
    assert str(raised.value) == f"{path}: no row has a text"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        read_reviews(tmp_path / "absent.txt")
    assert str(tmp_path / "absent.txt") in str(raised.value)


# Splitting


def reviews_of(rows: Sequence[tuple[str, int]]) -> Reviews:
    return Reviews([text for text, _ in rows], np.array([label for _, label in rows], np.int8))


def distinct_reviews(negative: int, positive: int) -> Reviews:
    return reviews_of([(f"text {i}", int(i < positive)) for i in range(negative + positive)])


def test_one_seed_gives_one_split_and_another_seed_another() -> None:
    reviews = distinct_reviews(50, 50)
    first, again, other = (split_validation(reviews, 0.2, seed) for seed in (1, 1, 2))
    assert [rows_of(part) for part in first] == [rows_of(part) for part in again]
    assert rows_of(first[1]) != rows_of(other[1])


def test_the_split_is_stratified_by_label() -> None:
    training, validation = split_validation(distinct_reviews(800, 200), 0.1, 42)
    assert Counter(validation.labels.tolist()) == {0: 80, 1: 20}
    assert Counter(training.labels.tolist()) == {0: 720, 1: 180}


@settings(deadline=None, max_examples=100)
@given(
    copies=st.lists(st.tuples(st.integers(1, 2), st.integers(0, 1)), min_size=20, max_size=60),
    fraction=st.floats(0.2, 0.8),
    seed=st.integers(0, 2**32),
)
def test_each_label_has_its_share_of_the_validation_part_within_two_rows(
    copies: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    rows = [(f"text {i}", label) for i, (count, label) in enumerate(copies) for _ in range(count)]
    _, validation = split_validation(reviews_of(rows), fraction, seed)
    for label in (0, 1):
        share = fraction * sum(row_label == label for _, row_label in rows)
        assert abs(np.count_nonzero(validation.labels == label) - share) <= 2


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        # Few texts, so that most come several times, with and without space around them.
        st.tuples(st.text("가나 \u3000", min_size=1, max_size=4), st.integers(0, 1)),
        min_size=4,
    ),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 2**32),
)
def test_a_split_loses_nothing_keeps_file_order_and_never_parts_identical_texts(
    rows: list[tuple[str, int]], fraction: float, seed: int
) -> None:
    numbered = [(text, label) for text, label in rows if text.strip()]
    rows = [("always there", 0), *numbered, *((f"filler {i}", i % 2) for i in range(20))]
    training, validation = split_validation(reviews_of(rows), fraction, seed)
    assert len(training) > 0 and len(validation) > 0
    assert Counter(rows_of(training)) + Counter(rows_of(validation)) == Counter(rows)
    training_texts = {text.strip() for text in training.texts}
    validation_texts = {text.strip() for text in validation.texts}
    assert not training_texts & validation_texts
    for part, texts in ((training, training_texts), (validation, validation_texts)):
        assert rows_of(part) == [row for row in rows if row[0].strip() in texts]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_text_with_both_labels_stays_on_one_side(fraction: float) -> None:
    rows = [("그냥 그래요", 0), (" 그냥 그래요", 1), *((f"text {i}", i % 2) for i in range(40))]
    for seed in range(20):
        parts = split_validation(reviews_of(rows), fraction, seed)
        sides = [sum("그냥 그래요" in text for text in part.texts) for part in parts]
        assert sorted(sides) == [0, 2]


@pytest.mark.parametrize(
    ("rows", "fraction", "training", "validation"),
    [
        ([("a", 0), ("b", 1), ("c", 0), ("d", 1)], 0.0, 4, 0),
        ([("a", 0), ("b", 1), ("c", 0), ("d", 1)], 1.0, 0, 4),
        ([("a", 0), ("a ", 0), ("a", 0), (" a", 0)], 0.5, 4, 0),
        ([("a", 1)], 0.5, 1, 0),
    ],
)
def test_a_split_that_would_leave_a_part_empty_is_an_error(
    rows: list[tuple[str, int]], fraction: float, training: int, validation: int
) -> None:
    with pytest.raises(ValueError) as raised:
        split_validation(reviews_of(rows), fraction, 0)
    assert str(raised.value) == (
        f"data.validation_fraction={fraction} of {len(rows)} reviews leaves "
        f"{training} for training and {validation} for validation"
    )


def test_a_frequent_text_does_not_take_the_others_share() -> None:
    texts = ["굿"] * 20 + [f"text {i}" for i in range(180)]
    labels = np.array([1] * 100 + [0] * 100, dtype=np.int8)
    for seed in range(50):
        _, validation = split_validation(Reviews(texts, labels), 0.1, seed)
        assert validation.labels.tolist().count(1) == 10


def test_a_part_is_empty_only_where_no_text_fits() -> None:
    labels = np.ones(5, dtype=np.int8)
    for seed in range(10):
        parts = split_validation(Reviews(["굿", "굿", "a", "b", "c"], labels), 0.2, seed)
        assert [len(part) for part in parts] == [4, 1]
