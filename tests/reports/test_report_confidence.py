"""A report on how far probabilities can be trusted, and on the surest wrong answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.comparison.answers import ReviewKeys, answers_of, as_ids, write_answers
from nsmc.comparison.hardest import HARDEST_FILE, HardReview, write_hardest
from nsmc.comparison.slices import slices_of
from nsmc.reports.charts import Chart
from nsmc.reports.confidence import coverage_tables, reliability_charts
from nsmc.reports.leaderboard import leaderboard
from nsmc.reports.records import read_runs
from nsmc.reports.report import write_report
from nsmc.reports.significance import Reader
from nsmc.runtime.confidence import measured_confidence
from nsmc.runtime.coverage import Coverage
from nsmc.runtime.explanation import Explanation, Word
from nsmc.runtime.softmax import exact_softmax
from tests.bundles import TOKENIZER_FILE, config_of, random_tensors, write_bundle
from tests.reports.factories import record, write

EVIL = "<b>악</b>&"


def write_run(
    folder: Path, accuracy: float = 0.8, count: int = 2000, labels: int = 2, **changes: Any
) -> tuple[Any, Any]:
    """A run that is too sure, with its bundle; returns its labels and its logits."""
    chance = np.random.default_rng(0)
    truth = chance.integers(labels, size=count)
    logits = chance.normal(size=(count, labels))
    logits[np.arange(count), truth] += 1
    logits *= 3
    keys = ReviewKeys(as_ids(map(str, range(count))), slices_of(["x"] * count))
    names = [f"label {number}" for number in range(labels)]
    probabilities = exact_softmax(logits)
    write(folder, record(accuracy, **changes))
    write_answers(folder, {"val": answers_of(keys, truth, probabilities, names)})
    config = config_of(labels=tuple(names), confidence=measured_confidence(truth, logits))
    write_bundle(folder / "bundle", config, random_tensors(config), TOKENIZER_FILE)
    return truth, logits


def charts_and_tables(folder: Path) -> tuple[list[Chart], list[dict[str, list[str]]]]:
    board = leaderboard(read_runs([folder])[0])
    tables = coverage_tables(board)
    shown = [{column.title: column.texts for column in table.columns} for table in tables]
    return reliability_charts(board, Reader()), shown


def test_accuracy_by_probability_is_drawn_without_the_temperature_and_with_it(
    tmp_path: Path,
) -> None:
    truth, logits = write_run(tmp_path / "a")
    ((chart,), (table,)) = charts_and_tables(tmp_path)
    confidence = measured_confidence(truth, logits)
    assert confidence is not None
    before, after = confidence["calibration_error_before"], confidence["calibration_error"]
    assert before > 3 * after
    assert f"calibration error {before:.4f} as trained, {after:.4f} with the" in chart.caption
    diagonal, _, _, trained, scaled = chart.series
    assert [(point.x, point.y) for point in diagonal.points] == [(0.5, 0.5), (1, 1)]
    for series, of in ((trained, logits), (scaled, logits / confidence["temperature"])):
        coverage, probabilities = Coverage(), exact_softmax(of)
        coverage.add(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)
        expected = [(each.probability, each.accuracy) for each in coverage.bins()]
        found = np.array([(point.x, point.y) for point in series.points])
        np.testing.assert_allclose(found, expected, atol=2e-3)
    rows = [f"{100 * row['accuracy']:.1f} %" for row in confidence["coverage"]]
    assert table["right"] == rows


def test_of_three_labels_only_what_was_kept_is_drawn(tmp_path: Path) -> None:
    write_run(tmp_path / "a", labels=3)
    ((chart,), _) = charts_and_tables(tmp_path)
    assert [*chart.legend.colours] == ["as trained"]
    assert chart.series[0].points[0].x == pytest.approx(1 / 3)


def test_without_a_bundle_or_answers_there_is_less(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    (tmp_path / "a" / "bundle" / "config.json").write_text("{")
    ((chart,), tables) = charts_and_tables(tmp_path)
    assert [*chart.legend.colours] == ["as trained"] and tables == []
    (tmp_path / "a" / "answers.safetensors").unlink()
    assert charts_and_tables(tmp_path) == ([], [])
    write_run(tmp_path / "a", count=50)
    assert charts_and_tables(tmp_path) == ([], [])


def test_the_best_of_each_corpus_is_drawn(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / name, data__name=name)
        made = json.loads((tmp_path / name / "run.json").read_text())
        made["corpus_fingerprint"] = name
        (tmp_path / name / "run.json").write_text(json.dumps(made))
    ((chart,), tables) = charts_and_tables(tmp_path)
    wanted = [
        f"{n}, {what}" for n in ("one", "two") for what in ("as trained", "with the temperature")
    ]
    assert [*chart.legend.colours] == wanted and len(tables) == 2
    assert chart.caption.startswith("one: calibration error")


def hard_review(text: str, label: str = EVIL) -> HardReview:
    words = (Word(text, 0.6, 0.7, -0.5), Word("좋다", 0.9, 0.5, 2.0))
    return HardReview(label, Explanation("positive", 0.9, 0.5, words, (0.6, 0.9), True))


def test_the_page_shows_why_the_surest_wrong_answers_were_given(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 0.8)
    write_run(tmp_path / "b", 0.7, model__hidden_size=7)
    write_hardest(tmp_path / "a", [hard_review(EVIL)])
    write_hardest(tmp_path / "b", [hard_review("worse")])
    write_report([tmp_path])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    evil = "&lt;b&gt;악&lt;/b&gt;&amp;"
    assert f"<h4>positive 0.9000, labelled {evil}</h4>" in page
    assert f'<span class="a1">{evil}</span> <span class="f5">좋다</span>' in page
    assert EVIL not in page and "worse" not in page
    assert "The surest validation answers of the best setting" in page
    assert (tmp_path / "reliability.png").stat().st_size > 0
    assert "### The surest" in (tmp_path / "leaderboard.md").read_text(encoding="utf-8")


def test_damaged_reviews_are_a_problem_and_no_obstacle(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    (tmp_path / "a" / HARDEST_FILE).write_text("[1]")
    shown = write_report([tmp_path])
    assert "its hardest reviews cannot be read" in shown and f"a/{HARDEST_FILE}" in shown
    assert "Surest wrong answers" not in (tmp_path / "report.html").read_text(encoding="utf-8")
