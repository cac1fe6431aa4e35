"""The command line's overrides, read and written as Hydra's grammar has them.

That grammar knows only English letters. So paths and names that Hydra could not read as they were
typed are put into quotes before it sees them.
"""

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType, Quote, QuotedString, Sweep
from hydra.errors import HydraException

from nsmc.config.commands import train_command
from nsmc.config.schema import KEYS
from nsmc.config.search import HIDDEN, has_password
from nsmc.config.steps import FREE, OF_THE_COMMAND

NOT_A_SETTING = "not a setting; write KEY=VALUE without spaces, such as model.lr=0.01"

# KEY=, +KEY=, ++KEY=, GROUP/NAME= and KEY@PACKAGE=
_KEY = re.compile(r"\+{0,2}([A-Z_$][\w$./-]*)(?:@[\w$.]*)?", re.ASCII | re.IGNORECASE)
# Below these are arguments of classes; Hydra wants `++` before keys that no file has.
_ARGUMENTS = ("callbacks.extra.", "logger.", "model.optimizer.", "model.schedule.")
_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")  # text, as are paths of ours

_CALL = re.compile(r"\w+\s*\(.*\)\s*", re.DOTALL)  # choice(1,2), range(1,3), glob(*)
_CHOICE = re.compile(r"choice\((.*)\)", re.DOTALL)
_QUOTED = re.compile(r"""\s*(['"])(?:\\.|(?!\1)[^\\])*\1""", re.DOTALL)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class _Unreadable:
    """Stands for what Hydra cannot read."""


def readable_arguments(arguments: Sequence[str]) -> list[str]:
    """The command's arguments, flags among them, as Hydra can read them: see `readable`."""
    options = get_args_parser().parse_known_intermixed_args(list(arguments))[0]
    if options.help or options.hydra_help or options.shell_completion:
        return list(arguments)
    return [
        readable(argument, options.multirun) if argument in options.overrides else argument
        for argument in arguments
    ]


def readable(override: str, in_sweep: bool = False) -> str:
    """The override with quotes around what Hydra could not read, else unchanged.

    A key that holds text gets it as it was typed. Only Hydra's own signs keep their meaning: quotes
    around the whole, a backslash, `${…}`, `null`, a call such as `choice(a,b)` and, in a sweep, a
    comma. `sweep=NAME`, which is shorter to type, becomes `sweep.name=NAME`, and arguments of the
    classes that a user names get the `++` that Hydra adds a key by.

    Raises ValueError for text that is not UTF-8, for a value without a key, and for `~KEY` of a key
    that every run needs.
    """
    _check(override)
    typed, _, value = override.partition("=")
    key = _KEY.fullmatch(typed)
    if key is None or not value:
        return override
    if typed == "sweep":  # a section of the configuration, with other keys in it
        return f"sweep.name={_text(value)}"
    if key[1] in _FOLDERS and value[0] == "~":
        value = os.path.expanduser(value)  # noqa: PTH111 - Path's fails where there is no such user
    is_mapping = value[0] == "{" and KEYS.is_mapping_of_numbers(key[1])
    typed = f"++{typed}" if _may_be_added(typed) else typed
    holds_text = not is_mapping and (KEYS.is_text(key[1]) or key[1] in _FOLDERS)
    if holds_text and not in_sweep and not KEYS.is_list(key[1]):
        return f"{typed}={_text(value)}"
    return f"{typed}={_values(value, holds_text)}"


def _may_be_added(key: str) -> bool:
    """Whether the key is of a class that the user names, so that no file need have it."""
    return key.startswith(_ARGUMENTS) and key not in KEYS


def _check(override: str) -> None:
    try:
        override.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{override!a}: not UTF-8; rename what it names") from None
    if re.match(r"[+]*search\.storage=", override) and has_password(override):
        raise ValueError(HIDDEN)  # before Hydra writes it into a file
    if override[:1] == "=":
        raise ValueError(f"{override}: {NOT_A_SETTING}")
    key = override[1:].partition("=")[0]
    if override[:1] == "~" and KEYS.is_required(key):
        raise ValueError(f"{override}: no run can do without {key}; leave {override} out")


def _values(value: str, holds_text: bool) -> str:
    """One value, or several with commas between them."""
    if (choice := _CHOICE.fullmatch(value)) and "null" in map(str.strip, _parts(choice[1])):
        value = choice[1]  # only there does Hydra take a null
    parsed = _parsed(value)
    if not holds_text and (parsed is not _Unreadable or _CALL.fullmatch(value)):
        return value
    if holds_text and _is_all_text(parsed):
        return value
    return ",".join(_value(part.strip(), holds_text) for part in _parts(value))


def _value(value: str, holds_text: bool) -> str:
    if choice := _CHOICE.fullmatch(value):
        return f"choice({_values(choice[1], holds_text)})"
    if value[:1] == "[" and value[-1:] == "]":
        return f"[{_values(value[1:-1], holds_text)}]"
    if value[:1] == "{" and value[-1:] == "}" and not holds_text:
        pairs = [part.partition(":") for part in _parts(value[1:-1])]
        return f"{{{','.join(f'{key}:{_value(v.strip(), False)}' for key, _, v in pairs)}}}"
    if holds_text:
        return _text(value)
    return quoted(value) if value and _parsed(value) is _Unreadable else value


def _text(value: str) -> str:
    """One text, in quotes where Hydra would not read it as that."""
    parsed = _parsed(value)
    is_meant_for_hydra = (
        parsed is None
        or (isinstance(parsed, str) and (value[:1] in ("'", '"') or "\\" in value or "${" in value))
        or (parsed is not _Unreadable and _CALL.fullmatch(value))
    )
    return value if value and (is_meant_for_hydra or parsed == value) else quoted(value)


def _parsed(value: str) -> Any:
    try:
        return OverridesParser.create().parse_override(f"key={value}").value()
    except HydraException:
        return _Unreadable


def _is_all_text(parsed: Any) -> bool:
    if isinstance(parsed, Sweep):
        parsed = getattr(parsed, "list", [])
    if isinstance(parsed, list):
        return all(map(_is_all_text, parsed))
    return parsed is None or isinstance(parsed, str | QuotedString)


def _parts(value: str) -> list[str]:
    """The parts between commas; those in quotes and in brackets do not count."""
    ends, open_brackets, index, at_start = [-1], [], 0, True
    while index < len(value):
        sign = value[index]
        if at_start and (quotation := _QUOTED.match(value, index)):
            index = quotation.end() - 1
        elif sign in _CLOSING:
            open_brackets.append(_CLOSING[sign])
        elif open_brackets and sign == open_brackets[-1]:
            open_brackets.pop()
        elif sign == "," and not open_brackets:
            ends.append(index)
        at_start = sign == "," or sign in _CLOSING
        index += 1
    if open_brackets:  # one that is never closed is an ordinary character
        return value.split(",")
    return [value[a + 1 : b] for a, b in zip(ends, [*ends[1:], len(value)], strict=True)]


def quoted(value: str) -> str:
    """A value that Hydra reads as this text, whatever is in it."""
    return QuotedString(value, Quote.single).with_quotes()


def written(value: Any) -> str:
    """A plain value, such as one from a YAML file, as Hydra reads it in an override."""
    if isinstance(value, str):
        return value if value and _parsed(value) == value else quoted(value)
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    return json.dumps(value)


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Overrides that set keys and choose from groups."""
    return [f"{'++' * _may_be_added(key)}{key}={written(value)}" for key, value in values.items()]


def pasteable(key: str, value: str) -> str:
    """An override of a key that holds text, to be pasted into a shell."""
    return shlex.quote(_as_typed(f"{key}={quoted(value)}"))


def command_line(overrides: Sequence[str], flags: Sequence[str] = ()) -> str:
    """The command with these overrides, to be pasted into a shell."""
    return f"{train_command()} {arguments_line(overrides, flags)}".rstrip()


def arguments_line(overrides: Sequence[str], flags: Sequence[str] = ()) -> str:
    """What stands after the program's name there."""
    return shlex.join([*flags, *map(_as_typed, overrides)])


def _as_typed(override: str) -> str:
    """Without the quotes and signs that `readable` puts there by itself."""
    if override.startswith("++") and _may_be_added(override[2:].partition("=")[0]):
        override = override[2:]
    ((_, value),) = typed_values([override])
    typed = f"{override.partition('=')[0]}={value}"
    if not isinstance(value, str) or not value:
        return override
    return typed if typed_values([readable(typed)])[0][1] == value else override


def typed_values(overrides: Sequence[str]) -> list[tuple[str, Any]]:
    """The keys and groups that the overrides name, with the values, however these are quoted."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [(override.key_or_group, override.value()) for override in parsed]


def key_of(override: str) -> str | None:
    """The key or group that an override names; None where it cannot be read."""
    try:
        return OverridesParser.create().parse_override(override).key_or_group
    except (HydraException, RecursionError, ValueError):
        return None


def plain_change(override: str) -> tuple[str, Any] | None:
    """The key or group, and the value, of an override that changes one; None for any other."""
    try:
        parsed = OverridesParser.create().parse_override(override)
        value = parsed.value()
    except (HydraException, RecursionError, ValueError):
        return None
    is_change = parsed.type == OverrideType.CHANGE and parsed.package is None
    return (parsed.key_or_group, value) if is_change and not parsed.is_sweep_override() else None


def typed_for_steps(overrides: Sequence[str]) -> dict[str, Any]:
    """What was typed for a recipe's steps.

    Raises ValueError for what would change the recipe itself.
    """
    typed = {}
    for key, value in typed_values(overrides):
        section = re.split(r"[./]", key)[0]
        if section in ("experiment", "hydra", *OF_THE_COMMAND):
            continue  # the recipe has it by now
        if section not in FREE:
            raise ValueError(
                f"{key}: a recipe's steps have their own; change them in a file "
                "experiment/NAME.yaml of your own that builds on this one "
                f"(free are {', '.join(FREE)})"
            )
        typed[key] = value
    return typed
