"""Leaving a run so that it can go on: the newest checkpoint, and what SIGTERM and Ctrl-C do.

The checkpoint `last.ckpt` is written at the end of each epoch, every few minutes within an epoch,
and when the run is told to stop, after the step that is under way.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from nsmc.training.checkpoint_state import check_state, is_count
from nsmc.training.signals import Interrupted, StopSignals


@contextmanager
def exit_as_interruption() -> Iterator[None]:
    """Raise Interrupted where Lightning answers Ctrl-C with an exit of its own, with code 1."""
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise  # a job queue's, which has put the job back
        raise Interrupted(signal.SIGINT) from None


class LastCheckpoint(Checkpoint):
    """Writes the newest checkpoint to `path`, and ends the fit with Interrupted when told to.

    `every_n_minutes` pass between checkpoints within an epoch; None for none. A fit that goes on
    within an epoch takes the batches that were still to come.
    """

    def __init__(self, path: str, every_n_minutes: float | None) -> None:
        self.path = path
        self.every_n_minutes = every_n_minutes
        self._signals = StopSignals()
        self._saved_at = 0.0
        self._place = {"taken": 0, "batches": 0}  # of the batches of the epoch

    def state_dict(self) -> dict[str, int]:
        return self._place

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        check_state("LastCheckpoint", state_dict, taken=is_count, batches=is_count)
        self._place = {name: state_dict[name] for name in self._place}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._saved_at = time.monotonic()
        self._signals.watch()
        self._skip_batches(trainer)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if trainer.is_last_batch:  # its checkpoint comes after the validation
            return
        stop, save = self._agreed(trainer)
        if save:
            self._save(trainer, taken=batch_idx + 1)
        if stop:
            self._signals.obey()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer, taken=0)

    # Not at the epoch's end: the loggers get its metrics after that hook.
    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._leave_if_told(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._leave_if_told(trainer)
        self._signals.release()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        self._signals.release()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._end_at_once(trainer)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._end_at_once(trainer)

    def _end_at_once(self, trainer: L.Trainer) -> None:
        """After the fit there is nothing to save."""
        launcher = trainer.strategy.launcher
        if trainer.state.fn != TrainerFn.FITTING:
            self._signals.end_at_once(launcher.kill if launcher is not None else lambda _: None)

    def _leave_if_told(self, trainer: L.Trainer) -> None:
        if self._agreed(trainer)[0]:
            self._signals.obey()

    def _agreed(self, trainer: L.Trainer) -> tuple[bool, bool]:
        """Whether to stop and whether to save, the same on all processes."""
        stop = self._signals.received is not None
        now = time.monotonic()
        save = stop or (
            self.every_n_minutes is not None and now - self._saved_at >= 60 * self.every_n_minutes
        )
        if trainer.world_size > 1:
            save = trainer.strategy.reduce_boolean_decision(save, all=False)
            stop = save and trainer.strategy.reduce_boolean_decision(stop, all=False)
        return stop, save

    def _skip_batches(self, trainer: L.Trainer) -> None:
        """Leave out the batches that were taken: Lightning counts on from there, and no more."""
        taken, batches = self._place["taken"], self._place["batches"]
        if taken and batches != trainer.num_training_batches:
            raise ValueError(
                f"the checkpoint was written within an epoch of {batches} batches, this run's have "
                f"{trainer.num_training_batches}: keep the batches as they were, or start from a "
                "checkpoint of an epoch's end"
            )
        assert trainer.train_dataloader is not None
        trainer.train_dataloader.sampler.skip_steps(taken)

    def _save(self, trainer: L.Trainer, taken: int) -> None:
        self._place = {"taken": taken, "batches": int(trainer.num_training_batches)}
        trainer.save_checkpoint(self.path)
        self._saved_at = time.monotonic()
