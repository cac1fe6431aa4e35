"""`nsmc rerun`: runs a recorded job once more and says whether the result is the same."""

import filecmp
import logging
import secrets
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from nsmc.config.composition import SEARCH_PATH, composed_values
from nsmc.config.loggers import OWN as OWN_LOGGERS
from nsmc.config.overrides import command_line, quoted
from nsmc.config.schema import RunConfig
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.runs.choices import choices, command_with_folders, foreign_targets, typed_config_dir
from nsmc.runs.foreign import harmless_overrides, recorded_config, with_own_files
from nsmc.runs.job import run_job
from nsmc.runs.logs import LogFile
from nsmc.runs.prepare import prepare
from nsmc.runs.recipe import RESULTS
from nsmc.runs.record import RECORD_FILE, Record, environment, load_record
from nsmc.runs.resolvers import register_resolvers
from nsmc.runtime.bundle import WEIGHTS_FILE
from nsmc.runtime.loading import read_bundle
from nsmc.small_files import read_bytes


def rerun(
    folder: Path,
    root: str | None = None,
    runs: Path = Path("outputs", "runs"),
    config_dir: Path | None = None,
) -> bool:
    """Run the job of `folder` again, in a new folder in `runs`; whether the result is the same.

    `root` is where the corpus is now. The files in `config_dir` may name classes, which the record
    may then choose. Prints what is the same and what differs. Raises ValueError
    for a folder without a finished run, and where the corpus or the program has changed.
    """
    record = _finished_record(folder)
    added = [_search_path(config_dir)] if config_dir else []
    overrides = [*added, *harmless_overrides(record)]
    config = _config(folder, record, root, overrides if added else None)
    again = runs / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_rerun_{secrets.token_hex(2)}"
    again.mkdir(parents=True)
    _copy_small_files(folder / ".hydra", again / ".hydra")
    _log_to(again / "train.log")
    result = run_job(config, again, command_line(overrides), overrides)
    lines = differences(folder, record, again, result)
    print("\n".join(["", *lines, *_versions_changed(record)] if lines else [""]))
    compared = "soft label" if config.task == "linear" else "weight"
    verdict = "different" if lines else f"the same, every {compared} and every metric to the bit"
    print(f"{verdict}: {folder} and {again}", flush=True)
    return not lines


def _finished_record(folder: Path) -> Record:
    record: Record = {"status": "new"}
    with suppress(FileNotFoundError, NotADirectoryError):
        record = load_record(folder)
    if record.get("status", "finished") != "finished":
        raise ValueError(f"{folder}: there is no finished run in that folder")
    for name in ("config", "signature", "corpus_fingerprint", "metrics"):
        if not record.get(name):
            raise ValueError(f"{folder}: its {RECORD_FILE} has no {name} to compare with")
    return record


def _copy_small_files(source: Path, target: Path) -> None:
    """Copy Hydra's files; links, pipes and large files are not Hydra's."""
    if source.is_symlink() or not source.is_dir():
        return
    target.mkdir()
    for path in [source / f"{name}.yaml" for name in ("config", "hydra", "overrides")]:
        with suppress(OSError, ValueError):
            if not path.is_symlink():
                (target / path.name).write_bytes(read_bytes(path))


def _search_path(config_dir: Path) -> str:
    if not config_dir.is_dir():
        raise NotADirectoryError(f"--config-dir {config_dir}: no such folder")
    return f"{SEARCH_PATH}=[{quoted(f'file://{config_dir.absolute()}')}]"


def _config(
    folder: Path, record: Record, root: str | None, composed_by: Sequence[str] | None
) -> RunConfig:
    """The configuration, checked; `composed_by` are overrides whose files may name classes."""
    recorded = record["config"]
    loggers = recorded.get("logger")
    if isinstance(loggers, dict):  # others would have to be called because a record says so
        kept = {name: it for name, it in loggers.items() if it in (True, OWN_LOGGERS.get(name))}
        recorded = {**recorded, "logger": kept}
    own: dict[str, Any] | None = None
    if composed_by is not None and any(True for _ in foreign_targets(recorded)):
        register_resolvers()
        own = composed_values(composed_by)
    config = recorded_config(folder, recorded, own, _advice(folder, record))
    if config.recipe:
        raise ValueError(f"{folder} is of a recipe: run the steps again, {RESULTS}/… each")
    if config.trainer.processes > 1:
        raise ValueError(
            f"{folder} trained in {config.trainer.processes} processes: run its command instead: "
            f"{command_line(harmless_overrides(record))}"
        )
    _check_result(config, folder)
    config = _as_it_ran(config, record, root)
    run = prepare(config)
    if run.corpus_fingerprint != record["corpus_fingerprint"]:
        raise ValueError(
            f"{config.data.root}: not the corpus of that run (fingerprint {run.corpus_fingerprint},"
            f" then {record['corpus_fingerprint']}); --root names the folder that has it"
        )
    if run.signature != record["signature"]:
        raise ValueError(
            f"{folder}: this version of the program trains otherwise; git commit then: "
            f"{record.get('git_commit')}"
        )
    return config


def _advice(folder: Path, record: Record) -> str:
    """How to run a job again that calls classes which its record alone may not choose."""
    typed = record.get("overrides", [])
    added, others = typed_config_dir(typed)
    own = choices(others)
    if added and len(harmless_overrides({"overrides": own})) == len(own):
        words = ["nsmc", "rerun", str(folder), "--config-dir", added]
        return f"if you trust what is in that folder, {shlex.join(words)}"
    command = command_with_folders(typed, record.get("flags", []))
    return f"if you trust that, run its command instead: {command}"


def _check_result(config: RunConfig, folder: Path) -> None:
    """Raises ValueError or FileNotFoundError where there is nothing to compare with."""
    result = SOFT_LABELS_FILE if config.task == "linear" else f"bundle/{WEIGHTS_FILE}"
    if not (folder / result).is_file():
        raise ValueError(f"{folder}: {result} is not there, so there is nothing to compare with")
    if config.task != "linear":
        read_bundle(folder / "bundle")


def _as_it_ran(config: RunConfig, record: Record, root: str | None) -> RunConfig:
    """The configuration, for a run that repeats the recorded one and downloads nothing."""
    data = config.data.model_copy(update={"root": str(Path(root or config.data.root).expanduser())})
    # To the bit, results depend on the threads. A search must not prune what it did not prune.
    trainer = config.trainer.model_copy(update={"threads": record.get("threads")})
    changed = {"data": with_own_files(data, None), "trainer": trainer, "search": None}
    return config.model_copy(update=changed)


def differences(folder: Path, record: Record, again: Path, result: Record) -> list[str]:
    """A line for each metric, tensor and file that is not the same, to the bit."""
    lines = [
        f"{name}: then {value}, now {result['metrics'].get(name)}"
        for name, value in record["metrics"].items()
        if value != result["metrics"].get(name)
    ]
    if record.get("tokenizer_fingerprint") != result.get("tokenizer_fingerprint"):
        lines.append("the tokenizer differs")
    if (again / "bundle").is_dir():
        return lines + _weights_that_differ(folder, again)
    if filecmp.cmp(folder / SOFT_LABELS_FILE, again / SOFT_LABELS_FILE, shallow=False):
        return lines
    return [*lines, f"{SOFT_LABELS_FILE}: differs"]


def _weights_that_differ(folder: Path, again: Path) -> list[str]:
    then, now = (load_file(run / "bundle" / WEIGHTS_FILE) for run in (folder, again))
    lines = [
        f"{name}: another shape"
        for name in sorted({*then, *now})
        if name not in then or name not in now or then[name].shape != now[name].shape
    ]
    return lines or [
        f"{name}: differs by at most {np.abs(tensor - now[name]).max():.2g}"
        for name, tensor in then.items()
        if not np.array_equal(tensor, now[name])
    ]


def _versions_changed(record: Record) -> list[str]:
    then, now = record.get("versions", {}), environment()["versions"]
    return [
        f"{name}: version {then.get(name)} then, {now.get(name)} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]


def _log_to(path: Path) -> None:
    """Log to standard error and to the run's log, as `train.py` does."""
    file = LogFile(path, encoding="utf-8", errors="backslashreplace", delay=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[logging.StreamHandler(sys.stderr), file],
    )
