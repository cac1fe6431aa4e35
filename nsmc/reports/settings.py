"""What was varied among runs, and what the columns for it are called."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath

from nsmc.config.keys import FOLLOWS
from nsmc.config.schema import KEYS
from nsmc.reports.records import Run
from nsmc.reports.values import Value, clean

MISSING = "–"  # for a key that a run's configuration lacks, or that follows another one

CORPUS = "corpus"  # a column of its own, if there are several
ARCHITECTURE = "model.architecture"
ARCHITECTURE_COLUMN = ARCHITECTURE.rpartition(".")[2]
SEED = "seed"
FOLD = "data.fold"
INIT_FROM = "init_from"
TEACHERS = "distill.teachers"

# In the order of their sections in a report, with the titles of these.
TASKS = {
    "classify": "Neural classifiers",
    "linear": "Linear classifiers",
    "pretrain": "Language models",
}

_NOT_SETTINGS = ("seed", "test", "hydra")  # a row is over seeds and folds, tested or not


def task_of(run: Run) -> str:
    """What the run does: metrics of different tasks cannot be compared."""
    return str(run.config.get("task"))


def settings_of(runs: Sequence[Run]) -> list[dict[str, Value]]:
    """Each run's configuration, without seeds, folds and what cannot change its result.

    The bundles that a run starts from and learns from do change it: they get short names. A key
    that only follows another one is left out.
    """
    settings = []
    names, set_values = _source_names(runs), _set_values(runs)
    for run in runs:
        values = {
            key: value
            for key, value in run.config.items()
            if _is_setting(run, key) and (key not in set_values or value in set_values[key])
        }
        for key in (INIT_FROM, TEACHERS):
            if sources := _sources(run, key):
                values[key] = " + ".join(names[source] for source in sources)
        settings.append(values)
    _drop_shared(settings)
    return settings


def varied_keys(settings: Sequence[dict[str, Value]]) -> list[str]:
    """The keys whose values differ, the most telling ones first, the others in their own order."""
    keys = dict.fromkeys(key for values in settings for key in values)
    varied = [key for key in keys if len({values.get(key, MISSING) for values in settings}) > 1]
    first = (ARCHITECTURE, INIT_FROM, TEACHERS)
    return sorted(varied, key=lambda key: first.index(key) if key in first else len(first))


def column_names(keys: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The last part of each key, or the whole key if its last part is ambiguous or taken."""
    short = {key: key.rpartition(".")[2] for key in keys}
    return list(_unless_ambiguous(short, lambda key: key, taken).values())


def corpus_names(runs: Sequence[Run]) -> dict[str, str]:
    """A name for each corpus by `corpus_of`; equal names get the start of their fingerprint."""
    names = {corpus_of(run): _corpus_name(run) for run in reversed(runs)}
    return _unless_ambiguous(names, lambda corpus: f"{names[corpus]} {corpus[:6]}")


def corpus_of(run: Run) -> str:
    """What identifies a run's corpus: its fingerprint, or its name if there is none."""
    return run.fingerprint or _corpus_name(run)


def _corpus_name(run: Run) -> str:
    return clean(run.config.get("data.name", "unknown"))


def _is_setting(run: Run, key: str) -> bool:
    """Whether a key of this run can have changed its result."""
    if key.partition(".")[0] in _NOT_SETTINGS or key == FOLD:
        return False
    if key.startswith("distill.") and not _sources(run, TEACHERS):
        return False
    return KEYS.affects_result(key, task_of(run))


def _set_values(runs: Sequence[Run]) -> dict[str, set[Value]]:
    """For each key that may follow another one: its values in the runs where it does not.

    A record does not say whether a key was set. A run whose two values happen to be equal counts
    as one where the key was set if another run was certainly given that value.
    """
    return {
        key: {run.config[key] for run in runs if key in run.config and not _follows(run, key)}
        for key in FOLLOWS
    }


def _follows(run: Run, key: str) -> bool:
    return run.config[key] == run.config.get(FOLLOWS[key])


def _drop_shared(settings: Sequence[dict[str, Value]]) -> None:
    """Leave out what only some architectures or only students have, if they all have it alike.

    Naming the architecture or the teachers is enough.
    """
    for key in {key for values in settings for key in values} - {TEACHERS, *FOLLOWS}:
        having = [values for values in settings if key in values]
        others = [values.get(ARCHITECTURE) for values in settings if key not in values]
        is_own = key.startswith("model.") and all(v.get(ARCHITECTURE) not in others for v in having)
        if (is_own or key.startswith("distill.")) and len({v[key] for v in having}) == 1:
            for values in having if others else ():
                del values[key]


def _sources(run: Run, key: str) -> list[str]:
    """The folders that a run starts from or learns from."""
    value = run.config.get(key, "null")
    if key == TEACHERS:
        try:
            teachers = json.loads(str(value))
        except ValueError:  # cut short, or not ours
            return [str(value)]
        return [str(teacher) for teacher in teachers] if isinstance(teachers, list) else []
    return [] if value == "null" else [str(value)]


def _source_names(runs: Sequence[Run]) -> dict[str, str]:
    """A folder's own name, or its path if two folders have the same name."""
    paths = {path for run in runs for key in (INIT_FROM, TEACHERS) for path in _sources(run, key)}
    names = {path: _folder_name(path) for path in paths}
    return _unless_ambiguous(names, lambda path: path)


def _folder_name(path: str) -> str:
    parts = [part for part in PurePath(path).parts if part != "bundle"]
    return parts[-1] if parts else path


def _unless_ambiguous(
    names: dict[str, str], longer: Callable[[str], str], taken: Sequence[str] = ()
) -> dict[str, str]:
    """The names, with longer ones for those that two have, or that are taken."""
    counts = Counter([*names.values(), *taken])
    return {key: name if counts[name] == 1 else longer(key) for key, name in names.items()}
