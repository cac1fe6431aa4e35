"""Runs the `nsmc` command, in this process or in one of its own, on a small bundle."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.cli import main
from nsmc.runtime.loading import Bundle
from nsmc.runtime.predictor import Predictor
from tests.bundles import TOKENIZER, TOKENIZER_FILE, config_of, random_tensors, write_bundle

PROJECT = Path(__file__).parents[2]
PATIENCE = 60  # seconds for a process to start or answer on a busy machine

GOOD, BAD = "정말 최고예요", "별로 재미없는 영화"
HEADER = ["line", "id", "label", "probability", "document", "error"]

COMMAND = [sys.executable, "-W", "error", "-m", "nsmc.cli"]


def write_small_bundle(
    folder: Path,
    labels: tuple[str, str] = ("negative", "positive"),
    reading: dict[str, Any] | None = None,
) -> Path:
    """A bundle of random weights but for `ln1`, which finds GOOD positive and BAD negative."""
    config = config_of(hidden_size=4, labels=labels, reading=reading)
    tensors = random_tensors(config, scale=1)
    tensors["ln1.bias"][:] = 0
    random = Predictor(Bundle(config, tensors, TOKENIZER))
    good, bad = random.logits(random.encode([GOOD, BAD])) @ np.array([-1, 1], np.float32)
    tensors["ln1.weight"] *= 2 / (good - bad)
    tensors["ln1.bias"][1] = -(good + bad) / (good - bad)  # now their logits are 1 and -1 apart
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(folder, config, tensors, TOKENIZER_FILE, "")
    return folder


def row(predictor: Predictor, text: str, echo: str | None = None) -> str:
    """The line that is promised for a text: label, probability, text."""
    (answer,) = predictor([text])
    return f"{answer.label}\t{answer.probability:.4f}\t{text if echo is None else echo}"


def rows(output: str) -> list[str]:
    assert output.endswith("\n")
    return output[:-1].split("\n")


def one_line(captured: str) -> str:
    assert captured.endswith("\n")
    assert captured.count("\n") == 1
    return captured[:-1]


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    line = one_line(captured.err)
    assert line.startswith("nsmc: error: ")
    return line


def table(output: str) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in rows(output))
    assert header[: len(HEADER)] == HEADER
    return [dict(zip(header, line, strict=True)) for line in lines]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(PROJECT)])),
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TERM": "xterm",
        "INPUTRC": "/dev/null",  # the user's own line editing must not matter
        **changes,
    }


def run(*arguments: str, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE,
        env=environment(**changes),
    )
