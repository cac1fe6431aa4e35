"""The server as a process: signals, workers, wrong arguments."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from nsmc.cli import main
from tests.bundles import random_bundle
from tests.cli.running import refused
from tests.serving.test_app import ask


@contextmanager
def started(
    bundle: Path, *options: str, quiet: bool = False
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A server's process, once it answers, and its port; a quiet one's log is read by nobody."""
    command = [sys.executable, "-m", "nsmc.cli", "serve", str(bundle), "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(bundle.parent)}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert process.stderr is not None
    try:
        found = re.search(r"http://127.0.0.1:(\d+)/", process.stderr.readline())
        assert found is not None
        if quiet:
            threading.Thread(target=process.stderr.read, daemon=True).start()
        yield process, int(found[1])
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()


def wait_for(stream: IO[str], *words: str) -> list[str]:
    """The lines up to one with all of these words."""
    lines = []
    for line in stream:
        lines.append(line)
        if all(word in line for word in words):
            return lines
    raise AssertionError(f"the server ended without {words}: {lines}")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return random_bundle(tmp_path / "bundle")


def test_it_answers_what_was_begun_and_ends_with_0_on_sigterm(bundle: Path) -> None:
    with started(bundle) as (process, port):
        assert process.stderr is not None
        wait_for(process.stderr, "startup complete")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.putrequest("POST", "/predict")
        body = json.dumps({"text": "최고"}).encode()
        connection.putheader("content-length", str(len(body)))
        connection.putheader("content-type", "application/json")
        connection.endheaders(body[:5])
        ask(port, "/healthz")  # by now the other request is being read
        process.send_signal(signal.SIGTERM)
        wait_for(process.stderr, "Shutting down")
        connection.send(body[5:])
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["answers"][0]["label"] in ("negative", "positive")
        connection.close()
        wait_for(process.stderr, "Finished server process")
        assert process.wait(60) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_reads_the_bundle_again_and_a_damaged_one_is_not_taken(
    bundle: Path, workers: int
) -> None:
    with started(bundle, "--workers", str(workers)) as (process, port):
        assert process.stderr is not None
        for _ in range(workers):
            wait_for(process.stderr, "startup complete")
        before = ask(port, "/predict", {"text": "최고"})[1]
        lost, stop = list[int](), threading.Event()

        def keep_asking() -> None:
            while not stop.is_set():
                lost.append(ask(port, "/predict", {"text": "최고"})[0])

        asking = threading.Thread(target=keep_asking)
        asking.start()
        random_bundle(bundle, seed=1)
        process.send_signal(signal.SIGHUP)
        wait_for(process.stderr, '"message": "reloaded')
        after = ask(port, "/predict", {"text": "최고"})[1]
        assert after["bundle"] != before["bundle"]
        (bundle / "tokenizer.json").write_text("{}", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        wait_for(process.stderr, "not reloaded", "tokenizer.json: altered")
        assert ask(port, "/predict", {"text": "최고"})[1] == after
        stop.set()
        asking.join()
        assert {*lost} == {200}
        figures = ask(port, "/metrics")[1]
        assert 'nsmc_reloads_total{outcome="good"} 1.0' in figures
        process.send_signal(signal.SIGTERM)


def test_a_link_to_another_bundle_is_followed_at_a_reload(bundle: Path) -> None:
    other, link = random_bundle(bundle.with_name("other"), seed=1), bundle.with_name("current")
    link.symlink_to(bundle)
    with started(link) as (process, port):
        assert process.stderr is not None
        before = ask(port, "/predict", {"text": "최고"})[1]
        link.unlink()
        link.symlink_to(other)
        process.send_signal(signal.SIGHUP)
        wait_for(process.stderr, '"message": "reloaded')
        assert ask(port, "/predict", {"text": "최고"})[1]["bundle"] != before["bundle"]


def test_a_worker_that_was_killed_is_replaced(bundle: Path) -> None:
    with started(bundle) as (process, port):
        assert process.stderr is not None
        asked = ask(port, "/predict", {"text": "최고"})
        lines = wait_for(process.stderr, "Started server process")
        worker = re.search(r"Started server process \[(\d+)\]", lines[-1])
        assert worker is not None
        ask(port, "/healthz")  # by now the answer before it is counted
        os.kill(int(worker[1]), signal.SIGKILL)
        wait_for(process.stderr, f"Child process [{worker[1]}] died")
        assert ask(port, "/readyz")[0] == 200
        assert ask(port, "/predict", {"text": "최고"}) == asked
        figures = ask(port, "/metrics")[1]
        assert 'nsmc_requests_total{path="/predict",status="200"} 2.0' in figures


def test_workers_end_with_their_supervisor(bundle: Path) -> None:
    with started(bundle, "--workers", "2") as (process, port):
        assert ask(port, "/healthz")[0] == 200
        process.kill()
        process.wait()
        while True:
            try:
                ask(port, "/healthz")
            except OSError:
                with socket.socket() as again:  # nobody has the port any more
                    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        again.bind(("127.0.0.1", port))
                    except OSError:
                        continue
                    break
            time.sleep(0.01)


def test_what_cannot_be_served_is_said_in_one_line(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such folder" in refused(["serve", "nowhere"], capsys)
    assert "--workers 0: 1 and more" in refused(["serve", str(bundle), "--workers", "0"], capsys)
    assert "--port 70000" in refused(["serve", str(bundle), "--port", "70000"], capsys)
    message = refused(["serve", str(bundle), "--host", "192.0.2.1", "--port", "0"], capsys)
    assert "cannot listen on 192.0.2.1:0" in message
    assert "--host is empty" in refused(["serve", str(bundle), "--host", ""], capsys)
    for seconds in ("nan", "inf", "0"):
        message = refused(["serve", str(bundle), "--timeout", seconds], capsys)
        assert f"--timeout {float(seconds)}: above 0, at most a day" in message
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        message = refused(["serve", str(bundle), "--port", port], capsys)
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in message
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
