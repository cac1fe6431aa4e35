"""Corpus files become texts and numbers of labels; what is left out is counted or refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nsmc.data.corpus import NSMC, CorpusForm, Reviews, one_hot, read_reviews
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import LabelRules

HEADER = "id\tdocument\tlabel\n"
ANY_LABELS = CorpusForm()
LENIENT = replace(NSMC, skip_damaged=True)


def written(folder: Path, content: str | bytes, name: str = "ratings.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(reviews: Reviews) -> list[tuple[str, int]]:
    return list(zip(reviews.texts, reviews.labels.tolist(), strict=True))


def test_reviews_are_read_in_file_order(tmp_path: Path) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + "1\t재미있다\t1\n2\tso so\t0\n3\t최고\t1\n"))
    assert reviews.texts == ["재미있다", "so so", "최고"]
    assert reviews.labels.dtype == np.int16
    assert reviews.labels.tolist() == [1, 0, 1]
    assert reviews.label_names == ("negative", "positive")
    assert not reviews.left_out
    assert len(reviews) == 3


def test_ids_stay_with_their_reviews(tmp_path: Path) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + "7\ta\t1\n8\t\t0\nx9\tb\t0\n"))
    assert reviews.ids == ["7", "x9"]
    taken = reviews.take(np.array([1, 0]))
    assert (taken.ids, taken.texts) == (["x9", "7"], ["b", "a"])


def test_ids_are_left_out_where_nobody_needs_them(tmp_path: Path) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + "7\ta\t1\nx9\tb\t0\n"), keep_ids=False)
    assert reviews.ids == []
    assert reviews.take(np.array([1])).texts == ["b"]


def test_without_ids_reviews_are_called_by_their_number_among_the_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "document\tlabel\na\t1\n\t0\nb\t0\n")
    assert read_reviews(path).ids == ["1", "3"]


def test_groups_stay_with_their_reviews(tmp_path: Path) -> None:
    path = written(tmp_path, "film\tdocument\tlabel\nx\ta\t1\ny\tb\t0\n")
    form = replace(NSMC, file_format=replace(NSMC.file_format, group_column="film"))
    reviews = read_reviews(path, form)
    assert reviews.groups == ["x", "y"]
    assert reviews.take(np.array([1])).groups == ["y"]


def test_unlabelled_reviews_need_no_labels_and_lose_one_layer_of_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, 'id\tdocument\tstars\n7\t"""좋다"""\t3\n')
    reviews = read_reviews(path, NSMC.without_labels())
    assert (reviews.ids, reviews.texts, reviews.labels.tolist()) == (["7"], ['"좋다"'], [0])
    assert reviews.label_names == ()
    with pytest.raises(ValueError, match="no column 'label'"):
        read_reviews(path)


def test_labels_that_are_there_are_not_read_where_none_are_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "7\ta\t1\n8\tb\tunknown\n")
    assert read_reviews(path, NSMC.without_labels()).labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "names", "labels"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        (["10", "9", "1"], ("1", "9", "10"), [2, 1, 0]),
        (["3.0", "1", "-2"], ("-2", "1", "3"), [2, 1, 0]),
        (["좋음", "나쁨"], ("나쁨", "좋음"), [1, 0]),
    ],
)
def test_labels_are_those_of_the_file_in_an_order_that_its_rows_do_not_change(
    tmp_path: Path, values: list[str], names: tuple[str, ...], labels: list[int]
) -> None:
    lines = "".join(f"{row}\tt\t{value}\n" for row, value in enumerate(values))
    reviews = read_reviews(written(tmp_path, HEADER + lines), ANY_LABELS)
    assert reviews.label_names == names
    assert reviews.labels.tolist() == labels


def test_a_thousand_labels_are_read(tmp_path: Path) -> None:
    lines = "".join(f"{row}\tt {row}\tlabel {row % 1_000}\n" for row in range(2_000))
    reviews = read_reviews(written(tmp_path, HEADER + lines), ANY_LABELS)
    assert len(reviews.label_names) == 1_000
    assert np.bincount(reviews.labels).tolist() == [2] * 1_000


def test_labels_that_are_mapped_to_none_are_left_out_and_counted(tmp_path: Path) -> None:
    rules = LabelRules(mapping={"1-2": "bad", "3": None, "4-5": "good"})
    lines = "".join(f"{stars}\tt {stars}\t{stars}\n" for stars in range(1, 6))
    reviews = read_reviews(written(tmp_path, HEADER + lines), CorpusForm(labels=rules))
    assert rows_of(reviews) == [("t 1", 0), ("t 2", 0), ("t 4", 1), ("t 5", 1)]
    assert reviews.label_names == ("bad", "good")
    assert reviews.left_out == {"with a label that data.label_map maps to null": 1}


def test_another_file_of_the_corpus_has_the_same_labels_and_no_others(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "1\ta\tc\n2\tb\ta\n")
    reviews = read_reviews(path, ANY_LABELS, names=("a", "b", "c"))
    assert rows_of(reviews) == [("a", 2), ("b", 0)]
    with pytest.raises(ValueError, match=r"line 2: label 'c' is not in the training file \("):
        read_reviews(path, ANY_LABELS, names=("a", "b"))
    listed = CorpusForm(labels=LabelRules(("a", "b")))
    with pytest.raises(ValueError, match=r"label 'c' is not one of data.labels \('a', 'b'"):
        read_reviews(path, listed, names=("a", "b"))


@pytest.mark.parametrize(
    "text", ["NA", "N/A", "nan", "NaN", "null", "NULL", "None", "-", "0", "1.0"]
)
def test_words_that_tables_use_for_missing_values_are_texts(tmp_path: Path, text: str) -> None:
    reviews = read_reviews(written(tmp_path, HEADER + f"{text}\t{text}\t1\n"))
    assert rows_of(reviews) == [(text, 1)]
    assert not reviews.left_out


def test_rows_without_a_text_are_left_out_and_counted(tmp_path: Path) -> None:
    content = HEADER + '1\t\t1\n2\ta\t0\n3\t \t1\n4\t\u3000\u00a0\t0\n5\t""\t1\n6\tb\t1\n'
    reviews = read_reviews(written(tmp_path, content))
    assert rows_of(reviews) == [("a", 0), ("b", 1)]
    assert reviews.left_out == {"without a text": 4}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_ignored_and_not_counted(tmp_path: Path, end: str) -> None:
    content = (HEADER + "\n1\ta\t0\n\n\n2\tb\t1\n\n").replace("\n", end)
    reviews = read_reviews(written(tmp_path, content))
    assert rows_of(reviews) == [("a", 0), ("b", 1)]
    assert not reviews.left_out


def test_take_keeps_the_given_order() -> None:
    reviews = Reviews(["a", "b", "c"], np.array([0, 1, 1], dtype=np.int16))
    assert rows_of(reviews.take(np.array([2, 0]))) == [("c", 1), ("a", 0)]


def test_one_hot_has_a_column_for_each_label() -> None:
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


# Damage

_LONG = "".join(f"{i}\t가나다라마바사\t{i % 2}\n" for i in range(20_000))  # beyond one read buffer


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (HEADER + "1\ta\t2\n", 2, "label '2' is not in data.label_map ('0', '1')"),
        (HEADER + "1\ta\t0\n2\tb\tpositive\n", 3, "label 'positive' is not in data.label_map"),
        (HEADER + "1\ta\t0\n\n\n2\tb\t-1\n", 5, "label '-1' is not in data.label_map"),
        (HEADER + _LONG + "1\ta\t2\n", 20_002, "label '2' is not in data.label_map"),
        (HEADER + "1\ta\t0\n2\tb\t\n3\tc\t1\n", 3, "no label"),
        (HEADER + "1\ta\t0\n2\tb\n3\tc\t1\n", 3, "cut off"),
        (HEADER + "1\ta\t0\n2", 3, "cut off"),
        (HEADER + "1\ta\t0\n2\tb\t1\tx\n", 3, "fields"),
        (HEADER + "1\ta\t0\n2\tb\t1\t\n", 3, "fields"),
        (HEADER + "1\ta\t0\n\n2\ttab\tin it\t1\n", 4, "fields"),
        (HEADER + _LONG + "1\ta\t1\t1\n", 20_002, "fields"),
        (HEADER.encode() + b"1\ta\t0\n2\t\xff\t1\n", 3, "not UTF-8"),
        (HEADER.encode() + b"\n\n1\t\xea\xb0\t1\n", 4, "not UTF-8"),
        (HEADER.encode() + _LONG.encode() + b"1\t\xff\t1\n", 20_002, "not UTF-8"),
        ((HEADER + "1\t영화\t0\n").encode("cp949"), 2, "data.encoding=cp949"),
        ("document\tlabel\tid\na\t0\t1\nb\t1\n", 3, "cut off"),
    ],
)
def test_a_damaged_row_is_refused_in_one_line_that_names_it(
    tmp_path: Path, content: str | bytes, line: int, problem: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as raised:
        read_reviews(path)
    message = str(raised.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "id\tdocument\n1\ta\n",
            "no column 'label' in 'id, document'; name the right one with dat",
        ),
        ("1\ta\t0\n2\tb\t1\n", "no column 'document'"),
        ("a line of text\n", "data.label_column=null; data.format=tsv reads it as a table"),
        ("", "plain text, which has no labels"),
        ((HEADER + "1\ta\t0\n").encode("utf-16"), "data.encoding=utf-16"),
    ],
)
def test_a_file_of_another_form_is_refused(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    for form in (NSMC, LENIENT):
        with pytest.raises(ValueError) as raised:
            read_reviews(written(tmp_path, content), form)
        assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2\tb", "that cannot be read"),
        (b"2\tb\t1\tx", "that cannot be read"),
        (b"2\t\xff\t1", "that cannot be read"),
        (b"2\tb\t", "without a label"),
    ],
)
def test_damaged_rows_can_be_left_out_and_are_counted(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = written(tmp_path, HEADER.encode() + b"1\ta\t0\n" + line + b"\n3\t\t1\n4\tc\t1\n")
    with pytest.raises(ValueError, match="line 3: "):
        read_reviews(path)
    reviews = read_reviews(path, LENIENT)
    assert rows_of(reviews) == [("a", 0), ("c", 1)]
    assert reviews.left_out == {reason: 1, "without a text": 1}


def test_a_row_without_its_group_is_damaged_and_counted_apart(tmp_path: Path) -> None:
    path = written(tmp_path, "film\tdocument\tlabel\nx\ta\t1\n\tb\t0\nx\tc\t0\n")
    form = replace(LENIENT, file_format=replace(NSMC.file_format, group_column="film"))
    assert read_reviews(path, form).left_out == {"without a group": 1}
    with pytest.raises(ValueError, match=r"line 3: no group; data\.skip_damaged=true leaves such"):
        read_reviews(path, replace(form, skip_damaged=False))


@pytest.mark.parametrize("form", [NSMC, LENIENT])
def test_a_label_that_is_not_expected_is_no_damage_that_could_be_skipped(
    tmp_path: Path, form: CorpusForm
) -> None:
    path = written(tmp_path, HEADER + "1\ta\t0\n2\tb\t7\n3\tc\t1\n")
    with pytest.raises(
        ValueError, match=r"line 3: label '7' is not in .*data\.label_map can"
    ) as it:
        read_reviews(path, form)
    assert "skip_damaged" not in str(it.value)
    mapping = {**(NSMC.labels.mapping or {}), "7": None}
    mapped = replace(form, labels=replace(NSMC.labels, mapping=mapping))
    expected = {"with a label that data.label_map maps to null": 1}
    assert read_reviews(path, mapped).left_out == expected


@pytest.mark.parametrize(
    ("content", "left_out"),
    [
        (HEADER, ""),
        (HEADER + "\n\n", ""),
        (HEADER + "1\t \t1\n", " that can be used (1 without a text)"),
        (HEADER + "1\ta\n2\t\t1\n", " that can be used (1 that cannot be read, 1 without a text)"),
    ],
)
def test_a_file_without_a_single_text_is_an_error(
    tmp_path: Path, content: str, left_out: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError) as raised:
        read_reviews(path, LENIENT)
    assert str(raised.value) == f"{path}: no row has a text{left_out}"


def test_rows_of_a_json_array_are_counted_as_rows(tmp_path: Path) -> None:
    path = written(tmp_path, '[{"document": "a", "label": 0},\n\n{"document": "b"}]', "r.json")
    form = CorpusForm(FileFormat())
    with pytest.raises(ValueError, match=r"r\.json, row 2: no label; data\.skip_damaged=true"):
        read_reviews(path, form)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        read_reviews(tmp_path / "absent.txt")
    assert str(tmp_path / "absent.txt") in str(raised.value)
