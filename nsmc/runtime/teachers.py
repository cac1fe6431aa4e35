"""Who taught a student: what `config.json` says of the models whose soft labels it learnt.

Such as {"count": 5, "with_morphemes": 3, "morphemes": {"kiwipiepy": ["0.24.1"], …}, "unknown": 1}.
A teacher is one with morphemes where it reads them itself, or learnt from one with morphemes; it is
unknown where its answers, or those that it learnt from, are a file of which nothing more is known.
"inherited" says what stands behind all who taught the weights that the training began with: their
"morphemes", and whether more is "unknown". They are not counted, as some may be the same.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Versions = dict[str, list[str]]  # of each of Kiwi's packages; none where no record has it

_SHARES = ("with_morphemes", "unknown")  # how many of the teachers

# So that what is shown stays short, whatever a file says.
_MOST_TEACHERS = 1_000_000
_MOST_VERSIONS = 20  # of a package, and packages

_PLAIN = re.compile(r"[\w.+!-]{1,100}", re.ASCII)  # a package's name or version


@dataclass(frozen=True)
class Knowledge:
    """What stands behind a teacher's answers, or those of several."""

    morphemes: Versions = field(default_factory=dict)
    unknown: bool = False


def teachers_entry(
    teachers: Iterable[Knowledge], inherited: Knowledge | None = None
) -> dict[str, Any] | None:
    """What `config.json` says of a student's teachers; None without any, inherited ones too."""
    all_ = [*teachers]
    if not all_ and inherited is None:
        return None
    versions = [each.morphemes for each in all_ if each.morphemes]
    entry = {
        "count": len(all_),
        "with_morphemes": len(versions),
        "morphemes": merged(versions),
        "unknown": sum(each.unknown for each in all_),
    }
    return entry if inherited is None else {**entry, "inherited": asdict(inherited)}


def all_knowledge(entry: Mapping[str, Any]) -> Knowledge:
    """What stands behind all teachers of an entry, inherited ones too."""
    inherited = entry.get("inherited", {"morphemes": {}, "unknown": False})
    morphemes = merged([entry["morphemes"], inherited["morphemes"]])
    return Knowledge(morphemes, inherited["unknown"] or entry["unknown"] > 0)


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
    fewest = 0 if "inherited" in entry else 1
    count: Any = entry.get("count")
    if type(count) is not int or not fewest <= count <= _MOST_TEACHERS:
        expected = f"an integer from {fewest} to {_MOST_TEACHERS:,}"
        raise ValueError(f"count is {repr(count)[:40]}; expected {expected}")
    for key in _SHARES:
        number: Any = entry.get(key)
        if type(number) is not int or not 0 <= number <= count:
            raise ValueError(f"{key} is {repr(number)[:40]}; expected an integer up to {count}")
    versions: Any = entry.get("morphemes")
    if not _are_versions(versions) or bool(versions) != bool(entry["with_morphemes"]):
        raise ValueError(f"morphemes is {repr(versions)[:40]}; expected versions of packages")
    if "inherited" in entry:
        _check_inherited(entry["inherited"])


def _check_inherited(knowledge: object) -> None:
    is_known = (
        isinstance(knowledge, dict)
        and _are_versions(knowledge.get("morphemes"))
        and type(knowledge.get("unknown")) is bool
    )
    if not is_known:
        raise ValueError(f"inherited is {repr(knowledge)[:40]}; expected morphemes and unknown")


def _are_versions(versions: object) -> bool:
    if not isinstance(versions, dict) or len(versions) > _MOST_VERSIONS:
        return False
    return all(
        _is_plain(name)
        and isinstance(numbers, list)
        and len(numbers) <= _MOST_VERSIONS
        and all(map(_is_plain, numbers))
        for name, numbers in versions.items()
    )


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and _PLAIN.fullmatch(text) is not None


def counted(entry: Mapping[str, Any]) -> str:
    """For people, such as "5 teachers (3 with morphemes, 1 unknown)", "1 teacher (unknown)"."""
    shares = [(entry[key], key.replace("_", " ")) for key in _SHARES if entry[key]]
    if entry["count"] == 1:
        return f"1 teacher ({', '.join(kind for _, kind in shares)})" if shares else "1 teacher"
    kinds = ", ".join(f"{number:,} {kind}" for number, kind in shares)
    teachers = f"{entry['count']:,} teachers"
    return f"{teachers} ({kinds})" if shares else teachers


def uncounted(inherited: Mapping[str, Any]) -> str:
    """For people, such as "teachers (some with morphemes, some unknown)"."""
    kinds = ["some with morphemes"] if inherited["morphemes"] else []
    kinds += ["some unknown"] if inherited["unknown"] else []
    return f"teachers ({', '.join(kinds)})" if kinds else "teachers"


def packages(versions: Versions) -> str:
    """For people: the packages and their versions."""
    return " and ".join(
        f"{name} {', '.join(numbers) or '(its version is not known)'}"
        for name, numbers in versions.items()
    )
