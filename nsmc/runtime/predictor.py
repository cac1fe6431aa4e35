"""Classifies reviews with a bundle: numpy, tokenizers and safetensors, no torch.

Legend: T tokens of the longest review, B reviews, N tokens of all of them, packed as `packing` has
them, W width of an encoder's states, C labels.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nsmc.runtime.bundle import pooled_width
from nsmc.runtime.explanation import Explanation, explain
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.locate import PRETRAINED, bundle_folder
from nsmc.runtime.morphemes import check_analyser, morphemes
from nsmc.runtime.packing import Array, Packed, pack
from nsmc.runtime.pickling import pickled, restored
from nsmc.runtime.softmax import Probabilities, exact_softmax
from nsmc.runtime.tokenization import token_ids

# Reviews computed together: enough for the matrix product to run well, few enough for the cache.
_BATCH = 128
_BATCH_TOKENS = 1 << 15  # padding included: the longer reviews are, the fewer are computed together


class Prediction(NamedTuple):
    """The likeliest label and its probability, of two labels from 0.5 to 1."""

    label: str
    probability: float

    @property
    def is_unsure(self) -> bool:
        """Whether the probability is below what was asked for; see `UnsurePrediction`."""
        return False


class UnsurePrediction(Prediction):
    """One whose probability is below the `unsure_below` that was asked for."""

    __slots__ = ()

    @property
    def is_unsure(self) -> bool:
        return True


class Predictor:
    """Answers which of a bundle's labels reviews have.

    Thread-safe: a call changes nothing that another one could notice. Can be pickled, in about the
    size of its bundle. Raises ValueError for a bundle without a classifier.
    """

    def __init__(self, bundle: Bundle) -> None:
        if not bundle.config.labels:
            raise ValueError(
                "a pretrained encoder classifies nothing: train a classifier that starts from it "
                "(init_from)"
            )
        self._bundle = bundle  # what is pickled
        self.config, self.tokenizer, tensors = bundle.config, bundle.tokenizer, bundle.tensors
        if self.config.morphemes is not None:
            check_analyser(self.config.morphemes)
        self._temperature = np.float32(self.config.temperature)
        self._encoder = self.config.encoder.encoder(tensors)
        self._attention = tensors.get("attention.weight")  # [1, W]
        self._output_weight = np.ascontiguousarray(tensors["ln1.weight"].T)  # [W, C]
        self._output_bias = tensors["ln1.bias"]

    @classmethod
    def load(cls, folder: str | Path | None = None) -> "Predictor":
        """Read a bundle; without a folder, the one that comes with the package.

        `hf://OWNER/REPO` or `hf://OWNER/REPO@REVISION` is one on a model hub; see `hub_bundle`.
        Raises FileNotFoundError or ValueError, as `read_bundle` does, and for a hub what
        `hub_bundle` raises.
        """
        path = PRETRAINED if folder is None else bundle_folder(Path(folder).expanduser())
        return cls(read_bundle(path))

    def __reduce__(self) -> tuple[object, ...]:
        return restored, (type(self), *pickled(self._bundle))

    def __call__(
        self, texts: Sequence[str], *, unsure_below: float | None = None
    ) -> list[Prediction]:
        """Classify texts, in order. A text without a token gets the answer of the bias alone.

        Answers whose probability is less than `unsure_below` are of the class `UnsurePrediction`.
        Raises TypeError as `encode` does, and ValueError for an `unsure_below` beyond 0 and 1.
        """
        if unsure_below is None:
            return self._answers(texts)
        if not 0 <= unsure_below <= 1:
            raise ValueError(f"unsure_below={unsure_below}: a probability is from 0 to 1")
        return [
            UnsurePrediction(*answer) if answer.probability < unsure_below else answer
            for answer in self._answers(texts)
        ]

    def _answers(self, texts: Sequence[str]) -> list[Prediction]:
        logits, labels = self.scaled(self.logits(self.encode(texts))), self.config.labels
        if len(labels) == 2:  # 30 µs less than below, for which a program that asks once waits
            first, second = labels
            return [
                Prediction(second if margin > 0 else first, 1 / (1 + math.exp(-abs(margin))))
                for margin in (logits[:, 1] - logits[:, 0]).tolist()
            ]
        numbers, probabilities = logits.argmax(axis=1), exact_softmax(logits).max(axis=1)
        answers = zip(numbers.tolist(), probabilities.tolist(), strict=True)
        return [Prediction(labels[number], probability) for number, probability in answers]

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each label [N, C], in the order of `config.labels`.

        Raises TypeError as `encode` does.
        """
        return exact_softmax(self.scaled(self.logits(self.encode(texts))))

    def scaled(self, logits: Array) -> Array:
        """The logits [N, C] divided by the temperature: probabilities are the softmax of these."""
        return logits if self._temperature == 1 else logits / self._temperature

    def explain(self, text: str) -> Explanation:
        """What each word of a text adds to its answer; raises TypeError as `encode` does."""
        return explain(self, text)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, at most `max_length`; what UTF-8 cannot hold is read as "?".

        Raises TypeError for one text alone, which would be read as a list of characters, and for
        anything else that is not a text.
        """
        if isinstance(texts, (str, bytes)) or not hasattr(texts, "__iter__"):
            raise TypeError("a list of texts is needed: predictor([text])")
        texts = list(texts)
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {index} is of type {type(text).__name__}, not a str")
        return self.encode_read(self.read(texts))

    def read(self, texts: list[str]) -> list[str]:
        """What the tokenizer reads of texts: these themselves, or their morphemes."""
        return texts if self.config.morphemes is None else [*morphemes(texts)]

    def encode_read(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of what `read` gave."""
        return token_ids(self.tokenizer, texts, self.config.max_length)

    def logits(self, token_ids: Sequence[Sequence[int]]) -> Array:
        """Logits [N, C] of N reviews given as token ids, none of them longer than `max_length`.

        Raises ValueError for an id that is not in the vocabulary.
        """
        if len(token_ids) == 1:
            return self._logits(pack(token_ids))
        lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        logits = np.empty((len(token_ids), len(self.config.labels)), dtype=np.float32)
        while len(order):
            longest = max(int(lengths[order[0]]), 1)
            rows, order = np.split(order, [min(_BATCH, max(_BATCH_TOKENS // longest, 1))])
            logits[rows] = self._logits(pack([token_ids[row] for row in rows.tolist()]))
        return logits

    def _logits(self, packed: Packed) -> Array:
        """Logits [B, C] of packed reviews."""
        if packed.ids.view(np.uint64).max(initial=0) >= self.config.vocab_size:  # or negative
            raise ValueError(f"token ids are from 0 to {self.config.vocab_size - 1}")
        if self.config.pooling == "last":
            pooled = self._encoder.last(packed)
        else:
            pooled = self._pool(self._encoder.states(packed), packed.is_token())
        # One product for each review: that of many at once may round differently.
        logits: Array = np.matmul(pooled[:, None], self._output_weight)[:, 0]
        return logits + self._output_bias

    def _pool(self, states: Array, is_token: npt.NDArray[np.bool_]) -> Array:
        """One vector for each review of states [N, W]; zeros for a review without a token."""
        pooling, width = self.config.pooling, states.shape[-1]
        if not len(states):
            return np.zeros((is_token.shape[1], pooled_width(pooling, width)), np.float32)
        sequence = np.zeros((*is_token.shape, width), np.float32)  # [T, B, W]
        sequence[is_token] = states
        if pooling == "max":
            return _max(sequence, is_token)
        if pooling in ("mean", "max_mean"):
            means = _mean(sequence, is_token.astype(np.float32))
            if pooling == "mean":
                return means
            return np.concatenate([_max(sequence, is_token), means], axis=-1)
        assert self._attention is not None
        scores = np.where(is_token, sequence @ self._attention[0], -np.inf)
        highest = np.where(is_token.any(axis=0), scores.max(axis=0), 0)
        return _mean(sequence, np.exp(scores - highest))


def _max(sequence: Array, is_token: npt.NDArray[np.bool_]) -> Array:
    """The greatest of each feature [B, W] over the tokens [T, B, W]."""
    has_token = np.expand_dims(is_token.any(axis=0), -1)
    tokens = np.where(is_token[..., None], sequence, -np.inf)
    maxima: Array = np.where(has_token, tokens.max(axis=0), 0)
    return maxima


def _mean(sequence: Array, weights: Array) -> Array:
    """The mean [B, W] of the tokens' states [T, B, W], weighted by `weights` [T, B]."""
    total = np.maximum(weights.sum(axis=0), np.finfo(np.float32).tiny)
    mean: Array = np.einsum("tb,tbw->bw", weights / total, sequence)
    return mean
