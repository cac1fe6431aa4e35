"""Convolutions of several widths over the embeddings (Kim 2014, https://arxiv.org/abs/1408.5882).

A filter of width w gives each token a number: the ReLU of a weighted sum over the embeddings of the
token and the w - 1 before it. Before the first token are zeros, as many as the widest filter needs,
and behind a token nothing is read; so no padding is, either. With `pooling: max`, as here by
default and as in the paper, the classifier sees the greatest number of each filter.

Legend: B reviews, T tokens of the longest one, N tokens of all of them, packed as `packing` has
them, E embedding, F filters of each width, W width of a state: F times the number of widths.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from nsmc.runtime.encoders.settings import OnnxGraph, Range
from nsmc.runtime.packing import Array, Packed
from nsmc.runtime.token_tables import TokenTables


@dataclass(frozen=True)
class ConvolutionSettings:
    """For a width w: the tensors "cnn.weight_w" [F, E, w], as torch's Conv1d has it, and "bias"."""

    architecture: str
    filter_widths: Annotated[tuple[int, ...], Range(1, 64)]  # tokens
    num_filters: Annotated[int, Range(1, 65_536)]  # of each width

    training_shares: ClassVar[tuple[str, ...]] = ()
    can_be_pretrained: ClassVar[bool] = False
    size_setting: ClassVar[str] = "num_filters"
    backend: ClassVar[str] = "numpy"

    @property
    def width(self) -> int:
        return self.num_filters * len(self.filter_widths)

    @property
    def table_width(self) -> int:
        return self.num_filters * sum(self.filter_widths)

    def shapes(self, embedding_dim: int) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for width in self.filter_widths:
            shapes[f"cnn.weight_{width}"] = (self.num_filters, embedding_dim, width)
            shapes[f"cnn.bias_{width}"] = (self.num_filters,)
        return shapes

    def blocks(self) -> dict[str, tuple[int, ...]]:
        blocks: dict[str, tuple[int, ...]] = {"states": (len(self.filter_widths),)}
        for width in self.filter_widths:
            blocks[f"cnn.weight_{width}"] = 1, 1, 0
            blocks[f"cnn.bias_{width}"] = (1,)
        return blocks

    def describe(self) -> str:
        *others, last = map(str, self.filter_widths)
        widths = f"{', '.join(others)} and {last}" if others else last
        return f"CNN, {self.num_filters} filters of each width {widths}"

    def may_differ(self, source: "ConvolutionSettings") -> set[str]:
        return set()

    def encoder(self, tensors: Mapping[str, Array]) -> "ConvolutionEncoder":
        return ConvolutionEncoder(self, tensors)

    def onnx_states(self, graph: OnnxGraph, embedded: str) -> str:
        features = graph.node("Transpose", embedded, perm=[1, 2, 0])  # [B, E, T]
        maps = []
        for width in self.filter_widths:
            weights = graph.matrix(f"cnn.weight_{width}"), graph.tensor(f"cnn.bias_{width}")
            sums = graph.node("Conv", features, *weights, pads=[width - 1, 0])  # [B, F, T]
            maps.append(graph.node("Transpose", graph.node("Relu", sums), perm=[2, 0, 1]))
        return graph.joined(maps)

    def onnx_last(self, graph: OnnxGraph, embedded: str) -> str:
        return graph.at_last_token(self.onnx_states(graph, embedded))


class ConvolutionEncoder:
    """Adds up, for each token, what it and those before it contribute to the filters.

    What a token contributes to the one `back` tokens later is the same wherever it stands: there is
    a table for each `back`, of the filters that reach that far.
    """

    def __init__(self, settings: ConvolutionSettings, tensors: Mapping[str, Array]) -> None:
        widths = settings.filter_widths
        filters = {width: tensors[f"cnn.weight_{width}"] for width in widths}  # [F, E, width]
        bias = np.concatenate([tensors[f"cnn.bias_{width}"] for width in widths])
        projections = []
        for back in range(widths[-1]):
            reaching = [filters[width][:, :, width - 1 - back] for width in widths if width > back]
            weight = np.ascontiguousarray(np.concatenate(reaching).T)  # [E, F x widths]
            projections.append((weight, np.zeros_like(bias[: weight.shape[1]]) if back else bias))
        self.tables = TokenTables(projections, tensors["embedding.weight"])

    def states(self, packed: Packed) -> Array:
        first, *others = self.tables(packed)
        states: Array = first[packed.ids]
        starts = np.cumsum(packed.active) - packed.active  # [T]: where each step's tokens begin
        steps = np.repeat(np.arange(len(starts)), packed.active)  # [N]
        reviews = np.arange(len(steps)) - starts[steps]  # [N]
        for back, table in enumerate(others, start=1):
            begin = len(steps) if back >= len(starts) else starts[back]
            earlier = starts[steps[begin:] - back] + reviews[begin:]
            # The filters that reach that far are the last ones: they are the widest.
            states[begin:, -table.shape[1] :] += table[packed.ids[earlier]]
        np.maximum(states, 0, out=states)
        return states

    def last(self, packed: Packed) -> Array:
        return packed.at_last_token(self.states(packed))
