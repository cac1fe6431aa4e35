"""Pretraining: an encoder learns to predict a review's tokens, which needs no labels.

Each direction reads a review and predicts the token that comes next, and the end of the review by
`<pad>`. The output layer is tied to the embedding (Press and Wolf 2017,
https://arxiv.org/abs/1608.05859). Of all tokens a training step scores some that are drawn at
random, corrected for how likely they are to be drawn (Bengio and Senecal 2008,
https://doi.org/10.1109/TNN.2007.912312); validation scores all of them.

Legend: V vocabulary, B reviews, T tokens, P tokens of all reviews in a batch, S drawn tokens,
E embedding, H hidden size.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from nsmc.data.batching import Batch, ReviewSource
from nsmc.data.tokenizer import PAD_ID
from nsmc.training.encoders.recurrent import RecurrentEncoder
from nsmc.training.metrics import MeanLoss, is_after_fit
from nsmc.training.optimization import Optimization, learning_rate
from nsmc.training.padding import is_token, reverse
from nsmc.training.stepping import SteppingModule
from nsmc.training.text_encoder import TextEncoder

# Frequent tokens are drawn less often than they occur (Mikolov et al. 2013,
# https://arxiv.org/abs/1310.4546).
_FLATTENING = 0.75

_SCORED_AT_ONCE = 4096  # tokens whose scores for the whole vocabulary are held at the same time


class LanguageModel(nn.Module):
    """Predicts tokens from a recurrent encoder's states, separately in each direction.

    A training step scores `num_sampled` tokens, drawn at random; `counts` [V] says how often each
    occurs in training. Raises ValueError for several layers in both directions, where a direction
    would see the tokens that it has to predict.
    """

    noise: Tensor  # [V]: how likely each token is to be drawn, at each draw
    log_included: Tensor  # [V]: the logarithm of how likely each is to be among a step's drawn ones

    lr = learning_rate

    def __init__(
        self, text_encoder: TextEncoder, num_sampled: int, counts: npt.NDArray[np.int64] | None
    ) -> None:
        super().__init__()
        assert isinstance(text_encoder.encoder, RecurrentEncoder)
        settings = text_encoder.encoder.settings
        if settings.num_layers > 1 and settings.bidirectional:
            raise ValueError(
                "task=pretrain: model.bidirectional=true with model.num_layers above 1 would show "
                "each direction what it is to predict; pretrain one layer, or one direction"
            )
        self.text_encoder = text_encoder
        self.num_sampled = num_sampled
        vocab_size = text_encoder.embedding.num_embeddings
        if text_encoder.embedding_rank is not None:
            raise ValueError("task=pretrain: model.embedding_rank cannot be pretrained; set null")
        self.projections = nn.ModuleList(
            nn.Linear(settings.hidden_size, text_encoder.embedding_dim)
            for _ in settings.suffixes[-1]
        )
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        occurrences = np.ones(vocab_size) if counts is None else np.maximum(counts, 0.5)
        noise = torch.from_numpy(occurrences**_FLATTENING)
        noise = (noise / noise.sum()).float()
        self.register_buffer("noise", noise)
        # Drawn twice, a token is scored once. In float64: next to 0, 1 - p is p's own rounding.
        included = -torch.expm1(num_sampled * torch.log1p(-noise.double()))
        self.register_buffer("log_included", included.log().float())

    def training_loss(self, batch: Batch) -> Tensor:
        """The mean over tokens and directions, against tokens drawn at random."""
        drawn = torch.multinomial(self.noise, self.num_sampled, replacement=True)
        drawn = torch.unique(drawn)  # [S]
        weights, corrections = self.text_encoder.embedding.weight, self.log_included
        losses = []
        for queries, targets in self._queries(batch):
            own = (queries * F.embedding(targets, weights)).sum(dim=-1)
            own = own + self.bias[targets] - corrections[targets]  # [P]
            others = torch.addmm(self.bias[drawn] - corrections[drawn], queries, weights[drawn].t())
            with torch.no_grad():  # no gradient to mask: that of so low a score is 0
                columns = torch.searchsorted(drawn, targets).clamp(max=len(drawn) - 1)
                rows = torch.nonzero(drawn[columns] == targets).squeeze(1)  # drawn anyway
                others[rows, columns[rows]] = torch.finfo(others.dtype).min
            losses.append(F.softplus(others.float().logsumexp(dim=1) - own.float()).mean())
        return torch.stack(losses).mean()

    def loss(self, batch: Batch) -> tuple[Tensor, int]:
        """The exact mean over tokens and directions, and the number of tokens."""
        weights = self.text_encoder.embedding.weight
        total, count = torch.zeros((), device=weights.device), 0
        for queries, targets in self._queries(batch):
            for start in range(0, len(queries), _SCORED_AT_ONCE):
                part = slice(start, start + _SCORED_AT_ONCE)
                scores = F.linear(queries[part], weights, self.bias).float()
                total += F.cross_entropy(scores, targets[part], reduction="sum")
            count += len(targets)
        return total / count, count

    def _queries(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """For each direction: what is compared with embeddings [P, E], and the next tokens [P]."""
        embeddings, lengths = self.text_encoder.embed(batch.token_ids), batch.lengths
        directions = self.text_encoder.encoder.as_read(embeddings, lengths)
        mask = is_token(batch.token_ids, lengths)  # [B, T]
        queries: list[tuple[Tensor, Tensor]] = []
        ids = batch.token_ids
        for states, projection in zip(directions, self.projections, strict=True):
            if queries:  # the second direction
                ids = reverse(ids.unsqueeze(-1), lengths).squeeze(-1)
            following = F.pad(ids[:, 1:], (0, 1), value=PAD_ID)
            queries.append((projection(states[:, : ids.shape[1]][mask]), following[mask]))
        return queries


def token_counts(reviews: ReviewSource, vocab_size: int) -> npt.NDArray[np.int64]:
    """How often each token is to be predicted [V]; `<pad>` once for each review."""
    selected, rows = reviews.select(np.arange(len(reviews)), epoch=0)
    counts = np.bincount(selected.token_ids, minlength=vocab_size)
    counts[PAD_ID] = len(rows)
    return counts


class LanguageModule(SteppingModule):
    """Trains a LanguageModel; `encoder` are the settings of its `TextEncoder`."""

    def __init__(
        self,
        *,
        encoder: dict[str, Any],
        optimization: dict[str, Any],
        num_sampled: int,
        counts: npt.NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["counts"], logger=False)
        self.optimization = Optimization(**optimization)
        self.language_model = LanguageModel(TextEncoder(**encoder), num_sampled, counts)
        self.train_loss, self.val_loss = MeanLoss(synced_in_steps=True), MeanLoss()

    @property
    def network(self) -> TextEncoder:
        """What is exported."""
        return self.language_model.text_encoder

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = self.language_model.training_loss(batch)
        self.keep(loss.unsqueeze(0), batch.lengths.sum().unsqueeze(0))
        return {"loss": loss}

    def measure(self, *tensors: Tensor) -> None:
        losses, tokens = tensors
        self.train_loss((losses * tokens).sum() / tokens.sum(), tokens.sum())
        self.log("train/loss", self.train_loss, on_step=True, on_epoch=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loss, tokens = self.language_model.loss(batch)
        self.val_loss(loss, tokens)
        logger = False if is_after_fit(self._trainer) else None  # None is the default
        self.log("val/loss", self.val_loss, logger=logger)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return self.optimization.configure(self)

    def on_train_start(self) -> None:
        super().on_train_start()
        self.optimization.check_planned_steps(self)
