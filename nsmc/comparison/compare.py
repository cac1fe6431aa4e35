"""Two classifiers on the same reviews: metrics, agreement, the test, slices, where they differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nsmc.comparison.answers import Answers
from nsmc.comparison.bootstrap import intervals
from nsmc.comparison.contributions import contributions
from nsmc.comparison.slices import members
from nsmc.comparison.testing import mcnemar
from nsmc.reading.labels import positions
from nsmc.terminal import harmless

METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "loss": "cross-entropy"}  # by name

_LONGEST_NAME = 24  # characters of a slice or a label
_LONGEST_TEXT = 70  # characters of a review on a terminal

Mask = npt.NDArray[np.bool_]  # [N]


class Difference(NamedTuple):
    """A review that the classifiers answer differently."""

    id: str
    label: str
    first: str
    first_probability: float
    second: str
    second_probability: float
    text: str | None


class SliceResult(NamedTuple):
    """Accuracies on a slice, and McNemar's test, corrected for the number of slices."""

    name: str
    reviews: int
    first: float
    second: float
    p: float


def on_common_reviews(first: Answers, second: Answers) -> tuple[Answers, Answers]:
    """The answers to the reviews that both have, with the second's labels numbered as the first's.

    Raises ValueError where there is no such review, and where they have other labels.
    """
    order = positions(second.names, first.names)
    if order is None:
        raise ValueError("the runs have different labels")
    number = np.array(order, np.int16)
    second = replace(
        second,
        names=first.names,
        labels=number[second.labels],
        answers=number[second.answers],
    )
    first = first.take(np.isin(first.ids, second.ids))
    second = second.take(np.isin(second.ids, first.ids))
    if not len(first):
        raise ValueError("the runs have no review in common")
    if not np.array_equal(first.labels, second.labels):
        raise ValueError("the runs know the same reviews with different labels")
    return first, second


@dataclass(frozen=True)
class Comparison:
    """Answers of two classifiers to the same reviews, in the same order and of the same labels.

    `texts` are the reviews' by id, as far as they are known. `own_slices` are the user's, beside
    the built-in ones.
    """

    first: Answers
    second: Answers
    texts: Mapping[bytes, str] = field(default_factory=dict)
    own_slices: Mapping[str, Mask] = field(default_factory=dict)

    @cached_property
    def p(self) -> float:
        """McNemar's test of the accuracies."""
        return mcnemar(self.first.is_right, self.second.is_right)

    @cached_property
    def metrics(self) -> dict[str, tuple[float, float]]:
        """Of the first and the second, as far as they are defined."""
        found = {}
        for name in METRICS:
            values = [contributions(answers, name) for answers in (self.first, self.second)]
            if values[0] is not None and values[1] is not None:
                found[name] = (float(values[0].mean()), float(values[1].mean()))
        return found

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Of 95 %, of the metrics' differences: a paired bootstrap over the reviews."""
        return intervals(self.first, self.second)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Reviews by who is right about them, and how many get the same answer."""
        first, second = self.first.is_right, self.second.is_right
        return {
            "same answer": int((self.first.answers == self.second.answers).sum()),
            "both right": int((first & second).sum()),
            "only the first right": int((first & ~second).sum()),
            "only the second right": int((second & ~first).sum()),
            "neither right": int((~first & ~second).sum()),
        }

    @cached_property
    def slices(self) -> list[SliceResult]:
        """Those that have reviews."""
        masks = {
            name: members(self.first.slices, number)
            for number, name in enumerate(self.first.slice_names)
        }
        masks = {name: mask for name, mask in {**masks, **self.own_slices}.items() if mask.any()}
        first, second = self.first.is_right, self.second.is_right
        return [
            SliceResult(
                name,
                int(mask.sum()),
                float(first[mask].mean()),
                float(second[mask].mean()),
                min(1.0, mcnemar(first[mask], second[mask]) * len(masks)),
            )
            for name, mask in masks.items()
        ]

    def differences(self, limit: int) -> list[Difference]:
        """Where they differ: first where both are most sure, by the sum of their probabilities."""
        rows = np.flatnonzero(self.first.answers != self.second.answers)
        sure = self.first.probabilities[rows] + self.second.probabilities[rows]
        order = rows[np.argsort(-sure, kind="stable")][:limit]
        return [self._difference(row) for row in order.tolist()]

    def _difference(self, row: int) -> Difference:
        first, second, names = self.first, self.second, self.first.names
        key: bytes = first.ids[row]
        return Difference(
            key.decode(),
            names[first.labels[row]],
            names[first.answers[row]],
            round(float(first.probabilities[row]), 6),
            names[second.answers[row]],
            round(float(second.probabilities[row]), 6),
            self.texts.get(key),
        )

    def as_json(self, limit: int) -> dict[str, Any]:
        """Plain values."""
        return {
            "reviews": len(self.first),
            **{
                name: {
                    "first": values[0],
                    "second": values[1],
                    "interval": self.intervals.get(name),
                }
                for name, values in self.metrics.items()
            },
            "counts": self.counts,
            "mcnemar_p": self.p,
            "slices": [each._asdict() for each in self.slices],
            "differences": [each._asdict() for each in self.differences(limit)],
        }

    def as_text(self, limit: int) -> str:
        """For a terminal."""
        parts = [self._metric_lines(), self._count_lines(), self._slice_lines()]
        if limit:
            parts.append(self._difference_lines(limit))
        return "\n\n".join("\n".join(lines) for lines in parts)

    def _metric_lines(self) -> Iterator[str]:
        yield (
            f"{len(self.first):,} reviews".ljust(26)
            + f"{'A':>9}{'B':>9}{'A - B':>10}   95% interval"
        )
        for name, (first, second) in self.metrics.items():
            bounds = self.intervals.get(name)
            interval = "" if bounds is None else f"   {bounds[0]:+.4f} to {bounds[1]:+.4f}"
            values = f"{first:>9.4f}{second:>9.4f}{first - second:>+10.4f}"
            yield f"{METRICS[name]:<26}{values}{interval}"

    def _count_lines(self) -> Iterator[str]:
        for name, count in self.counts.items():
            title = name.replace("the first", "A").replace("the second", "B")
            yield f"{title:<26}{count:>9,}{count / len(self.first):>9.1%}"
        yield f"{'McNemar, p':<26}{_p(self.p):>9}   {_verdict(self.p)}"

    def _slice_lines(self) -> Iterator[str]:
        yield f"{'accuracy by slice':<26}{'A':>9}{'B':>9}{'A - B':>10}{'reviews':>10}{'p':>9}"
        for name, reviews, first, second, p in self.slices:
            title = harmless(name)[:_LONGEST_NAME]
            title += " " * (26 - _width(title))
            values = f"{first:>9.4f}{second:>9.4f}{first - second:>+10.4f}"
            yield f"{title}{values}{reviews:>10,}{_p(p):>9}"
        yield f"(p: McNemar's test, corrected for {len(self.slices)} slices)"

    def _difference_lines(self, limit: int) -> Iterator[str]:
        differences = self.differences(limit)
        count = len(self.first) - self.counts["same answer"]
        yield (
            f"{count:,} different answers, the most confident first "
            "(id, true label, A's answer, B's answer, text):"
        )
        for each in differences:
            label, first, second = (
                harmless(name)[:_LONGEST_NAME] for name in (each.label, each.first, each.second)
            )
            answers = (
                f"{first} {each.first_probability:.3f}  {second} {each.second_probability:.3f}"
            )
            text = "" if each.text is None else harmless(" ".join(each.text.split()))
            yield f"  {harmless(each.id)}  {label}  {answers}  {text[:_LONGEST_TEXT]}".rstrip()


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _verdict(p: float) -> str:
    if p < 0.05:
        return "these two differ in accuracy"
    return "no difference in accuracy that so many reviews could show"


def _width(text: str) -> int:
    """Columns on a terminal, where Hangul takes two."""
    return sum(2 if "\u1100" <= char <= "\uffe6" else 1 for char in text)
