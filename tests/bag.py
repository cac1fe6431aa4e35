"""A toy architecture, as docs/extending.md has it: a linear map of each embedding.

Its states lie anywhere, and its settings are of kinds that ours lack.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nsmc.runtime.encoders.settings import OnnxGraph, Range
from nsmc.runtime.packing import Array, Packed
from nsmc.runtime.token_tables import TokenTables
from nsmc.training.padding import at_last_token


@dataclass(frozen=True)
class BagSettings:
    architecture: str
    size: Annotated[int, Range(1, 64)]
    shift: Annotated[float, Range(-100, 100)]  # added to every state
    sign: Literal["plus", "minus"]

    training_shares: ClassVar[tuple[str, ...]] = ()
    can_be_pretrained: ClassVar[bool] = False
    size_setting: ClassVar[str] = "size"
    backend: ClassVar[str] = "numpy"

    @property
    def width(self) -> int:
        return self.size

    @property
    def table_width(self) -> int:
        return self.size

    @property
    def bias(self) -> np.float32:
        return np.float32(self.shift if self.sign == "plus" else -self.shift)

    def shapes(self, embedding_dim: int) -> dict[str, tuple[int, ...]]:
        return {"bag.weight": (self.size, embedding_dim)}

    def blocks(self) -> dict[str, tuple[int, ...]]:
        return {"states": (1,), "bag.weight": (1, 1)}

    def describe(self) -> str:
        return f"bag of words, {self.size}"

    def may_differ(self, source: "BagSettings") -> set[str]:
        return set()

    def encoder(self, tensors: Mapping[str, Array]) -> "BagEncoder":
        return BagEncoder(self, tensors)

    def onnx_states(self, graph: OnnxGraph, embedded: str) -> str:
        weight = graph.tensor("bag.weight", graph.tensors["bag.weight"].T)
        sums = graph.node("MatMul", embedded, weight)
        return graph.node("Add", sums, graph.tensor("bag.bias", np.array(self.bias)))

    def onnx_last(self, graph: OnnxGraph, embedded: str) -> str:
        return graph.at_last_token(self.onnx_states(graph, embedded))


class BagEncoder:
    def __init__(self, settings: BagSettings, tensors: Mapping[str, Array]) -> None:
        weight = np.ascontiguousarray(tensors["bag.weight"].T)
        bias = np.full(settings.size, settings.bias)
        self.tables = TokenTables([(weight, bias)], tensors["embedding.weight"])

    def states(self, packed: Packed) -> Array:
        (table,) = self.tables(packed)
        states: Array = table[packed.ids]
        return states

    def last(self, packed: Packed) -> Array:
        return packed.at_last_token(self.states(packed))


class TorchBagEncoder(nn.Module):
    def __init__(
        self, architecture: str, embedding_dim: int, *, size: int, shift: float, sign: str
    ) -> None:
        super().__init__()
        self.settings = BagSettings(architecture, size, shift, sign)  # type: ignore[arg-type]
        self.weight = nn.Parameter(torch.zeros(size, embedding_dim))

    def forward(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        return embeddings @ self.weight.t() + float(self.settings.bias)

    def last(self, states: Tensor, lengths: Tensor) -> Tensor:
        return at_last_token(states, lengths)

    def tensors(self) -> dict[str, Tensor]:
        return {"bag.weight": self.weight}
