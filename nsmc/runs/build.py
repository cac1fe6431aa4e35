"""Builds what a job runs, from a checked configuration: plain values go into plain classes."""

import logging
import sys
from pathlib import Path

import pytorch_lightning as L
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.loggers import CSVLogger, Logger

from nsmc.config.schema import LoggerConfig, RunConfig, TrainerConfig
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.encoding import TokenizerSettings
from nsmc.data.soft_labels import Distillation
from nsmc.runs.corpus_files import files_of, tokenizer_file
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import bundle_folder
from nsmc.training.answers import AnswerKeeper
from nsmc.training.averaging import WeightAverage
from nsmc.training.charts import ValidationCharts
from nsmc.training.checkpoints import LAST, AtomicCheckpointIO, BestCheckpoint
from nsmc.training.class_weights import class_weights
from nsmc.training.early_stopping import EarlyStopping
from nsmc.training.initial import start_from
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.language_model import LanguageModule, token_counts
from nsmc.training.module import SentimentModule
from nsmc.training.progress import ProgressBar, TrainingProgress
from nsmc.training.randomness import StepSeed
from nsmc.training.tensorboard import Curves

log = logging.getLogger(__name__)

Module = SentimentModule | LanguageModule

CHECKPOINTS = "checkpoints"  # the folder in a run's folder

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
        ),
        **config.model_dump(include=_OF_THE_DATAMODULE),
        pad_to=config.max_length if config.padding == "fixed" else None,
        seed=run.seed,
        bpe_dropout=config.bpe_dropout,
        bpe_samples=config.bpe_samples,
        distillation=distillation,
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
    return module


def build_callbacks(config: RunConfig, folder: Path) -> list[L.Callback]:
    """Checkpoints, early stopping, progress and charts; the job adds the export."""
    chosen = config.callbacks
    monitor = chosen.checkpoint.monitor
    mode = "min" if monitor == "val/loss" else "max"
    last = str(folder / CHECKPOINTS / LAST)
    callbacks: list[L.Callback] = [
        StepSeed(config.seed),
        BestCheckpoint(
            dirpath=str(folder / CHECKPOINTS),  # a Path could end up in the checkpoint
            filename="epoch-{epoch:02d}",  # no "=", which an override could not hold
            auto_insert_metric_name=False,
            monitor=monitor,
            mode=mode,
            save_on_train_epoch_end=True,  # when the loops' state is that of a finished epoch
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
    if sys.stdout.isatty() and sys.stderr.isatty():
        callbacks += [TrainingProgress(log_interval_seconds=None), ProgressBar(monitor)]
    else:
        callbacks.append(TrainingProgress(chosen.log_interval_seconds))
    if config.task == "classify":
        callbacks.append(AnswerKeeper(str(folder)))
    if config.logger.tensorboard and config.task == "classify":
        callbacks.append(ValidationCharts())
    return callbacks


def build_loggers(config: LoggerConfig, folder: Path, step: int | None = None) -> list[Logger]:
    """TensorBoard first: it is the logger that charts are drawn for.

    `step` is the one that a run is resumed from: TensorBoard then drops what was logged after it,
    and the numbers of this part go into a CSV file of their own.
    """
    loggers: list[Logger] = []
    if config.tensorboard:
        loggers.append(Curves(str(folder), purge_step=None if step is None else step + 1))
    if config.csv:
        version = "csv" if step is None else f"csv_from_step_{step}"
        loggers.append(CSVLogger(str(folder), name="", version=version))
    return loggers


def check_hardware(config: TrainerConfig) -> None:
    """Raises ValueError, in one line, where the machine cannot do what the configuration asks."""
    accelerator = config.accelerator
    if accelerator in ("gpu", "cuda", "mps") and not _available(accelerator):
        raise ValueError(
            f"trainer.accelerator={accelerator}: this machine has none that torch "
            f"{torch.__version__} can use; set trainer.accelerator=cpu or auto"
        )
    uses_gpu = accelerator != "cpu" and _available("gpu")
    gpus = torch.cuda.device_count()
    if uses_gpu and gpus and config.devices > gpus:
        raise ValueError(f"trainer.devices={config.devices}: this machine has {gpus} GPU(s)")
    if config.precision == "16-mixed" and not uses_gpu:
        raise ValueError(
            "trainer.precision=16-mixed: needs a GPU; set trainer.precision=32-true or bf16-mixed"
        )


def _available(accelerator: str) -> bool:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    return {"cuda": cuda, "mps": mps, "gpu": cuda or mps, "auto": True}[accelerator]


def build_trainer(
    config: RunConfig, folder: Path, callbacks: list[L.Callback], step: int | None = None
) -> L.Trainer:
    """`step` is as in `build_loggers`."""
    trainer = config.trainer
    is_slurms = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    # Without Lightning's handlers of signals; see nsmc/training/slurm.py.
    cluster = [SLURMEnvironment(auto_requeue=False)] if is_slurms else []
    return L.Trainer(
        **trainer.model_dump(exclude={"limit_train_batches", "threads"}),
        limit_train_batches=trainer.limit_train_batches or 1.0,
        callbacks=callbacks,
        logger=build_loggers(config.logger, folder, step),
        plugins=[AtomicCheckpointIO(), *cluster],
        # Not the run's folder: in a job of Slurm's Lightning would resume from an hpc_ckpt_*.ckpt
        # that an earlier version of this program left there.
        default_root_dir=folder / CHECKPOINTS,
        use_distributed_sampler=False,  # the datamodule's sampler deals the reviews out itself
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )
