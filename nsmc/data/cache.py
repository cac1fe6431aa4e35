"""Content-addressed folders: built once, verified at each use, safe when several runs want one.

A folder is named by a digest of everything that determines what is in it. It appears only when it
is complete, carries a manifest with the digest of each file, and is built again when a file is
missing or altered.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from nsmc.atomic import whole_folder
from nsmc.small_files import open_regular, read_json

_MANIFEST = "manifest.json"

_ADVICE = "choose a folder with room, that can be written, with data.cache_dir"


def digest_of(value: Any) -> str:
    """A short hexadecimal digest of a JSON value, the same for equal values."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def digest_of_file(path: Path) -> str:
    """The file's SHA-256, hexadecimal; ValueError where it is a pipe, a device or a folder."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a `.npy` file; raises OSError with the system's reason, which numpy itself drops."""
    array = np.ascontiguousarray(array)
    header = np.lib.format.header_data_from_array_1_0(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)


def save_arrays(folder: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write each array to `NAME.npy`; raises as `save_array` does."""
    for name, array in arrays.items():
        save_array(folder / f"{name}.npy", array)


def load_arrays(folder: Path, names: Iterable[str]) -> dict[str, Any]:
    """The arrays by name, memory-mapped and read-only."""
    return {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
    }


def cached_folder(folder: Path, build: Callable[[Path], None]) -> bool:
    """Make sure that `folder` is there and intact; True if it had to be built.

    `build` fills an empty folder that it is given. Of several processes that want the same folder,
    one builds and the others wait. Raises OSError naming the folder where it cannot be written.
    """
    with _locked(folder):
        if _is_intact(folder):
            return False
        with whole_folder(folder, _ADVICE) as scratch:  # a damaged one is replaced
            build(scratch)
            (scratch / _MANIFEST).write_text(json.dumps(_digests(scratch), indent=1))
        return True


def is_cache(folder: Path) -> bool:
    """Whether it holds cached folders."""
    return any(folder.glob(f"*/{_MANIFEST}"))


def _locked(folder: Path) -> AbstractContextManager[object]:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(folder.with_suffix(".lock")).acquire()
    except OSError as error:
        raise OSError(f"cannot write {folder}: {error.strerror}; {_ADVICE}") from error


def _is_intact(folder: Path) -> bool:
    try:
        digests = read_json(folder / _MANIFEST)
        return bool(digests) and digests == _digests(folder)
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.iterdir() if path.name != _MANIFEST)
    return {path.name: digest_of_file(path) for path in files}
