"""`nsmc compare`: two bundles on a file, and two runs by what they kept."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.cli import main
from nsmc.comparison.answers import ANSWERS_FILE, ReviewKeys, answers_of, as_ids, write_answers
from nsmc.comparison.slices import slices_of
from nsmc.config.composition import composed
from nsmc.runs.corpus_files import corpus_fingerprint
from nsmc.runtime.predictor import Predictor
from tests.cli.running import BAD, GOOD, refused, write_small_bundle
from tests.commands import run_anew

TEXTS = [f"{GOOD} {number}" if number % 2 else f"{BAD} {number}?" for number in range(8)]
LABELS = [number % 2 for number in range(8)]


def write_file(path: Path) -> Path:
    lines = [
        f"{number}\t{text}\t{label}\t{'long' if number < 3 else 'short'}"
        for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))
    ]
    path.write_text("\n".join(["id\tdocument\tlabel\tkind", *lines]) + "\n", encoding="utf-8")
    return path


def compared(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["compare", *words, "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_two_bundles_are_compared_on_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_small_bundle(tmp_path / "a" / "bundle")
    # The same weights with the labels the other way round: wrong where the first one is right.
    second = write_small_bundle(tmp_path / "b" / "bundle", ("positive", "negative"))
    path = write_file(tmp_path / "reviews.tsv")
    words = [str(first.parent), str(second), "--input", str(path), "--slice-column", "kind"]
    content = compared([*words, "--slice", "best=최고"], capsys)
    answers = Predictor.load(first)(TEXTS)
    right = [
        each.label == ("positive" if label else "negative")
        for each, label in zip(answers, LABELS, strict=True)
    ]
    assert content["reviews"] == 8
    assert content["accuracy"]["first"] == np.mean(right)
    assert content["accuracy"]["second"] == 1 - np.mean(right)
    assert content["counts"]["same answer"] == 0
    assert len(content["differences"]) == 8
    for each in content["differences"]:
        number = int(each["id"])
        assert each["text"] == TEXTS[number] and each["first"] == answers[number].label
        assert each["first_probability"] == pytest.approx(answers[number].probability, abs=1e-5)
    sums = [each["first_probability"] for each in content["differences"]]
    assert sums == sorted(sums, reverse=True)
    sizes = {each["name"]: each["reviews"] for each in content["slices"]}
    assert (sizes["kind=long"], sizes["kind=short"], sizes["best"]) == (3, 5, 4)
    assert sizes["question"] == sizes["negation"] == 4  # 재미없는
    assert "ㅋㅋ, ㅎㅎ" not in sizes
    words[-1] = "label"
    sizes = {each["name"]: each["reviews"] for each in compared(words, capsys)["slices"]}
    assert (sizes["label=0"], sizes["label=1"]) == (4, 4)


def test_bundles_are_compared_without_the_training_libraries(tmp_path: Path) -> None:
    bundle = str(write_small_bundle(tmp_path / "a" / "bundle"))
    path = str(write_file(tmp_path / "reviews.tsv"))
    words = ["compare", bundle, bundle, "--input", path]
    code = f"import sys\nfrom nsmc.cli import main\nmain({words!r})\nprint(*sys.modules)"
    done = run_anew([sys.executable, "-W", "error", "-c", code])
    assert "8 reviews" in done.stdout
    assert not {"torch", "hydra", "pytorch_lightning", "pandas"} & {*done.stdout.split()}


def test_the_text_shows_what_the_json_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path / "a" / "bundle")
    path = write_file(tmp_path / "reviews.tsv")
    assert main(["compare", str(bundle), str(bundle), "--input", str(path)]) == 0
    shown = capsys.readouterr().out
    for text in ("8 reviews", "same answer", "100.0%", "McNemar, p", "question", "0 different"):
        assert text in shown


class Runs:
    """Two runs of a corpus, with answers that differ in one review."""

    def __init__(self, folder: Path) -> None:
        self.corpus = folder / "corpus"
        self.corpus.mkdir()
        for name in ("train", "test"):
            write_file(self.corpus / f"ratings_{name}.txt")
        overrides = ["data=folder", f"data.root={self.corpus}", "data.quoting=field"]
        self.config = composed(overrides)
        self.folders = [folder / "a", folder / "b"]
        for number, run in enumerate(self.folders):
            self.write(run, wrong=number)

    def write(self, folder: Path, wrong: int, split: range = range(8), **record: Any) -> None:
        folder.mkdir(exist_ok=True)
        content = {
            "status": "finished",
            "signature": "s",
            "config": self.config.model_dump(),
            "corpus_fingerprint": corpus_fingerprint(self.config.data, test=True),
            **record,
        }
        (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
        texts, labels = [TEXTS[n] for n in split], np.array([LABELS[n] for n in split])
        keys = ReviewKeys(as_ids(map(str, split)), slices_of(texts))
        second = np.where(labels == 1, 0.9, 0.2)
        second[wrong] = 1 - second[wrong]
        probabilities = np.stack([1 - second, second], axis=1)
        answers = answers_of(keys, labels, probabilities, ("negative", "positive"))
        write_answers(folder, {"val": answers, "test": answers})


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_runs_are_compared_by_what_they_kept(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*map(str, runs.folders), "--slice", "even=[02468]\\?", "--slice-column", "kind"]
    content = compared(words, capsys)
    assert content["on"] == "the test part"
    assert content["accuracy"]["first"] == content["accuracy"]["second"] == 7 / 8
    assert content["counts"] == {
        "same answer": 6,
        "both right": 6,
        "only the first right": 1,
        "only the second right": 1,
        "neither right": 0,
    }
    assert content["mcnemar_p"] == 1
    assert [each["id"] for each in content["differences"]] == ["1", "0"]
    assert [each["text"] for each in content["differences"]] == [TEXTS[1], TEXTS[0]]
    sizes = {each["name"]: each["reviews"] for each in content["slices"]}
    assert (sizes["even"], sizes["kind=long"]) == (4, 3)
    assert compared([*words, "--part", "val"], capsys)["on"] == "the validation part"
    for column, value in (("label", "0"), ("id", "7"), ("document", TEXTS[7]), ("text", TEXTS[7])):
        sizes = {
            each["name"]: each["reviews"]
            for each in compared([*words[:2], "--slice-column", column], capsys)["slices"]
        }
        assert sizes[f"{column}={value}"] == (4 if column == "label" else 1)
    words[0] += "/bundle"  # which is the run's
    assert compared(words, capsys)["counts"] == content["counts"]


def test_without_the_corpus_there_are_no_texts_but_everything_else(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs.corpus / "ratings_train.txt").write_text("id\tdocument\tlabel\n1\ta\t0\n", "utf-8")
    assert main(["compare", *map(str, runs.folders), "--json"]) == 0
    captured = capsys.readouterr()
    assert "without the reviews' texts" in captured.err
    assert json.loads(captured.out)["differences"][0]["text"] is None
    words = ["compare", *map(str, runs.folders), "--slice", "a=b"]
    assert "does not hold the corpus" in refused(words, capsys)


def test_of_other_splits_the_common_reviews_are_compared(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.write(runs.folders[1], wrong=0, split=range(3, 6))
    assert main(["compare", *map(str, runs.folders), "--json"]) == 0
    captured = capsys.readouterr()
    assert "3 reviews are in the test parts of both, of 8 and 3" in captured.err
    assert json.loads(captured.out)["reviews"] == 3


def test_what_cannot_be_compared_is_said_in_one_line(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = map(str, runs.folders)
    both = ["compare", first, second]
    assert "run.json is missing" in refused(["compare", first, str(tmp_path)], capsys)
    assert "with --input" in refused([*both, "--text-column", "a"], capsys)
    assert "choose one" in refused([*both, "--input", "x", "--part", "val"], capsys)
    assert "expected NAME=REGEX" in refused([*both, "--slice", "x"], capsys)
    assert "no regular expression" in refused([*both, "--slice", "x=("], capsys)
    assert "no such column; there are text, label, id, document, kind" in refused(
        [*both, "--slice-column", "x"], capsys
    )
    (runs.folders[1] / ANSWERS_FILE).unlink()
    assert "kept no answers" in refused(both, capsys)
    runs.write(runs.folders[1], 1, corpus_fingerprint="other")
    assert "different corpora" in refused(both, capsys)
    runs.write(runs.folders[1], 1, status="failed")
    assert "has not finished" in refused(both, capsys)


def test_a_bundle_of_before_is_compared_with_one_of_the_same_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which kept True and 0.50, where files are read as true and 0.5 today."""
    first = write_small_bundle(tmp_path / "a" / "bundle", ("0.5", "true"))
    second = write_small_bundle(tmp_path / "b" / "bundle", ("True", "0.50"))
    path = tmp_path / "reviews.tsv"
    path.write_text("document\tlabel\n좋다\tTrue\n나쁘다\t.5\n", "utf-8")
    assert main(["compare", str(first), str(second), "--input", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reviews"] == 2


def test_bundles_of_other_labels_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_small_bundle(tmp_path / "a" / "bundle")
    second = write_small_bundle(tmp_path / "b" / "bundle", ("bad", "good"))
    path = write_file(tmp_path / "reviews.tsv")
    words = ["compare", str(first), str(second), "--input", str(path)]
    assert "different labels" in refused(words, capsys)
    (tmp_path / "plain.txt").write_text(GOOD, "utf-8")
    words[-1] = str(tmp_path / "plain.txt")
    assert "has no labels" in refused(words, capsys)
