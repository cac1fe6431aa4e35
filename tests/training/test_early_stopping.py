"""Early stopping: a resumed run has waited before, a new one has not; bad runs are pruned."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as L
import torch

from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.early_stopping import EarlyStopping, Pruning
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.module import SentimentModule
from nsmc.training.signals import Pruned
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NEVER_BETTER = 100.0  # what counts as an improvement of the loss


@pytest.fixture
def fit(
    tmp_path: Path,
    datamodule: ReviewDataModule,
    new_module: Callable[..., SentimentModule],
    new_trainer: Callable[..., L.Trainer],
) -> Callable[..., int]:
    """Fits a run in a folder, from a checkpoint; the number of epochs that it then has."""

    def run(folder: str, patience: int, checkpoint: Path | None = None, epochs: int = 20) -> int:
        own = str(tmp_path / folder / "last.ckpt")
        stopping = EarlyStopping(
            "val/loss", own_checkpoint=own, patience=patience, min_delta=NEVER_BETTER, mode="min"
        )
        trainer = new_trainer(
            stopping, LastCheckpoint(own, None), max_epochs=epochs, enable_checkpointing=True
        )
        trainer.fit(
            new_module(), datamodule=datamodule, ckpt_path=str(checkpoint) if checkpoint else None
        )
        return trainer.current_epoch

    return run


def test_a_new_run_has_its_own_patience(tmp_path: Path, fit: Callable[..., int]) -> None:
    assert fit("old", patience=1) == 2  # the first epoch is the best so far
    old = tmp_path / "old" / "last.ckpt"
    # The old run's best still counts: three epochs that are no better than it.
    assert fit("new", patience=3, checkpoint=old) == 2 + 3
    assert fit("impatient", patience=1, checkpoint=old) == 2 + 1


def test_a_run_that_goes_on_has_waited_before(tmp_path: Path, fit: Callable[..., int]) -> None:
    own = tmp_path / "run" / "last.ckpt"
    assert fit("run", patience=3, epochs=3) == 3  # of which two were no better
    assert fit("run", patience=3, checkpoint=own) == 4
    assert fit("run", patience=3, checkpoint=own) == 4  # it had stopped


def test_the_checkpoint_s_patience_is_not_taken() -> None:
    old, new = (
        EarlyStopping("val/loss", own_checkpoint="", patience=patience) for patience in (1, 3)
    )
    old.best_score = torch.tensor(0.25)
    new.load_state_dict(old.state_dict())
    assert (new.patience, new.best_score.item()) == (3, 0.25)


def test_a_bad_epoch_prunes_the_run_unless_it_is_the_last(
    datamodule: ReviewDataModule,
    new_module: Callable[..., SentimentModule],
    new_trainer: Callable[..., L.Trainer],
) -> None:
    asked: list[int] = []

    def is_bad(value: float, epoch: int) -> bool:
        asked.append(epoch)
        return value > 0 and epoch == 2

    new_trainer(Pruning("val/loss", is_bad), max_epochs=2).fit(new_module(), datamodule=datamodule)
    with pytest.raises(Pruned, match=r"pruned after 2 epochs: val/loss 0\.\d{4}"):
        trainer = new_trainer(Pruning("val/loss", is_bad), max_epochs=3)
        trainer.fit(new_module(), datamodule=datamodule)
    assert asked == [1, 2, 1, 2]
