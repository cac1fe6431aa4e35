"""Measures a bundle on labelled reviews, with numpy alone.

Legend: N reviews.
"""

import heapq
import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nsmc.runtime.batch_predict import classified
from nsmc.runtime.damage import Damage, Tally
from nsmc.runtime.metrics import AT_ONCE, IntArray, Metrics
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.readers import Row
from nsmc.terminal import harmless

_ABOVE_HALF = float(np.nextafter(0.5, 1))
_LOOK_AHEAD = 1_000  # rows whose labels are named, too, where one is not the bundle's
_LISTED = 1_000  # damaged rows that are named one by one


@dataclass(frozen=True)
class Mistake:
    """A review that was classified wrongly, and how sure the classifier was of it."""

    line: int
    label: str
    answer: str
    probability: float
    text: str


@dataclass(frozen=True)
class Evaluation:
    """The label 1, the second of a bundle's, counts as positive.

    `count` reviews were measured; `left_out` rows were damaged, the first thousand of which are
    `skipped`. A metric is None where it is undefined. `confusion` [2, 2] counts reviews by true
    label and answer. `mistakes` are the most confident ones, the worst first.
    """

    labels: tuple[str, ...]
    count: int
    metrics: dict[str, float | None]
    confusion: IntArray
    mistakes: list[Mistake]
    left_out: int
    skipped: list[Damage]

    @property
    def rows(self) -> int:
        """Of the file."""
        return self.count + self.left_out

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.rows,
            "left_out": self.left_out,
            "reviews": self.count,
            "labels": list(self.labels),
            **self.metrics,
            "confusion": self.confusion.tolist(),
            "mistakes": [vars(mistake) for mistake in self.mistakes],
            "skipped": [damage._asdict() for damage in self.skipped],
        }

    def as_text(self) -> str:
        """For a terminal."""
        names = {
            "accuracy": "accuracy",
            "f1": f"F1 of {self.labels[1]}",
            "auroc": "area under the ROC curve",
            "loss": "cross-entropy",
            "calibration_error": "calibration error",
        }
        lines = [f"{'reviews':<28}{self.count:>10,}"]
        lines += [f"{'left out':<28}{self.left_out:>10,} of {self.rows:,} rows"]
        lines += [f"{title:<28}{_shown(self.metrics[key]):>10}" for key, title in names.items()]
        width = max(len(name) for name in self.labels) + 2
        lines += ["", f"{'true label':<{width + 10}}answered {self.labels[0]:>{width}}"]
        lines[-1] += f"{self.labels[1]:>{width}}"
        for name, row in zip(self.labels, self.confusion, strict=True):
            counts = "".join(f"{count:>{width},}" for count in row.tolist())
            lines.append(f"{name:<{width + 19}}{counts}")
        if self.mistakes:
            lines += ["", "most confident mistakes (line, true label, probability of the other):"]
        for mistake in self.mistakes:
            shown = harmless(" ".join(mistake.text.split())[:80])
            lines.append(
                f"  {mistake.line:>7}  {mistake.label:<{width}}{mistake.probability:.4f}  {shown}"
            )
        return "\n".join(lines)


def _shown(metric: float | None) -> str:
    return "undefined" if metric is None else f"{metric:.4f}"


def evaluate(predictor: Predictor, rows: Iterable[Row], mistakes: int = 10) -> Evaluation:
    """Classify labelled rows and compare; labels are 0 and 1, or the bundle's own names.

    Raises ValueError for a label that is neither, and where more than a tenth of the rows, or all,
    are damaged: then the others would say nothing about the file.
    """
    names = predictor.config.labels
    known = {"0": 0, "1": 1, names[0]: 0, names[1]: 1}
    metrics, labels, probabilities = Metrics(), array("b"), array("d")

    def measure() -> None:
        metrics.add(np.array(labels, np.int8), np.array(probabilities))
        del labels[:], probabilities[:]

    tally, skipped = Tally(), list[Damage]()
    worst: list[tuple[float, int, Mistake]] = []
    for row, answer, probability in classified(predictor, _with_labels(rows, known, names)):
        tally.add(row.line, row.error)
        if row.error or row.label is None:
            if len(skipped) < _LISTED:
                skipped.append(Damage(row.line, row.error))
            continue
        assert probability is not None
        label, is_positive = known[row.label], answer == names[1]
        labels.append(label)
        # Just above one half where the answer is positive, for rounding may have made it a half.
        of_positive = probability if is_positive else 1 - probability
        probabilities.append(
            max(of_positive, _ABOVE_HALF) if is_positive else min(of_positive, 0.5)
        )
        if is_positive != bool(label):
            mistake = Mistake(row.line, names[label], answer, probability, row.text)
            heapq.heappush(worst, (probability, -row.line, mistake))
            if len(worst) > mistakes:
                heapq.heappop(worst)
        if len(labels) == AT_ONCE:
            measure()
    if not tally.rows:
        raise ValueError("nothing to measure: there is no row")
    if tally.is_too_much:
        raise ValueError(f"not measured: {tally}")
    measure()
    ordered = [mistake for _, _, mistake in sorted(worst, key=lambda each: each[:2], reverse=True)]
    return Evaluation(
        labels=names,
        count=int(metrics.confusion.sum()),
        metrics=metrics.result(),
        confusion=metrics.confusion,
        mistakes=ordered,
        left_out=tally.damaged,
        skipped=skipped,
    )


def _with_labels(
    rows: Iterable[Row], known: Mapping[str, int], names: Sequence[str]
) -> Iterator[Row]:
    """The rows; one without a label is damaged. Raises ValueError for a label that is not known."""
    remaining, seen = iter(rows), set[str]()
    for row in remaining:
        label = (row.label or "").strip()
        if row.error:
            yield row
        elif not label:
            yield row._replace(text="", error="no label")
        elif label in known:
            seen.add(label)
            yield row._replace(label=label)
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
