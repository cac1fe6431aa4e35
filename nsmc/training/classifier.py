"""The recurrent encoder (embedding, GRU or LSTM) and the classifier on top of it (pooling, `ln1`).

Follows the blog post's TextClassifier, with padding kept out: a review's logits are the same alone
and in any batch. Rows are computed densely, without packing, which is several times faster on a
CPU: forward states before the padding cannot see it, and the reverse direction reads each row
turned round by its own length.

Legend: B batch, T tokens, E embedding, H hidden size of one direction, W layer width (H or 2H).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nsmc.data.tokenizer import PAD_ID
from nsmc.runtime.bundle import direction_suffixes, pooled_width

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}

RECURRENT_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class RecurrentEncoder(nn.Module):
    """States [B, T, W] of every token, from padded token ids [B, T] and lengths [B].

    `cell` is gru or lstm. `embedding_rank` makes the embedding the product of a table [V, rank] and
    a matrix [rank, E]. In training, `word_dropout` silences whole tokens, `embedding_dropout`
    features of a review's embeddings, `dropout` features between layers, and `recurrent_dropout`
    recurrent weights.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        cell: str,
        embedding_dim: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        embedding_rank: int | None = None,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.pad_id = PAD_ID
        self.width = hidden_size * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(vocab_size, embedding_rank or embedding_dim)
        # With PyTorch's own deviation of 1, rare tokens stay noise: half a point of accuracy less.
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.embedding_factor: nn.Linear | None = None
        if embedding_rank is not None:
            self.embedding_factor = nn.Linear(embedding_rank, embedding_dim, bias=False)
            nn.init.orthogonal_(self.embedding_factor.weight)
        self.suffixes = direction_suffixes(num_layers, bidirectional)
        # One single-layer module for each layer and direction, named by PyTorch's suffix for it.
        self.recurrence = nn.ModuleDict()
        for layer, suffixes in enumerate(self.suffixes):
            inputs = self.width if layer else embedding_dim
            for suffix in suffixes:
                single = CELLS[cell](inputs, hidden_size, batch_first=True)
                # Orthogonal recurrent weights keep the gradient's length over many steps, which
                # gets more out of few epochs (Saxe et al. 2014, https://arxiv.org/abs/1312.6120).
                weight_hh = single.get_parameter("weight_hh_l0").detach()  # [gates x H, H]
                for gate in range(0, len(weight_hh), hidden_size):
                    nn.init.orthogonal_(weight_hh[gate : gate + hidden_size])
                self.recurrence[suffix] = single
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout
        self.recurrent_dropout = recurrent_dropout
        self.word_dropout = word_dropout

    def embed(self, token_ids: Tensor) -> Tensor:
        """Embeddings [B, T, E]; T is 1 at least."""
        if not token_ids.shape[1]:  # no review has a token: take a step on padding alone
            token_ids = token_ids.new_full((len(token_ids), 1), PAD_ID)
        # Laid out token by token, as the recurrence reads them, which saves it a copy each way.
        by_token: Tensor = self.embedding(token_ids.t())  # [T, B, E]
        if self.embedding_factor is not None:
            by_token = self.embedding_factor(by_token)
        embeddings = by_token.transpose(0, 1)
        if self.training and self.word_dropout:
            silenced = F.dropout(embeddings.new_ones(*token_ids.shape, 1), self.word_dropout)
            embeddings = embeddings * silenced
        return self._drop_features(embeddings, self.embedding_dropout)

    def states(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """The last layer's states [B, T, W]."""
        sequence = embeddings
        for layer, suffixes in enumerate(self.suffixes):
            if layer:
                sequence = self._drop_features(sequence, self.dropout)
            sequence = self._layer(suffixes, sequence, lengths)
        return sequence

    def _drop_features(self, sequence: Tensor, share: float) -> Tensor:
        # One mask for all tokens of a review (Gal and Ghahramani 2016, arxiv.org/abs/1512.05287);
        # a mask for each token would also cost a CPU a fifth of the step in random numbers.
        if not self.training or not share:
            return sequence
        return sequence * F.dropout(sequence.new_ones(len(sequence), 1, sequence.shape[2]), share)

    def _layer(self, suffixes: list[str], inputs: Tensor, lengths: Tensor) -> Tensor:
        forward = self.run(suffixes[0], inputs)
        if len(suffixes) == 1:
            return forward
        backward = self.run(suffixes[1], turn(inputs, lengths))
        return torch.cat([forward, turn(backward, lengths)], dim=-1)

    def run(self, suffix: str, inputs: Tensor) -> Tensor:
        """The states [B, T, H] of one layer in one direction."""
        single = self.recurrence[suffix]
        states: Tensor
        if not self.training or not self.recurrent_dropout:
            states, _ = single(inputs)
            return states
        # DropConnect: a step's weights are the same for all its tokens and reviews (Merity et al.
        # 2018, https://arxiv.org/abs/1708.02182).
        weights: dict[str, Tensor] = dict(single.named_parameters())
        weights["weight_hh_l0"] = F.dropout(weights["weight_hh_l0"], self.recurrent_dropout)
        states, _ = torch.func.functional_call(single, weights, (inputs,))
        return states

    def bundle_tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """The weights in float32 under the names that PyTorch and candle share; see design.

        A factorised embedding is multiplied out: who reads a bundle need not know of it.
        """
        embedding = self.embedding.weight
        if self.embedding_factor is not None:
            embedding = self.embedding_factor(embedding)
        tensors = {"embedding.weight": embedding}
        for suffixes in self.suffixes:
            for suffix in suffixes:
                for name in RECURRENT_WEIGHTS:
                    tensors[f"{self.cell}.{name}{suffix}"] = getattr(
                        self.recurrence[suffix], f"{name}_l0"
                    )
        return {name: t.detach().float().cpu().numpy() for name, t in tensors.items()}


class RecurrentClassifier(RecurrentEncoder):
    """Logits [B, 2] from padded token ids [B, T] and lengths [B].

    `pooling` is last, mean, max, max_mean (both, side by side) or attention. `output_dropout` acts
    on what is pooled; the other settings are the encoder's.
    """

    def __init__(self, *, pooling: str, output_dropout: float = 0.0, **encoder: Any) -> None:
        super().__init__(**encoder)
        self.pooling = pooling
        self.attention = nn.Linear(self.width, 1, bias=False) if pooling == "attention" else None
        self.output_dropout = nn.Dropout(output_dropout)
        self.ln1 = nn.Linear(pooled_width(pooling, self.width), 2)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        return self.classify(self.embed(token_ids), lengths)

    def classify(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B, 2] from embeddings [B, T, E], which a regularizer may have disturbed."""
        logits: Tensor = self.ln1(
            self.output_dropout(self._pool(self.states(embeddings, lengths), lengths))
        )
        return logits

    def _pool(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """One vector for each review; zeros for a review without a token."""
        mask = is_token(sequence, lengths).unsqueeze(-1)  # [B, T, 1]
        if self.pooling == "last":
            pooled = self._last(sequence, lengths)
        elif self.pooling == "max":
            pooled = _max(sequence, mask)
        elif self.pooling == "mean":
            pooled = _mean(sequence, mask, lengths)
        elif self.pooling == "max_mean":
            maxima, means = _max(sequence, mask), _mean(sequence, mask, lengths)
            pooled = torch.cat([maxima, means], dim=-1)
        else:
            assert self.attention is not None
            scores = self.attention(sequence).float()  # [B, T, 1]
            # The lowest finite number, not -inf: a row of padding alone must not become NaN.
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            pooled = (scores.softmax(dim=1) * sequence).sum(dim=1)
        return pooled * (lengths > 0).unsqueeze(-1)

    def _last(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Each direction's state after the last token it reads: [B, W]."""
        rows = torch.arange(len(lengths), device=lengths.device)
        hidden = sequence.shape[-1] // len(self.suffixes[-1])
        forward = sequence[rows, (lengths - 1).clamp(min=0), :hidden]
        return torch.cat([forward, sequence[:, 0, hidden:]], dim=-1)

    def bundle_tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """As the encoder's, with those of the head."""
        head = {"ln1.weight": self.ln1.weight, "ln1.bias": self.ln1.bias}
        if self.attention is not None:
            head["attention.weight"] = self.attention.weight
        arrays = {name: t.detach().float().cpu().numpy() for name, t in head.items()}
        return super().bundle_tensors() | arrays


def pad(token_ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [B, T] padded to the longest review, and lengths [B]."""
    rows = [torch.tensor(ids, dtype=torch.long) for ids in token_ids]
    lengths = torch.tensor([len(ids) for ids in token_ids])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID), lengths


def _max(sequence: Tensor, mask: Tensor) -> Tensor:
    return sequence.masked_fill(~mask, -2.0).amax(dim=1)  # states lie in (-1, 1)


def _mean(sequence: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
    return (sequence * mask).sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1)


def is_token(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Which places of padded reviews [B, T, ...] hold a token."""
    return torch.arange(sequence.shape[1], device=lengths.device) < lengths.unsqueeze(1)  # [B, T]


def turn(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each row's tokens in reverse order, its padding in place; turning twice changes nothing."""
    places = torch.arange(sequence.shape[1], device=lengths.device)  # [T]
    reverse = torch.where(is_token(sequence, lengths), lengths.unsqueeze(1) - 1 - places, places)
    return sequence.gather(1, reverse.unsqueeze(-1).expand_as(sequence))
