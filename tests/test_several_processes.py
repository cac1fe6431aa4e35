"""Processes that train together end together, and measure what one alone would."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import pytest

from nsmc.comparison.answers import read_answers
from tests.commands import run, started, train, train_command, wait_for, write_corpus
from tests.forkserver import ForkedProcess

ENDED = "another one of the processes that train together has ended"
ENDLESS = ("trainer.max_epochs=100000", "model.schedule=constant", "logger=none")
NODES = ("trainer=ddp", "trainer.num_nodes=2", "trainer.devices=1")


def record_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


Node = tuple[ForkedProcess, IO[str]]


@contextmanager
def two_nodes(corpus: Path, *settings: str) -> Iterator[tuple[Node, Node]]:
    """The processes of two machines, and what they say."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # free, once it is closed
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = train_command(corpus, *NODES, *settings)
    with (
        started(command, **meeting, NODE_RANK="0") as first,
        started(command, **meeting, NODE_RANK="1") as second,
    ):
        yield first, second


def test_killed_machines_resume_to_the_bit() -> None:
    trials = ("--trials", "1", "--seed", "3", "--loopback")
    finished = run([sys.executable, "-m", "tests.benchmarks.nodes", *trials])
    assert "identical: 1 of 1" in finished.stdout and "too late" not in finished.stdout


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_ends_the_other_in_one_line(
    corpus: Path, tmp_path: Path, victim: int
) -> None:
    with two_nodes(corpus, *ENDLESS, f"hydra.run.dir={tmp_path}/run") as nodes:
        wait_for("epoch 2/", nodes[0][1])
        nodes[victim][0].kill()
        process, output = nodes[1 - victim]
        assert process.wait() == 1
        said = output.read()
    (line,) = (line for line in said.splitlines() if "error" in line)
    assert f"error: {ENDED}" in line and "frame #" not in said
    assert f"go on with python train.py resume={tmp_path}/run" in line
    assert record_of(tmp_path / "run")["status"] == ("running" if victim == 0 else "failed")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def trainings_of(pid: int) -> list[psutil.Process]:
    """The children of a process that train, too; others ask the machine something, and end soon."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):  # it may have ended meanwhile
            if any(word.endswith("train.py") for word in child.cmdline()):
                found.append(child)
    return found


def test_a_process_that_is_killed_before_it_has_come_ends_the_first_in_one_line(
    corpus: Path, tmp_path: Path
) -> None:
    together = ("trainer=ddp", "trainer.devices=2", *ENDLESS, f"hydra.run.dir={tmp_path}/run")
    with started(train_command(corpus, *together)) as (process, output):
        while not (launched := trainings_of(process.pid)):
            time.sleep(0.05)
        launched[0].kill()  # while it imports, for seconds
        said = output.read()
        assert process.wait() == 1
    (line,) = (line for line in said.splitlines() if "error" in line)
    assert f"error: {ENDED}" in line
    assert f"go on with python train.py resume={tmp_path}/run" in line
    assert record_of(tmp_path / "run")["status"] == "failed"


def test_a_mistake_of_one_machine_ends_the_other(corpus: Path, tmp_path: Path) -> None:
    train(corpus, "logger=none", f"hydra.run.dir={tmp_path}")  # which the first finds there
    with two_nodes(corpus, "seed=7", f"hydra.run.dir={tmp_path}") as nodes:
        said = [output.read() for _, output in nodes]
        assert [process.wait() for process, _ in nodes] == [1, 1]
    assert "holds another run" in said[0] and ENDED in said[1]
    assert record_of(tmp_path)["status"] == "finished"


def test_machines_that_find_a_finished_run_end(corpus: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with two_nodes(corpus, "logger=none", f"hydra.run.dir={tmp_path}") as nodes:
            said = nodes[0][1].read()
            nodes[1][1].read()
            assert [process.wait() for process, _ in nodes] == [0, 0]
    assert "finished before" in said


def test_metrics_and_answers_are_those_of_one_process(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    test_part = tmp_path / "ratings_test.txt"
    lines = test_part.read_text(encoding="utf-8").splitlines(keepends=True)
    test_part.write_text("".join(lines[:-1]), encoding="utf-8")
    # 10 reviews to validate on and 7 to test on, which two and three processes cannot share evenly.
    # A rate that moves no weight, so that each run measures the same ones.
    settings = ("model.lr=1e-30", "data.eval_batch_size=4")
    runs = {}
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        together = ("trainer=ddp", f"trainer.devices={processes}", f"hydra.run.dir={folder}")
        train(tmp_path, *settings, *together, "trainer.max_epochs=1", "logger=none")
        runs[processes] = folder
    alone = runs.pop(1)
    for folder in runs.values():
        ours, theirs = (record_of(each)["metrics"] for each in (folder, alone))
        assert ours == pytest.approx(theirs, abs=1e-6)
        for part, size in (("val", 10), ("test", 7)):
            kept, expected = (read_answers(each, part) for each in (folder, alone))
            assert kept is not None and expected is not None
            assert len(kept.ids) == size
            for name in ("ids", "labels", "answers"):
                np.testing.assert_array_equal(getattr(kept, name), getattr(expected, name))
            np.testing.assert_allclose(kept.probabilities, expected.probabilities, atol=1e-6)


def test_each_stage_is_tried_in_each_process(corpus: Path, tmp_path: Path) -> None:
    together = ("trainer=ddp", "trainer.fast_dev_run=true", f"hydra.run.dir={tmp_path}")
    assert "each stage was tried" in train(corpus, *together).stdout
    kept = {path.name for path in tmp_path.iterdir()} - {".hydra", ".lock"}
    assert kept == {"run.json", "train.log", "train_rank_1.log"}


def test_accumulated_batches_of_several_processes_make_one_step(
    corpus: Path, tmp_path: Path
) -> None:
    accumulated = ("data.batch_size=4", "trainer.accumulate_grad_batches=2")
    train(corpus, "trainer=ddp", *accumulated, "logger=none", f"hydra.run.dir={tmp_path}")
    # 30 reviews in 4 batches of 4 for each of two processes: two steps in each of two epochs.
    assert record_of(tmp_path)["steps"] == 4
