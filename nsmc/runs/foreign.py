"""What is taken from a run's folder, which anybody may have made.

Its record is data. None of it becomes an address to load from, a path outside the folder to write
to, or code: Hydra's overrides can be all of these.
"""

import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nsmc.config.earlier import with_todays_keys
from nsmc.config.overrides import as_overrides, plain_change
from nsmc.config.schema import KEYS, DataConfig, RunConfig, check_config, check_section
from nsmc.config.steps import OF_THE_COMMAND, RecipeConfig, is_choice, is_group, is_plain
from nsmc.data.cache import is_cache
from nsmc.data.download import PUT_THERE
from nsmc.runs.choices import foreign_targets
from nsmc.runs.record import RECORD_FILE
from nsmc.training.targets import TARGET, targets

_NAME = re.compile(r"\w[\w.+-]*")  # no path, which could lead out of a folder
_TYPE_ANEW = (
    f"not taken over from a {RECORD_FILE}; type the command anew, which runs nothing again that it "
    "has finished"
)
_LONGEST = 10_000  # characters of an override; Hydra's parser recurses

_PUBLISHED = ("remote_files", "unlabelled_archive")
_FILES = (
    *("root", "train_file", "test_file", "validation_file", "unlabelled_file"),
    *_PUBLISHED,
)

OWN_CACHE = "outputs/cache"  # as in configs/data

_MOST_FILES = 10_000  # in a run's folder


def recorded_overrides(record: Mapping[str, Any]) -> list[str]:
    """A record's overrides, without those about the command, written anew from their values.

    Raises ValueError, naming the first, where one does anything but choose from a group or set a
    known key to a plain value.
    """
    pairs = [_key_and_value(override) for override in record.get("overrides", [])]
    return as_overrides({key: value for key, value in pairs if not _is_of_the_command(key)})


def harmless_overrides(record: Mapping[str, Any]) -> list[str]:
    """The same, without those that are refused; for a command that is shown and not run."""
    harmless = []
    for override in record.get("overrides", []):
        with suppress(ValueError):
            harmless += recorded_overrides({"overrides": [override]})
    return harmless


def _key_and_value(text: str) -> tuple[str, Any]:
    shown = text if len(text) < 100 else f"{text[:99]}…"
    change = plain_change(text) if len(text) <= _LONGEST and "${" not in text else None
    if change is None or not _may_be(*change):
        raise ValueError(f"{shown}: {_TYPE_ANEW}")
    return change


def _may_be(key: str, value: Any) -> bool:
    if _is_of_the_command(key):
        return True  # and left out
    if key.partition(".")[2] in _PUBLISHED:
        return value is None
    if is_group(key, KEYS):
        return is_choice(value)
    if isinstance(value, dict) and KEYS.is_mapping_of_numbers(key):
        return all(map(is_plain, value.values()))
    return key in KEYS and all(map(is_plain, value if isinstance(value, list) else [value]))


def _is_of_the_command(key: str) -> bool:
    """Whether it says where a command finds its configuration or writes its files."""
    return re.split(r"[./]", key)[0] in ("hydra", *OF_THE_COMMAND)


def recorded_config(
    folder: Path,
    values: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    advice: str = "leave it out",
) -> RunConfig:
    """The configuration in the record of `folder`, which calls no code but what `own` calls, too.

    Raises ValueError where it would, with the `advice`, and where it is no configuration today.
    """
    own_targets = dict(targets(own))
    for key, spec in foreign_targets(values):
        ours = own_targets.get(key)
        if ours is not None and ours[TARGET] == spec[TARGET] and ours != spec:
            raise ValueError(
                f"{folder}: {_typed(key, spec)} there, and now {_typed(key, ours)}: choose what it "
                "was, or begin a new run"
            )
        if ours != spec:
            raise ValueError(
                f"{folder}: {key}={spec[TARGET]}: not called because a {RECORD_FILE} says so; "
                f"{advice}"
            )
    try:
        return check_config(with_todays_keys(values))
    except ValueError as error:
        raise _of_another_version(folder, error) from None


def recorded_data(folder: Path, values: Mapping[str, Any]) -> DataConfig:
    """The section `data` alone, which names nothing to call.

    Raises ValueError where it is none today.
    """
    try:
        return check_section(DataConfig, with_todays_keys(values).get("data"), "data")
    except ValueError as error:
        raise _of_another_version(folder, error) from None


def _of_another_version(folder: Path, error: ValueError) -> ValueError:
    return ValueError(f"{folder}: recorded by another version of this program ({error})")


def check_recorded_steps(recipe: RecipeConfig) -> None:
    """Raises ValueError for a step with another corpus than the recipe's, which is checked."""
    for name, values in recipe.values().items():
        for key in values:
            if key == "data" or key.removeprefix("data.") in (*_FILES, "cache_dir"):
                raise ValueError(f"recipe, step {name}: {key}: {_TYPE_ANEW}")


def with_own_files(recorded: DataConfig, own: DataConfig | None) -> DataConfig:
    """A recorded `data` that fetches and writes no more than the user's own, `own`, would.

    Files are fetched only from and to where the own configuration says, none without one. A cache
    that is not there yet is the own one. Raises FileNotFoundError for unlabelled reviews that are
    wanted and may not be fetched.
    """
    changed: dict[str, Any] = {}
    if own is None or any(getattr(recorded, name) != getattr(own, name) for name in _FILES):
        if recorded.unlabelled and recorded.unlabelled_file and recorded.own_archive:
            unlabelled = Path(recorded.root, recorded.unlabelled_file)
            if not unlabelled.is_file():
                raise FileNotFoundError(f"{unlabelled} is not there; {PUT_THERE}")
        changed["unlabelled_archive"] = None
        changed["remote_files"] = {  # their digests still tell which corpus it is
            name: file.model_copy(update={"url": ""})
            for name, file in (recorded.remote_files or {}).items()
            if _NAME.fullmatch(name)
        }
    if not is_cache(Path(recorded.cache_dir)):
        changed["cache_dir"] = own.cache_dir if own else OWN_CACHE
    return recorded.model_copy(update=changed)


def recorded_files(data: DataConfig) -> dict[str, Any]:
    """The corpus's files, as `with_own_files` left them, to be set for the steps of a recipe."""
    files = data.model_dump(include={*_FILES, "cache_dir"})
    return {f"data.{name}": value for name, value in files.items()}


def check_own_files(folder: Path) -> None:
    """Raises ValueError where something in a run's folder is no file or folder of its own.

    What a run writes through a link is outside its folder, and a pipe keeps it waiting for ever.
    """
    for number, path in enumerate(folder.rglob("*")):  # which follows no links
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            problem = "a link" if stat.S_ISLNK(mode) else "no regular file"
            raise ValueError(f"{path}: {problem}; a run keeps its files in its own folder")
        if number >= _MOST_FILES:
            raise ValueError(f"{folder}: over {_MOST_FILES:,} files in it; no run leaves so many")


def _typed(key: str, spec: Mapping[str, Any]) -> str:
    """What a user types for a class."""
    (override,) = as_overrides({key: dict(spec)})
    return override.removeprefix("++")
