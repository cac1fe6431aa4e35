"""Starts a run from another one's checkpoint: whether it can, and what to type where it cannot.

`ckpt_path` goes on with all that training made, so that what the weights depend on must be the
same. `init_from` takes the weights alone, for another learning rate, schedule or corpus.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nsmc.config.commands import relative_path
from nsmc.config.earlier import with_todays_keys
from nsmc.config.overrides import arguments_line, as_overrides, pasteable
from nsmc.config.schema import KEYS, RunConfig, check_config
from nsmc.runs.choices import command_to_go_on
from nsmc.runs.record import Record, final_step_config, read_record
from nsmc.runs.sources import check_sources

# By what a checkpoint knows, the value there and this run's.
Differences = Mapping[str, tuple[Any, Any]]

_OF_THE_TOKENIZER = ("vocab_size", "min_frequency", "normalization", "tokenizer")
_OF_THE_LABELS = ("labels", "label_map")
_COUNTED = ("vocab_size",)  # the tokens that there are, not those that were asked for


def check_progress(config: RunConfig, epochs: int, steps: int) -> None:
    """Raises ValueError for a checkpoint that has all epochs or steps of the run behind it.

    The run would train nothing, and have another one's results under its own settings.
    """
    behind = {"max_epochs": epochs, "max_steps": steps}
    limits = {name: getattr(config.trainer, name) for name in behind}  # -1 is none
    needed = {f"trainer.{k}": n + 1 for k, n in behind.items() if 0 <= limits[k] <= n}
    if needed:
        name = next(iter(needed)).partition(".")[2]
        # A planned schedule ends where it was planned to.
        more = as_overrides(needed) if config.model.schedule == "constant" else []
        raise ValueError(
            f"ckpt_path={config.ckpt_path} has {behind[name]} {name.partition('_')[2]} behind it, "
            f"so that trainer.{name}={limits[name]} leaves nothing to train: "
            f"{_ways(more, config) or 'choose an earlier one'}"
        )


def check_alike(config: RunConfig, differences: Differences) -> None:
    """Raises ValueError, with what to type, for a checkpoint that differs from the run."""
    for name, (theirs, ours) in differences.items():
        alike = _settings_alike(config, differences)
        # Of another tokenizer the weights would bring their own, whatever is set here.
        is_tokenizer = any(is_of_tokenizer(setting.partition("=")[0]) for setting in alike)
        ways = f"set {arguments_line(alike)}" if is_tokenizer else _ways(alike, config)
        raise ValueError(
            f"ckpt_path={config.ckpt_path} has {name}={theirs!s:.80}, this run "
            f"{name}={ours!s:.80}: {ways or 'use the configuration it was trained with'}"
        )


def is_of_tokenizer(key: str) -> bool:
    """Whether a key says how a tokenizer is made, which with `init_from` does nothing."""
    return key.removeprefix("data.") in _OF_THE_TOKENIZER


def or_weights_alone(problem: str, config: RunConfig) -> str:
    """A problem of the checkpoint's that another start does not have, where there is one."""
    record = read_record(_run_of(config)) or {}
    return ", or ".join([problem, *_weights_alone(config, record)])


def _ways(alike: Sequence[str], config: RunConfig) -> str:
    record = read_record(_run_of(config)) or {}
    ways = [f"set {arguments_line(alike)}"] if alike else []
    return ", or ".join([*ways, *_weights_alone(config, record)])


def _run_of(config: RunConfig) -> Path:
    return Path(str(config.ckpt_path)).absolute().parent.parent


def _weights_alone(config: RunConfig, record: Record) -> list[str]:
    run = _run_of(config)
    if not starts_from(config, run, record):
        return []
    start = f"set {pasteable('init_from', str(run))} instead of ckpt_path"
    if (run / "bundle").is_dir():
        return [start]
    typed, flags = record.get("overrides", []), record.get("flags", [])
    go_on = command_to_go_on(str(relative_path(run)), record.get("config", {}), typed, flags)
    return [f"finish that run with {go_on} and {start}"]


def starts_from(config: RunConfig, run: Path, record: Record) -> bool:
    """Whether a run of this configuration could start from the weights of another one."""
    try:
        theirs = check_config(with_todays_keys(final_step_config(record)))
        start = config.model_copy(update={"ckpt_path": None, "init_from": str(run)})
        check_sources(start, {str(run): theirs})  # its split as well
        if (run / "bundle").is_dir():
            check_sources(start)
    except (ValueError, OSError):
        return False
    return True


def _settings_alike(config: RunConfig, differences: Differences) -> list[str]:
    """Overrides for a run like that of the checkpoint; none where they are not known."""
    if "corpus_fingerprint" in differences:
        return []
    theirs = with_todays_keys(final_step_config(read_record(_run_of(config)) or {}))
    needed: dict[str, Any] = {}
    for name, (value, _) in differences.items():
        for section in ("model", "data"):
            key = f"{section}.{name}"
            if key in KEYS and name not in _COUNTED and (value or KEYS.can_be_null(key)):
                needed[key] = theirs.get(section, {}).get(name, value or None)
    if "tokenizer_fingerprint" in differences and not any(key[:5] == "data." for key in needed):
        needed |= _tokenizer_alike(config, theirs)
    if "labels" in differences:
        if "label_map" not in theirs.get("data", {}):
            return []
        needed |= {f"data.{key}": theirs["data"][key] for key in _OF_THE_LABELS}
    if "model.architecture" in needed:
        ours = config.model.model_dump()
        own = {k: value for k, value in theirs.get("model", {}).items() if k not in ours}
        needed = {"model": needed.pop("model.architecture"), **needed}
        needed |= {f"model.{key}": value for key, value in own.items()}
    return as_overrides(needed)


def _tokenizer_alike(config: RunConfig, theirs: Mapping[str, Any]) -> dict[str, Any]:
    ours, data = config.data.model_dump(), theirs.get("data", {})
    needed = {
        f"data.{key}": data[key]
        for key in _OF_THE_TOKENIZER
        if key in data and data[key] != ours[key]
    }
    if theirs.get("init_from") != config.init_from:
        needed["init_from"] = theirs.get("init_from")
    return needed
