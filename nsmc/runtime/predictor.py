"""Classifies reviews with a bundle: numpy, tokenizers and safetensors, no torch.

Legend: V vocabulary, T tokens, B reviews, G gates x hidden size, H hidden size of one direction,
W width of a layer's output (H, or 2H with both directions).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nsmc.runtime.bundle import direction_suffixes, pooled_width
from nsmc.runtime.choosing import BOXED, bundle_folder
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.recurrence import CELLS, Array, Cell, DirectionWeights, project, run

# Reviews computed together: enough for the matrix product to run well, few enough for the cache.
_BATCH = 128


_WORTH_A_TABLE = 2_000  # tokens


class Prediction(NamedTuple):
    """The likelier label and its probability, from 0.5 to 1."""

    label: str
    probability: float


class FirstLayer:
    """Token ids to what they contribute to the first layer's gates, for each direction.

    That is the same for a token wherever it stands, so it is worth a table of all tokens [V, G],
    but not for a program that asks about a review or two: the table takes longer to make, and more
    memory, than such a program's whole answer. It is made when many tokens were asked for.
    """

    def __init__(self, cells: Sequence[Cell], embedding: Array) -> None:
        self.cells = cells
        self.embedding = embedding
        self._tables: list[Array] | None = None
        self._seen = 0

    def __call__(self, ids: npt.NDArray[np.int64]) -> list[Array]:
        """The contributions [..., G] of ids [...]."""
        if self._tables is None:
            self._seen += ids.size
            if self._seen <= _WORTH_A_TABLE:
                embedded = self.embedding[ids]
                return [project(cell, embedded) for cell in self.cells]
            self._tables = [project(cell, self.embedding) for cell in self.cells]
        return [table[ids] for table in self._tables]


class Predictor:
    """Answers whether reviews are positive or negative.

    Thread-safe: a call changes nothing that another one could notice. Raises ValueError for a
    bundle without a classifier.
    """

    def __init__(self, bundle: Bundle) -> None:
        if not bundle.config.labels:
            raise ValueError(
                "a pretrained encoder classifies nothing: train a classifier that starts from it "
                "(init_from)"
            )
        self.config = bundle.config
        self.tokenizer = bundle.tokenizer
        tensors, config = bundle.tensors, bundle.config
        self._layers: list[list[Cell]] = [
            [CELLS[config.cell](_direction(tensors, config.cell, suffix)) for suffix in suffixes]
            for suffixes in direction_suffixes(config.num_layers, config.bidirectional)
        ]
        self._first_layer = FirstLayer(self._layers[0], tensors["embedding.weight"])
        self._attention = tensors.get("attention.weight")  # [1, W]
        self._output_weight = np.ascontiguousarray(tensors["ln1.weight"].T)  # [W, 2]
        self._output_bias = tensors["ln1.bias"]

    @classmethod
    def load(cls, folder: str | Path | None = None) -> "Predictor":
        """Read a bundle; without a folder, the one that comes with the package.

        Raises FileNotFoundError or ValueError, as `read_bundle` does.
        """
        place = BOXED if folder is None else bundle_folder(Path(folder).expanduser())
        return cls(read_bundle(place))

    def __call__(self, texts: Sequence[str]) -> list[Prediction]:
        """Classify texts, in order. A text without a token gets what the bias alone says.

        Raises TypeError for one text alone, which would be taken for a list of letters.
        """
        if isinstance(texts, str):
            raise TypeError("a list of texts is needed: predictor([text])")
        probabilities = softmax(self.logits(self.encode(texts)))
        likelier = probabilities.argmax(axis=1)
        return [
            Prediction(self.config.labels[label], float(row[label]))
            for label, row in zip(likelier.tolist(), probabilities, strict=True)
        ]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, at most `max_length`; what UTF-8 cannot hold is read as "?"."""
        sound = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        if len(sound) == 1:
            encodings = [self.tokenizer.encode(sound[0], add_special_tokens=False)]
        else:
            encodings = self.tokenizer.encode_batch_fast(sound, add_special_tokens=False)
        return [encoding.ids[: self.config.max_length] for encoding in encodings]

    def logits(self, token_ids: Sequence[Sequence[int]]) -> Array:
        """Logits [N, 2] of N reviews given as token ids, none of them longer than `max_length`."""
        with np.errstate(
            over="ignore"
        ):  # exp may reach infinity: that sigmoid is 0, as it should be
            if len(token_ids) == 1:
                return self._logits_of_one(np.array(token_ids[0], dtype=np.int64))[None]
            lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
            order = np.argsort(-lengths, kind="stable")
            logits = np.empty((len(token_ids), len(self.config.labels)), dtype=np.float32)
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                logits[rows] = self._logits_of_batch(
                    [token_ids[row] for row in rows], lengths[rows]
                )
            return logits

    def _logits_of_one(self, ids: npt.NDArray[np.int64]) -> Array:
        projected = self._first_layer(ids)  # [T, G] each
        backward = np.arange(len(ids))[::-1]
        return self._classify(projected, backward, active=None, is_token=None)

    def _logits_of_batch(
        self, token_ids: Sequence[Sequence[int]], lengths: npt.NDArray[np.int64]
    ) -> Array:
        """Logits [B, 2] of reviews that stand in order of length, the longest first."""
        steps = np.arange(lengths[0])[:, None]  # [T, 1]
        is_token = steps < lengths  # [T, B]
        ids = np.full(is_token.shape, self.config.pad_id, dtype=np.int64)
        ids.T[is_token.T] = np.concatenate([np.asarray(row, dtype=np.int64) for row in token_ids])
        # Each review's tokens from its last to its first; the padding stays where it is.
        backward = np.where(is_token, lengths - 1 - steps, steps)  # [T, B]
        active = is_token.sum(axis=1).tolist()
        return self._classify(self._first_layer(ids), backward, active, is_token)

    def _classify(
        self,
        projected: list[Array],
        backward: npt.NDArray[np.int64],
        active: list[int] | None,
        is_token: npt.NDArray[np.bool_] | None,
    ) -> Array:
        """From the first layer's projected inputs, [T, (B,) G] for each direction, to logits."""
        sequence: Array | None = None
        for depth, cells in enumerate(self._layers):
            if sequence is not None:
                projected = [project(cell, sequence) for cell in cells]
            wants_sequence = depth < len(self._layers) - 1 or self.config.pooling != "last"
            states, outputs = [], []
            for cell, inputs, reverse in zip(cells, projected, (False, True), strict=False):
                output = np.zeros((*inputs.shape[:-1], cell.hidden_size), np.float32)
                turned = _turn(inputs, backward) if reverse else inputs
                states.append(run(cell, turned, active, output if wants_sequence else None))
                if wants_sequence:
                    outputs.append(_turn(output, backward) if reverse else output)
            sequence = np.concatenate(outputs, axis=-1) if wants_sequence else None  # [T, (B,) W]
        pooled = np.concatenate(states, axis=-1)  # [(B,) W]
        if sequence is not None:
            pooled = self._pool(sequence, is_token)
        return pooled @ self._output_weight + self._output_bias

    def _pool(self, sequence: Array, is_token: npt.NDArray[np.bool_] | None) -> Array:
        """One vector for each review; zeros for a review without a token."""
        pooling = self.config.pooling
        if not len(sequence):
            *reviews, width = sequence.shape[1:]
            return np.zeros((*reviews, pooled_width(pooling, width)), np.float32)
        mask = np.ones(len(sequence), bool) if is_token is None else is_token  # [T, (B)]
        if pooling == "max":
            return _max(sequence, mask)
        if pooling == "mean":
            return _mean(sequence, mask.astype(np.float32))
        if pooling == "max_mean":
            maxima, means = _max(sequence, mask), _mean(sequence, mask.astype(np.float32))
            return np.concatenate([maxima, means], axis=-1)
        assert self._attention is not None
        scores = np.where(mask, sequence @ self._attention[0], -np.inf)
        highest = np.where(mask.any(axis=0), scores.max(axis=0), 0)
        return _mean(sequence, np.exp(scores - highest))


def _max(sequence: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """The greatest of each feature [(B,) W] over the tokens [T, (B,) W]."""
    has_token = np.expand_dims(mask.any(axis=0), -1)
    maxima: Array = np.where(has_token, np.where(mask[..., None], sequence, -2).max(axis=0), 0)
    return maxima


def _mean(sequence: Array, weights: Array) -> Array:
    """The mean [(B,) W] of the tokens' states [T, (B,) W], weighted by `weights` [T, (B)]."""
    total = np.maximum(weights.sum(axis=0), np.finfo(np.float32).tiny)
    mean: Array = np.einsum("t...,t...w->...w", weights / total, sequence)
    return mean


def softmax(logits: Array) -> Array:
    """Probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _direction(tensors: dict[str, Array], cell: str, suffix: str) -> DirectionWeights:
    return DirectionWeights(
        *(tensors[f"{cell}.{name}{suffix}"] for name in DirectionWeights._fields)
    )


def _turn(sequence: Array, backward: npt.NDArray[np.int64]) -> Array:
    """Each review's steps in reverse order; turning twice gives the sequence again."""
    if backward.ndim == 1:
        return sequence[backward]
    return np.take_along_axis(sequence, backward[..., None], axis=0)
