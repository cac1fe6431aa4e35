"""What computes on a GPU has all its tensors there, and a training step does not wait for them.

Of the combinations of settings those run here in which each value of one meets each of another;
with NSMC_EVERY_COMBINATION=1 all do, in two minutes.
"""

import os
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from nsmc.data.batching import Batch
from nsmc.runtime.bundle import POOLINGS
from nsmc.training.language_model import LanguageModule
from nsmc.training.metrics import MeanLoss, classification_metrics
from nsmc.training.module import SentimentModule
from tests.pretended_gpu import CPU, DEVICE, PretendedGPU, WrongDeviceError
from tests.training.conftest import CLASSIFIER, OPTIMIZATION, REGULARIZATION, expected_warnings

pytestmark = expected_warnings

Combination = dict[str, Any]

V = 23  # tokens of the vocabulary

CHOICES: dict[str, tuple[Any, ...]] = {
    "architecture": ("gru", "lstm", "cnn"),
    "pooling": POOLINGS,
    "bidirectional": (False, True),
    "num_layers": (1, 2),
    "adversarial": ("none", "adversarial", "virtual"),
    "r_drop": (0.0, 1.0),
    "dropout": (0.0, 0.3),
}


def every_combination() -> Iterator[Combination]:
    for values in product(*CHOICES.values()):
        choice = dict(zip(CHOICES, values, strict=True))
        is_recurrent = choice["architecture"] != "cnn"
        if is_recurrent or (choice["num_layers"] == 1 and not choice["bidirectional"]):
            yield choice


def some_combinations() -> list[Combination]:
    """Few that have all pairs of values in them, each the one that adds the most."""

    def pairs(choice: Combination) -> set[Any]:
        return {*combinations(choice.items(), 2)}

    every, chosen = list(every_combination()), list[Combination]()
    missing = set[Any]().union(*map(pairs, every))
    while missing:
        chosen.append(max(every, key=lambda choice: len(pairs(choice) & missing)))
        missing -= pairs(chosen[-1])
    return chosen


def classifier_of(**choice: Any) -> SentimentModule:
    share = choice["dropout"]
    shares = ("embedding_dropout", "word_dropout", "output_dropout")
    own = ("bidirectional", "num_layers", "hidden_size", "dropout", "recurrent_dropout")
    classifier = {**CLASSIFIER, "vocab_size": V, **dict.fromkeys(shares, share)}
    classifier |= {name: choice[name] for name in ("architecture", "pooling")}
    classifier["embedding_rank"] = 3 if share else None
    if choice["architecture"] == "cnn":
        classifier = {name: value for name, value in classifier.items() if name not in own}
        classifier |= {"filter_widths": [1, 3], "num_filters": 4}
    else:
        classifier |= {name: choice[name] for name in own[:2]}
        classifier |= {"dropout": share, "recurrent_dropout": share}
    how = {name: choice[name] for name in ("adversarial", "r_drop")}
    return SentimentModule(
        classifier=classifier,
        optimization=OPTIMIZATION,
        regularization={**REGULARIZATION, "label_smoothing": share, **how},
        class_weights=[0.5, 1.5] if share else None,
    )


def language_model_of(**encoder: Any) -> LanguageModule:
    shares = ("dropout", "recurrent_dropout", "embedding_dropout", "word_dropout")
    encoder |= {"vocab_size": V, "embedding_dim": 4, "hidden_size": 5, **dict.fromkeys(shares, 0.3)}
    return LanguageModule(encoder=encoder, optimization=OPTIMIZATION, num_sampled=5)


def batch() -> Batch:
    """Three reviews of two tokens at most."""
    ids, lengths = torch.tensor([[5, 7], [5, 0], [9, 9]]), torch.tensor([2, 1, 2])
    labels = torch.tensor([0, 1, 1])
    return Batch(ids, lengths, labels, torch.arange(3), torch.eye(2)[labels])


def take_steps(module: Any) -> None:
    """One of training and one of evaluation, without a Trainer to log to."""
    module.log = module.log_dict = lambda *_, **__: None
    with PretendedGPU() as gpu:
        module.to(DEVICE)
        reviews = Batch(*(tensor.to(DEVICE) for tensor in batch()))
        if isinstance(module, SentimentModule):  # torchmetrics compares states once, and waits
            for metrics in (module.train_metrics, module.val_metrics):
                metrics.update(reviews.targets, reviews.labels)
        gpu.strict = True
        module.train().training_step(reviews, 0)["loss"].backward()
        with torch.inference_mode():
            module.eval().validation_step(reviews, 0)
    for parameter in module.parameters():
        assert parameter.grad is not None and parameter.grad.device == DEVICE


@pytest.mark.parametrize(
    "choice",
    list(every_combination()) if os.environ.get("NSMC_EVERY_COMBINATION") else some_combinations(),
    ids=lambda choice: "-".join(map(str, choice.values())),
)
def test_a_classifier_trains_and_evaluates_on_the_device(choice: Combination) -> None:
    take_steps(classifier_of(**choice))


encoders = pytest.mark.parametrize(
    ("architecture", "num_layers", "bidirectional"),
    [("gru", 1, True), ("gru", 2, False), ("lstm", 1, True), ("lstm", 2, False)],
)


@encoders
def test_a_language_model_trains_and_evaluates_on_the_device(
    architecture: str, num_layers: int, bidirectional: bool
) -> None:
    settings = {"num_layers": num_layers, "bidirectional": bidirectional}
    take_steps(language_model_of(architecture=architecture, **settings))


@pytest.mark.parametrize("label_count", [2, 3])
@pytest.mark.parametrize("labels", [[0, 1, 1, 0], [1, 1, 1, 1]], ids=["all", "one"])
def test_metrics_are_computed_on_the_device_and_are_the_same(
    label_count: int, labels: list[int]
) -> None:
    torch.manual_seed(0)
    probabilities, of_labels = torch.rand(4, label_count).softmax(dim=1), torch.tensor(labels)
    computed = {}
    for device in (CPU, DEVICE):
        with PretendedGPU():
            metrics = classification_metrics("val", label_count).to(device)
            mean = MeanLoss().to(device)
            for rows in (slice(3), slice(3, None)):
                metrics.update(probabilities[rows].to(device), of_labels[rows].to(device))
                mean.update(probabilities[rows].to(device).sum(), 2)
            values = {**metrics.compute(), "val/loss": mean.compute()}
            assert {name: value.device for name, value in values.items()} == dict.fromkeys(
                values, device
            )
            computed[device] = {name: float(value) for name, value in values.items()}
    assert computed[DEVICE] == pytest.approx(computed[CPU], nan_ok=True)


# --- that these tests would notice ---


@pytest.mark.parametrize("name", ["arange", "randn_like", "multinomial"])
def test_a_tensor_that_is_made_on_the_cpu_by_mistake_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    original = getattr(torch, name)

    def mistaken(*args: Any, device: Any = None, **more: Any) -> torch.Tensor:
        return original(*args, **more).to(CPU)

    monkeypatch.setattr(torch, name, mistaken)
    of_both = {"num_layers": 1, "bidirectional": True, "architecture": "gru"}
    with pytest.raises(WrongDeviceError):
        if name == "multinomial":
            take_steps(language_model_of(**of_both))
        else:
            how = {"pooling": "last", "adversarial": "virtual", "r_drop": 0.0, "dropout": 0.0}
            take_steps(classifier_of(**of_both, **how))


MISTAKES: dict[str, Callable[[torch.Tensor], object]] = {
    "a sum": lambda there: there + torch.ones(3, 3),
    "a sum in place": lambda there: there.add_(torch.ones(3, 3)),
    "rows": lambda there: there[torch.arange(2)],
    "a lookup": lambda there: F.embedding(torch.arange(2), there),
    "a product": lambda there: there @ torch.ones(3, 3),
    "a gather": lambda there: there.gather(1, torch.zeros(3, 3, dtype=torch.long)),
    "a row of numbers": lambda there: torch.stack([there.sum(), torch.tensor(2.0)]),
    "made on the CPU": lambda there: torch.zeros(3),
    "a scalar": lambda there: there * torch.tensor(2.0),
    "waits for a number": lambda there: there.sum().item(),
    "waits for a condition": lambda there: 1 if there.sum() > 0 else 0,
    "waits for a copy": lambda there: there.cpu(),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_pretended_gpu_refuses_what_a_gpu_refuses_or_waits_for(mistake: str) -> None:
    with PretendedGPU() as gpu:
        there = torch.eye(3).to(DEVICE)
        gpu.strict = mistake.startswith(("made", "a scalar", "waits"))
        with pytest.raises(WrongDeviceError):
            MISTAKES[mistake](there)


def test_a_number_of_the_cpu_is_taken_where_a_gpu_takes_one() -> None:
    with PretendedGPU():
        there, number = torch.eye(3).to(DEVICE), torch.tensor(2.0)
        there[0] = number
        there[torch.eye(3).to(DEVICE) > 0] = number
        found = (there * number).masked_fill(there == 0, number)
        assert found.to(CPU).tolist() == [[4.0, 4.0, 4.0], [2.0, 4.0, 2.0], [2.0, 2.0, 4.0]]
