"""Runs as a report knows them: every `run.json` below some folders, whatever is in it."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nsmc.config.commands import train_command
from nsmc.reports.curves import Curve, learning_curve
from nsmc.reports.values import Value, clean, flat, numbers
from nsmc.small_files import read_bytes

RECORD_FILE = "run.json"

# Folders of a run that hold no runs, and may hold many files.
_NO_RUNS_IN = {"bundle", "checkpoints", "csv"}

_MEASURES = ("seconds", "train_seconds", "reviews_per_second", "parameters", "bundle_bytes")
_OF_THE_MAKER = (
    *("task", "init_from", "data", "model", "trainer", "callbacks", "distill", "linear"),
)
_STATUSES = ("finished", "failed", "interrupted", "running", "pruned")


@dataclass(frozen=True)
class Run:
    """A run's record, with what it lacks left empty."""

    name: str  # its folder, relative to the working directory where it is inside
    status: str  # finished, failed, interrupted, unfinished or pruned
    error: str
    signature: str
    config: dict[str, Value]  # under dotted keys
    fingerprint: str  # of the corpus
    metrics: dict[str, float]
    measures: dict[str, float]  # seconds, train_seconds, reviews_per_second, parameters, …
    curve: Curve
    ended: float  # POSIX seconds
    folder: Path = Path()


@dataclass(frozen=True)
class Problem:
    """Why a run is not in the table, or not as it should be."""

    name: str
    status: str
    why: str


def read_runs(folders: Iterable[Path]) -> tuple[list[Run], list[Problem]]:
    """Every run below the folders, each once, and the records that cannot be read.

    Raises FileNotFoundError or NotADirectoryError for a folder that is none, and ValueError for one
    without any run.
    """
    runs, problems = [], []
    for record in _all_records(folders):
        try:
            runs.append(read_run(record))
        except (OSError, ValueError, RecursionError) as error:
            why = f"{RECORD_FILE} cannot be read: {clean(error)}"
            problems.append(Problem(shown_path(record.parent), "damaged", why))
    return runs, problems


def find_records(folder: Path) -> Iterator[Path]:
    """Each `run.json` in and below a folder, in the order of their names."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NO_RUNS_IN and not name.startswith((".", "csv_from_step_"))
        )
        if RECORD_FILE in files:
            yield Path(place, RECORD_FILE)


def read_run(path: Path) -> Run:
    """Read a record. Raises OSError, ValueError or RecursionError where there is none to read."""
    record = json.loads(read_bytes(path))
    if not isinstance(record, dict):
        raise ValueError("it holds no mapping")
    status = record.get("status", "finished")  # old records were written at a run's end only
    if status not in _STATUSES:
        raise ValueError(f"unknown status {json.dumps(status)}")
    config = flat(_config_of(record))
    if status == "finished" and not config:
        raise ValueError("it has no config")
    return Run(
        name=shown_path(path.parent),
        status="unfinished" if status == "running" else status,
        error=clean(record.get("error") or ""),
        signature=clean(record.get("signature") or ""),
        config=config,
        fingerprint=clean(record.get("corpus_fingerprint") or ""),
        metrics=numbers(record.get("metrics")),
        measures=_measures(record, path.parent),
        curve=learning_curve(record.get("history"), path.parent),
        ended=_ended(record.get("finished"), path),
        folder=path.parent,
    )


def _config_of(record: Mapping[str, Any]) -> Any:
    """A run's configuration; of a recipe's, these sections are those of its last step."""
    config, maker = record.get("config"), record.get("final_step_config")
    if not isinstance(config, dict) or not isinstance(maker, dict):
        return config
    return {**config, **{name: maker[name] for name in _OF_THE_MAKER if name in maker}}


def problems_of(runs: Sequence[Run]) -> list[Problem]:
    """What became of the runs that neither finished nor were pruned."""
    repeated = {run.signature for run in runs if run.status == "finished" and run.signature}
    unfinished = "it may be running still, or have been killed"
    problems = []
    for run in runs:
        if run.status in ("finished", "pruned"):
            continue
        why = run.error or (unfinished if run.status == "unfinished" else "no reason was recorded")
        since = "; another run of the same job finished" if run.signature in repeated else ""
        problems.append(Problem(run.name, run.status, why + since))
    return problems


def shown_path(path: Path) -> str:
    """A path as a reader knows it: relative where it is inside the working directory."""
    here = Path.cwd()
    absolute = path.absolute()
    return clean(absolute.relative_to(here) if absolute.is_relative_to(here) else path)


def _all_records(folders: Iterable[Path]) -> list[Path]:
    records: dict[Path, Path] = {}  # folders may overlap
    for folder in folders:
        if not folder.exists():
            raise FileNotFoundError(f"{folder}: no such folder")
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder}: not a folder")
        found = list(find_records(folder))
        if not found:
            raise ValueError(
                f"{folder}: no runs in it (no {RECORD_FILE}); train one with {train_command()}, or "
                "name a folder such as outputs/runs or outputs/sweeps"
            )
        for record in found:
            records.setdefault(record.resolve(), record)
    return list(records.values())


def _measures(record: dict[str, Any], folder: Path) -> dict[str, float]:
    found = numbers({name: record.get(name) for name in _MEASURES})
    if found.get("bundle_bytes") == 0:  # a linear classifier makes no bundle
        del found["bundle_bytes"]
    if "bundle_bytes" not in found and (folder / "bundle").is_dir():
        files = [path for path in (folder / "bundle").iterdir() if path.is_file()]
        found["bundle_bytes"] = float(sum(path.stat().st_size for path in files))
    return found


def _ended(text: object, path: Path) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError, OSError):  # an old record: it was written at the end
        return path.stat().st_mtime
