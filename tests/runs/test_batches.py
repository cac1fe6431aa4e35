"""Limits that leave no batch, or no validation, are refused before a step is made."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset

from nsmc.config.schema import RunConfig, check_config
from nsmc.runs.batches import check_batches, may_validate, smallest_share
from nsmc.training.early_stopping import StepLimit
from tests.training.conftest import expected_warnings

Composed = Callable[..., dict[str, Any]]

REVIEWS = {"train": 30, "val": 10, "test": 8}
SIZES = ("data.batch_size=8", "data.eval_batch_size=4")  # 4, 3 and 2 batches


def config_of(composed: Composed, *overrides: str) -> RunConfig:
    return check_config(composed("data=sample", *SIZES, *overrides))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.limit_train_batches=0.001", "an epoch has 4 batches, .* none; 0.25 is the small"),
        ("trainer.limit_val_batches=0.3", r"=0.3: the validation part has 3 batches, .*; 0.34 is"),
        ("trainer.limit_test_batches=0.4", "the test part has 2 batches, .* none; 0.5 is the sma"),
        ("trainer.overfit_batches=0.3", "overfit_batches=0.3: the validation part has 3 batches"),
        ("trainer.val_check_interval=5", "an epoch has 4 batches; lower it, or count on from ep"),
        (
            "+trainer={limit_train_batches:2,val_check_interval:3}",
            "val_check_interval=3: an epoch has 2 batches",
        ),
        (
            "+trainer={max_epochs:2,check_val_every_n_epoch:null,val_check_interval:9}",
            "trainer.max_epochs=2 trainer.val_check_interval=9 trainer.check_val_every_n_epoch=null"
            ": with 4 batches in an epoch, the training would end without a validation",
        ),
        (
            "+trainer={max_steps:4,check_val_every_n_epoch:2}",
            "trainer.max_steps=4 trainer.check_val_every_n_epoch=2: with 4 batches in an epoch",
        ),
    ],
)
def test_what_cannot_be_is_refused(composed: Composed, override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_batches(config_of(composed, override), REVIEWS)


@pytest.mark.parametrize(
    "overrides",
    [
        ("trainer.limit_train_batches=0.25", "trainer.limit_val_batches=0.34"),
        ("trainer.limit_test_batches=0.4", "test=false"),
        ("trainer.fast_dev_run=true", "trainer.val_check_interval=100"),
        ("trainer.val_check_interval=7", "trainer.check_val_every_n_epoch=null"),
        ("task=linear", "trainer.limit_val_batches=0.1"),
        ("trainer.overfit_batches=5", "trainer.limit_val_batches=0.1"),  # which counts
        ("trainer.check_val_every_n_epoch=5", "trainer.max_time={hours:1}"),
    ],
)
def test_what_can_be_is_not(composed: Composed, overrides: tuple[str, ...]) -> None:
    check_batches(config_of(composed, *overrides), REVIEWS)


def test_batches_are_those_of_each_process(composed: Composed) -> None:
    two = config_of(composed, "trainer.limit_train_batches=0.4", "trainer.devices=2")
    with pytest.raises(ValueError, match="an epoch has 2 batches"):
        check_batches(two, REVIEWS)


@pytest.mark.parametrize("batches", [*range(1, 400), 4688, 99_999])
def test_the_share_that_is_named_works_and_hardly_a_smaller_one_does(batches: int) -> None:
    share = smallest_share(batches)
    assert int(share * batches) == 1
    assert int(0.9 * share * batches) == 0


class _Module(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, *_: Any) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch[0]).sum()
        return loss

    def validation_step(self, batch: torch.Tensor, *_: Any) -> None:
        self.validations = getattr(self, "validations", 0) + 1

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def _plans() -> list[dict[str, Any]]:
    chance, plans = random.Random(1), []
    for _ in range(60):
        every = chance.choice([None, 1, 2, 3])
        intervals = [2, 7] if every is None else [None, 1, 4, 0.3]
        plan = {
            "max_epochs": chance.choice([1, 2, 3]),
            "max_steps": chance.choice([-1, 1, 2, 5, 7]),
            "min_steps": chance.choice([None, 6]),
            "min_epochs": chance.choice([None, 2]),
            "check_val_every_n_epoch": every,
            "val_check_interval": chance.choice(intervals),
            "accumulate_grad_batches": chance.choice([1, 3]),
        }
        plans.append(plan)
    return plans


@expected_warnings
def test_whether_a_validation_takes_place_is_what_the_trainer_does(composed: Composed) -> None:
    outcomes = set()
    for plan in _plans():
        config = config_of(composed).trainer.model_copy(update=plan)
        module = _Module()
        trainer = L.Trainer(
            **plan,
            accelerator="cpu",
            callbacks=[StepLimit()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        train, val = (DataLoader(TensorDataset(torch.ones(size, 1))) for size in (4, 1))
        trainer.fit(module, train, val)
        is_validated = hasattr(module, "validations")
        assert may_validate(config, 4) == is_validated, plan
        outcomes.add(is_validated)
    assert outcomes == {True, False}
