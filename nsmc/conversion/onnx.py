"""A bundle's network as an ONNX graph: token ids and lengths in, probabilities out.

The encoder adds its own part; see `runtime/encoders`. The specification:
https://onnx.ai/onnx/operators/

Legend: B reviews, T tokens, E embedding, W width of an encoder's states, C labels.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from nsmc.runtime.bundle import (
    CONFIG_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    config_json,
    digests,
    write_tokenizer,
)
from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Array

_OPSET = 17  # of early 2022: read by every runtime in use
_BATCH = 256  # reviews that onnxruntime computes together


def fill_onnx(folder: Path, bundle: Bundle, tokenizer_file: Path) -> None:
    """Write `nsmc.onnx`, `tokenizer.json` and `config.json` into an empty folder."""
    model = onnx_model(bundle)
    onnx.checker.check_model(model, full_check=True)
    (folder / ONNX_FILE).write_bytes(model.SerializeToString())
    write_tokenizer(folder, bundle.config, tokenizer_file)
    sha256 = digests(folder, (ONNX_FILE, TOKENIZER_FILE))
    config = dataclasses.replace(bundle.config, dtype="float32", sha256=sha256)
    (folder / CONFIG_FILE).write_text(config_json(config), encoding="utf-8")


def probabilities(folder: Path, token_ids: Sequence[Sequence[int]]) -> Array:
    """Those of reviews [N, C], computed by onnxruntime."""
    session = onnxruntime.InferenceSession(
        str(folder / ONNX_FILE), providers=["CPUExecutionProvider"]
    )
    batches = []
    for start in range(0, len(token_ids), _BATCH):
        reviews = token_ids[start : start + _BATCH]
        lengths = np.array([len(review) for review in reviews], dtype=np.int32)
        ids = np.zeros((len(reviews), int(lengths.max())), dtype=np.int64)
        for row, review in zip(ids, reviews, strict=True):
            row[: len(review)] = review
        batches.append(session.run(None, {"token_ids": ids, "lengths": lengths})[0])
    return np.concatenate(batches)


def onnx_model(bundle: Bundle) -> onnx.ModelProto:
    """The network: `token_ids` int64 [B, T], `lengths` int32 [B] -> `probabilities` [B, C].

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

    def model(self) -> onnx.ModelProto:
        self.inputs()
        embedded = self.node("Gather", self.tensor("embedding.weight"), self.token_ids)
        sequence = self.node("Transpose", embedded, perm=[1, 0, 2])  # [T, B, E]
        if self.config.pooling == "last":
            pooled = self.config.encoder.onnx_last(self, sequence)
        else:
            pooled = self.pooled(self.config.encoder.onnx_states(self, sequence))
        weight, bias = self.tensor("ln1.weight"), self.tensor("ln1.bias")
        logits = self.node("Gemm", pooled, weight, bias, transB=1)
        if self.config.temperature != 1:
            temperature = self.constant(self.config.temperature, np.float32)
            logits = self.node("Div", logits, temperature)
        probabilities = self.node("Softmax", logits, axis=-1)
        zero = self.constant([0])
        self.node("Slice", probabilities, zero, self.reviews, zero, output="probabilities")
        described = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "nsmc",
            [
                described("token_ids", TensorProto.INT64, ["reviews", "tokens"]),
                described("lengths", TensorProto.INT32, ["reviews"]),
            ],
            [described("probabilities", TensorProto.FLOAT, ["reviews", len(self.config.labels)])],
            list(self.constants.values()),
        )
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="nsmc")
        model.ir_version = 8  # that of the opset's time
        helper.set_model_props(model, {"labels": "\t".join(self.config.labels)})
        return model

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, value: object, dtype: type = np.int64) -> str:
        return self.tensor(f"{dtype.__name__}_{value}", np.asarray(value, dtype))

    def tensor(self, name: str, value: Array | None = None) -> str:
        value = np.ascontiguousarray(self.tensors[name] if value is None else value)
        self.constants[name] = numpy_helper.from_array(value, name)
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
        tokens = self.node("Squeeze", self.node("Shape", token_ids, start=1))
        self.lengths = self.possible(
            self.node("Cast", self.int32_lengths, to=TensorProto.INT64), tokens
        )
        self.length_column = self.node("Unsqueeze", self.lengths, self.constant([1]))  # [B, 1]
        positions = self.node("Range", self.constant(0), tokens, self.constant(1))  # [T]
        self.is_token = self.node("Less", positions, self.length_column)  # [B, T]
        self.token_ids = self.node("Where", self.is_token, token_ids, self.constant(0))

    def possible(self, lengths: str, tokens: str) -> str:
        """The lengths; one that is negative or beyond the row is an index that Gather refuses."""
        beyond = self.node("Add", tokens, self.constant(1))
        possible = self.node("Range", self.constant(0), beyond, self.constant(1))  # 0 to T
        is_negative = self.node("Less", lengths, self.constant(0))
        return self.node("Gather", possible, self.node("Where", is_negative, beyond, lengths))

    def is_zero(self, sizes: str) -> str:
        """1 for each size that is 0, else 0."""
        return self.node(
            "Cast", self.node("Equal", sizes, self.constant([0])), to=TensorProto.INT64
        )

    def at_last_token(self, states: str) -> str:
        before = self.constant([0, 1, 0, 0, 0, 0])  # one step of zeros: the state after no token
        after = self.node("Pad", self.node("Transpose", states, perm=[1, 0, 2]), before)
        return self.node("GatherND", after, self.length_column, batch_dims=1)

    def pooled(self, sequence: str) -> str:
        """One vector for each review [B, W or 2 W]; zeros for one without a token."""
        turned = self.node("Transpose", self.is_token, perm=[1, 0])
        mask = self.node("Unsqueeze", turned, self.constant([2]))  # [T, B, 1]
        one = self.constant(1)
        has_token = self.node(
            "Cast", self.node("Min", self.length_column, one), to=TensorProto.FLOAT
        )
        vectors = []
        if self.config.pooling in ("max", "max_mean"):
            tokens = self.hidden(sequence, mask)
            maxima = self.node("ReduceMax", tokens, axes=[0], keepdims=0)
            vectors.append(self.node("Mul", maxima, has_token))
        if self.config.pooling in ("mean", "max_mean"):
            zero = self.constant(0, np.float32)
            total = self.total(self.node("Where", mask, sequence, zero))
            count = self.node(
                "Cast", self.node("Max", self.length_column, one), to=TensorProto.FLOAT
            )
            vectors.append(self.node("Div", total, count))
        if self.config.pooling == "attention":
            mean = self.total(self.node("Mul", self.shares(sequence, mask), sequence))
            vectors.append(self.node("Mul", mean, has_token))
        return self.joined(vectors)

    def shares(self, sequence: str, mask: str) -> str:
        """How much of a review's attention each token has [T, B, 1]."""
        weight = self.tensor("attention.weight", self.tensors["attention.weight"].T)
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
