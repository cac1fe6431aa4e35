"""Dropout of whole features, for embeddings and states alike."""

import torch.nn.functional as F
from torch import Tensor


def drop_features(sequence: Tensor, share: float, training: bool) -> Tensor:
    """A sequence [B, T, any] without a share of each review's features, in training.

    One mask for all tokens of a review (Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287);
    a mask for each token would also cost a CPU a fifth of the step in random numbers.
    """
    if not training or not share:
        return sequence
    return sequence * F.dropout(sequence.new_ones(len(sequence), 1, sequence.shape[2]), share)
