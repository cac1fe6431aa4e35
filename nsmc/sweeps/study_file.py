"""What is read from a search's database: it is checked, as anybody may have made it."""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

STUDY_FILE = "search.db"
MOST_TRIALS = 100_000
SECONDS_TO_LOCK = 60  # for a process that finds the file in another one's hands
_LARGEST = 256 << 20  # bytes of the file; a trial has a few kB

# In a table's definition: GENERATED ALWAYS AS (…), or AS (…) alone.
_COMPUTED = re.compile(r"\bAS\s*\(", re.IGNORECASE)


@contextlib.contextmanager
def reachable(database: str) -> Iterator[None]:
    """Turn what a database says itself into a ValueError that names it."""
    try:
        yield
    except (DBAPIError, StorageInternalError) as error:
        of_sql = error if isinstance(error, DBAPIError) else error.__cause__
        said = of_sql.orig if isinstance(of_sql, DBAPIError) else error
        why = f"{type(said).__name__}: {said}"  # without SQL and its parameters
        if isinstance(of_sql, OperationalError | InterfaceError) and not _is_file(database):
            raise _out_of_reach(database, why) from None
        raise damaged(database, why) from None


@contextlib.contextmanager
def readable(database: str) -> Iterator[None]:
    """Turn whatever Optuna makes of a damaged database into a ValueError that names it."""
    try:
        with reachable(database):
            yield
    except ValueError as error:
        named = str(error).partition(": ")[0]  # by its path alone, where search.storage has a URL
        if str(error).startswith(database) or (named and database.endswith(named)):
            raise
        raise damaged(database, f"{type(error).__name__}: {error}") from error
    except Exception as error:
        raise damaged(database, f"{type(error).__name__}: {error}") from error


def damaged(database: str, why: str) -> ValueError:
    is_file = _is_file(database)
    problem = "damaged, or not a search" if is_file else "not to be reached, or no search"
    return ValueError(
        f"{database}: {problem} of this program ({_shortened(why)}); choose another "
        f"name for the sweep{', or remove the file' if is_file else ', or another search.storage'}"
    )


def _out_of_reach(database: str, why: str) -> ValueError:
    return ValueError(
        f"{database}: not to be reached ({_shortened(why)}); start its server, or correct "
        "search.storage"
    )


def _is_file(database: str) -> bool:
    """Whether it is the file in a sweep's folder, and none that search.storage names."""
    return database.endswith(STUDY_FILE) and not database.startswith("search.storage=")


def _shortened(why: str) -> str:
    return " ".join(why.split())[:200]


def check_file(path: Path) -> None:
    """Raises ValueError for a file that Optuna should not open.

    A view, a trigger or a computed column is a program: it could fill the memory or never end.
    """
    if not path.exists() and not path.is_symlink():
        return
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
        raise damaged(str(path), f"no regular file of at most {_LARGEST:,} bytes")
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=SECONDS_TO_LOCK)) as database:
            entries = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            for entry, name, sql in entries:
                if entry not in ("table", "index") or _COMPUTED.search(sql or ""):
                    raise damaged(str(path), f"it has a {entry} {name}")
            if any(name == "trials" for _, name, _ in entries):
                ((count,),) = database.execute("SELECT count(*) FROM trials")
                if count > MOST_TRIALS:
                    raise damaged(str(path), f"{count:,} trials")
    except sqlite3.Error as error:
        raise damaged(str(path), str(error)) from None


def check_directions(
    study: optuna.Study, database: str, directions: Sequence[StudyDirection]
) -> None:
    """Raises ValueError for a study of another metric or of other objectives."""
    with readable(database):
        found = study.directions
    if found != directions:
        raise ValueError(
            f"{database}: its search looks for something else, another metric or other objectives; "
            "choose another name for the sweep"
        )


def check_trials(study: optuna.Study, database: str, space: Mapping[str, BaseDistribution]) -> None:
    """Raises ValueError for a study with trials of another space that have come to an end."""
    with readable(database):
        trials = study.get_trials(deepcopy=False)
    for number, trial in enumerate(trials):
        if trial.number != number:
            raise damaged(database, f"trial {number} is missing")
        is_used = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        if is_used and (problem := problem_of(trial, space) or _problem_of_result(trial, study)):
            raise damaged(database, f"trial {number}: {problem}")


def problem_of(trial: FrozenTrial, space: Mapping[str, BaseDistribution]) -> str:
    """Why a trial's parameters are not of the space; "" where they are."""
    try:
        optuna.create_trial(state=TrialState.RUNNING, params=trial.params, distributions={**space})
    except (ValueError, OverflowError) as error:
        return str(error)[:200]
    return ""


def _problem_of_result(trial: FrozenTrial, study: optuna.Study) -> str:
    """Why Optuna could not work with a trial's result."""
    if trial.state == TrialState.COMPLETE and len(trial.values or []) != len(study.directions):
        return f"{len(trial.values or [])} values for {len(study.directions)} objectives"
    if any(not is_number(trial.user_attrs.get(what, 0)) for what in ("megabytes", "microseconds")):
        return "a size or a time that is no number"
    limits = [v for key, v in trial.system_attrs.items() if key.startswith("constraints")]
    if not all(map(is_number, limits)):
        return "limits that are no numbers"
    return ""


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number of a size that a search has anything of."""
    return type(value) in (int, float) and abs(value) < 1e15  # type: ignore[arg-type]


def is_name(value: object) -> TypeGuard[str]:
    """Whether it can be something in the sweep's folder."""
    return isinstance(value, str) and value not in ("", ".", "..") and not {*value} & {*"/\\\0"}
