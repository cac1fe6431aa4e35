"""What is on the command line, read as Hydra reads it."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser


def with_sweep_name(arguments: Sequence[str]) -> list[str]:
    """The arguments with `sweep=NAME`, which is shorter to type, as `sweep.name=NAME`.

    `sweep` is a section of the configuration, with other keys in it.
    """
    return [
        f"sweep.name={_as_name(argument.removeprefix('sweep='))}"
        if argument.startswith("sweep=")
        else argument
        for argument in arguments
    ]


def _as_name(value: str) -> str:
    """Quoted, so that Hydra takes 2024, a,b and 한글 for what they are: text."""
    return value if value == "null" or value[:1] in ("'", '"') else quoted(value)


def quoted(value: str) -> str:
    """A value that Hydra reads as this text, whatever is in it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def pasteable(key: str, value: str) -> str:
    """An override to be pasted into a shell."""
    if re.fullmatch(r"[A-Za-z0-9_./+-]+", value):
        return f"{key}={value}"
    return shlex.quote(f"{key}={quoted(value)}")


def overridden_keys(overrides: Sequence[str]) -> list[str]:
    """The keys that the overrides name, groups among them, such as `model` and `model.lr`."""
    return [key for key, _ in typed_values(overrides)]


def typed_values(overrides: Sequence[str]) -> list[tuple[str, Any]]:
    """The keys that the overrides name, with the values, however these are quoted."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [(override.key_or_group, override.value()) for override in parsed]
