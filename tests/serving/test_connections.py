"""What clients do to connections: half of a request, several at once, no end, no reading."""

import json
import socket
import time
from pathlib import Path

import pytest

from nsmc.serving import connections
from nsmc.serving.run import _listening
from tests.bundles import random_bundle
from tests.serving.test_app import ask, serving, serving_ends


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_bundle(tmp_path_factory.mktemp("served") / "bundle")


def request(body: bytes, *headers: bytes, length: bool = True) -> bytes:
    lines = [b"POST /predict HTTP/1.1", b"host: x", b"content-type: application/json", *headers]
    lines += [b"content-length: %d" % len(body)] if length else []
    return b"\r\n".join((*lines, b"", body))


def said(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def test_who_has_said_all_and_only_listens_is_answered(bundle: Path) -> None:
    texts = ["a", "영화 " * 300]  # one that is answered at once, and one in a thread
    with serving(bundle) as port:
        for text in texts:
            with connected(port) as connection:
                connection.sendall(request(json.dumps({"text": text}).encode()))
                connection.shutdown(socket.SHUT_WR)
                assert said(connection).startswith(b"HTTP/1.1 200 ")
        with connected(port) as connection:
            connection.sendall(request(b'{"text": "a"}')[:-1])
            connection.shutdown(socket.SHUT_WR)
            assert said(connection) == b""


@pytest.mark.parametrize("before", [b"", request(b'{"text": "a"}')])
@pytest.mark.parametrize("begun", [b"", b"POST /predict HTTP/1.1\r\nhos"])
def test_a_head_that_does_not_end_is_given_up(bundle: Path, before: bytes, begun: bytes) -> None:
    with serving(bundle, timeout=1) as port, connected(port) as connection:
        connection.sendall(before + begun)
        assert said(connection).count(b"HTTP/1.1 200 ") == bool(before)


def test_a_head_without_end_is_refused(bundle: Path) -> None:
    with serving(bundle) as port, connected(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(500):  # 30 MB at most, should nothing refuse it
                connection.sendall(b"a: " + b"b" * 60_000 + b"\r\n")
        assert ask(port, "/healthz") == (200, "ok")


def test_requests_that_are_sent_together_are_answered_in_order(bundle: Path) -> None:
    bodies = [json.dumps({"texts": ["영화 " * 200] * n}).encode() for n in (3, 0, 2, 1)]
    with serving(bundle) as port, connected(port) as connection:
        last = request(b'{"text": "a"}', b"connection: close")
        connection.sendall(b"".join(map(request, bodies)) + last)
        found = said(connection)
    answers = [
        json.loads(part[: part.rindex(b"}") + 1])["answers"]
        for part in found.split(b"\r\n\r\n")[1:]
    ]
    assert [len(each) for each in answers] == [3, 0, 2, 1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        request(b"{}", b"content-length: 3"),
        request(b"", b"content-length: " + b"9" * 30, length=False),
        request(b"", b"content-length: -1", length=False),
        request(b"zz\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked", length=False),
        b"GET / HTTP/1.1\r\nhost: x\r\n\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(bundle: Path, raw: bytes) -> None:
    with serving(bundle) as port, connected(port) as connection:
        connection.sendall(raw)
        assert said(connection).startswith(b"HTTP/1.1 400 ")
        assert ask(port, "/healthz") == (200, "ok")


def test_http_1_0_is_answered_and_closed(bundle: Path) -> None:
    with serving(bundle) as port, connected(port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert said(connection).endswith(b"\r\n\r\nok")


def test_a_request_on_its_way_when_the_server_ends_is_answered_as_the_last(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LAST_SECONDS", 60)
    with serving(bundle) as port, connected(port) as fresh, connected(port) as used:
        used.sendall(request(b'{"text": "a"}'))
        found = b""
        while not found.endswith(b'"}'):
            found += used.recv(1 << 16)
        ask(port, "/healthz")  # by now both are known
        serving_ends(port)
        for connection in (fresh, used):
            connection.sendall(request(b'{"text": "a"}'))
            found = said(connection)
            assert found.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in found


def test_beyond_a_number_connections_are_closed(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST", 2)
    with serving(bundle) as port:
        with connected(port) as first, connected(port) as second:
            for connection in (first, second):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                assert connection.recv(1_000)
            with connected(port) as third:
                assert said(third) == b""
        while True:  # the two are gone soon
            try:
                assert ask(port, "/healthz") == (200, "ok")
                break
            except OSError:
                time.sleep(0.01)


def test_answers_leave_at_once_and_who_does_not_read_them_is_dropped() -> None:
    """asyncio sends at once where the protocol is named, and the rest is the kernel's."""
    with _listening("127.0.0.1", 0, 2.5) as listening:
        assert listening.proto == socket.IPPROTO_TCP
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            option = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert option == 2_500
