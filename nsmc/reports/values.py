"""Values from a run record, made safe to compare and to show.

A record may be edited or damaged: nothing here trusts a type, and nothing here raises.
"""

import json
from typing import Any, TypeGuard

from nsmc.terminal import harmless

Value = (
    str | int | float
)  # a leaf of the configuration; true, null, lists and mappings are JSON text

_MAPPINGS = {"data.label_map"}  # values in themselves, not sections
_MAX_TEXT = 1000  # characters of an error or a name that are kept
_MAX_NUMBER = 1e30  # nothing measured is larger, and the square of a larger number would overflow


def clean(text: object) -> str:
    """The text on one line, without characters that could harm a terminal or a file."""
    line = " ".join(str(text)[: _MAX_TEXT + 1].split())
    return harmless(line[:_MAX_TEXT] + ("…" if len(line) > _MAX_TEXT else ""))


def as_mapping(value: object) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def finite_numbers(value: object) -> dict[str, float]:
    """The entries of a mapping that are finite numbers."""
    entries = as_mapping(value).items()
    return {clean(key): float(entry) for key, entry in entries if _is_finite_number(entry)}


def flatten(config: object, prefix: str = "") -> dict[str, Value]:
    """The leaves of a nested configuration under dotted keys: `{"model.lr": 0.004, …}`."""
    leaves: dict[str, Value] = {}
    for name, value in as_mapping(config).items():
        key = clean(f"{prefix}{name}")
        if isinstance(value, dict) and key not in _MAPPINGS:
            leaves |= flatten(value, f"{key}.")
        else:
            leaves[key] = _leaf(value)
    return leaves


def format_value(value: Value) -> str:
    """A value as a table shows it; floats get enough digits to tell settings apart."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def ellipsize_middle(text: str, length: int) -> str:
    """The text, with its middle left out if it is longer than `length` characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def _leaf(value: object) -> Value:
    if isinstance(value, str):
        return clean(value)
    return value if _is_finite_number(value) else clean(json.dumps(value, ensure_ascii=False))


def _is_finite_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _MAX_NUMBER  # which no NaN is
