"""Batches hold exactly the reviews they name, and an epoch deals out every review once."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.data.batching import Batch, BatchDataset, BatchIndices, BucketSampler, collate
from nsmc.data.encoding import EncodedReviews
from nsmc.data.tokenizer import IntArray


def reviews_of(token_ids: list[list[int]], labels: list[int] | None = None) -> EncodedReviews:
    return EncodedReviews(
        np.array([token_id for review in token_ids for token_id in review], np.uint16),
        np.cumsum([0, *map(len, token_ids)], dtype=np.int64),
        np.array(labels or [0] * len(token_ids), np.int16),
    )


def as_lists(batch: Batch) -> tuple[list[list[int]], list[int], list[int], list[int]]:
    """All but the targets, which without soft ones are the labels, of two."""
    token_ids, lengths, labels, rows, targets = (tensor.tolist() for tensor in batch)
    assert targets == [[float(label == number) for number in range(2)] for label in labels]
    return token_ids, lengths, labels, rows


# Collation

THREE = reviews_of([[1, 2, 3, 4], [5], [6, 7]], [1, 0, 1])


def test_a_batch_is_padded_to_its_longest_review() -> None:
    batch = collate(THREE, np.array([1, 0]), 2, max_length=10)
    assert as_lists(batch) == ([[5, 0, 0, 0], [1, 2, 3, 4]], [1, 4], [0, 1], [1, 0])
    assert as_lists(collate(THREE, np.array([1, 2]), 2, max_length=10))[0] == [[5, 0], [6, 7]]
    assert as_lists(collate(THREE, np.array([1]), 2, max_length=10))[0] == [[5]]


def test_longer_reviews_are_cut_to_max_length() -> None:
    batch = collate(THREE, np.array([0, 1, 2]), 2, max_length=2)
    assert as_lists(batch) == ([[1, 2], [5, 0], [6, 7]], [2, 1, 2], [1, 0, 1], [0, 1, 2])


def test_fixed_padding_is_the_same_for_every_batch() -> None:
    batch = collate(THREE, np.array([1, 2]), 2, max_length=3, pad_to=3)
    assert as_lists(batch) == ([[5, 0, 0], [6, 7, 0]], [1, 2], [0, 1], [1, 2])
    batch = collate(THREE, np.array([0]), 2, max_length=3, pad_to=5)
    assert as_lists(batch) == ([[1, 2, 3, 0, 0]], [3], [1], [0])


def test_all_tensors_but_the_targets_are_int64() -> None:
    batch = collate(THREE, np.array([0, 1]), 2, max_length=3)
    assert [tensor.dtype for tensor in batch] == [torch.int64] * 4 + [torch.float32]


def test_soft_targets_stay_with_their_reviews_and_leave_the_labels_alone() -> None:
    soft = replace(THREE, targets=np.array([[0.25, 0.75], [0.5, 0.5], [0.75, 0.25]], np.float32))
    batch = collate(soft, np.array([2, 0]), 2, max_length=3)
    assert batch.targets.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert batch.labels.tolist() == [1, 1]


@st.composite
def corpora_with_rows(
    draw: st.DrawFn,
) -> tuple[list[list[int]], list[int], list[int], int, int | None]:
    review = st.lists(st.integers(1, 65_535), min_size=1, max_size=12)
    token_ids = draw(st.lists(review, min_size=1, max_size=12))
    labels = draw(st.lists(st.integers(0, 1), min_size=len(token_ids), max_size=len(token_ids)))
    rows = draw(st.lists(st.integers(0, len(token_ids) - 1), min_size=1, max_size=12))
    max_length = draw(st.integers(1, 14))
    pad_to = draw(st.none() | st.integers(max_length, 16))
    return token_ids, labels, rows, max_length, pad_to


@settings(deadline=None, max_examples=200)
@given(corpora_with_rows())
def test_collation_equals_a_plain_loop(
    case: tuple[list[list[int]], list[int], list[int], int, int | None],
) -> None:
    token_ids, labels, rows, max_length, pad_to = case
    cut = [token_ids[row][:max_length] for row in rows]
    width = pad_to or max(len(review) for review in cut)
    padded = [review + [0] * (width - len(review)) for review in cut]
    batch = collate(reviews_of(token_ids, labels), np.array(rows), 2, max_length, pad_to)
    assert as_lists(batch) == (
        padded,
        [len(review) for review in cut],
        [labels[row] for row in rows],
        rows,
    )


def test_the_dataset_gives_the_batch_of_the_rows_it_is_asked_for() -> None:
    dataset = BatchDataset(THREE, 2, max_length=3, pad_to=4)
    expected = collate(THREE, np.array([2, 0]), 2, max_length=3, pad_to=4)
    assert as_lists(dataset[BatchIndices(0, np.array([2, 0]))]) == as_lists(expected)


def test_the_dataset_gives_reviews_as_they_are_in_the_step_s_epoch() -> None:
    class Growing:
        """In epoch e, review r is the token r + 1, e + 1 times."""

        def __len__(self) -> int:
            return 3

        def lengths(self, epoch: int) -> IntArray:
            return np.full(3, epoch + 1)

        def select(self, rows: IntArray, epoch: int) -> tuple[EncodedReviews, IntArray]:
            reviews = reviews_of([[row + 1] * (epoch + 1) for row in rows.tolist()])
            return reviews, np.arange(len(rows))

    dataset = BatchDataset(Growing(), 2, max_length=9, pad_to=None)
    batch = dataset[BatchIndices(1, np.array([2, 0]))]
    assert as_lists(batch)[0] == [[3, 3], [1, 1]]
    assert batch.rows.tolist() == [2, 0]  # the reviews' own rows, not their places in the selection


# Sampling


def of_lengths(lengths: list[int]) -> EncodedReviews:
    return reviews_of([[1] * length for length in lengths])


def sampler_of(
    lengths: list[int],
    batch_size: int,
    *,
    shuffle: bool = False,
    bucketing: bool = False,
    seed: int = 0,
    epoch: int = 0,
    same_steps: bool = False,
    rank: int = 0,
    world_size: int = 1,
) -> BucketSampler:
    sampler = BucketSampler(
        of_lengths(lengths),
        batch_size,
        shuffle=shuffle,
        bucketing=bucketing,
        seed=seed,
        same_steps=same_steps,
        rank=rank,
        world_size=world_size,
    )
    sampler.set_epoch(epoch)
    return sampler


def batches_of(sampler: BucketSampler) -> list[list[int]]:
    return [step.rows.tolist() for step in sampler]


lengths_of_reviews = st.lists(st.integers(1, 100), min_size=1, max_size=80)
flags = st.booleans()


def test_without_shuffling_and_bucketing_rows_are_in_file_order() -> None:
    sampler = sampler_of([3, 1, 2, 9, 1, 4, 1], 3)
    assert batches_of(sampler) == [[0, 1, 2], [3, 4, 5], [6]]


def test_without_shuffling_bucketing_sorts_by_length_and_then_by_row() -> None:
    sampler = sampler_of([3, 1, 2, 9, 1, 4, 1], 3, bucketing=True)
    assert batches_of(sampler) == [[1, 4, 6], [2, 0, 5], [3]]
    sampler = sampler_of([2, 1] * 50, 50, bucketing=True)
    assert batches_of(sampler) == [list(range(1, 100, 2)), list(range(0, 100, 2))]


@pytest.mark.parametrize("bucketing", [True, False])
def test_shuffled_batches_depend_on_the_seed_and_the_epoch_alone(bucketing: bool) -> None:
    lengths = [1 + row % 30 for row in range(200)]

    def batches(seed: int, epoch: int) -> list[list[int]]:
        return batches_of(
            sampler_of(lengths, 16, shuffle=True, bucketing=bucketing, seed=seed, epoch=epoch)
        )

    orders = [batches(seed, epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert orders == [batches(seed, epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert all(orders[i] != orders[j] for i in range(9) for j in range(i))


def test_a_step_says_its_epoch_and_buckets_go_by_the_lengths_of_that_epoch() -> None:
    class Turning(EncodedReviews):
        def lengths(self, epoch: int) -> IntArray:
            return super().lengths(epoch)[:: -1 if epoch else 1]

    plain = of_lengths([1, 2, 3, 4])
    reviews = Turning(plain.token_ids, plain.offsets, plain.labels)
    sampler = BucketSampler(
        reviews, 2, shuffle=False, bucketing=True, seed=0, same_steps=False, rank=0, world_size=1
    )
    for epoch, expected in ((0, [[0, 1], [2, 3]]), (7, [[3, 2], [1, 0]])):
        sampler.set_epoch(epoch)
        assert [step.epoch for step in sampler] == [epoch, epoch]
        assert batches_of(sampler) == expected


def test_an_earlier_epoch_can_be_gone_back_to() -> None:
    sampler = sampler_of(list(range(1, 101)), 8, shuffle=True, bucketing=True)
    first = batches_of(sampler)
    assert batches_of(sampler) == first
    sampler.set_epoch(5)
    assert batches_of(sampler) != first
    sampler.set_epoch(0)
    assert batches_of(sampler) == first


@pytest.mark.parametrize("bucketing", [True, False])
def test_without_shuffling_every_epoch_is_the_same(bucketing: bool) -> None:
    lengths = [5, 3, 8, 1, 3, 9, 2]
    first, other = (
        batches_of(sampler_of(lengths, 2, bucketing=bucketing, seed=seed, epoch=epoch))
        for seed, epoch in ((0, 0), (3, 4))
    )
    assert first == other


@pytest.mark.parametrize(
    ("lengths", "batch_size"),
    [
        ([1, 2] * 1_000, 50),  # equal lengths leave the choice among a thousand reviews
        (list(range(1, 5_001)), 4),  # no two are equal: sorting all of them would leave none
    ],
)
def test_shuffled_buckets_mix_other_reviews_in_each_epoch(
    lengths: list[int], batch_size: int
) -> None:
    sampler = sampler_of(lengths, batch_size, shuffle=True, bucketing=True)
    companions = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        companions.append({frozenset(batch) for batch in batches_of(sampler)})
    assert len(companions[0] & companions[1]) < len(companions[0]) / 100


def padding_of(sampler: BucketSampler) -> float:
    """Cells of the padded batches for each token in them, at least 1."""
    lengths = sampler.reviews.lengths(0)
    cells = sum(len(rows) * int(lengths[rows].max()) for _, rows in sampler)
    return cells / int(lengths.sum())


@pytest.mark.parametrize("world_size", [1, 4])
@pytest.mark.parametrize("shuffle", [True, False])
def test_bucketing_keeps_padding_low(shuffle: bool, world_size: int) -> None:
    # Skewed like reviews: a median of 12 tokens, a few of more than 100.
    generator = np.random.default_rng(0)
    lengths = np.clip(generator.lognormal(2.5, 0.8, 20_000).astype(int), 1, 128).tolist()

    def padding(bucketing: bool, rank: int) -> float:
        sampler = sampler_of(
            lengths,
            64,
            shuffle=shuffle,
            bucketing=bucketing,
            rank=rank,
            world_size=world_size,
        )
        # Against the tokens of this process's share, which is all of them when it is alone.
        return padding_of(sampler) * world_size

    for rank in range(world_size):
        assert padding(bucketing=True, rank=rank) < 1.1
        assert padding(bucketing=False, rank=rank) > 2  # or the bound above would mean nothing


# Several processes


def test_each_step_is_dealt_out_in_turn() -> None:
    ranks = [sampler_of([1] * 9, 2, rank=rank, world_size=2) for rank in (0, 1)]
    assert [batches_of(sampler) for sampler in ranks] == [
        [[0, 2], [4, 6], [8]],
        [[1, 3], [5, 7]],
    ]
    assert [len(sampler) for sampler in ranks] == [3, 2]


def test_same_steps_leaves_out_a_last_step_with_fewer_reviews_than_processes() -> None:
    for count, expected in (
        (9, [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]),
        (10, [[[0, 2], [4, 6], [8]], [[1, 3], [5, 7], [9]]]),
        (1, [[], []]),
    ):
        ranks = [
            sampler_of([1] * count, 2, same_steps=True, rank=rank, world_size=2) for rank in (0, 1)
        ]
        assert [batches_of(sampler) for sampler in ranks] == expected
        assert [len(sampler) for sampler in ranks] == [len(batches) for batches in expected]


@settings(deadline=None, max_examples=200)
@given(
    lengths=lengths_of_reviews,
    batch_size=st.integers(1, 10),
    shuffle=flags,
    bucketing=flags,
    same_steps=flags,
    seed=st.integers(0, 2**32),
    epoch=st.integers(0, 100),
    world_size=st.integers(1, 4),
)
def test_processes_share_an_epoch_without_overlap(
    lengths: list[int],
    batch_size: int,
    shuffle: bool,
    bucketing: bool,
    same_steps: bool,
    seed: int,
    epoch: int,
    world_size: int,
) -> None:
    samplers = [
        sampler_of(
            lengths,
            batch_size,
            shuffle=shuffle,
            bucketing=bucketing,
            same_steps=same_steps,
            seed=seed,
            epoch=epoch,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]
    shards = [batches_of(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(shard) for shard in shards]
    assert all(1 <= len(batch) <= batch_size for shard in shards for batch in shard)
    assert all(sum(len(batch) < batch_size for batch in shard) <= 1 for shard in shards)
    rows = [row for shard in shards for batch in shard for row in batch]
    assert len(rows) == len(set(rows))
    assert set(rows) <= set(range(len(lengths)))
    left_out = len(lengths) - len(rows)
    if same_steps:
        assert 0 <= left_out < world_size
        assert len({len(shard) for shard in shards}) == 1
    else:
        assert left_out == 0
        assert all(first - second in (0, 1) for first, second in pairwise(map(len, shards)))


@given(
    lengths=st.lists(st.integers(1, 40), min_size=4, max_size=200),
    batch_size=st.integers(1, 16),
    skip=st.integers(0, 40),
    shuffle=st.booleans(),
    epoch=st.integers(0, 3),
    world_size=st.integers(1, 4),
)
def test_a_run_that_goes_on_gets_the_batches_that_were_still_to_come(
    lengths: list[int], batch_size: int, skip: int, shuffle: bool, epoch: int, world_size: int
) -> None:
    def sampler_for(rank: int) -> BucketSampler:
        return sampler_of(
            lengths,
            batch_size,
            shuffle=shuffle,
            bucketing=True,
            seed=3,
            epoch=epoch,
            same_steps=True,
            rank=rank,
            world_size=world_size,
        )

    whole = [batches_of(sampler_for(rank)) for rank in range(world_size)]
    steps = [sum(len(rows) for rows in step) for step in zip(*whole, strict=True)]
    for rank in range(world_size):
        sampler = sampler_for(rank)
        sampler.skip_steps(skip)
        assert batches_of(sampler) == whole[rank][skip:]
        assert sampler.step_sizes.tolist() == steps
        assert len(list(sampler)) == len(sampler)  # the next epoch is whole
