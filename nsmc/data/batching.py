"""Puts rows into batches and batches into padded tensors.

Legend: N reviews, B reviews in a batch, T tokens of the longest review in a batch.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from nsmc.data.encoding import EncodedReviews
from nsmc.data.tokenizer import PAD_ID

# Batches whose rows are sorted by length together: enough that padding is a few per cent, few
# enough that who meets whom in a batch still changes from epoch to epoch.
_POOL = 100


class Batch(NamedTuple):
    """Reviews padded at the end with `PAD_ID`."""

    token_ids: Tensor  # [B, T] int64
    lengths: Tensor  # [B] int64, at least 1
    labels: Tensor  # [B] int64, 0 or 1
    rows: Tensor  # [B] int64, the reviews' places in their split


class BucketSampler(Sampler[npt.NDArray[np.int64]]):
    """Yields each batch as an array of rows, every row once an epoch.

    With `bucketing`, the reviews of a batch have similar lengths. With `shuffle`, the order depends
    on the seed and the epoch alone. Among `world_size` processes, each step's reviews are dealt out
    in turn, so their batches have similar lengths. With `same_steps`, which training needs, all
    processes take the same number of steps: a last step with fewer reviews than processes is left
    out. A run that goes on within an epoch sets `skip` to the steps that were taken: the next
    iteration leaves them out.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.int64],
        batch_size: int,
        *,
        shuffle: bool,
        bucketing: bool,
        seed: int,
        same_steps: bool,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths = lengths
        self.step_size = batch_size * world_size
        self.shuffle = shuffle
        self.bucketing = bucketing
        self.seed = seed
        self.same_steps = same_steps
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        steps, rest = divmod(len(self.lengths), self.step_size)
        return steps + (rest > self._last_rank)

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        generator = np.random.default_rng([self.seed, self.epoch])
        rows = np.arange(len(self.lengths))
        if self.shuffle:
            rows = generator.permutation(rows)
        if self.bucketing:
            rows = self._sorted_by_length(rows)
        starts = np.arange(0, len(rows), self.step_size)
        if self.shuffle:
            starts = generator.permutation(starts)
        starts, self.skip = starts[self.skip :], 0
        for start in starts:
            step = rows[start : start + self.step_size]
            if len(step) > self._last_rank:
                yield step[self.rank :: self.world_size]

    @property
    def _last_rank(self) -> int:
        """The process that decides whether an incomplete step is taken: it needs a review in it."""
        return self.world_size - 1 if self.same_steps else self.rank

    def _sorted_by_length(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if not self.shuffle:
            return rows[np.argsort(self.lengths[rows], kind="stable")]
        pool = np.arange(len(rows)) // (_POOL * self.step_size)
        return rows[np.lexsort((self.lengths[rows], pool))]


class BatchDataset(Dataset[Batch]):
    """Indexed by an array of rows, gives their padded batch."""

    def __init__(self, reviews: EncodedReviews, max_length: int, pad_to: int | None) -> None:
        self.reviews = reviews
        self.max_length = max_length
        self.pad_to = pad_to

    def __len__(self) -> int:
        return len(self.reviews)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Batch:
        return collate(self.reviews, rows, self.max_length, self.pad_to)


def collate(
    reviews: EncodedReviews, rows: npt.NDArray[np.int64], max_length: int, pad_to: int | None = None
) -> Batch:
    """Cut reviews to `max_length` tokens and pad to `pad_to`, or to the longest of the batch.

    `pad_to` is at least `max_length`.
    """
    assert pad_to is None or pad_to >= max_length
    starts = reviews.offsets[rows]
    lengths = np.minimum(reviews.offsets[rows + 1] - starts, max_length)  # [B]
    positions = np.arange(pad_to or lengths.max(initial=0))  # [T]
    is_token = positions < lengths[:, None]  # [B, T]
    token_ids = np.full(is_token.shape, PAD_ID, dtype=np.int64)
    token_ids[is_token] = reviews.token_ids[(starts[:, None] + positions)[is_token]]
    return Batch(
        torch.from_numpy(token_ids),
        torch.from_numpy(lengths),
        torch.from_numpy(reviews.labels[rows].astype(np.int64)),
        torch.from_numpy(rows),
    )
