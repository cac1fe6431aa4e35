"""One job: from a checked configuration to a trained, tested, exported and recorded run.

Nothing here knows Hydra.
"""

import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as L
import torch

from nsmc.data.datamodule import ReviewDataModule
from nsmc.experiments.build import (
    CHECKPOINTS,
    build_callbacks,
    build_datamodule,
    build_trainer,
    fetch_unlabelled_reviews,
)
from nsmc.experiments.continuing import Record, continuation, is_same, now, starting_checkpoint
from nsmc.experiments.hardware import check_hardware
from nsmc.experiments.held_out import check_held_out
from nsmc.experiments.hparams import log_hyperparameters
from nsmc.experiments.linear import train_linear
from nsmc.experiments.processes import is_first, started_together
from nsmc.experiments.quiet import quieten
from nsmc.experiments.record import occupied, read_record, recorded
from nsmc.experiments.schema import RunConfig
from nsmc.experiments.signature import corpus_fingerprint, signature
from nsmc.experiments.sources import check_sources
from nsmc.runtime.choosing import bundle_folder
from nsmc.runtime.loading import read_bundle
from nsmc.training.checkpoints import adopt_best, check_checkpoint, load_checkpoint
from nsmc.training.export import BundleExport, best_checkpoint
from nsmc.training.initial import start_from
from nsmc.training.language_model import LanguageModule, token_counts
from nsmc.training.meeting import meet
from nsmc.training.module import SentimentModule
from nsmc.training.progress import TrainingProgress
from nsmc.training.signals import Interrupted

log = logging.getLogger(__name__)

Module = SentimentModule | LanguageModule

_THREADS = torch.get_num_threads()  # before a job sets its own


def run_job(config: RunConfig, folder: Path, command: str, overrides: Sequence[str] = ()) -> Record:
    """Train, validate and test the best weights, export the bundle, keep `run.json`.

    `folder` is the run's own; a run that was interrupted in it goes on. `command` and `overrides`
    are what a user types for the same run. Returns the record. Raises ValueError or OSError, in one
    line, for what a user can mend, and Interrupted when told to stop.
    """
    quieten(is_first(config))
    if not is_first(config):
        return train(config, folder, None)
    check_sources(config)
    fetch_unlabelled_reviews(config)  # the signature is that of their content
    fingerprint = corpus_fingerprint(config.data, config.test)
    check_held_out(config, fingerprint)
    earlier = read_record(folder) or {}
    start = starting_checkpoint(config, folder, earlier)
    record = {
        "signature": signature(config, fingerprint, start),
        "corpus_fingerprint": fingerprint,
        "starting_checkpoint": start,
        "command": command,
        "overrides": list(overrides),
        "config": config.model_dump(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with occupied(folder):
        earlier = read_record(folder) or {}  # another process may have been at it
        if earlier.get("status", "") == "finished" and is_same(earlier, record):
            log.info("%s: finished before", folder)
            if started_together() > 1:
                meet(build_trainer(config, folder, []), earlier)  # they would wait for a run
            return earlier
        with recorded(folder, {**record, **continuation(folder, earlier, record)}) as running:
            running |= _train(config, folder, running)
    return running


def _train(config: RunConfig, folder: Path, record: Record) -> Record:
    if config.task == "linear":
        return train_linear(config, build_datamodule(config), folder)
    return train(config, folder, record)


def train(config: RunConfig, folder: Path, record: Record | None) -> Record:
    """Fit, export, measure; returns what that adds to the record.

    The first process has the record; the others, who come without, hear of it when they meet.
    """
    started = time.perf_counter()
    check_hardware(config.trainer)
    known = record or {}
    # To the bit, results depend on it: a run that goes on keeps what it had.
    torch.set_num_threads(known.get("threads") or config.trainer.threads or _THREADS)
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config)
    module = build_module(config, datamodule)
    step = _check_start(config, folder, record, module, datamodule) if record else None
    export = BundleExport(
        str(folder / "bundle"),
        labels=tuple(config.data.labels),
        corpus=config.data.name,
        command=known.get("command", ""),
        signature=known.get("signature", ""),
    )
    callbacks = [*build_callbacks(config, folder), *build_pruning(config, folder), export]
    trainer = build_trainer(config, folder, callbacks, step)
    record = _meet(config, trainer, record)
    if record["status"] == "finished":
        return record
    record["threads"] = torch.get_num_threads()
    fit(trainer, module, datamodule, record["resumed_from"] or config.ckpt_path)
    # Before the measuring, which loads the best checkpoint with the callbacks' state of then.
    results = _training_results(trainer, module, datamodule)
    before = _progress(trainer).seconds_before
    metrics = measure(trainer, module, datamodule, config.test)
    seconds = round(before + time.perf_counter() - started, 3)
    results |= {"metrics": metrics, "seconds": seconds, "finished": now()}
    if trainer.is_global_zero:
        log_hyperparameters(trainer, config, metrics)
        results["bundle_bytes"] = sum(file.stat().st_size for file in export.folder.iterdir())
    return results


def _meet(config: RunConfig, trainer: L.Trainer, record: Record | None) -> Record:
    """The record of the first process; the first keeps its own."""
    if config.trainer.processes == 1:
        assert record is not None
        return record
    told = meet(trainer, record)
    assert told is not None
    # Lightning has divided the machine's cores among its processes.
    if threads := told.get("threads") or config.trainer.threads:
        torch.set_num_threads(threads)
    return record or told


def build_pruning(config: RunConfig, folder: Path) -> list[L.Callback]:
    """The callback that ends a search's bad trials; none for a run that is no trial."""
    if config.search is None or config.search.trial is None or config.search.pruner == "none":
        return []
    from nsmc.experiments.sweeps.study import pruning  # only those who search pay for its import

    return [pruning(config, folder)]


def build_module(config: RunConfig, datamodule: ReviewDataModule) -> Module:
    """The module for the corpus's vocabulary, with the weights of `init_from` where that is set.

    Raises what `read_bundle` raises, and ValueError where that bundle is of another shape.
    """
    model, vocab_size = config.model, datamodule.corpus.tokenizer().get_vocab_size()
    if vocab_size < config.data.vocab_size and not datamodule.files.tokenizer:
        log.info(
            "the corpus gives %d tokens of data.vocab_size=%d", vocab_size, config.data.vocab_size
        )
    module: Module
    if config.task == "pretrain":
        module = LanguageModule(
            encoder={"vocab_size": vocab_size, **model.encoder()},
            optimization=model.optimization(),
            negatives=model.negatives,
            counts=token_counts(datamodule.training_reviews, vocab_size),
        )
    else:
        module = SentimentModule(
            classifier={"vocab_size": vocab_size, **model.classifier()},
            optimization=model.optimization(),
            regularization=model.regularization(),
        )
    if config.init_from is not None:
        bundle = read_bundle(bundle_folder(Path(config.init_from).expanduser()))
        start_from(module.network, bundle, config.init_from)
    return module


def _check_start(
    config: RunConfig,
    folder: Path,
    record: Record,
    module: Module,
    datamodule: ReviewDataModule,
) -> int | None:
    """Check the checkpoint that the run starts from; its step where this folder's own goes on."""
    if own := record["resumed_from"]:
        step: int = load_checkpoint(own)["global_step"]
        log.info("going on from step %s of %s", f"{step:,}", own)
        return step
    if config.ckpt_path is not None:
        check_checkpoint(config.ckpt_path, module, datamodule)
        monitor = config.callbacks.checkpoint.monitor
        adopt_best(Path(config.ckpt_path), folder / CHECKPOINTS, monitor)
    return None


def fit(
    trainer: L.Trainer,
    module: Module,
    datamodule: ReviewDataModule,
    checkpoint: str | None,
) -> None:
    """Train, and export by callback. Raises Interrupted where the user does not wait for a step."""
    with _interrupted_and_not_left():
        trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint)


@contextmanager
def _interrupted_and_not_left() -> Iterator[None]:
    """Raise Interrupted where Lightning answers Ctrl-C with an exit of its own, with code 1."""
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise  # a job queue's, which has put the job back
        raise Interrupted(signal.SIGINT) from None


def measure(
    trainer: L.Trainer, module: Module, datamodule: ReviewDataModule, test: bool
) -> dict[str, float]:
    """Metrics of the best weights on the validation part and, if wanted, the test part.

    Raises what `fit` raises.
    """
    best = best_checkpoint(trainer)
    measured: dict[str, Any] = {}
    # The curves end with the last epoch; the best epoch's figures have their place in HPARAMS.
    loggers, trainer.loggers = trainer.loggers, []
    with _interrupted_and_not_left():
        trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
        measured |= trainer.callback_metrics
        if test and isinstance(module, SentimentModule):  # a language model is a means, not an end
            trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
            measured |= trainer.callback_metrics
    trainer.loggers = loggers
    return {
        name: round(float(value), 6)
        for name, value in measured.items()
        if name.startswith(("val/", "test/"))
    }


def _training_results(trainer: L.Trainer, module: Module, datamodule: ReviewDataModule) -> Record:
    """What the training took and gave, of a resumed run's earlier parts too."""
    progress = _progress(trainer)
    return {
        "train_seconds": round(progress.seconds, 3),
        "reviews_per_second": round(progress.reviews / max(progress.seconds, 1e-9), 1),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "parameters": module.parameter_count(),
        "corpus_fingerprint": datamodule.corpus.corpus_fingerprint,
        "tokenizer_fingerprint": datamodule.corpus.tokenizer_fingerprint,
        "history": progress.history,
    }


def _progress(trainer: L.Trainer) -> TrainingProgress:
    return next(each for each in trainer.callbacks if isinstance(each, TrainingProgress))  # type: ignore[attr-defined]
