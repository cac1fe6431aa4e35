"""The classifier: an encoder of any architecture, pooling of its states, and `ln1`.

Follows the blog post's TextClassifier, with padding kept out: a review's logits are the same alone
and in any batch.

Legend: B batch, T tokens, E embedding, W width of a state, C labels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nsmc.runtime.bundle import pooled_width
from nsmc.training.padding import is_token
from nsmc.training.text_encoder import TextEncoder, as_arrays


class TextClassifier(nn.Module):
    """Logits [B, C] from padded token ids [B, T] and lengths [B].

    `pooling` is last, mean, max, max_mean (both, side by side) or attention. `output_dropout` acts
    on what is pooled; the other settings are those of `TextEncoder`.
    """

    def __init__(
        self,
        *,
        label_count: int,
        pooling: str,
        output_dropout: float = 0.0,
        **text_encoder: Any,
    ) -> None:
        super().__init__()
        self.text_encoder = TextEncoder(**text_encoder)
        width = self.text_encoder.settings.width
        self.pooling = pooling
        self.attention = nn.Linear(width, 1, bias=False) if pooling == "attention" else None
        self.output_dropout = nn.Dropout(output_dropout)
        self.ln1 = nn.Linear(pooled_width(pooling, width), label_count)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        return self.classify(self.text_encoder.embed(token_ids), lengths)

    def classify(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, C] from embeddings [B, T, E], to which a regularizer may have added."""
        states = self.text_encoder.encoder(embeddings, lengths)
        logits: Tensor = self.ln1(self.output_dropout(self._pool(states, lengths)))
        return logits

    def _pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        """One vector for each review of states [B, T, W]; zeros for one without a token."""
        mask = is_token(states, lengths).unsqueeze(-1)  # [B, T, 1]
        if self.pooling == "last":
            pooled = self.text_encoder.encoder.last(states, lengths)
        elif self.pooling == "max":
            pooled = _max(states, mask)
        elif self.pooling == "mean":
            pooled = _mean(states, mask, lengths)
        elif self.pooling == "max_mean":
            pooled = torch.cat([_max(states, mask), _mean(states, mask, lengths)], dim=-1)
        else:
            assert self.attention is not None
            scores = _hidden(self.attention(states).float(), mask)  # [B, T, 1]
            pooled = (scores.softmax(dim=1) * states).sum(dim=1)
        return pooled * (lengths > 0).unsqueeze(-1)

    def head_tensors(self) -> dict[str, Tensor]:
        """The parameters of pooling and `ln1` under their names in a bundle."""
        head: dict[str, Tensor] = {"ln1.weight": self.ln1.weight, "ln1.bias": self.ln1.bias}
        if self.attention is not None:
            head["attention.weight"] = self.attention.weight
        return head

    def bundle_tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """All weights under their names in a bundle."""
        return self.text_encoder.bundle_tensors() | as_arrays(self.head_tensors())


def _max(states: Tensor, mask: Tensor) -> Tensor:
    return _hidden(states, mask).amax(dim=1)


def _hidden(values: Tensor, mask: Tensor) -> Tensor:
    """With the lowest number for padding; not -inf, which makes a row of padding alone NaN."""
    return values.masked_fill(~mask, torch.finfo(values.dtype).min)


def _mean(states: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
    return (states * mask).sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1)
