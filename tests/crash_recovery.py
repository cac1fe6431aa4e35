"""Kills real runs at random moments, resumes them and compares: `python -m tests.crash_recovery`.

Every attempt is a process of its own, forked from one that has the imports behind it and never
trains. What is compared is every weight of the bundle, the final metrics and each epoch's history,
to the bit, with a run that was left alone.
"""

import argparse
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing import RawValue
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: forked threads would be missing

import numpy as np
import pytorch_lightning as L
from safetensors.numpy import load_file

import nsmc.data
import nsmc.runs.job as job
from nsmc.config.schema import RunConfig
from nsmc.runs.build import build_callbacks
from nsmc.runs.record import read_record, state_of
from nsmc.training.checkpoints import AtomicCheckpointIO
from nsmc.training.export import BundleExport
from nsmc.training.signals import Interrupted, raise_on_signals
from tests.benchmarks.common import config

STAGES = ("start", "training", "validation", "checkpoint", "export", "evaluation")
SETTINGS = (
    "data=sample",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=3",
    "model.hidden_size=16",
    "model.embedding_dim=16",
    "callbacks.checkpoint.every_n_minutes=0.0005",  # 30 ms: as many checkpoints as possible
    "callbacks.early_stopping.patience=2",
    "trainer.threads=1",
)
_MOST_KILLS = 3  # in one run

# For each stage the chance, at each look, that the kill follows, and the seconds to it at most.
_MOMENTS = {
    "start": (1.0, 1.0),
    "training": (0.01, 0.05),
    "validation": (0.1, 0.02),
    "checkpoint": (0.02, 0.003),
    "export": (0.5, 0.02),
    "evaluation": (0.5, 0.05),
}

stage = RawValue("i", 0)  # of the attempt that is under way, seen by both processes


class StageWatch(L.Callback):
    """Says what the fit is at."""

    def on_train_batch_start(self, *_: Any) -> None:
        stage.value = STAGES.index("training")

    def on_validation_start(self, trainer: L.Trainer, *_: Any) -> None:
        stage.value = STAGES.index("validation" if trainer.state.fn == "fit" else "evaluation")

    def on_test_start(self, *_: Any) -> None:
        stage.value = STAGES.index("evaluation")


def watch_stages() -> None:
    """Make the writing of checkpoints and the export say that they are under way."""
    for owner, name, label in (
        (AtomicCheckpointIO, "save_checkpoint", "checkpoint"),
        (BundleExport, "_export", "export"),
    ):
        setattr(owner, name, _announced(getattr(owner, name), label))
    job.build_callbacks = lambda *a: [*build_callbacks(*a), StageWatch()]  # type: ignore[attr-defined]


def _announced(function: Any, label: str) -> Any:
    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        before, stage.value = stage.value, STAGES.index(label)
        result = function(*arguments, **keywords)
        stage.value = before
        return result

    return wrapped


def attempt(settings: RunConfig, folder: Path, begin: Callable[[], None] = lambda: None) -> int:
    """Fork a process that calls `begin` and runs, or goes on with, the job; its process id."""
    stage.value = 0
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with (folder.parent / f"{folder.name}.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        begin()
        raise_on_signals()
        job.run_job(settings, folder, "python train.py")
        code = 0
    except Interrupted as interrupted:
        code = interrupted.exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def killed_within(pid: int, target: str, chance: random.Random, signum: int) -> str | None:
    """Wait for the stage, and a moment more, then kill; the stage it hit, None if too late.

    Raises RuntimeError where the process ended by itself in another way than well.
    """
    share, longest = _MOMENTS[target]
    begun, after = None, chance.uniform(0, longest)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _check_exit(status, (0,))
            return None
        is_there = stage.value == STAGES.index(target)
        if begun is None and is_there and chance.random() < share:
            begun = time.monotonic()
        if begun is not None and time.monotonic() - begun >= after:
            break
        time.sleep(0.0002)
    hit = STAGES[stage.value]
    os.kill(pid, signum)
    _, status = os.waitpid(pid, 0)
    if signum == signal.SIGKILL and not os.WIFEXITED(status):
        return hit
    _check_exit(status, (0, 128 + signum))
    return hit if os.waitstatus_to_exitcode(status) else None


def _check_exit(status: int, allowed: tuple[int, ...]) -> None:
    if (code := os.waitstatus_to_exitcode(status)) not in allowed:
        raise RuntimeError(f"an attempt ended with code {code}")


def trial(settings: RunConfig, folder: Path, chance: random.Random, target: str) -> list[str]:
    """Run a job that is killed one to three times, then left alone; the stages that were hit."""
    hits = []
    for _ in range(chance.randint(1, _MOST_KILLS)):
        signum = signal.SIGTERM if chance.random() < 0.25 else signal.SIGKILL
        pid = attempt(settings, folder)
        hit = killed_within(pid, target, chance, signum)
        if hit is None:
            break
        hits.append(f"{hit} ({signal.Signals(signum).name})")
    _, status = os.waitpid(attempt(settings, folder), 0)
    _check_exit(status, (0,))
    return hits


def differences(folder: Path, reference: Path) -> list[str]:
    """What is not the same, to the bit, in two finished runs."""
    assert state_of(folder) == state_of(reference) == "finished"
    ours, theirs = (load_file(f / "bundle" / "nsmc.safetensors") for f in (folder, reference))
    found = [name for name in theirs if not np.array_equal(ours[name], theirs[name])]
    records = [read_record(f) or {} for f in (folder, reference)]
    found += [key for key in ("metrics", "signature") if records[0][key] != records[1][key]]
    losses = [[epoch.get("val/loss") for epoch in record["history"]] for record in records]
    found += ["history"] if losses[0] != losses[1] or len(losses[0]) != records[1]["epochs"] else []
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash_recovery", description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("overrides", nargs="*", help="of the configuration")
    options = parser.parse_args()
    watch_stages()
    settings = config(Path(nsmc.data.__path__[0]) / "sample", *SETTINGS, *options.overrides)
    chance, hits, identical = random.Random(options.seed), collections.Counter[str](), 0
    with tempfile.TemporaryDirectory() as parent:
        reference = Path(parent) / "reference"
        _check_exit(os.waitpid(attempt(settings, reference), 0)[1], (0,))
        for number in range(options.trials):
            folder = Path(parent) / f"trial-{number}"
            found = trial(settings, folder, chance, STAGES[number % len(STAGES)])
            hits.update(found)
            different = differences(folder, reference)
            identical += not different
            print(f"trial {number}: {', '.join(found) or 'none'}: {different or 'identical'}")
            shutil.rmtree(folder)
    print(f"killed {sum(hits.values())} times: {dict(sorted(hits.items()))}")
    print(f"identical: {identical} of {options.trials}", flush=True)
    return int(identical != options.trials)


if __name__ == "__main__":
    sys.exit(main())
