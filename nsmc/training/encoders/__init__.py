"""The encoders in torch, by architecture, each in a file of its own.

An encoder is a module that is made of the architecture's name, the width of the embeddings and its
own settings. Called with embeddings [B, T, E] and lengths [B], it returns states [B, T, W], of
which `last(states, lengths)` gives the last of each review [B, W], any without a token. It has
`settings`, those of the runtime's encoder, and `tensors()`, its parameters by name in a bundle.
"""

from typing import Any

from nsmc.training.encoders.convolution import ConvolutionEncoder
from nsmc.training.encoders.recurrent import RecurrentEncoder

ENCODERS: dict[str, type[Any]] = {
    "gru": RecurrentEncoder,
    "lstm": RecurrentEncoder,
    "cnn": ConvolutionEncoder,
}
