"""What a training step minimises: cross-entropy with soft targets, and regularizers around it.

Legend: B reviews, T tokens, E embedding, C labels.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nsmc.data.batching import Batch
from nsmc.training.classifier import TextClassifier
from nsmc.training.padding import is_token

# Length of the step with which virtual adversarial training looks for the worst direction: long
# enough for float32, short enough that the divergence is still a parabola.
_PROBE = 1e-1


@dataclass(frozen=True)
class Regularization:
    """How the loss is kept from rewarding what only fits the training reviews.

    `label_smoothing` moves targets towards 1 / C. `r_drop` weighs the divergence between two
    passes with different dropout (Liang et al. 2021, https://arxiv.org/abs/2106.14448).
    `adversarial` adds the loss at the worst embeddings within `adversarial_epsilon`, a share of
    each review's length of embeddings: "adversarial" against the targets (Miyato et al. 2017,
    https://arxiv.org/abs/1605.07725), "virtual" against the classifier's own answer (Miyato et al.
    2018, https://arxiv.org/abs/1704.03976), which needs no targets.
    """

    label_smoothing: float = 0.0
    r_drop: float = 0.0
    adversarial: str = "none"
    adversarial_epsilon: float = 0.0


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """The mean over reviews; logits [B, C], targets [B, C]: the probabilities of the labels.

    Where there are weights [C], each label's term is multiplied by its own.
    """
    return F.cross_entropy(logits.float(), targets, class_weights, label_smoothing=label_smoothing)


def training_loss(
    classifier: TextClassifier,
    batch: Batch,
    regularization: Regularization,
    class_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss to minimise and the logits [B, C] without disturbance."""
    how = regularization.label_smoothing, class_weights
    embeddings = classifier.text_encoder.embed(batch.token_ids)
    logits = classifier.classify(embeddings, batch.lengths)
    loss = cross_entropy(logits, batch.targets, *how)
    if regularization.r_drop:
        again = classifier(batch.token_ids, batch.lengths)
        loss = (loss + cross_entropy(again, batch.targets, *how)) / 2
        divergence = (_divergence(logits, again) + _divergence(again, logits)) / 2
        loss = loss + regularization.r_drop * divergence
    if regularization.adversarial == "none":
        return loss, logits
    is_virtual = regularization.adversarial == "virtual"
    if is_virtual:
        worst = _worst_direction(classifier, embeddings, logits, batch.lengths)
    else:
        worst = _gradient(loss, embeddings, keep=True)
    worst = _scaled(worst, embeddings, batch.lengths, regularization.adversarial_epsilon)
    disturbed = classifier.classify(embeddings + worst, batch.lengths)
    if is_virtual:
        return loss + _divergence(logits.detach(), disturbed), logits
    return loss + cross_entropy(disturbed, batch.targets, *how), logits


def _worst_direction(
    classifier: TextClassifier, embeddings: Tensor, logits: Tensor, lengths: Tensor
) -> Tensor:
    """The direction [B, T, E] in which the answer changes most, by one step of power iteration."""
    start = embeddings.detach()
    probe = _scaled(torch.randn_like(start), start, lengths, _PROBE).requires_grad_()
    divergence = _divergence(logits.detach(), classifier.classify(start + probe, lengths))
    return _gradient(divergence, probe, keep=False)


def _gradient(loss: Tensor, inputs: Tensor, keep: bool) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, inputs, retain_graph=keep)
    return gradient.detach()


def _scaled(direction: Tensor, embeddings: Tensor, lengths: Tensor, size: float) -> Tensor:
    """The direction among tokens with `size` times the length of their embeddings: [B, T, E]."""
    holds_token = is_token(embeddings, lengths).unsqueeze(-1)  # [B, T, 1]
    direction, embeddings = direction * holds_token, embeddings.detach() * holds_token
    norms = direction.flatten(1).norm(dim=1).clamp(min=1e-12)  # [B]
    wanted = size * embeddings.flatten(1).norm(dim=1)
    return direction * (wanted / norms)[:, None, None]


def _divergence(logits: Tensor, others: Tensor) -> Tensor:
    """The mean Kullback-Leibler divergence of the answers `others` from `logits`."""
    expected, found = (scores.float().log_softmax(dim=-1) for scores in (logits, others))
    return F.kl_div(found, expected, log_target=True, reduction="batchmean")
