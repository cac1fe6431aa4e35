"""A model hub's files over HTTP, with the standard library; `hub` keeps what is fetched.

The library of hubs would take as long to import as all else that answers a review, and what they
document is one URL for each file. HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH and HF_HOME mean what they
mean to that library.
"""

import base64
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

# A path has lost one of the slashes. Owners and repositories as hubs allow them.
_NAME = re.compile(r"hf:/{1,2}([\w-][\w.-]*)/([\w-][\w.-]*?)(?:@([^\s@]+))?/?", flags=re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HOST = re.compile(r"(\[[^]@]*\]|[\w.-]+)(:[0-9]{1,5})?/")
_SCHEME = re.compile(r"[\w+.-]*://")
_USER_ALONE = re.compile(r"[^[/:]*:(?![0-9]{0,5}(/|$))")  # and a password, which no port is

_LARGEST = 16 << 20  # bytes of a small file
_AT_ONCE = 1 << 20  # bytes
_TIMEOUT = 30  # seconds without an answer, or without a byte more of one
# All of an answer may take a minute, and a second more for each so many bytes that have come: a
# byte now and then would keep a program waiting for days.
_PATIENCE = 60  # seconds
_SLOWEST = 10_000  # bytes a second

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
        if found is None or not name.isprintable():
            written = re.sub("^hf:/*", "hf://", name)
            raise ValueError(f"{written}: expected hf://OWNER/REPO or hf://OWNER/REPO@REVISION")
        return cls(f"{found[1]}/{found[2]}", found[3] or "main")

    def __str__(self) -> str:
        revision = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf://{self.repository}{revision}"


def small_file(name: HubName, file: str) -> tuple[bytes, str]:
    """The content of a file, and the commit that it is of, "" where the hub does not say."""
    with _opened(name, file) as answer:
        content = answer.read(_LARGEST + 1)
        commit = answer.headers.get("X-Repo-Commit") or ""
        if len(content) > _LARGEST:
            raise ValueError(f"{name}: {file} is larger than {_LARGEST:,} bytes")
        _check_all_came(answer, len(content))
    return content, commit if _COMMIT.fullmatch(commit) else ""


def download(name: HubName, file: str, path: Path, largest: int) -> None:
    with _opened(name, file) as answer, path.open("wb") as output:
        while part := answer.read(_AT_ONCE):
            output.write(part)
            if output.tell() > largest:
                raise ValueError(f"{name}: {file} is larger than {largest:,} bytes")
        _check_all_came(answer, output.tell())


def _check_all_came(answer: Any, size: int) -> None:
    """Raises _CutOffError where the connection ended too early, which `read` keeps to itself."""
    if answer.length:  # bytes of those announced; None where the announcement makes no sense
        raise _CutOffError(f"after {size:,} bytes")


@contextlib.contextmanager
def _opened(name: HubName, file: str) -> Iterator[Any]:
    """A hub's answer; an error that comes while it is read is told the same way."""
    url = f"{endpoint()}/{name.repository}/resolve/{quote(name.revision, safe='')}/{file}"
    try:
        with _answer(url, authorization(_token())) as answer:
            yield answer
    except HTTPError as error:
        with error:
            raise _refusal(error, name, file) from None
    except _TooSlowError as error:
        line = f"{name}: {file} comes too slowly from {endpoint()}, {error}; try again later"
        raise ConnectionError(line) from None
    except (_CutOffError, IncompleteRead) as error:  # that one where a file comes in chunks
        after = f" {error}" if isinstance(error, _CutOffError) else ""
        line = f"{name}: {file} from {endpoint()} was cut off{after}; try again later"
        raise ConnectionError(line) from None
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(f"{name}: no answer from {endpoint()} ({reason})") from None


def _answer(url: str, authorization: str) -> Any:
    try:
        request = Request(url, headers={"User-Agent": "nsmc"})
        if authorization:
            request.add_unredirected_header("Authorization", authorization)
        return build_opener(_SentOn, _Timed).open(request, timeout=_TIMEOUT)
    except ValueError as error:  # of an address that is none: ours, or one that we are sent on to
        raise URLError(str(error)) from None


class _Timed(HTTPHandler, HTTPSHandler):
    """Gives an answer up that comes too slowly, its headers included."""

    def do_open(
        self, http_class: Callable[..., Any], req: Request, **settings: Any
    ) -> HTTPResponse:
        def connection(*address: Any, **more: Any) -> Any:
            made = http_class(*address, **more)
            made.response_class = _TimedResponse
            return made

        return super().do_open(connection, req, **settings)


class _TimedResponse(HTTPResponse):
    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.fp = BufferedReader(TimedReader(self.fp.detach()))


class TimedReader(RawIOBase):
    """The bytes of a socket; raises TimeoutError where they come more slowly than is bearable."""

    def __init__(self, raw: RawIOBase) -> None:
        self.raw, self.size, self.begun = raw, 0, monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        seconds = monotonic() - self.begun
        if seconds > _PATIENCE + self.size / _SLOWEST:
            raise _TooSlowError(f"{self.size:,} bytes in {seconds:,.0f} seconds")
        count: int | None = self.raw.readinto(buffer)
        self.size += count or 0
        return count

    def close(self) -> None:
        self.raw.close()
        super().close()


class _TooSlowError(TimeoutError):
    """What came in how long."""


class _CutOffError(ConnectionError):
    """After how many bytes."""


class _SentOn(HTTPRedirectHandler):
    """Shows the token to the hub again, where it sends us on to another address of its own.

    Never to other hosts, on which large files lie.
    """

    def redirect_request(self, req: Request, *answer: Any) -> Request | None:
        *_, address = answer
        if urlsplit(address).scheme not in ("http", "https"):
            return None  # an error, as any other answer that is not the file
        sent_on = super().redirect_request(req, *answer)
        token = req.get_header("Authorization")
        if sent_on is not None and token and _origin(sent_on) == _origin(req):
            sent_on.add_unredirected_header("Authorization", token)
        return sent_on


def _origin(request: Request) -> tuple[str, str]:
    """Whom it is for; its `host` may be a proxy's."""
    scheme, host, *_ = urlsplit(request.full_url)
    return scheme, host


def _refusal(error: HTTPError, name: HubName, file: str) -> OSError:
    code, problem = error.headers.get("X-Error-Code", ""), "HTTP " + str(error.code)
    if code == "EntryNotFound" or (error.code == 404 and not code):
        return FileNotFoundError(f"{name}: holds no bundle, {file} is missing")
    problem = _PROBLEMS.get(code, problem)
    if error.code >= 500 or error.code == 429:
        return ConnectionError(f"{name}: {endpoint()} answers {problem}; try again later")
    has_token = "the token was not enough" if _token() else "a token in HF_TOKEN may help"
    line = f"{name}: {problem} ({endpoint()}; {has_token})"
    return FileNotFoundError(line) if error.code == 404 else PermissionError(line)


def endpoint() -> str:
    """The hub's address, without a user and a password; raises ValueError for one that is none."""
    address, _ = _endpoint()
    if not re.match("https?://[^/]", address):
        raise ValueError(
            f"HF_ENDPOINT={address}: expected https://HOST, or https://HOST:PORT, as an address"
        )
    return address


def _endpoint() -> tuple[str, str]:
    """The address, which error lines show, and the user and the password that HF_ENDPOINT has."""
    written = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    scheme = match.group() if (match := _SCHEME.match(written)) else ""
    rest = written[len(scheme) :]
    if _HOST.match(rest):  # any @ is the path's
        return written, ""
    user, _, address = rest.rpartition("@")
    if _USER_ALONE.match(address):  # someone has left out the host
        user, address = address, ""
    return scheme + address, user


def authorization(token: str) -> str:
    """The header that opens the hub: the user and the password of HF_ENDPOINT go before a token."""
    _, user = _endpoint()
    if user:
        return f"Basic {base64.b64encode(unquote(user).encode()).decode()}"
    return f"Bearer {token}" if token else ""


def _token() -> str:
    """HF_TOKEN, else what `hf auth login` has kept; "" without one.

    Raises ValueError, which does not show it, for what cannot be one.
    """
    token = os.environ.get("HF_TOKEN", "").strip() or _kept_token()
    if not re.fullmatch("[!-~]*", token):
        raise ValueError("the token for the hub has characters that no token has; see HF_TOKEN")
    return token


def _kept_token() -> str:
    try:
        home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
        path = Path(os.environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: there is no home
        return ""
