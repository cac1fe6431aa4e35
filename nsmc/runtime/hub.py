"""Bundles on a model hub, `hf://OWNER/REPO[@REVISION]`: fetched once, checked, kept in a cache.

With the standard library: what hubs document is one URL for each file, and the library of theirs
would take as long to import as all else that answers a review. The cache holds each bundle under a
digest of its content, so that two names of one bundle share a folder, and a name that means another
one tomorrow gets another folder. A folder appears whole, and processes that start at once wait for
the one that fetches.

HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what they mean to that library.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from nsmc.atomic import whole_folder, write_file
from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    TOKENIZER_CONFIG_FILE,
    VECTORS_FILE,
    BundleConfig,
    digests,
)
from nsmc.runtime.loading import largest_sizes, read_config
from nsmc.small_files import read_json

try:
    import fcntl
except ImportError:  # Windows: processes that start at once all fetch, and each moves its own
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

# A path has lost one of the slashes. Owners and repositories as hubs allow them.
_NAME = re.compile(r"hf:/{1,2}([\w-][\w.-]*)/([\w-][\w.-]*?)(?:@([^\s@]+))?/?", flags=re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_KEY = re.compile(r"[0-9a-f]{64}")

_OPTIONAL = (CARD_FILE, TOKENIZER_CONFIG_FILE, VECTORS_FILE)
_LARGEST = 16 << 20  # bytes of a small file
_AT_ONCE = 1 << 20  # bytes
_TIMEOUT = 30  # seconds without an answer, or without a byte more of one

# What a hub's X-Error-Code says, in our words.
_PROBLEMS = {
    "RepoNotFound": "there is no such repository, or it is private",
    "GatedRepo": "its owner must give you access first",
    "RevisionNotFound": "the repository has no such revision",
}


@dataclass(frozen=True)
class HubName:
    """A repository and a branch, a tag or a commit of it."""

    repository: str  # OWNER/REPO
    revision: str

    @classmethod
    def parse(cls, name: str) -> "HubName":
        """Raises ValueError for what is no such name."""
        found = _NAME.fullmatch(name)
        if found is None:
            written = re.sub("^hf:/*", "hf://", name)
            raise ValueError(f"{written}: expected hf://OWNER/REPO or hf://OWNER/REPO@REVISION")
        return cls(f"{found[1]}/{found[2]}", found[3] or "main")

    def __str__(self) -> str:
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{self.repository}{revision}"


def hub_bundle(path: str | Path) -> Path:
    """The folder of the cache with that bundle, which is fetched where it is not there.

    Raises ValueError for a bad name and for files that are not those of a bundle, FileNotFoundError
    for what the hub does not have, PermissionError for what it refuses, and ConnectionError where
    it cannot be reached and nothing is in the cache.
    """
    name = HubName.parse(str(path))
    cache = cache_folder()
    reference = cache / "names" / f"{_digest(f'{_endpoint()}/{name}'.encode())[:32]}.json"
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
    """NSMC_CACHE, else `nsmc` in the user's folder of caches."""
    if own := os.environ.get("NSMC_CACHE"):
        return Path(own).expanduser() / "hub"
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "nsmc" / "hub"


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
    config, now = _small_file(name, CONFIG_FILE)
    if folder is not None and commit and commit == now:
        return folder
    # All files of one commit, though the branch may move meanwhile.
    fixed = HubName(name.repository, now or name.revision)
    small = {CONFIG_FILE: config}
    for file in _OPTIONAL:
        with contextlib.suppress(FileNotFoundError):
            small[file] = _small_file(fixed, file)[0]
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
    for file, largest in largest_sizes(config).items():
        _download(fixed, file, scratch / file, largest)
    for file, digest in digests(scratch).items():
        if config.sha256.get(file) != digest:
            raise ValueError(f"{name}: the SHA-256 of {file} is not the one in its {CONFIG_FILE}")


def _small_file(name: HubName, file: str) -> tuple[bytes, str]:
    """The content of a file, and the commit that it is of, "" where the hub does not say."""
    with _opened(name, file) as answer:
        content = answer.read(_LARGEST + 1)
        _check_all_came(answer, len(content), f"{name}: {file}")
        commit = answer.headers.get("X-Repo-Commit") or ""
    if len(content) > _LARGEST:
        raise ValueError(f"{name}: {file} is larger than {_LARGEST:,} bytes")
    return content, commit if _COMMIT.fullmatch(commit) else ""


def _download(name: HubName, file: str, path: Path, largest: int) -> None:
    with _opened(name, file) as answer, path.open("wb") as output:
        while part := answer.read(_AT_ONCE):
            output.write(part)
            if output.tell() > largest:
                raise ValueError(f"{name}: {file} is larger than {largest:,} bytes")
        _check_all_came(answer, output.tell(), f"{name}: {file}")


def _check_all_came(answer: Any, size: int, what: str) -> None:
    """Raises ConnectionError where the connection ended too early, which `read` keeps to itself."""
    if size < int(answer.headers.get("Content-Length") or 0):
        raise ConnectionError(f"{what} was cut off after {size:,} bytes")


@contextlib.contextmanager
def _opened(name: HubName, file: str) -> Iterator[Any]:
    """A hub's answer; an error that comes while it is read is told the same way."""
    endpoint = _endpoint()
    url = f"{endpoint}/{name.repository}/resolve/{quote(name.revision, safe='')}/{file}"
    request = Request(url, headers={"User-Agent": "nsmc"})
    if token := _token():
        # Of this request alone: large files lie on other hosts, to which the hub sends us on.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urlopen(request, timeout=_TIMEOUT) as answer:
            yield answer
    except HTTPError as error:
        with error:
            raise _refusal(error, name, file) from None
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(f"{name}: no answer from {endpoint} ({reason})") from None


def _refusal(error: HTTPError, name: HubName, file: str) -> OSError:
    code, problem = error.headers.get("X-Error-Code", ""), "HTTP " + str(error.code)
    if code == "EntryNotFound" or (error.code == 404 and not code):
        return FileNotFoundError(f"{name}: holds no bundle, {file} is missing")
    problem = _PROBLEMS.get(code, problem)
    if error.code >= 500 or error.code == 429:
        return ConnectionError(f"{name}: {_endpoint()} answers {problem}; try again later")
    has_token = "the token was not enough" if _token() else "a token in HF_TOKEN may help"
    line = f"{name}: {problem} ({_endpoint()}; {has_token})"
    return FileNotFoundError(line) if error.code == 404 else PermissionError(line)


def _endpoint() -> str:
    """The hub's address; raises ValueError for one that is none."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise ValueError(f"HF_ENDPOINT={endpoint}: expected an address that begins with https://")
    return endpoint


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _token() -> str:
    """HF_TOKEN, else what `hf auth login` has kept; "" without one."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    try:
        path = Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; without one where the system has none."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
