"""A bundle's network as ONNX: token ids and lengths in, probabilities out.

The GRU and LSTM are ONNX's own operators, given the sequence lengths, so padding changes nothing.
The specification: https://onnx.ai/onnx/operators/

Legend: B reviews, T tokens, E embedding, H hidden size, D directions, G gates x H, W layer width.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, direction_suffixes
from nsmc.runtime.extras import needs_extra
from nsmc.runtime.loading import Bundle
from nsmc.runtime.recurrence import Array

if TYPE_CHECKING:
    import onnx

ONNX_FILE = "nsmc.onnx"

_OPSET = 17  # of early 2022: read by every runtime in use

# PyTorch's gates are r, z, n and i, f, g, o; ONNX's are z, r, n and i, o, f, g.
_GATES = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}

_BATCH = 256  # reviews that are compared together


def write_onnx(
    bundle: Bundle,
    tokenizer_file: Path,
    output: Path,
    token_ids: Sequence[Sequence[int]],
    compared: Callable[[Array], float],
) -> float:
    """Write a folder with `nsmc.onnx`, `tokenizer.json` and `config.json`, whole or not at all.

    `compared` is given onnxruntime's probabilities for `token_ids` [N, 2] and may refuse them.
    Returns what it returns. Raises ValueError without the libraries.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('--to onnx', 'onnx')}") from None
    model = onnx_model(bundle)
    onnx.checker.check_model(model, full_check=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as parent:
        scratch = Path(parent) / output.name
        scratch.mkdir()
        (scratch / ONNX_FILE).write_bytes(model.SerializeToString())
        shutil.copyfile(tokenizer_file, scratch / TOKENIZER_FILE)
        shutil.copyfile(tokenizer_file.with_name(CONFIG_FILE), scratch / CONFIG_FILE)
        session = onnxruntime.InferenceSession(
            str(scratch / ONNX_FILE), providers=["CPUExecutionProvider"]
        )
        difference = compared(_answers(session, token_ids))
        if output.exists():
            output.rename(Path(parent) / "replaced")
        scratch.rename(output)
    return difference


def _answers(session: "onnxruntime.InferenceSession", token_ids: Sequence[Sequence[int]]) -> Array:  # type: ignore[name-defined]  # noqa: F821
    found = []
    for start in range(0, len(token_ids), _BATCH):
        rows = token_ids[start : start + _BATCH]
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        ids = np.zeros((len(rows), max(1, int(lengths.max()))), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        found.append(session.run(None, {"token_ids": ids, "lengths": lengths})[0])
    return np.concatenate(found)


def onnx_model(bundle: Bundle) -> "onnx.ModelProto":
    """The network: `token_ids` int64 [B, T], `lengths` int32 [B] -> `probabilities` [B, 2]."""
    return _Graph(bundle).model()


class _Graph:
    """Builds the graph node by node; each method returns the name of what it computes."""

    def __init__(self, bundle: Bundle) -> None:
        self.config, self.tensors = bundle.config, bundle.tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def model(self) -> "onnx.ModelProto":
        from onnx import TensorProto, helper

        embedded = self.node(
            "Gather", self.constant("embedding", self.tensors["embedding.weight"]), "token_ids"
        )
        sequence = self.node("Transpose", embedded, perm=[1, 0, 2])  # [T, B, E]
        last = ""
        suffixes = direction_suffixes(self.config.num_layers, self.config.bidirectional)
        for layer, of_layer in enumerate(suffixes):
            sequence, last = self.layer(layer, of_layer, sequence)
        pooled = last if self.config.pooling == "last" else self.pooled(sequence)
        weight, bias = (self.tensors[f"ln1.{name}"] for name in ("weight", "bias"))
        logits = self.node(
            "Gemm",
            pooled,
            self.constant("ln1.weight", weight),
            self.constant("ln1.bias", bias),
            transB=1,
        )
        self.node("Softmax", logits, axis=-1, output="probabilities")
        graph = helper.make_graph(
            self.nodes,
            "nsmc",
            [
                helper.make_tensor_value_info(
                    "token_ids", TensorProto.INT64, ["reviews", "tokens"]
                ),
                helper.make_tensor_value_info("lengths", TensorProto.INT32, ["reviews"]),
            ],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["reviews", 2])],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="nsmc"
        )
        model.ir_version = 8  # that of the opset's time
        helper.set_model_props(model, {"labels": "\t".join(self.config.labels)})
        return model

    def node(
        self, kind: str, *inputs: str, output: str = "", outputs: int = 1, **attributes: Any
    ) -> str:
        from onnx import helper

        names = [output or f"{kind.lower()}_{len(self.nodes)}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]

    def constant(self, name: str, value: object) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def layer(self, layer: int, suffixes: list[str], sequence: str) -> tuple[str, str]:
        """The states [T, B, W] of a layer, and the last of each direction [B, W]."""
        cell, hidden = self.config.cell, self.config.hidden_size

        def stacked(name: str) -> Array:
            """Of both directions, the gates in ONNX's order."""
            weights = [self.tensors[f"{cell}.{name}{suffix}"] for suffix in suffixes]
            gates = [np.split(weight, len(_GATES[cell])) for weight in weights]
            return np.stack([np.concatenate([each[g] for g in _GATES[cell]]) for each in gates])

        bias = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=-1)
        inputs = [
            sequence,
            self.constant(f"W{layer}", stacked("weight_ih")),
            self.constant(f"R{layer}", stacked("weight_hh")),
            self.constant(f"B{layer}", bias),
            "lengths",
        ]
        kind = cell.upper()
        special: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
        direction = "bidirectional" if len(suffixes) == 2 else "forward"
        states = self.node(
            *(kind, *inputs), outputs=2, hidden_size=hidden, direction=direction, **special
        )  # [T, D, B, H]
        last = f"{states[:-1]}1"  # [D, B, H]
        width = hidden * len(suffixes)
        flat = self.constant(f"width{layer}", np.array([0, 0, width]))
        turned = self.node("Transpose", states, perm=[0, 2, 1, 3])  # [T, B, D, H]
        sequence = self.node("Reshape", turned, flat)
        flat = self.constant(f"last_width{layer}", np.array([0, width]))
        last = self.node("Reshape", self.node("Transpose", last, perm=[1, 0, 2]), flat)
        return sequence, last

    def pooled(self, sequence: str) -> str:
        """One vector for each review [B, W or 2 W]; zeros for one without a token."""
        steps = self.node(
            "Squeeze", self.node("Slice", self.node("Shape", sequence), *self.first())
        )
        zero, one = (
            self.constant(name, np.int64(value)) for name, value in (("zero", 0), ("one", 1))
        )
        places = self.node(
            "Unsqueeze", self.node("Range", zero, steps, one), self.axis(1)
        )  # [T, 1]
        lengths = self.node("Cast", "lengths", to=7)  # int64
        mask = self.node("Unsqueeze", self.node("Less", places, lengths), self.axis(2))  # [T, B, 1]
        weights = self.node("Cast", mask, to=1)  # float
        count = self.node("Cast", lengths, to=1)
        some = self.node(
            "Unsqueeze", self.node("Min", count, self.constant("some", np.float32(1))), self.axis(1)
        )
        pooling = self.config.pooling
        if pooling == "attention":
            scores = self.node(
                "MatMul",
                sequence,
                self.constant("attention", self.tensors["attention.weight"].T.copy()),
            )
            lowest = self.constant("lowest", np.float32(np.finfo(np.float32).min))
            shares = self.node("Softmax", self.node("Where", mask, scores, lowest), axis=0)
            return self.node("Mul", self.total(self.node("Mul", shares, sequence)), some)
        found = []
        if pooling in ("max", "max_mean"):
            low = self.constant("low", np.float32(-2))  # states lie in (-1, 1)
            maxima = self.node(
                "ReduceMax", self.node("Where", mask, sequence, low), axes=[0], keepdims=0
            )
            found.append(self.node("Mul", maxima, some))
        if pooling in ("mean", "max_mean"):
            least = self.node("Max", count, self.constant("least", np.float32(1)))
            total = self.total(self.node("Mul", sequence, weights))
            found.append(self.node("Div", total, self.node("Unsqueeze", least, self.axis(1))))
        return found[0] if len(found) == 1 else self.node("Concat", *found, axis=-1)

    def total(self, values: str) -> str:
        """The sum over tokens."""
        return self.node("ReduceSum", values, self.axis(0), keepdims=0)

    def axis(self, number: int) -> str:
        return self.constant(f"axis_{len(self.constants)}", np.array([number]))

    def first(self) -> tuple[str, str]:
        return self.axis(0), self.axis(1)
