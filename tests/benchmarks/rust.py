"""The crate in `rust/` beside the Python runtime, onnxruntime and candle.

One core for all. Each program is a process that answers when its turn comes, so that what is
compared meets the same machine. Needs cargo.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from nsmc.data.corpus import read_reviews
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from tests.benchmarks.common import PROJECT, row, timed_process
from tests.benchmarks.runtime import drop_library_settings

MANY_REVIEWS = 20_000
SINGLE_REVIEWS = 1_000
ROUNDS = 7
PROCESSES = 21
REVIEW = "와 진짜 재밌는 영화임미다!!"

Timed = Callable[[Sequence[str]], list[float]]


def main(root: Path) -> None:
    drop_library_settings()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    programs = built()
    texts = read_reviews(root / "ratings_test.txt").texts[:MANY_REVIEWS]
    measure(commands(programs), texts)
    with tempfile.TemporaryDirectory() as folder:
        measure_process(programs, Path(folder) / "packed")


def built() -> Path:
    """The folder of the crate's programs."""
    words = ["cargo", "build", "--locked", "--release"]
    candle = ["--features", "candle", "--example", "candle"]
    for others in (candle, ["--bins", "--examples"]):  # what is shipped has nothing of candle's
        subprocess.run([*words, *others], cwd=PROJECT / "rust", check=True)
    target = os.environ.get("CARGO_TARGET_DIR", str(PROJECT / "rust" / "target"))
    return Path(target) / "release"


def commands(programs: Path) -> dict[str, list[str]]:
    return {
        "Rust": [str(programs / "examples" / "speed"), str(PRETRAINED)],
        "candle": [str(programs / "examples" / "candle"), str(PRETRAINED), "--time"],
        "Python": [sys.executable, "-m", "tests.benchmarks.rust", "python"],
        "onnxruntime": [sys.executable, "-m", "tests.benchmarks.rust", "onnxruntime"],
    }


def measure(commands: dict[str, list[str]], texts: Sequence[str]) -> None:
    peers = {name: Peer(command) for name, command in commands.items()}
    alone: dict[str, list[float]] = {name: [] for name in peers}
    many: dict[str, list[float]] = {name: [] for name in peers}
    for peer in peers.values():  # tables are made, memory is had
        peer.seconds(texts[: 2 * SINGLE_REVIEWS])
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            alone[name].append(statistics.median(peer.seconds(texts[:SINGLE_REVIEWS])) * 1e6)
            some = texts if name != "candle" else texts[: MANY_REVIEWS // 10]
            many[name].append(len(some) / sum(peer.seconds(some)))
    for peer in peers.values():
        peer.end()
    for name in peers:
        row(f"{name}: one review, median µs", alone[name], "{:.1f}")
    for name in peers:
        row(f"{name}: many reviews, one core, reviews/s", many[name], "{:,.0f}")
    for name in peers.keys() - {"Rust"}:
        ratios = [theirs / ours for theirs, ours in zip(alone[name], alone["Rust"], strict=True)]
        row(f"one review: {name}'s time to Rust's", ratios, "{:.1f}")
    rates = [ours / theirs for theirs, ours in zip(many["Python"], many["Rust"], strict=True)]
    row("many reviews: Rust's rate to Python's", rates, "{:.2f}")


class Peer:
    """A process that is given a list of reviews as a line of JSON, and answers with seconds."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=PROJECT)

    def seconds(self, texts: Sequence[str]) -> list[float]:
        """Of each review alone; of more than a thousand, of all together."""
        stdin, stdout = _pipes(self._process)
        stdin.write(json.dumps(list(texts)) + "\n")
        stdin.flush()
        seconds: list[float] = json.loads(stdout.readline())
        return seconds

    def end(self) -> None:
        self._process.communicate()


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None and process.stdout is not None
    return process.stdin, process.stdout


def measure_process(programs: Path, packed: Path) -> None:
    """A process that answers once: the packed program, and Python's command."""
    classify = str(programs / "nsmc-classify")
    subprocess.run([classify, "pack", str(PRETRAINED), "-o", str(packed)], check=True)
    commands = {
        "packed program": [str(packed), REVIEW],
        "nsmc predict": [sys.executable, "-m", "nsmc.cli", "predict", str(PRETRAINED), REVIEW],
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(PROCESSES):
        for name, command in commands.items():
            figures[name].append(timed_process(command))
    for name, pairs in figures.items():
        row(f"{name}: a process, ms", [seconds * 1e3 for seconds, _ in pairs], "{:.1f}")
        row(f"{name}: a process, peak MB", [megabytes for _, megabytes in pairs], "{:.1f}")
    row("packed program: MB", [packed.stat().st_size / 1e6], "{:.2f}")


def answer(name: str) -> None:
    """As a peer: lists of reviews from standard input, seconds to standard output."""
    from tests.benchmarks.peers import ours, through_onnxruntime, timed

    bundle = read_bundle(PRETRAINED)
    predict = ours(bundle) if name == "python" else through_onnxruntime(bundle, 1)
    for line in sys.stdin:
        texts = json.loads(line)
        alone = [[text] for text in texts] if len(texts) <= SINGLE_REVIEWS else [texts]
        print(json.dumps([timed(predict, some) for some in alone]), flush=True)


if __name__ == "__main__":
    answer(sys.argv[1])
