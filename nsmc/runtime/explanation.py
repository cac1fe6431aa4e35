"""Why a review gets its answer: how the answer forms while it is read, and what each word adds.

Nothing is assumed of the network: it answers each beginning of the review (the trace), and the
review without each of its words (occlusion). A word is what stands between spaces, tabs and ends
of lines.

Legend: N tokens of a review, C labels.
"""

import math
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from nsmc.runtime.bundle import BundleConfig
from nsmc.runtime.coverage import FloatArray
from nsmc.runtime.packing import Array
from nsmc.runtime.softmax import Logits, Probabilities, exact_softmax
from nsmc.runtime.tokenization import token_ids
from nsmc.runtime.tokenizer import BundleTokenizer

_SPACES = " \n\t\r"


class Explained(Protocol):
    """What is asked of a `Predictor`, which has these."""

    config: BundleConfig
    tokenizer: BundleTokenizer

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def read(self, texts: list[str]) -> list[str]: ...

    def encode_read(self, texts: Sequence[str]) -> list[list[int]]: ...

    def logits(self, token_ids: Sequence[Sequence[int]]) -> Array: ...

    def scaled(self, logits: Array) -> Logits: ...


class Word(NamedTuple):
    """A word as it was read, and the probability of the review's label around it.

    `after` is that of the review up to the end of the word, `without` that of the review that lacks
    it. `weight` is what the word adds to the log-odds of the label: below 0, it speaks against it.
    """

    text: str
    after: float
    without: float
    weight: float


class Explanation(NamedTuple):
    """The answer for a review, and the words that were read of it.

    `trace` has the probability of the label after each token, and `start` that of no text at all;
    `is_whole` is False where the review is longer than what is read.
    """

    label: str
    probability: float
    start: float
    words: tuple[Word, ...]
    trace: tuple[float, ...]
    is_whole: bool

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self._asdict(), "words": [word._asdict() for word in self.words]}

    @classmethod
    def from_json(cls, content: object) -> "Explanation":
        """The explanation of such values, whoever wrote them; ValueError where it is none."""
        match content:
            case {
                "label": str(label),
                "probability": float(probability),
                "start": float(start),
                "words": list(words),
                "trace": list(trace),
                "is_whole": bool(is_whole),
            }:
                read = tuple(map(_word_from_json, words))
                _check_probabilities([probability, start, *trace])
                return cls(label, probability, start, read, tuple(trace), is_whole)
        raise ValueError(f"not an explanation: {repr(content)[:40]}")


def _word_from_json(content: object) -> Word:
    match content:
        case {
            "text": str(text),
            "after": float(after),
            "without": float(without),
            "weight": float(weight),
        } if math.isfinite(weight):
            _check_probabilities([after, without])
            return Word(text, after, without, weight)
    raise ValueError(f"not a word of an explanation: {repr(content)[:40]}")


def _check_probabilities(values: Sequence[object]) -> None:
    for value in values:
        if not (isinstance(value, float) and 0 <= value <= 1):
            raise ValueError(f"not a probability: {repr(value)[:40]}")


def explain(predictor: Explained, text: str) -> Explanation:
    """What each word of the text adds to its answer.

    Raises TypeError for what is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, not {type(text).__name__}")
    longest = predictor.config.max_length
    (ids,) = token_ids(predictor.tokenizer, predictor.read([text]), longest + 1)
    is_whole, ids = len(ids) <= longest, ids[:longest]
    ends = _word_ends(predictor, ids)
    pieces = [predictor.tokenizer.decode(ids[start:end]) for start, end in pairwise([0, *ends])]
    probabilities = _probabilities(predictor, [ids[:end] for end in range(len(ids) + 1)])
    label = int(probabilities[-1].argmax())
    trace = probabilities[:, label].tolist()
    others = ["".join(pieces[:word] + pieces[word + 1 :]) for word in range(len(pieces))]
    without = _probabilities(predictor, predictor.encode_read(others))
    weights = _log_odds(probabilities[-1:], label) - _log_odds(without, label)
    words = [
        Word(_readable(piece), trace[end], *numbers)
        for piece, end, *numbers in zip(
            pieces, ends, without[:, label].tolist(), weights.tolist(), strict=True
        )
    ]
    return Explanation(
        predictor.config.labels[label],
        trace[-1],
        trace[0],
        tuple(words),
        tuple(trace[1:]),
        is_whole,
    )


def _word_ends(predictor: Explained, ids: list[int]) -> list[int]:
    """Where words end, as numbers of tokens: a space begins a word, but for one behind a space."""
    texts = [predictor.tokenizer.decode([token]) for token in ids]
    are_spaces = [not text.strip(_SPACES) for text in texts]
    starts = [
        index
        for index, text in enumerate(texts)
        if index and text[:1] in _SPACES and not are_spaces[index - 1]
    ]
    return [*starts, len(ids)] if ids else []


def _readable(piece: str) -> str:
    """The word in one line, with its letters composed: jamo of their own are hard to read."""
    return unicodedata.normalize("NFC", " ".join(piece.split()))


def _probabilities(predictor: Explained, reviews: list[list[int]]) -> Probabilities:
    """Those of all labels [reviews, C]."""
    if not reviews:
        return np.zeros((0, len(predictor.config.labels)))
    return exact_softmax(predictor.scaled(predictor.logits(reviews)))


def _log_odds(probabilities: Probabilities, label: int) -> FloatArray:
    """Those of a label [reviews]: of the others' sum, as 1 - p would be 0 where p is nearly 1."""
    of_label, of_others = probabilities[:, label], np.delete(probabilities, label, axis=1)
    smallest = np.finfo(np.float64).tiny
    odds: FloatArray = np.log(of_label + smallest) - np.log(of_others.sum(axis=1) + smallest)
    return odds
