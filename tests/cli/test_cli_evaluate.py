"""`nsmc evaluate`: its measures, as text and as JSON, and what it refuses."""

import json
from pathlib import Path

import pytest
from scipy import stats

from nsmc.cli import main
from tests.cli.running import BAD, GOOD, one_line, refused, write_small_bundle


def test_evaluate_shows_its_measures_and_says_what_was_left_out(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(bundle), "--input", str(reviews)]) == 0
    captured = capsys.readouterr()
    assert "accuracy                        0.5000   95% interval 0.2366 to 0.7634" in captured.out
    assert BAD in captured.out.split("most confident mistakes")[1]
    assert "left out                             1 of 11 rows\n" in captured.out
    assert (
        one_line(captured.err)
        == "nsmc: left out: line 12: 2 fields where the first row has 3 (is the file cut off?)"
    )


def test_evaluate_as_json_is_one_object(
    bundle: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--json", "--input", str(reviews), str(bundle)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["rows"], content["left_out"], content["reviews"]) == (11, 1, 10)
    assert (content["accuracy"], content["auroc"]) == (0.5, None)
    expected = stats.binomtest(5, 10).proportion_ci(method="wilson")
    assert content["accuracy_interval"] == pytest.approx([expected.low, expected.high])
    assert content["confusion"] == [[0, 0], [5, 5]]
    assert [each["line"] for each in content["skipped"]] == [12]


def test_evaluate_takes_labels_of_another_name_and_the_bundle_s_own(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text(f"document,truth\n{GOOD},positive\n{BAD},negative\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv", "--json", "--label-column", "truth"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1
    assert "no column 'label'" in refused(words[:-2], capsys)


def test_evaluate_refuses_files_without_labels(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("plain.txt").write_text(GOOD, "utf-8")
    assert "has no labels" in refused(["evaluate", str(bundle), "--input", "plain.txt"], capsys)


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_evaluate_refuses_stars_however_they_are_measured(
    bundle: Path, json_option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{GOOD},{1 + n % 5}\n" for n in range(50)]
    Path("a.csv").write_text("review,stars\n" + "".join(lines), "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv", "--text-column", "review", *json_option]
    line = refused([*words, "--label-column", "stars"], capsys)
    assert "line 3: label '2' is not one of the bundle's" in line
    assert "'1', '2', '3', '4', '5'" in line


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_evaluate_refuses_a_file_in_another_encoding_whose_ascii_rows_it_can_read(
    bundle: Path, json_option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n}\t{GOOD if n % 7 else 'good'}\t1\n".encode("cp949") for n in range(70)]
    Path("a.tsv").write_bytes(b"id\tdocument\tlabel\n" + b"".join(lines))
    line = refused(["evaluate", str(bundle), "--input", "a.tsv", *json_option], capsys)
    assert "60 of 70 rows cannot be read" in line
    assert "looks like cp949: read it with --encoding cp949" in line


def test_evaluate_says_what_is_undefined(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text(f"document,label\n{BAD},0\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv"]
    assert main(words) == 0
    assert capsys.readouterr().out.count(" undefined\n") == 2
    assert main([*words, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["auroc"], content["f1"], content["accuracy"]) == (None, None, 1)


@pytest.mark.parametrize(("reading", "accuracy"), [("names", 1.0), ("mapped", 0.0)])
def test_labels_that_may_mean_two_are_read_as_is_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reading: str, accuracy: float
) -> None:
    bundle = write_small_bundle(tmp_path / "swapped" / "bundle", labels=("0", "1"))
    config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
    config["reading"] = {"label_map": {"0": "1", "1": "0"}}
    (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")
    Path("a.csv").write_text(f"document,label\n{GOOD},1\n{BAD},0\n", "utf-8")
    words = ["evaluate", str(bundle), "--input", "a.csv", "--json"]
    assert "choose with --labels names or --labels mapped" in refused(words, capsys)
    assert main([*words, "--labels", reading]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == accuracy
