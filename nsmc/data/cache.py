"""Content-addressed folders: built once, verified at each use, safe when several runs want one.

A folder is named by a digest of everything that determines what is in it. It appears only when it
is complete, carries a manifest with the digest of each file, and is built again when a file is
missing or altered.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

_MANIFEST = "manifest.json"


def digest_of(value: Any) -> str:
    """A short hexadecimal digest of a JSON value, the same for equal values."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def digest_of_file(path: Path) -> str:
    """The file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_folder(folder: Path, build: Callable[[Path], None]) -> bool:
    """Make sure that `folder` is there and intact; True if it had to be built.

    `build` fills an empty folder that it is given. Of several processes that want the same folder,
    one builds and the others wait. Raises OSError naming the folder where it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if _is_intact(folder):
                return False
            _remove_leftovers(folder)
            with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as parent:
                scratch = Path(parent) / folder.name
                scratch.mkdir()
                build(scratch)
                _write_manifest(scratch)
                scratch.rename(folder)
            return True
    except OSError as error:
        if error.filename is not None and not _is_on_the_way(Path(error.filename), folder.parent):
            raise  # about another file: a corpus that cannot be read, say
        raise OSError(
            f"cannot write the cache folder {folder}: {error.strerror or error}; "
            "choose a folder with room, that can be written, with data.cache_dir"
        ) from error


def _is_on_the_way(path: Path, parent: Path) -> bool:
    """Whether `path` is a folder above `parent`, `parent` itself, or in it."""
    return path.is_relative_to(parent) or parent.is_relative_to(path)


def _is_intact(folder: Path) -> bool:
    try:
        digests = json.loads((folder / _MANIFEST).read_text())
        return bool(digests) and all(
            digest_of_file(folder / name) == digest for name, digest in digests.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _write_manifest(folder: Path) -> None:
    digests = {path.name: digest_of_file(path) for path in sorted(folder.iterdir())}
    (folder / _MANIFEST).write_text(json.dumps(digests, indent=1))


def _remove_leftovers(folder: Path) -> None:
    """Remove a damaged folder, and what a killed build left beside it; the lock is ours."""
    for leftover in [folder, *folder.parent.glob(f"{folder.name}-*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
