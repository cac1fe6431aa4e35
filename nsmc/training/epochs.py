"""Where in its epoch a training is: whether the epoch, or a stretch between validations, ends."""

import pytorch_lightning as L


def ends_epoch(trainer: L.Trainer) -> bool:
    """Whether the epoch is over with this batch, its last one or because training stops."""
    has_epochs = trainer.current_epoch >= (trainer.min_epochs or 0)
    has_steps = trainer.global_step >= (trainer.min_steps or 0)
    return trainer.is_last_batch or (trainer.should_stop and has_epochs and has_steps)


def is_validated_after(trainer: L.Trainer, batch_idx: int) -> bool:
    """Whether a validation may follow this batch: Lightning would not make up for it."""
    counts_on = trainer.check_val_every_n_epoch is None
    index = trainer.fit_loop.epoch_loop.total_batch_idx if counts_on else batch_idx
    return ends_epoch(trainer) or (index + 1) % trainer.val_check_batch == 0  # type: ignore[operator]
