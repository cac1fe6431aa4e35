"""Packing against hand-worked cases and against torch's PackedSequence."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence

from nsmc.runtime.packing import pack

reviews = st.lists(st.lists(st.integers(0, 9_999), max_size=8), min_size=1, max_size=9).map(
    lambda each: sorted(each, key=len, reverse=True)
)


def test_a_hand_worked_case() -> None:
    packed = pack([[1, 2, 3], [4, 5], []])
    assert packed.ids.tolist() == [1, 4, 2, 5, 3]
    assert packed.active.tolist() == [2, 2, 1]
    assert packed.lengths.tolist() == [3, 2, 0]
    assert packed.ids[packed.forward()].tolist() == [1, 4, 2, 5, 3]
    assert packed.ids[packed.backward()].tolist() == [3, 5, 2, 4, 1]
    assert packed.is_token().tolist() == [
        [True, True, False],
        [True, True, False],
        [True, False, False],
    ]


@given(reviews)
def test_tokens_and_steps_are_those_of_torch(ids: list[list[int]]) -> None:
    packed = pack(ids)
    whole = [torch.tensor(each) for each in ids if each]
    if whole:
        expected = pack_sequence(whole)
        assert packed.ids.tolist() == expected.data.tolist()
        assert packed.active.tolist() == expected.batch_sizes.tolist()
    else:
        assert not packed.ids.size and not packed.active.size


@given(reviews)
def test_backward_reads_each_review_from_its_end_and_twice_is_forward(ids: list[list[int]]) -> None:
    packed, turned = pack(ids), pack([each[::-1] for each in ids])
    backward = packed.backward()
    assert packed.ids[backward].tolist() == turned.ids.tolist()
    np.testing.assert_array_equal(backward[backward], packed.forward())


@given(reviews)
def test_one_review_is_packed_as_in_a_batch(ids: list[list[int]]) -> None:
    alone, batched = pack(ids[:1]), pack([ids[0], []])
    assert alone.ids.tolist() == batched.ids.tolist() == ids[0]
    assert alone.active.tolist() == batched.active.tolist()
    assert alone.backward().tolist() == batched.backward().tolist()
