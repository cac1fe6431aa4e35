"""Callbacks, optimizers and schedules of a user's own, by `_target_` from a --config-dir."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.commands import ENVIRONMENT, PROJECT, run, run_anew, train, train_command, wait_for

NOT_RESUMABLE = ("LearningRateFinder", "StochasticWeightAveraging")
MODULE = """
import pytorch_lightning as L

class Counter(L.Callback):
    def __init__(self, start=0, every=()):
        self.count = start

    def on_train_batch_end(self, *_):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state_dict):
        self.count = state_dict["count"]

class Hoarder(Counter):
    def state_dict(self):
        return {"counter": self}
"""
FILES = {
    "callbacks/counting.yaml": """
defaults: [default, _self_]
extra:
  counter: {_target_: own_module.Counter, start: 100}
""",
    "callbacks/hoarding.yaml": """
defaults: [default, _self_]
extra:
  hoarder: {_target_: own_module.Hoarder}
""",
    "experiment/sgd.yaml": """
# @package _global_
model:
  optimizer: {_target_: torch.optim.SGD, momentum: 0.9}
  schedule: {_target_: torch.optim.lr_scheduler.OneCycleLR, max_lr: 0.1}
""",
    "experiment/rate.yaml": """
# @package _global_
model:
  optimizer: {_target_: torch.optim.SGD, momentum: 0.9}
  schedule:
    _target_: torch.optim.lr_scheduler.OneCycleLR
    max_lr: ${model.lr}
""",
    "experiment/steps.yaml": """
# @package _global_
model:
  schedule: {_target_: torch.optim.lr_scheduler.StepLR, interval: epoch, step_size: 2}
""",
    "experiment/plateau.yaml": """
# @package _global_
model:
  schedule: {_target_: torch.optim.lr_scheduler.ReduceLROnPlateau}
""",
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own_module.py").write_text(MODULE)
    for name, content in FILES.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def checkpoint_of(folder: Path) -> Any:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def record_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


def test_a_callback_of_ones_own_is_called_and_kept(corpus: Path, own: Path) -> None:
    folder = own / "run"
    configs = f"--config-dir={own}/configs"
    settings = (configs, "callbacks=counting", "logger=none", f"hydra.run.dir={folder}")
    run_anew(train_command(corpus, *settings), PYTHONPATH=str(own))
    assert checkpoint_of(folder)["callbacks"]["Counter"] == {"count": 108}
    record = record_of(folder)
    # Its target and its arguments are part of what the run is.
    changed = (*settings[:-1], f"hydra.run.dir={own}/other", "callbacks.extra.counter.start=0")
    run_anew(train_command(corpus, *changed), PYTHONPATH=str(own))
    assert record_of(own / "other")["signature"] != record["signature"]
    # A record alone calls nothing.
    written = json.dumps(record | {"status": "interrupted"})
    (folder / "run.json").write_text(written, encoding="utf-8")
    resume = [sys.executable, "train.py", f"resume={folder}"]
    finished = run(resume, expect=1)
    assert "callbacks.extra.counter=own_module.Counter: not called because a run.json says" in (
        finished.stderr
    )
    again = [*resume[:2], configs, resume[2], "callbacks=counting"]
    run_anew(again, PYTHONPATH=str(own))
    assert record_of(folder)["metrics"] == record["metrics"]


def test_each_process_has_a_callback_of_ones_own(corpus: Path, own: Path) -> None:
    together = ("trainer=ddp", "trainer.devices=2", "logger=none", f"hydra.run.dir={own}/run")
    settings = (f"--config-dir={own}/configs", "callbacks=counting", *together)
    run_anew(train_command(corpus, *settings), PYTHONPATH=str(own))
    # 30 reviews in 2 steps of 8 for each of two processes, twice.
    assert checkpoint_of(own / "run")["callbacks"]["Counter"] == {"count": 104}


def test_a_state_that_no_checkpoint_can_keep_is_named(corpus: Path, own: Path) -> None:
    settings = (f"--config-dir={own}/configs", "callbacks=hoarding", f"hydra.run.dir={own}/run")
    finished = run_anew(train_command(corpus, *settings), expect=1, PYTHONPATH=str(own))
    assert "Hoarder: its state_dict holds a Hoarder, but a checkpoint keeps" in finished.stderr


@pytest.mark.parametrize("experiment", ["sgd", "steps"])
def test_an_optimizer_and_a_schedule_of_ones_own(corpus: Path, own: Path, experiment: str) -> None:
    settings = (f"--config-dir={own}/configs", f"experiment={experiment}", "trainer.max_epochs=3")
    train(corpus, *settings, f"hydra.run.dir={own}/run")
    checkpoint = checkpoint_of(own / "run")
    schedule = checkpoint["lr_schedulers"][0]
    if experiment == "sgd":
        # The schedule is planned for all steps, 4 in each epoch.
        assert schedule["total_steps"] == 12
        assert "momentum_buffer" in checkpoint["optimizer_states"][0]["state"][0]
    else:
        assert (schedule["last_epoch"], schedule["_last_lr"]) == (3, [pytest.approx(0.005)])


def test_a_schedule_that_could_not_be_resumed_is_refused(corpus: Path, own: Path) -> None:
    settings = (f"--config-dir={own}/configs", "experiment=plateau", f"hydra.run.dir={own}/run")
    finished = train(corpus, *settings, expect=1)
    assert "ReduceLROnPlateau moves after an epoch's checkpoint" in finished.stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("callbacks.extra.counter._target_=torch.optim.SGD", "callbacks.extra.counter: torch.opti"),
        ("callbacks.extra.counter._target_=torch.optim.Nobody", "has no attribute 'Nobody'"),
        (
            "callbacks.extra.counter._target_=no.such.Thing",
            "ModuleNotFoundError: no module no.such",
        ),
        ("callbacks.extra.counter._target_=torch.nn.Identity", "makes a Identity, not a Callback"),
        ("callbacks.extra.x={_target_: pytorch_lightning.callbacks.Timer, stop: 1}", "'stop'"),
        (
            "callbacks.extra.lr={_target_: pytorch_lightning.callbacks.LearningRateMonitor}",
            "callbacks.extra.lr: LearningRateMonitor writes to loggers, and there is none",
        ),
        ("model.optimizer=sgd", "model.optimizer=sgd: must be adam, adamw or a mapping"),
        ("model.optimizer={_target_: torch.optim.Nobody}", "model.optimizer: torch.optim.Nobody"),
        ("model.schedule={_target_: torch.optim.lr_scheduler.StepLR}", "model.schedule: torch.opt"),
        ("logger.mine={_target_: no.such.Logger}", "logger.mine: no.such.Logger: ModuleNotFoun"),
    ],
)
def test_a_mistake_is_named_in_one_line(
    corpus: Path, own: Path, override: str, message: str
) -> None:
    settings = (f"--config-dir={own}/configs", f"hydra.run.dir={own}/run")
    more = (f"data.cache_dir={own}/cache", "logger=none", override)
    finished = train(corpus, *settings, *more, expect=1)
    assert message in finished.stderr and "Traceback" not in finished.stderr
    assert not (own / "run").exists() and not (own / "cache").exists()  # before any work


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("LearningRateFinder", "{num_training_steps: 5}"),
        ("LearningRateMonitor", "{}"),
        ("ModelSummary", "{max_depth: 2}"),
        ("DeviceStatsMonitor", "{cpu_stats: true}"),
        ("StochasticWeightAveraging", "{swa_lrs: 0.01, swa_epoch_start: 1}"),
    ],
)
def test_lightnings_own_callbacks_work(
    corpus: Path, own: Path, target: str, arguments: str
) -> None:
    path = own / "configs" / "callbacks" / "theirs.yaml"
    spec = f"_target_: pytorch_lightning.callbacks.{target}"
    inner = arguments[1:-1]
    path.write_text(
        f"defaults: [default, _self_]\nextra:\n  theirs: {{{spec}{', ' if inner else ''}{inner}}}\n"
    )
    settings = (f"--config-dir={own}/configs", "callbacks=theirs", "model.schedule=constant")
    finished = train(corpus, *settings, f"hydra.run.dir={own}/run")
    assert record_of(own / "run")["status"] == "finished", finished.stderr
    assert ("keeps too little" in finished.stderr) == (target in NOT_RESUMABLE)


def test_a_run_that_could_not_end_as_if_left_alone_is_not_resumed(corpus: Path, own: Path) -> None:
    callback = "{_target_: pytorch_lightning.callbacks.GradientAccumulationScheduler"
    settings = (f"callbacks.extra.more={callback}, scheduling: {{1: 2}}}}", "logger=none")
    folder = own / "run"
    finished = train(corpus, *settings, f"hydra.run.dir={folder}")
    reason = "callbacks.extra.more: GradientAccumulationScheduler keeps too little in checkpoints"
    assert f"{reason} for a run to be resumed to the bit: interrupted, this" in finished.stderr
    written = json.dumps(record_of(folder) | {"status": "interrupted"})
    (folder / "run.json").write_text(written, encoding="utf-8")
    again = train(corpus, *settings, f"hydra.run.dir={folder}", expect=1)
    assert reason in again.stderr and f"or remove {folder / 'checkpoints'} to" in again.stderr
    assert record_of(folder)["status"] == "interrupted"
    shutil.rmtree(folder / "checkpoints")
    train(corpus, *settings, f"hydra.run.dir={folder}")


def test_arguments_of_classes_need_no_plus(corpus: Path, own: Path) -> None:
    settings = (f"--config-dir={own}/configs", "model.optimizer._target_=torch.optim.Adagrad")
    steps = "callbacks.extra.lr={_target_: pytorch_lightning.callbacks.LearningRateMonitor}"
    more = (steps, "logger=csv", "logger.csv.prefix=a", "trainer.log_every_n_steps=1")
    train(corpus, *settings, *more, f"hydra.run.dir={own}/run")
    header = (own / "run" / "csv" / "metrics.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "a-lr-Adagrad" in header and "a-val/loss" in header
    # Typed again, the command is the same.
    assert "++" not in record_of(own / "run")["command"]


def interrupted(folder: Path) -> dict[str, Any]:
    """Make a finished run one that was interrupted; the record as it was."""
    record = record_of(folder)
    written = json.dumps(record | {"status": "interrupted"})
    (folder / "run.json").write_text(written, encoding="utf-8")
    return record


def words_after(text: str, said: str) -> list[str]:
    """A command that a message ends in, as words for a process of its own."""
    (line,) = [line for line in said.splitlines() if text in line]
    command = shlex.split(line[line.index(text) + len(text) :])
    assert command[0] == "nsmc" or command[:2] == ["python", "train.py"]
    start = [] if command[0] == "python" else ["-m", "nsmc.cli"]
    return [sys.executable, *start, *command[1:]]


def test_a_run_of_ones_own_classes_goes_on_by_the_line_that_is_printed(
    corpus: Path, own: Path
) -> None:
    folder = own / "run"
    (own / "configs" / "logger").mkdir()
    (own / "configs" / "logger" / "mine.yaml").write_text(
        f"mine:\n  _target_: pytorch_lightning.loggers.CSVLogger\n  save_dir: {own}/csv\n"
    )
    chosen = ("experiment=rate", "callbacks=counting", "logger=mine", "model.lr=0.04")
    more = ("callbacks.extra.counter.start=5", "+callbacks.extra.counter.every=[1,2]")
    settings = (f"--config-dir={own}/configs", *chosen, *more, f"hydra.run.dir={folder}")
    command = train_command(corpus, *settings, "trainer.max_epochs=60")
    environment = {**ENVIRONMENT, "PYTHONPATH": str(own)}
    with subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        wait_for("epoch 3/", process.stderr)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    again = words_after("interrupted: go on with ", rest)
    assert again[2:4] == ["--config-dir", f"{own}/configs"]
    # Its record alone calls nothing, and says how it goes on: by the same line.
    bare = run([sys.executable, "train.py", f"resume={folder}"], 1)
    assert words_after("if you trust that: ", bare.stderr) == again
    other = [word.replace("start=5", "start=6") for word in again]
    refused = run(other, 1).stderr
    assert f"{folder}: callbacks.extra.counter={{_target_:own_mod" in refused
    run_anew(again, PYTHONPATH=str(own))
    record = record_of(folder)
    assert (record["status"], record["resumed"], record["epochs"]) == ("finished", 1, 60)
    # From the start to the end, 4 batches an epoch: the callback went on, too.
    assert checkpoint_of(folder)["callbacks"]["Counter"] == {"count": 5 + 4 * 60}


def test_a_run_of_ones_own_optimizer_is_run_again_and_compared(corpus: Path, own: Path) -> None:
    folder = own / "run"
    settings = (f"--config-dir={own}/configs", "experiment=rate", "logger=none")
    train(corpus, *settings, f"hydra.run.dir={folder}")
    rerun = [sys.executable, "-m", "nsmc.cli", "rerun", str(folder)]
    said = run(rerun, 1).stderr
    again = words_after("if you trust what is in that folder, ", said)
    assert again[-2:] == ["--config-dir", f"{own}/configs"]
    finished = run(again)
    assert "the same, every weight and every metric to the bit" in finished.stdout
    compare = [*rerun[:3], "compare", str(folder), str(folder), "--slice", "best=최고"]
    assert "best" in run(compare).stdout
    interrupted(folder)
    # What is chosen again is not what the run has: its recorded values are.
    flags = [f"--config-dir={own}/configs", "experiment=rate"]
    run([sys.executable, "train.py", f"resume={folder}", *flags])
    assert record_of(folder)["config"]["model"]["lr"] == 0.05


def test_a_run_of_a_class_that_was_typed_leads_to_its_whole_command(
    corpus: Path, own: Path
) -> None:
    folder = own / "run"
    typed = "model.schedule={_target_: torch.optim.lr_scheduler.StepLR, step_size: 2}"
    train(corpus, "logger=none", typed, f"hydra.run.dir={folder}")
    said = run([sys.executable, "-m", "nsmc.cli", "rerun", str(folder)], 1).stderr
    again = words_after("run its command instead: ", said)
    run([*again, f"hydra.run.dir={own}/again"])
    assert record_of(own / "again")["signature"] == record_of(folder)["signature"]
    interrupted(folder)
    said = run([sys.executable, "train.py", f"resume={folder}"], 1).stderr
    run(words_after("if you trust that: ", said))
    assert record_of(folder)["status"] == "finished"
    interrupted(folder)
    # Another logger is no other run.
    run([*words_after("if you trust that: ", said), "logger=csv"])


def test_a_run_of_mlflow_s_logger_goes_on_with_another_one(corpus: Path, own: Path) -> None:
    folder = own / "run"
    train(corpus, "logger=none", f"hydra.run.dir={folder}")
    record = interrupted(folder)
    theirs = {"_target_": "pytorch_lightning.loggers.MLFlowLogger", "run_name": "x"}
    record |= {"status": "interrupted", "overrides": [*record["overrides"], "logger=mlflow"]}
    record["config"]["logger"] = {"mlflow": theirs}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    said = run([sys.executable, "train.py", f"resume={folder}"], expect=1).stderr
    assert "logger=mlflow" in words_after("if you trust that: ", said)
    run([sys.executable, "train.py", f"resume={folder}", "logger=none"])
    assert record_of(folder)["status"] == "finished"
