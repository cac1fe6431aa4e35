"""From what a file has in its label column to the names of labels, in a stable order."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from nsmc.terminal import first_few

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_RANGE = re.compile(rf"({_NUMBER.pattern})-({_NUMBER.pattern})")
# What is written in many ways; with leading zeros it is a code, such as 007.
_WRITTEN_NUMBER = re.compile(
    r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE
)
_SHOWN = 10  # labels that a message names


class UnknownLabelError(ValueError):
    """A value that means no label."""


def label_text(value: object) -> str | None:
    """A label as text, the same from every format; "" where it is missing, None where it is none.

    3, 3.0, "3", " +3 " and "0.3e1" are all "3", and True is "true". Leading zeros make a code of a
    number: "007" stays as it is. Letters are in Unicode's form NFC. A list is no label, nor is an
    object, bytes, or what is infinite.
    """
    if value is None:
        return ""
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return "" if math.isnan(value) else None
    if isinstance(value, list | Mapping | bytes):
        return None
    text = unicodedata.normalize("NFC", str(value)).strip()
    if text.isdecimal():  # as most are
        return text
    if _WRITTEN_NUMBER.fullmatch(text):
        number = f"{Decimal(text):f}"
        number = number.rstrip("0").rstrip(".") if "." in number else number
        return number.removeprefix("-") if number.strip("-0") == "" else number
    return text.lower() if text.lower() in ("true", "false") else text


def is_number(label: str) -> bool:
    return bool(_NUMBER.fullmatch(label))


@dataclass(frozen=True)
class LabelRules:
    """Which labels there are, and which of a file's values means which.

    `names` are the labels in order, or None for all that the file has. `mapping` gives a value, or
    a range of numbers such as "1-4", its label, or None to leave its reviews out. Without it
    every value is the label of that name. Raises ValueError for names that are not distinct, and
    for a range that goes down.
    """

    names: tuple[str, ...] | None = None
    mapping: Mapping[str, str | None] | None = None
    _whose: str = "one of data.labels"  # the names are, for messages
    _ranges: dict[str, tuple[float, float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matches = {value: _RANGE.fullmatch(value) for value in self.mapping or ()}
        ranges = {value: (float(m[1]), float(m[3])) for value, m in matches.items() if m}
        for value, (low, high) in ranges.items():
            if low > high:
                raise ValueError(f"data.label_map: {value!r} is no range: it goes down")
        object.__setattr__(self, "_ranges", ranges)
        names = self.names or ()
        if len(set(names)) < len(names) or not all(names):
            raise ValueError(f"data.labels={list(names)}: expected names that differ")

    def check(self) -> None:
        """Raises ValueError for a mapping to another label than the names, or with overlaps."""
        for value, label in (self.mapping or {}).items():
            if label is not None and self.names is not None and label not in self.names:
                raise ValueError(
                    f"data.label_map: {value!r} becomes {label!r}, which is not one of "
                    f"data.labels ({listed(self.names)}); set data.label_map={{VALUE:LABEL}} with "
                    "these, or data.label_map=null where the file has them as they are"
                )
        numbers = {value: (float(value),) * 2 for value in self.mapping or () if is_number(value)}
        spans = sorted(((*span, value) for value, span in {**numbers, **self._ranges}.items()))
        for (_, end, first), (start, _, second) in pairwise(spans):
            if start <= end:
                raise ValueError(
                    f"data.label_map: {first!r} and {second!r} overlap; each value has one label"
                )

    def for_others(self, names: tuple[str, ...]) -> "LabelRules":
        """The rules for the other files of a corpus, whose training file has labels `names`."""
        if self.names or not names:
            return self
        return replace(self, names=names, _whose="in the training file")

    def label_of(self, value: str) -> str | None:
        """The label that a value of `label_text` means; None where its review is to be left out.

        Raises UnknownLabelError for a value that means none.
        """
        label: str | None = value
        if self.mapping is not None:
            label = self.mapping[value] if value in self.mapping else self._in_a_range(value)
        if label is not None and self.names is not None and label not in self.names:
            raise UnknownLabelError(
                f"label {value[:40]!r} is not {self._whose} ({listed(self.names)})"
            )
        return label

    def _in_a_range(self, value: str) -> str | None:
        assert self.mapping is not None
        if is_number(value):
            for key, (least, most) in self._ranges.items():
                if least <= float(value) <= most:
                    return self.mapping[key]
        raise UnknownLabelError(
            f"label {value[:40]!r} is not in data.label_map ({listed(self.mapping)})"
        )

    def ordered(self, found: Iterable[str]) -> tuple[str, ...]:
        """The labels in order: all that are listed, else mapped, else those found, as sorted."""
        if self.names is not None:
            return self.names
        if self.mapping is not None:
            return tuple(dict.fromkeys(label for label in self.mapping.values() if label))
        seen = set(found)
        if all(map(is_number, seen)):
            return tuple(sorted(seen, key=float))
        return tuple(sorted(seen))


def listed(labels: Iterable[str]) -> str:
    """A few labels, for a message."""
    return first_few([repr(name[:40]) for name in labels], _SHOWN)
