"""Files and folders that appear whole or not at all.

Both are written beside their path under a hidden name, put on the disk, and moved in one step.
Until then, what was there before stays as it is. What a killed process left under such a name is
removed by the next one that writes into the same folder: a living process locks what it writes.

This module imports nothing but the standard library.
"""

import contextlib
import ctypes
import errno
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: leftovers of killed processes stay
    fcntl = None  # type: ignore[assignment]

_SCRATCH = re.compile(r"\.nsmc-[0-9a-f]{12}\.tmp")

# What to do where the system refuses to write, or to lock.
_WAYS_OUT = {
    **dict.fromkeys((errno.ENOSPC, errno.EFBIG, errno.EDQUOT), "make room there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "ask for the right to write there"),
    errno.EROFS: "make it writable",
    errno.ENOLCK: "choose a file system that has locks",
}

# What this process is writing; see `remove_unfinished`.
_unfinished: set[Path] = set()
if hasattr(os, "register_at_fork"):  # a child must not remove what its parent writes
    os.register_at_fork(after_in_child=_unfinished.clear)


@contextlib.contextmanager
def whole_file(path: Path, advice: str | None = None, parents: bool = False) -> Iterator[BinaryIO]:
    """A file to write, that is at `path` once the body has ended well.

    It has the permissions of the file that it replaces, else the usual ones. With `parents`,
    missing folders are made. Raises OSError, in one line that names `path` and ends with `advice`
    or else the usual way out, where it cannot be written.
    """
    with _scratch_beside(path, _touch, advice, parents) as scratch:
        _keep_permissions(path, scratch)
        with scratch.open("wb") as file:
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
def whole_folder(path: Path, advice: str | None = None) -> Iterator[Path]:
    """An empty folder to fill, that is at `path` once the body has ended well.

    Missing folders above it are made. An earlier folder is replaced, and then removed; its
    permissions, and those of its files, stay. Raises OSError as `whole_file` does.
    """
    with _scratch_beside(path, Path.mkdir, advice, parents=True) as scratch:
        yield scratch
        for entry in [*scratch.rglob("*"), scratch]:
            _keep_permissions(path / entry.relative_to(scratch), entry)
            _put_on_disk(entry)
        _move_folder(scratch, path)
    _put_on_disk(path.parent)


def refusal(error: OSError, path: str) -> str | None:
    """A line about a refusal to write or to lock `path`, with the way out; else None."""
    if error.errno not in _WAYS_OUT or error.strerror is None:
        return None
    return f"{path}: {error.strerror}; {_way_out(error)}"


def _way_out(error: OSError) -> str:
    first = _WAYS_OUT.get(error.errno or 0)
    return f"{first}, or choose another place" if first else "choose another place"


def remove_unfinished() -> None:
    """Remove what this process has not finished; for a handler that ends the process at once."""
    for scratch in tuple(_unfinished):
        _remove(scratch)


def is_unfinished(name: str) -> bool:
    """Whether a name is that of what a process is writing, or has left behind."""
    return _SCRATCH.fullmatch(name) is not None


@contextlib.contextmanager
def _scratch_beside(
    path: Path, make: Callable[[Path], None], advice: str | None, parents: bool
) -> Iterator[Path]:
    """What `make` makes at a hidden name in the folder of `path`, locked, and gone at the end."""
    _remove_left_behind(path.parent)
    scratch = path.with_name(f".nsmc-{os.urandom(6).hex()}.tmp")
    _unfinished.add(scratch)
    try:
        with _names(path, scratch, advice):
            if parents:
                path.parent.mkdir(parents=True, exist_ok=True)
            with _made_and_locked(scratch, make):
                yield scratch
    finally:
        try:
            _remove(scratch)  # after the move there is none, or it is what was replaced
        except BaseException:  # a second ^C must not leave half of it
            _remove(scratch)
            raise
        _unfinished.discard(scratch)


def _remove_left_behind(folder: Path) -> None:
    with contextlib.suppress(OSError):  # whoever writes there will say so
        for entry in os.scandir(folder):
            if is_unfinished(entry.name):
                with contextlib.suppress(OSError):  # it is locked, gone, or somebody else's
                    _remove_where_left_behind(Path(entry.path))


@contextlib.contextmanager
def _names(path: Path, scratch: Path, advice: str | None) -> Iterator[None]:
    """Make an OSError about writing name `path`; one that names another file is left as it is."""
    try:
        yield
    except OSError as error:
        culprit = path if error.filename is None else Path(os.fsdecode(error.filename))
        if not (culprit.is_relative_to(scratch) or path.is_relative_to(culprit)):
            raise
        if error.strerror is None or isinstance(error, BrokenPipeError):
            raise  # it says all by itself, or is about who reads our output
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "there is a file where a folder is needed" if is_file else error.strerror
        named = OSError(f"cannot write {path}: {reason}; {advice or _way_out(error)}")
        named.errno = error.errno
        raise named from error


def _touch(path: Path) -> None:
    path.touch(exist_ok=False)


def _keep_permissions(path: Path, scratch: Path) -> None:
    """Those of what is at `path`, where it is of the same kind; else those of the umask stay."""
    with contextlib.suppress(OSError):
        before, now = path.lstat().st_mode, scratch.lstat().st_mode
        if stat.S_IFMT(before) == stat.S_IFMT(now):
            scratch.chmod(stat.S_IMODE(before))


@contextlib.contextmanager
def _made_and_locked(scratch: Path, make: Callable[[Path], None]) -> Iterator[None]:
    """Hold the lock that says that a living process writes `scratch`, where there are locks."""
    make(scratch)
    if fcntl is None:
        yield
        return
    while (descriptor := _locked(scratch)) is None:
        make(scratch)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(scratch: Path) -> int | None:
    """A descriptor that holds the lock, if this file system knows locks.

    None where another process took `scratch` for a leftover before it was locked.
    """
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(scratch, os.O_RDONLY)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if scratch.exists():
            return descriptor
        os.close(descriptor)
    return None


def _remove_where_left_behind(scratch: Path) -> None:
    """Remove it where certainly no living process writes it."""
    if fcntl is None or scratch in _unfinished:
        return
    descriptor = os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(scratch)  # while the lock is held: nobody begins to write it meanwhile
    finally:
        os.close(descriptor)


def _move_folder(scratch: Path, path: Path) -> None:
    """Put `scratch` at `path`; a folder that was there is at `scratch` afterwards."""
    aside = path.with_name(f".{path.name}.replaced")
    if aside.exists():  # killed between the renames below
        if path.exists():
            _remove(aside)
        else:
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
    """Exchange two folders in one step, where the system can (Linux's renameat2)."""
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
            import shutil  # which takes its time, and few processes write folders

            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)
