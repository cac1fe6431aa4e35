"""Locks that show that a process is alive: each in a file of its own, as process ids are reused.

A lock is held until it is released, or until its process ends.
"""

import secrets
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


def hold_process_lock(folder: Path, stem: str) -> FileLock:
    """Hold a new lock, `.STEM-….lock`, and remove those of processes that have ended."""
    folder = folder.absolute()
    for path in folder.glob(f".{stem}-{'[0-9a-f]' * 8}.lock"):
        _remove_unless_held(path)
    lock = FileLock(folder / f".{stem}-{secrets.token_hex(4)}.lock", thread_local=False)
    lock.acquire()
    return lock


def release_process_lock(lock: FileLock) -> None:
    """Release the lock and remove its file."""
    lock.release(force=True)
    _remove_unless_held(Path(lock.lock_file))


def _remove_unless_held(path: Path) -> None:
    """Removed while we hold it: a process that has just created the file creates another one."""
    if not path.is_symlink():  # to somebody's file
        with suppress(Timeout, OSError), FileLock(path, timeout=0):
            path.unlink()
