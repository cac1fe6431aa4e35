"""The configuration's keys: which there are, what they hold, and what is wrong with a value."""

import difflib
import json
import re
import types
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate, chain
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from pydantic.fields import FieldInfo

from nsmc.config.commands import train_command
from nsmc.config.trainer_arguments import REFUSED

# How similar two names are, from 0 to 1, before one is taken for a typing error in the other. Whole
# keys have their section in common already.
_SIMILAR, _SIMILAR_KEYS = 0.75, 0.85

# What pydantic calls "a valid …".
_IN_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, [VALUE,VALUE]",
    **dict.fromkeys(
        ("model_type", "model_attributes_type", "dict_type"), "a section with keys of its own"
    ),
    "too_short": "one or more",
}
_MEMBER = re.compile(r"\.(int|float|str|constrained-int|function-after)[^.]*$")
_NUMBERS = ("int_type", "int_from_float", "float_type")

# For messages, and for reports over old runs: what a key was called, and is called now.
RENAMED = {
    "model.cell": "model.architecture",
    "model.negatives": "model.num_sampled",
    "model.adversarial_size": "model.adversarial_epsilon",
    "data.bpe_cuts": "data.bpe_samples",
    "linear.strength": "linear.C",
    "linear.shortest": "linear.ngram_min",
    "linear.longest": "linear.ngram_max",
    "search.at_once": "search.n_jobs",
    "callbacks.checkpoint.minutes": "callbacks.checkpoint.every_n_minutes",
    "callbacks.seconds_between_lines": "callbacks.log_interval_seconds",
    "variant": "ablation",
}

# Keys that take the value of another one unless they are set, as configs/train.yaml and data/ say.
FOLLOWS = {
    "data.split_seed": "seed",
    "model.embedding_dropout": "model.dropout",
    "model.output_dropout": "model.dropout",
    "linear.class_weights": "model.class_weights",
}

_LONGEST_SHOWN = 200  # characters of a value in a message

# The type of errors whose messages name keys themselves, as those about a whole configuration do.
NAMED = "named"

# Marks a key, or a section, that can change no result: `Annotated[int, NO_EFFECT]`.
NO_EFFECT = "changes no result"


class OnlyFor(NamedTuple):
    """Marks a key, or a section, that only these tasks use."""

    tasks: tuple[str, ...]


class Because(NamedTuple):
    """Marks a key that takes less than a user may expect: `reason` says why."""

    reason: str


class Section(BaseModel):
    """A part of the configuration: no other keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SparseSection(Section):
    """Records and signatures name its optional keys only where these are set.

    So a key that is added changes neither those of earlier runs nor those of runs without it.
    """

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in serialize(self).items()
            if name not in fields or fields[name].is_required() or value != fields[name].default
        }


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
        """Whether it holds free text, such as a path, or a list or a mapping of texts."""
        maps = [get_args(kind) for kind in self._types(key) if get_origin(kind) is dict]
        is_map = any({str} <= {*_members(value)} <= {str, type(None)} for _, value in maps)
        return str in self._types(key) or is_map or self.is_list(key)

    def is_list(self, key: str) -> bool:
        """Whether it holds a list of texts."""
        lists = [get_args(kind) for kind in self._types(key) if get_origin(kind) is list]
        return any(_members(item) == [str] for (item,) in lists)

    def is_mapping_of_numbers(self, key: str) -> bool:
        """Whether it may hold one, besides text."""
        maps = [get_args(kind) for kind in self._types(key) if get_origin(kind) is dict]
        return any({*_members(value)} <= {int, float} for _, value in maps)

    def is_section(self, key: str) -> bool:
        """Whether it holds other keys."""
        return any(map(_is_section, self._types(key)))

    def can_be_null(self, key: str) -> bool:
        return type(None) in self._types(key)

    def is_required(self, key: str) -> bool:
        """Whether there is such a key, and a configuration must have it."""
        return key in self._fields and self._fields[key].is_required()

    def affects_result(self, key: str, task: str | None = None) -> bool:
        """Whether a key, or the section it names, can change the result of a `task`.

        None stands for a recipe, whose steps may be of any.
        """
        sections = accumulate(key.split("."), "{}.{}".format)
        marks = [m for section in sections for m in self._marks(section)]
        others = [m for m in marks if isinstance(m, OnlyFor) and task and task not in m.tasks]
        return NO_EFFECT not in marks and not others

    def _marks(self, key: str) -> list[Any]:
        return self._fields[key].metadata if key in self._fields else []

    def _types(self, key: str) -> list[Any]:
        return _members(self._fields[key].annotation) if key in self._fields else []

    def unknown(self, key: str) -> str:
        """Says that there is no such key, and which one was meant where one is nearly the same."""
        section, _, name = key.rpartition(".")
        if section == "trainer" and name in REFUSED:
            return f"{key}: not an argument to set: {REFUSED[name]}"
        meant = RENAMED.get(key) or self._meant(key)
        advice = f"did you mean {meant}?" if meant else f"{train_command()} --cfg job shows all"
        return f"{key}: no such key; {advice}"

    def _meant(self, key: str) -> str | None:
        """A similar name in the same section, or the same name in another one."""
        section, _, name = key.rpartition(".")
        parts = {other: other.rpartition(".") for other in self}
        beside = {part[2]: other for other, part in parts.items() if part[0] == section}
        if close := difflib.get_close_matches(name, beside, n=3, cutoff=_SIMILAR):
            likeness = {c: difflib.SequenceMatcher(None, c, name).ratio() for c in close}
            return " or ".join(beside[c] for c in close if likeness[c] == likeness[close[0]])
        if len(same := [other for other, part in parts.items() if part[2] == name]) == 1:
            return same[0]
        return next(iter(difflib.get_close_matches(key, parts, n=1, cutoff=_SIMILAR_KEYS)), None)

    def describe(self, problem: Any, key: str) -> str:
        """One of pydantic's errors in a line: the key, its value, and what is allowed."""
        value, code = problem["input"], problem["type"]
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if not key or code == NAMED:
            return str(message)
        # A union such as "int or null" adds the member's name to the path; it is no key.
        while key not in self and _MEMBER.search(key):
            key = key.rpartition(".")[0]
        if code == "extra_forbidden":
            return self.unknown(key)
        if code == "missing":
            return f"{key}: missing; set it"
        allowed = _IN_WORDS.get(code, message)
        if self.can_be_null(key) and "null" not in allowed:
            allowed += ", or null" + " (which None is written as)" * (value in ("None", "none"))
        of_list = re.sub(r"\.\d+$", "", key)  # a list's items are no keys
        start = f"{key}={_shown(value)}:" if of_list == key else f"{of_list}: {_shown(value)}"
        because = [m.reason for m in self._marks(of_list) if isinstance(m, Because)]
        return f"{start} must be {allowed}{_hint(code, value)}{''.join(f' ({r})' for r in because)}"


def _fields(schema: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, info in schema.model_fields.items():
        yield f"{prefix}{name}", info
        for section in filter(_is_section, _members(info.annotation)):
            yield from _fields(section, f"{prefix}{name}.")


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _members(annotation: Any) -> list[Any]:
    """The types that a union has, such as `SearchConfig | None`."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return list(chain.from_iterable(map(_members, get_args(annotation))))
    return [annotation]


def _hint(code: str, value: Any) -> str:
    """Advice for a value that only needs other quotes, or none, or no decimals."""
    if code == "string_type" and isinstance(value, int | float):
        return f"; in quotes it is: '{_shown(value)}'"
    if code in (*_NUMBERS, "bool_type") and isinstance(value, str) and _looks_typed(value):
        return "; in quotes it is text, so leave them out"
    if code in _NUMBERS and isinstance(value, float) and value.is_integer():
        return f": {value:.0f}"
    return ""


def _looks_typed(text: str) -> bool:
    """Whether a text would be a number or a truth value without its quotes."""
    with suppress(ValueError):
        float(text)
        return True
    return text.lower() in ("true", "false")


def _shown(value: Any) -> str:
    """A value as it is typed."""
    if isinstance(value, dict):
        return _cut(f"{{{', '.join(f'{key}: {_shown(item)}' for key, item in value.items())}}}")
    if isinstance(value, list):
        return _cut(f"[{', '.join(map(_shown, value[:_LONGEST_SHOWN]))}]")
    if isinstance(value, str):
        return f"'{value}'" if _looks_typed(value) or not value else _cut(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
