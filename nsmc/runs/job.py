"""One job: from a checked configuration to a trained, tested, exported and recorded run.

Nothing here knows Hydra.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as L
import torch

from nsmc.config.schema import RunConfig
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runs.build import (
    CHECKPOINTS,
    build_callbacks,
    build_datamodule,
    build_trainer,
    corpus_name,
    fetch_unlabelled_reviews,
)
from nsmc.runs.continuation import Record, continuation, is_same, now, starting_checkpoint
from nsmc.runs.hardware import check_hardware
from nsmc.runs.hparams import log_hyperparameters
from nsmc.runs.leakage import check_held_out
from nsmc.runs.linear import train_linear
from nsmc.runs.processes import is_first, started_together
from nsmc.runs.quiet import quieten
from nsmc.runs.record import occupied, read_record, recorded
from nsmc.runs.results import measure, progress_of, training_results
from nsmc.runs.signature import corpus_fingerprint, signature
from nsmc.runs.sources import check_sources
from nsmc.runtime.choosing import bundle_folder
from nsmc.runtime.loading import read_bundle
from nsmc.training.checkpoints import adopt_best, check_checkpoint, load_checkpoint
from nsmc.training.export import BundleExport
from nsmc.training.initial import start_from
from nsmc.training.interruption import exit_as_interruption
from nsmc.training.language_model import LanguageModule, token_counts
from nsmc.training.meeting import meet
from nsmc.training.module import SentimentModule
from nsmc.training.signals import Interrupted, Pruned

log = logging.getLogger(__name__)

Module = SentimentModule | LanguageModule

_THREADS = torch.get_num_threads()  # before a job sets its own


def run_job(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str] = (),
    callbacks: Sequence[L.Callback] = (),
) -> Record:
    """Train, validate and test the best weights, export the bundle, keep `run.json`.

    `folder` is the run's own; a run that was interrupted in it goes on. `command` and `overrides`
    are what a user types for the same run. Returns the record. Raises ValueError or OSError, in one
    line, for what a user can mend, and Interrupted when told to stop.
    """
    quieten(is_first(config))
    if not is_first(config):
        return train(config, folder, None, callbacks)
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
            running |= _train(config, folder, running, callbacks)
    return running


def _train(
    config: RunConfig, folder: Path, record: Record, callbacks: Sequence[L.Callback]
) -> Record:
    if config.task == "linear":
        return train_linear(config, build_datamodule(config), folder)
    return train(config, folder, record, callbacks)


def train(
    config: RunConfig, folder: Path, record: Record | None, callbacks: Sequence[L.Callback] = ()
) -> Record:
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
        corpus=corpus_name(config.data),
        command=known.get("command", ""),
        signature=known.get("signature", ""),
    )
    all_callbacks = [*build_callbacks(config, folder), *callbacks, export]
    trainer = build_trainer(config, folder, all_callbacks, step)
    record = _meet(config, trainer, record)
    if record["status"] == "finished":
        return record
    record["threads"] = torch.get_num_threads()
    fit(trainer, module, datamodule, record["resumed_from"] or config.ckpt_path)
    # Before the measuring, which loads the best checkpoint with the callbacks' state of then.
    results = training_results(trainer, module, datamodule)
    before = progress_of(trainer).seconds_before
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
            num_sampled=model.num_sampled,
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
    """Train, and export by callback.

    Raises Interrupted where the user does not wait for a step, and ValueError where the checkpoint
    holds what no step can be made from.
    """
    try:
        with exit_as_interruption():
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint)
    except (OSError, ValueError, MemoryError, torch.OutOfMemoryError, Interrupted, Pruned):
        raise
    except Exception as error:
        if checkpoint is None or progress_of(trainer).has_stepped:
            raise
        details = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise ValueError(
            f"{checkpoint}: damaged, or of another version of this program ({details})"
        ) from error
