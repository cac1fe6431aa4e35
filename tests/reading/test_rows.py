"""Reading rows of every format, sound and damaged, and writing answers that can be read again."""

import csv
import gzip
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.reading.csv_records import read_fields
from nsmc.reading.file_format import FileFormat
from nsmc.reading.lines import LONGEST_LINE, Line
from nsmc.reading.objects import _elements
from nsmc.reading.rows import Row, format_of, open_rows, read_rows

LINES = ("tsv", "csv", "jsonl", "text")  # the formats that are lines

HOSTILE = {
    "tab": "앞\t뒤",
    "newline": "첫 줄\n둘째 줄",
    "carriage return": "첫 줄\r둘째 줄",
    "quotes": '그는 "최고"라고 했다',
    "only a quote": '"',
    "quoted whole": '"최고"',
    "comma": "별로, 정말, 별로",
    "byte order mark": "\ufeff최고",
    "NUL": "영\x00화",
    "emoji": "👍🏽👨‍👩‍👧‍👦",
    "separators": "한\x0b두\x0c세\x1c네\x85다섯\u2028여섯\u2029끝",
    "white space around": "  최고 ",
    "backslash": "\\n \\t \\",
    "long": "가" * 40_000,
}
# What a file of lines can hold: in TSV and text, tabs and line ends have no escape.
for_lines = pytest.mark.parametrize(
    "name", [name for name in HOSTILE if not set(HOSTILE[name]) & set("\t\n\r")]
)

any_text = st.text(st.characters(exclude_categories=["Cs"]))
one_line_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"))


def read(content: str | bytes, kind: str, **changes: Any) -> list[Row]:
    data = content if isinstance(content, bytes) else content.encode()
    quoting = "nsmc" if kind == "tsv" else None  # as most tests of TSV are of NSMC's form
    file_format = replace(FileFormat(format=kind, quoting=quoting), **changes)
    stream = io.BufferedReader(io.BytesIO(data))
    return list(read_rows(stream, "reviews", file_format))


def lines_with_errors(rows: list[Row]) -> dict[int, str]:
    return {row.line: row.error for row in rows if row.error}


def sound(rows: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, row.text) for row in rows if not row.error]


# --- what is written is read ---


@for_lines
def test_tsv_gives_back_a_text_that_was_quoted_twice_as_nsmc_has_it(name: str) -> None:
    text = HOSTILE[name]
    field = text
    for _ in range(2):
        field = '"' + field.replace('"', '""') + '"'
    rows = read(f"id\tdocument\tlabel\n7\t{field}\t1\n8\t끝\t0\n", "tsv")
    assert rows == [Row(2, text, "1", "7"), Row(3, "끝", "0", "8")]


@for_lines
def test_tsv_gives_back_a_text_as_it_stands_but_for_quotes_around_all_of_it(name: str) -> None:
    text = HOSTILE[name]
    expected = text[1:-1] if name == "quoted whole" else text
    rows = read(f"id\tdocument\tlabel\n7\t{text}\t1\n8\t끝\t0\n", "tsv")
    assert rows == [Row(2, expected, "1", "7"), Row(3, "끝", "0", "8")]


@pytest.mark.parametrize("name", HOSTILE)
def test_json_lines_give_back_every_text(name: str) -> None:
    text = HOSTILE[name]
    for ensure_ascii in (True, False):
        line = json.dumps({"id": 7, "document": text, "label": 1}, ensure_ascii=ensure_ascii)
        rows = read(f'{line}\n{{"document": "끝", "label": "0"}}\n', "jsonl")
        assert rows == [Row(1, text, "1", "7"), Row(2, "끝", "0")]


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_gives_back_every_text(name: str) -> None:
    text = HOSTILE[name]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "document", "label"], ["7", text, "1"], ["8", "끝", "0"]])
    rows = read(file.getvalue(), "csv")
    assert [row._replace(line=0) for row in rows] == [
        Row(0, text, "1", "7"),
        Row(0, "끝", "0", "8"),
    ]


@for_lines
def test_a_text_file_gives_back_every_line(name: str) -> None:
    text = HOSTILE[name]
    assert read(f"앞\n{text}\n끝", "text") == [Row(1, "앞"), Row(2, text), Row(3, "끝")]


@given(texts=st.lists(one_line_text.filter(str.strip), min_size=1, max_size=5))
def test_text_that_was_written_line_by_line_is_read_line_by_line(texts: list[str]) -> None:
    rows = read("앞\n" + "\n".join(texts), "text")
    assert [row.text for row in rows] == ["앞", *texts]


@given(text=any_text.filter(str.strip), ensure_ascii=st.booleans())
def test_any_text_survives_json(text: str, ensure_ascii: bool) -> None:
    line = json.dumps({"document": text, "label": 0}, ensure_ascii=ensure_ascii)
    assert read(line, "jsonl") == [Row(1, text, "0")]


@pytest.mark.parametrize("kind", LINES)
def test_line_ends_of_windows_and_a_byte_order_mark_are_no_part_of_a_text(kind: str) -> None:
    content = {
        "tsv": "document\tlabel\r\n최고\t1\r\n별로\t0\r\n",
        "csv": "document,label\r\n최고,1\r\n별로,0\r\n",
        "jsonl": '{"document": "최고", "label": 1}\r\n{"document": "별로", "label": 0}\r\n',
        "text": "최고\r\n별로\r\n",
    }[kind]
    rows = read(content.encode("utf-8-sig"), kind)
    assert [(row.text, row.error) for row in rows] == [("최고", ""), ("별로", "")]
    assert [row.label for row in rows] == ([None, None] if kind == "text" else ["1", "0"])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "text"])
def test_an_empty_file_has_no_rows_or_lacks_the_column(kind: str) -> None:
    if kind == "csv":
        with pytest.raises(ValueError, match="the file is empty"):
            read("", kind)
    else:
        assert read("", kind) == []


# --- damage ---


def test_a_damaged_tsv_row_keeps_its_line_number_and_the_others_go_through() -> None:
    rows = read(
        b"id\tdocument\tlabel\n"
        b"1\tgood\t1\n"
        b"2\tgood\n"
        b"3\tgood\t1\t1\n"
        b"\n"
        b"4\t\xff\xfe\t1\n"
        b"5\t  \t0\n"
        b'6\t""""""\t0\n'  # two layers of quotes around nothing
        b"7\tlast\t0",
        "tsv",
    )
    assert sound(rows) == [(2, "good"), (9, "last")]
    assert lines_with_errors(rows) == {
        3: "2 fields where the first row has 3 (is the file cut off?)",
        4: "4 fields where the first row has 3",
        6: "not UTF-8",
        7: "no text",
        8: "no text",
    }
    assert all(row.text == "" for row in rows if row.error)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("[1]", "not an object"),
        ('"text"', "not an object"),
        ("null", "not an object"),
        ("NaN", "not an object"),
        ('{"label": 1}', "no 'document'"),
        ('{"document": 7, "label": 1}', "'document' is not a text"),
        ('{"document": null, "label": 1}', "no text"),
        ('{"document": ["a"], "label": 1}', "'document' is not a text"),
        ('{"document": "a"}', "no label"),
        ('{"document": "a", "label": NaN}', "no label"),
        ('{"document": NaN, "label": 1}', "no text"),
        ('{"document": "a", "label": [1]}', "'label' is not a label"),
        ('{"document": "a", "label": {"of": 1}}', "'label' is not a label"),
        ('{"document": "a", "label": Infinity}', "'label' is not a label"),
        ('{"document": " ", "label": 1}', "no text"),
        ('{"document": "a", "label": 1', "not JSON"),
        ("{'document': 'a', 'label': 1}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5_000, "not JSON"),
        ("\x00", "not JSON"),
    ],
)
def test_a_json_line_without_a_text_is_damaged_and_the_others_go_through(
    line: str, error: str
) -> None:
    good = '{"document": "good", "label": 1}'
    rows = read(f"{good}\n\n{line}\n{good}\n", "jsonl")
    assert sound(rows) == [(1, "good"), (4, "good")]
    assert lines_with_errors(rows) == {3: error}


def test_an_empty_line_of_a_text_file_is_a_damaged_row_so_that_lines_correspond() -> None:
    rows = read("good\n\n \nlast\n", "text")
    assert sound(rows) == [(1, "good"), (4, "last")]
    assert lines_with_errors(rows) == {2: "no text", 3: "no text"}


BY_KIND: dict[str, Callable[[str], str]] = {
    "tsv": lambda text: f"1\t{text}\t1\n",
    "csv": lambda text: f"1,{text},1\n",
    "jsonl": lambda text: json.dumps({"document": text, "label": 1}) + "\n",
    "text": lambda text: text + "\n",
}
HEADERS = {
    "tsv": "id\tdocument\tlabel\n",
    "csv": "id,document,label\n",
    "jsonl": "\n",
    "text": "first\n",
}


@pytest.mark.parametrize("kind", LINES)
def test_a_line_beyond_the_limit_is_damaged_and_those_after_it_go_through(kind: str) -> None:
    line = BY_KIND[kind]
    content = HEADERS[kind] + line("good") + line("x" * (3 * LONGEST_LINE)) + line("last")
    rows = [row for row in read(content, kind) if row.line > 1]
    assert sound(rows) == [(2, "good"), (4, "last")]
    assert lines_with_errors(rows) == {3: "longer than 1,048,576 bytes"}


def test_a_quoted_csv_field_beyond_the_limit_swallows_no_other_row() -> None:
    content = f'document,label\ngood,1\n"{"x" * (2 * LONGEST_LINE)}",1\nnext,0\nlast,1\n'
    rows = read(content, "csv")
    assert sound(rows) == [(2, "good"), (4, "next"), (5, "last")]
    assert list(lines_with_errors(rows)) == [3]


@pytest.mark.parametrize("kind", LINES)
def test_bytes_that_are_not_utf_8_damage_their_own_row_alone(kind: str) -> None:
    line = BY_KIND[kind]
    content = HEADERS[kind] + line("good") + line("MARK") + line("last")
    rows = read(content.encode().replace(b"MARK", "최고".encode("cp949")), kind)
    rows = [row for row in rows if row.line > 1]
    assert sound(rows) == [(2, "good"), (4, "last")]
    assert lines_with_errors(rows).keys() == {3}
    assert lines_with_errors(rows)[3].startswith("not UTF-8")


@pytest.mark.parametrize("kind", LINES)
def test_a_damaged_row_has_no_text(kind: str) -> None:
    line = BY_KIND[kind]
    content = HEADERS[kind] + line("MARK") + line("x" * LONGEST_LINE)
    rows = read(content.encode().replace(b"MARK", b"\xff"), kind)
    assert [row.text for row in rows if row.line > 1] == ["", ""]


def test_csv_records_over_several_lines_are_counted_by_the_line_they_begin_at() -> None:
    rows = read(
        "id,document,label\n"
        '1,"first\nsecond\n\nfourth",1\n'
        "2,short,0\n"
        "\n"
        "3,bad\n"
        '4,"he said ""no"", twice\n",1\n'
        "5,last,0",
        "csv",
    )
    assert sound(rows) == [
        (2, "first\nsecond\n\nfourth"),
        (6, "short"),
        (9, 'he said "no", twice\n'),
        (11, "last"),
    ]
    assert lines_with_errors(rows) == {
        8: "2 fields where the first row has 3 (is the file cut off?)"
    }
    assert [row.label for row in rows if not row.error] == ["1", "0", "1", "0"]


def test_a_csv_text_longer_than_csv_s_own_limit_is_read_like_in_every_other_format() -> None:
    text = "가" * 200_000  # 600 kB: within LONGEST_LINE
    assert sound(read(f"document,label\n{text},1\nlast,0\n", "csv")) == [(2, text), (3, "last")]


def test_a_csv_quote_that_is_never_closed_makes_no_review_of_the_rest_of_the_file() -> None:
    rows = read('label,document\n1,good\n0,"open\n1,next\n0,last\n', "csv")
    assert (2, "good") in sound(rows)
    assert 3 in lines_with_errors(rows)


def with_one_open_quote(count: int, damaged: int, quoted: bool) -> str:
    lines = [f'{i},"review, {i}",1' if quoted else f"{i},review {i},1" for i in range(count)]
    lines[damaged] = f'{damaged},"open,1'
    return "\n".join(["id,document,label", *lines]) + "\n"


@pytest.mark.parametrize("damaged", [0, 1, 500, 997, 998])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_csv_quote_that_is_never_closed_damages_its_own_row_alone(
    damaged: int, quoted: bool
) -> None:
    rows = read(with_one_open_quote(999, damaged, quoted), "csv")
    assert [row.line for row in rows] == list(range(2, 1001))
    assert lines_with_errors(rows).keys() == {damaged + 2}
    assert len(sound(rows)) == 998


def test_records_of_several_lines_are_read_after_a_quote_that_is_never_closed() -> None:
    rows = read('id,document,label\n1,"open,1\n2,next,0\n3,"two\nlines",1\n4,"last",0\n', "csv")
    assert sound(rows) == [(3, "next"), (4, "two\nlines"), (6, "last")]
    assert lines_with_errors(rows).keys() == {2}


def test_a_quote_that_ends_where_no_field_can_damages_its_own_row_alone() -> None:
    rows = read('document,label\n"a"b,1\n"c",1\nd"e,1\n"f""g",0\n', "csv")
    assert sound(rows) == [(3, "c"), (4, 'd"e'), (5, 'f"g')]
    assert lines_with_errors(rows).keys() == {2}


def test_a_file_of_open_quotes_is_read_line_by_line_not_again_and_again() -> None:
    # From any of these lines the next ones would be parsed as one record without end.
    line, count = 'a"",b"",c",",d', 3_000
    read_lines = []

    def lines() -> Iterator[Line]:
        for number in range(1, count):
            read_lines.append(number)
            yield Line(number, line)

    records = list(read_fields(chain([Line(0, "document")], lines())))
    assert len(records) == count
    assert len(read_lines) == count - 1


@given(st.lists(st.text(alphabet='a,"\n\r ', max_size=8), max_size=12))
def test_any_csv_is_read_to_its_end_and_sound_ones_as_the_library_reads_them(
    lines: list[str],
) -> None:
    content = "document,b\n" + "\n".join(lines) + "\nlast,1\n"
    rows = read(content, "csv", label_column=None)
    assert [row.line for row in rows] == sorted({row.line for row in rows})
    assert not rows[-1].error or lines_with_errors(rows)
    try:
        expected = list(csv.reader(io.StringIO(content, newline="\n"), strict=True))
    except csv.Error:
        assert lines_with_errors(rows) or "\r" in content
        return
    if all(len(row) in (0, 2) for row in expected) and "\r" not in content:
        texts = [row[0] for row in expected[1:] if row]
        assert [row.text for row in rows] == [text if text.strip() else "" for text in texts]


def test_a_csv_header_that_cannot_be_parsed_is_refused_as_a_value_error() -> None:
    with pytest.raises(ValueError, match="reviews"):
        read("id,document\r1,good\r2,bad\r", "csv")  # the line ends of an old Macintosh


# --- columns and formats ---

RECORDS: list[dict[str, Any]] = [
    {"id": 7, "review": text, "stars": 1 + index % 5, "movie": f"m{index % 3}", "비고": "없음"}
    for index, text in enumerate(HOSTILE.values())
]
SHOP = FileFormat(text_column="review", label_column="stars", group_column="movie")


def in_every_format(folder: Path, records: list[dict[str, Any]]) -> list[Path]:
    """Files with the same records in every format that can hold any text."""
    names = list(records[0])
    paths = [folder / f"reviews.{end}" for end in ("csv", "tsv", "jsonl", "json", "parquet")]
    for path, delimiter in zip(paths, ",\t", strict=False):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerows([names, *(list(record.values()) for record in records)])
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    paths[2].write_bytes("\n".join(lines).encode())
    paths[3].write_text(json.dumps(records, indent=2), encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), paths[4], row_group_size=3)
    return paths


def rows_of(path: Path, file_format: FileFormat) -> list[Row]:
    with open_rows(str(path), file_format, others=True) as rows:
        return list(rows)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1.5, 2.0, -0.0, 1e3], ["1.5", "2", "0", "1000"]),
        ([True, False, True, True], ["true", "false", "true", "true"]),
        (["007", "+1", "True", unicodedata.normalize("NFD", "긍정")], ["007", "1", "true", "긍정"]),
    ],
)
def test_labels_are_the_same_in_every_format(
    tmp_path: Path, values: list[Any], labels: list[str]
) -> None:
    records = [{"review": "글", "stars": value, "movie": "m"} for value in values]
    for path in in_every_format(tmp_path, records):
        file_format = replace(SHOP, quoting="csv") if path.suffix == ".tsv" else SHOP
        assert [row.label for row in rows_of(path, file_format)] == labels, path


@pytest.mark.parametrize("value", [[1], {"of": 1}, b"1", float("inf"), float("nan"), None])
def test_what_cannot_be_a_label_in_parquet_is_said(tmp_path: Path, value: Any) -> None:
    table = pyarrow.Table.from_pylist([{"review": "글", "stars": value, "movie": "m"}])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (row,) = rows_of(tmp_path / "a.parquet", SHOP)
    is_missing = value is None or value != value
    assert row.error == ("no label" if is_missing else "'stars' is not a label")


def test_every_format_plain_and_packed_gives_the_same_rows(tmp_path: Path) -> None:
    expected = [
        (record["review"], str(record["stars"]), "7", record["movie"], {"비고": "없음"})
        for record in RECORDS
    ]
    for path in in_every_format(tmp_path, RECORDS):
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        for each in (path, packed):
            file_format = replace(SHOP, quoting="csv") if path.suffix == ".tsv" else SHOP
            rows = rows_of(each, file_format)
            assert [row.error for row in rows] == [""] * len(RECORDS), each
            assert [
                (row.text, row.label, row.id, row.group, row.others) for row in rows
            ] == expected


def test_a_format_that_is_named_counts_more_than_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "reviews.bak"
    path.write_text("document,label\n최고,1\n", encoding="utf-8")
    assert rows_of(path, FileFormat(format="csv")) == [Row(2, "최고", "1")]


def test_packed_bytes_are_known_by_their_content_and_damage_is_said(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    packed = gzip.compress("document,label\n최고,1\n".encode() * 50)
    path.write_bytes(packed)
    assert rows_of(path, FileFormat())[0].text == "최고"
    for content in (packed[:-9], packed[:20] + b"\0\0\0" + packed[23:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"reviews\.csv: damaged gzip file"):
            rows_of(path, FileFormat())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("a.tsv", "tsv"), ("a.TSV", "tsv"), ("a.csv", "csv"), ("a.jsonl", "jsonl")),
        *(("a.ndjson", "jsonl"), ("a.b.csv", "csv"), ("a.gz.csv", "csv"), ("a.csv.gz", "csv")),
        *(("a.json", "json"), ("a.json.GZ", "json"), ("a.PARQUET", "parquet")),
    ],
)
def test_the_extension_says_the_format(name: str, kind: str) -> None:
    assert FileFormat().of(name, b"") == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("id\tdocument\tlabel\n1\t최고\t1\n".encode(), "tsv"),
        ("\ufeffid\tdocument\tlabel\r\n".encode(), "tsv"),
        ("정말 최고\n별로\n".encode(), "text"),
        (b"document\n", "text"),  # one column: each line is a text either way
        (b"my documents\tare fine\n", "tsv"),
        (b"", "text"),
        (b"\xff\xfe\x00", "text"),
    ],
)
def test_the_first_line_tells_nsmc_s_txt_from_a_plain_one(content: bytes, kind: str) -> None:
    for name in ("a.txt", "a.txt.gz"):
        assert FileFormat().of(name, content) == kind


@pytest.mark.parametrize("name", ["reviews", "reviews.gz"])
def test_a_file_without_an_extension_is_refused_and_a_pipe_is_text(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"document,label\nfine,1\n")
    with pytest.raises(ValueError, match=r"without an extension are not read.*data\.format=csv"):
        rows_of(path, FileFormat())
    assert rows_of(path, FileFormat(format="csv")) == [Row(2, "fine", "1")]
    assert format_of("-", FileFormat()) == "text"


@pytest.mark.parametrize("name", ["a.xlsx", "a.zip", "a.bak", "a.bak.gz", "a.csv.old"])
def test_another_extension_is_refused_with_those_that_are_read(name: str) -> None:
    with pytest.raises(ValueError, match=r"\.tsv, \.csv, \.jsonl.*data\.format=csv") as caught:
        FileFormat().of(name, b"id\tdocument\n")
    assert name in str(caught.value)
    with pytest.raises(ValueError, match="--format csv"):
        FileFormat(for_command=True).of(name, b"")


@pytest.mark.parametrize(("kind", "separator"), [("tsv", "\t"), ("csv", ",")])
def test_a_missing_column_is_refused_with_those_that_are_there_and_what_to_type(
    kind: str, separator: str
) -> None:
    header = separator.join(["id", "text", "label"]) + "\n"
    with pytest.raises(ValueError, match=r"no column 'document' in 'id, text.*data\.text_column=N"):
        read(header, kind)
    with pytest.raises(ValueError, match=r"no column 'score'.*--label-column NAME"):
        read(header, kind, text_column="text", label_column="score", for_command=True)
    with pytest.raises(ValueError, match=r"no column 'movie'.*data\.group_column"):
        read(header, kind, text_column="text", group_column="movie")
    assert read(header, kind, text_column="text") == []


def test_columns_stand_in_any_order_under_any_name() -> None:
    columns = {"text_column": "리뷰", "label_column": "평점"}
    for kind, separator in (("tsv", "\t"), ("csv", ",")):
        header, line = separator.join([" 평점", '"x"', "리뷰 "]), separator.join(["1", "y", "최고"])
        assert read(f"{header}\n{line}\n", kind, **columns) == [Row(2, "최고", "1")]
    assert read('{"리뷰": "최고", "평점": 1}', "jsonl", **columns) == [Row(1, "최고", "1")]


@pytest.mark.parametrize(("kind", "separator"), [("tsv", "\t"), ("csv", ",")])
def test_without_a_header_columns_are_positions(kind: str, separator: str) -> None:
    content = f"5{separator}최고\n2{separator}별로\n"
    columns = {"header": False, "text_column": 2, "label_column": 1}
    assert read(content, kind, **columns) == [Row(1, "최고", "5"), Row(2, "별로", "2")]
    with pytest.raises(ValueError, match="no column 3 in '1, 2'"):
        read(content, kind, **{**columns, "text_column": 3})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"text_column": 2}, r"data\.text_column=2: expected a column's name.*data\.header=false"),
        ({"header": False}, r"data\.text_column=document: expected a position from 1"),
        ({"format": "xml"}, r"data\.format=xml: expected tsv, csv, jsonl, json, parquet, text"),
        ({"quoting": "yes"}, r"data\.quoting=yes: expected csv, field, nsmc, none"),
        ({"encoding": "klingon"}, r"data\.encoding=klingon: no such encoding"),
        ({"encoding": "base64"}, r"data\.encoding=base64: no such encoding"),
        ({"encoding": ""}, r"data\.encoding=: no such encoding"),
        ({"text_column": 2, "for_command": True}, "--text-column 2: .*--no-header"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FileFormat(**changes)


@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_header_with_one_name_twice_is_refused_and_a_column_without_a_name_has_one(
    kind: str,
) -> None:
    separator = "\t" if kind == "tsv" else ","
    with pytest.raises(ValueError, match="line 1: two columns are called 'label'"):
        read(separator.join(["document", "label", "label"]) + "\n", kind)
    content = separator.join(["", "document", "label"]) + "\n" + separator.join(["0", "최고", "1"])
    stream = io.BufferedReader(io.BytesIO(content.encode()))
    rows = read_rows(stream, "reviews", FileFormat(format=kind), others=True)
    assert rows.others == ("column 1",)
    assert [row.others for row in rows] == [{"column 1": "0"}]


@pytest.mark.parametrize(
    ("quoting", "texts"),
    [
        ("csv", ['그는 "최고"', "두\n줄"]),
        ("field", ['그는 "최고"', '줄"']),
        ("nsmc", ['그는 "최고"', '줄"']),
        ("none", ['"그는 ""최고"""', '줄"']),
    ],
)
def test_what_quotes_mean_in_tsv(quoting: str, texts: list[str]) -> None:
    content = 'document\tlabel\n"그는 ""최고"""\t1\n"두\n줄"\t0\n'
    rows = read(content, "tsv", quoting=quoting)
    assert [row.text for row in rows if not row.error] == texts
    assert len(rows) == (2 if quoting == "csv" else 3)  # a line of half a field is damage
    doubly = read('document\tlabel\n"""최고"""\t1\n', "tsv", quoting=quoting)[0].text
    assert doubly == {"none": '"""최고"""', "nsmc": "최고"}.get(quoting, '"최고"')


@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_header_in_another_encoding_is_said_to_be_one(kind: str) -> None:
    content = BY_KIND[kind]("리뷰").encode("cp949")
    with pytest.raises(ValueError, match=r"line 1: not UTF-8, looks like cp949: .*encoding=cp949"):
        read(content, kind, text_column="리뷰")


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *((1, "1"), (1.0, "1"), ("1", "1"), (" 1.0 ", "1"), ("-2.00", "-2"), (1.5, "1.5")),
        *((True, "true"), ("긍정", "긍정"), ("01", "01"), ("1.0.0", "1.0.0")),
    ],
)
def test_a_label_is_the_same_from_every_format(value: object, label: str) -> None:
    content = json.dumps({"document": "a", "label": value})
    assert [row.label for row in read(content, "jsonl")] == [label]


@pytest.mark.parametrize("value", ["null", '""', '" "'])
def test_a_row_without_a_label_is_damaged_where_labels_are_read(value: str) -> None:
    content = f'{{"document": "a", "label": {value}}}'
    assert read(content, "jsonl") == [Row(1, error="no label")]
    assert read(content, "jsonl", label_column=None) == [Row(1, "a")]


# --- JSON arrays and Parquet ---


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"document": "a"}', "not a JSON array"),
        ("", "not a JSON array"),
        ('[{"document": "a", "label": 1}', "row 1: not JSON, or the file is cut off"),
        ('[{"document": "a", "label": 1},', "row 2: not JSON, or the file is cut off"),
        ('[{"document": "a" "label": 1}]', "row 1: not JSON"),
        ('[{"document": "a", "label": 1} {}]', "row 1: no comma after it"),
        ('[{"document": "a", "label": 1}] []', "something follows the JSON array"),
        ('[{"document": "' + "가" * LONGEST_LINE, "row 1: not JSON"),
        ("[" * 100_000, "row 1: not JSON"),
    ],
)
def test_a_json_array_that_is_damaged_is_refused(content: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read(content, "json")


def test_elements_of_a_json_array_that_are_no_reviews_damage_their_own_row_alone() -> None:
    long = "가" * 100_000  # over several blocks
    content = json.dumps(
        [{"document": "a", "label": 1}, 7, None, [], {"document": long, "label": 0}]
    )
    rows = read(content, "json")
    assert sound(rows) == [(1, "a"), (5, long)]
    assert set(lines_with_errors(rows).values()) == {"not an object"}


@given(st.lists(st.text(max_size=5), max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_a_json_array_is_read_the_same_in_blocks_of_any_size(
    texts: list[str], size: int, indent: int | None
) -> None:
    content = json.dumps(texts, indent=indent, ensure_ascii=False)
    blocks = (content[start : start + size] for start in range(0, len(content), size))
    assert list(_elements(blocks, "reviews")) == texts


def test_a_parquet_file_that_is_none_or_damaged_is_refused(tmp_path: Path) -> None:
    path = in_every_format(tmp_path, RECORDS)[-1]
    content = path.read_bytes()
    for damaged in (b"", b"PAR1", content[:-20], b"document,label\n", content[:60] + content[64:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"reviews\.parquet.*damaged"):
            rows_of(path, SHOP)


def test_without_pyarrow_a_parquet_file_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_every_format(tmp_path, RECORDS)[-1]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r'reviews\.parquet.*needs the extra "parquet"'):
        rows_of(path, SHOP)


def test_another_value_than_a_text_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    table = pyarrow.table({"review": [5, None], "stars": [1.0, 2.0], "movie": ["a", "b"]})
    pyarrow.parquet.write_table(table, path)
    assert [row.error for row in rows_of(path, SHOP)] == ["'review' is not a text", "no text"]


# --- nothing is lost ---


def test_a_key_that_is_there_twice_is_damage(tmp_path: Path) -> None:
    twice = '{"document": "a", "label": "1", "label": "0"}'
    assert read(f"{twice}\n", "jsonl") == [Row(1, error="'label' is there twice")]
    with pytest.raises(ValueError, match=r"^reviews, row 1: 'label' is there twice$"):
        read(f"[{twice}]", "json")
    keys = ", ".join(f'"k{number % 50_000}": 0' for number in range(50_001))
    assert read(f"{{{keys}}}\n", "jsonl") == [Row(1, error="'k0' is there twice")]


def test_a_row_without_a_text_keeps_its_other_columns() -> None:
    stream = io.BytesIO(b"id\tdocument\tmovie\n07.0\t \tParasite\n")
    file_format = FileFormat(format="tsv", label_column=None)
    (row,) = read_rows(stream, "reviews", file_format, others=True)
    assert row == Row(2, "", None, "07.0", None, {"movie": "Parasite"}, "no text")


def test_the_columns_of_json_are_those_of_the_first_sound_object() -> None:
    stream = io.BytesIO(b'oops\n{"document": "a", "movie": 1}\n')
    rows = read_rows(stream, "reviews", FileFormat(format="jsonl", label_column=None), others=True)
    assert rows.others == ("movie",)
    assert [row.line for row in rows] == [1, 2]


def test_a_header_of_many_columns_is_read_at_once() -> None:
    content = "document" + "\t" * 300_000 + "\n"
    assert read(content, "tsv", label_column=None) == []


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_a_json_array_in_another_encoding_is_refused_with_the_way_out(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"looks like {encoding}: read it with data.encoding"):
        read('[{"document": "정말 최고예요"}]'.encode(encoding), "json")


@pytest.mark.parametrize("quoting", ["nsmc", "field"])
def test_csv_has_csv_s_quoting_where_another_one_is_for_tsv(quoting: str) -> None:
    (row,) = read('document\n"a, ""b"""\n', "csv", label_column=None, quoting=quoting)
    assert row.text == 'a, "b"'


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_the_position_in_a_file_is_that_in_its_bytes_on_disk(tmp_path: Path, name: str) -> None:
    content = b"document\n" + b"good\n" * 10_000
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with open_rows(str(tmp_path / name), FileFormat(label_column=None)) as rows:
        assert len(list(rows)) == 10_000
        assert rows.position() == (tmp_path / name).stat().st_size
