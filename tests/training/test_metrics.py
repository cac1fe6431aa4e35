"""Losses, metrics and counts are those of all reviews, however many processes share these."""

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as L
import torch
from torchmetrics.functional.classification import binary_accuracy, binary_auroc, binary_f1_score

from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime.metrics import Metrics
from nsmc.training.language_model import LanguageModule, token_counts
from nsmc.training.metrics import MeanLoss, classification_metrics, defined
from nsmc.training.module import SentimentModule
from nsmc.training.progress import TrainingProgress
from tests.training.conftest import CLASSIFIER, OPTIMIZATION, expected_warnings

pytestmark = expected_warnings


def test_a_mean_weighs_what_it_is_made_of() -> None:
    mean = MeanLoss()
    steps = [mean(torch.tensor(loss), weight) for loss, weight in ((1.0, 3), (5.0, 1))]
    assert [step.item() for step in steps] == [1.0, 5.0]
    assert mean.compute().item() == 2.0


def test_a_loss_that_is_no_number_is_seen() -> None:
    mean = MeanLoss()
    mean(torch.tensor(float("nan")), 3)
    mean(torch.tensor(1.0), 3)
    assert torch.isnan(mean.compute())


_OF_THE_HEAD = ("label_count", "pooling", "output_dropout")


def classifier(datamodule: ReviewDataModule, new_module: Callable[..., SentimentModule]) -> Any:
    return new_module(lr=1e-30, weight_decay=0.0)


def language_model(datamodule: ReviewDataModule, _: Any) -> LanguageModule:
    vocab_size = datamodule.corpus.tokenizer().get_vocab_size()
    encoder = {k: v for k, v in CLASSIFIER.items() if k not in _OF_THE_HEAD}
    return LanguageModule(
        encoder={"vocab_size": vocab_size, **encoder},
        optimization={**OPTIMIZATION, "lr": 1e-30, "weight_decay": 0.0},
        num_sampled=100_000,  # practically the whole vocabulary, so that nothing is left to chance
        counts=token_counts(datamodule.training_reviews, vocab_size),
    )


class Count(L.Callback):
    """Puts the number of reviews trained on where this process sees it."""

    def __init__(self, progress: TrainingProgress) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.callback_metrics["reviews"] = torch.tensor(self.progress.reviews)


def measured(
    processes: int,
    module: L.LightningModule,
    datamodule: ReviewDataModule,
    new_trainer: Any,
    together: int,
) -> dict[str, float]:
    """All that an epoch counts and logs, and a test, with weights that stay as they are."""
    datamodule.batch_size = 24 // processes
    progress = TrainingProgress(log_interval_seconds=None)
    trainer = new_trainer(
        progress,
        Count(progress),
        devices=processes,
        strategy="ddp_fork" if processes > 1 else "auto",
        log_every_n_steps=together,
    )
    trainer.fit(module, datamodule=datamodule)
    found = dict(trainer.callback_metrics)
    if isinstance(module, SentimentModule):
        trainer.test(module, datamodule=datamodule, verbose=False)
        found |= trainer.callback_metrics
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("together", [1, 50])  # steps
@pytest.mark.parametrize("new", [classifier, language_model])
def test_four_processes_measure_what_one_does(
    new: Any, together: int, datamodule: ReviewDataModule, new_module: Any, new_trainer: Any
) -> None:
    # 42 reviews to train on, 14 to validate and 13 to test: never as many for each process.
    torch.manual_seed(0)
    module = new(datamodule, new_module)
    alone = measured(1, module, datamodule, new_trainer, together)
    shared = measured(4, module, datamodule, new_trainer, together)
    names = {"train/loss", "train/loss_step", "train/loss_epoch", "val/loss"}
    if new is classifier:
        names |= {f"{s}/{name}" for s in ("train", "val", "test") for name in ("accuracy", "auroc")}
    assert names <= alone.keys() and alone["reviews"] == 42
    assert shared == pytest.approx(alone, abs=1e-6)


def of_two(probabilities: list[float]) -> torch.Tensor:
    """The probabilities of both labels from those of the second."""
    return torch.tensor([[1 - p, p] for p in probabilities])


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_label_alone_the_area_under_the_curve_is_undefined(label: int) -> None:
    metrics = classification_metrics("val", 2)
    metrics.update(of_two([0.2, 0.4, 0.1]), torch.full((3,), label))
    found = metrics.compute()
    assert found["val/auroc"].isnan()
    assert found["val/f1"].isnan() == (label == 0)  # neither a positive label nor such an answer
    assert "val/auroc" not in defined(found, "val/") and "val/accuracy" in defined(found, "val/")
    metrics.update(of_two([0.9]), torch.tensor([1 - label]))
    assert metrics.compute()["val/auroc"] == (1.0 if label == 0 else 0.0)


def test_metrics_of_three_labels_are_those_of_a_hand_worked_case() -> None:
    # Labels 0 0 1 1 of 0, 1 and 2, answered 0 1 1 1. F1 of label 0: one hit, one missed: 2/3; of
    # label 1: two hits, one false: 4/5; label 2 occurs nowhere.
    probabilities = [[0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1], [0.4, 0.5, 0.1]]
    metrics = classification_metrics("val", 3)
    for rows in (slice(0, 3), slice(3, 4)):
        labels = torch.tensor([0, 0, 1, 1])[rows]
        metrics.update(torch.tensor(probabilities)[rows], labels)
    # Of the four pairs of a 0 and another review 0.6 wins two and 0.3 one; of those of a 1 and
    # another, 0.7 wins two, and 0.5 one and a half.
    area = (3 / 4 + 3.5 / 4) / 2
    assert {name: value.item() for name, value in metrics.compute().items()} == {
        "val/accuracy": pytest.approx(3 / 4),
        "val/macro_f1": pytest.approx((2 / 3 + 4 / 5) / 2),
        "val/auroc": pytest.approx(area),
        # 0.6, 0.7 and twice 0.5 of the answers, each in a bin of its own but for the last two.
        "val/calibration_error": pytest.approx((0.4 + 0.3 + abs(1 - 2 * 0.5)) / 4),
    }


def test_two_labels_have_the_values_that_binary_metrics_give() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (500,), generator=generator)
    probabilities = (torch.randn(500, 2, generator=generator)).softmax(dim=1)
    metrics = classification_metrics("val", 2)
    metrics.update(probabilities, labels)
    found = metrics.compute()
    for name, expected in (
        ("accuracy", binary_accuracy(probabilities[:, 1], labels)),
        ("f1", binary_f1_score(probabilities[:, 1], labels)),
        ("auroc", binary_auroc(probabilities[:, 1], labels)),
    ):
        assert torch.equal(found[f"val/{name}"], expected), name


def test_many_labels_have_no_area_under_the_curve_in_training() -> None:
    assert "auroc" not in classification_metrics("train", 1000)
    metrics = classification_metrics("val", 1000)
    metrics.update(torch.eye(1000)[:50], torch.arange(50))
    found = {name: value.item() for name, value in metrics.compute().items()}
    expected = dict.fromkeys(("val/accuracy", "val/macro_f1", "val/auroc"), 1.0)
    assert found == {**expected, "val/calibration_error": 0.0}


@pytest.mark.parametrize("label_count", [2, 3, 40])
def test_a_run_s_metrics_mean_what_those_of_an_evaluation_mean(label_count: int) -> None:
    generator = torch.Generator().manual_seed(label_count)
    labels = torch.randint(label_count - 1, (300,), generator=generator)  # one label has no review
    logits = torch.randn(300, label_count, generator=generator) + 2 * torch.eye(label_count)[labels]
    metrics = classification_metrics("val", label_count)
    for rows in (slice(0, 200), slice(200, 300)):
        metrics.update(logits[rows].softmax(dim=1), labels[rows])
    found = {name.removeprefix("val/"): float(value) for name, value in metrics.compute().items()}
    evaluation = Metrics(label_count)
    evaluation.add(labels.numpy(), logits.numpy())
    expected = evaluation.result()
    same = {name: expected[name] for name in found if expected[name] is not None}
    assert {name: found[name] for name in same} == pytest.approx(same, abs=1e-6)
    assert {"accuracy", "macro_f1", "calibration_error"} <= same.keys()
    assert found["calibration_error"] > 0.05
    assert "calibration_error" not in classification_metrics("train", label_count)


def test_metrics_take_memory_for_each_label_and_not_for_each_pair() -> None:
    label_count = 1_000_000  # whose table would take 8 TB
    metrics = classification_metrics("train", label_count)
    probabilities = torch.zeros(2, label_count)
    probabilities[:, 7] = 1
    metrics.update(probabilities, torch.tensor([7, 9]))
    assert metrics.compute()["train/macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
