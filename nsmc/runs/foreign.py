"""What is taken from the folder of a run, which anybody may have made.

Its record is data. None of it becomes an address to load from, a place outside the folder to write
to, or code: Hydra's overrides can be all of these.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from nsmc.config.overrides import written
from nsmc.config.schema import KEYS, DataConfig
from nsmc.data.cache import is_cache
from nsmc.data.download import PUT_THERE
from nsmc.runs.record import RECORD_FILE

# Folders under configs/ that are no section of the configuration.
_MORE_GROUPS = ("experiment", "variant")

# Where a command finds its configuration and leaves its files: it is said anew each time.
_OF_THE_COMMAND = ("hydra", "resume", "search", "sweep")

_NAME = re.compile(r"\w[\w.+-]*")  # no path, which could lead out of a folder
_LONGEST = 10_000  # characters of an override; Hydra's parser recurses

_PUBLISHED = ("remote_files", "unlabelled_archive")
_FILES = ("root", "train_file", "test_file", "unlabelled_file", *_PUBLISHED)

OWN_CACHE = "outputs/cache"  # as in configs/data

_MOST_FILES = 10_000  # in a run's folder


def recorded_overrides(record: Mapping[str, Any]) -> list[str]:
    """A record's overrides, without those about the command.

    Raises ValueError, naming the first, where one does anything but choose from a group or set a
    known key to a plain value.
    """
    overrides = record.get("overrides", [])
    return [each for each in overrides if not _is_of_the_command(_checked(each))]


def harmless_overrides(record: Mapping[str, Any]) -> list[str]:
    """The same, without those that are refused; for a command that is shown and not run."""
    return list(_harmless(record.get("overrides", [])))


def _harmless(overrides: Sequence[str]) -> Iterator[str]:
    for override in overrides:
        try:
            yield from recorded_overrides({"overrides": [override]})
        except ValueError:
            continue


def _is_of_the_command(override: Override) -> bool:
    return re.split(r"[./]", override.key_or_group)[0] in _OF_THE_COMMAND


def _checked(text: str) -> Override:
    shown = text if len(text) < 100 else f"{text[:99]}…"
    refusal = ValueError(
        f"{shown}: not taken over from a {RECORD_FILE}; type the command anew, which runs nothing "
        "again that it has finished"
    )
    if len(text) > _LONGEST or "${" in text:
        raise refusal
    try:
        override = OverridesParser.create().parse_override(text)
        value = override.value()
    except (HydraException, RecursionError, ValueError):
        raise refusal from None
    is_plain = override.type == OverrideType.CHANGE and override.package is None
    if not is_plain or override.is_sweep_override() or not _may_be(override.key_or_group, value):
        raise refusal
    return override


def _may_be(key: str, value: Any) -> bool:
    if re.split(r"[./]", key)[0] in _OF_THE_COMMAND:
        return True  # and left out
    if key.partition(".")[2] in _PUBLISHED:
        return value is None
    if _is_group(key):
        return value is None or (isinstance(value, str) and bool(_NAME.fullmatch(value)))
    return key in KEYS and all(map(_is_plain, value if isinstance(value, list) else [value]))


def _is_group(key: str) -> bool:
    return key in _MORE_GROUPS or KEYS.is_section(key)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return "${" not in value
    return value is None or isinstance(value, bool | int | float)


def with_own_files(recorded: DataConfig, own: DataConfig | None) -> DataConfig:
    """A recorded `data`, which fetches and writes no more than the user's own, `own`, would.

    Files are fetched only from where the own configuration says and to where it says, and none
    where there is no own one. A cache that is not there yet is the own one. Raises
    FileNotFoundError for unlabelled reviews that are wanted and may not be fetched.
    """
    changed: dict[str, Any] = {}
    if own is None or any(getattr(recorded, name) != getattr(own, name) for name in _FILES):
        unlabelled = Path(recorded.root).expanduser() / recorded.unlabelled_file
        if recorded.unlabelled and recorded.own_archive and not unlabelled.is_file():
            raise FileNotFoundError(f"{unlabelled} is not there; {PUT_THERE}")
        changed["unlabelled_archive"] = None
        changed["remote_files"] = {  # their digests still tell which corpus it is
            name: file.model_copy(update={"url": ""})
            for name, file in (recorded.remote_files or {}).items()
            if _NAME.fullmatch(name)
        }
    if not is_cache(Path(recorded.cache_dir).expanduser()):
        changed["cache_dir"] = own.cache_dir if own else OWN_CACHE
    return recorded.model_copy(update=changed)


def with_files_of(data: DataConfig, overrides: Sequence[str]) -> list[str]:
    """The overrides of a recipe that goes on, with the files as `with_own_files` left them."""
    files = data.model_dump(include={"root", "cache_dir", *_PUBLISHED})
    keys = [f"data.{name}" for name in files]
    kept = [each for each in overrides if each.partition("=")[0] not in keys]
    return [*kept, *(f"data.{name}={written(value)}" for name, value in files.items())]


def check_own_files(folder: Path) -> None:
    """Raises ValueError where something in a run's folder is no file or folder of its own.

    What a run writes through a link is outside its folder, and a pipe keeps it waiting for ever.
    """
    number = 0
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            number += 1
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
                raise ValueError(f"{path}: {kind}; a run keeps its files in its own folder")
        if number > _MOST_FILES:
            raise ValueError(f"{folder}: over {_MOST_FILES:,} files in it; no run leaves so many")
