"""The recurrent classifier: embedding, GRU or LSTM, pooling, one linear layer (`ln1`).

Follows the blog post's TextClassifier, with padding kept out: a review's logits are the same alone
and in any batch. Rows are computed densely, without packing, which is several times faster on a
CPU: forward states before the padding cannot see it, and the reverse direction reads each row
turned round by its own length.

Legend: B batch, T tokens, E embedding, H hidden size of one direction, W layer width (H or 2H).
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nsmc.data.tokenizer import PAD_ID
from nsmc.runtime.bundle import direction_suffixes

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentClassifier(nn.Module):
    """Logits [B, 2] from padded token ids [B, T] and lengths [B].

    `cell` is gru or lstm, `pooling` last, mean, max or attention. `dropout` acts on the embeddings,
    between layers and on the pooled state; `word_dropout` silences whole tokens.
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
        pooling: str,
        dropout: float,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.pad_id = PAD_ID
        self.pooling = pooling
        width = hidden_size * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        # With PyTorch's own deviation of 1, rare tokens stay noise: half a point of accuracy less.
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.suffixes = direction_suffixes(num_layers, bidirectional)
        # One single-layer module for each layer and direction, named by PyTorch's suffix for it.
        self.recurrence = nn.ModuleDict()
        for layer, suffixes in enumerate(self.suffixes):
            inputs = width if layer else embedding_dim
            for suffix in suffixes:
                single = CELLS[cell](inputs, hidden_size, batch_first=True)
                # Orthogonal recurrent weights keep the gradient's length over many steps, which
                # gets more out of few epochs (Saxe et al. 2014, https://arxiv.org/abs/1312.6120).
                weight_hh = single.get_parameter("weight_hh_l0").detach()  # [gates x H, H]
                for gate in range(0, len(weight_hh), hidden_size):
                    nn.init.orthogonal_(weight_hh[gate : gate + hidden_size])
                self.recurrence[suffix] = single
        self.attention = nn.Linear(width, 1, bias=False) if pooling == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = nn.Dropout(word_dropout)
        self.ln1 = nn.Linear(width, 2)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        if not token_ids.shape[1]:  # no review has a token: take a step on padding alone
            token_ids = token_ids.new_full((len(token_ids), 1), PAD_ID)
        sequence = self.embedding(token_ids)  # [B, T, E]
        if self.training and self.word_dropout.p:
            sequence = sequence * self.word_dropout(sequence.new_ones(*token_ids.shape, 1))
        for suffixes in self.suffixes:
            sequence = self._layer(suffixes, self._drop_features(sequence), lengths)  # [B, T, W]
        return self.ln1(self.dropout(self._pool(sequence, lengths)))

    def _drop_features(self, sequence: Tensor) -> Tensor:
        # One mask for all tokens of a review (Gal and Ghahramani 2016, arxiv.org/abs/1512.05287);
        # a mask for each token would also cost a CPU a fifth of the step in random numbers.
        if not self.training or not self.dropout.p:
            return sequence
        return sequence * self.dropout(sequence.new_ones(len(sequence), 1, sequence.shape[2]))

    def _layer(self, suffixes: list[str], inputs: Tensor, lengths: Tensor) -> Tensor:
        forward, _ = self.recurrence[suffixes[0]](inputs)
        if len(suffixes) == 1:
            return forward
        backward, _ = self.recurrence[suffixes[1]](_turn(inputs, lengths))
        return torch.cat([forward, _turn(backward, lengths)], dim=-1)

    def _pool(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """One vector [B, W] for each review; zeros for a review without a token."""
        is_token = _is_token(sequence, lengths).unsqueeze(-1)  # [B, T, 1]
        if self.pooling == "last":
            pooled = self._last(sequence, lengths)
        elif self.pooling == "max":
            pooled = sequence.masked_fill(~is_token, -2.0).amax(dim=1)  # states lie in (-1, 1)
        elif self.pooling == "mean":
            pooled = (sequence * is_token).sum(dim=1) / lengths.clamp(min=1).unsqueeze(-1)
        else:
            assert self.attention is not None
            scores = self.attention(sequence).float()  # [B, T, 1]
            # The lowest finite number, not -inf: a row of padding alone must not become NaN.
            scores = scores.masked_fill(~is_token, torch.finfo(scores.dtype).min)
            pooled = (scores.softmax(dim=1) * sequence).sum(dim=1)
        return pooled * (lengths > 0).unsqueeze(-1)

    def _last(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """Each direction's state after the last token it reads: [B, W]."""
        rows = torch.arange(len(lengths), device=lengths.device)
        hidden = sequence.shape[-1] // len(self.suffixes[-1])
        forward = sequence[rows, (lengths - 1).clamp(min=0), :hidden]
        return torch.cat([forward, sequence[:, 0, hidden:]], dim=-1)

    def bundle_tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """The weights in float32 under the names that PyTorch and candle share; see design."""
        tensors = {"embedding.weight": self.embedding.weight}
        for suffixes in self.suffixes:
            for suffix in suffixes:
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    tensors[f"{self.cell}.{name}{suffix}"] = getattr(
                        self.recurrence[suffix], f"{name}_l0"
                    )
        if self.attention is not None:
            tensors["attention.weight"] = self.attention.weight
        tensors |= {"ln1.weight": self.ln1.weight, "ln1.bias": self.ln1.bias}
        return {name: t.detach().float().cpu().numpy() for name, t in tensors.items()}


def pad(token_ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [B, T] padded to the longest review, and lengths [B]."""
    rows = [torch.tensor(ids, dtype=torch.long) for ids in token_ids]
    lengths = torch.tensor([len(ids) for ids in token_ids])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID), lengths


def _is_token(sequence: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(sequence.shape[1], device=lengths.device) < lengths.unsqueeze(1)  # [B, T]


def _turn(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each row's tokens in reverse order, its padding in place; turning twice changes nothing."""
    places = torch.arange(sequence.shape[1], device=lengths.device)  # [T]
    reverse = torch.where(_is_token(sequence, lengths), lengths.unsqueeze(1) - 1 - places, places)
    return sequence.gather(1, reverse.unsqueeze(-1).expand_as(sequence))
