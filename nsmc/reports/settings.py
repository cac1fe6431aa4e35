"""What was varied among runs, and what that is called in a table."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from nsmc.config.schema import KEYS
from nsmc.reports.runs import Run
from nsmc.reports.values import Value, clean

MISSING = "–"  # a key that a run's configuration lacks

CELL = "model.cell"
SEED = "seed"
SPLIT_SEED = "data.split_seed"
INIT_FROM = "init_from"
TEACHERS = "distill.teachers"

TASKS = ("classify", "linear", "pretrain")  # as a report has them, one after the other

# Keys that follow another one where they are not set.
_FOLLOWERS = {
    SPLIT_SEED: SEED,
    "model.embedding_dropout": "model.dropout",
    "model.output_dropout": "model.dropout",
}
_NO_SETTINGS = ("seed", "test", "hydra")  # a row is over seeds, whether tested or not


def task_of(run: Run) -> str:
    """What the run does: metrics of different tasks cannot be compared."""
    return str(run.config.get("task", TASKS[0]))  # the first records name none


def effective(runs: Sequence[Run]) -> list[dict[str, Value]]:
    """Each run's configuration without the keys that change no result; seeds are not settings.

    What a run starts from and learns from does change it: these have a short name for a path.
    """
    settings = []
    names, fixed = _source_names(runs), _fixed_values(runs)
    for run in runs:
        values = {key: value for key, value in run.config.items() if _counts(run, key)}
        for key, leader in _FOLLOWERS.items():
            if key in values and values[key] not in fixed[key]:
                values[key] = leader.rpartition(".")[2]
        for key in (INIT_FROM, TEACHERS):
            if sources := _sources(run, key):
                values[key] = " + ".join(names[source] for source in sources)
        settings.append(values)
    _drop_shared(settings)
    return settings


def varied_keys(settings: Sequence[dict[str, Value]]) -> list[str]:
    """The keys whose values differ, the most telling ones first, else in the config's order."""
    keys = dict.fromkeys(key for values in settings for key in values)
    differing = [key for key in keys if len({values.get(key, MISSING) for values in settings}) > 1]
    first = (CELL, INIT_FROM, TEACHERS)
    return sorted(differing, key=lambda key: first.index(key) if key in first else len(first))


def short_names(keys: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The last part of each key, or all of it where that would be one of two, or is taken."""
    last = [key.rpartition(".")[2] for key in keys]
    counts = Counter([*last, *taken])
    return [name if counts[name] == 1 else key for key, name in zip(keys, last, strict=True)]


def corpus_names(runs: Sequence[Run]) -> dict[str, str]:
    """A name for each corpus by `corpus_of`; with the fingerprint's start where names are equal."""
    names = {corpus_of(run): _name(run) for run in reversed(runs)}
    counts = Counter(names.values())
    return {
        corpus: name if counts[name] == 1 else f"{name} {corpus[:6]}"
        for corpus, name in names.items()
    }


def corpus_of(run: Run) -> str:
    """What tells a run's corpus from others: its fingerprint, or its name where there is none."""
    return run.fingerprint or _name(run)


def _name(run: Run) -> str:
    return clean(run.config.get("data.name", "unknown"))


def _counts(run: Run, key: str) -> bool:
    """Whether a key of this run's can have changed its result."""
    if key.partition(".")[0] in _NO_SETTINGS:
        return False
    if key.startswith("distill.") and not _sources(run, TEACHERS):
        return False
    task = task_of(run)
    return KEYS.affects_result(key, task if task in TASKS else None)


def _fixed_values(runs: Sequence[Run]) -> dict[str, set[Value]]:
    """For each key that may follow another one: its values in runs where it does not.

    One of the others' values may happen to be the same: that run does not follow, either.
    """
    return {
        key: {run.config[key] for run in runs if key in run.config and not _follows(run, key)}
        for key in _FOLLOWERS
    }


def _follows(run: Run, key: str) -> bool:
    return run.config[key] == run.config.get(_FOLLOWERS[key])


def _drop_shared(settings: Sequence[dict[str, Value]]) -> None:
    """Leave out how students learn where all students do it alike: their teachers say enough."""
    for key in {key for values in settings for key in values if key.startswith("distill.")}:
        shared = {values[key] for values in settings if key in values}
        if key != TEACHERS and len(shared) == 1:
            for values in settings:
                values.pop(key, None)


def _sources(run: Run, key: str) -> list[str]:
    """The folders that a run starts from or learns from."""
    value = run.config.get(key, "null")
    if key == TEACHERS:
        try:
            found = json.loads(str(value))
        except ValueError:  # cut short, or not ours
            return [str(value)]
        return [str(each) for each in found] if isinstance(found, list) else []
    return [] if value == "null" else [str(value)]


def _source_names(runs: Sequence[Run]) -> dict[str, str]:
    """A folder's own name, or its path where two folders have the same one."""
    paths = {each for run in runs for key in (INIT_FROM, TEACHERS) for each in _sources(run, key)}
    names = {path: _folder_name(path) for path in paths}
    counts = Counter(names.values())
    return {path: name if counts[name] == 1 else path for path, name in names.items()}


def _folder_name(path: str) -> str:
    parts = [part for part in PurePath(path).parts if part != "bundle"]
    return parts[-1] if parts else path
