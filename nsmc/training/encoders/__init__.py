"""The encoders in torch, by architecture, each in a file of its own.

An encoder is a module that is made of the architecture's name, the width of the embeddings and its
own settings. Called with embeddings [B, T, E] and lengths [B], it returns states [B, T, W].
"""

from typing import Any, Protocol

from torch import Tensor

from nsmc.runtime.encoders.settings import EncoderSettings
from nsmc.training.encoders.convolution import ConvolutionEncoder
from nsmc.training.encoders.recurrent import RecurrentEncoder


class Encoder(Protocol):
    """What is expected of an encoder, besides that it is a module."""

    settings: EncoderSettings

    def __call__(self, embeddings: Tensor, lengths: Tensor) -> Tensor: ...

    def last(self, states: Tensor, lengths: Tensor) -> Tensor:
        """The last state [B, W] of each review in states [B, T, W]; any without a token."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Its parameters under their names in a bundle."""
        ...


ENCODERS: dict[str, type[Any]] = {
    "gru": RecurrentEncoder,
    "lstm": RecurrentEncoder,
    "cnn": ConvolutionEncoder,
}
