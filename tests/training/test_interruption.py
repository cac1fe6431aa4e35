"""An interrupted run ends with Interrupted, and goes on only in an epoch of the same batches."""

import signal
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nsmc.training.interruption import LastCheckpoint, exit_as_interruption
from nsmc.training.signals import Interrupted


def test_an_exit_on_ctrl_c_is_an_interruption_and_another_exit_is_not() -> None:
    with pytest.raises(Interrupted) as caught, exit_as_interruption():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does
    assert caught.value.signum == signal.SIGINT
    with pytest.raises(SystemExit), exit_as_interruption():
        sys.exit(3)


def test_batches_that_were_taken_are_skipped_in_an_epoch_of_the_same_length_alone() -> None:
    skipped: list[int] = []
    sampler = SimpleNamespace(skip_steps=skipped.append)
    loader = SimpleNamespace(sampler=sampler)
    trainer: Any = SimpleNamespace(num_training_batches=6, train_dataloader=loader)
    callback = LastCheckpoint("last.ckpt", every_n_minutes=None)
    callback.load_state_dict({"taken": 2, "batches": 6})
    callback._skip_batches(trainer)
    assert skipped == [2]
    trainer.num_training_batches = 5
    with pytest.raises(ValueError, match="epoch of 6 batches, this run's have 5"):
        callback._skip_batches(trainer)
    with pytest.raises(ValueError, match="the checkpoint is damaged: taken of LastCheckpoint"):
        callback.load_state_dict({"taken": -1, "batches": 6})
