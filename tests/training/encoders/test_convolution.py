"""The convolutions in torch against sums written out, at the ends of reviews above all."""

import pytest
import torch
from torch import Tensor

from nsmc.training.encoders.convolution import ConvolutionEncoder

E, F = 3, 4
WIDTHS = [1, 2, 5]


def encoder() -> ConvolutionEncoder:
    torch.manual_seed(0)
    return ConvolutionEncoder("cnn", E, filter_widths=WIDTHS, num_filters=F)


def by_hand(encoder: ConvolutionEncoder, review: Tensor) -> Tensor:
    """The states [T, W] of one review's embeddings [T, E], token by token and place by place."""
    tensors = encoder.tensors()
    states = []
    for token in range(len(review)):
        sums = []
        for width in WIDTHS:
            filters = tensors[f"cnn.bias_{width}"].clone()  # [F]
            for back in range(min(width, token + 1)):
                weight = tensors[f"cnn.weight_{width}"][:, :, width - 1 - back]  # [F, E]
                filters = filters + weight @ review[token - back]
            sums.append(filters)
        states.append(torch.cat(sums).clamp(min=0))
    return torch.stack(states)


@pytest.mark.parametrize("length", [1, 2, 4, 5, 9])
def test_states_are_the_sums_over_the_token_and_those_before_it(length: int) -> None:
    convolutions, review = encoder(), torch.randn(length, E)
    lengths = torch.tensor([length])
    states = convolutions(review[None], lengths)
    torch.testing.assert_close(states[0], by_hand(convolutions, review))
    torch.testing.assert_close(convolutions.last(states, lengths)[0], states[0, -1])


def test_padding_is_not_seen() -> None:
    convolutions, reviews = encoder(), torch.randn(2, 9, E)
    lengths = torch.tensor([9, 3])
    states = convolutions(reviews, lengths)
    reviews[1, 3:] = 1e9
    torch.testing.assert_close(convolutions(reviews, lengths)[1, :3], states[1, :3])
    torch.testing.assert_close(states[1, :3], by_hand(convolutions, reviews[1, :3]))


def test_widths_come_in_any_order() -> None:
    assert ConvolutionEncoder("cnn", E, filter_widths=[4, 2], num_filters=F).settings.width == 2 * F
    settings = ConvolutionEncoder("cnn", E, filter_widths=[4, 2], num_filters=F).settings
    assert settings.filter_widths == (2, 4)
