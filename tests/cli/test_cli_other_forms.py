"""Files that are not of the form of a bundle's corpus are refused, not read as if they were."""

import gzip
import io
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsmc.cli import main
from tests.cli.running import BAD, GOOD, one_line, refused, table, write_small_bundle

REVIEWS = f"5\t{GOOD}\n1\t{BAD}\n" * 4
HEADLESS = {
    "header": False,
    **{"text_column": 2, "label_column": 1},
    "label_map": {"1": "negative", "5": "positive"},
}


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose corpus was TSV without a header: a rating, and a text."""
    folder = tmp_path_factory.mktemp("headless") / "bundle"
    return write_small_bundle(folder, reading=HEADLESS)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.tsv.gz"])
def test_of_the_corpus_s_form_a_file_is_read_without_options(
    headless: Path, command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = REVIEWS.encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert main([command, str(headless), "--input", name]) == 0
    captured = capsys.readouterr().out
    if command == "predict":
        assert [row["label"] for row in table(captured)] == ["positive", "negative"] * 4
    else:
        assert "accuracy                        1.0000" in captured


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_header_is_no_review_of_a_bundle_whose_corpus_had_none(
    headless: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.tsv").write_text("rating\treview\n" + REVIEWS, "utf-8")
    words = [command, str(headless), "--input", "a.tsv"]
    line = refused(words, capsys)
    assert (
        f"a.tsv: its first line looks like a header, and the corpus of {headless} has none" in line
    )
    assert "say --header and --text-column NAME, or --no-header" in line
    named = ["--header", "--text-column", "review"]
    assert main([*words, *named, *["--label-column", "rating"][: 2 * (command == "evaluate")]]) == 0
    if command == "predict":
        assert main([*words, "--no-header"]) == 0  # whoever says so is believed


def test_a_header_in_a_pipe_is_seen_too(
    headless: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.BufferedReader(io.BytesIO(("rating\treview\n" + REVIEWS).encode()))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    words = ["predict", str(headless), "--input", "-", "--format", "tsv"]
    assert "standard input: its first line looks like a header" in refused(words, capsys)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_positions_are_not_taken_for_another_format(
    headless: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(f"rating,review\n5,{GOOD}\n", "utf-8")
    Path("a.jsonl").write_text(f'{{"rating": 5, "review": "{GOOD}"}}\n', "utf-8")
    assert main(["predict", str(headless), "--input", name, "--text-column", "review"]) == 0
    assert [row for row in capsys.readouterr().out.splitlines() if "positive" in row]


def test_a_file_without_a_header_is_refused_by_a_bundle_whose_corpus_had_one(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.tsv").write_text(REVIEWS, "utf-8")
    words = ["predict", str(bundle), "--input", "a.tsv"]
    assert "or, without a header, its position, with --no-header" in refused(words, capsys)
    assert main([*words, "--no-header", "--text-column", "2"]) == 0


def test_semicolons_between_fields_are_seen_and_told(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(f"document;label\n{GOOD};1\n{BAD};0\n", "utf-8")
    Path("b.csv").write_text(f"{GOOD};1\n{BAD};0\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv"]
    assert "is ';' between the fields? read it with --delimiter ';'" in refused(words, capsys)
    assert main([*words, "--delimiter", ";"]) == 0
    assert "accuracy                        1.0000" in capsys.readouterr().out
    words = ["predict", str(bundle), "--input", "b.csv", "--no-header", "--text-column", "1"]
    line = refused(words, capsys)
    assert "b.csv: is ';' between the fields? read it with --delimiter ';'; else say --del" in line
    assert main([*words, "--delimiter", ","]) == 0


@pytest.mark.parametrize(
    ("delimiter", "option"),
    [(";", "--delimiter ';'"), ("|", "--delimiter '|'"), ("\t", "--format tsv")],
)
def test_whole_lines_are_not_taken_for_reviews_without_a_header(
    bundle: Path, delimiter: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{GOOD}, {'네, ' * (number % 3)}{delimiter}1" for number in range(20)]
    Path("a.csv").write_text("\n".join([*rows, "깨짐"]), "utf-8")
    words = ["predict", str(bundle), "--input", "a.csv", "--no-header", "--text-column", "1"]
    assert f"a.csv: is {delimiter!r} between the fields? read it with {option}; else" in refused(
        words, capsys
    )
    assert main([*words, *shlex.split(option)]) == 0
    assert capsys.readouterr().out.count("positive") == 20


def test_the_bundle_is_named_whose_delimiter_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    semicolons = {"format": "csv", "delimiter": ";"}
    for headless in ({}, HEADLESS):
        folder = tmp_path / str(len(headless)) / "bundle"
        bundle = write_small_bundle(folder, reading={**headless, **semicolons})
        header = [] if headless else ["label,document"]
        lines = [*header, *[f"5,{GOOD}", f"1,{BAD}"][:: 1 if headless else -1]]
        Path("a.csv").write_text("\n".join(lines), "utf-8")
        words = ["predict", str(bundle), "--input", "a.csv"]
        said = f"is ',' between the fields, not ';' as in the corpus of {bundle}? read it with "
        assert f"{said}--delimiter ," in refused(words, capsys)
        assert main([*words, "--delimiter", ","]) == 0
        Path("b.csv").write_text("\n".join(lines).replace(",", ";"), "utf-8")
        assert main(["predict", str(bundle), "--input", "b.csv"]) == 0
        capsys.readouterr()


@pytest.mark.parametrize("words", [[r"--delimiter=\t"], ["--format=tsv"]])
def test_a_tab_can_be_typed(
    bundle: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(f"document\tlabel\n{GOOD}\t1\n{BAD}\t0\n", "utf-8")
    assert main(["evaluate", str(bundle), "--input", "a.csv", *words]) == 0
    assert "accuracy                        1.0000" in capsys.readouterr().out


def test_a_first_line_that_may_be_a_header_is_said_to_be_read_as_a_review(
    headless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.tsv").write_text(f"x\t내용\ny\t{GOOD}\nz\t{BAD}\n", "utf-8")
    words = ["predict", str(headless), "--input", "a.tsv"]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert len(table(captured.out)) == 3
    said = f"nsmc: a.tsv: its first line is read as a review, as the corpus of {headless} has no"
    assert one_line(captured.err).startswith(said)
    assert main([*words, "--no-header"]) == 0
    assert capsys.readouterr().err == ""


def test_what_to_say_of_another_format_without_a_header_has_the_corpus_s_positions(
    headless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(REVIEWS.replace("\t", ","), "utf-8")
    words = ["evaluate", str(headless), "--input", "a.csv"]
    advice = "--text-column 2 --label-column 1"
    assert f"or, without a header, --no-header {advice}" in refused(words, capsys)
    line = refused([*words, "--no-header"], capsys)
    assert f"a.csv: without a header, columns are positions: say {advice}" in line
    assert main([*words, "--no-header", *advice.split()]) == 0
    capsys.readouterr()
    line = refused([*words, "--no-header", "--label-column", "1"], capsys)
    assert line.endswith("say --text-column 2")


def test_a_file_with_nothing_to_measure_is_named(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.tsv").write_text("document\tlabel\n", "utf-8")
    line = refused(["evaluate", str(bundle), "--input", "a.tsv"], capsys)
    assert line == "nsmc: error: a.tsv: nothing to measure: no rows"


@pytest.mark.parametrize("header", [True, False])
def test_excel_s_line_about_the_delimiter_is_believed_and_is_no_row(
    bundle: Path, header: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["sep=;", *["document;label"][: int(header)], f"{GOOD};1", f"{BAD};0"]
    Path("a.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    words = ["evaluate", str(bundle), "--input", "a.csv"]
    words += [] if header else ["--no-header", "--text-column=1", "--label-column=2"]
    for more in ([], ["--delimiter", ";"]):
        assert main([*words, *more]) == 0
        assert "accuracy                        1.0000" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--no-header", "--text-column", "2"]])
@pytest.mark.parametrize(("name", "form"), [("a.jsonl", "jsonl"), ("a.parquet", "parquet")])
def test_columns_that_always_have_names_need_no_positions(
    bundle: Path, words: list[str], name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(b"{}")
    line = refused(["predict", str(bundle), "--input", name, *words], capsys)
    assert f"{name}: --no-header: the columns of {form} have names; leave it out" in line
