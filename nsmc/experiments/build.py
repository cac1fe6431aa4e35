"""Builds what a job runs, from a checked configuration: plain values go into plain classes."""

import sys
from pathlib import Path

import pytorch_lightning as L
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.download import RemoteFile
from nsmc.data.encoding import EncodingSettings
from nsmc.experiments.schema import DataConfig, LoggerConfig, RunConfig
from nsmc.training.charts import ValidationCharts
from nsmc.training.progress import ProgressBar, TrainingProgress


def build_datamodule(config: DataConfig, seed: int) -> ReviewDataModule:
    published = (config.remote_files or {}).items()
    remote = {name: RemoteFile(file.url, file.sha256) for name, file in published}
    return ReviewDataModule(
        root=config.root,
        train_file=config.train_file,
        test_file=config.test_file,
        remote_files=remote,
        cache_dir=config.cache_dir,
        encoding=EncodingSettings(
            validation_fraction=config.validation_fraction,
            split_seed=config.split_seed,
            vocab_size=config.vocab_size,
            min_frequency=config.min_frequency,
            normalization=config.normalization,
        ),
        batch_size=config.batch_size,
        eval_batch_size=config.eval_batch_size,
        max_length=config.max_length,
        pad_to=config.max_length if config.padding == "fixed" else None,
        shuffle=config.shuffle,
        bucketing=config.bucketing,
        seed=seed,
    )


def build_callbacks(config: RunConfig, folder: Path) -> list[L.Callback]:
    """Checkpoints, early stopping, progress and charts; the job adds the export."""
    chosen = config.callbacks
    monitor = chosen.checkpoint.monitor
    mode = "min" if monitor == "val/loss" else "max"
    callbacks: list[L.Callback] = [
        ModelCheckpoint(
            dirpath=folder / "checkpoints",
            filename="epoch-{epoch:02d}",  # no "=", which an override could not hold
            auto_insert_metric_name=False,
            monitor=monitor,
            mode=mode,
        ),
        # Not the first one's save_last: that leaves out epochs that are not better.
        ModelCheckpoint(
            dirpath=folder / "checkpoints", filename="last", enable_version_counter=False
        ),
    ]
    stopping = chosen.early_stopping
    if stopping.patience is not None:
        callbacks.append(
            EarlyStopping(
                monitor, patience=stopping.patience, min_delta=stopping.min_delta, mode=mode
            )
        )
    if sys.stdout.isatty() and sys.stderr.isatty():
        callbacks += [TrainingProgress(seconds_between_lines=None), ProgressBar()]
    else:
        callbacks.append(TrainingProgress(chosen.seconds_between_lines))
    if config.logger.tensorboard:
        callbacks.append(ValidationCharts(tuple(config.data.labels)))
    return callbacks


def build_loggers(config: LoggerConfig, folder: Path) -> list[Logger]:
    """TensorBoard first: it is the logger that charts are drawn for."""
    loggers: list[Logger] = []
    if config.tensorboard:
        # In the run folder itself, so that TensorBoard shows its name alone; without hp_metric, or
        # each run would have an empty column in the HPARAMS tab.
        loggers.append(TensorBoardLogger(str(folder), name="", version="", default_hp_metric=False))
    if config.csv:
        loggers.append(CSVLogger(str(folder), name="", version="csv"))
    return loggers


def build_trainer(config: RunConfig, folder: Path, callbacks: list[L.Callback]) -> L.Trainer:
    trainer = config.trainer
    return L.Trainer(
        accelerator=trainer.accelerator,
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.strategy,
        precision=trainer.precision,
        max_epochs=trainer.max_epochs,
        limit_train_batches=trainer.limit_train_batches or 1.0,
        gradient_clip_val=trainer.gradient_clip_val,
        log_every_n_steps=trainer.log_every_n_steps,
        deterministic=trainer.deterministic,
        callbacks=callbacks,
        logger=build_loggers(config.logger, folder),
        default_root_dir=folder,
        use_distributed_sampler=False,  # the datamodule's sampler deals the reviews out itself
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
    )
