"""`nsmc predict --input FILE`: its options, its answers, damage, and what it refuses."""

import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from nsmc.cli import main
from nsmc.runtime.predictor import Predictor
from tests.cli.running import (
    BAD,
    COMMAND,
    GOOD,
    PATIENCE,
    environment,
    one_line,
    refused,
    rows,
    run,
    table,
)


def test_a_file_is_answered_row_by_row_and_damage_is_said_with_its_line(
    bundle: Path, reviews: Path, predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(bundle), "--input", str(reviews)]) == 0
    captured = capsys.readouterr()
    found = table(captured.out)
    assert [row["id"] for row in found] == [*map(str, range(10)), ""]
    assert [row["label"] for row in found] == ["positive", "negative"] * 5 + [""]
    assert [row["document"] for row in found] == [GOOD, BAD] * 5 + [""]
    error = "2 fields where the first row has 3 (is the file cut off?)"
    assert [row["error"] for row in found] == [""] * 10 + [error]
    for row, answer in zip(found, predictor([GOOD, BAD] * 5), strict=False):
        assert float(row["probability"]) == pytest.approx(answer.probability, abs=2e-6)
    assert one_line(captured.err) == f"nsmc: line 12: {error}"


@pytest.mark.parametrize(
    "options",
    [
        ["BUNDLE", "--input", "reviews.tsv", "--output", "out.jsonl"],
        ["--input", "reviews.tsv", "--output", "out.jsonl", "BUNDLE"],
        ["BUNDLE", "--output=out.jsonl", "--input=reviews.tsv", "--format", "tsv"],
        ["--text-column", "document", "BUNDLE", "--input=reviews.tsv", "--output", "out.jsonl"],
    ],
)
def test_options_stand_in_any_order(
    bundle: Path,
    reviews: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    words = [str(bundle) if word == "BUNDLE" else word for word in options]
    assert main(["predict", *words]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1] == "wrote 11 rows to out.jsonl"
    found = [json.loads(line) for line in rows((tmp_path / "out.jsonl").read_text("utf-8"))]
    assert [row.get("document") for row in found] == [GOOD, BAD] * 5 + [None]


def test_the_column_of_the_reviews_can_be_named(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("reviews.csv").write_text(f'평,별점\n"{GOOD}",5\n', encoding="utf-8")
    assert main(["predict", str(bundle), "--input", "reviews.csv", "--text-column", "평"]) == 0
    assert GOOD in capsys.readouterr().out


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("output", [[], ["--output", "out.tsv"]])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(
    bundle: Path,
    reviews: Path,
    command: str,
    output: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [command, str(bundle), "--input", str(reviews), "--text-column", "review"]
    line = refused([*words, *(output if command == "predict" else [])], capsys)
    assert "no column 'review'" in line
    assert "id, document, label" in line
    assert not Path("out.tsv").exists()


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_column_that_an_nsmc_file_has_not_is_refused_though_it_is_called_txt(
    bundle: Path, reviews: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews.rename("ratings.txt")
    words = [command, str(bundle), "--input", "ratings.txt", "--text-column", "review"]
    assert "no column 'review'" in refused(words, capsys)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["nowhere.tsv", "nowhere.txt", "nowhere", "folder"])
def test_a_file_that_is_not_there_is_refused_by_its_name(
    bundle: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    line = refused([command, str(bundle), "--input", name], capsys)
    problem = "a folder; name a file in it" if name == "folder" else "no such file"
    assert f"{name}: {problem}" in line


def test_texts_together_with_a_file_are_refused(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(["predict", str(bundle), GOOD, "--input", str(reviews)], capsys)
    assert "--input takes the reviews from the file alone" in line
    assert GOOD in line


def test_beside_a_file_the_one_word_is_a_bundle_whether_it_is_there_or_not(
    reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "pretrained", "--input", str(reviews)]) == 0
    assert len(table(capsys.readouterr().out)) == 11
    line = refused(["predict", "nowhere", "--input", str(reviews)], capsys)
    assert "nowhere: no such folder; a bundle is a folder" in line


def test_a_format_that_does_not_exist_ends_in_usage(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["predict", str(bundle), "--input", str(reviews), "--format", "xlsx"])
    assert caught.value.code == 2
    assert "jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(("damaged", "code"), [(1, 0), (2, 1), (11, 1)])
def test_a_file_of_too_many_damaged_rows_is_answered_and_is_a_failure(
    bundle: Path, damaged: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n}\t{GOOD}\n".encode("cp949" if n < damaged else "utf-8") for n in range(11)]
    Path("a.tsv").write_bytes(b"id\tdocument\n" + b"".join(lines))
    words = ["predict", str(bundle), "--input", "a.tsv", "--output", "out.tsv"]
    assert main(words) == code
    found = table(Path("out.tsv").read_text("utf-8"))
    assert [bool(row["error"]) for row in found] == [n < damaged for n in range(11)]
    last = capsys.readouterr().err.splitlines()[-1]
    if code:
        reason = "line 2: not UTF-8, looks like cp949: read it with --encoding cp949"
        assert last == f"nsmc: error: {damaged} of 11 rows cannot be read ({reason})"
    else:
        assert last == "wrote 11 rows to out.tsv"


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["a.xlsx", "a.zip", "a.xlsx.gz"])
def test_a_file_of_a_format_that_is_not_read_is_refused(
    bundle: Path, reviews: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews.rename(name)
    line = refused([command, str(bundle), "--input", name], capsys)
    assert name in line
    assert ".json, .parquet and .txt are" in line and "--format csv" in line


def test_a_format_that_cannot_be_written_is_refused(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(bundle), "--input", str(reviews), "--output", "out.parquet"]
    assert ".parquet files are not written" in refused(words, capsys)


def test_every_format_is_read_and_its_other_columns_come_with_the_answers(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows_in = [{"nr": 3, "평": GOOD, "label": "x", "영화": None}]
    rows_in += [{"nr": 4, "평": BAD, "label": "y", "영화": "기생충"}]
    Path("a.json").write_text(json.dumps(rows_in, ensure_ascii=False), "utf-8")
    Path("a.jsonl").write_text("\n".join(map(json.dumps, rows_in)), "utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows_in), "a.parquet")
    lines = [
        list(rows_in[0]),
        *(["" if v is None else str(v) for v in r.values()] for r in rows_in),
    ]
    for name, separator in (("a.tsv", "\t"), ("a.csv", ",")):
        text = "\n".join(separator.join(line) for line in lines)
        Path(name).write_text(text, "utf-8")
        Path(f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    found = {}
    for name in ("a.json", "a.jsonl", "a.parquet", "a.tsv", "a.csv", "a.tsv.gz", "a.csv.gz"):
        words = ["predict", str(bundle), "--input", name, "--output", "out.jsonl"]
        assert main([*words, "--text-column", "평", "--id-column=nr"]) == 0
        capsys.readouterr()
        found[name] = [json.loads(line) for line in rows(Path("out.jsonl").read_text("utf-8"))]
        assert [row["id"] for row in found[name]] == ["3", "4"]
        assert [row["label"] for row in found[name]] == ["positive", "negative"]
        assert [row["original_label"] for row in found[name]] == ["x", "y"]
        assert [row["영화"] or None for row in found[name]] == [None, "기생충"]
        assert "평" not in found[name][0]
    assert found["a.json"] == found["a.jsonl"] == found["a.parquet"]


def test_without_a_header_columns_are_positions(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.tsv").write_text(f"5\t{GOOD}\n1\t{BAD}\n", "utf-8")
    words = ["predict", str(bundle), "--input", "a.tsv", "--no-header"]
    assert main([*words, "--text-column", "2"]) == 0
    header, *lines = (line.split("\t") for line in rows(capsys.readouterr().out))
    assert header[-1] == "column 1"
    assert [(line[2], line[-1]) for line in lines] == [("positive", "5"), ("negative", "1")]
    line = refused(words, capsys)
    assert "a.tsv: without a header, columns are positions: say --text-column POSITION" in line
    assert "--encoding x: no such encoding" in refused([*words[:-1], "--encoding", "x"], capsys)


def test_a_bundle_s_reading_gives_the_defaults_and_options_override_it(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = {
        **{"format": "csv", "header": False, "text_column": 2, "label_column": 1},
        **{"label_map": {"1-2": "negative", "3": None, "4-5": "positive"}, "encoding": "cp949"},
    }
    shutil.copytree(bundle, tmp_path / "b")
    config = json.loads((tmp_path / "b" / "config.json").read_text("utf-8"))
    (tmp_path / "b" / "config.json").write_text(json.dumps({**config, "reading": reading}))
    Path("a.csv").write_text(f"5,{GOOD}\n3,{GOOD}\n1,{BAD}\n", "cp949")
    assert main(["evaluate", "b", "--input", "a.csv", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["accuracy"], content["reviews"], content["unused_labels"]) == (1, 2, 1)
    assert main(["predict", "b", "--input", "a.csv"]) == 0
    assert re.search(
        rf"^1,,positive,0\.73105\d,{GOOD},,5\r$", capsys.readouterr().out, re.MULTILINE
    )
    Path("b.csv").write_text(f"stars,text\n5,{GOOD}\n1,{BAD}\n", "utf-8")
    options = ["--header", "--text-column=text", "--label-column=stars", "--encoding=utf-8"]
    assert main(["evaluate", "b", "--input", "b.csv", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1
    Path("c.jsonl").write_text(json.dumps({"document": GOOD, "label": 4}), "utf-8")
    assert main(["evaluate", "b", "--input", "c.jsonl", "--json", "--encoding=utf-8"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1


def test_an_output_that_cannot_be_written_is_refused_in_one_line(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(bundle), "--input", str(reviews), "--output", "nowhere/out.tsv"]
    assert "cannot write nowhere/out.tsv" in refused(words, capsys)


def test_a_real_process_reads_a_pipe_and_writes_a_file_of_many_rows(bundle: Path) -> None:
    lines = [json.dumps({"id": i, "document": f"{GOOD} {i}"}) for i in range(5_000)]
    words = ["--input", "-", "--format", "jsonl", "--output", "out.csv"]
    done = run("predict", str(bundle), *words, stdin="\n".join(lines).encode())
    assert (done.returncode, done.stdout) == (0, b"")
    assert one_line(done.stderr.decode()) == "wrote 5,000 rows to out.csv"
    found = rows(Path("out.csv").read_text("utf-8"))
    assert [line.split(",")[1] for line in found] == ["id", *map(str, range(5_000))]


def test_a_named_pipe_can_be_read_as_a_shell_s_substitution_makes_one(bundle: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" --input <(echo "{GOOD}")', "-", *COMMAND, "predict", bundle],
        capture_output=True,
        timeout=PATIENCE,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"positive\t")


def test_a_csv_of_an_old_macintosh_is_read(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mac.csv").write_bytes(b"id,document\r1,good\r2,bad\r")
    assert main(["predict", str(bundle), "--input", "mac.csv"]) == 0
    assert [line.split(",")[1] for line in rows(capsys.readouterr().out)] == ["id", "1", "2"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside_it_leaves_no_unfinished_file(
    bundle: Path, tmp_path: Path, signum: signal.Signals
) -> None:
    command = [sys.executable, "-m", "nsmc.cli", "predict", str(bundle), "--input", "-"]
    command += ["--format", "text", "--output", str(tmp_path / "answers.tsv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{GOOD}\n".encode() * 3_000)  # and more may follow
        process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while not any(tmp_path.glob(".nsmc-*.tmp")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signum)
        assert process.wait(PATIENCE) == 128 + signum
    assert not list(tmp_path.iterdir())
