"""Puts rows into batches and batches into padded tensors.

Legend: N reviews, B reviews in a batch, T tokens of the longest review in a batch, C labels.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from nsmc.data.corpus import one_hot
from nsmc.data.encoding import EncodedReviews
from nsmc.data.tokenizer import PAD_ID, IntArray

# Batches whose rows are sorted by length together: enough that padding is a few per cent, few
# enough that who meets whom in a batch still changes from epoch to epoch. With a whole epoch
# sorted, the longest reviews always met; the LSTM lost a quarter of a point on NSMC's validation.
_POOL = 100


class Batch(NamedTuple):
    """Reviews padded at the end with `PAD_ID`."""

    token_ids: Tensor  # [B, T] int64
    lengths: Tensor  # [B] int64, at least 1
    labels: Tensor  # [B] int64, numbers of labels
    rows: Tensor  # [B] int64, the reviews' indices in their split
    targets: Tensor  # [B, C] float32, probabilities of the labels: what training aims at


class BatchIndices(NamedTuple):
    """Which reviews make a batch, and in which epoch."""

    epoch: int
    rows: IntArray  # [B]


class ReviewSource(Protocol):
    """Reviews as token ids, which may differ from epoch to epoch."""

    def __len__(self) -> int: ...

    def lengths(self, epoch: int) -> IntArray:
        """The tokens of each review [N]."""
        ...

    def select(self, rows: IntArray, epoch: int) -> tuple[EncodedReviews, IntArray]:
        """Reviews that hold those in `rows` as they are in an epoch, and their indices there."""
        ...


class BucketSampler(Sampler[BatchIndices]):
    """Yields the indices of each batch, every row once an epoch.

    With `bucketing`, the reviews of a batch have similar lengths. With `shuffle`, the order depends
    on the seed and the epoch alone; with `same_epochs`, each epoch is like the first. Each step's
    reviews are dealt out in turn to `world_size` processes, so that their batches have similar
    lengths. With `same_steps`, which training needs, all processes take the same number of steps: a
    last step with fewer reviews than processes is left out. `step_sizes` are the reviews of all
    processes in each of the epoch's steps.
    """

    step_sizes: IntArray

    def __init__(
        self,
        reviews: ReviewSource,
        batch_size: int,
        *,
        shuffle: bool,
        bucketing: bool,
        seed: int,
        same_steps: bool,
        rank: int = 0,
        world_size: int = 1,
        same_epochs: bool = False,
    ) -> None:
        self.reviews = reviews
        self.step_size = batch_size * world_size
        self.shuffle = shuffle
        self.bucketing = bucketing
        self.seed = seed
        self.same_steps = same_steps
        self.rank = rank
        self.world_size = world_size
        self.same_epochs = same_epochs
        self.epoch = 0
        self._steps_taken = 0

    def skip_steps(self, count: int) -> None:
        """Leave out the first steps of the next epoch, which a resumed run took before."""
        self._steps_taken = count

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self.epoch = 0 if self.same_epochs else epoch

    def __len__(self) -> int:
        steps, rest = divmod(len(self.reviews), self.step_size)
        return steps + (rest > self._last_rank)

    def __iter__(self) -> Iterator[BatchIndices]:
        generator = np.random.default_rng([self.seed, self.epoch])
        rows = np.arange(len(self.reviews))
        if self.shuffle:
            rows = generator.permutation(rows)
        if self.bucketing:
            rows = self._sorted_by_length(rows)
        starts = np.arange(0, len(rows), self.step_size)
        if self.shuffle:
            starts = generator.permutation(starts)
        starts = starts[len(rows) - starts > self._last_rank]  # or a step left out would be skipped
        self.step_sizes = np.minimum(len(rows) - starts, self.step_size)
        starts, self._steps_taken = starts[self._steps_taken :], 0
        for start in starts:
            step = rows[start : start + self.step_size]
            yield BatchIndices(self.epoch, step[self.rank :: self.world_size])

    @property
    def _last_rank(self) -> int:
        """The process that decides whether an incomplete step is taken: it needs a review in it."""
        return self.world_size - 1 if self.same_steps else self.rank

    def _sorted_by_length(self, rows: IntArray) -> IntArray:
        lengths = self.reviews.lengths(self.epoch)[rows]
        if not self.shuffle:
            return rows[np.argsort(lengths, kind="stable")]
        pool = np.arange(len(rows)) // (_POOL * self.step_size)
        return rows[np.lexsort((lengths, pool))]


class BatchDataset(Dataset[Batch]):
    """Indexed by `BatchIndices`, gives its padded batch."""

    def __init__(
        self, reviews: ReviewSource, label_count: int, max_length: int, pad_to: int | None
    ) -> None:
        self.reviews = reviews
        self.label_count = label_count
        self.max_length = max_length
        self.pad_to = pad_to

    def __getitem__(self, indices: BatchIndices) -> Batch:
        reviews, rows = self.reviews.select(indices.rows, indices.epoch)
        batch = collate(reviews, rows, self.label_count, self.max_length, self.pad_to)
        return batch._replace(rows=torch.from_numpy(indices.rows))


def collate(
    reviews: EncodedReviews,
    rows: IntArray,
    label_count: int,
    max_length: int,
    pad_to: int | None = None,
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
    labels = reviews.labels[rows].astype(np.int64)
    targets = one_hot(labels, label_count) if reviews.targets is None else reviews.targets[rows]
    return Batch(
        torch.from_numpy(token_ids),
        torch.from_numpy(lengths),
        torch.from_numpy(labels),
        torch.from_numpy(rows),
        torch.from_numpy(targets),
    )
