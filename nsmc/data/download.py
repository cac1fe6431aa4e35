"""Fetches missing corpus files: checked by SHA-256, written atomically, retried once.

A file that is there is left as it is, whatever it contains: it may be the user's own.
"""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nsmc.atomic import whole_file
from nsmc.data.cache import digest_of_file

log = logging.getLogger(__name__)

PUT_THERE = (
    "a resumed run downloads nothing into a folder that only its record names: put the file there, "
    "or set data.root"
)

_SECONDS_BETWEEN_ATTEMPTS = 1

_ADVICE = "make room there, or set data.root to a folder that has the corpus"


@dataclass(frozen=True)
class RemoteFile:
    """Where a corpus file is published, "" if it must not be fetched, and its SHA-256 in hex."""

    url: str
    sha256: str


def check_root(root: Path) -> None:
    """Raises NotADirectoryError where a corpus's folder, or one that it is in, is a file."""
    nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"data.root={root}: {nearest} is a file; for files of your own set data=folder, "
            "data.root to their folder, and data.train_file and data.test_file to their names"
        )


def are_published(root: Path, files: Mapping[str, RemoteFile]) -> bool:
    """Whether each of the files that exist has the content that is published under its name."""
    return all(
        digest_of_file(root / name) == remote.sha256
        for name, remote in files.items()
        if (root / name).is_file()
    )


def fetch_missing(root: Path, files: dict[str, RemoteFile | None]) -> None:
    """Download into `root` each file that is not there.

    Raises FileNotFoundError, naming the ways out, for a file that is neither there nor published or
    that could not be downloaded, NotADirectoryError where `root` is a file, and ValueError where
    what came is not what was published.
    """
    check_root(root)
    for name, remote in files.items():
        path = root / name
        if path.is_file():
            if remote is not None and digest_of_file(path) != remote.sha256:
                log.warning("%s is not the file that is published: cut short, or your own?", path)
            continue
        if remote is None:
            raise FileNotFoundError(f"{path} is not there; set data.root to the corpus's folder")
        if not remote.url:
            raise FileNotFoundError(f"{path} is not there; {PUT_THERE}")
        download(path, remote.url, remote.sha256)


def download(path: Path, url: str, sha256: str | None) -> None:
    """Download a file, whole or not at all; None where it is not known what it must contain.

    Raises FileNotFoundError where it cannot be downloaded, and ValueError where what came is not
    what was published.
    """
    import requests  # only those who download pay for its import

    log.info("downloading %s to %s", url, path)
    try:
        try:
            _download_once(path, url, sha256)
        except (requests.exceptions.RequestException, ValueError):
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
            _download_once(path, url, sha256)
    except requests.exceptions.RequestException as error:
        raise FileNotFoundError(
            f"{path} is not there and {url} could not be downloaded "
            f"({type(error).__name__}): put the file there, set data.root to a folder that has it, "
            "or use data=sample"
        ) from error


def _download_once(path: Path, url: str, sha256: str | None) -> None:
    import pooch

    fetch = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30)
    with whole_file(path, advice=_ADVICE, parents=True) as file:
        fetch(url, file, None)
        if sha256 is not None and digest_of_file(Path(file.name)) != sha256:
            raise ValueError(
                f"{url} gave a file whose SHA-256 is not {sha256}: try again later, put "
                f"the file at {path}, set data.root to a folder that has it, or use data=sample"
            )
