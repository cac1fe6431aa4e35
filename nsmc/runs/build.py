"""Builds what a job runs, from a checked configuration: plain values go into plain classes."""

import functools
import logging
import sys
from pathlib import Path

import pytorch_lightning as L

from nsmc.config.schema import RunConfig
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.encoding import TokenizerSettings
from nsmc.data.soft_labels import Distillation
from nsmc.runs.batches import check_batches
from nsmc.runs.corpus_files import files_of, tokenizer_file
from nsmc.runs.own_classes import build_own_callbacks
from nsmc.runs.trainer import CHECKPOINTS
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import bundle_folder
from nsmc.training.answers import AnswerKeeper
from nsmc.training.averaging import WeightAverage
from nsmc.training.calibration import Calibration
from nsmc.training.charts import ValidationCharts
from nsmc.training.checkpoints import LAST, BestCheckpoint
from nsmc.training.class_weights import class_weights
from nsmc.training.early_stopping import EarlyStopping, OwnPatience, StepLimit
from nsmc.training.initial import start_from
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.language_model import LanguageModule, token_counts
from nsmc.training.module import SentimentModule
from nsmc.training.progress import ProgressBar, TrainingProgress
from nsmc.training.randomness import StepSeed

log = logging.getLogger(__name__)

Module = SentimentModule | LanguageModule

_OF_THE_DATAMODULE = {
    *("cache_dir", "batch_size", "eval_batch_size", "max_length", "shuffle", "bucketing"),
}


def build_datamodule(run: RunConfig) -> ReviewDataModule:
    config, distill = run.data, run.distill
    distillation = None
    if distill.teachers:
        distillation = Distillation(tuple(distill.teachers), distill.weight, distill.temperature)
    return ReviewDataModule(
        files=files_of(run),
        tokenizer=TokenizerSettings(
            vocab_size=config.vocab_size,
            min_frequency=config.min_frequency,
            normalization=config.normalization,
            file=tokenizer_file(run),
            morphemes=config.morphemes,
        ),
        **config.model_dump(include=_OF_THE_DATAMODULE),
        pad_to=config.max_length if config.padding == "fixed" else None,
        seed=run.seed,
        bpe_dropout=config.bpe_dropout,
        bpe_samples=config.bpe_samples,
        distillation=distillation,
        same_epochs=bool(run.trainer.overfit_batches),
        check=functools.partial(check_batches, run),
    )


def build_module(config: RunConfig, datamodule: ReviewDataModule) -> Module:
    """The module for the corpus's vocabulary, with the weights of `init_from` where that is set.

    Raises what `read_bundle` and `class_weights` raise, and ValueError where that bundle is of
    another shape, the run's would be too large to use, or the corpus's labels have no such metric
    as the run is to monitor.
    """
    corpus = datamodule.corpus
    model, vocab_size = config.model, corpus.tokenizer().get_vocab_size()
    config.check_memory(vocab_size)
    if vocab_size < config.data.vocab_size and not datamodule.tokenizer.file:
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
        count = len(corpus.labels)
        if count > 2 and config.callbacks.checkpoint.monitor == "val/f1":
            raise ValueError(
                "callbacks.checkpoint.monitor=val/f1: F1 is that of the second of two labels, and "
                f"this corpus has {count}; choose val/macro_f1"
            )
        weights = class_weights(model.class_weights, corpus.splits["train"].labels, count)
        module = SentimentModule(
            classifier={"vocab_size": vocab_size, "label_count": count, **model.classifier()},
            optimization=model.optimization(),
            regularization=model.regularization(),
            class_weights=None if weights is None else weights.tolist(),
        )
    if config.init_from is not None:
        bundle = read_bundle(bundle_folder(Path(config.init_from)))
        start_from(module.network, bundle, config.init_from, corpus.labels)
    if config.callbacks.extra:
        module.most_kept = 1  # they may read what each step measures
    return module


def build_callbacks(config: RunConfig, folder: Path) -> list[L.Callback]:
    """Checkpoints, early stopping, progress, charts, and the user's own; the job adds the export.

    Raises ValueError for one of these that cannot be built.
    """
    chosen = config.callbacks
    monitor = chosen.checkpoint.monitor
    mode = "min" if monitor == "val/loss" else "max"
    last = str(folder / CHECKPOINTS / LAST)
    validates_within_epochs = config.trainer.val_check_interval is not None
    callbacks: list[L.Callback] = [
        StepSeed(config.seed),
        StepLimit(),
        BestCheckpoint(
            dirpath=str(folder / CHECKPOINTS),  # a Path could end up in the checkpoint
            # No "=", which an override could not hold.
            filename="epoch-{epoch:02d}" + ("-step-{step}" if validates_within_epochs else ""),
            auto_insert_metric_name=False,
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        LastCheckpoint(last, chosen.checkpoint.every_n_minutes),
    ]
    if chosen.averaging.decay is not None:
        callbacks.insert(0, WeightAverage(chosen.averaging.decay, chosen.averaging.every_n_steps))
    stopping = chosen.early_stopping
    if stopping.patience is not None:
        how = stopping.model_dump()
        callbacks.append(EarlyStopping(monitor, own_checkpoint=last, mode=mode, **how))
    is_terminal, wanted = sys.stdout.isatty() and sys.stderr.isatty(), config.trainer
    if is_terminal if wanted.enable_progress_bar is None else wanted.enable_progress_bar:
        callbacks += [TrainingProgress(log_interval_seconds=None), ProgressBar(monitor)]
    else:
        callbacks.append(TrainingProgress(chosen.log_interval_seconds))
    if config.task == "classify" and not config.trainer.fast_dev_run:
        callbacks += [AnswerKeeper(str(folder)), Calibration()]
    if {*config.logger.chosen} - {"csv"} and config.task == "classify":
        callbacks.append(ValidationCharts())
    # After the run's own checkpoints: the first one is that whose best is exported.
    extra = build_own_callbacks(config)
    theirs = [each for each in extra if isinstance(each, L.callbacks.EarlyStopping)]
    return [*callbacks, *extra, *([OwnPatience(theirs, last)] if theirs else [])]
