"""Values as they are found in a run record, made safe to compare and to show.

A record may be old, edited or damaged: nothing here trusts a type, and nothing here raises.
"""

import json
import math
import unicodedata
from typing import Any

from nsmc.terminal import harmless

Value = str | int | float  # a leaf of the configuration; true, null and lists are their JSON text

_LONGEST_TEXT = 1000  # characters of an error or a name that are kept
_LARGEST = 1e30  # what is beyond it is no measurement, and its square would overflow


def clean(text: object) -> str:
    """The text in one line, without characters that do a terminal or a file harm."""
    line = " ".join(str(text)[: _LONGEST_TEXT + 1].split())
    return harmless(line[:_LONGEST_TEXT] + ("…" if len(line) > _LONGEST_TEXT else ""))


def number(value: object) -> float | None:
    """The value where it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if abs(value) > _LARGEST or math.isnan(value):
        return None
    return float(value)


def mapping(value: object) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def numbers(value: object) -> dict[str, float]:
    """Those entries of a mapping that are finite numbers."""
    found = {clean(key): number(entry) for key, entry in mapping(value).items()}
    return {key: entry for key, entry in found.items() if entry is not None}


def flat(config: object, prefix: str = "") -> dict[str, Value]:
    """The leaves of a nested configuration under dotted keys: `{"model.lr": 0.004, …}`."""
    leaves: dict[str, Value] = {}
    for name, value in mapping(config).items():
        key = clean(f"{prefix}{name}")
        if isinstance(value, dict):
            leaves |= flat(value, f"{key}.")
        else:
            leaves[key] = _leaf(value)
    return leaves


def shown(value: Value) -> str:
    """A value as a table shows it; floats with as many digits as tell settings apart."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def width_of(text: str) -> int:
    """The columns that a terminal needs for the text: Hangul takes two for each syllable."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def ellipsized(text: str, width: int) -> str:
    """The text, cut off where it would need more than `width` columns of a terminal."""
    if width_of(text) <= width:
        return text
    kept = text[:width]
    while width_of(kept) >= width:
        kept = kept[:-1]
    return f"{kept}…"


def shortened(text: str, length: int) -> str:
    """The text, with its middle left out where it is longer than `length` characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def _leaf(value: object) -> Value:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int | float) and number(value) is not None:
        return value
    return clean(json.dumps(value, ensure_ascii=False))
