"""How far the best settings' probabilities can be trusted: a chart, and a table of the surest ones.

From the answers that the best run kept of its validation part, which its temperature was fitted on;
both are of that part.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers
from nsmc.reports.charts import Axis, Chart, Point, Series
from nsmc.reports.leaderboard import Leaderboard, best_of_corpora
from nsmc.reports.legend import PALETTE, Legend
from nsmc.reports.records import Run
from nsmc.reports.significance import Reader
from nsmc.reports.tables import Column, Table
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.coverage import Coverage
from nsmc.runtime.loading import read_config

RELIABILITY = "reliability"  # the chart's name, and its file's without the ending

_FEWEST_REVIEWS = 100  # of which less would be noise
_FAINT = "#7f7f7f"

Probabilities = npt.NDArray[np.float64]


def reliability_charts(board: Leaderboard, reader: Reader) -> list[Chart]:
    """One chart of the best run of each corpus, as far as colours last; none without answers."""
    groups = dict[str, list[Point]]()
    errors, lowest = list[str](), 1.0
    for name, row in best_of_corpora(board):
        answers = reader.answers(row.best, "val")
        if answers is None or len(answers) < _FEWEST_REVIEWS:
            continue
        lowest = min(lowest, 1 / len(answers.names))
        before = answers.probabilities.astype(np.float64)
        confidence = confidence_of(row.best)
        added = {"as trained": before}
        error = f"calibration error {_coverage(answers, before).calibration_error():.4f} as trained"
        if confidence:
            temperature, after = confidence["temperature"], confidence["calibration_error"]
            error += f", {after:.4f} with the temperature {temperature:.3g} fitted on these reviews"
            if len(answers.names) == 2:  # of more labels, the others' probabilities are not kept
                added["with the temperature"] = _at_temperature(before, temperature)
        errors.append(f"{name}: {error}" if name else error)
        for what, probabilities in added.items():
            group = f"{name}, {what}" if name else what
            groups[group] = _points(group, _coverage(answers, probabilities))
    return [_chart(groups, "; ".join(errors), lowest)] if groups else []


def coverage_tables(board: Leaderboard) -> list[Table]:
    """For each corpus whose best run's bundle has it: how right the surest answers are."""
    tables = []
    for name, row in best_of_corpora(board):
        confidence = confidence_of(row.best)
        if confidence:
            rows = confidence["coverage"]
            columns = [
                _shares("surest reviews", [of["share"] for of in rows]),
                _shares("right", [of["accuracy"] for of in rows]),
                _numbers("probability from", [of["probability"] for of in rows]),
            ]
            of = f", {name}" if name else ""
            tables.append(Table(f"The surest validation answers of the best setting{of}", columns))
    return tables


def confidence_of(run: Run) -> dict[str, Any] | None:
    """What the run's bundle says of its probabilities; None where it is not there, or damaged."""
    try:
        return read_config(run.folder / "bundle" / CONFIG_FILE).confidence
    except (OSError, ValueError):
        return None


def _coverage(answers: Answers, probabilities: Probabilities) -> Coverage:
    coverage = Coverage()
    coverage.add(probabilities, answers.is_right)
    return coverage


def _at_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Those of the likelier one of two labels, whose logits are divided by the temperature."""
    others = np.maximum(1 - probabilities, np.finfo(np.float32).tiny)
    logits = (np.log(np.maximum(probabilities, 0.5)) - np.log(others)) / temperature
    scaled: Probabilities = 1 / (1 + np.exp(-logits))
    return scaled


def _points(group: str, coverage: Coverage) -> list[Point]:
    """A point for each bin, with the standard error of its accuracy."""
    points = []
    for of in coverage.bins():
        error = np.sqrt(of.accuracy * (1 - of.accuracy) / of.reviews)
        right = f"right: {of.accuracy:.4f} of {of.reviews:,} reviews"
        about = (group, f"probability {of.probability:.4f}", right)
        points.append(Point(of.probability, of.accuracy, about, float(error)))
    return points


def _chart(groups: dict[str, list[Point]], caption: str, lowest: float) -> Chart:
    shown = dict(zip(groups, PALETTE, strict=False))
    ends = [Point(end, end, ("as right as sure",)) for end in (lowest, 1.0)]
    return Chart(
        name=RELIABILITY,
        title="Accuracy by the answer's probability, of the best setting",
        caption=caption,
        x=Axis("probability of the answer, validation part"),
        y=Axis("share of right answers"),
        series=[
            Series("line", _FAINT, ends, opacity=0.6),
            *[Series("line", colour, groups[group], group) for group, colour in shown.items()],
            *[Series("mean", colour, groups[group], group) for group, colour in shown.items()],
        ],
        legend=Legend("probabilities", shown),
    )


def _shares(title: str, values: list[float]) -> Column:
    return Column(title, [f"{100 * value:.1f} %" for value in values], values, "metric")


def _numbers(title: str, values: list[float]) -> Column:
    return Column(title, [f"{value:.4f}" for value in values], values, "metric")
