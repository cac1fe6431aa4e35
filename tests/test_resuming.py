"""Runs that are stopped, killed, or out of room go on as if nothing had happened."""

import json
import resource
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.commands import ENVIRONMENT, PROJECT, run, started, train, train_command, wait_for


def record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


def assert_same_weights(first: Path, second: Path) -> None:
    ours, theirs = (load_file(f / "bundle" / "nsmc.safetensors") for f in (first, second))
    for name, tensor in theirs.items():
        assert np.array_equal(ours[name], tensor), name


def stop(
    command: list[str], signum: int, said: str = "epoch 2/", **environment: str
) -> tuple[int, str]:
    """Start the command, send the signal once it has said something; exit code and the rest."""
    with started(command, **environment) as (process, output):
        wait_for(said, output)
        process.send_signal(signum)
        rest = output.read()
        return process.wait(), rest


def test_killed_runs_end_as_if_they_had_been_left_alone() -> None:
    finished = run([sys.executable, "-m", "tests.crash_recovery", "--trials", "6", "--seed", "5"])
    assert "identical: 6 of 6" in finished.stdout


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_that_then_goes_on(
    corpus: Path, tmp_path: Path, signum: int, code: int
) -> None:
    settings = (
        "trainer.max_epochs=60",
        "model.dropout=0.3",
        "callbacks.early_stopping.patience=55",
    )
    first, second = tmp_path / "first", tmp_path / "second"
    command = train_command(corpus, *settings, f"hydra.run.dir={first}")
    ended, rest = stop(command, signum)
    assert ended == code
    assert f"interrupted: go on with python train.py resume={first}" in rest
    assert "Traceback" not in rest
    assert record(first)["status"] == "interrupted"

    finished = run([sys.executable, "train.py", f"resume={first}"])
    assert "going on from step" in finished.stderr
    assert record(first)["status"] == "finished" and record(first)["resumed"] == 1
    assert "model.dropout=0.3" in (first / ".hydra" / "overrides.yaml").read_text()
    train(corpus, *settings, f"hydra.run.dir={second}")
    assert_same_weights(first, second)
    histories = [record(folder)["history"] for folder in (first, second)]
    assert [e["val/loss"] for e in histories[0]] == [e["val/loss"] for e in histories[1]]
    assert record(first)["metrics"] == record(second)["metrics"]


def test_auto_finds_the_run_to_go_on_with(corpus: Path, tmp_path: Path) -> None:
    place = (
        "hydra.run.dir='${run_folder:${resume}," + str(tmp_path) + "/${now:%H-%M-%S}_${run_id:}}'"
    )
    settings = ("trainer.max_epochs=100000", "model.schedule=constant", place)
    assert stop(train_command(corpus, *settings), signal.SIGTERM)[0] == 143
    (folder,) = tmp_path.iterdir()
    # Another configuration is another run; the same one goes on.
    train(corpus, place, "resume=auto", "trainer.max_epochs=1", "model.schedule=constant")
    assert len(list(tmp_path.iterdir())) == 2
    stop(train_command(corpus, *settings, "resume=auto"), signal.SIGTERM, said="epoch ")
    assert len(list(tmp_path.iterdir())) == 2
    assert record(folder)["status"] == "interrupted" and record(folder)["resumed"] == 1


def test_a_run_that_goes_on_keeps_its_configuration(corpus: Path, tmp_path: Path) -> None:
    train(corpus, f"hydra.run.dir={tmp_path}")
    resume = [sys.executable, "train.py", f"resume={tmp_path}"]
    assert "finished before" in run([*resume, "logger=none", "data.cache_dir=elsewhere"]).stderr
    finished = run([*resume, "model=lstm"], expect=1)
    assert "model: a resumed run keeps its own; leave model= out" in finished.stderr
    finished = run([*resume, f"hydra.run.dir={tmp_path}/elsewhere"], expect=1)
    assert "exclude each other" in finished.stderr
    finished = run([*resume, "model.lr=0.1"], expect=1)
    assert "model.lr: cannot change in a resumed run" in finished.stderr
    finished = run([sys.executable, "train.py", f"resume={tmp_path}/nowhere"], expect=1)
    assert "there is no run in that folder" in finished.stderr


def test_a_folder_holds_one_run(corpus: Path, tmp_path: Path) -> None:
    train(corpus, f"hydra.run.dir={tmp_path}")
    finished = train(corpus, f"hydra.run.dir={tmp_path}", "seed=9", expect=1)
    assert "holds another run: choose another folder" in finished.stderr
    shutil.rmtree(tmp_path / "checkpoints")
    finished = train(corpus, f"hydra.run.dir={tmp_path}", "seed=9", expect=1)
    assert "holds another run: choose another folder" in finished.stderr
    assert record(tmp_path)["config"]["seed"] == 42


def test_a_full_disk_is_named_and_the_last_checkpoint_stays(corpus: Path, tmp_path: Path) -> None:
    settings = ("logger=none", "model.schedule=constant", f"hydra.run.dir={tmp_path}")
    assert stop(train_command(corpus, *settings, "trainer.max_epochs=999"), signal.SIGTERM)[0]
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    before = checkpoint.read_bytes()

    def limit() -> None:  # as a disk with less room than a checkpoint needs
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 1, len(before) - 1))

    finished = subprocess.run(
        [sys.executable, "train.py", f"resume={tmp_path}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env=ENVIRONMENT,
        check=False,
    )
    assert finished.returncode == 1
    errors = [line for line in finished.stderr.splitlines() if "error" in line]
    assert (
        len(errors) == 1
        and "last.ckpt: File too large; the one before it is untouched" in errors[0]
    )
    assert "Traceback" not in finished.stderr
    assert checkpoint.read_bytes() == before
    assert not [path for path in checkpoint.parent.iterdir() if path.name.startswith(".")]


def test_a_rerun_is_the_same_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    settings = ("model.dropout=0.3", "trainer.threads=1", f"hydra.run.dir={tmp_path}/run")
    train(corpus, *settings)
    command = [sys.executable, "-m", "nsmc.cli", "rerun", f"{tmp_path}/run"]
    finished = run(command, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "the same, every weight and every metric to the bit" in finished.stdout
    (again,) = (tmp_path / "outputs" / "runs").iterdir()
    assert_same_weights(tmp_path / "run", again)
    assert record(again)["signature"] == record(tmp_path / "run")["signature"]
    assert (again / ".hydra" / "config.yaml").is_file() and (again / "train.log").is_file()

    # A run whose record does not fit its configuration any more is not the same.
    content = record(tmp_path / "run")
    content["metrics"]["val/loss"] += 1e-6
    (tmp_path / "run" / "run.json").write_text(json.dumps(content))
    finished = run(command, 1, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "val/loss: then" in finished.stdout and "different" in finished.stdout


def test_a_rerun_of_a_linear_classifier_compares_its_soft_labels(
    corpus: Path, tmp_path: Path
) -> None:
    linear = ("experiment=linear", "data.unlabelled=false", "linear.min_count=1")
    train(corpus, *linear, f"hydra.run.dir={tmp_path}/run")
    command = [sys.executable, "-m", "nsmc.cli", "rerun", f"{tmp_path}/run"]
    finished = run(command, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "the same, every soft label and every metric to the bit" in finished.stdout
    labels = tmp_path / "run" / "soft_labels.tsv"
    labels.write_text(labels.read_text().replace("0.", "0.1", 1))
    finished = run(command, 1, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "soft_labels.tsv: differs" in finished.stdout
    labels.unlink()
    finished = run(command, 1, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "soft_labels.tsv is not there, so there is nothing to compare with" in finished.stderr


def test_a_rerun_on_another_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    train(corpus, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/run")
    other = tmp_path / "other"
    other.mkdir()
    for path in corpus.glob("*.txt"):
        (other / path.name).write_text(path.read_text(encoding="utf-8") + "9\t또\t1\n")
    command = [sys.executable, "-m", "nsmc.cli", "rerun", f"{tmp_path}/run", "--root", str(other)]
    finished = run(command, 1, cwd=tmp_path, PYTHONPATH=str(PROJECT))
    assert "not the corpus of that run" in finished.stderr
    finished = run([*command[:3], "rerun", str(tmp_path)], 1, PYTHONPATH=str(PROJECT))
    assert "there is no finished run in that folder" in finished.stderr


def test_processes_that_train_together_stop_and_go_on_together(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=40")
    first, second = tmp_path / "first", tmp_path / "second"
    command = train_command(corpus, *settings, f"hydra.run.dir={first}")
    code, rest = stop(command, signal.SIGTERM)
    assert code == 143 and rest.count("interrupted: go on with") == 1
    run([sys.executable, "train.py", f"resume={first}"])
    train(corpus, *settings, f"hydra.run.dir={second}")
    assert record(first)["resumed"] == 1
    assert_same_weights(first, second)


def test_a_checkpoint_from_within_an_epoch_of_other_batches_is_refused(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ("model.schedule=constant", "logger=none")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/a")
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["callbacks"]["LastCheckpoint"] = {"taken": 2, "batches": 4}
    torch.save(content, checkpoint)
    start = (f"ckpt_path={checkpoint}", "data.batch_size=5", "trainer.max_epochs=4")
    finished = train(corpus, *settings, *start, f"hydra.run.dir={tmp_path}/b", expect=1)
    assert "within an epoch of 4 batches, this run's have 6" in finished.stderr


def test_a_run_from_a_checkpoint_takes_whole_epochs_of_other_batches(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ("model.schedule=constant", "logger=none", "trainer.max_epochs=1")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/a")
    start = f"ckpt_path={tmp_path}/a/checkpoints/last.ckpt"
    more = (*settings[:2], "trainer.max_epochs=3", "data.batch_size=5", start)
    train(corpus, *more, f"hydra.run.dir={tmp_path}/b")
    # 30 reviews: 4 steps of 8 at most, then twice 6 of 5, each epoch with its validation.
    assert record(tmp_path / "b")["steps"] == 4 + 6 + 6
    assert all("val/loss" in epoch for epoch in record(tmp_path / "b")["history"])


def test_a_run_goes_on_without_the_checkpoint_it_once_started_from(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ("model.schedule=constant", "logger=none")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/a")
    path = tmp_path / "a" / "bundle" / "config.json"
    taught = {"count": 1, "with_morphemes": 0, "morphemes": {}, "unknown": 1}
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"teachers": taught}), "utf-8")
    source = tmp_path / "a" / "checkpoints" / "last.ckpt"
    more = (*settings, "trainer.max_epochs=60", f"ckpt_path={source}")
    stop(train_command(corpus, *more, f"hydra.run.dir={tmp_path}/b"), signal.SIGTERM, "epoch 9/")
    shutil.rmtree(tmp_path / "a")
    run([sys.executable, "train.py", f"resume={tmp_path}/b"])
    assert record(tmp_path / "b")["status"] == "finished"
    bundle = json.loads((tmp_path / "b" / "bundle" / "config.json").read_text("utf-8"))
    assert bundle["teachers"]["inherited"] == {"morphemes": {}, "unknown": True}


def test_a_damaged_checkpoint_is_put_aside(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.max_epochs=40", "logger=none", f"hydra.run.dir={tmp_path}")
    stop(train_command(corpus, *settings), signal.SIGTERM)
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    finished = run([sys.executable, "train.py", f"resume={tmp_path}"])
    assert "starting over" in finished.stderr
    assert checkpoint.with_name("last.ckpt.damaged").is_file()
    assert record(tmp_path)["status"] == "finished" and record(tmp_path)["resumed"] == 0


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a job of Slurm's, with an `scontrol` that keeps what it is told."""
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/told"\n')
    scontrol.chmod(0o755)
    job = {"SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "81", "SLURM_NTASKS": "1"}
    place = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    return {**job, **place, "PATH": f"{scontrol.parent}:{ENVIRONMENT['PATH']}"}


def test_the_same_command_of_a_requeued_job_goes_on(
    corpus: Path, tmp_path: Path, slurm: dict[str, str]
) -> None:
    new = "'${run_folder:${resume}," + str(tmp_path) + "/runs/${run_id:}}'"  # in each process
    settings = ("trainer.max_epochs=40", "model.dropout=0.3", "logger=none")
    command = train_command(corpus, *settings, f"hydra.run.dir={new}")
    assert stop(command, signal.SIGTERM, **slurm)[0] == 143  # the time limit's, by default
    (folder,) = (tmp_path / "runs").iterdir()
    assert record(folder)["slurm_job"] == "81"
    shutil.copyfile(folder / "checkpoints" / "last.ckpt", folder / "hpc_ckpt_1.ckpt")
    for _ in range(2):
        again = run(command, 0, PROJECT, **slurm, SLURM_RESTART_COUNT="1")
        assert list((tmp_path / "runs").iterdir()) == [folder]
    assert "finished before" in again.stderr
    assert record(folder)["resumed"] == 1
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/second")
    assert_same_weights(folder, tmp_path / "second")
    # Another job's run, though like this one, is its own.
    run(command, 0, PROJECT, **{**slurm, "SLURM_JOB_ID": "82"}, SLURM_RESTART_COUNT="1")
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_tasks_of_a_requeued_job_go_on_together(
    corpus: Path, tmp_path: Path, slurm: dict[str, str]
) -> None:
    new = "'${run_folder:${resume}," + str(tmp_path) + "/runs/${run_id:}}'"
    settings = ("trainer=ddp", "trainer.max_epochs=40", "model.dropout=0.3", "logger=none")
    command = train_command(corpus, *settings, f"hydra.run.dir={new}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])  # free, once it is closed
    job = {**slurm, "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}
    job |= {"SLURM_NTASKS_PER_NODE": "2", "SLURM_NODELIST": "127.0.0.1", "MASTER_PORT": port}
    tasks = [{**job, "SLURM_PROCID": rank, "SLURM_LOCALID": rank} for rank in "01"]
    with started(command, **tasks[0]) as (first, said), started(command, **tasks[1]) as (other, _):
        wait_for("epoch 2/", said)
        for process in (first, other):  # --signal=USR1@60
            process.send_signal(signal.SIGUSR1)
        said.read()
        assert (first.wait(), other.wait()) == (128 + signal.SIGUSR1, 0)
    assert (tmp_path / "told").read_text() == "requeue 81\n"
    folder = tmp_path / "runs" / "slurm-81.0"
    assert record(folder)["status"] == "interrupted"
    shutil.copyfile(folder / "checkpoints" / "last.ckpt", folder / "hpc_ckpt_1.ckpt")
    again = [{**task, "SLURM_RESTART_COUNT": "1"} for task in tasks]
    with started(command, **again[0]) as (first, said), started(command, **again[1]) as (other, _):
        said.read()
        assert (first.wait(), other.wait()) == (0, 0)
    assert list((tmp_path / "runs").iterdir()) == [folder]
    assert record(folder)["resumed"] == 1
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/second")
    assert_same_weights(folder, tmp_path / "second")


@pytest.mark.parametrize("said", ["tokenizer", "epoch 1/", "epoch 3/"])
def test_a_job_that_slurm_takes_back_is_queued_again_and_goes_on(
    corpus: Path, tmp_path: Path, slurm: dict[str, str], said: str
) -> None:
    settings = ("trainer.max_epochs=40", "model.dropout=0.3", "logger=none")
    first, second = tmp_path / "first", tmp_path / "second"
    command = train_command(
        corpus, *settings, f"data.cache_dir={tmp_path}/cache", f"hydra.run.dir={first}"
    )
    ended, rest = stop(command, signal.SIGUSR1, said, **slurm)
    assert ended == 128 + signal.SIGUSR1 and "Traceback" not in rest
    assert (tmp_path / "told").read_text() == "requeue 81\n"
    assert record(first)["status"] == "interrupted"
    assert not list(first.rglob("*hpc*"))
    # What Lightning itself would have left, and gone on from, is not the run's.
    for path in first.glob("checkpoints/last.ckpt"):
        shutil.copyfile(path, first / "hpc_ckpt_1.ckpt")
    run([sys.executable, "train.py", f"resume={first}"], 0, PROJECT, **slurm)
    train(corpus, *settings, f"hydra.run.dir={second}")
    assert_same_weights(first, second)
    assert record(first)["metrics"] == record(second)["metrics"]
