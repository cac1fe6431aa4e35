"""The moving average of the weights: computed by hand, kept in checkpoints, exported, resumed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as L
import torch
from torch import Tensor

from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime.loading import read_bundle
from nsmc.training.averaging import WeightAverage
from nsmc.training.checkpoints import BestCheckpoint, load_checkpoint, network_from_checkpoint
from nsmc.training.export import BundleExport
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.module import SentimentModule
from nsmc.training.randomness import StepSeed
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]
Weights = dict[str, Tensor]

DECAY = 0.8
STEPS = 6  # of an epoch


class EachStep(L.Callback):
    """The weights after each step, as training has them."""

    def __init__(self, leave_after: int | None = None) -> None:
        self.weights: list[Weights] = []
        self.leave_after = leave_after

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        self.weights.append({n: p.detach().clone() for n, p in module.named_parameters()})
        if trainer.global_step == self.leave_after:
            raise KeyError("left")


def average(steps: list[Weights], every: int = 1) -> Weights:
    """Each weight of every so many steps counts DECAY times the next one of them; or the last."""
    counted = steps[every - 1 :: every] or steps[-1:]
    shares = DECAY ** np.arange(len(counted))[::-1]
    shares /= shares.sum()
    return {
        name: sum((share * step[name] for share, step in zip(shares, counted, strict=True)))
        for name in steps[0]
    }


def assert_close(found: Weights, expected: Weights) -> None:
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=1e-5)


def best(folder: Path) -> BestCheckpoint:
    return BestCheckpoint(
        dirpath=folder,
        filename="epoch-{epoch:02d}",
        auto_insert_metric_name=False,
        monitor="val/loss",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def bundle_export(folder: Path) -> BundleExport:
    return BundleExport(str(folder / "bundle"), corpus="tiny", command="", signature="")


@pytest.mark.parametrize("every", [1, 4])
def test_a_checkpoint_holds_the_average_and_not_the_last_step(
    tmp_path: Path,
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    every: int,
) -> None:
    steps, keeper = EachStep(), best(tmp_path / "checkpoints")
    trainer = new_trainer(WeightAverage(DECAY, every), keeper, steps, max_epochs=2)
    trainer.fit(new_module(lr=0.01), datamodule=datamodule)
    assert len(steps.weights) == 2 * STEPS
    epoch = 1 + int(Path(keeper.best_model_path).stem.removeprefix("epoch-"))
    expected = average(steps.weights[: epoch * STEPS], every)
    state = load_checkpoint(keeper.best_model_path)["state_dict"]
    assert_close(state, expected)
    last = steps.weights[epoch * STEPS - 1]
    assert all((state[name] - last[name]).abs().max() > 1e-4 for name in expected)


@pytest.mark.parametrize("every", [2 * STEPS - 1, 99])
def test_until_the_first_that_counts_the_newest_weights_are_kept(
    tmp_path: Path,
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    every: int,
) -> None:
    steps, keeper = EachStep(), best(tmp_path / "checkpoints")
    trainer = new_trainer(WeightAverage(DECAY, every), keeper, steps, max_epochs=2)
    trainer.fit(new_module(lr=0.01), datamodule=datamodule)
    epoch = 1 + int(Path(keeper.best_model_path).stem.removeprefix("epoch-"))
    state = load_checkpoint(keeper.best_model_path)["state_dict"]
    assert_close(state, average(steps.weights[: epoch * STEPS], every))


def test_the_bundle_has_the_average(
    tmp_path: Path, new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    steps, keeper, export = EachStep(), best(tmp_path / "checkpoints"), bundle_export(tmp_path)
    trainer = new_trainer(WeightAverage(DECAY, 1), keeper, export, steps, max_epochs=1)
    trainer.fit(new_module(), datamodule=datamodule)
    expected = average(steps.weights)
    found = read_bundle(export.folder).tensors
    for name, weight in (
        ("embedding.weight", "classifier.text_encoder.embedding.weight"),
        ("gru.weight_hh_l0", "classifier.text_encoder.encoder.layers._l0.weight_hh_l0"),
        ("ln1.bias", "classifier.ln1.bias"),
    ):
        np.testing.assert_allclose(found[name], expected[weight].numpy(), rtol=0, atol=1e-5)


def test_validation_measures_the_average_and_training_goes_on_from_its_own_weights(
    tmp_path: Path, new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    def fitted(*callbacks: L.Callback) -> tuple[list[Weights], L.Trainer, SentimentModule]:
        torch.manual_seed(0)
        steps, module = EachStep(), new_module()
        trainer = new_trainer(*callbacks, steps, max_epochs=2)
        trainer.fit(module, datamodule=datamodule)
        return steps.weights, trainer, module

    plain, _, _ = fitted()
    averaged, trainer, module = fitted(WeightAverage(DECAY, 1))
    for ours, theirs in zip(averaged, plain, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    # What is left when the fit is over is the average, and it is what was measured last.
    assert_close(dict(module.named_parameters()), average(averaged))
    of_the_fit = float(trainer.callback_metrics["val/loss"])
    trainer.validate(module, datamodule=datamodule, verbose=False)
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(of_the_fit, abs=1e-6)


def test_the_best_checkpoint_measured_later_gives_what_was_measured_in_the_fit(
    tmp_path: Path, new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    keeper = best(tmp_path / "checkpoints")
    trainer = new_trainer(WeightAverage(DECAY, 1), keeper, max_epochs=3)
    module = new_module()
    trainer.fit(module, datamodule=datamodule)
    path, score = keeper.best_model_path, keeper.best_model_score
    assert score is not None
    trainer.validate(module, datamodule=datamodule, ckpt_path=path, verbose=False)
    measured = float(trainer.callback_metrics["val/loss"])
    assert measured == pytest.approx(float(score), abs=1e-6)
    trainer.test(module, datamodule=datamodule, ckpt_path=path, verbose=False)
    network, weights = network_from_checkpoint(path), module.classifier.state_dict()
    assert all(torch.equal(network.state_dict()[name], weights[name]) for name in weights)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("step", [STEPS, STEPS + 3])  # between two epochs, and within one
def test_an_interrupted_fit_that_goes_on_ends_as_one_that_was_left_alone(
    tmp_path: Path,
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    step: int,
    every: int,
) -> None:
    def fit(folder: Path, leave_after: int | None = None, checkpoint: str | None = None) -> Weights:
        torch.manual_seed(0)
        module = new_module(embedding_dropout=0.3, schedule="one_cycle")
        trainer = new_trainer(
            WeightAverage(DECAY, every),
            StepSeed(0),
            LastCheckpoint(str(folder / "last.ckpt"), every_n_minutes=1e-9),  # after each step
            best(folder),
            EachStep(leave_after),
            max_epochs=3,
        )
        trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint)
        return module.classifier.state_dict()

    expected = fit(tmp_path / "whole")
    with pytest.raises(KeyError, match="left"):
        fit(tmp_path / "cut", leave_after=step + 1)  # checkpoints come after the other callbacks
    checkpoint = tmp_path / "cut" / "last.ckpt"
    assert load_checkpoint(str(checkpoint))["global_step"] == step
    found = fit(tmp_path / "cut", checkpoint=str(checkpoint))
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name
