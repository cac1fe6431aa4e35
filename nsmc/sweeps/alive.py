"""Locks that say that a process lives: each has a file of its own, as a number may be given again.

A lock is held until `let_go`, or as long as its process lives.
"""

import secrets
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


def sign_of_life(folder: Path, stem: str) -> FileLock:
    """Hold a new lock `.stem-….lock`, and remove those of processes that have ended."""
    folder = folder.absolute()
    for path in folder.glob(f".{stem}-{'[0-9a-f]' * 8}.lock"):
        _remove_unless_held(path)
    lock = FileLock(folder / f".{stem}-{secrets.token_hex(4)}.lock", thread_local=False)
    lock.acquire()
    return lock


def let_go(lock: FileLock) -> None:
    """Say that the process is no longer at work."""
    lock.release(force=True)
    _remove_unless_held(Path(lock.lock_file))


def _remove_unless_held(path: Path) -> None:
    """While the lock is held: who has just made the file, and waits for it, makes a new one."""
    if not path.is_symlink():  # to somebody's file
        with suppress(Timeout, OSError), FileLock(path, timeout=0):
            path.unlink()
