"""Interrupting a run so that it can be resumed: the newest checkpoint, and SIGTERM and Ctrl-C.

The checkpoint `last.ckpt` is written at the end of each epoch, every few minutes within an epoch,
and, when a signal stops the run, after the current step.
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
from nsmc.training.epochs import ends_epoch, is_validated_after
from nsmc.training.signals import Interrupted, StopSignals
from nsmc.training.starting import MisfitError


@contextmanager
def exit_as_interruption() -> Iterator[None]:
    """Raise Interrupted where Lightning exits on Ctrl-C, with code 1."""
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise  # from a job queue's handler, which has requeued the job
        raise Interrupted(signal.SIGINT) from None


class LastCheckpoint(Checkpoint):
    """Writes the newest checkpoint to `path`, and ends the fit with Interrupted after a signal.

    Within an epoch it writes one `every_n_minutes`, or none if that is None: after an optimizer's
    step, as gradients that are still being accumulated are not kept, and after the validation that
    may follow that step. A fit that is resumed within an epoch takes the batches that are left.
    """

    def __init__(self, path: str, every_n_minutes: float | None) -> None:
        self.path = path
        self.every_n_minutes = every_n_minutes
        self._signals = StopSignals()
        self._saved_at = 0.0
        self._position = {"taken": 0, "batches": 0}  # batches taken, and of the whole epoch

    def state_dict(self) -> dict[str, int]:
        return self._position

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        check_state("LastCheckpoint", state_dict, taken=is_count, batches=is_count)
        self._position = {name: state_dict[name] for name in self._position}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._saved_at = time.monotonic()
        self._signals.watch()
        self._skip_batches(trainer)
        self._position["batches"] = int(trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._position["taken"] = 0 if ends_epoch(trainer) else batch_idx + 1
        if not is_validated_after(trainer, batch_idx):
            self._save_or_stop(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        if ends_epoch(trainer):  # perhaps because of this validation
            self._position["taken"] = 0
        else:
            self._save_or_stop(trainer)

    def _save_or_stop(self, trainer: L.Trainer) -> None:
        if self._position["taken"] % trainer.accumulate_grad_batches:
            return
        stop, save = self._decide(trainer)
        if save:
            self._save(trainer)
        if stop:
            self._signals.obey()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer)

    # Not at the epoch's end: the loggers get its metrics after that hook.
    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_signalled(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_signalled(trainer)
        self._signals.release()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        self._signals.release()

    # After the fit there is nothing to save.
    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        launcher = trainer.strategy.launcher
        if trainer.state.fn != TrainerFn.FITTING:
            self._signals.end_at_once(launcher.kill if launcher is not None else lambda _: None)

    on_test_start = on_validation_start

    def _stop_if_signalled(self, trainer: L.Trainer) -> None:
        stop, _ = self._decide(trainer)
        if stop:
            self._signals.obey()

    def _decide(self, trainer: L.Trainer) -> tuple[bool, bool]:
        """Whether to stop and whether to save, the same on all processes."""
        stop, minutes = self._signals.received is not None, self.every_n_minutes
        is_due = minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes
        save = stop or is_due
        if trainer.world_size > 1:
            save = trainer.strategy.reduce_boolean_decision(save, all=False)
            stop = save and trainer.strategy.reduce_boolean_decision(stop, all=False)
        return stop, save

    def _skip_batches(self, trainer: L.Trainer) -> None:
        """Leave out the batches that were taken; Lightning restores only their number."""
        taken, batches = self._position["taken"], self._position["batches"]
        if taken and batches != trainer.num_training_batches:
            raise MisfitError(
                f"the checkpoint was written within an epoch of {batches} batches, this run's have "
                f"{trainer.num_training_batches}: keep the batches as they were, or start from a "
                "checkpoint of an epoch's end"
            )
        assert trainer.train_dataloader is not None
        trainer.train_dataloader.sampler.skip_steps(taken)

    def _save(self, trainer: L.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._saved_at = time.monotonic()
