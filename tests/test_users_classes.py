"""Callbacks, optimizers and schedules of a user's own, by `_target_` from a --config-dir."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.commands import run, run_anew, train, train_command

MODULE = """
import pytorch_lightning as L

class Counter(L.Callback):
    def __init__(self, start=0):
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
        ("model.optimizer=sgd", "model.optimizer=sgd: must be adam, adamw or a mapping"),
    ],
)
def test_a_mistake_is_named_in_one_line(
    corpus: Path, own: Path, override: str, message: str
) -> None:
    settings = (f"--config-dir={own}/configs", "callbacks=counting", f"hydra.run.dir={own}/run")
    finished = train(corpus, *settings, override, expect=1)
    assert message in finished.stderr and "Traceback" not in finished.stderr


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
