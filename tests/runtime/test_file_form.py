"""What a bundle remembers of how its corpus was read, and how that is used for other files."""

from dataclasses import replace
from typing import Any

import pytest

from nsmc.data.corpus import NSMC
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import LabelRules
from nsmc.runtime.file_form import check_reading, file_format, label_values, reading_of

LABELS = ("부정", "긍정")
RULES = LabelRules(LABELS)


def test_of_nsmc_s_corpus_the_quoting_and_the_labels_are_remembered() -> None:
    labels = ("negative", "positive")
    reading = reading_of(NSMC.file_format, "ratings_train.txt", NSMC.labels, labels)
    assert reading == {"quoting": "nsmc", "label_map": {"0": "negative", "1": "positive"}}


@pytest.mark.parametrize(
    ("form", "path", "reading"),
    [
        (FileFormat(), "a.tsv", {}),
        (FileFormat(), "a.jsonl.gz", {"format": "jsonl"}),
        (
            FileFormat(text_column="평", label_column="점", encoding="cp949", quoting="none"),
            "a.csv",
            {
                **{"format": "csv", "encoding": "cp949", "quoting": "none"},
                **{"text_column": "평", "label_column": "점"},
            },
        ),
        (
            FileFormat(text_column=2, label_column=1, header=False, id_column=3),
            "a.txt",
            {"header": False, "text_column": 2, "label_column": 1},
        ),
    ],
)
def test_what_differs_from_the_default_is_remembered_and_gives_the_form_back(
    form: FileFormat, path: str, reading: dict[str, Any]
) -> None:
    assert reading_of(form, path, RULES, LABELS) == reading
    check_reading(reading, LABELS)
    read = file_format(reading, path, {}, labelled=True)
    for name in ("encoding", "header", "text_column", "label_column", "quoting"):
        assert getattr(read, name) == getattr(form, name), name
    assert file_format(reading, path, {}, labelled=False).label_column is None


def test_of_a_map_only_labels_that_were_found_are_remembered() -> None:
    rules = LabelRules(None, {"1": "a", "2": "b", "3": None, "4": "gone"})
    reading = reading_of(FileFormat(), "a.tsv", rules, ("a", "b"))
    assert reading == {"label_map": {"1": "a", "2": "b", "3": None}}


def test_a_bundle_without_a_reading_reads_nsmc_s_form() -> None:
    read = file_format(None, "a.txt", {}, labelled=True)
    assert (read.text_column, read.label_column, read.quoting) == ("document", "label", "nsmc")
    rules = label_values(None, LABELS)
    assert [rules.label_of(value) for value in ("0", "1")] == ["부정", "긍정"]


def test_quoting_is_for_files_of_the_corpus_s_format_alone() -> None:
    reading = {"quoting": "none"}  # of TSV
    assert file_format(reading, "a.tsv", {}, labelled=True).quoting == "none"
    assert file_format(reading, "a.csv", {}, labelled=True).quoting is None
    assert file_format(reading, "a.csv", {"quoting": "none"}, labelled=True).quoting == "none"
    assert file_format(reading, "a.dat", {"format": "tsv"}, labelled=True).quoting == "none"


def test_of_a_corpus_in_another_format_only_the_names_of_columns_are_taken() -> None:
    reading = {
        **{"encoding": "cp949", "delimiter": "|", "quoting": "none"},
        **{"text_column": "평", "label_column": "점"},
    }
    named = FileFormat("평", "점", for_command=True)
    alike = replace(named, encoding="cp949", delimiter="|", quoting="none")
    alike = replace(alike, inherited=("delimiter",))
    assert file_format(reading, "a.tsv", {}, labelled=True) == alike
    for name in ("a.csv", "a.jsonl", "a.parquet", "-"):
        assert file_format(reading, name, {}, labelled=True) == named, name


def test_only_a_header_that_nobody_has_given_is_looked_for() -> None:
    reading = {"header": False, "text_column": 2, "label_column": 1}
    for options, looked_for in (({}, "b"), ({"header": False}, ""), ({"header": True}, "")):
        read = file_format(reading, "a.tsv", options, labelled=True, bundle="b")
        assert read.like_corpus_of == looked_for


@pytest.mark.parametrize(
    ("path", "options"),
    [("a.jsonl", {}), ("a.parquet", {}), ("a.csv", {}), ("a.tsv", {"header": True})],
)
def test_positions_mean_nothing_where_columns_have_names(
    path: str, options: dict[str, Any]
) -> None:
    reading = {"header": False, "text_column": 2, "label_column": 1}
    read = file_format(reading, path, options, labelled=True)
    assert (read.text_column, read.label_column, read.header) == ("document", "label", True)
    named = file_format(reading, path, {**options, "text_column": "평"}, labelled=True)
    assert named.text_column == "평"


def test_options_that_make_no_sense_are_refused_as_they_were_typed() -> None:
    with pytest.raises(ValueError, match=r"^--text-column x: expected a position from 1"):
        file_format({}, "a.tsv", {"header": False, "text_column": "x"}, labelled=False)
    with pytest.raises(ValueError, match="xlsx files are not read"):
        file_format({}, "a.xlsx", {}, labelled=False)


WRONG_VALUES: dict[str, list[object]] = {
    "format": ["xlsx", 5, None, ["csv"]],
    "encoding": ["nowhere", "base64", "a\0", 5, None, {}],
    "header": [0, "false", None, False],  # the last with columns that have names
    "quoting": ["odd", 1, ["csv"]],
    "delimiter": ["", "::", '"', "\n", 1, None, []],
    "text_column": ["", 0, -1, True, 2.0, None, ["a"], 2],
    "label_column": ["", 0, False, ["a"], 1],
    "label_map": [[], "a", {"1": "unknown"}, {"1": 1}, {"1": ["a"]}, {"5-1": "부정"}],
    "text_colum": ["a"],
}
WRONG: list[object] = [
    *([], "csv", 5, True),
    *({key: value} for key, values in WRONG_VALUES.items() for value in values),
]


@pytest.mark.parametrize("reading", WRONG, ids=str)
def test_a_damaged_reading_is_refused(reading: object) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_reading(reading, LABELS)
    assert len(str(caught.value)) < 200
