"""Answers are written so that they can be read again, with all that the input had."""

import csv
import io
import json
import math
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.reading.rows import Row
from nsmc.runtime.answers import FORMATS, Answer, names_beside_ours, output_format, writer_of

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

any_text = st.text(st.characters(exclude_categories=["Cs"]))


def written(kind: str, *answers: Answer, others: tuple[str, ...] = ()) -> str:
    stream = io.StringIO(newline="")
    write = writer_of(stream, kind, others)
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


# --- the input's other columns ---


def table(kind: str, content: str) -> list[dict[str, str]]:
    delimiter = "\t" if kind == "tsv" else ","
    return list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter))


def with_others(others: dict[str, Any], error: str = "") -> Answer:
    row = Row(2, "" if error else "a", others=others, error=error)
    return Answer(row, "", None) if error else Answer(row, "positive", 0.5)


@pytest.mark.parametrize("error", ["", "no text"])
@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_table_has_the_other_columns_behind_ours(kind: str, error: str) -> None:
    others = {"영화": "기생충", "label": 3, "날짜": None, "is": True, "list": [1, "가"]}
    (found,) = table(kind, written(kind, with_others(others, error), others=tuple(others)))
    assert list(found)[6:] == ["영화", "original_label", "날짜", "is", "list"]
    assert list(found.values())[6:] == ["기생충", "3", "", "true", '[1, "가"]']
    assert found["label"] == ("" if error else "positive")


def test_json_lines_keep_types_and_what_json_has_no_type_for_is_a_text() -> None:
    kept = {"n": 3, "x": 0.1, "is": True, "none": None, "list": [1, {"a": "가"}]}
    found = json.loads(written("jsonl", with_others({**kept, "id": 5})))
    assert {key: found[key] for key in kept} == kept
    assert found["original_id"] == 5
    odd = {"day": date(2024, 3, 1), "price": Decimal("1.50"), "bytes": "가".encode()}
    found = json.loads(written("jsonl", with_others({**odd, "nan": math.nan, "in": [math.inf]})))
    assert (found["day"], found["price"], found["bytes"]) == ("2024-03-01", "1.50", "가")
    assert (found["nan"], found["in"]) == (None, ["inf"])


@pytest.mark.parametrize("kind", ["tsv", "csv"])
def test_a_key_that_the_first_object_lacks_is_not_lost(kind: str) -> None:
    answer = with_others({"a": 1, "b": 2})
    with pytest.raises(ValueError, match=r"^line 2: 'b' is not in the first object.*\.jsonl$"):
        written(kind, answer, others=("a",))
    assert json.loads(written("jsonl", answer, others=("a",)))["b"] == 2


@given(st.lists(st.text(alphabet="id_", max_size=3), unique=True))
def test_no_name_is_given_to_two_columns(names: list[str]) -> None:
    columns = (*names, *(f"original_{name}" for name in names if f"original_{name}" not in names))
    found = [*names_beside_ours(columns).values()]
    ours = ["line", "id", "label", "probability", "document", "error"]
    assert len({*ours, *found}) == len(ours) + len(columns)
    for column, name in zip(columns, found, strict=True):
        assert name == column if column not in ours else name.endswith(f"original_{column}")


@pytest.mark.parametrize(
    ("output", "source", "form"),
    [
        *(("a.csv", "tsv", "csv"), ("a.JSONL", "csv", "jsonl"), ("a.out", "csv", "csv")),
        *(("-", "text", "text"), ("-", "json", "jsonl"), ("a", "parquet", "jsonl")),
    ],
)
def test_the_output_s_format_is_that_of_its_extension_else_the_input_s(
    output: str, source: str, form: str
) -> None:
    assert output_format(output, source) == form


@pytest.mark.parametrize("output", ["a.json", "a.parquet", "a.tsv.gz"])
def test_a_format_that_is_not_written_is_refused(output: str) -> None:
    with pytest.raises(ValueError, match=f"--output {output}: .* files are not written"):
        output_format(output, "tsv")


@pytest.mark.parametrize("kind", FORMATS)
def test_where_it_is_asked_for_an_answer_says_whether_it_is_sure(kind: str) -> None:
    stream = io.StringIO(newline="")
    write = writer_of(stream, kind, ("unsure",), unsure_below=0.75)
    rows = [Row(line, "text", others={"unsure": "theirs"}) for line in (1, 2)]
    write(Answer(rows[0], "positive", 0.75))
    write(Answer(rows[1], "positive", 0.7499))
    write(Answer(Row(3, error="damaged", others={"unsure": "theirs"}), "", None))
    lines = stream.getvalue().splitlines()
    if kind == "text":
        assert [line.split("\t")[2] for line in lines] == ["sure", "unsure", ""]
        return
    if kind == "jsonl":
        found = [json.loads(line) for line in lines]
        assert [each.get("unsure") for each in found] == [False, True, None]
    else:
        found = list(csv.DictReader(lines, delimiter="," if kind == "csv" else "\t"))
        assert [each["unsure"] for each in found] == ["false", "true", ""]
    assert [each["original_unsure"] for each in found] == ["theirs"] * 3
