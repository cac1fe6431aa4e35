"""A classifier in numpy, from token ids to logits: the reference, and what runs without a compiler.

Legend: T tokens of the longest review, B reviews, N tokens of all of them, packed as `packing` has
them, W width of an encoder's states, C labels.
"""

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nsmc.runtime.bundle import BundleConfig, pooled_width
from nsmc.runtime.packing import Array, Packed, pack

# Reviews computed together: enough for the matrix product to run well, few enough for the cache.
_BATCH = 128
_BATCH_TOKENS = 1 << 15  # padding included: the longer reviews are, the fewer are computed together


class NumpyNetwork:
    """A bundle's encoder, pooling and head. Thread-safe."""

    def __init__(self, config: BundleConfig, tensors: Mapping[str, Array]) -> None:
        self._config = config
        self._encoder = config.encoder.encoder(tensors)
        self._attention = tensors.get("attention.weight")  # [1, W]
        self._output_weight = np.ascontiguousarray(tensors["ln1.weight"].T)  # [W, C]
        self._output_bias = tensors["ln1.bias"]

    @property
    def has_tables(self) -> bool:
        """Whether what each token of the vocabulary contributes was computed once for all."""
        return self._encoder.tables.is_complete

    def logits(self, token_ids: Sequence[Sequence[int]]) -> Array:
        """Logits [N, C] of N reviews.

        Raises ValueError for an id that is not in the vocabulary, TypeError for one that is no
        integer.
        """
        if len(token_ids) == 1:
            return self._logits(self._packed(token_ids))
        lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        logits = np.empty((len(token_ids), len(self._config.labels)), dtype=np.float32)
        while len(order):
            longest = max(int(lengths[order[0]]), 1)
            rows, order = np.split(order, [min(_BATCH, max(_BATCH_TOKENS // longest, 1))])
            logits[rows] = self._logits(self._packed([token_ids[row] for row in rows.tolist()]))
        return logits

    def _packed(self, token_ids: Sequence[Sequence[int]]) -> Packed:
        """The same reviews packed; raises as `logits` does."""
        vocab_size = self._config.vocab_size
        with contextlib.suppress(OverflowError):  # of an id that 64 bits cannot hold
            packed = pack(token_ids)
            if packed.ids.view(np.uint64).max(initial=0) < vocab_size:  # and none is negative
                return packed
        raise ValueError(f"token ids are from 0 to {vocab_size - 1}")

    def _logits(self, packed: Packed) -> Array:
        """Logits [B, C] of packed reviews."""
        if self._config.pooling == "last":
            pooled = self._encoder.last(packed)
        else:
            pooled = self._pool(self._encoder.states(packed), packed.is_token())
        # One product for each review: that of many at once may round differently.
        logits: Array = np.matmul(pooled[:, None], self._output_weight)[:, 0]
        return logits + self._output_bias

    def _pool(self, states: Array, is_token: npt.NDArray[np.bool_]) -> Array:
        """One vector for each review of states [N, W]; zeros for a review without a token."""
        pooling, width = self._config.pooling, states.shape[-1]
        if not len(states):
            return np.zeros((is_token.shape[1], pooled_width(pooling, width)), np.float32)
        sequence = np.zeros((*is_token.shape, width), np.float32)  # [T, B, W]
        sequence[is_token] = states
        if pooling == "max":
            return _max(sequence, is_token)
        if pooling in ("mean", "max_mean"):
            means = _mean(sequence, is_token.astype(np.float32))
            if pooling == "mean":
                return means
            return np.concatenate([_max(sequence, is_token), means], axis=-1)
        assert self._attention is not None
        scores = np.where(is_token, sequence @ self._attention[0], -np.inf)
        highest = np.where(is_token.any(axis=0), scores.max(axis=0), 0)
        return _mean(sequence, np.exp(scores - highest))


def _max(sequence: Array, is_token: npt.NDArray[np.bool_]) -> Array:
    """The greatest of each feature [B, W] over the tokens [T, B, W]."""
    has_token = np.expand_dims(is_token.any(axis=0), -1)
    tokens = np.where(is_token[..., None], sequence, -np.inf)
    maxima: Array = np.where(has_token, tokens.max(axis=0), 0)
    return maxima


def _mean(sequence: Array, weights: Array) -> Array:
    """The mean [B, W] of the tokens' states [T, B, W], weighted by `weights` [T, B].

    In float64, as a thousand states that are alike all lose the same when they are added up.
    """
    total = np.maximum(weights.sum(axis=0, dtype=np.float64), np.finfo(np.float32).tiny)
    mean: npt.NDArray[np.float64] = np.einsum("tb,tbw->bw", weights / total, sequence)
    return mean.astype(np.float32)
