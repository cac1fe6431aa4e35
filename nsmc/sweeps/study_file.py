"""What is read from a search's file, `search.db`: it is checked, as anybody may have made it."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeGuard

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

STUDY_FILE = "search.db"
SECONDS_TO_LOCK = 60  # for a process that finds the file in another one's hands
_LARGEST = 256 << 20  # bytes of the file; a trial has a few kB
_MOST_TRIALS = 100_000

# In a table's definition: GENERATED ALWAYS AS (…), or AS (…) alone.
_COMPUTED = re.compile(r"\bAS\s*\(", re.IGNORECASE)


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn whatever Optuna makes of a damaged file into a ValueError that names it."""
    try:
        yield
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise _damaged(folder / STUDY_FILE, why) from error


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path}: damaged, or not a search of this program ({' '.join(why.split())[:200]}); choose "
        "another name for the sweep, or remove the file"
    )


def check_file(path: Path) -> None:
    """Raises ValueError for a file that Optuna should not open.

    A view, a trigger or a computed column is a program: it could fill the memory or never end.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        raise _damaged(path, f"no regular file of at most {_LARGEST:,} bytes")
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=SECONDS_TO_LOCK)) as database:
            entries = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            for entry, name, sql in entries:
                if entry not in ("table", "index") or _COMPUTED.search(sql or ""):
                    raise _damaged(path, f"it has a {entry} {name}")
            if any(name == "trials" for _, name, _ in entries):
                ((count,),) = database.execute("SELECT count(*) FROM trials")
                if count > _MOST_TRIALS:
                    raise _damaged(path, f"{count:,} trials")
    except sqlite3.Error as error:
        raise _damaged(path, str(error)) from None


def check_trials(study: optuna.Study, folder: Path, space: Mapping[str, BaseDistribution]) -> None:
    """Raises ValueError for a study with trials of another space that have come to an end."""
    with readable(folder):
        trials = study.get_trials(deepcopy=False)
    for number, trial in enumerate(trials):
        if trial.number != number:
            raise _damaged(folder / STUDY_FILE, f"trial {number} is missing")
        is_used = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        if is_used and (problem := problem_of(trial, space)):
            raise _damaged(folder / STUDY_FILE, f"trial {number}: {problem}")


def problem_of(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> str:
    """Why a trial's parameters are not of the space; "" where they are."""
    try:
        optuna.create_trial(state=TrialState.RUNNING, params=trial.params, distributions={**space})
    except (ValueError, OverflowError) as error:
        return str(error)[:200]
    return ""


def is_name(value: object) -> TypeGuard[str]:
    """Whether it can be something in the sweep's folder."""
    return isinstance(value, str) and value not in ("", ".", "..") and not {*value} & {*"/\\\0"}
