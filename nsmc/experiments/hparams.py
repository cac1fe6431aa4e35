"""The row of a run in TensorBoard's HPARAMS tab: its settings and its final metrics."""

import pytorch_lightning as L
from pytorch_lightning.loggers import TensorBoardLogger

from nsmc.experiments.schema import RunConfig


def log_hyperparameters(trainer: L.Trainer, config: RunConfig, metrics: dict[str, float]) -> None:
    """Log once, at the end, with the metrics: doing so at the start too leaves a stray column."""
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
