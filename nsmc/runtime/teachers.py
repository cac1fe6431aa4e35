"""Who taught a student: what `config.json` says of the models whose soft labels it learnt.

Such as {"count": 5, "with_morphemes": 3, "morphemes": {"kiwipiepy": ["0.24.1"], …}, "unknown": 1}.
A teacher is one with morphemes where it reads them itself, or learnt from one with morphemes; it is
unknown where its answers, or those that it learnt from, are a file of which nothing more is known.
With "inherited": true it was not the run itself that learnt from them, but one whose weights it
started from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Versions = dict[str, list[str]]  # of each of Kiwi's packages; none where no record has it

_MOST = 1_000_000  # teachers

_PLAIN = re.compile(r"[\w.+!-]{1,100}", re.ASCII)  # a package's name or version


@dataclass(frozen=True)
class Knowledge:
    """What stands behind one teacher's answers."""

    morphemes: Versions = field(default_factory=dict)
    unknown: bool = False


def teachers_entry(teachers: Iterable[Knowledge]) -> dict[str, Any] | None:
    """What `config.json` says of a student's teachers; None without any."""
    all_ = [*teachers]
    versions = [each.morphemes for each in all_ if each.morphemes]
    if not all_:
        return None
    return {
        "count": len(all_),
        "with_morphemes": len(versions),
        "morphemes": merged(versions),
        "unknown": sum(each.unknown for each in all_),
    }


def merged(versions: Iterable[Versions]) -> Versions:
    """All versions of each package, sorted."""
    found: dict[str, set[str]] = {}
    for each in versions:
        for name, numbers in each.items():
            found.setdefault(name, set()).update(numbers)
    return {name: sorted(numbers) for name, numbers in sorted(found.items())}


def check_teachers(entry: object) -> None:
    """Raises ValueError, which names the key, for what `teachers_entry` would not make."""
    if not isinstance(entry, dict):
        raise ValueError(f"it is {repr(entry)[:40]}, not a table")
    count: Any = entry.get("count")
    if type(count) is not int or not 1 <= count <= _MOST:
        raise ValueError(f"count is {repr(count)[:40]}; expected an integer from 1 to {_MOST:,}")
    for key in ("with_morphemes", "unknown"):
        number: Any = entry.get(key)
        if type(number) is not int or not 0 <= number <= count:
            raise ValueError(f"{key} is {repr(number)[:40]}; expected an integer up to {count}")
    versions: Any = entry.get("morphemes")
    inherited: Any = entry.get("inherited", False)
    if type(inherited) is not bool:
        raise ValueError(f"inherited is {repr(inherited)[:40]}; expected true or false")
    are_versions = isinstance(versions, dict) and all(
        _is_plain(name) and isinstance(numbers, list) and all(map(_is_plain, numbers))
        for name, numbers in versions.items()
    )
    if not are_versions or bool(versions) != bool(entry["with_morphemes"]):
        raise ValueError(f"morphemes is {repr(versions)[:40]}; expected versions of packages")


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and _PLAIN.fullmatch(text) is not None


def packages(versions: Versions) -> str:
    """For people: the packages and their versions."""
    return " and ".join(
        f"{name} {', '.join(numbers) or '(its version is not known)'}"
        for name, numbers in versions.items()
    )
