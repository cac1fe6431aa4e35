"""Reading rows of every format, sound and damaged, and writing answers that can be read again."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.runtime.lines import LONGEST_LINE
from nsmc.runtime.readers import (
    FORMATS,
    Answer,
    Columns,
    Row,
    format_of,
    read_rows,
    unquoted,
    writer_of,
)

COLUMNS = Columns("document", "label")

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


def read(content: str | bytes, kind: str, columns: Columns = COLUMNS) -> list[Row]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(read_rows(io.BytesIO(data), kind, columns, "reviews"))


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


@given(text=st.text(alphabet='a",', max_size=12), layers=st.integers(0, 3))
def test_quoting_is_undone_so_often_and_no_oftener(text: str, layers: int) -> None:
    quoted = text
    for _ in range(layers):
        quoted = '"' + quoted.replace('"', '""') + '"'
    assert unquoted(quoted, layers) == text


@pytest.mark.parametrize("text", ['"최고" 라고 "했다"', '"열기만', '닫기만"', '"', '"a"b"', ""])
def test_what_is_not_csv_quoting_is_left_as_it_stands(text: str) -> None:
    assert unquoted(text, 2) == text


@pytest.mark.parametrize("kind", FORMATS)
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
        3: "2 fields where the header has 3",
        4: "4 fields where the header has 3",
        6: "not UTF-8",
        7: "no text",
        8: "no text",
    }
    assert all(row.text == "" for row in rows if row.error)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("[1]", "no text 'document'"),
        ('"text"', "no text 'document'"),
        ("null", "no text 'document'"),
        ("NaN", "no text 'document'"),
        ('{"label": 1}', "no text 'document'"),
        ('{"document": 7, "label": 1}', "no text 'document'"),
        ('{"document": null, "label": 1}', "no text 'document'"),
        ('{"document": ["a"], "label": 1}', "no text 'document'"),
        ('{"document": "a"}', "no 'label'"),
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


@pytest.mark.parametrize("kind", FORMATS)
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


@pytest.mark.parametrize("kind", FORMATS)
def test_bytes_that_are_not_utf_8_damage_their_own_row_alone(kind: str) -> None:
    line = BY_KIND[kind]
    content = HEADERS[kind] + line("good") + line("MARK") + line("last")
    rows = read(content.encode().replace(b"MARK", "최고".encode("cp949")), kind)
    rows = [row for row in rows if row.line > 1]
    assert sound(rows) == [(2, "good"), (4, "last")]
    assert lines_with_errors(rows).keys() == {3}
    assert lines_with_errors(rows)[3].startswith("not UTF-8")


@pytest.mark.parametrize("kind", FORMATS)
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
    assert lines_with_errors(rows) == {8: "2 fields where the header has 3"}
    assert [row.label for row in rows if not row.error] == ["1", "0", "1", "0"]


def test_a_csv_text_longer_than_csv_s_own_limit_is_read_like_in_every_other_format() -> None:
    text = "가" * 200_000  # 600 kB: within LONGEST_LINE
    assert sound(read(f"document,label\n{text},1\nlast,0\n", "csv")) == [(2, text), (3, "last")]


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


@given(st.lists(st.text(alphabet='a,"\n\r ', max_size=8), max_size=12))
def test_any_csv_is_read_to_its_end_and_sound_ones_as_the_library_reads_them(
    lines: list[str],
) -> None:
    content = "document,b\n" + "\n".join(lines) + "\nlast,1\n"
    rows = read(content, "csv", Columns("document"))
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


@pytest.mark.parametrize(("kind", "header"), [("tsv", "id\ttext\tlabel"), ("csv", "id,text,label")])
def test_a_missing_column_is_refused_with_its_name_and_those_that_are_there(
    kind: str, header: str
) -> None:
    with pytest.raises(ValueError, match=r"reviews, line 1: no column 'document' in 'id, text, la"):
        read(header + "\n", kind)
    with pytest.raises(ValueError, match="no column 'score'"):
        read(header + "\n", kind, Columns("text", "score"))
    assert read(header + "\n", kind, Columns("text")) == []


def test_columns_stand_in_any_order_under_any_name() -> None:
    columns = Columns("리뷰", "평점")
    for kind, separator in (("tsv", "\t"), ("csv", ",")):
        header, line = separator.join(["평점", "x", "리뷰"]), separator.join(["1", "y", "최고"])
        assert read(f"{header}\n{line}\n", kind, columns) == [Row(2, "최고", "1")]
    assert read('{"리뷰": "최고", "평점": 1}', "jsonl", columns) == [Row(1, "최고", "1")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("a.tsv", "tsv"), ("a.TSV", "tsv"), ("a.csv", "csv"), ("a.jsonl", "jsonl")),
        *(("a.ndjson", "jsonl"), ("-", "text"), ("a.b.csv", "csv"), ("a.gz.csv", "csv")),
    ],
)
def test_the_extension_says_the_format(name: str, kind: str) -> None:
    assert format_of(name) == kind


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
        (b"x" * (2 * LONGEST_LINE), "text"),
    ],
)
def test_the_first_line_tells_nsmc_s_txt_from_a_plain_one(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    for name in ("a.txt", "a"):
        (tmp_path / name).write_bytes(content)
        assert format_of(str(tmp_path / name)) == kind


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.json", "a.xlsx", "a.PARQUET", "a.zip", "a.bak"])
def test_another_extension_is_refused_with_those_that_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id\tdocument\n1\t최고\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"\.tsv, \.csv, \.jsonl.*--format tsv, csv") as caught:
        format_of(str(tmp_path / name))
    assert name in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no such file"):
        format_of(str(tmp_path / f"nowhere-{name}"))


@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_header_in_another_encoding_is_said_to_be_one(kind: str) -> None:
    content = BY_KIND[kind]("리뷰").encode("cp949")
    with pytest.raises(ValueError, match=r"line 1: not UTF-8, looks like cp949: .*iconv -f cp949"):
        read(content, kind, Columns("리뷰"))


def test_a_json_label_of_null_is_none() -> None:
    assert read('{"document": "a", "label": null}', "jsonl") == [Row(1, "a", "")]


# --- writing ---


def written(kind: str, *answers: Answer) -> str:
    stream = io.StringIO(newline="")
    write = writer_of(stream, kind)
    for answer in answers:
        write(answer)
    return stream.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_csv_and_json_answers_hold_the_very_text(kind: str, name: str) -> None:
    text = HOSTILE[name]
    content = written(kind, Answer(Row(2, text, None, "7"), "positive", 0.75))
    if kind == "jsonl":
        assert content.count("\n") == 1
        found = json.loads(content)
        assert found.pop("probability") == 0.75
    else:
        found = next(csv.DictReader(io.StringIO(content, newline="")))
        assert (found.pop("probability"), found.pop("error")) == ("0.75", "")
    expected = {"line": 2, "id": "7", "label": "positive", "document": text}
    assert {key: str(value) for key, value in found.items()} == {
        key: str(value) for key, value in expected.items()
    }


@given(texts=st.lists(any_text, max_size=4), kind=st.sampled_from(["tsv", "text"]))
def test_lines_of_answers_stay_one_each_whatever_the_texts(texts: list[str], kind: str) -> None:
    answers = [Answer(Row(1, text), "positive", 0.5) for text in texts]
    lines = written(kind, *answers).split("\n")
    header = ["line\tid\tlabel\tprobability\tdocument\terror"] if kind == "tsv" else []
    assert lines[: len(header)] == header
    assert len(lines) == len(header) + len(texts) + 1
    for text, line in zip(texts, lines[len(header) : -1], strict=True):
        fields = line.split("\t")
        assert len(fields) == (6 if kind == "tsv" else 3)
        assert fields[4 if kind == "tsv" else 2] == " ".join(text.split())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_row_is_an_error_and_no_answer_in_the_output(kind: str) -> None:
    content = written(kind, Answer(Row(5, error="not\tUTF-8"), "", None))
    if kind == "jsonl":
        assert json.loads(content) == {"line": 5, "id": "", "error": "not\tUTF-8"}
    elif kind == "csv":
        (found,) = csv.DictReader(io.StringIO(content))
        assert (found["line"], found["label"], found["error"]) == ("5", "", "not\tUTF-8")
    elif kind == "tsv":
        assert content.split("\n")[1] == "5\t\t\t\t\tnot UTF-8"
    else:
        assert content == "error\t\tline 5: not UTF-8\n"
