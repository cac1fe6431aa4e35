"""Runs the project's commands as a user does, on a tiny corpus and in real processes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# To the bit, results depend on the number of threads.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
GOOD = ("정말 재밌다", "최고의 영화", "감동이었어요", "또 보고싶다 최고", "연기가 훌륭하다")
BAD = ("너무 지루하다", "최악의 영화", "돈이 아깝다", "다신 안본다 별로", "연기가 엉망이다")


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
    """Run a command; the exit code must be as expected."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        env={**ENVIRONMENT, **environment},
    )
    assert finished.returncode == expect, finished.stderr
    return finished


def started(command: Sequence[str]) -> "subprocess.Popen[str]":
    """Start a command, with what it says on standard error to be read."""
    return subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
