"""Whether `nsmc serve` holds out: half an hour of requests of all kinds, with its memory over time.

Two workers are asked by threads that are kept to a rate: one text, many texts, wrong and too large
bodies, the page and the figures; clients that hang up in the middle, read slowly, or never end
their head. In the first third of the time another bundle is put there every minute, with SIGHUP,
which replaces the workers, each third time a damaged one; then the same workers go on to the end.
SOAK_MINUTES (30) and SOAK_RATE (60 requests/s) change it.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from nsmc.data.corpus import NSMC, read_reviews
from nsmc.runtime.locate import PRETRAINED
from tests.benchmarks.common import PROJECT
from tests.bundles import random_bundle

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
RATE = float(os.environ.get("SOAK_RATE", "60"))
WORKERS, CLIENTS = 2, 6
LOG = PROJECT / "outputs" / "soak.log"  # the server's, to look at afterwards


def main(root: Path) -> None:
    texts = read_reviews(root / "ratings_test.txt", NSMC).texts[:20_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundles = _bundles(folder)
        with _server(folder / "current", folder / "log") as (process, port):
            seen, stop = Counter[str](), threading.Event()
            clients = [
                threading.Thread(target=_ask, args=(port, texts, seed, seen, stop))
                for seed in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            try:
                memory = _watch(process, folder / "current", bundles)
            finally:
                stop.set()
                for client in clients:
                    client.join()
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        shutil.copyfile(folder / "log", LOG)
        _report(memory, seen, code, LOG.read_text("utf-8"))


def _bundles(folder: Path) -> Iterator[Path]:
    """Two that are good and one that is damaged, in turn."""
    good = shutil.copytree(PRETRAINED, folder / "first")
    other = random_bundle(folder / "second")
    damaged = shutil.copytree(PRETRAINED, folder / "damaged")
    (damaged / "tokenizer.json").write_text("{}", "utf-8")
    (folder / "current").symlink_to(good)
    return itertools.cycle((other, good, damaged))


@contextmanager
def _server(bundle: Path, log: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    command = ["serve", str(bundle), "--port", "0", "--workers", str(WORKERS), "--timeout", "5"]
    with log.open("wb") as lines:
        process = subprocess.Popen([sys.executable, "-m", "nsmc.cli", *command], stderr=lines)
        try:
            yield process, _port(process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    while process.poll() is None:
        if found := re.search(r"http://127.0.0.1:(\d+)/", log.read_text("utf-8")):
            return int(found[1])
        time.sleep(0.1)
    raise RuntimeError(log.read_text("utf-8"))


def _watch(
    process: "subprocess.Popen[bytes]", current: Path, bundles: Iterator[Path]
) -> dict[int, list[float]]:
    """Megabytes of each process, every ten seconds, while the bundle changes, and then does not."""
    memory: dict[int, list[float]] = {}
    begun = time.monotonic()
    for tick in range(1, int(MINUTES * 6) + 1):
        time.sleep(max(0.0, begun + 10 * tick - time.monotonic()))
        parent, now = psutil.Process(process.pid), dict[int, float]()
        for each in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # a worker that was just replaced
                if "resource_tracker" not in " ".join(each.cmdline()):
                    now[each.pid] = each.memory_info().rss / 2**20
        for pid, size in now.items():
            memory.setdefault(pid, []).append(size)
        if tick % 6 == 0:
            latest = ", ".join(f"{size:.1f}" for size in now.values())
            print(f"  minute {tick // 6}: {latest} MB", flush=True)
        if tick % 6 == 0 and tick < MINUTES * 2:
            fresh = current.with_name("fresh")
            fresh.symlink_to(next(bundles))
            fresh.replace(current)
            process.send_signal(signal.SIGHUP)
    return memory


def _ask(port: int, texts: list[str], seed: int, seen: Counter[str], stop: threading.Event) -> None:
    chooser, connection = random.Random(seed), None
    due = time.monotonic()
    while not stop.is_set():
        due = max(due + CLIENTS / RATE, time.monotonic() - 1)
        time.sleep(max(0.0, due - time.monotonic()))
        kind = chooser.choices(list(_SHARES), list(_SHARES.values()))[0]
        try:
            if kind in _RUDE:
                _RUDE[kind](port, chooser.choice(texts))
                seen[kind] += 1
                continue
            if connection is None or chooser.random() < 0.02:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            status = _request(connection, kind, texts, chooser)
            seen[f"{kind} {status}"] += 1
        except (OSError, http.client.HTTPException) as error:
            print(f"  {time.strftime('%H:%M:%S')}: {kind}: {error!r}", flush=True)
            seen[f"{kind} {type(error).__name__}"] += 1
            connection = None


def _request(
    connection: http.client.HTTPConnection, kind: str, texts: list[str], chooser: random.Random
) -> int:
    body: object = {"text": chooser.choice(texts)}
    if kind == "many":
        body = {"texts": chooser.choices(texts, k=chooser.randint(2, 200))}
    elif kind == "wrong":
        body = chooser.choice(({"text": 1}, {}, {"texts": "a"}, [], None, {"txt": "a"}))
    elif kind == "too large":
        body = {"text": "가" * 500_000}
    elif kind == "too many":
        body = {"texts": ["a"] * 1_001}
    if kind.startswith("/"):
        connection.request("GET", kind)
    else:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/predict", json.dumps(body).encode(), headers)
    response = connection.getresponse()
    response.read()
    return response.status


def _half_a_body(port: int, text: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{")


def _no_reader(port: int, text: str) -> None:
    """Asks for the page, and goes without having read it."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        connection.recv(1_000)


def _half_a_head(port: int, text: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nhost")


_RUDE = {"half a body": _half_a_body, "no reader": _no_reader, "half a head": _half_a_head}
_SHARES = {  # percent of the requests
    **{"one": 62, "many": 15, "wrong": 6, "too large": 1, "too many": 2},
    **{"half a body": 4, "no reader": 2, "half a head": 2},
    **{"/": 1, "/metrics": 1, "/healthz": 2, "/readyz": 1, "/nowhere": 1},
}


def _report(memory: dict[int, list[float]], seen: Counter[str], code: int, log: str) -> None:
    print(f"  {sum(seen.values()):,} requests; exit code {code}")
    for kind, count in sorted(seen.items()):
        print(f"    {kind:<28}{count:>9,}")
    reloads = (log.count('"message": "reloaded'), log.count('"message": "not reloaded'))
    print(f"  reloads: {reloads[0]} good, {reloads[1]} of a damaged bundle, which was not taken")
    print(f"  lines of the log about errors in the application: {log.count('Exception in ASGI')}")
    for pid, sizes in memory.items():
        if len(sizes) < MINUTES * 3:
            continue  # of a worker that was replaced
        quarter = max(len(sizes) // 4, 1)
        parts = [statistics.median(sizes[n * quarter :][:quarter]) for n in range(4)]
        print(
            f"  process {pid}: medians of the quarters of its life "
            f"{', '.join(f'{part:.1f}' for part in parts)} MB, highest {max(sizes):.1f} MB"
        )
