"""A bundle's network as an ONNX graph: token ids and lengths in, probabilities out.

The encoder adds its own part; see `runtime/encoders`.

The specification: https://onnx.ai/onnx/operators/

Legend: B reviews, T tokens, E embedding, W width of an encoder's states.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Array

if TYPE_CHECKING:
    import onnx

_OPSET = 17  # of early 2022: read by every runtime in use
_FLOAT, _INT64 = 1, 7  # ONNX's numbers of types


def onnx_model(bundle: Bundle) -> "onnx.ModelProto":
    """The network: `token_ids` int64 [B, T], `lengths` int32 [B] -> `probabilities` [B, 2].

    What stands in a row of `token_ids` beyond its length has no effect, not even where it is no
    token's id. B and T may be 0.
    """
    return _Graph(bundle).model()


class _Graph:
    """Builds the graph node by node, as `OnnxGraph` says to encoders.

    Each method returns the name of what it computes.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.config = bundle.config
        self.tensors: Mapping[str, Array] = bundle.tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> "onnx.ModelProto":
        from onnx import helper

        self.inputs()
        embedded = self.node("Gather", self.tensor("embedding.weight"), self.token_ids)
        sequence = self.node("Transpose", embedded, perm=[1, 0, 2])  # [T, B, E]
        if self.config.pooling == "last":
            pooled = self.config.encoder.onnx_last(self, sequence)
        else:
            pooled = self.pooled(self.config.encoder.onnx_states(self, sequence))
        weight, bias = self.tensor("ln1.weight"), self.tensor("ln1.bias")
        logits = self.node("Gemm", pooled, weight, bias, transB=1)
        probabilities = self.node("Softmax", logits, axis=-1)
        zero = self.constant([0])
        self.node("Slice", probabilities, zero, self.reviews, zero, output="probabilities")
        model = helper.make_model(
            self.graph(), opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="nsmc"
        )
        model.ir_version = 8  # that of the opset's time
        helper.set_model_props(model, {"labels": "\t".join(self.config.labels)})
        return model

    def graph(self) -> "onnx.GraphProto":
        from onnx import TensorProto, helper

        described = helper.make_tensor_value_info
        return helper.make_graph(
            self.nodes,
            "nsmc",
            [
                described("token_ids", TensorProto.INT64, ["reviews", "tokens"]),
                described("lengths", TensorProto.INT32, ["reviews"]),
            ],
            [described("probabilities", TensorProto.FLOAT, ["reviews", 2])],
            list(self.constants.values()),
        )

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: object, dtype: type = np.int64) -> str:
        return self._constant(f"{dtype.__name__}_{value}", np.asarray(value, dtype))

    def tensor(self, name: str, value: Array | None = None) -> str:
        return self._constant(name, self.tensors[name] if value is None else value)

    def _constant(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def inputs(self) -> None:
        """What everything else is computed from.

        Without a review, or a token in any, one of padding is added, and its answer removed at the
        end: onnxruntime's GRU and LSTM end the whole process on an empty batch.
        """
        zero = self.constant([0])
        missing = self.is_zero(self.node("Shape", "token_ids"))
        pads = self.node("Concat", self.constant([0, 0]), missing, axis=0)
        token_ids = self.node("Pad", "token_ids", pads)
        self.reviews = self.node("Shape", "lengths")  # [1], of B
        pads = self.node("Concat", zero, self.is_zero(self.reviews), axis=0)
        self.int32_lengths = self.node("Pad", "lengths", pads)  # [B]
        self.lengths = self.node("Cast", self.int32_lengths, to=_INT64)
        self.length_column = self.node("Unsqueeze", self.lengths, self.constant([1]))  # [B, 1]
        tokens = self.node("Squeeze", self.node("Shape", token_ids, start=1))
        positions = self.node("Range", self.constant(0), tokens, self.constant(1))  # [T]
        self.is_token = self.node("Less", positions, self.length_column)  # [B, T]
        self.token_ids = self.node("Where", self.is_token, token_ids, self.constant(0))

    def is_zero(self, sizes: str) -> str:
        """1 for each size that is 0, else 0."""
        return self.node("Cast", self.node("Equal", sizes, self.constant([0])), to=_INT64)

    def at_last_token(self, states: str) -> str:
        before = self.constant([0, 1, 0, 0, 0, 0])  # one step of zeros: the state after no token
        after = self.node("Pad", self.node("Transpose", states, perm=[1, 0, 2]), before)
        return self.node("GatherND", after, self.length_column, batch_dims=1)

    def pooled(self, sequence: str) -> str:
        """One vector for each review [B, W or 2 W]; zeros for one without a token."""
        turned = self.node("Transpose", self.is_token, perm=[1, 0])
        mask = self.node("Unsqueeze", turned, self.constant([2]))  # [T, B, 1]
        one = self.constant(1)
        has_token = self.node("Cast", self.node("Min", self.length_column, one), to=_FLOAT)
        found = []
        if self.config.pooling in ("max", "max_mean"):
            lowest = self.constant(-2, np.float32)  # states lie in (-1, 1)
            tokens = self.node("Where", mask, sequence, lowest)
            maxima = self.node("ReduceMax", tokens, axes=[0], keepdims=0)
            found.append(self.node("Mul", maxima, has_token))
        if self.config.pooling in ("mean", "max_mean"):
            zero = self.constant(0, np.float32)
            total = self.total(self.node("Where", mask, sequence, zero))
            count = self.node("Cast", self.node("Max", self.length_column, one), to=_FLOAT)
            found.append(self.node("Div", total, count))
        if self.config.pooling == "attention":
            mean = self.total(self.node("Mul", self.shares(sequence, mask), sequence))
            found.append(self.node("Mul", mean, has_token))
        return self.joined(found)

    def shares(self, sequence: str, mask: str) -> str:
        """How much of a review's attention each token has [T, B, 1]."""
        weight = self.tensor("attention.weight", self.tensors["attention.weight"].T)
        lowest = self.constant(np.finfo(np.float32).min, np.float32)
        scores = self.node("Where", mask, self.node("MatMul", sequence, weight), lowest)
        return self.node("Softmax", scores, axis=0)

    def total(self, values: str) -> str:
        """The sum over tokens."""
        return self.node("ReduceSum", values, self.constant([0]), keepdims=0)

    def joined(self, parts: Sequence[str]) -> str:
        """Side by side."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=-1)
