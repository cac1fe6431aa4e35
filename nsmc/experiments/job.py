"""One job: from a checked configuration to a trained, tested, exported and recorded run.

Nothing here knows Hydra.
"""

import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.loggers import TensorBoardLogger

from nsmc.data.datamodule import ReviewDataModule
from nsmc.experiments.build import build_callbacks, build_datamodule, build_trainer
from nsmc.experiments.hardware import check_hardware
from nsmc.experiments.record import write_record
from nsmc.experiments.schema import RunConfig
from nsmc.experiments.signature import signature
from nsmc.experiments.summary import next_commands, summary
from nsmc.training.export import BundleExport, best_checkpoint
from nsmc.training.module import SentimentModule, check_checkpoint, load_checkpoint
from nsmc.training.progress import TrainingProgress

log = logging.getLogger(__name__)


def run_job(config: RunConfig, folder: Path, command: str) -> dict[str, float]:
    """Train, validate and test the best weights, export the bundle, write `run.json`.

    `folder` is the run's own, `command` what a user types for the same run. Returns the final
    metrics. Raises ValueError or OSError, in one line, for what a user can mend.
    """
    started = time.perf_counter()
    check_hardware(config.trainer)
    if config.ckpt_path is not None:
        load_checkpoint(config.ckpt_path)
    _quieten()
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config.data, config.seed)
    module = build_module(config, datamodule)
    run_signature = signature(config, datamodule.corpus.corpus_fingerprint)
    export = BundleExport(
        str(folder / "bundle"),
        labels=tuple(config.data.labels),
        corpus=config.data.name,
        command=command,
        signature=run_signature,
    )
    trainer = build_trainer(config, folder, [*build_callbacks(config, folder), export])
    metrics = fit_and_test(trainer, module, datamodule, config)
    if trainer.is_global_zero:
        record = {
            "signature": run_signature,
            "command": command,
            "metrics": metrics,
            "seconds": round(time.perf_counter() - started, 3),
            **_measured(trainer, module, datamodule),
            "config": config.model_dump(),
        }
        write_record(folder, record)
        _log_hyperparameters(trainer, config, metrics)
        print(summary(record, export.folder))
        print(next_commands(export.folder, config.data.name, config.logger.tensorboard), flush=True)
    return metrics


def build_module(config: RunConfig, datamodule: ReviewDataModule) -> SentimentModule:
    """The module for the corpus's vocabulary, which may be smaller than the one asked for."""
    vocab_size, wanted = datamodule.corpus.tokenizer().get_vocab_size(), config.data.vocab_size
    if vocab_size < wanted:
        log.info("the corpus gives %d tokens of data.vocab_size=%d", vocab_size, wanted)
    module = SentimentModule(vocab_size=vocab_size, **config.model.model_dump())
    if config.ckpt_path is not None:
        check_checkpoint(config.ckpt_path, module, datamodule)
    return module


def fit_and_test(
    trainer: L.Trainer, module: SentimentModule, datamodule: ReviewDataModule, config: RunConfig
) -> dict[str, float]:
    """Fit, then measure the best weights on the validation part and, if wanted, the test part."""
    try:
        trainer.fit(module, datamodule=datamodule, ckpt_path=config.ckpt_path)
    except SystemExit:  # Lightning's answer to Ctrl-C
        last = best_checkpoint(trainer) and str(Path(best_checkpoint(trainer)).parent / "last.ckpt")
        raise KeyboardInterrupt(f"go on with ckpt_path={last}" if last else "") from None
    best = best_checkpoint(trainer)
    measured: dict[str, Any] = {}
    # The curves end with the last epoch; the best epoch's figures have their place in HPARAMS.
    loggers, trainer.loggers = trainer.loggers, []
    trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    measured |= trainer.callback_metrics
    if config.test:
        trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
        measured |= trainer.callback_metrics
    trainer.loggers = loggers
    return {
        name: round(float(value), 6)
        for name, value in measured.items()
        if name.startswith(("val/", "test/"))
    }


def _measured(
    trainer: L.Trainer, module: SentimentModule, datamodule: ReviewDataModule
) -> dict[str, Any]:
    progress = next(each for each in trainer.callbacks if isinstance(each, TrainingProgress))  # type: ignore[attr-defined]
    return {
        "train_seconds": round(progress.seconds, 3),
        "reviews_per_second": round(progress.reviews / max(progress.seconds, 1e-9), 1),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "parameters": module.parameter_count(),
        "corpus_fingerprint": datamodule.corpus.corpus_fingerprint,
        "tokenizer_fingerprint": datamodule.corpus.tokenizer_fingerprint,
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
    # The monitored metric first; under names of their own, or the curves would get stray points.
    monitor = config.callbacks.checkpoint.monitor
    names = [monitor, *(name for name in metrics if name != monitor)]
    final = {f"final/{name}": metrics[name] for name in names}
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(shown, final, trainer.global_step)
            logger.save()


def _quieten() -> None:
    """Keep Lightning to what a user can act on."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Collation from mapped memory needs no workers, and the sampler's shards repeat no review.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*it is recommended to use .*devices=1.*")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    # A run that goes on has a folder of its own; best_checkpoint looks into the old one.
    warnings.filterwarnings("ignore", message=".*The dirpath has changed.*")
    # An epoch of few batches may have seen one label alone.
    warnings.filterwarnings("ignore", message=".*samples in targets.*")
    # Lightning 2.6 itself uses what torch 2.13 deprecates.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
    if int(os.environ.get("LOCAL_RANK", 0)) > 0:
        logging.getLogger().setLevel(logging.WARNING)
