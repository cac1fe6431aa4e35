"""What a step minimises: cross-entropy by the formula, and what the regularizers add to it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import nsmc.training.losses
from nsmc.data.batching import Batch
from nsmc.training.classifier import TextClassifier
from nsmc.training.losses import Regularization, cross_entropy, training_loss
from nsmc.training.padding import pad

Answer = tuple[float, float, float]  # two logits and a target
SIZE = 0.05

answers = st.lists(
    st.tuples(st.floats(-8, 8), st.floats(-8, 8), st.floats(0, 1)), min_size=1, max_size=9
)


def classifier_of(**changes: Any) -> TextClassifier:
    """An untrained classifier in training mode, its weights so large that all of them show."""
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "vocab_size": 23,
        "label_count": 2,
        "architecture": "gru",
        "embedding_dim": 5,
        "hidden_size": 6,
        "num_layers": 1,
        "bidirectional": True,
        "pooling": "mean",
    }
    classifier = TextClassifier(**{**values, **changes})
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_(0, 0.7)
    return classifier.train()


def of_the_second(probabilities: list[float]) -> Tensor:
    """Targets [B, 2] from the probabilities of the second label."""
    second = torch.tensor(probabilities, dtype=torch.float32)
    return torch.stack([1 - second, second], dim=1)


def batch_of(targets: list[float]) -> Batch:
    generator = np.random.default_rng(len(targets))
    reviews = [generator.integers(1, 23, 3 + row % 5).tolist() for row in range(len(targets))]
    token_ids, lengths = pad(reviews)
    soft = of_the_second(targets)
    return Batch(token_ids, lengths, soft.argmax(dim=1), torch.arange(len(targets)), soft)


BATCH = batch_of([1, 0, 0.75, 0.5, 0.1, 1])


# --- cross-entropy ---


@settings(deadline=None)
@given(answers, st.floats(0, 0.9))
def test_with_hard_targets_it_is_torch_s(found: list[Answer], smoothing: float) -> None:
    logits = torch.tensor([[first, second] for first, second, _ in found])
    labels = torch.tensor([round(target) for _, _, target in found])
    expected = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(
        cross_entropy(logits, F.one_hot(labels, 2).float(), smoothing), expected
    )


@settings(deadline=None)
@given(answers)
def test_with_soft_targets_it_is_the_formula_s(found: list[Answer]) -> None:
    terms = []
    for first, second, target in found:
        positive = 1 / (1 + math.exp(first - second))
        terms.append(-target * math.log(positive) - (1 - target) * math.log(1 - positive))
    logits = torch.tensor([[first, second] for first, second, _ in found], dtype=torch.float32)
    loss = cross_entropy(logits, of_the_second([target for _, _, target in found]))
    assert loss.item() == pytest.approx(np.mean(terms), abs=1e-4)


def test_smoothing_moves_targets_towards_one_half() -> None:
    logits = torch.tensor([[0.3, -0.9], [1.0, 2.0]])
    smoothed = cross_entropy(logits, of_the_second([1.0, 0.2]), label_smoothing=0.4)
    torch.testing.assert_close(smoothed, cross_entropy(logits, of_the_second([0.8, 0.32])))


def test_of_three_labels_smoothing_moves_targets_towards_a_third_and_weights_multiply() -> None:
    logits = torch.tensor([[0.3, -0.9, 0.1], [1.0, 2.0, -1.0]])
    targets = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]])
    weights = torch.tensor([0.5, 1.0, 3.0])
    smooth = 0.7 * targets + 0.1
    expected = -(weights * smooth * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(cross_entropy(logits, targets, 0.3, weights), expected)


def test_half_precision_logits_give_a_float32_loss() -> None:
    assert cross_entropy(torch.zeros(2, 2).bfloat16(), torch.ones(2, 2)).dtype == torch.float32


# --- the loss of a step ---


def loss_of(
    classifier: TextClassifier, batch: Batch = BATCH, weights: Tensor | None = None, **changes: Any
) -> Any:
    torch.manual_seed(1)
    return training_loss(classifier, batch, Regularization(**changes), weights)[0]


def test_without_regularizers_it_is_the_plain_loss() -> None:
    classifier = classifier_of()
    loss, logits = training_loss(classifier, BATCH, Regularization())
    torch.testing.assert_close(logits, classifier(BATCH.token_ids, BATCH.lengths))
    assert torch.equal(loss, cross_entropy(logits, BATCH.targets))
    off = Regularization(r_drop=0.0, adversarial="none", adversarial_epsilon=9.0)
    assert torch.equal(training_loss(classifier, BATCH, off)[0], loss)


@pytest.mark.parametrize("kind", [{"r_drop": 2.0}, {"adversarial": "virtual"}])
def test_the_logits_are_those_of_the_undisturbed_pass(kind: dict[str, Any]) -> None:
    classifier = classifier_of()
    regularization = Regularization(adversarial_epsilon=SIZE, **kind)
    logits = training_loss(classifier, BATCH, regularization)[1]
    torch.testing.assert_close(logits, classifier(BATCH.token_ids, BATCH.lengths))


def test_smoothing_acts_on_every_cross_entropy() -> None:
    # With targets of one half, smoothing has nothing to move.
    classifier, even = classifier_of(), batch_of([0.5] * 4)
    for kind in ({}, {"r_drop": 1.0}, {"adversarial": "adversarial", "adversarial_epsilon": SIZE}):
        plain, smoothed = (loss_of(classifier, even, label_smoothing=s, **kind) for s in (0.0, 0.4))
        torch.testing.assert_close(smoothed, plain)
        assert loss_of(classifier, label_smoothing=0.4, **kind) != loss_of(classifier, **kind)


@pytest.mark.parametrize(
    "kind", [{}, {"r_drop": 1.0}, {"adversarial": "adversarial", "adversarial_epsilon": SIZE}]
)
def test_weights_act_on_every_cross_entropy_of_any_number_of_labels(kind: dict[str, Any]) -> None:
    classifier = classifier_of(label_count=4)
    targets = torch.eye(4)[[0, 3, 1, 2, 3, 3]]
    batch = BATCH._replace(targets=targets, labels=targets.argmax(dim=1))
    plain, doubled, zero = (
        loss_of(classifier, batch, weight * torch.ones(4), **kind) for weight in (1.0, 2.0, 0.0)
    )
    torch.testing.assert_close(loss_of(classifier, batch, **kind), plain)
    torch.testing.assert_close(doubled - plain, plain - zero)
    if not kind.get("r_drop"):  # the divergence has no labels
        assert zero == 0


# --- r-drop ---


def kl(one: Tensor, other: Tensor) -> Tensor:
    """The mean Kullback-Leibler divergence of two batches of probabilities [B, 2]."""
    return (one * (one / other).log()).sum(dim=1).mean()


def test_r_drop_without_dropout_adds_nothing() -> None:
    classifier = classifier_of()
    torch.testing.assert_close(loss_of(classifier, r_drop=3.0), loss_of(classifier))


def test_r_drop_is_the_mean_of_two_passes_and_their_divergence() -> None:
    classifier = classifier_of(embedding_dropout=0.4)
    torch.manual_seed(1)
    passes = [classifier(BATCH.token_ids, BATCH.lengths) for _ in range(2)]
    first, second = (logits.softmax(dim=1) for logits in passes)
    expected = sum(cross_entropy(logits, BATCH.targets) for logits in passes) / 2
    expected = expected + 3.0 * (kl(first, second) + kl(second, first)) / 2
    torch.testing.assert_close(loss_of(classifier, r_drop=3.0), expected)
    assert (first - second).abs().max() > 0.01  # the passes do differ


@settings(deadline=None)
@given(answers)
def test_equal_answers_do_not_diverge_and_others_do(found: list[Answer]) -> None:
    logits = torch.tensor([[first, second] for first, second, _ in found])
    divergence = nsmc.training.losses._divergence
    assert divergence(logits, logits).item() == pytest.approx(0, abs=1e-6)
    assert divergence(logits, logits + 3.0).item() == pytest.approx(0, abs=1e-5)  # the same answer
    assert divergence(logits, logits + torch.tensor([0.0, 1.0])).item() > 0


# --- adversarial ---


@pytest.fixture
def disturbances(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """The disturbance and the embeddings of each scaling, in turn."""
    seen: list[tuple[Tensor, Tensor]] = []
    scaled = nsmc.training.losses._scaled

    def remember(direction: Tensor, embeddings: Tensor, lengths: Tensor, size: float) -> Tensor:
        result = scaled(direction, embeddings, lengths, size)
        seen.append((result, embeddings))
        return result

    monkeypatch.setattr(nsmc.training.losses, "_scaled", remember)
    return seen


def lengths_of(sequence: Tensor) -> Tensor:
    """The length of each review's embeddings [B], padding left out."""
    is_token = torch.arange(sequence.shape[1]) < BATCH.lengths.unsqueeze(1)
    squares = sequence.detach().square().sum(dim=2) * is_token
    return squares.sum(dim=1).sqrt()


def scores(classifier: TextClassifier, embeddings: Tensor) -> Tensor:
    with torch.no_grad():
        return classifier.classify(embeddings, BATCH.lengths)


def random_direction(embeddings: Tensor, seed: int) -> Tensor:
    """Anywhere among the tokens, of the asked length."""
    torch.manual_seed(seed)
    is_token = torch.arange(embeddings.shape[1]) < BATCH.lengths.unsqueeze(1)
    direction = torch.randn_like(embeddings) * is_token.unsqueeze(-1)
    return direction * (SIZE * lengths_of(embeddings) / lengths_of(direction))[:, None, None]


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_the_disturbance_has_the_asked_share_of_each_review_s_length(
    disturbances: list[tuple[Tensor, Tensor]], kind: str
) -> None:
    loss_of(classifier_of(), adversarial=kind, adversarial_epsilon=SIZE)
    worst, embeddings = disturbances[-1]
    torch.testing.assert_close(lengths_of(worst), SIZE * lengths_of(embeddings))


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_padding_is_not_disturbed(disturbances: list[tuple[Tensor, Tensor]], kind: str) -> None:
    loss_of(classifier_of(), adversarial=kind, adversarial_epsilon=SIZE)
    worst, _ = disturbances[-1]
    is_padding = torch.arange(worst.shape[1]) >= BATCH.lengths.unsqueeze(1)
    assert is_padding.any()
    assert not worst[is_padding].any()


Damage = Callable[[TextClassifier, Tensor, Tensor], float]


def more_loss(classifier: TextClassifier, embeddings: Tensor, disturbance: Tensor) -> float:
    logits = scores(classifier, embeddings + disturbance)
    return cross_entropy(logits, BATCH.targets).item()


def other_answer(classifier: TextClassifier, embeddings: Tensor, disturbance: Tensor) -> float:
    before, after = (scores(classifier, e) for e in (embeddings, embeddings + disturbance))
    return kl(before.softmax(dim=1), after.softmax(dim=1)).item()


@pytest.mark.parametrize(
    ("kind", "damage"), [("adversarial", more_loss), ("virtual", other_answer)]
)
def test_the_disturbance_does_more_damage_than_random_ones_of_its_length(
    disturbances: list[tuple[Tensor, Tensor]], kind: str, damage: Damage
) -> None:
    classifier = classifier_of()
    loss_of(classifier, adversarial=kind, adversarial_epsilon=SIZE)
    worst, embeddings = disturbances[-1]
    embeddings = embeddings.detach()
    found = damage(classifier, embeddings, worst)
    others = [
        damage(classifier, embeddings, random_direction(embeddings, seed)) for seed in range(50)
    ]
    assert found > max(others)


def test_the_adversarial_loss_is_added_to_the_plain_one(
    disturbances: list[tuple[Tensor, Tensor]],
) -> None:
    classifier = classifier_of()
    found = loss_of(classifier, adversarial="adversarial", adversarial_epsilon=SIZE)
    worst, embeddings = disturbances[-1]
    expected = loss_of(classifier).item() + more_loss(classifier, embeddings.detach(), worst)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_the_virtual_loss_is_added_to_the_plain_one(
    disturbances: list[tuple[Tensor, Tensor]],
) -> None:
    classifier = classifier_of()
    found = loss_of(classifier, adversarial="virtual", adversarial_epsilon=SIZE)
    worst, embeddings = disturbances[-1]
    expected = loss_of(classifier).item() + other_answer(classifier, embeddings.detach(), worst)
    assert found.item() == pytest.approx(expected, abs=1e-5)


def gradients(classifier: TextClassifier, batch: Batch, **changes: Any) -> list[Tensor]:
    """Those of what regularizers add to the plain loss."""
    whole, plain = (
        torch.autograd.grad(loss_of(classifier, batch, **each), list(classifier.parameters()))
        for each in (changes, {})
    )
    return [ours - theirs for ours, theirs in zip(whole, plain, strict=True)]


def test_virtual_adversaries_need_no_targets_and_the_others_do() -> None:
    classifier = classifier_of()
    turned = BATCH._replace(targets=1 - BATCH.targets, labels=1 - BATCH.labels)
    for kind, is_same in (("virtual", True), ("adversarial", False)):
        changes = {"adversarial": kind, "adversarial_epsilon": SIZE}
        pairs = zip(
            *(gradients(classifier, batch, **changes) for batch in (BATCH, turned)), strict=True
        )
        same = [torch.allclose(ours, theirs, atol=1e-5) for ours, theirs in pairs]
        assert all(same) if is_same else not any(same)


@pytest.mark.parametrize(
    "changes",
    [
        {"r_drop": 1.0},
        {"adversarial": "adversarial"},
        {"adversarial": "virtual"},
        {"r_drop": 1.0, "adversarial": "adversarial", "label_smoothing": 0.1},
        {"r_drop": 1.0, "adversarial": "virtual", "label_smoothing": 0.1},
    ],
)
@pytest.mark.parametrize(
    "form", [{}, {"architecture": "lstm", "embedding_rank": 2, "word_dropout": 0.3}]
)
def test_every_combination_gives_every_weight_a_finite_gradient(
    changes: dict[str, Any], form: dict[str, Any]
) -> None:
    classifier = classifier_of(recurrent_dropout=0.2, **form)
    regularization = {"adversarial_epsilon": SIZE, **changes}
    loss_of(classifier, **regularization).backward()
    for name, parameter in classifier.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize("kind", ["adversarial", "virtual"])
def test_reviews_without_a_token_do_no_harm(kind: str) -> None:
    classifier = classifier_of()
    token_ids, lengths = pad([[], [3, 4]])
    ones = torch.ones(2, dtype=torch.long)
    for batch in (
        Batch(token_ids, lengths, ones, ones, of_the_second([1, 1])),
        Batch(token_ids[:, :0], torch.zeros_like(lengths), ones, ones, of_the_second([1, 1])),
    ):
        loss = loss_of(classifier, batch, adversarial=kind, adversarial_epsilon=SIZE)
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is None or p.grad.isfinite().all() for p in classifier.parameters())
