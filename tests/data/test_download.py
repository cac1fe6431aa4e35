"""Missing corpus files are fetched, checked and retried once, from a server on this machine."""

import errno
import gc
import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nsmc.data.download import RemoteFile, fetch_missing

CONTENT = "id\tdocument\tlabel\n1\t재미있다\t1\n".encode() * 1_000


@dataclass(frozen=True)
class Reply:
    """`sent` is what the server sends of the `body` whose size it announces."""

    status: int = 200
    body: bytes = CONTENT
    sent: int | None = None


OK, FAILED = Reply(), Reply(status=500, body=b"sorry")
CUT_SHORT, ALTERED = Reply(sent=1_000), Reply(body=CONTENT.replace(b"1", b"0"))


@dataclass
class Server:
    url: str
    requested: list[str] = field(default_factory=list)

    def remote(self, name: str = "ratings.txt", content: bytes = CONTENT) -> RemoteFile:
        return RemoteFile(f"{self.url}/{name}", hashlib.sha256(content).hexdigest())


@contextmanager
def serving(replies: Sequence[Reply]) -> Iterator[Server]:
    """A server that gives these replies, one for each request, and then fails."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requested.append(self.path)
            reply = left.pop(0) if left else FAILED
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.sent])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http_server:
        server = Server(f"http://127.0.0.1:{http_server.server_port}")
        thread = threading.Thread(target=http_server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http_server.shutdown()
            thread.join()


# The HTTP library drops a connection that failed, and its socket warns when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def direct_and_impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Past any proxy of the environment, and without the pause before the second attempt."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    gc.freeze()  # what was there before, or to look through it takes most of a second
    yield
    gc.collect()  # here, where the warning is ignored, and not in a later test
    gc.unfreeze()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_missing_files_are_fetched_into_a_folder_that_is_made(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    other = b"other content"
    with serving([OK, Reply(body=other)]) as server:
        fetch_missing(
            root, {"train.txt": server.remote("a.txt"), "test.txt": server.remote("b", other)}
        )
    assert (root / "train.txt").read_bytes() == CONTENT
    assert (root / "test.txt").read_bytes() == other
    assert files_in(root) == ["test.txt", "train.txt"]
    assert server.requested == ["/a.txt", "/b"]


def test_a_file_that_is_there_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"my own")
    (tmp_path / "unpublished.txt").write_bytes(b"mine, too")
    with serving([OK, OK]) as server:
        files = {
            "mine.txt": server.remote(),
            "unpublished.txt": None,
            "absent.txt": server.remote(),
        }
        fetch_missing(tmp_path, files)
    assert (tmp_path / "mine.txt").read_bytes() == b"my own"
    assert (tmp_path / "unpublished.txt").read_bytes() == b"mine, too"
    assert (tmp_path / "absent.txt").read_bytes() == CONTENT
    assert len(server.requested) == 1


def test_a_download_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with serving([OK]) as server:
            fetch_missing(tmp_path, {"ratings.txt": server.remote()})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "ratings.txt").stat().st_mode) == 0o640


def test_a_full_disk_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with serving([OK]) as server, pytest.raises(OSError, match="No space left") as raised:
        fetch_missing(tmp_path, {"ratings.txt": server.remote()})
    assert str(tmp_path / "ratings.txt") in str(raised.value)
    assert "data.root" in str(raised.value)
    assert files_in(tmp_path) == []
    assert len(server.requested) == 1


@pytest.mark.parametrize("first", [FAILED, CUT_SHORT, ALTERED, Reply(status=404)])
def test_a_failed_attempt_is_repeated_once(tmp_path: Path, first: Reply) -> None:
    with serving([first, OK]) as server:
        fetch_missing(tmp_path, {"ratings.txt": server.remote()})
    assert (tmp_path / "ratings.txt").read_bytes() == CONTENT
    assert files_in(tmp_path) == ["ratings.txt"]
    assert len(server.requested) == 2


@pytest.mark.parametrize("reply", [FAILED, CUT_SHORT, Reply(status=404)])
def test_a_file_that_cannot_be_had_names_three_ways_out_and_leaves_nothing(
    tmp_path: Path, reply: Reply
) -> None:
    with (
        serving([reply, reply]) as server,
        pytest.raises(FileNotFoundError) as raised,
    ):
        fetch_missing(tmp_path, {"ratings.txt": server.remote()})
    assert_names_ways_out(str(raised.value), tmp_path / "ratings.txt", f"{server.url}/ratings.txt")
    assert files_in(tmp_path) == []
    assert len(server.requested) == 2


def assert_names_ways_out(message: str, path: Path, url: str) -> None:
    assert str(path) in message
    assert url in message
    assert "put the file" in message
    assert "data.root" in message
    assert "data=sample" in message
    assert "\n" not in message


def test_a_refused_connection_names_three_ways_out_and_leaves_nothing(tmp_path: Path) -> None:
    # Bound but not listening: the port is nobody else's, and connecting to it is refused.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/ratings.txt"
        with pytest.raises(FileNotFoundError) as raised:
            fetch_missing(tmp_path, {"ratings.txt": RemoteFile(url, "0" * 64)})
    assert_names_ways_out(str(raised.value), tmp_path / "ratings.txt", url)
    assert files_in(tmp_path) == []


def test_what_was_not_published_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with serving([ALTERED, ALTERED]) as server, pytest.raises(ValueError) as raised:
        fetch_missing(tmp_path, {"ratings.txt": server.remote()})
    message = str(raised.value)
    assert hashlib.sha256(CONTENT).hexdigest() in message
    assert_names_ways_out(message, tmp_path / "ratings.txt", f"{server.url}/ratings.txt")
    assert files_in(tmp_path) == []
    assert len(server.requested) == 2


def test_a_file_that_is_neither_there_nor_published_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        fetch_missing(tmp_path, {"ratings.txt": None})
    assert str(tmp_path / "ratings.txt") in str(raised.value)
    assert "data.root" in str(raised.value)
    assert files_in(tmp_path) == []
