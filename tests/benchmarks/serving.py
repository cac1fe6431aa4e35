"""Requests a second, and how long they take: `nsmc serve` beside the plainest server there is.

The other server is FastAPI with onnxruntime on the same bundle, with the same tokenizer, uvicorn
and HTTP parser. Both run at the same time, and wrk (https://github.com/wg/wrk, which Debian has)
asks one after the other, in short rounds, for one text and for 100 in a request. One worker has a
core of its own and wrk another; two workers and wrk share both. Processor time counts only what
the server computed, so other programs on the machine disturb it least. Each server and wrk are
sessions of their own, which Linux gives equal parts of a busy core: else many threads get more.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import psutil

from nsmc.conversion.convert import convert
from nsmc.data.corpus import NSMC, read_reviews
from nsmc.runtime.locate import PRETRAINED

ROUNDS, SECONDS, CONNECTIONS = 7, 3, 8
OURS, PLAIN = "nsmc serve", "FastAPI + onnxruntime"
PORTS = {OURS: 8791, PLAIN: 8792}

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local bodies = {}
for line in io.lines("BODIES") do bodies[#bodies + 1] = line end
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, "/predict", nil, bodies[at])
end
"""


class Round(NamedTuple):
    """What wrk saw, and what the server computed meanwhile."""

    rate: float  # requests/s
    median: float  # ms
    high: float  # ms, the 99th percentile
    cpu: float  # ms a request, of all of the server's processes


def main(root: Path) -> None:
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk")
        return
    texts = read_reviews(root / "ratings_test.txt", NSMC).texts[:4_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        convert(PRETRAINED, "onnx", folder / "onnx")
        scripts = {size: _script(folder, texts, size) for size in (1, 100)}
        for workers in (1, 2):
            with ExitStack() as stack:
                servers = {
                    kind: stack.enter_context(server(kind, folder / "onnx", workers))
                    for kind in PORTS
                }
                for size, script in scripts.items():
                    print(f"  {workers} worker(s), {size} text(s) a request, load {_load()}")
                    _compare(servers, script, alone=workers == 1)


def _compare(servers: dict[str, psutil.Process], script: Path, alone: bool) -> None:
    rounds: dict[str, list[Round]] = {kind: [] for kind in servers}
    for number, kind in product(range(ROUNDS + 1), servers):
        measured = _asked(PORTS[kind], script, servers[kind], alone)
        if number:  # the first warms up
            rounds[kind].append(measured)
    for kind, found in rounds.items():
        columns = [statistics.median(column) for column in zip(*found, strict=True)]
        print(
            "    {:<24}{:>8,.0f} requests/s, median {:.2f} ms, 99 % {:.2f} ms, "
            "processor {:.2f} ms a request".format(kind, *columns),
            flush=True,
        )
    for field in ("rate", "cpu"):
        ratios = [
            getattr(ours, field) / getattr(plain, field)
            for ours, plain in zip(rounds[OURS], rounds[PLAIN], strict=True)
        ]
        print(
            f"    ratio of {field:<15}{statistics.median(ratios):>8.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _script(folder: Path, texts: list[str], size: int) -> Path:
    bodies = [
        json.dumps({"texts": texts[start : start + size]}) for start in range(0, len(texts), size)
    ]
    path = folder / f"bodies-{size}.txt"
    path.write_text("\n".join(bodies) + "\n", encoding="utf-8")
    script = folder / f"ask-{size}.lua"
    script.write_text(_SCRIPT.replace("BODIES", str(path)), encoding="utf-8")
    return script


@contextmanager
def server(kind: str, onnx: Path, workers: int) -> Iterator[psutil.Process]:
    """One of the two servers, ready; a single worker is kept on the first core."""
    command = [sys.executable, "-m"]
    if kind == OURS:
        command += ["nsmc.cli", "serve", str(PRETRAINED)]
    else:
        command += ["tests.benchmarks.plain_server"]
    command += ["--port", str(PORTS[kind]), "--workers", str(workers)]
    if workers == 1:
        command = ["taskset", "--cpu-list", "0", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PLAIN_BUNDLE": str(onnx)}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(PORTS[kind])
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict",
        json.dumps({"texts": ["처음"]}).encode(),
        {"content-type": "application/json"},
    )
    for _ in range(600):
        try:
            urllib.request.urlopen(request).read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def _asked(port: int, script: Path, process: psutil.Process, alone: bool) -> Round:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
    if alone:
        command = ["taskset", "--cpu-list", "1", *command]
    before = _cpu_seconds(process)
    text = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    ).stdout
    used = _cpu_seconds(process) - before
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", text)
    (count,) = re.findall(r"(\d+) requests in", text)
    times = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", text))
    return Round(
        float(rate),
        _milliseconds(times["50"]),
        _milliseconds(times["99"]),
        1_000 * used / int(count),
    )


def _cpu_seconds(process: psutil.Process) -> float:
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
