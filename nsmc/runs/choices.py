"""What goes on with a run: the choices, too, that named classes, as no record calls any."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nsmc.config.composition import SEARCH_PATH
from nsmc.config.loggers import OWN as OWN_LOGGERS
from nsmc.config.overrides import command_line, key_of, quoted, typed_values
from nsmc.training.targets import targets

# Groups whose files can name classes, and the sections that these are in.
_GROUPS = ("experiment", "ablation", "debug", "model", "callbacks", "logger")
_SECTIONS = ("callbacks.extra", "logger", "model.optimizer", "model.schedule")


def foreign_targets(values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The keys of a configuration that hold classes, with these, but for a run's own loggers.

    A recipe's steps take plain values alone, which the schema checks.
    """
    for key, spec in targets({k: v for k, v in values.items() if k != "recipe"}):
        if spec != OWN_LOGGERS.get(key.removeprefix("logger.")):
            yield key, spec


def choices(overrides: Iterable[str]) -> list[str]:
    """Those of the overrides that say where files are, choose from them, or name classes."""
    return [override for override in overrides if _is_choice(override)]


def _is_choice(override: str) -> bool:
    key = key_of(override) or ""
    sections = tuple(f"{section}." for section in _SECTIONS)
    return key in (SEARCH_PATH, *_GROUPS, *_SECTIONS) or key.startswith(sections)


def command_to_go_on(
    folder: str, config: Mapping[str, Any], overrides: Sequence[str], flags: Sequence[str]
) -> str:
    """The whole command that resumes the run in `folder`, to be pasted into a shell.

    `overrides` and `flags` are what was typed for it.
    """
    again: list[str] = []
    if any(True for _ in foreign_targets(config)):
        again = choices(overrides)
    elif config.get("recipe"):  # its steps are composed from the same folders
        again = [override for override in overrides if override.startswith(f"{SEARCH_PATH}=")]
    has_reason = again or config.get("recipe")
    return command_with_folders([f"resume={quoted(folder)}", *again], flags if has_reason else [])


def command_with_folders(overrides: Sequence[str], flags: Sequence[str] = ()) -> str:
    """The command, with a single folder of configurations as it is typed: `--config-dir FOLDER`."""
    own, rest = typed_config_dir(overrides)
    return command_line(rest, [*flags, *(["--config-dir", own] if own else [])])


def typed_config_dir(overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """The one folder of configurations that was added, and the other overrides; else None, all."""
    for override in overrides:
        if override.startswith(f"{SEARCH_PATH}="):
            ((_, added),) = typed_values([override])
            if isinstance(added, list) and len(added) == 1 and "file://" in str(added[0]):
                return str(added[0]).removeprefix("file://"), [
                    other for other in overrides if other != override
                ]
    return None, list(overrides)
