"""Token ids to states: the embedding, which all architectures share, and an encoder on top of it.

Legend: B batch, T tokens, V vocabulary, E embedding, W width of a state.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor, nn

from nsmc.data.tokenizer import PAD_ID
from nsmc.runtime.encoders.settings import EncoderSettings
from nsmc.training.encoders import ENCODERS
from nsmc.training.padding import drop_features


class TextEncoder(nn.Module):
    """Embeds padded token ids [B, T], and has the encoder that reads the embeddings.

    `embedding_rank` makes the embedding the product of a table [V, rank] and a matrix [rank, E]. In
    training, `word_dropout` drops whole tokens, and `embedding_dropout` features of a review's
    embeddings. `settings` are the architecture's own.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        architecture: str,
        embedding_dim: int,
        embedding_rank: int | None = None,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_rank or embedding_dim)
        # With PyTorch's own deviation of 1, rare tokens stay noise: half a point of accuracy less.
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.embedding_factor: nn.Linear | None = None
        if embedding_rank is not None:
            self.embedding_factor = nn.Linear(embedding_rank, embedding_dim, bias=False)
            nn.init.orthogonal_(self.embedding_factor.weight)
        self.encoder = ENCODERS[architecture](architecture, embedding_dim, **settings)
        self.embedding_dim = embedding_dim
        self.embedding_rank = embedding_rank
        self.embedding_dropout = embedding_dropout
        self.word_dropout = word_dropout

    @property
    def settings(self) -> EncoderSettings:
        return self.encoder.settings

    def shape(self) -> dict[str, Any]:
        """The settings, by key, that one that starts from these weights must share."""
        return {
            **asdict(self.encoder.settings),
            "embedding_dim": self.embedding_dim,
            "embedding_rank": self.embedding_rank,
        }

    def embed(self, token_ids: Tensor) -> Tensor:
        """Embeddings [B, T, E]; T is 1 at least."""
        if not token_ids.shape[1]:  # no review has a token
            token_ids = token_ids.new_full((len(token_ids), 1), PAD_ID)
        # Laid out token by token, as a recurrence reads them, which saves it a copy each way.
        by_token: Tensor = self.embedding(token_ids.t())  # [T, B, E]
        if self.embedding_factor is not None:
            by_token = self.embedding_factor(by_token)
        embeddings = by_token.transpose(0, 1)
        if self.training and self.word_dropout:
            mask = F.dropout(embeddings.new_ones(*token_ids.shape, 1), self.word_dropout)
            embeddings = embeddings * mask
        return drop_features(embeddings, self.embedding_dropout, self.training)

    def bundle_tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """The weights under their names in a bundle; a factorised embedding is multiplied out."""
        embedding: Tensor = self.embedding.weight
        if self.embedding_factor is not None:
            embedding = self.embedding_factor(embedding)
        return as_arrays({"embedding.weight": embedding, **self.encoder.tensors()})


def as_arrays(tensors: dict[str, Tensor]) -> dict[str, npt.NDArray[np.float32]]:
    """In float32 on the CPU."""
    return {name: tensor.detach().float().cpu().numpy() for name, tensor in tensors.items()}
