"""The configuration's keys: which there are, what they hold, and what is wrong with a value."""

import difflib
import json
import re
import types
from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from nsmc.config.commands import train_command

# How much alike two names are, from 0 to 1, before one is taken for a slip in typing the other. Of
# whole keys the section is alike already.
_SIMILAR, _SIMILAR_KEYS = 0.75, 0.85

# What pydantic calls "a valid …".
_IN_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, [VALUE,VALUE]",
    "model_type": "a section with keys of its own",
    "model_attributes_type": "a section with keys of its own",
    "dict_type": "a section with keys of its own",
    "too_short": "one or more",
}
_MEMBER = re.compile(r"\.(int|float|str|constrained-int|function-after)[^.]*$")
_NUMBERS = ("int_type", "int_from_float", "float_type")

_LONGEST_SHOWN = 200  # characters of a value in a message


# Marks a key, or a section, that can change no result: `Annotated[int, NO_EFFECT]`.
NO_EFFECT = "changes no result"


class OnlyFor(tuple[str, ...]):
    """Marks a key, or a section, that other tasks than these do not look at."""

    def __new__(cls, *tasks: str) -> Self:
        return super().__new__(cls, tasks)


class Section(BaseModel):
    """A part of the configuration: no other keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Keys:
    """The dotted keys of a schema, which is a pydantic model with others inside."""

    def __init__(self, schema: type[BaseModel]) -> None:
        self._fields = dict(_fields(schema))

    def __contains__(self, key: object) -> bool:
        return key in self._fields

    def __getitem__(self, key: str) -> FieldInfo:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def is_text(self, key: str) -> bool:
        """Whether it holds free text, such as a path, or a list of texts."""
        return str in self._types(key) or self.is_list(key)

    def is_list(self, key: str) -> bool:
        """Whether it holds a list of texts."""
        return list[str] in self._types(key)

    def is_section(self, key: str) -> bool:
        """Whether it holds other keys."""
        return any(
            isinstance(kind, type) and issubclass(kind, BaseModel) for kind in self._types(key)
        )

    def is_required(self, key: str) -> bool:
        """Whether there is such a key, and a configuration must have it."""
        return key in self._fields and self._fields[key].is_required()

    def affects_result(self, key: str, task: str | None = None) -> bool:
        """Whether a key, or the section it names, can change the result of a `task`.

        None stands for a recipe, whose steps may be of any.
        """
        parts = key.split(".")
        sections = [".".join(parts[:number]) for number in range(1, len(parts) + 1)]
        for field in (self._fields[section] for section in sections if section in self._fields):
            for mark in field.metadata:
                is_unused = isinstance(mark, OnlyFor) and task is not None and task not in mark
                if mark is NO_EFFECT or is_unused:
                    return False
        return True

    def _types(self, key: str) -> list[Any]:
        return _members(self._fields[key].annotation) if key in self._fields else []

    def unknown(self, key: str) -> str:
        """Says that there is no such key, and which one was meant where one is nearly the same."""
        meant = self._meant(key)
        advice = f"did you mean {meant}?" if meant else f"{train_command()} --cfg job shows all"
        return f"{key}: no such key; {advice}"

    def _meant(self, key: str) -> str | None:
        """A similar name in the same section, or the same name in another one."""
        section, _, name = key.rpartition(".")
        sections = defaultdict(list)
        for known in self._fields:
            where, _, last = known.rpartition(".")
            sections[last].append(where)
        beside = [last for last, places in sections.items() if section in places]
        if close := difflib.get_close_matches(name, beside, n=1, cutoff=_SIMILAR):
            return f"{section}.{close[0]}".removeprefix(".")
        if len(sections.get(name, [])) == 1:
            return f"{sections[name][0]}.{name}".removeprefix(".")
        close = difflib.get_close_matches(key, list(self._fields), n=1, cutoff=_SIMILAR_KEYS)
        return close[0] if close else None

    def describe(self, problem: Any, key: str) -> str:
        """One of pydantic's errors in a line: the key, its value, and what is allowed."""
        value, kind = problem["input"], problem["type"]
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if not key:  # of the whole, which the message names itself
            return str(message)
        # A union such as "int or null" adds the member's name to the path; it is no key.
        while key not in self and _MEMBER.search(key):
            key = key.rpartition(".")[0]
        if kind == "extra_forbidden":
            return self.unknown(key)
        if kind == "missing":
            return f"{key}: missing; set it"
        allowed = _IN_WORDS.get(kind, message)
        if type(None) in self._types(key) and "null" not in allowed:
            allowed += ", or null" + " (which None is written as)" * (value in ("None", "none"))
        return f"{key}={_shown(value)}: must be {allowed}{_hint(kind, value)}"


def _fields(schema: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in schema.model_fields.items():
        yield f"{prefix}{name}", info
        for member in _members(info.annotation):
            if isinstance(member, type) and issubclass(member, BaseModel):
                yield from _fields(member, f"{prefix}{name}.")


def _members(annotation: Any) -> list[Any]:
    """The types that a union has, such as `SearchConfig | None`."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for member in get_args(annotation) for each in _members(member)]
    return [annotation]


def _hint(kind: str, value: Any) -> str:
    """What helps beyond the type that is wanted."""
    if kind == "string_type" and isinstance(value, int | float):
        return f"; in quotes it is: '{_shown(value)}'"
    if kind in (*_NUMBERS, "bool_type") and isinstance(value, str) and _looks_typed(value):
        return "; in quotes it is text, so leave them out"
    if kind in _NUMBERS and isinstance(value, float) and value.is_integer():
        return f": {value:.0f}"
    return ""


def _looks_typed(text: str) -> bool:
    """Whether a text would be a number or a truth value without its quotes."""
    if text.lower() in ("true", "false"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, list):
        return _cut(f"[{', '.join(map(_shown, value[:_LONGEST_SHOWN]))}]")
    if isinstance(value, str):
        return f"'{value}'" if _looks_typed(value) or not value else _cut(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
