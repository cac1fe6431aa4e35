"""Files of any size are classified in order, in bounded memory, and appear whole or not at all."""

import csv
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nsmc.reading.file_format import FileFormat
from nsmc.reading.lines import LONGEST_LINE
from nsmc.reading.rows import Row, Rows
from nsmc.runtime import batch_predict
from nsmc.runtime.batch_predict import classified, predict_file
from nsmc.runtime.damage import Tally
from nsmc.runtime.predictor import Prediction, Predictor
from tests.bundles import random_bundle

FORM = FileFormat(label_column=None, quoting="nsmc", for_command=True)
CHUNK = 16  # rows, in place of thousands
TEXTS = [f"{'영화 최고 ' * (i % 5)}{i} 별로{'ㅋ' * (i % 7)}" for i in range(20 * CHUNK + 3)]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(random_bundle(tmp_path_factory.mktemp("files") / "bundle"))


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_predict, "_CHUNK", CHUNK)


def written(path: Path, texts: Sequence[str]) -> Path:
    """A TSV, CSV, JSON Lines or text file of the texts, by its extension."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            for text in texts:
                print(json.dumps({"document": text}, ensure_ascii=False), file=file)
        elif path.suffix == ".txt":
            file.writelines(text + "\n" for text in texts)
        else:
            separator = "," if path.suffix == ".csv" else "\t"
            rows = csv.writer(file, delimiter=separator, lineterminator="\n")
            rows.writerows([["id", "document"], *enumerate(texts)])
    return path


def answers_in(path: Path) -> list[dict[str, str]]:
    """The rows of an output file, every value as text."""
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    if path.suffix == ".jsonl":
        found = [json.loads(line) for line in lines]
        return [{key: str(value) for key, value in row.items()} for row in found]
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    fields = [line.split("\t") for line in lines]
    header = ["label", "probability", "document"] if path.suffix == ".txt" else fields.pop(0)
    return [dict(zip(header, each, strict=True)) for each in fields]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("source", ["in.tsv", "in.csv", "in.jsonl", "in.txt"])
@pytest.mark.parametrize("output", ["out.tsv", "out.csv", "out.jsonl", "out.txt"])
def test_a_file_of_many_chunks_gets_the_predictor_s_answers_in_order(
    tmp_path: Path, predictor: Predictor, source: str, output: str
) -> None:
    path = written(tmp_path / source, TEXTS)
    if output == "out.txt":  # whose extension says nothing: it is of the input's format
        output = "out" + path.suffix
    tally = predict_file(predictor, str(path), str(tmp_path / output), FORM)
    assert tally == Tally(len(TEXTS))
    found = answers_in(tmp_path / output)
    for text, row, expected in zip(TEXTS, found, predictor(TEXTS), strict=True):
        assert row["document"] == text
        assert row["label"] == expected.label
        assert float(row["probability"]) == pytest.approx(expected.probability, abs=2e-6)
    if "line" in found[0]:
        first = 1 if source in ("in.jsonl", "in.txt") else 2
        assert [int(row["line"]) for row in found] == list(range(first, first + len(TEXTS)))


def test_rows_keep_their_ids_and_lines_where_some_are_damaged(
    tmp_path: Path, predictor: Predictor
) -> None:
    lines = ["id\tdocument"]
    lines += [f"n{i}\t최고 {i}" if i % 3 else f"n{i}" for i in range(4 * CHUNK)]
    (tmp_path / "in.tsv").write_text("\n".join(lines), encoding="utf-8")
    output = tmp_path / "out.jsonl"
    tally = predict_file(predictor, str(tmp_path / "in.tsv"), str(output), FORM)
    assert (tally.rows, tally.damaged) == (4 * CHUNK, 22)
    assert [row.line for row in tally.first] == list(range(2, 66, 3))
    for i, row in enumerate(answers_in(output)):
        assert row["line"] == str(i + 2)
        if i % 3:
            assert (row["id"], row["document"]) == (f"n{i}", f"최고 {i}")
        else:
            assert row["error"] == "1 fields where the first row has 2 (is the file cut off?)"
            assert "label" not in row


@pytest.mark.parametrize("content", ["document\n", "document\n\n\n", "document\n \n"])
def test_a_file_without_a_review_makes_an_output_without_an_answer(
    tmp_path: Path, predictor: Predictor, content: str
) -> None:
    (tmp_path / "in.txt").write_text(content)
    output = tmp_path / "out.tsv"
    predict_file(predictor, str(tmp_path / "in.txt"), str(output), replace(FORM, format="text"))
    labels = [row["label"] for row in answers_in(output) if row["document"] != "document"]
    assert all(label == "" for label in labels)


@pytest.mark.parametrize(
    ("name", "content"),
    [("in.txt", ""), ("in.tsv", "document\n"), ("in.csv", "id,document\n"), ("in.json", "[]")],
)
def test_a_file_without_rows_is_refused(
    tmp_path: Path, predictor: Predictor, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name}: no rows$"):
        predict_file(predictor, str(tmp_path / name), str(tmp_path / "out.jsonl"), FORM)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_chunk_of_nothing_but_damage_is_no_trouble(predictor: Predictor) -> None:
    rows = [Row(i, error="damaged") for i in range(3 * CHUNK)]
    assert [answer.row for answer in classified(predictor, rows)] == rows


# --- whole or not at all ---


class Failing:
    """Stands for a predictor and fails after some calls."""

    def __init__(self, error: BaseException, calls: int = 3) -> None:
        self.error, self.calls = error, calls

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        self.calls -= 1
        if self.calls < 0:
            raise self.error
        return [Prediction("positive", 0.5)] * len(texts)


@pytest.mark.parametrize("error", [ValueError("halfway"), MemoryError(), KeyboardInterrupt()])
@pytest.mark.parametrize("before", [None, "an earlier output"])
def test_a_failure_halfway_leaves_no_output_and_an_earlier_one_as_it_was(
    tmp_path: Path, error: BaseException, before: str | None
) -> None:
    source, output = written(tmp_path / "in.tsv", TEXTS), tmp_path / "out.tsv"
    if before is not None:
        output.write_text(before)
    with pytest.raises(type(error)):
        predict_file(Failing(error), str(source), str(output), FORM)  # type: ignore[arg-type]
    assert names_in(tmp_path) == {"in.tsv"} | ({"out.tsv"} if before else set())
    assert before is None or output.read_text() == before


def test_an_input_without_the_column_leaves_no_output(tmp_path: Path, predictor: Predictor) -> None:
    source = written(tmp_path / "in.csv", TEXTS)
    with pytest.raises(ValueError, match="no column 'review'"):
        predict_file(
            predictor, str(source), str(tmp_path / "out.csv"), replace(FORM, text_column="review")
        )
    assert names_in(tmp_path) == {"in.csv"}


def test_nothing_is_at_the_output_s_place_before_the_end(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = written(tmp_path / "in.tsv", TEXTS), tmp_path / "out.tsv"
    seen = []
    show = batch_predict.Progress.show

    def spy(self: batch_predict.Progress, count: int, place: int) -> None:
        seen.append(output.exists())
        show(self, count, place)

    monkeypatch.setattr(batch_predict.Progress, "show", spy)
    predict_file(predictor, str(source), str(output), FORM)
    assert seen == [False] * (len(TEXTS) // CHUNK)
    assert names_in(tmp_path) == {"in.tsv", "out.tsv"}


def test_an_earlier_output_is_replaced(tmp_path: Path, predictor: Predictor) -> None:
    source, output = written(tmp_path / "in.txt", ["최고"]), tmp_path / "out.tsv"
    output.write_text("earlier\n" * 100)
    predict_file(predictor, str(source), str(output), FORM)
    assert [row["document"] for row in answers_in(output)] == ["최고"]


def unwritable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    return {
        "no such folder": tmp_path / "nowhere" / "out.tsv",
        "a folder": tmp_path / "folder",
        "below a file": tmp_path / "file" / "out.tsv",
        "too long a name": tmp_path / ("x" * 300),
    }


@pytest.mark.parametrize("case", ["no such folder", "a folder", "below a file", "too long a name"])
def test_an_output_that_cannot_be_written_is_said_in_one_line(
    tmp_path: Path, predictor: Predictor, case: str
) -> None:
    output = unwritable(tmp_path)[case]
    source = written(tmp_path / "in.tsv", TEXTS)
    before = names_in(tmp_path)
    with pytest.raises(OSError, match=r"cannot write .*choose another --output") as caught:
        predict_file(predictor, str(source), str(output), FORM)
    assert str(output) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert names_in(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_said(tmp_path: Path, predictor: Predictor) -> None:
    source = written(tmp_path / "in.tsv", TEXTS)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    with pytest.raises(OSError, match="cannot write"):
        predict_file(predictor, str(source), str(folder / "out.tsv"), FORM)


def test_a_failure_of_the_input_is_not_blamed_on_the_output(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> Iterator[Row]:
        yield Row(1, "최고")
        raise OSError(5, "Input/output error")  # what a disk says; without a file's name

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Rows]:
        yield Rows("tsv", failing())

    monkeypatch.setattr(batch_predict, "open_rows", opened)
    source = written(tmp_path / "in.tsv", TEXTS)
    with pytest.raises(OSError, match="Input/output error") as caught:
        predict_file(predictor, str(source), str(tmp_path / "out.tsv"), FORM)
    assert "cannot write" not in str(caught.value)


def test_an_output_that_is_no_plain_file_is_not_replaced_by_one(
    tmp_path: Path, predictor: Predictor
) -> None:
    # /dev/null and /dev/stdout are such, and root may replace them.
    source, output = written(tmp_path / "in.txt", ["최고"]), tmp_path / "device"
    os.mkfifo(output)
    reader = os.open(output, os.O_RDONLY | os.O_NONBLOCK)
    try:
        predict_file(predictor, str(source), str(output), FORM)
    except OSError:
        pass  # a refusal is as good as writing into it
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(output.stat().st_mode)


# --- standard output ---


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".txt"])
def test_a_dash_is_standard_output_in_the_input_s_format(
    tmp_path: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    source, output = written(tmp_path / f"in{suffix}", TEXTS), tmp_path / f"out{suffix}"
    predict_file(predictor, str(source), str(output), FORM)
    predict_file(predictor, str(source), "-", FORM)
    captured = capsys.readouterr()
    assert captured.out.encode() == output.read_bytes()
    assert captured.err == ""


# --- hostile contents ---


@pytest.mark.parametrize("output", ["out.tsv", "out.csv", "out.jsonl", "out.txt"])
def test_a_lone_surrogate_in_json_does_not_end_the_whole_job(
    tmp_path: Path, predictor: Predictor, output: str
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"document": "최고"}\n{"document": "\\ud83d"}\n{"document": "끝"}\n')
    tally = predict_file(predictor, str(source), str(tmp_path / output), FORM)
    assert tally == Tally(3)
    assert (tmp_path / output).read_text(encoding="utf-8").count("끝") == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda: b"\xff\xfe\n",
        lambda: b"x" * (2 * LONGEST_LINE) + b"\n",
        lambda: b"\n",
    ],
    ids=["not UTF-8", "too long", "empty"],
)
def test_a_damaged_line_is_an_error_at_its_place_in_the_output(
    tmp_path: Path, predictor: Predictor, damage: Callable[[], bytes]
) -> None:
    source, output = tmp_path / "in.txt", tmp_path / "out.tsv"
    source.write_bytes("최고\n".encode() + damage() + "끝\n".encode())
    tally = predict_file(predictor, str(source), str(output), FORM)
    assert (tally.rows, [row.line for row in tally.first]) == (3, [2])
    rows = answers_in(output)
    assert [row["line"] for row in rows] == ["1", "2", "3"]
    assert [bool(row["label"]) for row in rows] == [True, False, True]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert rows[1]["document"] == ""


def test_a_pipe_is_called_standard_input(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("id,text\n", encoding="utf-8")
    with (tmp_path / "in.csv").open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(ValueError, match=r"^standard input: no column 'document'"):
            predict_file(predictor, "-", "-", replace(FORM, format="csv"))
