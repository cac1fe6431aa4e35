"""Padding is put after the last token, and nothing that is read or reversed comes from it."""

import torch

from nsmc.training.padding import at_last_token, drop_features, is_token, pad, reverse

TOKEN_IDS, LENGTHS = pad([[3, 4, 5], [], [6]])


def test_reviews_are_padded_to_the_longest() -> None:
    assert TOKEN_IDS.tolist() == [[3, 4, 5], [0, 0, 0], [6, 0, 0]]
    assert LENGTHS.tolist() == [3, 0, 1]
    assert is_token(TOKEN_IDS, LENGTHS).int().tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]


def test_the_last_token_is_the_one_before_the_padding() -> None:
    states = torch.arange(18.0).reshape(3, 3, 2)
    assert at_last_token(states, LENGTHS)[[0, 2]].tolist() == [[4, 5], [12, 13]]


def test_a_row_is_reversed_up_to_its_padding() -> None:
    sequence = torch.tensor([[1, 2, 3], [7, 8, 9], [4, 5, 6]]).unsqueeze(-1)
    found = reverse(sequence, torch.tensor([3, 0, 2]))
    assert found.squeeze(-1).tolist() == [[3, 2, 1], [7, 8, 9], [5, 4, 6]]


def test_a_dropped_feature_is_dropped_at_every_token_and_the_others_grow() -> None:
    torch.manual_seed(0)
    found = drop_features(torch.ones(50, 4, 6), 0.75, training=True)
    assert set(found.flatten().tolist()) == {0.0, 4.0}
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert not torch.equal(found[0], found[1])
    assert torch.equal(drop_features(found, 0.75, training=False), found)
