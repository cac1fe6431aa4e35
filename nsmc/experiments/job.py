"""One job: from a checked configuration to a trained, tested, exported and recorded run.

It builds the datamodule, the module, the callbacks and the Trainer from plain values, and runs
them in order. Nothing here knows Hydra.
"""

import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.download import RemoteFile
from nsmc.data.encoding import EncodingSettings
from nsmc.experiments.hardware import check_hardware
from nsmc.experiments.record import write_record
from nsmc.experiments.schema import CallbacksConfig, DataConfig, LoggerConfig, RunConfig
from nsmc.experiments.signature import signature
from nsmc.experiments.summary import next_commands, summary
from nsmc.training.charts import ValidationCharts
from nsmc.training.export import BundleExport, best_checkpoint
from nsmc.training.module import SentimentModule, check_checkpoint
from nsmc.training.progress import ProgressBar, TrainingProgress

log = logging.getLogger(__name__)


def run_job(config: RunConfig, folder: Path, command: str) -> dict[str, float]:
    """Train, validate and test the best weights, export the bundle, write `run.json`.

    `folder` is the run's own. Returns the final metrics. Raises ValueError or OSError, in one line,
    for what a user can mend.
    """
    started = time.perf_counter()
    check_hardware(config.trainer)
    _quieten()
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config.data, config.seed)
    corpus = datamodule.corpus
    vocab_size = corpus.tokenizer().get_vocab_size()
    if vocab_size < config.data.vocab_size:
        wanted = config.data.vocab_size
        log.info("the corpus gives %d tokens of data.vocab_size=%d", vocab_size, wanted)
    module = SentimentModule(vocab_size=vocab_size, **config.model.model_dump())
    if config.ckpt_path is not None:
        check_checkpoint(config.ckpt_path, module)
    run_signature = signature(config, corpus.corpus_fingerprint)
    export = BundleExport(
        str(folder / "bundle"),
        labels=tuple(config.data.labels),
        corpus=config.data.name,
        command=command,
        signature=run_signature,
    )
    on_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    progress = TrainingProgress(None if on_terminal else config.callbacks.seconds_between_lines)
    callbacks = [*build_callbacks(config.callbacks, folder), progress, export]
    if on_terminal:
        callbacks.append(ProgressBar())
    if config.logger.tensorboard:
        callbacks.append(ValidationCharts(tuple(config.data.labels)))
    trainer = build_trainer(config, folder, callbacks)

    metrics = fit_and_test(trainer, module, datamodule, config)
    if trainer.is_global_zero:
        record = {
            "signature": run_signature,
            "config": config.model_dump(),
            "command": command,
            "metrics": metrics,
            "seconds": round(time.perf_counter() - started, 3),
            "train_seconds": round(progress.seconds, 3),
            "reviews_per_second": round(progress.reviews / max(progress.seconds, 1e-9), 1),
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "parameters": module.parameter_count(),
            "corpus_fingerprint": corpus.corpus_fingerprint,
            "tokenizer_fingerprint": corpus.tokenizer_fingerprint,
        }
        write_record(folder, record)
        _log_hyperparameters(trainer, config, metrics)
        print(summary(record, export.folder))
        print(next_commands(export.folder, config.data.name), flush=True)
    return metrics


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


def build_callbacks(config: CallbacksConfig, folder: Path) -> list[L.Callback]:
    monitor = config.checkpoint.monitor
    mode = "min" if monitor == "val/loss" else "max"
    callbacks: list[L.Callback] = [
        ModelCheckpoint(
            dirpath=folder / "checkpoints",
            filename="epoch-{epoch:02d}",  # no "=", which an override could not hold
            auto_insert_metric_name=False,
            monitor=monitor,
            mode=mode,
            save_last=True,
        )
    ]
    stopping = config.early_stopping
    if stopping.patience is not None:
        callbacks.append(
            EarlyStopping(
                monitor, patience=stopping.patience, min_delta=stopping.min_delta, mode=mode
            )
        )
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


def fit_and_test(
    trainer: L.Trainer, module: SentimentModule, datamodule: ReviewDataModule, config: RunConfig
) -> dict[str, float]:
    """Fit, then measure the best weights on the validation part and, if wanted, the test part."""
    trainer.fit(module, datamodule=datamodule, ckpt_path=config.ckpt_path)
    best = best_checkpoint(trainer)
    measured: dict[str, Any] = {}
    # The same loops as in the fit, on other weights: their progress is of no interest.
    trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    measured |= trainer.callback_metrics
    if config.test:
        trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
        measured |= trainer.callback_metrics
    return {
        name: round(float(value), 6)
        for name, value in measured.items()
        if name.startswith(("val/", "test/"))
    }


def _log_hyperparameters(trainer: L.Trainer, config: RunConfig, metrics: dict[str, float]) -> None:
    """One row for TensorBoard's HPARAMS tab, with the final metrics."""
    data, trained = config.data, config.trainer
    row = {
        **config.model.model_dump(),
        "seed": config.seed,
        "corpus": data.name,
        **{key: getattr(data, key) for key in ("vocab_size", "batch_size", "normalization")},
        **{key: getattr(trained, key) for key in ("max_epochs", "precision", "gradient_clip_val")},
    }
    shown = {key: str(value) if isinstance(value, bool) else value for key, value in row.items()}
    best_first = {config.callbacks.checkpoint.monitor: 0.0, **metrics}
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(shown, best_first)
            logger.save()


def _quieten() -> None:
    """Keep Lightning to what a user can act on."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Collation from mapped memory needs no workers, and the sampler's shards repeat no review.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*it is recommended to use .*devices=1.*")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    # Lightning 2.6 itself uses what torch 2.13 deprecates.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
    if int(os.environ.get("LOCAL_RANK", 0)) > 0:
        logging.getLogger().setLevel(logging.WARNING)
