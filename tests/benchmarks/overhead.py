"""What a run costs beside a plain Lightning loop of the same model on the same batches.

The plain loop is Lightning's Trainer with no logger, no checkpoints and no callbacks: a fit with
its validation, then a test. A run adds signatures, fingerprints, the log, TensorBoard and CSV, the
charts, checkpoints, the best epoch's second validation, the kept answers, the exported and checked
bundle and the record. Both train in this process, in turn, for one epoch. What is counted is CPU
time, which a busy machine changes less; where BATCHES is a part of the epoch's, the cost of the
others is added by the cost of those that were taken.
"""

import logging
import math
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L

from nsmc.config.schema import RunConfig
from nsmc.runs.build import build_datamodule
from nsmc.runs.job import run_job
from tests.benchmarks.common import config, row
from tests.benchmarks.training import new_module

ROUNDS = 5
BATCHES = 140  # of an epoch's, all; fewer are quicker, and the result is coarser


class Cost(NamedTuple):
    """Seconds of CPU time: of all, of the steps alone, and of the plain loop's test."""

    whole: float
    steps: float
    test: float = 0.0


class StepMeter(L.Callback):
    """The CPU time from the first step's beginning to the last one's end."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._start = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds = time.process_time() - self._start


def main(root: Path) -> None:
    for name, level in (("pytorch_lightning", logging.WARNING), ("nsmc", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    each = config(
        root,
        *("model=gru", "trainer.accelerator=cpu", "trainer.threads=1", "trainer.max_epochs=1"),
        f"trainer.limit_train_batches={BATCHES}",
    )
    datamodule = build_datamodule(each)
    datamodule.prepare_data()  # reading and encoding the corpus is no run's alone
    reviews = len(datamodule.corpus.splits["train"])
    all_batches = math.ceil(reviews / each.data.batch_size)
    plain, ours = [], []
    for _ in range(ROUNDS):
        plain.append(plain_loop(each))
        ours.append(run(each))
    left_out = all_batches / BATCHES - 1
    loops = [cost.whole + cost.steps * left_out for cost in plain]
    runs = [cost.whole + cost.steps * left_out for cost in ours]
    epochs = [loop - cost.test for loop, cost in zip(loops, plain, strict=True)]
    row(f"plain loop, {BATCHES} of {all_batches} batches: s", [c.whole for c in plain], "{:.1f}")
    row("run: s", [cost.whole for cost in ours], "{:.1f}")
    row("plain loop with all batches: s", loops, "{:.1f}")
    row("run with all batches: s", runs, "{:.1f}")
    row("an epoch, which is the plain loop without its test: s", epochs, "{:.1f}")
    beside = [run - loop for run, loop in zip(runs, loops, strict=True)]
    row("what the run adds: s", beside, "{:.1f}")
    share = statistics.median(beside) / statistics.median(epochs)
    print(f"  what a run adds is {share:.1%} of an epoch", flush=True)


def run(each: RunConfig) -> Cost:
    """A job, as train.py runs it."""
    meter, start = StepMeter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        run_job(each, Path(folder) / "run", "python train.py", callbacks=[meter])
        return Cost(time.process_time() - start, meter.seconds)


def plain_loop(each: RunConfig) -> Cost:
    meter, start = StepMeter(), time.process_time()
    L.seed_everything(each.seed, verbose=False)
    datamodule, module = build_datamodule(each), new_module(each)
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=1,
            limit_train_batches=BATCHES,
            gradient_clip_val=each.trainer.gradient_clip_val,
            callbacks=[meter],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        trainer.fit(module, datamodule=datamodule)
        before_test = time.process_time()
        trainer.test(module, datamodule=datamodule, verbose=False)
    end = time.process_time()
    return Cost(end - start, meter.seconds, end - before_test)
