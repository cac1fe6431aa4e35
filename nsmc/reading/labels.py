"""From what a file has in its label column to the names of labels, in a stable order."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nsmc.terminal import first_few

_WHOLE = re.compile(r"(-?\d+)\.0+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)-(-?\d+(?:\.\d+)?)")
_SHOWN = 10  # labels that a message names


def label_text(value: object) -> str:
    """A label as text, the same from every format: 3, 3.0, "3" and " 3.0 " are all "3"."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    if text.isdecimal():  # as most are
        return text
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


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
    _ranges: list[tuple[float, float, str | None]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ranges = []
        for value, label in (self.mapping or {}).items():
            if match := _RANGE.fullmatch(value):
                low, high = float(match[1]), float(match[2])
                if low > high:
                    raise ValueError(f"data.label_map: {value!r} is no range: it goes down")
                ranges.append((low, high, label))
        object.__setattr__(self, "_ranges", ranges)
        names = self.names or ()
        if len(set(names)) < len(names) or not all(names):
            raise ValueError(f"data.labels={list(names)}: expected names that differ")

    def check(self) -> None:
        """Raises ValueError for a mapping to a label that is not among the names."""
        for value, label in (self.mapping or {}).items():
            if label is not None and self.names is not None and label not in self.names:
                raise ValueError(
                    f"data.label_map: {value!r} becomes {label!r}, which is not one of "
                    f"data.labels ({listed(self.names)})"
                )

    def label_of(self, value: str) -> str | None:
        """The label that a value of `label_text` means; None where its review is to be left out.

        Raises ValueError for a value that means none.
        """
        label: str | None = value
        if self.mapping is not None:
            label = self.mapping[value] if value in self.mapping else self._in_a_range(value)
        if label is not None and self.names is not None and label not in self.names:
            raise ValueError(
                f"label {value[:40]!r} is not one of data.labels ({listed(self.names)})"
            )
        return label

    def _in_a_range(self, value: str) -> str | None:
        if is_number(value):
            for least, most, label in self._ranges:
                if least <= float(value) <= most:
                    return label
        assert self.mapping is not None
        raise ValueError(f"label {value[:40]!r} is not in data.label_map ({listed(self.mapping)})")

    def ordered(self, found: Iterable[str]) -> tuple[str, ...]:
        """The labels in their order: as listed, else as mapped, else by number or name."""
        if self.names is not None:
            return self.names
        seen = set(found)
        if self.mapping is not None:
            return tuple(dict.fromkeys(label for label in self.mapping.values() if label in seen))
        if all(map(is_number, seen)):
            return tuple(sorted(seen, key=float))
        return tuple(sorted(seen))


def listed(labels: Iterable[str]) -> str:
    """A few labels, for a message."""
    return first_few([repr(name[:40]) for name in labels], _SHOWN)
