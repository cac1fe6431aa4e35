"""Measures a bundle on labelled reviews, with numpy alone.

Legend: N reviews.
"""

import heapq
import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nsmc.runtime.batch_predict import classified
from nsmc.runtime.damage import Tally
from nsmc.runtime.metrics import AT_ONCE, IntArray, Metrics
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.readers import Row
from nsmc.terminal import harmless

_ABOVE_HALF = float(np.nextafter(0.5, 1))
_MISTAKES = 10  # that are kept, the most confident ones
_LOOK_AHEAD = 1_000  # rows whose labels are named, too, where one is not the bundle's


class Mistake(NamedTuple):
    """A review that was classified wrongly, and how sure the classifier was of it."""

    line: int
    label: str
    answer: str
    probability: float
    text: str


@dataclass(frozen=True)
class Evaluation:
    """The label 1, the second of a bundle's, counts as positive.

    A metric is None where it is undefined. `confusion` [2, 2] counts reviews by true label and
    answer. `mistakes` are the most confident ones, the worst first. Damaged rows are left out.
    """

    labels: tuple[str, ...]
    tally: Tally
    metrics: dict[str, float | None]
    confusion: IntArray
    mistakes: list[Mistake]

    @property
    def count(self) -> int:
        """The reviews that were measured."""
        return self.tally.rows - self.tally.damaged

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.tally.rows,
            "left_out": self.tally.damaged,
            "reviews": self.count,
            "labels": list(self.labels),
            **self.metrics,
            "confusion": self.confusion.tolist(),
            "mistakes": [mistake._asdict() for mistake in self.mistakes],
            "skipped": [damage._asdict() for damage in self.tally.first],
        }

    def as_text(self) -> str:
        """For a terminal."""
        titles = {
            "accuracy": "accuracy",
            "f1": f"F1 of {self.labels[1]}",
            "auroc": "area under the ROC curve",
            "loss": "cross-entropy",
            "calibration_error": "calibration error",
        }
        lines = [f"{'reviews':<28}{self.count:>10,}"]
        lines += [f"{'left out':<28}{self.tally.damaged:>10,} of {self.tally.rows:,} rows"]
        for name, title in titles.items():
            value = self.metrics[name]
            lines += [f"{title:<28}{'undefined' if value is None else f'{value:.4f}':>10}"]
        first, second = self.labels
        width = max(len(first), len(second)) + 2
        lines += ["", f"{'true label':<{width + 10}}answered {first:>{width}}{second:>{width}}"]
        for label, counts in zip(self.labels, self.confusion.tolist(), strict=True):
            cells = "".join(f"{count:>{width},}" for count in counts)
            lines += [f"{label:<{width + 19}}{cells}"]
        if self.mistakes:
            lines += ["", "most confident mistakes (line, true label, probability of the other):"]
        for line, label, _, probability, text in self.mistakes:
            shown = harmless(" ".join(text.split())[:80])
            lines += [f"  {line:>7}  {label:<{width}}{probability:.4f}  {shown}"]
        return "\n".join(lines)


def evaluate(predictor: Predictor, rows: Iterable[Row]) -> Evaluation:
    """Classify labelled rows and compare; labels are 0 and 1, or the bundle's own names.

    Raises ValueError for a label that is neither, and where more than a tenth of the rows, or all,
    are damaged: then the others would say nothing about the file.
    """
    names, metrics, tally = predictor.config.labels, Metrics(), Tally()
    wrong = _measured(predictor, _with_labels(rows, names), metrics, tally)
    worst = heapq.nlargest(_MISTAKES, wrong, key=lambda each: (each.probability, -each.line))
    if not tally.rows:
        raise ValueError("nothing to measure: there is no row")
    if tally.is_too_much:
        raise ValueError(f"not measured: {tally}")
    return Evaluation(names, tally, metrics.result(), metrics.confusion, worst)


def _measured(
    predictor: Predictor, rows: Iterable[Row], metrics: Metrics, tally: Tally
) -> Iterator[Mistake]:
    """Add rows, whose labels are "0" and "1", to the metrics and the tally; yields the mistakes."""
    names, labels, probabilities = predictor.config.labels, array("b"), array("d")
    for row, answer, probability in classified(predictor, rows):
        tally.add(row.line, row.error)
        if not row.error and probability is not None:
            label, is_positive = int(row.label or 0), answer == names[1]
            labels.append(label)
            # Just above one half where the answer is positive: rounding may have made it a half.
            of_positive = probability if is_positive else 1 - probability
            probabilities.append(
                max(of_positive, _ABOVE_HALF) if is_positive else min(of_positive, 0.5)
            )
            if is_positive != bool(label):
                yield Mistake(row.line, names[label], answer, probability, row.text)
        if len(labels) == AT_ONCE:
            metrics.add(np.array(labels, np.int8), np.array(probabilities))
            del labels[:], probabilities[:]
    metrics.add(np.array(labels, np.int8), np.array(probabilities))


def _with_labels(rows: Iterable[Row], names: Sequence[str]) -> Iterator[Row]:
    """The rows with labels "0" and "1"; one without a label is damaged.

    Raises ValueError for a label that is not the bundle's.
    """
    known = {"0": "0", "1": "1", names[0]: "0", names[1]: "1"}
    remaining, seen = iter(rows), set[str]()
    for row in remaining:
        label = (row.label or "").strip()
        if row.error:
            yield row
        elif not label:
            yield row._replace(text="", error="no label")
        elif label in known:
            seen.add(label)
            yield row._replace(label=known[label])
        else:
            others = itertools.islice(remaining, _LOOK_AHEAD)
            seen |= {label, *((other.label or "").strip() for other in others)} - {""}
            raise ValueError(_foreign(row.line, label, seen, names))


def _foreign(line: int, label: str, seen: set[str], names: Sequence[str]) -> str:
    shown = ", ".join(repr(each[:40]) for each in sorted(seen)[:10])
    more = ", …" if len(seen) > 10 else ""
    return (
        f"line {line}: label {label[:40]!r} is not one of the bundle's; the file has "
        f"{shown}{more}, the bundle 0 or {names[0]!r}, 1 or {names[1]!r}: rewrite "
        "the labels, or name another column with --label"
    )
