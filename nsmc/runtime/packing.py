"""Reviews of different lengths as one row of tokens without padding, in the order they are read.

All first tokens come first, then all second ones, and so on, as in PyTorch's PackedSequence. The
reviews stand in order of length, the longest first, so that those which still have a token at a
step are always the first ones.

Legend: N tokens of all reviews together, T tokens of the longest one, B reviews.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float16]
IntArray = npt.NDArray[np.int64]


class Packed(NamedTuple):
    """Some reviews, packed."""

    ids: IntArray  # [N]
    active: IntArray  # [T] how many reviews have a token at each step
    lengths: IntArray  # [B] descending

    def is_token(self) -> npt.NDArray[np.bool_]:
        """Where reviews have a token [T, B]; its true elements, row by row, are the N tokens."""
        is_token: npt.NDArray[np.bool_] = np.arange(len(self.active))[:, None] < self.lengths
        return is_token

    def at_last_token(self, states: Array) -> Array:
        """Of states [N, W] those after each review's last token [B, W]; zeros without one."""
        last = np.zeros((len(self.lengths), states.shape[1]), np.float32)
        count = int(np.count_nonzero(self.lengths))  # the longest come first
        starts = np.cumsum(self.active) - self.active
        last[:count] = states[starts[self.lengths[:count] - 1] + np.arange(count)]
        return last

    def forward(self) -> IntArray:
        """Where the tokens are [N], in the order in which a review is read from its first."""
        return np.arange(len(self.ids), dtype=np.int64)

    def backward(self) -> IntArray:
        """Where the tokens are [N], in the order in which a review is read from its last."""
        if len(self.lengths) == 1:
            return np.arange(len(self.ids) - 1, -1, -1, dtype=np.int64)
        starts = np.cumsum(self.active, dtype=np.int64) - self.active  # [T]
        steps, reviews = np.nonzero(self.is_token())
        return starts[self.lengths[reviews] - 1 - steps] + reviews


def pack(token_ids: Sequence[Sequence[int]]) -> Packed:
    """Pack reviews that stand in order of length, the longest first.

    Raises TypeError for ids that are no integers, OverflowError for those beyond 64 bits.
    """
    if len(token_ids) == 1:
        ids = _integers(token_ids[0])
        return Packed(ids, np.ones(len(ids), np.int64), np.array([len(ids)], np.int64))
    lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    is_token = np.arange(lengths.max(initial=0))[:, None] < lengths  # [T, B]
    padded = np.empty(is_token.shape, dtype=np.int64)
    padded.T[is_token.T] = _integers(chain.from_iterable(token_ids))
    return Packed(padded[is_token], is_token.sum(axis=1, dtype=np.int64), lengths)


def _integers(ids: Iterable[int]) -> IntArray:
    """As int64 [N]; numpy's own conversion would make 1 of 1.5 and of "1"."""
    if type(ids) is np.ndarray and ids.dtype.kind in "iu" and ids.ndim == 1:
        return ids.astype(np.int64, copy=False)
    return np.asarray(array("q", list(ids)))  # a list: of bytes it would take eight for one id
