"""A sweep's best classifier, read off the records (`run.json`) that its runs leave.

The best setting is that with the best mean over seeds of the validation metric by which its runs
chose their epoch, as in the sweep's report; of its runs the best one is taken. A record may be
damaged, old or edited: what cannot be read does not count.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]

# In a sweep's folder, beside the folders of its runs.
_MARKS = ("multirun.yaml", "search.db")

_ACCURACY = "val/accuracy"
_LARGEST = 1e30  # what is beyond it is no measurement

# Keys that make no other setting: seeds, and how and where a run is done.
_NO_SETTINGS = {
    *("seed", "test", "resume", "sweep", "search", "logger"),
    *("root", "cache_dir", "threads", "log_every_n_steps"),
}


def winner_beside(bundle: Path) -> tuple[Path, str] | None:
    """The best bundle of the sweep that a run's bundle is from, and by what; None without a sweep.

    Only runs on the same corpus are compared.
    """
    run, sweep = bundle.parent, bundle.parent.parent
    if not any((sweep / mark).is_file() for mark in _MARKS):
        return None
    records = {folder: read_json(folder / "run.json") for folder in sweep.iterdir()}
    corpus = records[run].get("corpus_fingerprint")
    rivals = {
        folder: record
        for folder, record in records.items()
        if record.get("status") == "finished"
        and record.get("corpus_fingerprint") == corpus
        and classifies(folder / bundle.name)
    }
    metric = _metric(rivals.values())
    settings: dict[str, list[tuple[float, str]]] = {}  # scores, the higher the better, and folders
    for folder, record in rivals.items():
        score = _score(record, metric)
        if score is not None:
            settings.setdefault(_setting(record), []).append((score, folder.name))
    if not settings:
        return None
    best = max(settings.values(), key=_mean)
    several = sum(map(len, settings.values())) > len(settings)
    what = f"best of {len(settings)}{' settings' if several else ''} by {metric}"
    return sweep / max(best)[1] / bundle.name, what


def read_json(path: Path) -> Record:
    """What a JSON file holds; nothing where it is no regular file, or holds no mapping."""
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return {}
    return _mapping(content)


def classifies(bundle: Path) -> bool:
    """Whether the bundle is a classifier's; a damaged one is for the reader to refuse."""
    config = bundle / "config.json"
    return config.is_file() and read_json(config).get("labels") != []


def _metric(records: Iterable[Record]) -> str:
    """The validation metric that all runs chose their epoch by, else the accuracy."""
    monitors = {str(_checkpoint(record).get("monitor", _ACCURACY)) for record in records}
    metric = monitors.pop() if len(monitors) == 1 else _ACCURACY
    return metric if metric.startswith("val/") else _ACCURACY


def _checkpoint(record: Record) -> Record:
    return _mapping(_mapping(_config(record).get("callbacks")).get("checkpoint"))


def _config(record: Record) -> Record:
    """The configuration of what made the bundle: of a recipe, its last step."""
    return _mapping(record.get("made_by")) or _mapping(record.get("config"))


def _score(record: Record, metric: str) -> float | None:
    value = _mapping(record.get("metrics")).get(metric)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_LARGEST < value < _LARGEST:  # written so that NaN fails, too
        return None
    return -value if metric.endswith("loss") else value


def _mean(runs: list[tuple[float, str]]) -> float:
    return math.fsum(score for score, _ in runs) / len(runs)


def _setting(record: Record) -> str:
    """The same text for runs that differ in their seed alone."""
    config = _config(record)
    data = _mapping(config.get("data"))
    if data.get("split_seed") == config.get("seed"):  # it follows the seed
        data = {name: value for name, value in data.items() if name != "split_seed"}
    return json.dumps(_settings({**config, "data": data}), sort_keys=True)


def _settings(section: Record) -> Record:
    return {
        name: _settings(value) if isinstance(value, dict) else value
        for name, value in section.items()
        if name not in _NO_SETTINGS
    }


def _mapping(value: object) -> Record:
    return value if isinstance(value, dict) else {}
