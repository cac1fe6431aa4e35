"""Operations on padded sequences, which neither see nor change the padding.

Legend: B reviews, T tokens, W width of a state.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nsmc.data.tokenizer import PAD_ID


def pad(token_ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Token ids [B, T] padded to the longest review, and lengths [B]."""
    rows = [torch.tensor(ids, dtype=torch.long) for ids in token_ids]
    lengths = torch.tensor([len(ids) for ids in token_ids])
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD_ID), lengths


def is_token(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Which positions [B, T] of padded reviews [B, T, ...] hold a token."""
    return torch.arange(sequence.shape[1], device=lengths.device) < lengths.unsqueeze(1)


def at_last_token(sequence: Tensor, lengths: Tensor) -> Tensor:
    """The states [B, W] of each review's last token, of [B, T, W]; any without a token."""
    rows = torch.arange(len(lengths), device=lengths.device)
    return sequence[rows, (lengths - 1).clamp(min=0)]


def reverse(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Each row's tokens in reverse order, its padding in place; twice, it changes nothing."""
    indices = torch.arange(sequence.shape[1], device=lengths.device)  # [T]
    source = torch.where(is_token(sequence, lengths), lengths.unsqueeze(1) - 1 - indices, indices)
    return sequence.gather(1, source.unsqueeze(-1).expand_as(sequence))


def drop_features(sequence: Tensor, share: float, training: bool) -> Tensor:
    """In training, drop a share of each review's features of a sequence [B, T, W].

    One mask for all tokens of a review (Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287);
    a mask for each token would also cost a CPU a fifth of the step in random numbers.
    """
    if not training or not share:
        return sequence
    return sequence * F.dropout(sequence.new_ones(len(sequence), 1, sequence.shape[2]), share)
