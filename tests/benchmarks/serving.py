"""Requests a second, and how long they take: `nsmc serve` beside the plainest server there is.

The other server is FastAPI with onnxruntime on the same bundle and the same tokenizer. Both are
asked by wrk (https://github.com/wg/wrk), which Debian has, in turn, with one worker and with two,
for one text and for 100 in a request. Server and wrk share the machine's cores.
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
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from nsmc.conversion.convert import convert
from nsmc.data.corpus import NSMC, read_reviews
from nsmc.runtime.locate import PRETRAINED

ROUNDS, SECONDS, CONNECTIONS = 3, 5, 8

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


def main(root: Path) -> None:
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk")
        return
    texts = read_reviews(root / "ratings_test.txt", NSMC).texts[:4_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        convert(PRETRAINED, "onnx", folder / "onnx")
        scripts = {size: _script(folder, texts, size) for size in (1, 100)}
        print(f"{'':<28}{'requests/s':>12}{'median ms':>12}{'99 % ms':>10}")
        for workers, size in product((1, 2), scripts):
            found: dict[str, list[list[float]]] = {}
            for _ in range(ROUNDS):
                for kind in ("nsmc serve", "FastAPI + onnxruntime"):
                    with _server(kind, folder / "onnx", workers) as port:
                        found.setdefault(kind, []).append(_asked(port, scripts[size]))
            for kind, rounds in found.items():
                rate, median, high = (statistics.median(each) for each in zip(*rounds, strict=True))
                title = f"{kind}, {workers} x {size}"
                print(f"{title:<28}{rate:>12,.0f}{median:>12.2f}{high:>10.2f}")


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
def _server(kind: str, onnx: Path, workers: int) -> Iterator[int]:
    if kind == "nsmc serve":
        command = ["-m", "nsmc.cli", "serve", str(PRETRAINED), "--port", "8791"]
    else:
        app = "tests.benchmarks.plain_server:app"
        command = ["-m", "uvicorn", app, "--port", "8791", "--no-access-log"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PLAIN_BUNDLE": str(onnx)}
    process = subprocess.Popen(
        [sys.executable, *command, "--workers", str(workers)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(8791)
        yield 8791
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


def _asked(port: int, script: Path) -> list[float]:
    """Requests a second, and the median and the 99th percentile of their milliseconds."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
    text = subprocess.run(
        [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in text, text
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", text)
    times = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s))", text))
    return [float(rate), _milliseconds(times["50"]), _milliseconds(times["99"])]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
