"""`resume=`: finds the run to go on with, and what configuration it goes on with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nsmc.experiments.effects import has_effect
from nsmc.experiments.record import RECORD_FILE, read_record, state_of
from nsmc.experiments.schema import RunConfig, check_config
from nsmc.experiments.signature import corpus_fingerprint, signature

AUTO = "auto"
_UNFINISHED = ("interrupted", "failed")


def folder_to_resume(
    resume: str, config: RunConfig | None, overrides: Sequence[str], runs: Path
) -> Path | None:
    """The folder that `resume` names or, for "auto", the newest unfinished run like `config`.

    `overrides` are what was typed. It is looked for among the folders in `runs`; None where there
    is none. Raises ValueError for a folder that holds no run.
    """
    if resume != AUTO:
        folder = Path(resume).expanduser()
        if read_record(folder) is None:
            raise ValueError(f"resume={resume}: there is no run in that folder (no {RECORD_FILE})")
        return folder.absolute()
    assert config is not None
    wanted = signature(config, corpus_fingerprint(config.data, config.test), overrides=overrides)
    alike = [
        record.parent
        for record in runs.glob(f"*/{RECORD_FILE}")
        if (read_record(record.parent) or {}).get("signature") == wanted
        and state_of(record.parent) in _UNFINISHED
    ]
    return max(alike, key=lambda folder: (folder / RECORD_FILE).stat().st_mtime, default=None)


def resumed_config(
    folder: Path, composed: Mapping[str, Any], overridden: Sequence[str]
) -> RunConfig:
    """The configuration of the run in `folder`, but for the keys that the command line changes.

    `composed` is the command line's configuration and `overridden` the keys it names. Raises
    ValueError for a key that would make it another run.
    """
    record = read_record(folder)
    if record is None:
        raise ValueError(f"{folder} holds no run: resume= and hydra.run.dir= exclude each other")
    ours = {key: composed[key] for key in ("resume", "sweep")}  # of the command, not of the run
    config: dict[str, Any] = {**record.get("config", {}), **ours}
    for key in overridden:
        if key in ours:
            continue
        if "." not in key and has_effect(key) and isinstance(composed.get(key, {}), Mapping):
            raise ValueError(f"{key}: a run goes on with its own; leave {key}= out")
        value = _value_of(composed, key)
        if has_effect(key) and value != _value_of(config, key):
            raise ValueError(
                f"{key}: cannot change for a run that goes on ({folder} has "
                f"{_value_of(config, key)}); for another run that starts from its weights set "
                "ckpt_path"
            )
        config = _with(config, key.split("."), value)
    return check_config(config)


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
