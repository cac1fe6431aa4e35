"""From what a file has in its label column to the names of labels, in a stable order."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from nsmc.terminal import first_few

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# Leading zeros make a code, such as 007, which is no quantity: it has no place in a range.
_BOUND = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
_RANGE = re.compile(rf"({_BOUND})-({_BOUND})", re.ASCII)
# A quantity as files write it, in many ways.
_QUANTITY = re.compile(
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
    if _QUANTITY.fullmatch(text):
        number = f"{Decimal(text):f}"
        number = number.rstrip("0").rstrip(".") if "." in number else number
        return number.removeprefix("-") if number.strip("-0") == "" else number
    return text.lower() if text.lower() in ("true", "false") else text


def is_number(text: str) -> bool:
    """Whether a field has digits alone: as a quantity, or as a code such as 007."""
    return bool(_NUMBER.fullmatch(text))


def _is_quantity(label: str) -> bool:
    return bool(_QUANTITY.fullmatch(label))


def positions(names: Sequence[str], others: Sequence[str]) -> list[int] | None:
    """Where among the `others` each of the names is; None where these are other labels.

    Both are compared as `label_text` has them, as bundles and files of before have names that it
    changes: True, 0.50.
    """
    ours, theirs = ([label_text(name) for name in each] for each in (names, others))
    if len({*ours}) < len(ours) or sorted(map(str, ours)) != sorted(map(str, theirs)):
        return None
    return [theirs.index(name) for name in ours]


@dataclass(frozen=True)
class LabelRules:
    """Which labels there are, and which of a file's values means which.

    `names` are the labels in order, or None for all that the file has. `mapping` gives a value, or
    a range of numbers such as "1-4", its label, or None to leave its reviews out. Without it
    every value is the label of that name. Names and values may be written in other ways than
    `label_text` has them. Raises ValueError for names that are not distinct, and for a range that
    goes down.
    """

    names: tuple[str, ...] | None = None
    mapping: Mapping[str, str | None] | None = None
    _whose: str = "one of data.labels"  # the names are, for messages
    _ranges: dict[str, tuple[float, float]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matches = {value: _RANGE.fullmatch(value) for value in self.mapping or ()}
        ranges = {value: (float(m[1]), float(m[2])) for value, m in matches.items() if m}
        for value, (low, high) in ranges.items():
            if low > high:
                raise ValueError(f"data.label_map: {value!r} is no range: it goes down")
        names = self.names or ()
        object.__setattr__(self, "_ranges", ranges)
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
        quantities = filter(_is_quantity, self.mapping or ())
        numbers = {value: (float(value),) * 2 for value in quantities}
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

        Raises UnknownLabelError for a value that means none, and ValueError where two names, or
        two values of the mapping, are told apart that `label_text` makes the same.
        """
        label: str | None = value
        if self.mapping is not None:
            key = self.key_of(value)
            if key is None:
                raise UnknownLabelError(
                    f"label {value[:40]!r} is not in data.label_map ({listed(self.mapping)})"
                )
            label = self.mapping[key]
        if label is None or self.names is None:
            return label
        if (name := self._name_by_text.get(label_text(label))) is None:
            raise UnknownLabelError(
                f"label {value[:40]!r} is not {self._whose} ({listed(self.names)})"
            )
        return name

    @cached_property
    def _name_by_text(self) -> dict[str | None, str]:
        return _by_text({name: name for name in self.names or ()})

    @cached_property
    def _key_by_text(self) -> dict[str | None, str]:
        return _by_text(self.mapping or {})

    def key_of(self, value: str) -> str | None:
        """The key of the mapping, a range perhaps, that a value of `label_text` belongs to."""
        if value in self._key_by_text:
            return self._key_by_text[value]
        if _is_quantity(value):
            for key, (least, most) in self._ranges.items():
                if least <= float(value) <= most:
                    return key
        return None

    def unused_keys(self, values: Iterable[str]) -> list[str]:
        """The keys of the mapping that none of a file's values belongs to."""
        used = {*map(self.key_of, values)}
        return [key for key in self.mapping or () if key not in used]

    def missing(self, counts: Mapping[str, int]) -> str:
        """Says which labels have no review, and which key asks for them; "" where none is missing.

        `counts` are of the reviews of each label that may be there.
        """
        without = [label for label, count in counts.items() if not count]
        if not without:
            return ""
        line = f"no review has the label {listed(without)}"
        if keys := [key for key, label in (self.mapping or {}).items() if label in without]:
            line += f", which data.label_map has for {listed(keys)}"
        places = [*(["data.labels"] if self.names else []), *(["data.label_map"] if keys else [])]
        return f"{line}; leave it out of {' and '.join(places)}, or add reviews with it"

    def ordered(self, found: Iterable[str]) -> tuple[str, ...]:
        """The labels in order: all that are listed, else mapped, else those found, as sorted."""
        if self.names is not None:
            return self.names
        if self.mapping is not None:
            return tuple(dict.fromkeys(label for label in self.mapping.values() if label))
        seen = set(found)
        if all(map(_is_quantity, seen)):
            return tuple(sorted(seen, key=float))
        return tuple(sorted(seen))


def _by_text(meanings: Mapping[str, str | None]) -> dict[str | None, str]:
    """Names, which mean something, by their `label_text`; raises ValueError where it is no one."""
    found: dict[str | None, str] = {}
    for name, meaning in meanings.items():
        first = found.setdefault(label_text(name), name)
        if meanings[first] != meaning:
            raise ValueError(
                f"the labels {first[:40]!r} and {name[:40]!r} are different ones here, but in a "
                "file they are read as the same"
            )
    return found


def listed(labels: Iterable[str]) -> str:
    """A few labels, for a message."""
    return first_few([repr(name[:40]) for name in labels], _SHOWN)
