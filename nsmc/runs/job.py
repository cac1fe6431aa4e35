"""One job: from a checked configuration to a trained, tested, exported and recorded run.

Its steps stand here in their order: prepare, build, fit, evaluate, record. Nothing here knows
Hydra.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as L
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import DummyLogger
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.comparison.answers import ANSWERS_FILE
from nsmc.comparison.hardest import HARDEST_FILE
from nsmc.config.composition import flags
from nsmc.config.schema import RunConfig
from nsmc.config.trainer import TrainerConfig
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runs.build import (
    Module,
    build_callbacks,
    build_datamodule,
    build_module,
)
from nsmc.runs.corpus_files import corpus_name, training_fingerprint, warn_of_own_test
from nsmc.runs.from_checkpoint import check_alike, check_progress, or_weights_alone
from nsmc.runs.hparams import log_hyperparameters
from nsmc.runs.linear_job import train_linear
from nsmc.runs.loggers import LoggedRun, build_loggers, close_loggers, log_settings
from nsmc.runs.logs import quieten
from nsmc.runs.own_classes import check_own_classes, check_resumable
from nsmc.runs.prepare import check_inputs, prepare
from nsmc.runs.processes import is_first, number_among_unwatched, started_together
from nsmc.runs.record import Record, occupied, read_record, recorded
from nsmc.runs.resume import continuation, now, starting_checkpoint
from nsmc.runs.teachers import teachers_of
from nsmc.runs.trainer import CHECKPOINTS, build_trainer, check_hardware
from nsmc.training.checkpoints import adopt_best, differences, epochs_behind, load_checkpoint
from nsmc.training.children import end_watch
from nsmc.training.export import BundleExport, best_checkpoint
from nsmc.training.hardest import explain_hardest
from nsmc.training.interruption import exit_as_interruption
from nsmc.training.meeting import gathering, losing_others, meet
from nsmc.training.metrics import defined
from nsmc.training.module import SentimentModule
from nsmc.training.progress import TrainingProgress
from nsmc.training.signals import Interrupted, Pruned
from nsmc.training.starting import MisfitError

log = logging.getLogger(__name__)

_THREADS = torch.get_num_threads()  # before a job sets its own


@dataclass(frozen=True)
class Training:
    """What is built for a training that began at `started`, by `time.perf_counter`."""

    trainer: L.Trainer
    module: Module
    datamodule: ReviewDataModule
    export: BundleExport
    started: float


def run_job(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str] = (),
    callbacks: Sequence[L.Callback] = (),
) -> Record:
    """Train, measure the best weights, export the bundle, keep `run.json`; returns the record.

    `folder` is the run's own; a run interrupted in it is resumed. `command` and `overrides`
    are what a user types for the same run. Raises ValueError or OSError, in one line, for what a
    user can mend, and Interrupted when a signal stops it.
    """
    is_first_process = is_first(config.trainer)
    quieten(is_first_process)
    callbacks = _all_callbacks(config, folder, callbacks)
    with gathered(config.trainer) as store:
        if is_first_process:
            return _run_first(config, folder, command, overrides, callbacks, store)
        return _join_the_first(config, folder, callbacks, store)


def gathered(config: TrainerConfig) -> AbstractContextManager[TCPStore | None]:
    """The store of processes that nobody else tells of one another's end."""
    number = number_among_unwatched(config)
    return nullcontext() if number is None else gathering(*number)


def _run_first(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str],
    callbacks: Sequence[L.Callback],
    store: TCPStore | None,
) -> Record:
    """Run the job in the process that keeps the record, perhaps the only one."""
    checkpoint = starting_checkpoint(config.ckpt_path, folder, read_record(folder) or {})
    run = prepare(config, overrides, download=True, starting_checkpoint=checkpoint)
    if config.test:
        warn_of_own_test(config.data)
    if config.data.unlabelled and config.data.unlabelled_file is None:
        log.info("data=%s has no unlabelled reviews: this run does without", config.data.name)
    folder.mkdir(parents=True, exist_ok=True)
    with occupied(folder):
        earlier = read_record(folder) or {}  # another process may have been at it
        if earlier.get("status", "") == "finished" and earlier.get("signature") == run.signature:
            log.info("%s: finished before", folder)
            if started_together() > 1 or config.trainer.num_nodes > 1:
                meet(build_trainer(config, folder, []), earlier, store)  # the others wait for it
            return earlier
        begun = {
            "signature": run.signature,
            "corpus_fingerprint": run.corpus_fingerprint,
            "training_fingerprint": training_fingerprint(config.data),
            "starting_checkpoint": run.starting_checkpoint,
            "command": command,
            "overrides": list(overrides),
            "flags": flags(),
            "config": config.model_dump(),
            **continuation(folder, earlier, run),
        }
        if config.task != "linear":
            check_resumable(config, folder, begun["resumed_from"] is not None)
            if "teachers" not in begun and (entry := teachers_of(config)):
                begun["teachers"] = entry
        with recorded(folder, begun) as record:
            if config.task == "linear":
                record |= train_linear(config, build_datamodule(config), folder)
            else:
                try:
                    training = build(config, folder, callbacks, record)
                    wait_for_all(config.trainer, training.trainer, record, store)
                    record["threads"] = torch.get_num_threads()
                    record |= train(config, training, record["resumed_from"])
                finally:
                    end_watch()  # what loggers still send is nobody else's
                    close_loggers()
    return record


def _all_callbacks(
    config: RunConfig, folder: Path, callbacks: Sequence[L.Callback]
) -> list[L.Callback]:
    """A network's callbacks but the export, with those given.

    They are built before anything is read, as are the user's other classes for a try: a mistake
    there should cost nobody time.
    """
    if config.task == "linear":
        return []
    L.seed_everything(config.seed, workers=True, verbose=False)  # a user's own may draw numbers
    check_own_classes(config)
    return [*build_callbacks(config, folder), *callbacks]


def _join_the_first(
    config: RunConfig, folder: Path, callbacks: Sequence[L.Callback], store: TCPStore | None
) -> Record:
    """Train with the process that keeps the record."""
    check_inputs(config)  # which may be on another machine
    training = build(config, folder, callbacks, None)
    record = wait_for_all(config.trainer, training.trainer, None, store)
    if record["status"] == "finished":
        return record
    return train(config, training, record["resumed_from"])


def build(
    config: RunConfig, folder: Path, callbacks: Sequence[L.Callback], record: Record | None
) -> Training:
    """Build all that trains. The first process alone has the run's record, and exports."""
    started = time.perf_counter()
    check_hardware(config.trainer)
    begun = record or {}
    # To the bit, results depend on it: a resumed run keeps what it had.
    torch.set_num_threads(begun.get("threads") or config.trainer.threads or _THREADS)
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config)
    module = build_module(config, datamodule)
    step = None
    if checkpoint := begun.get("resumed_from"):
        step = load_checkpoint(checkpoint)["global_step"]
        log.info("going on from step %s of %s", f"{step:,}", checkpoint)
    elif record and config.ckpt_path is not None:
        content = load_checkpoint(config.ckpt_path)
        check_alike(config, differences(content, module, datamodule))
        check_progress(config, epochs_behind(content), content["global_step"])
        monitor = config.callbacks.checkpoint.monitor
        adopt_best(Path(config.ckpt_path), folder / CHECKPOINTS, monitor)
    export = BundleExport(
        str(folder / "bundle"),
        corpus=corpus_name(config.data),
        command=begun.get("command", ""),
        signature=begun.get("signature", ""),
        teachers=begun.get("teachers"),
        measured=config.trainer.measures_all,
    )
    loggers: list[Logger] = []
    if config.trainer.fast_dev_run:
        loggers += [DummyLogger()] if config.logger.chosen else []
    else:
        started_at, notes = begun.get("started", ""), config.notes
        logged = LoggedRun(folder, started_at, step, tuple(config.tags), notes)
        loggers = build_loggers(config, logged)
    trainer = build_trainer(config, folder, [*callbacks, export], loggers)
    return Training(trainer, module, datamodule, export, started)


def wait_for_all(
    config: TrainerConfig, trainer: L.Trainer, record: Record | None, store: TCPStore | None
) -> Record:
    """Wait for the processes that train together; the first one's record, which it brings."""
    if config.processes > 1:
        record = meet(trainer, record, store)
        assert record is not None
        # Lightning has divided the machine's cores among its processes.
        if threads := record.get("threads") or config.threads:
            torch.set_num_threads(threads)
    assert record is not None
    return record


def train(config: RunConfig, training: Training, resumed_from: str | None) -> Record:
    """Fit, export and evaluate; returns what that adds to the record.

    A run that was resumed counts its earlier parts, too.
    """
    trainer, module, datamodule = training.trainer, training.module, training.datamodule
    if resumed_from is None:  # or they are there
        log_settings(trainer.loggers, config)
    try:
        fit(trainer, module, datamodule, resumed_from or config.ckpt_path)
    except MisfitError as error:
        raise ValueError(
            str(error) if resumed_from else or_weights_alone(str(error), config)
        ) from None
    # Before the evaluation, which loads the best checkpoint with its state of the callbacks.
    progress = progress_of(trainer)
    results = {
        "train_seconds": round(progress.seconds, 3),
        "reviews_per_second": round(progress.reviews / max(progress.seconds, 1e-9), 1),
        "training_reviews": len(datamodule.corpus.splits["train"]),
        "epochs": len(progress.history),
        "steps": trainer.global_step,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "corpus_fingerprint": datamodule.corpus.corpus_fingerprint,
        "tokenizer_fingerprint": datamodule.corpus.tokenizer_fingerprint,
        "history": progress.history,
    }
    began = training.started - progress.seconds_before
    metrics = evaluate(trainer, module, datamodule, config.test)
    end_watch()
    seconds = round(time.perf_counter() - began, 3)
    results |= {"metrics": metrics, "seconds": seconds, "finished": now()}
    if trainer.is_global_zero:
        if config.trainer.fast_dev_run:
            return results | _nothing_kept(training)
        if isinstance(module, SentimentModule):
            explain_hardest(trainer, datamodule, training.export.folder)
        log_hyperparameters(trainer, config, metrics)
        files = training.export.folder.iterdir()
        results["bundle_bytes"] = sum(file.stat().st_size for file in files)
    return results


def _nothing_kept(training: Training) -> dict[str, Any]:
    """After a try of a few batches: no bundle for anybody to use, no metrics to be compared."""
    bundle = training.export.folder
    for name in (ANSWERS_FILE, HARDEST_FILE):
        bundle.with_name(name).unlink(missing_ok=True)
    for folder in (bundle, bundle.with_name(CHECKPOINTS)):
        shutil.rmtree(folder)
    return {"metrics": {}, "history": [], "bundle_bytes": 0}


def fit(
    trainer: L.Trainer, module: Module, datamodule: ReviewDataModule, checkpoint: str | None
) -> None:
    """Train, and export by callback.

    Raises Interrupted where the user does not wait for a step, ProcessLostError where another
    process ends, and ValueError where no step can be made from the checkpoint.
    """
    try:
        with exit_as_interruption(), losing_others():
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint)
    except (OSError, ValueError, MemoryError, torch.OutOfMemoryError, Interrupted, Pruned):
        raise
    except MisconfigurationException as error:  # of Lightning's own callbacks, for example
        raise ValueError(" ".join(str(error).split())) from error
    except Exception as error:
        if checkpoint is None or progress_of(trainer).has_stepped:
            raise
        details = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise ValueError(
            f"{checkpoint}: damaged, or of another version of this program ({details})"
        ) from error


def evaluate(
    trainer: L.Trainer, module: Module, datamodule: ReviewDataModule, test: bool
) -> dict[str, float]:
    """Metrics of the best weights on the validation part and, if wanted, the test part.

    Raises Interrupted where the user does not wait, and ProcessLostError where another process
    ends.
    """
    best = best_checkpoint(trainer)
    measured: dict[str, Any] = {}
    with exit_as_interruption(), losing_others():
        trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
        measured |= trainer.callback_metrics
        if test and isinstance(module, SentimentModule):  # a language model is a means, not an end
            trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
            measured |= trainer.callback_metrics
    splits = ("val/", "test/")
    metrics = defined(measured, *splits)
    for name in measured:
        if name.startswith(splits) and name not in metrics:
            log.warning("%s is undefined: all reviews of that part have one label", name)
    return metrics


def progress_of(trainer: L.Trainer) -> TrainingProgress:
    callbacks: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(callback for callback in callbacks if isinstance(callback, TrainingProgress))
