"""A file's encoding, header and columns are guessed from its first rows."""

from pathlib import Path
from typing import Any

import pytest

from nsmc.data.guessing import (
    guessed_columns,
    guessed_encoding,
    guessed_table,
    sampled_columns,
)
from nsmc.reading.file_format import FileFormat


def written(folder: Path, content: str, name: str = "a.csv", encoding: str = "utf-8") -> str:
    (folder / name).write_bytes(content.encode(encoding))
    return str(folder / name)


@pytest.mark.parametrize(
    ("encoding", "guessed"),
    [
        *(("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp949", "cp949")),
        *(("utf-16", "utf-16"), ("utf-16-le", "utf-16le")),
    ],
)
@pytest.mark.parametrize("repeated", [1, 50_000])
def test_the_encoding_is_recognised(
    tmp_path: Path, encoding: str, guessed: str, repeated: int
) -> None:
    content = "review,stars\n" + "정말 재밌다,5\n" * repeated  # more than is looked at
    assert guessed_encoding(written(tmp_path, content, encoding=encoding)) == guessed


def test_a_file_in_one_line_is_recognised_too(tmp_path: Path) -> None:
    assert guessed_encoding(written(tmp_path, "정말 재밌다", encoding="cp949")) == "cp949"


def test_damage_is_no_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("정말 재밌다\n".encode() * 9 + b"\xff\xfe\n")
    assert guessed_encoding(str(tmp_path / "a.csv")) == "utf-8"


LONG = "이 영화는 정말 재밌다"


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", f"id,review,stars\n1,{LONG},5\n2,별로,1\n3,별로,1\n", ("review", "stars")),
        ("a.csv", f"5,{LONG},x\n1,별로,y\n1,또,z\n", ("2", "1")),
        ("a.tsv", f"리뷰\t별점\n{LONG}\t5\n별로\t1\n", ("리뷰", "별점")),
        ("a.tsv", f"a\tb\n{LONG}\t좋음\n별로야\t나쁨\n", ("a", "b")),
        ("a.jsonl", f'{{"k": "{LONG}", "n": 1}}\n{{"k": "별로", "n": 2}}\n', ("k", "n")),
        ("a.csv", f"text\n{LONG}\n", ("text", None)),
        ("a.csv", f"text,same\n{LONG},1\n또,1\n", ("text", None)),
    ],
)
def test_columns_are_found_by_name_or_by_what_is_in_them(
    tmp_path: Path, name: str, content: str, columns: tuple[Any, Any]
) -> None:
    path = written(tmp_path, content, name)
    file_format = FileFormat(format=Path(name).suffix[1:])
    file_format, _ = guessed_table(path, file_format, {})
    guessed = guessed_columns(sampled_columns(path, file_format))
    found = (guessed["text_column"], guessed["label_column"])
    assert tuple(column and str(column) for column in found) == columns


def test_plain_text_has_no_columns(tmp_path: Path) -> None:
    assert sampled_columns(written(tmp_path, "한 줄\n", "a.txt"), FileFormat()) == []


COMMAS = ["그냥, 좋아요; 0;0", "아주, 정말, 좋아요;1;1", "별로; 0;1", "최고, 최고; 1;0"]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("text;label\n좋다;1\n", ";"),
        ("text;label\n좋다, 참;1\n", ";"),  # the comma makes this line a damaged one
        ("\n".join(COMMAS), ";"),
        ("\n".join(COMMAS[::3]), ";"),  # each with one comma
        ("text, label\n좋다, 1\n", ","),
        ("\n".join(COMMAS).replace(";", "|"), "|"),
        ("\n".join(COMMAS).replace(";", "\t"), "\t"),
        ("a,b\tc\nd,e\tf\n", "\t"),  # nobody types a tab
        ("text,label\n좋다; 참,1\n", ","),
        ("text,label\n" + "좋다,1\n" * 9 + "좋다; 참,1\n", ","),
        ("text\n좋다; 참\n좋다\n", ","),
        ('text,label\n"좋다; 참",1\n"좋다; 별로",1\n', ","),
        ("text\n", ","),
        ("", ","),
    ],
)
def test_what_is_between_the_fields_of_csv_is_seen(
    tmp_path: Path, content: str, delimiter: str
) -> None:
    path = written(tmp_path, content)
    form, unsure = guessed_table(path, FileFormat("text", None, format="csv"), {})
    assert (form.field_delimiter, "delimiter" in unsure) == (delimiter, False)
    given = FileFormat(format="csv", delimiter="/")
    assert guessed_table(path, given, {})[0].delimiter == "/"
    form, _ = guessed_table(path, FileFormat(format="csv"), {"format": "csv"})
    assert (form.format, form.field_delimiter) == ("csv", delimiter)


def test_commas_between_the_fields_of_tsv_are_seen_and_those_of_sentences_are_not(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "text,label\n좋다,1\n", "a.tsv")
    assert guessed_table(path, FileFormat(format="tsv"), {})[0].format == "csv"
    path = written(tmp_path, "좋다, 참\n싫다, 참\n", "a.tsv")
    assert guessed_table(path, FileFormat(format="tsv"), {})[0].format == "tsv"


def test_a_file_that_says_what_its_delimiter_is_is_believed(tmp_path: Path) -> None:
    path = written(tmp_path, "sep=;\ntext;label\n좋다, 참;1\n")
    form, unsure = guessed_table(path, FileFormat("text", None, format="csv"), {})
    assert (form.delimiter, form.header, unsure) == (";", True, {})
    assert [column.name for column in sampled_columns(path, form)] == ["text", "label"]
