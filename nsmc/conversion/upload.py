"""A bundle onto a model hub: `nsmc push`, with huggingface_hub.

Nothing but the bundle's own files is uploaded, as they are at the moment at which they are checked.
"""

import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

# The error of whichever HTTP library its releases are built on.
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

from nsmc.runtime.bundle import CARD_FILE, CONFIG_FILE, NAMES
from nsmc.runtime.card import with_license
from nsmc.runtime.hub_files import HubName, authorization, endpoint
from nsmc.runtime.loading import read_bundle
from nsmc.small_files import open_regular

_PROBLEMS = {
    401: "the token is refused: make a new one, and set HF_TOKEN or run hf auth login",
    403: "the token may not write there: it needs the role write, and {owner} must be yours",
    404: "there is no such repository; without --update it is made",
    409: "is there already; --update adds a commit to it",
}


_PATIENCE = 300  # seconds
_SLOWEST = 10_000  # bytes a second


class StalledError(ConnectionError):
    """The hub neither finished nor refused; the thread that waits for it is still there."""


@dataclass(frozen=True)
class Upload:
    """What was asked for."""

    repository: str  # OWNER/NAME
    branch: str = "main"  # which --update makes where it is not there
    message: str = "A bundle of nsmc"
    license: str | None = None  # in place of the card's
    is_private: bool = False  # a new repository
    is_update: bool = False  # of one that is there


def push(folder: Path, upload: Upload) -> str:
    """Make a repository with the bundle of `folder`, or add a commit; returns its address.

    Raises what `read_bundle` raises, ValueError for a bad name or license, PermissionError without
    a token that may write, FileExistsError and FileNotFoundError as the repository is there or not,
    and ConnectionError where the hub cannot be reached, answers with another error, or takes too
    long (StalledError).
    """
    files = _files(folder, upload.license)
    token = get_token()
    if token is None:
        raise PermissionError("no token for the hub: set HF_TOKEN, or run hf auth login")
    # The library would show a user and a password that are in the address.
    address = endpoint() if os.environ.get("HF_ENDPOINT") else None
    headers = {"authorization": authorization(token)}
    api = HfApi(endpoint=address, headers=headers, library_name="nsmc")
    if not sys.stderr.isatty():
        disable_progress_bars()
    _within(seconds_for(files), lambda: _send(api, upload, token, files), upload.repository)
    revision = "" if upload.branch == "main" else f"@{upload.branch}"
    return f"hf://{upload.repository}{revision}"


def seconds_for(files: Mapping[str, bytes]) -> float:
    """How long an upload may take: five minutes, and a second for every 10 kB."""
    return _PATIENCE + sum(map(len, files.values())) / _SLOWEST


def _within(seconds: float, send: Callable[[], None], repository: str) -> None:
    """Call it; raises StalledError where it takes longer, and what it raises.

    The library waits for ever for a hub that does not answer, or sends a byte now and then, and
    only a thread of its own can be left alone with that.
    """
    future: Future[None] = Future()

    def run() -> None:
        try:
            send()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if not wait([future], seconds).done:
        raise StalledError(
            f"{repository}: the hub has not taken the bundle in {seconds:,.0f} seconds; see what "
            "is there, and push again, with --update if there is a repository"
        )
    future.result()


def _send(api: HfApi, upload: Upload, token: str, files: dict[str, bytes]) -> None:
    is_made = False
    try:
        if not upload.is_update:
            api.create_repo(upload.repository, private=upload.is_private or None, token=token)
            is_made = True
        elif upload.branch != "main":
            api.create_branch(upload.repository, branch=upload.branch, exist_ok=True, token=token)
        api.create_commit(
            upload.repository,
            [
                *(CommitOperationAdd(name, content) for name, content in files.items()),
                *_outdated(api, upload, token, files),
            ],
            commit_message=upload.message,
            revision=upload.branch,
            token=token,
        )
    # KeyError and TypeError: of answers that are no hub's, such as a proxy's.
    except (HTTPError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise _explained(error, upload, is_made) from error


def repository_name(name: str) -> str:
    """OWNER/NAME, also written hf://OWNER/NAME; raises ValueError for anything else."""
    try:
        parsed = HubName.parse(name if name.startswith("hf:") else f"hf://{name}")
    except ValueError:
        parsed = None
    if parsed is None or "@" in name:
        raise ValueError(f"{name}: expected OWNER/NAME of a repository, such as me/reviews")
    return parsed.repository


def _files(folder: Path, license_: str | None) -> dict[str, bytes]:
    """The content of the bundle's files; raises ValueError for one that is not sound.

    Also for a link, which may lead to any file of this machine, to be seen by everybody then.
    """
    there = [folder / name for name in NAMES if os.path.lexists(folder / name)]
    for path in there:
        if not stat.S_ISREG(path.lstat().st_mode):
            kind = "a symbolic link" if path.is_symlink() else "no regular file"
            raise ValueError(f"{path}: {kind}, which is not uploaded; put the file itself there")
    read_bundle(folder)
    files = {path.name: _content(path) for path in there}
    for name, digest in json.loads(files[CONFIG_FILE])["sha256"].items():
        if name in files and hashlib.sha256(files[name]).hexdigest() != digest:
            raise _changed(folder)
    try:
        card = files.get(CARD_FILE, b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{folder / CARD_FILE}: not UTF-8 ({error.reason})") from None
    if license_ is not None:
        # An editor on Windows may have ended its lines.
        files[CARD_FILE] = with_license(card.replace("\r\n", "\n"), license_).encode()
    return files


def _content(path: Path) -> bytes:
    """Raises ValueError where a link has taken the file's place since it was looked at."""
    with open_regular(path) as file:
        if not os.path.samestat(os.fstat(file.fileno()), path.lstat()):
            raise _changed(path.parent)
        return file.read()


def _changed(folder: Path) -> ValueError:
    return ValueError(f"{folder}: another bundle has come there just now; push again")


def _outdated(
    api: HfApi, upload: Upload, token: str, files: dict[str, bytes]
) -> list[CommitOperationDelete]:
    """Files of the earlier bundle that the new one does not have."""
    if not upload.is_update:
        return []
    there = api.list_repo_files(upload.repository, revision=upload.branch, token=token)
    return [CommitOperationDelete(name) for name in there if name in NAMES and name not in files]


def _explained(error: Exception, upload: Upload, is_made: bool) -> OSError:
    """The same in one line, with the way out; of large files, the library wraps the error."""
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    status = getattr(getattr(cause, "response", None), "status_code", None)
    owner = upload.repository.partition("/")[0]
    line = " ".join(str(cause).split())[:200] or type(cause).__name__
    if isinstance(cause, KeyError | TypeError):
        line = f"the answer is not one of a hub ({line})"
    problem = _PROBLEMS.get(status or 0, "").format(owner=owner) or f"cannot upload: {line}"
    if is_made:
        problem += " (the repository was made, and is empty: push again with --update)"
    kinds = {401: PermissionError, 403: PermissionError, 404: FileNotFoundError}
    kind = {**kinds, 409: FileExistsError}.get(status or 0, ConnectionError)
    return kind(f"{upload.repository}: {problem}")
