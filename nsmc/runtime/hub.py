"""Bundles on a model hub, `hf://OWNER/REPO[@REVISION]`: fetched once, checked, kept in a cache.

The cache holds each bundle under a digest of its content, so that two names of one bundle share a
folder, and a name that means another one tomorrow gets another folder. A folder appears whole, and
processes that start at once wait for the one that fetches. HF_HUB_OFFLINE forbids to ask the hub.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from nsmc.atomic import whole_folder, write_file
from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    TOKENIZER_CONFIG_FILE,
    VECTORS_FILE,
    BundleConfig,
    digests,
)
from nsmc.runtime.hub_files import HubName, download, endpoint, small_file
from nsmc.runtime.loading import largest_sizes, read_config, refuse_giant
from nsmc.small_files import read_json

try:
    import fcntl
except ImportError:  # Windows: processes that start at once all fetch, and each moves its own
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_COMMIT = re.compile(r"[0-9a-f]{40}")
_KEY = re.compile(r"[0-9a-f]{64}")

_OPTIONAL = (CARD_FILE, TOKENIZER_CONFIG_FILE, VECTORS_FILE)


def hub_bundle(path: str | Path) -> Path:
    """The folder of the cache with that bundle, which is fetched where it is not there.

    Raises ValueError for a bad name and for files that are not those of a bundle, FileNotFoundError
    for what the hub does not have, PermissionError for what it refuses, and ConnectionError where
    it cannot be reached and nothing is in the cache.
    """
    name = HubName.parse(str(path))
    cache = cache_folder()
    reference = cache / "names" / f"{_digest(f'{endpoint()}/{name}'.encode())[:32]}.json"
    with _alone(reference.with_suffix(".lock")):
        commit, folder = _cached(reference, cache)
        if folder and (_is_offline() or _COMMIT.fullmatch(name.revision)):
            return folder
        if _is_offline():
            raise ConnectionError(f"{name}: not in the cache, and HF_HUB_OFFLINE forbids to fetch")
        try:
            return _newest(name, reference, commit, folder)
        except ConnectionError as error:
            if folder is None:
                raise
            log.warning("%s; taking the copy in the cache", error)
            return folder


def cache_folder() -> Path:
    """NSMC_CACHE, else `nsmc` in the user's folder of caches; ValueError where there is none."""
    own, caches = os.environ.get("NSMC_CACHE"), os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return Path(own).expanduser() / "hub" if own else Path(caches).expanduser() / "nsmc" / "hub"
    except RuntimeError:  # there is no such home
        raise ValueError(f"{own or caches}: no such folder; set NSMC_CACHE to one") from None


def _cached(reference: Path, cache: Path) -> tuple[str, Path | None]:
    """The commit and the folder that a name meant last, where the folder is there and whole."""
    try:
        content = read_json(reference)
        commit, key = str(content["commit"]), str(content["bundle"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", None
    folder = cache / "bundles" / key
    is_there = _KEY.fullmatch(key) is not None and _is_whole(folder)
    return (commit, folder) if is_there else ("", None)


def _is_whole(folder: Path) -> bool:
    try:
        config = read_config(folder / CONFIG_FILE)
        return digests(folder).items() <= config.sha256.items()
    except (OSError, ValueError):
        return False


def _newest(name: HubName, reference: Path, commit: str, folder: Path | None) -> Path:
    """The folder with what the name means now."""
    config, now = small_file(name, CONFIG_FILE)
    if folder is not None and commit and commit == now:
        return folder
    # All files of one commit, though the branch may move meanwhile.
    fixed = HubName(name.repository, now or name.revision)
    small = {CONFIG_FILE: config}
    for file in _OPTIONAL:
        with contextlib.suppress(FileNotFoundError):
            small[file] = small_file(fixed, file)[0]
    key = _digest(json.dumps({file: _digest(small[file]) for file in sorted(small)}).encode())
    folder = reference.parents[1] / "bundles" / key
    if not _is_whole(folder):
        with whole_folder(folder, advice="make room there, or set NSMC_CACHE") as scratch:
            _fill(scratch, name, fixed, small)
    reference.parent.mkdir(parents=True, exist_ok=True)
    write_file(reference, json.dumps({"name": str(name), "commit": now, "bundle": key}) + "\n")
    return folder


def _fill(scratch: Path, name: HubName, fixed: HubName, small: dict[str, bytes]) -> None:
    """Write all files; raises ValueError where they are not those of `config.json`."""
    for file, content in small.items():
        (scratch / file).write_bytes(content)
    try:
        config: BundleConfig = read_config(scratch / CONFIG_FILE)
    except ValueError as error:
        reason = str(error).removeprefix(f"{scratch / CONFIG_FILE}: ")
        raise ValueError(f"{name}: its {CONFIG_FILE} is {reason}") from None
    try:
        refuse_giant(config)
    except ValueError as error:  # before what it announces fills the disk
        raise ValueError(f"{name}: {error}") from None
    for file, largest in largest_sizes(config).items():
        download(fixed, file, scratch / file, largest)
    for file, digest in digests(scratch).items():
        if config.sha256.get(file) != digest:
            raise ValueError(f"{name}: the SHA-256 of {file} is not the one in its {CONFIG_FILE}")


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; without one where the system has none.

    A cache that cannot be written, such as one in a container's image, can be read all the same.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a file system without locks, too
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            stack.callback(os.close, descriptor)
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
