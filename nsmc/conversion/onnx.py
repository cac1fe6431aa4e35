"""A bundle's network as an ONNX graph: token ids and lengths in, probabilities out.

The encoder adds its own part; see `runtime/encoders`. The specification:
https://onnx.ai/onnx/operators/

Legend: B reviews, T tokens, E embedding, W width of an encoder's states, C labels.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from nsmc.runtime.int8 import SCALE, codes_and_scales
from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Array

_OPSET = 17  # of early 2022: read by every runtime in use

# What the file says of its inputs and its output.
_IDS = "a row of ids for each review, of any number of reviews, padded with anything; ids are from "
_LENGTHS = "how many ids of its row are the review's, from 0"
_ANSWERS = "of each label, in the order of the metadata's labels, which tabs separate"


def onnx_model(bundle: Bundle, weights: str = "float32") -> onnx.ModelProto:
    """The network: `token_ids` int64 [B, T], `lengths` int32 [B] -> `probabilities` [B, C].

    What stands in a row of `token_ids` beyond its length has no effect, not even where it is no
    token's id. B and T may be 0. With the `weights` int8, matrices are what an int8 bundle has;
    what is computed is float32.
    """
    return _Graph(bundle, weights).model()


class _Graph:
    """Builds the graph node by node, as `OnnxGraph` says to encoders.

    Each method returns the name of what it computes.
    """

    def __init__(self, bundle: Bundle, weights: str) -> None:
        self.config, self.weights = bundle.config, weights
        self.tensors: Mapping[str, Array] = bundle.tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        self.inputs()
        sequence = self.embedded()
        if self.config.pooling == "last":
            pooled = self.config.encoder.onnx_last(self, sequence)
        else:
            pooled = self.pooled(self.config.encoder.onnx_states(self, sequence))
        weight, bias = self.matrix("ln1.weight"), self.tensor("ln1.bias")
        cold = 1 / self.config.temperature
        logits = self.node("Gemm", pooled, weight, bias, transB=1, alpha=cold, beta=cold)
        probabilities = self.node("Softmax", logits, axis=-1)
        zero = self.constant([0])
        self.node("Slice", probabilities, zero, self.reviews, zero, output="probabilities")
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(self.graph(), opset_imports=[opset], producer_name="nsmc")
        model.ir_version = 8  # that of the opset's time
        helper.set_model_props(model, {"labels": "\t".join(self.config.labels)})
        return model

    def graph(self) -> onnx.GraphProto:
        described, labels = helper.make_tensor_value_info, len(self.config.labels)
        vocabulary = f"0 to {self.config.vocab_size - 1}"
        return helper.make_graph(
            self.nodes,
            "nsmc",
            [
                described("token_ids", TensorProto.INT64, ["reviews", "tokens"], _IDS + vocabulary),
                described("lengths", TensorProto.INT32, ["reviews"], _LENGTHS),
            ],
            [described("probabilities", TensorProto.FLOAT, ["reviews", labels], _ANSWERS)],
            list(self.constants.values()),
        )

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        made = helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        self.nodes.append(made)
        return output

    def constant(self, value: object, dtype: type = np.int64) -> str:
        return self.tensor(f"{dtype.__name__}_{value}", np.asarray(value, dtype))

    def tensor(self, name: str, value: npt.NDArray[Any] | None = None) -> str:
        value = np.ascontiguousarray(self.tensors[name] if value is None else value)
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def matrix(self, name: str, value: Array | None = None, axis: int = 0) -> str:
        value = self.tensors[name] if value is None else value
        if self.weights == "float32":
            return self.tensor(name, value)
        codes, scales = codes_and_scales(np.moveaxis(value, axis, 0))
        along = [-1 if dimension == axis else 1 for dimension in range(value.ndim)]
        scale = self.tensor(f"{name}{SCALE}", scales.reshape(along))
        return self.numbers(self.tensor(name, np.moveaxis(codes, 0, axis)), scale)

    def numbers(self, codes: str, scales: str) -> str:
        """What int8 codes stand for, in float32.

        Not by DequantizeLinear: onnxruntime would compute that anew for each batch, where it makes
        a constant of this, and the reference evaluator has none for this set of operators.
        """
        return self.node("Mul", self.node("Cast", codes, to=TensorProto.FLOAT), scales)

    def inputs(self) -> None:
        """What everything else is computed from.

        Each row gets a token of padding more, so that T is not 0 and the positions, from 0 to
        T - 1, are the lengths that there can be. Without a review, one of padding is added, and its
        answer removed at the end: onnxruntime's GRU and LSTM end the whole process on an empty
        batch.
        """
        missing = self.is_zero(self.node("Shape", "token_ids", end=1))
        pads = self.node("Concat", self.constant([0, 0]), missing, self.constant([1]), axis=0)
        token_ids = self.node("Pad", "token_ids", pads)
        self.reviews = self.node("Shape", "lengths")  # [1], of B
        pads = self.node("Concat", self.constant([0]), self.is_zero(self.reviews), axis=0)
        lengths = self.node("Pad", "lengths", pads)
        tokens = self.node("Squeeze", self.node("Shape", token_ids, start=1))
        positions = self.node("Range", self.constant(0), tokens, self.constant(1))  # [T]
        # Where a length is no position, which a negative one is not, either, without its sign,
        # onnxruntime's Gather refuses it. OpenVINO's makes it 0; of one dimension, it would read
        # what lies there in memory.
        unsigned = self.node("Cast", lengths, to=TensorProto.UINT32)
        index = self.node("Cast", unsigned, to=TensorProto.INT64)
        column = self.node("Unsqueeze", positions, self.constant([1]))
        self.length_column = self.node("Gather", column, index)  # [B, 1]
        self.is_token = self.node("Less", positions, self.length_column)  # [B, T]
        # Gather refuses ids beyond the vocabulary, but counts negative ones from its end.
        is_negative = self.node("Less", token_ids, self.constant(0))
        beyond = self.constant(self.config.vocab_size)
        token_ids = self.node("Where", is_negative, beyond, token_ids)
        self.token_ids = self.node("Where", self.is_token, token_ids, self.constant(0))

    def embedded(self) -> str:
        """The embeddings [T, B, E]."""
        ids, name = self.node("Transpose", self.token_ids, perm=[1, 0]), "embedding.weight"
        if self.weights == "float32":
            return self.node("Gather", self.tensor(name), ids)
        # Not all rows are made numbers of, only those that are looked up.
        codes, scales = codes_and_scales(self.tensors[name])
        rows = self.node("Gather", self.tensor(name, codes), ids)
        each = self.node("Gather", self.tensor(f"{name}{SCALE}", scales[:, None]), ids)  # [T, B, 1]
        return self.numbers(rows, each)

    def is_zero(self, sizes: str) -> str:
        """1 for each size that is 0, else 0."""
        return self.node(
            "Cast", self.node("Equal", sizes, self.constant([0])), to=TensorProto.INT64
        )

    @cached_property
    def lengths(self) -> str:
        return self.node("Squeeze", self.length_column, self.constant([1]))

    @cached_property
    def int32_lengths(self) -> str:
        return self.node("Cast", self.lengths, to=TensorProto.INT32)

    def at_last_token(self, states: str) -> str:
        before = self.constant([0, 1, 0, 0, 0, 0])  # one step of zeros: the state after no token
        after = self.node("Pad", self.node("Transpose", states, perm=[1, 0, 2]), before)
        return self.node("GatherND", after, self.length_column, batch_dims=1)

    def pooled(self, sequence: str) -> str:
        """One vector for each review [B, W or 2 W]; zeros for one without a token."""
        turned = self.node("Transpose", self.is_token, perm=[1, 0])
        mask = self.node("Unsqueeze", turned, self.constant([2]))  # [T, B, 1]
        vectors = []
        if self.config.pooling in ("max", "max_mean"):
            tokens = self.hidden(sequence, mask)
            maxima = self.node("ReduceMax", tokens, axes=[0], keepdims=0)
            vectors.append(self.node("Mul", maxima, self.count("Min")))
        if self.config.pooling in ("mean", "max_mean"):
            zero = self.constant(0, np.float32)
            total = self.total(self.node("Where", mask, sequence, zero))
            vectors.append(self.node("Div", total, self.count("Max")))
        if self.config.pooling == "attention":
            mean = self.total(self.node("Mul", self.shares(sequence, mask), sequence))
            vectors.append(self.node("Mul", mean, self.count("Min")))
        return self.joined(vectors)

    def count(self, operator: str) -> str:
        """The lengths [B, 1] as numbers, those above 1 as 1 ("Min") or those of 0 as 1 ("Max")."""
        bounded = self.node(operator, self.length_column, self.constant(1))
        return self.node("Cast", bounded, to=TensorProto.FLOAT)

    def shares(self, sequence: str, mask: str) -> str:
        """How much of a review's attention each token has [T, B, 1]."""
        weight = self.matrix("attention.weight", self.tensors["attention.weight"].T, axis=1)
        scores = self.hidden(self.node("MatMul", sequence, weight), mask)
        return self.node("Softmax", scores, axis=0)

    def hidden(self, values: str, mask: str) -> str:
        """With the lowest number for padding; not -inf, which makes NaN of padding alone."""
        return self.node("Where", mask, values, self.constant(np.finfo(np.float32).min, np.float32))

    def total(self, values: str) -> str:
        """The sum over tokens."""
        return self.node("ReduceSum", values, self.constant([0]), keepdims=0)

    def joined(self, parts: Sequence[str]) -> str:
        """Side by side."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=-1)
