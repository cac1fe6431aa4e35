"""`resume=`: finds the run to go on with, and what configuration it goes on with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nsmc.config.commands import shortened
from nsmc.config.composition import check_composed_alike
from nsmc.config.effects import has_effect
from nsmc.config.overrides import command_line, overridden_keys, readable
from nsmc.config.schema import DataConfig, RunConfig, check_config, check_data
from nsmc.runs.foreign import (
    check_own_files,
    check_recorded_steps,
    harmless_overrides,
    with_own_files,
)
from nsmc.runs.record import RECORD_FILE, load_record, read_record, state_of
from nsmc.runs.signature import corpus_fingerprint, signature
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.encoders.settings import own_settings

AUTO = "auto"

# What weights are made for: where one of these changes, they are of no use.
_MADE_FOR = (
    *("task", "recipe", "seed", "init_from", "ckpt_path", "data.split_seed"),
    *("data.validation_fraction", "data.vocab_size", "data.min_frequency", "data.normalization"),
    *("model.architecture", "model.embedding_dim", "model.embedding_rank"),
    *(f"model.{setting}" for kind in ENCODERS.values() for setting in own_settings(kind)),
)
_UNFINISHED = ("interrupted", "failed")


def folder_to_resume(
    resume: str, config: RunConfig | None, overrides: Sequence[str], runs: Path
) -> Path | None:
    """The folder that `resume` names or, for "auto", the newest unfinished run like `config`.

    `overrides` are what was typed. It is looked for among the folders in `runs`; None where there
    is none. Raises ValueError for a folder that holds no run, or more than a run's own files.
    """
    if resume != AUTO:
        return _named_folder(resume)
    assert config is not None
    wanted = signature(config, corpus_fingerprint(config.data, config.test), overrides=overrides)
    alike = [
        record.parent
        for record in runs.glob(f"*/{RECORD_FILE}")
        if (read_record(record.parent) or {}).get("signature") == wanted
        and state_of(record.parent) in _UNFINISHED
    ]
    newest = max(alike, key=lambda folder: (folder / RECORD_FILE).stat().st_mtime, default=None)
    if newest is not None:
        check_own_files(newest)
    return newest


def _named_folder(resume: str) -> Path:
    folder = Path(resume).expanduser()
    try:
        load_record(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"resume={resume}: there is no run in that folder (no {RECORD_FILE})"
        ) from None
    check_own_files(folder)
    return folder.absolute()


def resumed_config(
    folder: Path,
    typed: Mapping[str, Any],
    overrides: Sequence[str],
) -> RunConfig:
    """The configuration of the run in `folder`, but for the keys that the command line changes.

    `typed` is the command line's configuration and `overrides` what was typed for it. Raises
    ValueError for a key that would make it another run.
    """
    record = read_record(folder)
    if record is None:
        raise ValueError(f"{folder} holds no run: resume= and hydra.run.dir= exclude each other")
    ours = {key: typed[key] for key in ("resume", "sweep")}  # of the command, not of the run
    begun: dict[str, Any] = {**record.get("config", {}), **ours}
    config, changed = begun, []
    for key in overridden_keys(overrides):
        if key in ours:
            continue
        if "." not in key and has_effect(key) and isinstance(typed.get(key, {}), Mapping):
            raise ValueError(f"{key}: a run goes on with its own; leave {key}= out")
        value = _value_of(typed, key)
        if has_effect(key) and value != _value_of(begun, key):
            changed.append(key)
        config = _with(config, key.split("."), value)
    if changed:
        raise ValueError(
            f"{changed[0]}: cannot change for a run that goes on ({folder} has "
            f"{_value_of(begun, changed[0])}); for another run type: "
            f"{_command_of_another_run(folder, record, overrides, changed)}"
        )
    checked = check_config(config)
    if checked.recipe:
        check_composed_alike(str(folder), record)
        check_recorded_steps(checked.recipe)
    return checked.model_copy(update={"data": with_own_files(checked.data, _data(typed))})


def _data(typed: Mapping[str, Any]) -> DataConfig | None:
    """Where the user's own files are; None where the command line does not say it."""
    try:
        return check_data(typed["data"])
    except ValueError:
        return None


def _command_of_another_run(
    folder: Path, record: Mapping[str, Any], overrides: Sequence[str], changed: Sequence[str]
) -> str:
    """A command for the run in `folder` with what was typed, from its weights where that works."""
    config = record.get("config", {})
    from_weights = (
        (folder / "bundle" / CONFIG_FILE).is_file()
        and not config.get("recipe")
        and _value_of(config, "model.embedding_rank") is None
        and not any(key.startswith(_MADE_FOR) for key in changed)
    )
    left_out = {"resume", *overridden_keys(overrides)}
    left_out |= {"init_from", "ckpt_path"} if from_weights else set()
    begun = harmless_overrides(record)
    kept = [
        override
        for override, key in zip(begun, overridden_keys(begun), strict=True)
        if key not in left_out and not key.startswith(("sweep", "search"))
    ]
    typed = [o for o in overrides if overridden_keys([o]) != ["resume"]]
    start = [readable(f"init_from={shortened(folder)}")] if from_weights else []
    return command_line([*kept, *typed, *start])


def _value_of(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _with(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy in which the place at `path` has the value."""
    first, *rest = path
    below = _with(config.get(first, {}), rest, value) if rest else value
    return {**config, first: below}
