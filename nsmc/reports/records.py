"""Finds and reads the `run.json` of every run below some folders, whatever is in it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from nsmc.config.commands import relative_path, train_command
from nsmc.config.earlier import with_todays_keys
from nsmc.config.keys import RENAMED
from nsmc.reports.values import Value, as_mapping, clean, finite_numbers, flatten
from nsmc.small_files import read_bytes

RECORD_FILE = "run.json"

# Folders of a run that hold no runs, and may hold many files.
_SKIPPED_FOLDERS = {"bundle", "checkpoints", "csv"}

_COSTS = (
    "seconds",
    "train_seconds",
    "reviews_per_second",
    "parameters",
    "bundle_bytes",
    "microseconds",
)
# Of a recipe, these are what the step had whose result it has.
_STEP_SECTIONS = (
    *("task", "init_from", "data", "model", "trainer", "callbacks", "distill", "linear"),
)
_STATUSES = ("finished", "failed", "interrupted", "running", "pruned")


@dataclass(frozen=True)
class Run:
    """A run's record; what the record lacks is empty here."""

    name: str  # its folder, relative to the working directory if it is inside
    status: str  # finished, failed, interrupted, unfinished or pruned
    error: str
    signature: str
    config: dict[str, Value]  # under dotted keys
    fingerprint: str  # of the corpus
    metrics: dict[str, float]  # val/accuracy, …, and what it took: seconds, parameters, …
    curve: list[dict[str, float]]  # {"epoch": 1, "val/accuracy": 0.8, "train/loss": 0.4, …}
    ended: str  # such as 2026-01-01T12:01:10+00:00, always UTC
    folder: Path = Path()
    is_try: bool = False  # of debug=…, trainer.fast_dev_run or trainer.overfit_batches


@dataclass(frozen=True)
class Problem:
    """Why a run is missing from the tables, or has no rank there."""

    name: str
    status: str
    reason: str


def read_runs(folders: Iterable[Path]) -> tuple[list[Run], list[Problem]]:
    """Every run below the folders, each once, and the records that cannot be read.

    Raises FileNotFoundError or NotADirectoryError for what is not a folder, and ValueError for a
    folder without any run.
    """
    runs, problems = [], []
    for record in _all_records(folders):
        try:
            runs.append(read_run(record))
        except (OSError, ValueError, RecursionError) as error:
            reason = f"{RECORD_FILE} cannot be read: {clean(error)}"
            problems.append(Problem(display_path(record.parent), "damaged", reason))
    return runs, problems


def find_records(folder: Path) -> Iterator[Path]:
    """Each `run.json` in and below a folder, sorted by folder name."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS and not name.startswith((".", "csv_from_step_"))
        )
        if RECORD_FILE in files:
            yield Path(parent, RECORD_FILE)


def read_run(path: Path) -> Run:
    """Read a record. Raises OSError, ValueError or RecursionError if it cannot be read."""
    record = json.loads(read_bytes(path))
    if not isinstance(record, dict):
        raise ValueError("it is not a mapping")
    status = record.get("status")
    if status not in _STATUSES:
        raise ValueError(f"unknown status {json.dumps(status)}")
    config = {RENAMED.get(key, key): value for key, value in flatten(_config_of(record)).items()}
    history = record.get("history")
    points = map(finite_numbers, history if isinstance(history, list) else [])
    if status == "finished" and not config:
        raise ValueError("it has no config")
    return Run(
        name=display_path(path.parent),
        status="unfinished" if status == "running" else status,
        error=clean(record.get("error") or ""),
        signature=clean(record.get("signature") or ""),
        config=config,
        fingerprint=clean(record.get("corpus_fingerprint") or ""),
        metrics=finite_numbers(record.get("metrics")) | _costs(record),
        curve=[point for point in points if "epoch" in point],
        ended=clean(record.get("finished")),
        folder=path.parent,
        is_try=_is_try(record, path),
    )


def problems_of(runs: Sequence[Run]) -> list[Problem]:
    """What happened to the runs that neither finished nor were pruned."""
    repeated = {run.signature for run in runs if run.status == "finished" and run.signature}
    unknown = {
        "unfinished": "it may still be running, or was killed",
        "interrupted": "a signal stopped it, such as that of Ctrl-C",
    }
    problems = []
    for run in runs:
        if run.status not in ("finished", "pruned"):
            reason = run.error or unknown.get(run.status, "no reason was recorded")
            since = "; another run of the same job finished" if run.signature in repeated else ""
            problems.append(Problem(run.name, run.status, reason + since))
    return problems


def display_path(path: Path) -> str:
    """A path as a user would type it: relative if it is inside the working directory."""
    return clean(relative_path(path.absolute()))


def _all_records(folders: Iterable[Path]) -> list[Path]:
    records: dict[Path, Path] = {}  # folders may overlap
    for folder in folders:
        if not folder.exists():
            raise FileNotFoundError(f"{folder}: no such folder")
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder}: not a folder")
        paths = list(find_records(folder))
        if not paths:
            raise ValueError(
                f"{folder}: no runs in it (no {RECORD_FILE}); train one with {train_command()}, or "
                "name a folder such as outputs/runs or outputs/sweeps"
            )
        for path in paths:
            records.setdefault(path.resolve(), path)
    return list(records.values())


def _config_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration. A recipe is its name, with sections of its last step's."""
    config = as_mapping(record.get("config"))
    if not config:
        return {}
    config = with_todays_keys(config)
    last_step = with_todays_keys(as_mapping(record.get("final_step_config")))
    sections = {name: last_step[name] for name in _STEP_SECTIONS if name in last_step}
    recipe = config.get("recipe")
    return {**config, **({"recipe": _recipe_name(recipe)} if recipe else {}), **sections}


def _recipe_name(recipe: object) -> str:
    """`7 steps 3fa9c1`: a recipe's own text is far too long for a table."""
    steps = as_mapping(as_mapping(recipe).get("steps"))
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    return f"{len(steps)} steps {digest[:6]}"


def _is_try(record: Mapping[str, Any], path: Path) -> bool:
    config = as_mapping(record.get("config"))
    trainer = as_mapping(config.get("trainer"))
    marks = (config.get("debugging"), trainer.get("fast_dev_run"), trainer.get("overfit_batches"))
    parts = path.absolute().parts  # records of earlier versions do not say debugging
    return any(marks) or ("outputs", "debug") in pairwise(parts)


def _costs(record: Mapping[str, Any]) -> dict[str, float]:
    costs = finite_numbers({name: record.get(name) for name in _COSTS})
    return {name: cost for name, cost in costs.items() if cost}  # a linear classifier has no bundle
