"""Resumes a run that was interrupted.

`resume=` finds the run and its configuration; the run then takes over what it left in its folder.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nsmc.config.commands import relative_path
from nsmc.config.composition import (
    check_composed_alike,
    composed_values,
    flags,
    search_path,
)
from nsmc.config.earlier import with_todays_keys
from nsmc.config.overrides import command_line, pasteable, plain_change, typed_values
from nsmc.config.schema import KEYS, DataConfig, RunConfig, check_config, check_section
from nsmc.config.steps import is_group
from nsmc.data.cache import digest_of_file
from nsmc.runs.choices import command_to_go_on, foreign_targets
from nsmc.runs.foreign import (
    check_own_files,
    check_recorded_steps,
    harmless_overrides,
    recorded_config,
    with_own_files,
)
from nsmc.runs.from_checkpoint import is_of_tokenizer, starts_from
from nsmc.runs.prepare import PreparedRun, prepare
from nsmc.runs.record import RECORD_FILE, Record, environment, load_record, read_record, state_of
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.encoders import ENCODERS
from nsmc.training.slurm import job_number

log = logging.getLogger(__name__)

AUTO = "auto"

LAST_CHECKPOINT = Path("checkpoints", "last.ckpt")  # in a run's folder

_UNFINISHED = ("interrupted", "failed")


def named_folder(resume: str) -> Path:
    """The folder of the run to resume.

    Raises ValueError for one that holds no run, or more than a run's own files.
    """
    folder = Path(resume).expanduser()
    try:
        load_record(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"resume={resume}: there is no run in that folder (no {RECORD_FILE})"
        ) from None
    check_own_files(folder)
    return folder.absolute()


def newest_unfinished(config: RunConfig, overrides: Sequence[str], runs: Path) -> Path | None:
    """The folder, in `runs`, of the newest unfinished run like this one; None without any.

    `overrides` are what was typed. Raises ValueError where it holds more than a run's own files.
    """
    alike = _alike(config, overrides, runs)
    return _newest([folder for folder in alike if state_of(folder) in _UNFINISHED])


def of_restarted_job(config: RunConfig, overrides: Sequence[str], runs: Path) -> Path | None:
    """The folder of the run that the same command of this job of Slurm's began before; or None."""
    alike = _alike(config, overrides, runs)
    job = job_number()
    return _newest([folder for folder, record in alike.items() if record.get("slurm_job") == job])


def _alike(config: RunConfig, overrides: Sequence[str], runs: Path) -> dict[Path, Record]:
    """The records of the runs, finished or not, that have the same signature."""
    wanted = prepare(config, overrides).signature
    folders = [path.parent for path in runs.glob(f"*/{RECORD_FILE}")]
    records = {folder: read_record(folder) or {} for folder in folders}
    return {
        folder: record for folder, record in records.items() if record.get("signature") == wanted
    }


def _newest(folders: Sequence[Path]) -> Path | None:
    newest = max(folders, key=lambda folder: (folder / RECORD_FILE).stat().st_mtime, default=None)
    if newest is not None:
        check_own_files(newest)
    return newest


def resumed_config(folder: Path, typed: Mapping[str, Any], overrides: Sequence[str]) -> RunConfig:
    """The configuration of the run in `folder`, with the keys that the command line changes.

    `typed` is the command line's configuration and `overrides` what was typed for it. Raises
    ValueError for a key that would make it another run.
    """
    record = read_record(folder)
    if record is None:
        raise ValueError(f"{folder} holds no run: resume= and hydra.run.dir= exclude each other")
    # Of the command, not of the run. A logger is a matter of taste: another may be chosen.
    own_keys = ("resume", "sweep", *(["logger"] if _chooses(overrides, "logger") else []))
    ours = {key: typed[key] for key in own_keys}
    begun = {**with_todays_keys(record.get("config", {})), **ours}
    _check_targets(folder, record, begun, typed, overrides)
    config, own_model = begun, begun["model"]["architecture"]
    before_typed = [plain_change(override) for override in record.get("overrides", [])]
    for key, choice in typed_values(overrides):
        if key in ours or (key, typed["model"]["architecture"]) == ("model", own_model):
            continue
        if is_group(key, KEYS) and (key, choice) in before_typed:
            continue  # chosen again for the classes that it names: its values are recorded
        value, before = _value_of(typed, key), _value_of(begun, key)
        is_section = "." not in key and isinstance(typed.get(key, {}), Mapping)
        if is_section and KEYS.affects_result(key) and (value != before or key not in typed):
            raise ValueError(f"{key}: a resumed run keeps its own; leave {key}= out")
        if before is None and key in KEYS and not KEYS.is_required(key):
            before = KEYS[key].default  # which a record does not name
        if KEYS.affects_result(key) and value != before:
            changed = _changed(begun, typed, overrides)
            has_bundle = (folder / "bundle" / CONFIG_FILE).is_file() and not is_of_tokenizer(key)
            has_bundle = has_bundle and changed is not None and starts_from(changed, folder, record)
            start = f"with {pasteable('init_from', str(relative_path(folder)))}"
            raise ValueError(
                f"{key}: cannot change in a resumed run ({folder} has {before}); leave out "
                f"resume= to begin a new one{f', from these weights {start}' if has_bundle else ''}"
            )
        config = _with(config, key.split("."), value)
    checked = check_config(config)
    if checked.recipe:
        check_composed_alike(str(folder), record)
        check_recorded_steps(checked.recipe)
    own = None
    with suppress(ValueError):  # the command line need not say where the corpus is
        own = check_section(DataConfig, typed["data"], "data")
    return checked.model_copy(update={"data": with_own_files(checked.data, own)})


def _changed(
    begun: Mapping[str, Any], typed: Mapping[str, Any], overrides: Sequence[str]
) -> RunConfig | None:
    """A new run with the keys that were typed, else as recorded; None where that is none."""
    config: Mapping[str, Any] = {**begun, "resume": None}
    for key, _ in typed_values(overrides):
        if key in KEYS and not KEYS.is_section(key) and key != "resume":
            config = _with(config, key.split("."), _value_of(typed, key))
    with suppress(ValueError):
        return check_config(config)
    return None


def _chooses(overrides: Sequence[str], group: str) -> bool:
    return any(key == group for key, _ in typed_values(overrides))


def _check_targets(
    folder: Path,
    record: Record,
    begun: Mapping[str, Any],
    typed: Mapping[str, Any],
    overrides: Sequence[str],
) -> None:
    """Raises what `recorded_config` raises, for what `begun` calls and the command line does not.

    `typed` is composed anew with what the record says of plain keys, as arguments may follow these.
    """
    if any(True for _ in foreign_targets(begun)):
        plain = [o for o in harmless_overrides(record) if not is_group(o.partition("=")[0], KEYS)]
        own = [o for o in overrides if not o.startswith("resume=")]
        with suppress(ValueError):  # another version's keys
            typed = composed_values([*search_path(), *plain, *own])
    again = command_to_go_on(
        str(relative_path(folder)), begun, record.get("overrides", []), record.get("flags", [])
    )
    advice = f"type what chose it again, if you trust that: {again}"
    recorded_config(folder, begun, typed, advice)  # which an earlier version may have written


def with_own_model(overrides: Sequence[str]) -> list[str]:
    """The overrides that were typed, with the model of the run that they go on with.

    Without it, Hydra would know the keys of the default one alone.
    """
    typed = dict(typed_values(overrides))
    resume = typed.get("resume")
    if not isinstance(resume, str) or resume == AUTO or "model" in typed:
        return [*overrides]
    record = read_record(Path(resume).expanduser()) or {}
    model = _value_of(record, "config.model.architecture")
    is_known = isinstance(model, str) and model in ENCODERS and not record["config"].get("recipe")
    return [*overrides, f"model={model}"] if is_known else [*overrides]


def _value_of(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _with(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy in which the key at `path` has the value."""
    first, *rest = path
    below = _with(config.get(first, {}), rest, value) if rest else value
    return {**config, first: below}


def starting_checkpoint(ckpt_path: str | None, folder: Path, earlier: Record) -> str | None:
    """The digest of `ckpt_path`, which a run that has a checkpoint of its own no longer needs.

    Raises what `load_checkpoint` raises.
    """
    if ckpt_path is None:
        return None
    is_same_path = earlier.get("config", {}).get("ckpt_path") == ckpt_path
    if is_same_path and (folder / LAST_CHECKPOINT).is_file():
        return earlier.get("starting_checkpoint")
    from nsmc.training.checkpoints import load_checkpoint  # not before a run begins: torch is slow

    load_checkpoint(ckpt_path)
    return digest_of_file(Path(ckpt_path))


def other_run(folder: Path, resume: str | None) -> str:
    """Says that a folder's run is not the one that is to be run in it."""
    if resume is None:
        return f"{folder} holds another run: choose another folder with hydra.run.dir"
    return (
        f"resume={resume}: the corpus, or what the run starts from or learns from, is not what it "
        "was when the run began: put it back, or begin a new run without resume="
    )


def continuation(folder: Path, earlier: Record, run: PreparedRun) -> Record:
    """What a run takes over from the one in its folder: checkpoint, threads, what was typed.

    Raises ValueError where the folder holds another run, whose files would be mixed with these.
    """
    checkpoint = folder / LAST_CHECKPOINT
    record = {"started": now(), "resumed_from": None, "resumed": 0, **environment()}
    has_checkpoint = checkpoint.is_file() and _is_intact(checkpoint)
    is_finished = earlier.get("status") == "finished"  # perhaps without one: a recipe, a linear one
    if (has_checkpoint or is_finished) and earlier.get("signature") != run.signature:
        raise ValueError(other_run(folder, run.config.resume))
    if has_checkpoint:
        record |= {
            "started": earlier.get("started", record["started"]),
            "resumed_from": str(checkpoint),
            "resumed": earlier.get("resumed", 0) + 1,
            "threads": earlier.get("threads"),
        }
        if "teachers" in earlier:  # of a checkpoint that may be gone by now
            record["teachers"] = earlier["teachers"]
    if run.config.resume not in (None, AUTO):  # else what is typed is the whole command
        typed = [*search_path(), *harmless_overrides(earlier)]
        record |= {"overrides": typed, "command": command_line(typed, flags())}
    return record


def _is_intact(checkpoint: Path) -> bool:
    """Whether a checkpoint can be read; one that cannot is put aside."""
    from nsmc.training.checkpoints import load_checkpoint

    try:
        load_checkpoint(str(checkpoint))
    except ValueError as error:
        log.warning("%s: starting over", error)
        checkpoint.replace(checkpoint.with_name(f"{checkpoint.name}.damaged"))
        return False
    return True


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
