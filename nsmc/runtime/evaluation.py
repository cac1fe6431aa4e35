"""Measures a bundle on labelled reviews, with numpy alone.

Legend: N reviews, C labels.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nsmc.reading.rows import Row
from nsmc.runtime.batch_predict import chunks
from nsmc.runtime.bundle_labels import BundleLabels
from nsmc.runtime.confidence import SHARES
from nsmc.runtime.coverage import Coverage
from nsmc.runtime.damage import Tally
from nsmc.runtime.familiarity import Difference, Profile, differences
from nsmc.runtime.metrics import IntArray, Metrics
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import Logits, exact_softmax
from nsmc.terminal import display_width, ellipsize, harmless

_MISTAKES = 10  # that are kept, the most confident ones
_LARGEST_TABLE = 12  # labels; of more, only the commonest confusions are shown
_REFERENCE_TITLES = {
    "tokens": "tokens of a review",
    "lone_bytes": "share of unknown letters",
    "probability": "probability of an answer",
}
_LONGEST_NAME = 20  # columns of a label in a table


class Mistake(NamedTuple):
    """A review that was classified wrongly, and how sure the classifier was of it."""

    line: int
    label: str
    answer: str
    probability: float
    text: str


@dataclass(frozen=True)
class Evaluation:
    """A metric is None where it is undefined; of two labels the second counts as positive.

    `confusion` [C, C] counts reviews by true label and answer. `coverage` knows how right the
    surest answers are; with `target` the accuracy is meant that they should have. `texts` says what
    the reviews are like, `reference` what those of a reference are. `mistakes` are the most
    confident ones, the worst first. Damaged rows are left out, and so are `unused` ones, whose
    value in the label column the bundle's corpus left out.
    """

    labels: tuple[str, ...]
    tally: Tally
    unused: int
    metrics: dict[str, float | None]
    confusion: IntArray
    coverage: Coverage
    target: float | None
    texts: dict[str, Any]
    reference: Mapping[str, Any] | None
    mistakes: list[Mistake]

    @property
    def count(self) -> int:
        """The reviews that were measured."""
        return self.tally.rows - self.tally.damaged - self.unused

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Of 95 %: where the accuracy on all reviews of that kind is likely to be (Wilson 1927)."""
        share, count, z = float(self.metrics["accuracy"] or 0), self.count, 1.959964
        centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        spread = math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
        margin = z * spread / (1 + z**2 / count)
        return max(centre - margin, 0.0), min(centre + margin, 1.0)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.tally.rows,
            "left_out": self.tally.damaged,
            "unused_labels": self.unused,
            "reviews": self.count,
            "labels": list(self.labels),
            **self.metrics,
            "accuracy_interval": list(self.accuracy_interval),
            "confusion": self.confusion.tolist(),
            "coverage": [self.coverage.surest(share)._asdict() for share in SHARES],
            **self._target_as_json(),
            "texts": self.texts,
            **self._reference_as_json(),
            "mistakes": [mistake._asdict() for mistake in self.mistakes],
            "skipped": [damage._asdict() for damage in self.tally.first],
        }

    def _target_as_json(self) -> dict[str, Any]:
        if self.target is None:
            return {}
        found = self.coverage.where_right(self.target)
        return {"target_accuracy": self.target, "at_target": found and found._asdict()}

    def _reference_as_json(self) -> dict[str, Any]:
        if self.reference is None:
            return {}
        return {"beside_reference": [each._asdict() for each in self._differences(self.reference)]}

    def _differences(self, reference: Mapping[str, Any]) -> list[Difference]:
        return differences(self.texts, reference)

    def as_text(self) -> str:
        """For a terminal."""
        titles = {
            "accuracy": "accuracy",
            "macro_f1": "macro F1",
            "f1": f"F1 of {_short(self.labels[1])}",
            "auroc": "area under the ROC curve",
            "loss": "cross-entropy",
            "calibration_error": "calibration error",
        }
        lines = [f"{'reviews':<28}{self.count:>10,}"]
        lines += [f"{'left out':<28}{self.tally.damaged:>10,} of {self.tally.rows:,} rows"]
        if self.unused:
            rows = "row" if self.unused == 1 else "rows"
            lines += [f"{'with labels not learnt':<28}{self.unused:>10,} {rows}, left out, too"]
        for name, value in self.metrics.items():
            shown = "undefined" if value is None else f"{value:.4f}"
            low, high = self.accuracy_interval
            interval = f"   95% interval {low:.4f} to {high:.4f}" if name == "accuracy" else ""
            lines += [f"{_left(titles[name], 28)}{shown:>10}{interval}"]
        lines += ["", *self._coverage()]
        if self.reference is not None:
            lines += ["", *self._beside(self.reference)]
        small = len(self.labels) <= _LARGEST_TABLE
        lines += ["", *(self._table() if small else self._commonest_confusions())]
        if self.mistakes:
            lines += ["", "most confident mistakes (line, true label, answer, its probability):"]
        for line, label, answer, probability, text in self.mistakes:
            names = f"{_short(label)}  {_short(answer)}"
            shown = harmless(" ".join(text.split())[:80])
            lines += [f"  {line:>7}  {names}  {probability:.4f}  {shown}"]
        return "\n".join(lines)

    def _coverage(self) -> Iterator[str]:
        yield "the surest answers, how many of them are right, and their least probability:"
        for share in SHARES:
            row = self.coverage.surest(share)
            yield f"  {row.share:>6.1%}  {row.accuracy:.4f}  {row.probability:.4f}"
        if self.target is not None:
            yield self._at_target(self.target)

    def _at_target(self, target: float) -> str:
        found = self.coverage.where_right(target)
        if found is None:
            return f"no threshold leaves answers of which {target:.4g} are right"
        return (
            f"--unsure-below {found.probability:.4f} leaves {found.share:.1%} of the reviews, of "
            f"which {found.accuracy:.4f} are right (wanted: {target:.4g})"
        )

    def _beside(self, reference: Mapping[str, Any]) -> Iterator[str]:
        yield f"mean here, mean of the reference's {reference['reviews']:,} reviews, distance:"
        found = self._differences(reference)
        for each in found:
            mark = "  unlike" if each.is_far else ""
            means = f"{each.mean:>10.4f}{each.reference_mean:>10.4f}{each.distance:>8.2f}"
            yield f"  {_REFERENCE_TITLES[each.name]:<26}{means}{mark}"
        if any(each.is_far for each in found):
            yield "these texts are unlike the reference: what was measured there may not hold here"

    def _table(self) -> Iterator[str]:
        names = [_short(label) for label in self.labels]
        first = max(10, *map(display_width, names))
        cells = [[f"{count:,}" for count in counts] for counts in self.confusion.tolist()]
        widths = [max(map(display_width, column)) + 2 for column in zip(names, *cells, strict=True)]
        for name, row in (("true label", names), *zip(names, cells, strict=True)):
            answered = "answered" if row is names else ""
            values = "".join(_right(cell, size) for cell, size in zip(row, widths, strict=True))
            yield f"{_left(name, first)}  {answered:<8}{values}"

    def _commonest_confusions(self) -> Iterator[str]:
        counts = self.confusion * (1 - np.eye(len(self.labels), dtype=np.int64))
        yield "commonest confusions (reviews, true label, answer):"
        for cell in np.argsort(-counts, axis=None, kind="stable")[:_LARGEST_TABLE]:
            label, answer = divmod(int(cell), len(self.labels))
            if counts[label, answer]:
                names = f"{_short(self.labels[label])}  {_short(self.labels[answer])}"
                yield f"  {counts[label, answer]:>7,}  {names}"


def _short(label: str) -> str:
    return ellipsize(label, _LONGEST_NAME)


def _left(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _right(text: str, width: int) -> str:
    return " " * (width - display_width(text)) + text


def evaluate(
    predictor: Predictor,
    rows: Iterable[Row],
    unit: str = "line",
    reading: str | None = None,
    *,
    source: str = "the file",
    target: float | None = None,
    reference: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Classify labelled rows and compare.

    `reading` and `unit`, what a row is called, are those of `BundleLabels`; messages call the file
    `source`; `target` and `reference` are those of `Evaluation`. Raises ValueError for a label that
    is not the bundle's, and where more than a tenth of the rows, or all, are damaged: then the
    others would say nothing about the file.
    """
    config = predictor.config
    labels = BundleLabels(config, unit, reading)
    metrics, tally = Metrics(len(config.labels)), Tally(unit=unit)
    texts = Profile(predictor.tokenizer.lone_bytes)
    wrong = _measured(predictor, labels.numbered(rows), metrics, texts, tally)
    worst = heapq.nlargest(_MISTAKES, wrong, key=lambda each: (each.probability, -each.line))
    tally.rows += labels.unused
    if not tally.rows:
        raise ValueError(f"{source}: nothing to measure: no rows")
    if tally.is_too_much:
        raise ValueError(f"{source}: not measured: {tally}")
    if tally.rows == tally.damaged + labels.unused:
        raise ValueError(
            f"{source}: nothing to measure: no row has a label that the bundle has learnt"
        )
    return Evaluation(
        config.labels,
        tally,
        labels.unused,
        metrics.result(),
        metrics.confusion,
        metrics.coverage,
        target,
        texts.as_json(),
        reference,
        worst,
    )


def _measured(
    predictor: Predictor, rows: Iterable[Row], metrics: Metrics, texts: Profile, tally: Tally
) -> Iterator[Mistake]:
    """Add rows, whose labels are numbers, to what counts them; yields the mistakes."""
    names = predictor.config.labels
    for chunk, ids, logits in mapped(partial(_logits, predictor), chunks(rows)):
        for row in chunk:
            tally.add(row.line, row.error)
        sound = [row for row in chunk if not row.error]
        if not sound:
            continue
        labels = np.array([int(row.label or 0) for row in sound])
        metrics.add(labels, logits)
        texts.add(ids, exact_softmax(logits).max(axis=1))
        answers = logits.argmax(axis=1)
        is_wrong = np.flatnonzero(answers != labels)
        probabilities = exact_softmax(logits[is_wrong]).max(axis=1)
        for index, probability in zip(is_wrong.tolist(), probabilities.tolist(), strict=True):
            row, answer = sound[index], names[answers[index]]
            yield Mistake(row.line, names[labels[index]], answer, probability, row.text)


def profile_of(predictor: Predictor, rows: Iterable[Row]) -> dict[str, Any]:
    """What the reviews of a file are like, whatever their labels, as plain values.

    Raises ValueError for a file without a review.
    """
    texts = Profile(predictor.tokenizer.lone_bytes)
    for _, ids, logits in mapped(partial(_logits, predictor), chunks(rows)):
        texts.add(ids, exact_softmax(logits).max(axis=1, initial=0))
    if not texts.reviews:
        raise ValueError("no reviews to compare with")
    return texts.as_json()


def _logits(predictor: Predictor, rows: list[Row]) -> tuple[list[Row], list[list[int]], Logits]:
    """The rows, and the ids and the scaled logits [N, C] of those that are not damaged."""
    ids = predictor.encode([row.text for row in rows if not row.error])
    return rows, ids, predictor.scaled(predictor.logits(ids))
