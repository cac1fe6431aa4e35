"""What a run's record has of a training: what it took, what it gave, and the final metrics."""

import logging
from typing import Any

import pytorch_lightning as L

from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.export import best_checkpoint
from nsmc.training.interruption import exit_as_interruption
from nsmc.training.language_model import LanguageModule
from nsmc.training.metrics import defined
from nsmc.training.module import SentimentModule
from nsmc.training.progress import TrainingProgress

log = logging.getLogger(__name__)


def measure(
    trainer: L.Trainer,
    module: SentimentModule | LanguageModule,
    datamodule: ReviewDataModule,
    test: bool,
) -> dict[str, float]:
    """Metrics of the best weights on the validation part and, if wanted, the test part.

    Raises Interrupted where the user does not wait.
    """
    best = best_checkpoint(trainer)
    measured: dict[str, Any] = {}
    # The curves end with the last epoch; the best epoch's figures have their place in HPARAMS.
    loggers, trainer.loggers = trainer.loggers, []
    with exit_as_interruption():
        trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
        measured |= trainer.callback_metrics
        if test and isinstance(module, SentimentModule):  # a language model is a means, not an end
            trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
            measured |= trainer.callback_metrics
    trainer.loggers = loggers
    splits = ("val/", "test/")
    metrics = defined(measured, *splits)
    for name in (name for name in measured if name.startswith(splits) and name not in metrics):
        log.warning("%s is undefined: all reviews of that part have one label", name)
    return metrics


def training_results(
    trainer: L.Trainer, module: SentimentModule | LanguageModule, datamodule: ReviewDataModule
) -> dict[str, Any]:
    """What the training took and gave, of a resumed run's earlier parts too."""
    progress = progress_of(trainer)
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


def progress_of(trainer: L.Trainer) -> TrainingProgress:
    return next(each for each in trainer.callbacks if isinstance(each, TrainingProgress))  # type: ignore[attr-defined]
