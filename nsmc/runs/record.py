"""The run record, `run.json`: what a run is, on what, how far it came, and how it came out.

It is written when a run begins and again when it ends, so a record that says "running" is of a run
that is alive, and then holds its folder's lock, or of one that was killed.

Anybody may have written a record that is read: what is not of its type is left out.
"""

import importlib.metadata
import json
import logging
import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nsmc.atomic import write_file
from nsmc.config.errors import describe
from nsmc.runs.record_fields import without_wrong_fields
from nsmc.runtime.morphemes import PACKAGES
from nsmc.small_files import read_json
from nsmc.termination import exception_arrived
from nsmc.training.signals import Pruned
from nsmc.training.slurm import job_number

log = logging.getLogger(__name__)

Record = dict[str, Any]

RECORD_FILE = "run.json"
_LOCK_FILE = ".lock"
_SECONDS_TO_LOCK = 1.0  # for who only looks whether a run is alive to let go of the lock

_PACKAGES = (
    *("nsmc", "torch", "pytorch-lightning", "hydra-core", "omegaconf", "tokenizers", "pandas"),
    *("safetensors", "tensorboard", "torchmetrics", "numpy", *PACKAGES),
)

_reported: set[Path] = set()  # the folders whose damaged records were named


class BusyError(ValueError):
    """Another process is at work on the run."""


def write_record(folder: Path, record: Record) -> None:
    """Write `run.json`; raises what `write_file` raises."""
    write_file(folder / RECORD_FILE, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def read_record(folder: Path) -> Record | None:
    """The folder's record; None where there is none, or a damaged one, which is logged once."""
    try:
        return load_record(folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        if folder not in _reported:
            _reported.add(folder)
            log.warning("%s; it is left out", describe(error))
        return None


def load_record(folder: Path) -> Record:
    """The folder's record, without the entries that cannot be what a run wrote.

    Raises FileNotFoundError or NotADirectoryError where there is none, and ValueError for a damaged
    one.
    """
    path = folder / RECORD_FILE
    record = read_json(path)
    try:
        return without_wrong_fields(record)
    except ValueError as error:
        raise ValueError(f"{path}: damaged: {error}") from None


def final_step_config(record: Record) -> Record:
    """The configuration of what the folder holds: of a recipe that of its last step."""
    config: Record = record.get("final_step_config") or record.get("config") or {}
    return config


def state_of(folder: Path) -> str:
    """new, running, interrupted, failed, pruned or finished."""
    record = read_record(folder)
    if record is None:
        return "new"
    status = str(record.get("status", "finished"))  # the first records were written at the end only
    return "interrupted" if status == "running" and not is_occupied(folder) else status


def is_occupied(folder: Path) -> bool:
    """Whether a living process is at work on the run."""
    return is_locked(folder / _LOCK_FILE)


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock; it does not where that is no file of our own."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with held(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # nobody can lock anything there
        return False


@contextmanager
def held(path: Path, timeout: float = -1) -> Iterator[None]:
    """Hold a lock; raises Timeout, and OSError naming the file where it cannot be locked."""
    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except Timeout:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Hold the run's folder. Raises BusyError where another process does."""
    try:
        with held(folder / _LOCK_FILE, timeout=_SECONDS_TO_LOCK):
            yield
    except Timeout:
        raise BusyError(f"{folder}: another process is at work on this run") from None


@contextmanager
def recorded(folder: Path, record: Record) -> Iterator[Record]:
    """Keep the record of a run true from its beginning to its end, whatever that is.

    What the body adds to the record is written when it ends.
    """
    process: Record = {"host": socket.gethostname(), "pid": os.getpid()}
    if job := job_number():
        process["slurm_job"] = job
    record = {**record, **process, "status": "running", "error": None}
    write_record(folder, record)
    try:
        yield record
    except BaseException as error:
        exception_arrived()
        is_failure = isinstance(error, Exception)
        status = "failed" if is_failure else "interrupted"
        record["status"] = "pruned" if isinstance(error, Pruned) else status
        record["error"] = describe(error) if is_failure else None
        with suppress(OSError):  # on a full disk the record says "running", which is then not true
            write_record(folder, record)
        raise
    record["status"] = "finished"
    write_record(folder, record)


def environment() -> Record:
    """What ran: versions of Python and the packages, and the commit of the code."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):  # run from a clone, not installed
            versions[name] = importlib.metadata.version(name)
    return {"versions": versions, "git_commit": _git_commit()}


def _git_commit() -> str | None:
    """The commit of the code that ran, "+changes" where files were edited.

    None without git, and where the code is installed inside somebody else's repository: its HEAD
    is not ours, and what its settings would execute is not to be run.
    """
    here = Path(__file__)
    # Git's own variables, as a hook has them, would name another repository.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"  # killed, it leaves no lock behind

    def git(*arguments: str) -> str:
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(here.parent), *arguments]
        finished = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10, env=environment
        )
        return finished.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return None
