"""What a person typed at the prompt, for the arrow keys: in this session, and for later ones.

Lines are kept in a file of the user's alone, under XDG_STATE_HOME. Where that cannot be, or Python
has no readline, the prompt works without; nobody is told, as nothing that was asked for is lost.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

try:
    import fcntl
    import readline
except ImportError:  # on Windows, or in a Python that was built without
    readline = None  # type: ignore[assignment]

LARGEST = 256 << 10  # bytes of the file; beyond, its older half goes
_LONGEST = 4096  # bytes of a line that is kept
_PATIENCE = 1.0  # seconds, for others that write; whoever types must not wait for them


class History:
    """The lines typed so far; without `is_kept`, only those of this session."""

    def __init__(self, is_kept: bool) -> None:
        self.path: Path | None = None  # of the file, where there is one
        self.is_new = False  # whether nothing was kept before
        self._last = ""
        if readline is None:
            return
        readline.set_auto_history(False)  # it would add the words that leave the prompt, too
        if is_kept:
            with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home
                self._open(_file())

    def _open(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(path) as file:
            lines = file.read(2 * LARGEST).decode(errors="replace").split("\n")
        self.path, self.is_new = path, lines == [""]
        for line in filter(None, lines):
            self._remember(line)

    def add(self, line: str) -> None:
        """Add a line, unless it is the last one again."""
        if readline is None or line == self._last:
            return
        self._remember(line)
        content = line.encode(errors="replace") + b"\n"
        if self.path is not None and len(content) <= _LONGEST:
            with contextlib.suppress(OSError), _opened(self.path) as file:
                file.write(content)
                _shorten(file)

    def _remember(self, line: str) -> None:
        self._last = line
        with contextlib.suppress(ValueError):  # what the locale cannot encode, and NUL
            readline.add_history(line)


def _file() -> Path:
    """Where the lines are kept; the standard wants a path that is relative to be ignored."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    folder = state if state.is_absolute() else Path.home() / ".local" / "state"
    return folder / "nsmc" / "history"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    """The file, to read and to append to, which nobody else changes meanwhile.

    Raises OSError where it cannot be had in time, or is no regular file, such as /dev/null.
    """
    # O_NONBLOCK: opening a pipe that nobody reads would wait for ever.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
    with FileIO(os.open(path, flags, 0o600), "a+") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(f"{path}: not a regular file")
        if stat.S_IMODE(state.st_mode) != 0o600:
            os.fchmod(file.fileno(), 0o600)
        _lock(file)  # until it is closed
        file.seek(0)
        yield file


def _lock(file: FileIO) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _shorten(file: FileIO) -> None:
    """Drop the older half of the lines where the file has become too large."""
    if file.seek(0, os.SEEK_END) <= LARGEST:
        return
    file.seek(-LARGEST // 2, os.SEEK_END)
    _, _, kept = file.read(LARGEST).partition(b"\n")
    file.truncate(0)
    file.write(kept)
