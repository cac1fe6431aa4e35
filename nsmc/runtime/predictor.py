"""Classifies reviews with a bundle: numpy, tokenizers and safetensors, no torch.

Legend: N reviews, C labels.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from nsmc.runtime.compiled import CompiledNetwork
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.locate import PRETRAINED, bundle_folder
from nsmc.runtime.morphemes import check_analyser, morphemes
from nsmc.runtime.network import NumpyNetwork
from nsmc.runtime.packing import Array
from nsmc.runtime.pickling import pickled, rebuilt, restored
from nsmc.runtime.softmax import Logits, Probabilities, exact_softmax
from nsmc.runtime.tokenization import token_ids

if TYPE_CHECKING:
    from nsmc.runtime.explanation import Explanation


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
    size of its bundle, with what a subclass adds. Raises ValueError for a bundle without a
    classifier.
    """

    _of_bundle = frozenset({"_bundle", "config", "tokenizer", "_temperature", "_network"})

    def __init__(self, bundle: Bundle) -> None:
        if not bundle.config.labels:
            raise ValueError(
                "a pretrained encoder classifies nothing: train a classifier that starts from it "
                "(init_from)"
            )
        self.config, self.tokenizer = bundle.config, bundle.tokenizer
        if self.config.morphemes is not None:
            check_analyser(self.config.morphemes)
        self._temperature = self.config.temperature
        self._network: CompiledNetwork | NumpyNetwork
        if self.config.encoder.backend == "compiled":
            self._network = CompiledNetwork(self.config, bundle.arrays)
        else:
            bundle = replace(bundle, arrays=bundle.tensors)  # lest both are kept
            self._network = NumpyNetwork(self.config, bundle.tensors)
        self._bundle = bundle  # what is pickled

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
        added = {name: value for name, value in vars(self).items() if name not in self._of_bundle}
        digest, content = pickled(self._bundle)
        if added:
            return rebuilt, (type(self)._without_own, content), added
        return restored, (type(self)._without_own, digest, content)

    @classmethod
    def _without_own(cls, bundle: Bundle) -> Self:
        """One of a subclass, whatever that is constructed with, before it has what it adds."""
        predictor = cls.__new__(cls)
        Predictor.__init__(predictor, bundle)
        return predictor

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
        logits, labels = self.logits(self.encode(texts)), self.config.labels
        if len(labels) == 2:  # without numpy, for whose calls a program that asks once waits
            first, second = labels
            margins = [(b - a) / self._temperature for a, b in logits.tolist()]
            return [
                Prediction(second if margin > 0 else first, 1 / (1 + math.exp(-abs(margin))))
                for margin in margins
            ]
        probabilities = self._probabilities(logits)
        numbers, highest = logits.argmax(axis=1), probabilities.max(axis=1)
        answers = zip(numbers.tolist(), highest.tolist(), strict=True)
        return [Prediction(labels[number], probability) for number, probability in answers]

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """The probability of each label [N, C], in the order of `config.labels`.

        Raises TypeError as `encode` does.
        """
        return self._probabilities(self.logits(self.encode(texts)))

    def _probabilities(self, logits: Array) -> Probabilities:
        return exact_softmax(self.scaled(logits))

    def scaled(self, logits: Array) -> Logits:
        """The logits [N, C] divided by the temperature: probabilities are the softmax of these."""
        return logits.astype(np.float64) / self._temperature

    def explain(self, text: str) -> "Explanation":
        """What each word of a text adds to its answer; raises TypeError as `encode` does."""
        from nsmc.runtime.explanation import explain  # which few need

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

        Raises ValueError for an id that is not in the vocabulary, TypeError for what is no integer.
        """
        return self._network.logits(token_ids)
