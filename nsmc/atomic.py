"""Files and folders that appear whole or not at all.

Both are made beside their place, under a hidden name, put on the disk, and moved there in one step.
Until then, what was there before stays as it is. What a killed process left under such a name is
removed by the next one that writes into the same folder: a living process holds a lock on its own.

This module imports nothing but the standard library.
"""

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows: leftovers of killed processes stay
    fcntl = None  # type: ignore[assignment]

_SCRATCH = re.compile(r"\.nsmc-[0-9a-f]{12}\.tmp")
_SECONDS_TO_LOCK = 60  # what is younger may not be locked yet

_ADVICE = "make room there, or choose another place"

# What this process is writing; see `remove_unfinished`.
_unfinished: set[Path] = set()
if hasattr(os, "register_at_fork"):  # a child must not remove what its parent writes
    os.register_at_fork(after_in_child=_unfinished.clear)


@contextlib.contextmanager
def whole_file(
    path: Path,
    mode: str = "wb",
    newline: str | None = None,
    advice: str = _ADVICE,
    errors: str | None = None,
) -> Iterator[IO[Any]]:
    """A file to write, `mode` "wb" or "w" (UTF-8), that is at `path` once the body has ended well.

    It has the permissions of the file that it replaces, else the usual ones. Raises OSError, in one
    line that names `path` and ends with `advice`, where it cannot be written.
    """
    encoding = None if "b" in mode else "utf-8"
    scratch = _scratch_beside(path)
    with _names(path, scratch, advice), _unfinished_until_moved(scratch):
        scratch.touch(exist_ok=False)
        _keep_permissions(path, scratch)
        with _locked(scratch):
            with scratch.open(mode, encoding=encoding, errors=errors, newline=newline) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
    _put_on_disk(path.parent)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a small file whole or not at all; raises what `whole_file` raises."""
    with whole_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def whole_folder(path: Path, advice: str = _ADVICE) -> Iterator[Path]:
    """An empty folder to fill, that is at `path` once the body has ended well.

    A folder that was at `path` is replaced, and then removed. Raises OSError as `whole_file` does.
    """
    scratch = _scratch_beside(path)
    with _names(path, scratch, advice), _unfinished_until_moved(scratch):
        scratch.mkdir()
        with _locked(scratch):
            yield scratch
            for entry in [*scratch.rglob("*"), scratch]:
                _put_on_disk(entry)
            _move_folder(scratch, path)
    _put_on_disk(path.parent)


def remove_unfinished() -> None:
    """Remove what this process has not finished; for a handler that ends the process at once."""
    for scratch in tuple(_unfinished):
        _remove(scratch)


def _scratch_beside(path: Path) -> Path:
    """A new hidden name in the folder of `path`, from which leftovers are removed."""
    with contextlib.suppress(OSError):  # whoever writes will say so
        for entry in os.scandir(path.parent):
            if _SCRATCH.fullmatch(entry.name) and _is_left_behind(Path(entry.path)):
                _remove(Path(entry.path))
    return path.with_name(f".nsmc-{secrets.token_hex(6)}.tmp")


@contextlib.contextmanager
def _unfinished_until_moved(scratch: Path) -> Iterator[None]:
    _unfinished.add(scratch)
    try:
        yield
    finally:
        _remove(scratch)  # after the move there is none, or it is what was replaced
        _unfinished.discard(scratch)


@contextlib.contextmanager
def _names(path: Path, scratch: Path, advice: str) -> Iterator[None]:
    """Make an OSError about writing name `path`; one that names another file is left as it is."""
    try:
        yield
    except OSError as error:
        culprit = None if error.filename is None else Path(os.fsdecode(error.filename))
        if culprit is not None and culprit != path and not culprit.is_relative_to(scratch):
            raise
        if error.strerror is None or isinstance(error, BrokenPipeError):
            raise  # it says all by itself, or is about who reads our output
        named = OSError(f"cannot write {path}: {error.strerror}; {advice}")
        named.errno = error.errno
        raise named from error


def _keep_permissions(path: Path, scratch: Path) -> None:
    """Those of the file at `path`, where there is one; else those that the umask gave stay."""
    with contextlib.suppress(OSError):
        scratch.chmod(stat.S_IMODE(path.lstat().st_mode))


@contextlib.contextmanager
def _locked(scratch: Path) -> Iterator[None]:
    """Hold the lock that says that a living process writes `scratch`, where there are locks."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(scratch, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or this file system knows no locks
        return False
    return True


def _is_left_behind(scratch: Path) -> bool:
    """Whether no living process is writing it; False where that cannot be known."""
    if fcntl is None or scratch in _unfinished:
        return False
    try:
        if time.time() - scratch.lstat().st_mtime < _SECONDS_TO_LOCK:
            return False
        descriptor = os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _move_folder(scratch: Path, path: Path) -> None:
    """Put `scratch` at `path`; a folder that was there is at `scratch` afterwards."""
    aside = path.with_name(f".{path.name}.replaced")
    if aside.exists() and not path.exists():  # killed between the renames below
        aside.rename(path)
    if not path.exists():
        scratch.rename(path)
        return
    if _exchange(scratch, path):
        return
    path.rename(aside)
    try:
        scratch.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    aside.rename(scratch)


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step, where the system can (Linux's renameat2)."""
    if not sys.platform.startswith("linux"):
        return False
    at_cwd, exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    if renameat2(at_cwd, os.fsencode(first), at_cwd, os.fsencode(second), exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EPERM):  # this file system or container cannot
        return False
    raise OSError(number, os.strerror(number), str(second))


def _put_on_disk(path: Path) -> None:
    """Let what is at `path` outlast a power failure; of a folder, as far as the system lets us."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        if not is_folder:
            raise


def _remove(scratch: Path) -> None:
    with contextlib.suppress(OSError):
        if scratch.is_dir() and not scratch.is_symlink():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)
