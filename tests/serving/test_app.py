"""The server as its clients see it: answers, limits, the page, figures; a real one, in a thread."""

import http.client
import json
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from nsmc.runtime.predictor import Predictor
from nsmc.serving.app import create_app
from nsmc.serving.connections import Connection
from nsmc.serving.settings import ServerSettings
from tests.bundles import random_bundle

TEXTS = [
    "정말 최고예요",
    "별로",
    "",
    "good movie " * 100,
    "\ud83d 😍".encode("utf-8", "replace").decode(),
]


_running: dict[int, uvicorn.Server] = {}


def serving_ends(port: int) -> None:
    """Tell a server to end, and wait until it takes no more connections."""
    _running[port].should_exit = True
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except OSError:
            return
        time.sleep(0.01)


@contextmanager
def serving(bundle: Path, **limits: Any) -> Iterator[int]:
    """The port of a server."""
    app = create_app(ServerSettings(str(bundle), **limits))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        seconds = math.ceil(limits.get("timeout", 10))
        config = uvicorn.Config(
            app, http=Connection, timeout_keep_alive=seconds, log_config=None, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        port = listening.getsockname()[1]
        _running[port] = server
        try:
            yield port
        finally:
            del _running[port]
            server.should_exit = True
            thread.join()


def ask(
    port: int, path: str, body: object = None, raw: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """Status and answer, JSON where it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = (
            raw if raw is not None else json.dumps(body).encode() if body is not None else None
        )
        kind = {"content-type": "application/json"} if content is not None else {}
        connection.request("GET" if content is None else "POST", path, content, {**kind, **headers})
        response = connection.getresponse()
        text = response.read().decode()
        is_json = (response.getheader("content-type") or "").startswith("application/json")
        return response.status, json.loads(text) if is_json else text
    finally:
        connection.close()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_bundle(tmp_path_factory.mktemp("served") / "bundle", labels=("a", "b", "c"))


@pytest.fixture(scope="module")
def port(bundle: Path) -> Iterator[int]:
    with serving(bundle, max_body=20_000, max_texts=10, max_characters=5_000) as port:
        yield port


def test_answers_are_the_predictor_s(bundle: Path, port: int) -> None:
    predictor = Predictor.load(bundle)
    status, found = ask(port, "/predict", {"texts": TEXTS, "unsure_below": 0.4})
    assert status == 200
    for answer, expected, row in zip(
        found["answers"], predictor(TEXTS), predictor.probabilities(TEXTS), strict=True
    ):
        assert answer["label"] == expected.label
        assert answer["probability"] == pytest.approx(expected.probability, abs=1e-6)
        assert [*answer["probabilities"]] == ["a", "b", "c"]
        assert [*answer["probabilities"].values()] == pytest.approx(row.tolist(), abs=1e-6)
        assert answer["unsure"] == (answer["probability"] < 0.4)
    assert ask(port, "/predict", {"text": TEXTS[0]})[1]["answers"] == [
        {**found["answers"][0], "unsure": False}
    ]
    assert ask(port, "/predict", {"texts": []})[1]["answers"] == []


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({}, 422, "give either text or texts"),
        ({"text": "a", "texts": ["b"]}, 422, "give either text or texts"),
        ({"txt": "a"}, 422, "txt: Extra inputs are not permitted"),
        ({"text": 1}, 422, "text: Input should be a valid string"),
        ({"text": "a", "unsure_below": 2}, 422, "unsure_below: Input should be less than or equal"),
        (["a"], 422, "Input should be an object"),
        ({"texts": ["a"] * 11}, 422, "11 texts; at most 10"),
        ({"texts": ["a", "b" * 5_001]}, 422, "text 1: 5,001 characters; at most 5,000"),
        ({"text": "b" * 30_000}, 413, "a body of 30,012 bytes; at most 20,000"),
    ],
)
def test_what_is_not_taken_is_said_without_the_text(
    port: int, body: object, status: int, why: str
) -> None:
    found = ask(port, "/predict", body)
    assert found[0] == status
    assert why in found[1]["detail"]
    assert "bbb" not in found[1]["detail"]


def test_what_is_no_json_is_refused(port: int) -> None:
    for raw, why in {
        b"": "Invalid JSON: EOF",
        b"{": "Invalid JSON: EOF",
        b"\xff\xfe": "Invalid JSON",
        b"\xef\xbb\xbf{}": "Invalid JSON",
        b'{"text": "\xff"}': "invalid unicode",
        b'{"text": "\\ud800"}': "Invalid JSON: unexpected end of hex escape",
        b'{"text": "a\x00"}': "control character",
        b'{"text": "a"} x': "trailing characters",
        b"[" * 10_000: "recursion limit",
        b'{"text": "a", "unsure_below": NaN}': "unsure_below",
        b'{"text": "a", "unsure_below": -Infinity}': "unsure_below",
        b'{"text": "a", "unsure_below": 1e999}': "unsure_below",
        b'{"text": "a", "unsure_below": %s}' % (b"9" * 9_000): "number out of range",
        b'{"text": "a", "unsure_below": "0.5"}': "unsure_below: Input should be a valid number",
        b'{"text": "a", "unsure_below": true}': "unsure_below: Input should be a valid number",
        b'{"text": null}': "text: Input should be a valid string",
    }.items():
        status, found = ask(port, "/predict", raw=raw)
        assert status == 422, raw[:40]
        assert why in found["detail"]


def test_the_last_of_a_key_s_values_counts_and_nul_is_a_character(port: int) -> None:
    for raw, same in (
        (b'{"text": "b", "text": "a"}', {"text": "a"}),
        (b'{"text": "a\\u0000b"}', {"text": "a\0b"}),
        (b'{"text": "a", "unsure_below": null}', {"text": "a"}),
    ):
        assert ask(port, "/predict", raw=raw) == ask(port, "/predict", same)


def test_what_is_not_said_to_be_plain_json_is_refused(port: int) -> None:
    for headers, status in (
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-type": "Application/JSON; charset=utf-8"}, 200),
    ):
        assert ask(port, "/predict", {"text": "a"}, None, **headers)[0] == status


def test_who_still_sends_a_body_that_is_too_large_sees_why_it_is_refused(port: int) -> None:
    for _ in range(3):
        status, found = ask(port, "/predict", raw=b"a" * 8_000_000)
        assert (status, found["detail"][:27]) == (413, "a body of 8,000,000 bytes; ")


def test_a_body_of_unknown_length_is_bounded_as_well(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"%x\r\n%s\r\n" % (4_000, b"a" * 4_000)
        connection.sendall(head + 8 * chunk)
        assert b" 413 " in connection.recv(1_000)


def test_a_body_that_does_not_arrive_is_given_up(bundle: Path) -> None:
    with serving(bundle, timeout=0.2) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
            assert b" 408 " in connection.recv(1_000)
        assert ask(port, "/predict", {"text": "a"})[0] == 200


def test_more_requests_than_can_wait_are_told_to_come_again(bundle: Path) -> None:
    with serving(bundle, max_waiting=2, timeout=60) as port:
        slow = []
        for _ in range(2):  # two whose bodies are on their way take both places
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n{")
            slow.append(connection)
        while ask(port, "/predict", {"text": "a"})[0] != 429:
            time.sleep(0.01)
        assert ask(port, "/healthz") == (200, "ok")
        for connection in slow:
            connection.sendall(b'"text": "a"}')
            assert b" 415 " in connection.recv(1_000)  # it has no content-type
            connection.close()
        while ask(port, "/predict", {"text": "a"})[0] != 200:
            time.sleep(0.01)


def test_many_at_once_get_each_their_own_answer(bundle: Path, port: int) -> None:
    predictor = Predictor.load(bundle)
    texts = [f"{'영화 최고 별로 ' * (number % 40)}{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: ask(port, "/predict", {"text": text})[1], texts))
    for answer, expected in zip(found, predictor(texts), strict=True):
        assert answer["answers"][0]["probability"] == pytest.approx(expected.probability, abs=1e-6)


def test_the_page_health_figures_and_description_are_there(port: int) -> None:
    status, page = ask(port, "/")
    assert status == 200
    assert "<!doctype html>" in page
    assert "Content-Security-Policy" in page
    assert ask(port, "/healthz") == (200, "ok")
    assert ask(port, "/readyz")[1].startswith("ready: ")
    assert ask(port, "/nowhere")[0] == 404
    assert ask(port, "/healthz/")[0] == 404  # and sends nobody on to the host of the question
    ask(port, "/predict", {"text": "a", "unsure_below": 1})
    figures = ask(port, "/metrics")[1]
    assert re.search(r'nsmc_requests_total\{path="/predict",status="200"\} [1-9]', figures)
    assert re.search(r"nsmc_unsure_total [1-9]", figures)
    assert 'path="/nowhere"' not in figures
    description = ask(port, "/openapi.json")[1]
    assert {"/predict", "/healthz", "/readyz", "/metrics", "/"} == description["paths"].keys()
    predict = description["paths"]["/predict"]["post"]
    assert {"413", "415", "429"} <= predict["responses"].keys()
    schema = predict["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["texts"]["maxItems"] == 10


def test_the_log_has_no_texts(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nsmc.serving"):
        ask(port, "/predict", {"text": "비밀스러운 리뷰"})
        ask(port, "/predict", {"texts": "비밀스러운 리뷰"})
        while len(lines := _about_predictions(caplog)) < 2:  # a line follows its answer
            time.sleep(0.01)
    assert "비밀" not in caplog.text
    assert [line["status"] for line in lines] == [200, 422]
    assert lines[0]["texts"] == 1


def _about_predictions(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["path"] == "/predict"]
