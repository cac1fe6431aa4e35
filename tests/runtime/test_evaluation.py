"""What is measured of a file of labelled reviews, and what is said of mistakes."""

import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from nsmc.reading.rows import Row
from nsmc.runtime.evaluation import Evaluation, evaluate
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from nsmc.terminal import display_width, ellipsize
from tests.bundles import TOKENIZER, config_of, random_bundle

# --- whole evaluations ---


class Oracle:
    """Stands for a predictor: a text is the probabilities of the labels but for the first one."""

    def __init__(
        self,
        labels: tuple[str, ...] = ("negative", "positive"),
        reading: dict[str, Any] | None = None,
    ) -> None:
        self.config = config_of(labels=labels, reading=reading)
        self.tokenizer = TOKENIZER

    def encode(self, texts: Sequence[str]) -> Sequence[str]:
        return texts

    def scaled(self, logits: Array) -> Array:
        return logits

    def logits(self, texts: Sequence[str]) -> Array:
        count = len(self.config.labels)
        others = np.array([[float(p) for p in text.split()] for text in texts])
        others = others.reshape(len(texts), count - 1)
        every = np.concatenate([1 - others.sum(axis=1, keepdims=True), others], axis=1)
        return np.log(np.maximum(every, 1e-30))


def evaluation_of(
    *rows: tuple[object, object],
    labels: tuple[str, ...] = ("negative", "positive"),
    reading: dict[str, Any] | None = None,
) -> Evaluation:
    found = [
        Row(line, str(probability), str(label))
        for line, (probability, label) in enumerate(rows, start=2)
    ]
    return evaluate(Oracle(labels, reading), found)  # type: ignore[arg-type]


def test_a_hand_worked_case() -> None:
    found = evaluation_of((0.9, 1), (0.8, 0), (0.2, 0), (0.4, 1), (0.6, 1), (0.7, 1))
    assert found.count == 6
    assert found.confusion.tolist() == [[1, 1], [1, 3]]  # by true label, then by answer
    assert found.metrics["accuracy"] == pytest.approx(4 / 6)
    assert found.metrics["f1"] == pytest.approx(2 * 3 / (4 + 4))
    assert found.metrics["auroc"] == pytest.approx(5 / 8)
    assert [(each.line, each.label, each.answer) for each in found.mistakes] == [
        (3, "negative", "positive"),
        (5, "positive", "negative"),
    ]
    assert [each.probability for each in found.mistakes] == pytest.approx([0.8, 0.6])


SCORES = st.sampled_from([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1])
SAMPLES = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=1, max_size=40)


@settings(deadline=None)
@given(sample=SAMPLES)
def test_mistakes_are_the_most_confident_ones_the_worst_and_earliest_first(
    sample: list[tuple[int, float]],
) -> None:
    found = evaluation_of(*((score, label) for label, score in sample))
    wrong = [
        (-max(score, 1 - score), line)
        for line, (label, score) in enumerate(sample, start=2)
        if (score > 0.5) != bool(label)
    ]
    expected = sorted(wrong)[:10]
    assert [each.line for each in found.mistakes] == [line for _, line in expected]
    probabilities = [each.probability for each in found.mistakes]
    assert probabilities == pytest.approx([-negative for negative, _ in expected])
    assert found.confusion[0, 1] + found.confusion[1, 0] == len(wrong)
    assert found.confusion.sum() == found.count == len(sample)


def test_labels_may_be_0_and_1_or_the_bundle_s_names() -> None:
    rows = ((0.9, "추천"), (0.9, 1), (0.1, "별로"), (0.1, 0), (0.9, "별로"))
    found = evaluation_of(*rows, labels=("별로", "추천"))
    assert found.labels == ("별로", "추천")
    assert found.confusion.tolist() == [[2, 1], [0, 2]]
    assert found.tally.first == []


def sound_rows(count: int, start: int = 100) -> list[Row]:
    return [Row(line, f"0.{1 + line % 8}", str(line % 2)) for line in range(start, start + count)]


def test_damaged_rows_are_left_out_with_their_reason_and_counted() -> None:
    rows = [Row(3, error="no label"), Row(6, error="not UTF-8")]
    found = evaluate(Oracle(), [*rows, *sound_rows(36)])  # type: ignore[arg-type]
    assert (found.tally.rows, found.count) == (38, 36)
    assert found.tally.first == [(3, "no label"), (6, "not UTF-8")]
    content = found.as_json()
    assert (content["rows"], content["left_out"], content["reviews"]) == (38, 2, 36)
    assert re.search(r"^left out +2 of 38 rows$", found.as_text(), re.MULTILINE)


def test_a_mistake_s_text_reaches_no_terminal_as_it_is() -> None:
    class Wrong(Oracle):
        def logits(self, texts: Sequence[str]) -> Array:
            return np.array([[0, 2]] * len(texts), np.float32)

    rows = [Row(2, "a\x1b]0;title\x07\x1b[2J\u202e" + "x" * 10_000, "0"), Row(3, "b", "1")]
    found = evaluate(Wrong(), rows)  # type: ignore[arg-type]
    assert "\x1b" not in found.as_text() and "\u202e" not in found.as_text()


def test_that_no_row_was_left_out_is_said_too() -> None:
    found = evaluation_of((0.9, 1), (0.1, 0))
    assert found.as_json()["left_out"] == 0
    assert re.search(r"^left out +0 of 2 rows$", found.as_text(), re.MULTILINE)


@pytest.mark.parametrize(("damaged", "sound", "refused"), [(1, 9, False), (1, 8, True)])
def test_more_than_a_tenth_of_damaged_rows_is_refused(
    damaged: int, sound: int, refused: bool
) -> None:
    rows = [*sound_rows(sound), *(Row(line, error="no text") for line in range(damaged))]
    if not refused:
        assert evaluate(Oracle(), rows).count == sound  # type: ignore[arg-type]
        return
    message = (
        rf"^the file: not measured: {damaged} of {damaged + sound} rows .*\(line 0: no text\)$"
    )
    with pytest.raises(ValueError, match=message):
        evaluate(Oracle(), rows)  # type: ignore[arg-type]


def test_without_a_row_there_is_no_evaluation() -> None:
    with pytest.raises(ValueError, match="nothing to measure: no rows"):
        evaluate(Oracle(), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("seen", ["12345", ["1", "0"] * 50 + ["2"], ["positive"] * 9 + ["neutral"]])
def test_labels_of_another_set_are_refused_however_few_of_them_there_are(
    seen: Sequence[str],
) -> None:
    rows = [Row(line, "0.9", label) for line, label in enumerate(seen, start=2)]
    foreign = next(label for label in seen if label not in ("0", "1", "positive"))
    line = 2 + list(seen).index(foreign)
    with pytest.raises(ValueError, match=f"^line {line}: label '{foreign}' is not one") as caught:
        evaluate(Oracle(), rows)  # type: ignore[arg-type]
    assert ", ".join(repr(each) for each in sorted(set(seen))) in str(caught.value)
    assert "the bundle '0', '1', 'negative', 'positive'" in str(caught.value)


def test_labels_of_another_set_are_refused_before_the_file_was_read() -> None:
    endless = (Row(line, "0.9", str(line)) for line in itertools.count(0))
    with pytest.raises(
        ValueError, match=r"'0', '1', '2', .*'9' and 9\d\d more, the bundle"
    ) as caught:
        evaluate(Oracle(), endless)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 300


def test_a_label_is_shown_short_and_in_one_line() -> None:
    with pytest.raises(ValueError, match="is not one of the bundle's") as caught:
        evaluate(Oracle(), [Row(2, "0.9", "x\n" * 1_000)])  # type: ignore[arg-type]
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", [0, 1])
def test_what_is_undefined_is_no_number(label: int) -> None:
    found = evaluation_of((0.1, label), (0.2, label))
    undefined = {"auroc"} if label else {"auroc", "f1"}
    assert {key for key, value in found.metrics.items() if value is None} == undefined
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert content["auroc"] is None
    assert re.search(r"^area under the ROC curve +undefined$", found.as_text(), re.MULTILINE)
    assert content["f1"] == (0 if label else None)  # no hit among positives; no positive at all


def test_as_json_is_plain_and_holds_everything() -> None:
    rows = [Row(2, "0.9", "0"), *(Row(line, "0.8", "1") for line in range(3, 12))]
    found = evaluate(Oracle(), [*rows, Row(12, error="no text")])  # type: ignore[arg-type]
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert content == found.as_json()
    assert (content["rows"], content["left_out"], content["reviews"]) == (11, 1, 10)
    assert content["labels"] == ["negative", "positive"]
    assert content["confusion"] == [[0, 1], [0, 9]]
    assert content["mistakes"][0] | {"probability": 0.9} == {
        "line": 2,
        "label": "negative",
        "answer": "positive",
        "probability": 0.9,
        "text": "0.9",
    }
    assert content["skipped"] == [{"line": 12, "error": "no text"}]
    metrics = {"accuracy", "macro_f1", "f1", "auroc", "loss", "calibration_error"}
    assert metrics <= content.keys()


@pytest.mark.parametrize(
    "labels", [("negative", "positive"), ("별로", "추천"), ("a" * 30, "b"), ("가" * 30, "b")]
)
def test_as_text_shows_every_measure_and_a_table_in_columns(labels: tuple[str, str]) -> None:
    found = evaluation_of((0.9, 0), (0.8, 1), (0.1, 0), labels=labels)
    text = found.as_text()
    for name, value in found.metrics.items():
        assert f"{value:.4f}" in text, name
    lines = text.split("\n")
    start = next(place for place, line in enumerate(lines) if line.startswith("true label"))
    header, first, second = lines[start : start + 3]
    assert len({*map(display_width, (header, first, second))}) == 1  # columns end at one place
    assert first.split() == [ellipsize(labels[0], 20), "1", "1"]
    assert second.split() == [labels[1], "0", "1"]


def test_a_mistake_takes_one_line_however_its_text_is_broken(tmp_path: Path) -> None:
    predictor = Predictor.load(random_bundle(tmp_path / "bundle"))
    texts = ["줄\n바꿈\t탭", "x" * 500]
    wrong = {"negative": "1", "positive": "0"}
    rows = [
        Row(place, text, wrong[answer.label])
        for place, (text, answer) in enumerate(zip(texts, predictor(texts), strict=True))
    ]
    lines = evaluate(predictor, rows).as_text().split("\n")
    shown = lines[next(i for i, line in enumerate(lines) if "mistakes" in line) + 1 :]
    assert len(shown) == 2
    assert any(line.endswith("줄 바꿈 탭") for line in shown)
    assert max(len(line) for line in shown) < 120


def test_an_answer_at_the_very_middle_is_counted_as_what_it_says() -> None:
    # In float32 the likelier of two labels may have a probability of 0.5, not a bit more.
    likelier = softmax(np.array([[0, 6e-8]], np.float32))[0]
    assert likelier.argmax() == 1
    assert likelier[1] == 0.5

    class Undecided(Oracle):
        def logits(self, texts: Sequence[str]) -> Array:
            return np.array([[0, 6e-8]] * len(texts), np.float32)

    found = evaluate(Undecided(), [Row(2, "a", "1"), Row(3, "b", "0")])  # type: ignore[arg-type]
    assert found.confusion.tolist() == [[0, 1], [0, 1]]
    assert [each.line for each in found.mistakes] == [3]


def test_an_evaluation_of_a_bundle_is_that_of_its_predictor_s_answers(tmp_path: Path) -> None:
    predictor = Predictor.load(random_bundle(tmp_path / "bundle", scale=2.0))
    texts = [f"{'영화 최고 ' * (i % 5)}{i}" for i in range(300)]
    labels = np.arange(300) % 2
    rows = [Row(i, text, str(i % 2)) for i, text in enumerate(texts)]
    found = evaluate(predictor, rows)
    answers = np.array([answer.label == "positive" for answer in predictor(texts)])
    assert found.metrics["accuracy"] == pytest.approx(float((answers == labels).mean()))
    probabilities = softmax(predictor.logits(predictor.encode(texts)))[:, 1]
    assert found.metrics["auroc"] == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-3)


# --- more labels ---

STARS = ("나쁨", "보통", "좋음")
STAR_MAP = {"1-4": "나쁨", "5-6": "보통", "7": None, "8-10": "좋음"}


def test_of_three_labels_a_hand_worked_case() -> None:
    rows = [("0.1 0.8", 5), ("0.1 0.8", "좋음"), ("0.2 0.2", 1), ("0.7 0.2", 4), ("0.1 0.7", 10)]
    found = evaluation_of(*rows, ("0.3 0.3", 7), labels=STARS, reading={"label_map": STAR_MAP})
    assert found.confusion.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 2]]
    assert (found.count, found.unused, found.tally.rows) == (5, 1, 6)
    assert found.metrics["accuracy"] == pytest.approx(3 / 5)
    assert found.metrics["macro_f1"] == pytest.approx((2 / 3 + 0 + 4 / 5) / 3)
    assert "f1" not in found.metrics
    assert [(each.line, each.label, each.answer) for each in found.mistakes] == [
        (2, "보통", "좋음"),
        (5, "나쁨", "보통"),
    ]
    text = found.as_text()
    assert re.search(r"^with labels not learnt +1 row, left out, too$", text, re.MULTILINE)
    assert re.search(r"^나쁨 +1 +1 +0$", text, re.MULTILINE)
    assert found.as_json()["unused_labels"] == 1


def test_labels_are_read_as_the_whole_file_has_them() -> None:
    """2 means the first label where others are of the corpus, and that name where they are not."""
    labels, reading = ("1", "2"), {"label_map": {"1-5": "1", "6-10": "2"}}
    found = evaluation_of((0.1, 2), (0.9, 9), labels=labels, reading=reading)
    assert found.metrics["accuracy"] == 1
    labels, reading = ("0", "1"), {"label_map": {"1-5": "0", "6-10": "1"}}
    found = evaluation_of((0.9, 1), (0.1, 0), (0.8, 1), labels=labels, reading=reading)
    assert found.metrics["accuracy"] == 1


def test_with_a_reading_0_and_1_mean_nothing_by_themselves() -> None:
    with pytest.raises(ValueError, match=r"label '0' is not .*the bundle '1', '2': rewrite"):
        evaluation_of((0.1, 0), labels=("1", "2"), reading={})


def test_where_every_label_is_left_out_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="no row has a label that the bundle has learnt"):
        evaluation_of(("0 0", 7), labels=STARS, reading={"label_map": STAR_MAP})


def test_of_many_labels_the_commonest_confusions_are_shown() -> None:
    labels = tuple(f"별 {number}" for number in range(30))
    sure = np.eye(30)[:, 1:]
    rows = [(" ".join(map(str, sure[(n * n) % 30])), f"별 {n % 30}") for n in range(90)]
    found = evaluation_of(*rows, ("0 " * 29, "별 7"), labels=labels)
    text = found.as_text()
    shown = text[text.index("commonest confusions") :].split("\n\n")[0].split("\n")[1:]
    assert len(shown) == 12
    assert all(line.split()[0] == "3" for line in shown)
    assert max(map(len, text.split("\n"))) < 140
    assert np.array(found.as_json()["confusion"]).shape == (30, 30)


def test_a_row_of_a_file_without_lines_is_called_a_row() -> None:
    with pytest.raises(ValueError, match=r"^row 2: label '5'"):
        evaluate(Oracle(), [Row(2, "0.9", "5")], "row")  # type: ignore[arg-type]
