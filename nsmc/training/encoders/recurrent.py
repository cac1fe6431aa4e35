"""GRU and LSTM in torch, with padding kept out.

Rows are computed densely, without packing, which is several times faster on a CPU: forward states
before the padding cannot see it, and the reverse direction reads each row reversed by its own
length.

Legend: B batch, T tokens, E embedding, H hidden size of one direction, W layer width (H or 2H).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nsmc.runtime.encoders.recurrent import RecurrentSettings
from nsmc.training.padding import at_last_token, drop_features, reverse

CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class RecurrentEncoder(nn.Module):
    """States [B, T, W] of every token, from embeddings [B, T, E] and lengths [B].

    In training, `dropout` drops features between layers, and `recurrent_dropout` recurrent weights.
    """

    def __init__(
        self,
        architecture: str,
        embedding_dim: int,
        *,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.settings = RecurrentSettings(architecture, hidden_size, num_layers, bidirectional)
        # One single-layer module for each layer and direction, named by PyTorch's suffix for it.
        self.layers = nn.ModuleDict()
        for layer, suffixes in enumerate(self.settings.suffixes):
            inputs = self.settings.width if layer else embedding_dim
            for suffix in suffixes:
                single = CELLS[architecture](inputs, hidden_size, batch_first=True)
                # Orthogonal recurrent weights keep the gradient's length over many steps, which
                # gets more out of few epochs (Saxe et al. 2014, https://arxiv.org/abs/1312.6120).
                weight_hh = single.get_parameter("weight_hh_l0").detach()  # [gates x H, H]
                for gate in range(0, len(weight_hh), hidden_size):
                    nn.init.orthogonal_(weight_hh[gate : gate + hidden_size])
                self.layers[suffix] = single
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        return _joined(self.as_read(embeddings, lengths), lengths)

    def as_read(self, embeddings: Tensor, lengths: Tensor) -> list[Tensor]:
        """The last layer's states [B, T, H] by direction, in the order in which it reads tokens."""
        sequence, states = embeddings, list[Tensor]()
        for layer, suffixes in enumerate(self.settings.suffixes):
            if layer:
                sequence = _joined(states, lengths)
                sequence = drop_features(sequence, self.dropout, self.training)
            states = [self._direction(suffixes[0], sequence)]
            for suffix in suffixes[1:]:
                states.append(self._direction(suffix, reverse(sequence, lengths)))
        return states

    def last(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Each direction's state after the last token it reads: [B, W]."""
        ends = at_last_token(states[..., : self.settings.hidden_size], lengths)
        return torch.cat([ends, states[:, 0, self.settings.hidden_size :]], dim=-1)

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{self.settings.architecture}.{name}{suffix}": layer.get_parameter(f"{name}_l0")
            for suffix, layer in self.layers.items()
            for name in _WEIGHTS
        }

    def _direction(self, suffix: str, inputs: Tensor) -> Tensor:
        """The states [B, T, H] of one layer in one direction."""
        single = self.layers[suffix]
        states: Tensor
        if not self.training or not self.recurrent_dropout:
            states, _ = single(inputs)
            return states
        # DropConnect: a step's weights are the same for all its tokens and reviews (Merity et al.
        # 2018, https://arxiv.org/abs/1708.02182).
        weights: dict[str, Tensor] = dict(single.named_parameters())
        weights["weight_hh_l0"] = F.dropout(weights["weight_hh_l0"], self.recurrent_dropout)
        states, _ = torch.func.functional_call(single, weights, (inputs,))
        return states


def _joined(states: list[Tensor], lengths: Tensor) -> Tensor:
    """States of one or both directions, each as it reads, as states of tokens [B, T, W]."""
    forward, *backward = states
    return torch.cat([forward, reverse(backward[0], lengths)], dim=-1) if backward else forward
