"""Runs the project's commands as a user does, on a tiny corpus and in real processes."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.forkserver import PATIENCE, ForkedProcess

PROJECT = Path(__file__).parents[1]
# To the bit, results depend on the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
GOOD = ("정말 재밌다", "최고의 영화", "감동이었어요", "또 보고싶다 최고", "연기가 훌륭하다")
BAD = ("너무 지루하다", "최악의 영화", "돈이 아깝다", "다신 안본다 별로", "연기가 엉망이다")


def let_signals_through() -> None:
    """Let signals reach the processes that are started here, in the background and by nohup too.

    There a shell has them ignored, which processes inherit.
    """
    handlers: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
    }
    for signum, handler in handlers.items():
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, handler)


def write_corpus(root: Path) -> None:
    """A corpus that a classifier learns in a few steps."""
    for name, size in (("ratings_train.txt", 40), ("ratings_test.txt", 8)):
        lines = ["id\tdocument\tlabel"]
        for number in range(size):
            texts, label = (GOOD, 1) if number % 2 else (BAD, 0)
            lines.append(f"{number}\t{texts[number % 5]} {number}\t{label}")
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def train(
    corpus: Path, *overrides: str, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run train.py on the corpus with a small model; the exit code must be as expected."""
    return run(train_command(corpus, *overrides), expect, PROJECT, **environment)


def train_command(corpus: Path, *overrides: str) -> list[str]:
    """The command; flags such as -m go before the settings."""
    small = ["data.vocab_size=300", "data.batch_size=8", "model.hidden_size=8", "model.lr=0.05"]
    flags = [override for override in overrides if override.startswith("-")]
    overrides = tuple(override for override in overrides if override not in flags)
    return [
        *(sys.executable, "train.py", *flags),
        *(f"data.root={corpus}", "data.validation_fraction=0.25"),
        *(f"data.cache_dir={corpus}/cache", "trainer.accelerator=cpu", "trainer.max_epochs=2"),
        *(*small, *overrides),
    ]


def run(
    command: Sequence[str], expect: int = 0, cwd: Path = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of Python's; the exit code must be as expected."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        outputs = stdout.fileno(), stderr.fileno()
        with ForkedProcess(command, cwd, {**ENVIRONMENT, **environment}, *outputs) as process:
            code = process.wait()
        stdout.seek(0)
        stderr.seek(0)
        finished = subprocess.CompletedProcess(command, code, stdout.read(), stderr.read())
    return _expected(finished, expect)


def run_anew(
    command: Sequence[str], expect: int = 0, cwd: Path = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same in a Python that is started for it: seconds slower, and with its own hash seed."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**ENVIRONMENT, **environment},
        check=False,
    )
    return _expected(finished, expect)


def _expected(
    finished: subprocess.CompletedProcess[str], code: int
) -> subprocess.CompletedProcess[str]:
    assert finished.returncode == code, finished.stderr
    return finished


@contextmanager
def started(command: Sequence[str], **environment: str) -> Iterator[tuple[ForkedProcess, IO[str]]]:
    """Start a command; it and what it says on standard error. It's killed if it outlives this."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as said,
        ForkedProcess(
            command, PROJECT, {**ENVIRONMENT, **environment}, stdout=1, stderr=writing
        ) as process,
    ):
        os.close(writing)
        yield process, said


def wait_for(text: str, said: IO[str]) -> None:
    """Read up to and with the line that has the text in it."""
    for line in said:
        if text in line:
            return
    raise AssertionError(f"ended without {text!r}")
