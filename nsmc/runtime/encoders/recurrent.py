"""GRU and LSTM, of one layer or more, in one direction or both.

Legend: B reviews, T tokens of the longest one, N tokens of all of them, packed as `packing` has
them, E embedding, H hidden size of one direction, G gates x H, W width of a layer's states (H, or
2 H with both directions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from nsmc.runtime import compiled
from nsmc.runtime.encoders.settings import OnnxGraph, Range
from nsmc.runtime.packing import Array, Packed
from nsmc.runtime.recurrence import GATES, Cell
from nsmc.runtime.token_tables import TokenTables

_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

# ONNX's order of PyTorch's gates r, z, n and i, f, g, o.
_ONNX_GATES = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}


@dataclass(frozen=True)
class RecurrentSettings:
    """The tensors have the names that PyTorch and candle give them, behind "gru." or "lstm."."""

    architecture: str
    hidden_size: Annotated[int, Range(1, 65_536)]  # of one direction
    num_layers: Annotated[int, Range(1, 64)]
    bidirectional: bool

    training_shares: ClassVar[tuple[str, ...]] = ("dropout", "recurrent_dropout")
    can_be_pretrained: ClassVar[bool] = True
    size_setting: ClassVar[str] = "hidden_size"

    @property
    def width(self) -> int:
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def table_width(self) -> int:
        return len(GATES[self.architecture]) * self.width

    @property
    def backend(self) -> str:
        return "compiled" if compiled.HAS_KERNEL else "numpy"

    @property
    def suffixes(self) -> list[list[str]]:
        """PyTorch's parameter suffixes by layer: ["_l0"], or ["_l0", "_l0_reverse"], and so on."""
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [[f"_l{layer}{end}" for end in ends] for layer in range(self.num_layers)]

    @property
    def cell_tensors(self) -> list[list[tuple[str, ...]]]:
        """The names of each cell's four tensors, by layer and direction."""
        return [
            [tuple(f"{self.architecture}.{weight}{suffix}" for weight in _WEIGHTS) for suffix in of]
            for of in self.suffixes
        ]

    def shapes(self, embedding_dim: int) -> dict[str, tuple[int, ...]]:
        gates = len(GATES[self.architecture]) * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, suffixes in enumerate(self.suffixes):
            for suffix in suffixes:
                inputs = self.width if layer else embedding_dim
                shapes[f"{self.architecture}.weight_ih{suffix}"] = (gates, inputs)
                shapes[f"{self.architecture}.weight_hh{suffix}"] = (gates, self.hidden_size)
                shapes[f"{self.architecture}.bias_ih{suffix}"] = (gates,)
                shapes[f"{self.architecture}.bias_hh{suffix}"] = (gates,)
        return shapes

    def blocks(self) -> dict[str, tuple[int, ...]]:
        gates, directions = len(GATES[self.architecture]), 2 if self.bidirectional else 1
        blocks: dict[str, tuple[int, ...]] = {"states": (directions,)}
        for layer, cells in enumerate(self.cell_tensors):
            for weight_ih, weight_hh, *biases in cells:
                blocks[weight_ih] = gates, directions if layer else 1
                blocks[weight_hh] = gates, 1
                blocks |= dict.fromkeys(biases, (gates,))
        return blocks

    def describe(self) -> str:
        directions = "both directions" if self.bidirectional else "one direction"
        name = self.architecture.upper()
        return f"{name} {self.hidden_size}, {self.num_layers} layer(s), {directions}"

    def may_differ(self, source: "RecurrentSettings") -> set[str]:
        # Of several layers the second reads both directions, so none can be left out.
        is_one_of_both = source.num_layers == 1 and not self.bidirectional
        return {"bidirectional"} if is_one_of_both else set()

    def encoder(self, tensors: Mapping[str, Array]) -> "RecurrentEncoder":
        return RecurrentEncoder(self, tensors)

    def onnx_states(self, graph: OnnxGraph, embedded: str) -> str:
        return self._onnx_layers(graph, self.suffixes, embedded)

    def onnx_last(self, graph: OnnxGraph, embedded: str) -> str:
        *below, top = self.suffixes
        sequence = self._onnx_layers(graph, below, embedded)
        directions = [self._onnx_direction(graph, suffix, sequence) for suffix in top]
        return graph.joined([graph.at_last_token(states) for states in directions])

    def _onnx_layers(self, graph: OnnxGraph, layers: list[list[str]], sequence: str) -> str:
        """All states [T, B, W] of the last of these layers."""
        for suffixes in layers:
            directions = [
                _in_order(graph, suffix, self._onnx_direction(graph, suffix, sequence))
                for suffix in suffixes
            ]
            sequence = graph.joined(directions)
        return sequence

    def _onnx_direction(self, graph: OnnxGraph, suffix: str, sequence: str) -> str:
        """The states [T, B, H] of one direction of a layer, in the order that it reads tokens.

        The operators are given the lengths, and nothing depends on whether they observe them:
        onnxruntime does, and refuses impossible ones; OpenVINO goes on through the padding, and
        begins a reverse direction with it. So a reverse direction is a forward one over rows that
        are reversed by their lengths.
        """
        cell = self.architecture
        order = _ONNX_GATES[cell]

        def in_onnx_order(name: str) -> Array:
            gates = np.split(graph.tensors[f"{cell}.{name}{suffix}"], len(order))
            return np.concatenate([gates[gate] for gate in order])[None]

        bias = np.concatenate([in_onnx_order("bias_ih"), in_onnx_order("bias_hh")], axis=-1)
        weights = [
            graph.matrix(f"{cell}.weight_ih{suffix}", in_onnx_order("weight_ih"), axis=1),
            graph.matrix(f"{cell}.weight_hh{suffix}", in_onnx_order("weight_hh"), axis=1),
            graph.tensor(f"{cell}.bias{suffix}", bias),
        ]
        special: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
        inputs = [_in_order(graph, suffix, sequence), *weights, graph.int32_lengths]
        states = graph.node(cell.upper(), *inputs, hidden_size=self.hidden_size, **special)
        return graph.node("Squeeze", states, graph.constant([1]))  # of [T, 1, B, H]


def _in_order(graph: OnnxGraph, suffix: str, sequence: str) -> str:
    """The sequence [T, B, any] in the order that a direction reads it, or back from that."""
    if not suffix.endswith("_reverse"):
        return sequence
    return graph.node("ReverseSequence", sequence, graph.lengths, batch_axis=1, time_axis=0)


class RecurrentEncoder:
    """Runs a bundle's layers, one direction after the other."""

    def __init__(self, settings: RecurrentSettings, tensors: Mapping[str, Array]) -> None:
        layers = [
            [Cell(settings.architecture, *(tensors[name] for name in names)) for names in cells]
            for cells in settings.cell_tensors
        ]
        self._layers = list(zip(layers, [*layers[1:], []], strict=True))  # each with the one above
        projections = [(cell.input_weight, cell.input_bias) for cell in layers[0]]
        self._is_bidirectional = settings.bidirectional
        self.tables = TokenTables(projections, tensors["embedding.weight"])

    def states(self, packed: Packed) -> Array:
        return self._run(packed, wants_states=True)

    def last(self, packed: Packed) -> Array:
        return self._run(packed, wants_states=False)

    def _run(self, packed: Packed, wants_states: bool) -> Array:
        """The states of all tokens [N, W], or the last ones of the reviews [B, W]."""
        orders = [packed.forward()]
        if self._is_bidirectional:
            orders.append(packed.backward())
        inputs = self.tables(packed)
        sources = [packed.ids, *(packed.ids[order] for order in orders[1:])]
        for cells, above in self._layers:
            of_all = wants_states or above
            each = zip(cells, inputs, sources, orders, strict=True)
            directions = [
                cell.run(projected, source, packed, order if of_all else None)
                for cell, projected, source, order in each
            ]
            states = directions[0] if len(directions) == 1 else np.concatenate(directions, axis=-1)
            inputs, sources = [cell.project(states) for cell in above], orders
        return states
