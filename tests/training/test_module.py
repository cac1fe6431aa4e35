"""The LightningModule: losses and metrics by hand, schedules, checkpoints, one seed one result."""

import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as L
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.checkpoints import (
    differences,
    load_checkpoint,
    network_from_checkpoint,
)
from nsmc.training.module import SentimentModule
from nsmc.training.optimization import Optimization
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]
Rates = Callable[[str], list[float]]  # of the steps of a schedule

STAGES = ("train", "val", "test")


# --- losses and metrics ---


def batch_of(labels: list[int]) -> Batch:
    """Reviews of which only the labels matter."""
    count = len(labels)
    ones = torch.ones(count, dtype=torch.long)
    return Batch(
        ones.unsqueeze(1),
        ones,
        torch.tensor(labels),
        torch.arange(count),
        F.one_hot(torch.tensor(labels), 2).float(),
    )


@pytest.fixture
def answering(
    new_module: NewModule, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., SentimentModule]:
    """Makes a module without a Trainer that gives the positive label these probabilities."""

    def make(probabilities: list[float], **changes: Any) -> SentimentModule:
        module = new_module(**changes)
        positive = torch.tensor(probabilities)
        logits = torch.stack([(1 - positive).log(), positive.log()], dim=1)
        monkeypatch.setattr(
            module.classifier, "classify", lambda embeddings, lengths: logits[: len(lengths)]
        )
        for name in ("log", "log_dict"):
            monkeypatch.setattr(module, name, lambda *_, **__: None)
        return module

    return make


def step(module: SentimentModule, stage: str, batch: Batch) -> dict[str, Tensor]:
    steps = {
        "train": module.training_step,
        "val": module.validation_step,
        "test": module.test_step,
    }
    return steps[stage](batch, 0)


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_gives_the_mean_cross_entropy_and_an_evaluation_the_probabilities(
    answering: Callable[..., SentimentModule], stage: str
) -> None:
    module = answering([0.9, 0.2, 0.6])
    found = step(module, stage, batch_of([1, 0, 0]))
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.4)) / 3
    assert found["loss"].item() == pytest.approx(expected, abs=1e-6)
    if stage != "train":  # nobody asks there
        assert found["probabilities"][:, 1].tolist() == pytest.approx([0.9, 0.2, 0.6], abs=1e-6)
        assert found["probabilities"].sum(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_label_smoothing_changes_the_training_loss_alone(
    answering: Callable[..., SentimentModule],
) -> None:
    module = answering([0.9, 0.2], label_smoothing=0.2)
    plain = -(math.log(0.9) + math.log(0.8)) / 2
    # A fifth of each label's weight is spread evenly over both labels: 0.9 and 0.1 are left.
    smooth = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1)) / 2
    smooth -= (0.9 * math.log(0.8) + 0.1 * math.log(0.2)) / 2
    expected = {"train": smooth, "val": plain, "test": plain}
    for stage in STAGES:
        loss = step(module, stage, batch_of([1, 0]))["loss"]
        assert loss.item() == pytest.approx(expected[stage], abs=1e-6)


def test_what_is_logged_is_the_plain_loss_against_the_targets(
    answering: Callable[..., SentimentModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = answering([0.9, 0.2], label_smoothing=0.2, r_drop=1.0)
    logged: dict[str, Any] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    batch = batch_of([1, 0])._replace(targets=torch.tensor([[0.25, 0.75], [1.0, 0.0]]))
    minimised = step(module, "train", batch)["loss"].item()
    module.measure_kept()
    expected = -(0.75 * math.log(0.9) + 0.25 * math.log(0.1) + math.log(0.8)) / 2
    assert [*logged] == ["train/loss"]
    assert logged["train/loss"].compute().item() == pytest.approx(expected, abs=1e-6)
    assert minimised > expected
    assert module.train_metrics["accuracy"].compute() == 1  # against the labels


def test_weights_of_labels_change_what_is_minimised_alone(
    answering: Callable[..., SentimentModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = answering([0.9, 0.2], class_weights=[0.5, 1.5])
    logged: dict[str, Any] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: value}))
    plain = -(math.log(0.9) + math.log(0.8)) / 2
    weighted = -(1.5 * math.log(0.9) + 0.5 * math.log(0.8)) / 2
    minimised = step(module, "train", batch_of([1, 0]))["loss"].item()
    module.measure_kept()
    assert minimised == pytest.approx(weighted, abs=1e-6)
    assert logged["train/loss"].compute().item() == pytest.approx(plain, abs=1e-6)
    assert step(module, "val", batch_of([1, 0]))["loss"].item() == pytest.approx(plain, abs=1e-6)
    assert "class_weights" not in module.state_dict()  # a setting, not something learnt


@pytest.mark.parametrize("stage", STAGES)
def test_metrics_are_those_of_a_hand_worked_case_over_unequal_batches(
    answering: Callable[..., SentimentModule], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    # Probabilities 0.9 0.8 0.3 0.6 | 0.28 with labels 1 0 1 0 | 0: predicted 1 1 0 1 | 0.
    # Of them 2 of 5 are right; 1 true positive, 2 false ones, 1 missed; of the 2 x 3 pairs of a
    # positive and a negative review 0.9 wins 3 and 0.3 wins 1.
    module = answering([0.9, 0.8, 0.3, 0.6])
    step(module, stage, batch_of([1, 0, 1, 0]))
    last = torch.tensor([[0.72, 0.28]]).log()
    monkeypatch.setattr(module.classifier, "classify", lambda embeddings, lengths: last)
    step(module, stage, batch_of([0]))
    if stage == "train":
        module.measure_kept()
    metrics = {s: getattr(module, f"{s}_metrics") for s in STAGES}
    found = {name: value.item() for name, value in metrics[stage].compute().items()}
    calibration = pytest.approx((0.1 + 0.8 + abs(1 - 0.7 - 0.72) + 0.6) / 5)
    assert found == {
        f"{stage}/accuracy": pytest.approx(2 / 5),
        f"{stage}/macro_f1": pytest.approx((2 / 5 + 2 / 5) / 2),
        f"{stage}/f1": pytest.approx(2 * 1 / (2 * 1 + 2 + 1)),
        f"{stage}/auroc": pytest.approx(4 / 6),
        # Answers of 0.9, 0.8, 0.6, and 0.7 with 0.72, in one bin; those of 0.9 and 0.72 are right.
        **({f"{stage}/calibration_error": calibration} if stage != "train" else {}),
    }
    for other in STAGES:
        counted = metrics[other]["accuracy"].update_count
        assert counted == (2 if other == stage else 0)  # a stage counts its own reviews alone


def by_hand(module: SentimentModule, batches: list[Batch]) -> dict[str, float]:
    """Loss and metrics over all reviews at once."""
    with torch.inference_mode():
        logits = torch.cat([module(batch) for batch in batches]).double().numpy()
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    log_odds = logits[:, 1] - logits[:, 0]
    truth, predicted = labels == 1, log_odds > 0
    both = [(truth, predicted), (~truth, ~predicted)]
    wins = log_odds[truth][:, None] - log_odds[~truth]
    return {
        "loss": float(np.log1p(np.exp(np.where(truth, -log_odds, log_odds))).mean()),
        "accuracy": float((truth == predicted).mean()),
        "macro_f1": float(np.mean([2 * (t & p).sum() / (t.sum() + p.sum()) for t, p in both])),
        "f1": float(2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())),
        "auroc": float(((wins > 0) + 0.5 * (wins == 0)).mean()),
    }


def test_validation_and_test_report_the_numbers_of_all_reviews_together(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    torch.manual_seed(3)
    module = new_module(label_smoothing=0.3)
    with torch.no_grad():  # far from certain, far from all the same
        module.classifier.text_encoder.embedding.weight.normal_(0, 2)
    trainer = new_trainer()
    trainer.validate(module, datamodule=datamodule, verbose=False)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    trainer.test(module, datamodule=datamodule, verbose=False)
    found |= {name: float(value) for name, value in trainer.callback_metrics.items()}
    loaders = {"val": datamodule.val_dataloader(), "test": datamodule.test_dataloader()}
    for stage, loader in loaders.items():
        batches = list(loader)
        # The last batch is smaller, so a mean of the batches' means would show.
        assert len(batches[-1].labels) < len(batches[0].labels)
        for name, value in by_hand(module.eval(), batches).items():
            assert found[f"{stage}/{name}"] == pytest.approx(value, abs=1e-5)


class StopsAfterTwoSteps(L.Callback):
    """Keeps a checkpoint in mid-epoch and fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 2:
            trainer.save_checkpoint(self.path)
            raise InterruptedError


def test_a_module_that_goes_on_in_mid_epoch_logs_the_metrics_again(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule, tmp_path: Path
) -> None:
    module, path = new_module(), tmp_path / "middle.ckpt"
    with pytest.raises(InterruptedError):
        new_trainer(StopsAfterTwoSteps(path)).fit(module, datamodule=datamodule)
    trainer = new_trainer()
    trainer.fit(module, datamodule=datamodule, ckpt_path=path)
    assert trainer.callback_metrics.keys() >= {"train/loss", "train/accuracy", "val/accuracy"}


# --- optimizers and schedules ---


class LearningRates(L.Callback):
    """The learning rate with which each step is taken."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.seen.append(optimizer.param_groups[0]["lr"])


LR = 0.05


@pytest.fixture
def rates_of_20_steps(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> Rates:
    """The rates of a schedule's 4 epochs of 5 steps, and what a further step would have."""

    def measure(schedule: str) -> list[float]:
        rates = LearningRates()
        trainer = new_trainer(rates, max_epochs=4, limit_train_batches=5, limit_val_batches=0)
        trainer.fit(new_module(schedule=schedule, lr=LR), datamodule=datamodule)
        assert len(rates.seen) == 20
        return [*rates.seen, trainer.optimizers[0].param_groups[0]["lr"]]

    return measure


def test_the_constant_schedule_keeps_lr(rates_of_20_steps: Rates) -> None:
    assert set(rates_of_20_steps("constant")) == {LR}


def test_an_optimizer_without_momentum_cycles_its_rate_alone() -> None:
    adagrad = Optimization({"_target_": "torch.optim.Adagrad"}, LR, 0.0, "one_cycle")
    adagrad.check()
    with pytest.raises(ValueError, match=r"^model.optimizer: torch.optim.Adagrad: TypeError"):
        replace(adagrad, optimizer={"_target_": "torch.optim.Adagrad", "beta": 1}).check()


def test_the_cosine_schedule_goes_from_lr_down_to_0(rates_of_20_steps: Rates) -> None:
    rates = rates_of_20_steps("cosine")
    expected = [LR * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(21)]
    assert rates == pytest.approx(expected, abs=1e-9)
    assert rates[0] == LR


def test_the_one_cycle_schedule_goes_up_to_lr_and_down_to_nothing(rates_of_20_steps: Rates) -> None:
    rates = rates_of_20_steps("one_cycle")[:20]
    assert rates[0] == pytest.approx(LR / 25)
    assert max(rates) == pytest.approx(LR)
    peak = rates.index(max(rates))
    assert peak == 5  # 0.3 of the steps
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 <= rates[-1] < LR / 1e5


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_the_optimizer_has_its_name_s_class_and_the_given_weight_decay(
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    name: str,
    kind: type[torch.optim.Optimizer],
) -> None:
    module = new_module(optimizer=name, weight_decay=0.125)
    trainer = new_trainer(limit_val_batches=0)
    trainer.fit(module, datamodule=datamodule)
    optimizer = trainer.optimizers[0]
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert (group["weight_decay"], group["lr"]) == (0.125, 0.05)
    assert len(group["params"]) == len(list(module.parameters()))


# --- seeds ---


def test_one_seed_gives_the_same_weights_to_the_bit_and_another_seed_others(
    new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> None:
    dropout = dict.fromkeys(("embedding_dropout", "output_dropout", "recurrent_dropout"), 0.3)

    def train(seed: int) -> dict[str, Tensor]:
        L.seed_everything(seed, workers=True, verbose=False)
        datamodule.seed = seed
        form = {"schedule": "one_cycle", "pooling": "attention", "bidirectional": True}
        module = new_module(**dropout, **form)
        new_trainer(max_epochs=2, gradient_clip_val=1.0).fit(module, datamodule=datamodule)
        return module.classifier.state_dict()

    first, again, other = map(train, (5, 5, 6))
    for name, weight in first.items():
        assert torch.equal(weight, again[name]), name
    assert not any(torch.equal(weight, other[name]) for name, weight in first.items())


# --- checkpoints ---


@pytest.fixture
def trained(
    tmp_path: Path, new_module: NewModule, new_trainer: NewTrainer, datamodule: ReviewDataModule
) -> tuple[SentimentModule, str]:
    """A module after an epoch, and its checkpoint."""
    module = new_module(embedding_dropout=0.3, schedule="one_cycle", architecture="lstm")
    keeper = ModelCheckpoint(dirpath=tmp_path / "checkpoints")
    new_trainer(keeper).fit(module, datamodule=datamodule)
    return module, keeper.best_model_path


def test_a_checkpoint_holds_plain_values_and_gives_the_same_logits(
    trained: tuple[SentimentModule, str], datamodule: ReviewDataModule
) -> None:
    module, path = trained
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"] == dict(module.hparams)
    sections = [*content["hyper_parameters"].values()]
    assert sections.pop() is None  # the weights of labels
    assert {type(section) for section in sections} == {dict}
    values = [value for section in sections for value in section.values()]
    assert {type(value) for value in values} == {str, int, float, bool, type(None)}
    classifier = network_from_checkpoint(path)
    assert not classifier.training
    module.eval()
    with torch.inference_mode():
        for batch in datamodule.val_dataloader():
            assert torch.equal(classifier(batch.token_ids, batch.lengths), module(batch))


def test_a_checkpoint_of_the_same_model_differs_in_nothing_and_others_by_key(
    trained: tuple[SentimentModule, str], new_module: NewModule, datamodule: ReviewDataModule
) -> None:
    module, path = trained
    checkpoint = load_checkpoint(path)
    assert differences(checkpoint, module, datamodule) == {}
    other = new_module(embedding_dropout=0.3, schedule="one_cycle", architecture="gru")
    found = differences(checkpoint, other, datamodule)
    assert found["architecture"] == ("lstm", "gru")
    of_three = new_module(embedding_dropout=0.3, label_count=3, architecture="lstm")
    assert differences(checkpoint, of_three, datamodule)["label_count"] == (2, 3)
    datamodule.max_length = 11
    assert differences(checkpoint, module, datamodule) == {"max_length": (12, 11)}


class Intruder:
    """Unpickled, it would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.target,)


def refusal(path: Path) -> str:
    with pytest.raises(ValueError) as caught:
        load_checkpoint(str(path))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert str(path) in message
    return message


def test_a_checkpoint_that_would_execute_code_is_refused_and_does_not(tmp_path: Path) -> None:
    trace, path = tmp_path / "executed", tmp_path / "bad.ckpt"
    torch.save({"hyper_parameters": Intruder(trace), "state_dict": {}}, path)
    refusal(path)
    path.write_bytes(pickle.dumps(Intruder(trace), protocol=2))
    refusal(path)
    assert not trace.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_cut_checkpoint_is_refused(trained: tuple[SentimentModule, str], share: float) -> None:
    path = Path(trained[1])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(path)


@pytest.mark.parametrize("size", [1, 8, 1000])
def test_random_bytes_are_no_checkpoint(tmp_path: Path, size: int) -> None:
    path = tmp_path / "random.ckpt"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    refusal(path)


def test_a_file_of_weights_alone_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save({"state_dict": {"ln1.bias": torch.zeros(2)}}, tmp_path / "weights.pt")
    assert "hyper_parameters" in refusal(tmp_path / "weights.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    refusal(tmp_path / "list.pt")


def test_a_log_is_no_checkpoint_and_the_line_ends_in_our_words(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_text("epoch 1/2\n" * 20, encoding="utf-8")
    assert refusal(path) == f"{path}: not a checkpoint of this program, or damaged"


def test_a_run_s_folder_leads_to_its_checkpoint(tmp_path: Path) -> None:
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    last.touch()
    with pytest.raises(FileNotFoundError) as refused:
        load_checkpoint(str(tmp_path))
    said = f"{tmp_path}: no such checkpoint, but a run's folder: name its {last}"
    assert str(refused.value) == said


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_checkpoint(str(tmp_path / "nowhere.ckpt"))
