"""Convolutions of several widths in torch, as `runtime/encoders` describes them.

Legend: B batch, T tokens, E embedding, F filters of each width, W width of a state.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nsmc.runtime.encoders.convolution import ConvolutionSettings
from nsmc.training.padding import at_last_token


class ConvolutionEncoder(nn.Module):
    """A state is made of its token and those before it, so that it cannot see the padding."""

    def __init__(
        self, architecture: str, embedding_dim: int, *, filter_widths: list[int], num_filters: int
    ) -> None:
        super().__init__()
        widths = sorted(filter_widths)
        self.settings = ConvolutionSettings(architecture, tuple(widths), num_filters)
        self.filters = nn.ModuleDict(
            {str(width): nn.Conv1d(embedding_dim, num_filters, width) for width in widths}
        )

    def forward(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        features = embeddings.transpose(1, 2)  # [B, E, T]
        outputs = [
            convolution(F.pad(features, (int(width) - 1, 0)))  # [B, F, T]
            for width, convolution in self.filters.items()
        ]
        return torch.cat(outputs, dim=1).relu().transpose(1, 2)

    def last(self, states: Tensor, lengths: Tensor) -> Tensor:
        return at_last_token(states, lengths)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"cnn.{name}_{width}": convolution.get_parameter(name)
            for width, convolution in self.filters.items()
            for name in ("weight", "bias")
        }
