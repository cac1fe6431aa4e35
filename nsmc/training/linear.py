"""A linear classifier over character n-grams: a teacher that errs where no neural network does.

TF-IDF weights and logistic regression, both scikit-learn's. N-grams go across spaces, so it sees
which words follow each other, and spellings that a tokenizer's vocabulary splits.

Legend: N reviews, C labels.
"""

import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from nsmc.data.corpus import LabelArray

FloatArray = npt.NDArray[np.float64]

_LARGEST = 8 << 30  # bytes of weights
_CHUNK = 50_000  # texts whose n-grams are in memory at the same time


class LinearClassifier:
    """N-grams have `ngram_min` to `ngram_max` units and occur in `min_count` reviews at least.

    Units are words, which stand between spaces, or characters of the Unicode form `normalization`
    (none, nfc, nfd, nfkc or nfkd; decomposed, Hangul is read jamo by jamo). `C` is the inverse of
    the regularization's strength: the greater, the closer to the training labels. Of more than two
    labels, one regression for each tells it from the rest. On 72,000 reviews of three labels a
    multinomial one took eight times as long for the same accuracy.
    """

    def __init__(
        self,
        *,
        ngram_min: int,
        ngram_max: int,
        min_count: int,
        C: float,  # noqa: N803 - its name in scikit-learn
        normalization: str,
        seed: int,
        units: str = "characters",
    ) -> None:
        self.vectorizer = TfidfVectorizer(
            analyzer="char" if units == "characters" else "word",
            token_pattern=None if units == "characters" else r"\S+",
            preprocessor=partial(_prepared, normalization=normalization),
            ngram_range=(ngram_min, ngram_max),
            min_df=min_count,
            sublinear_tf=True,
            dtype=np.float32,
        )
        self.C = C
        self.seed = seed
        self.regressions: list[LogisticRegression] = []  # of two labels, that of the second

    def fit(
        self,
        texts: Sequence[str],
        labels: LabelArray,
        label_count: int,
        class_weights: FloatArray | None = None,
    ) -> None:
        """Weights [C] are those of each label's reviews.

        Raises ValueError where no n-gram occurs often enough, or so many do that their weights for
        all labels would not fit into memory.
        """
        grams = self.vectorizer.fit_transform(texts)
        size = label_count * grams.shape[1] * np.dtype(np.float64).itemsize
        if size > _LARGEST:
            raise ValueError(
                f"the weights of {grams.shape[1]:,} n-grams for {label_count:,} labels would take "
                f"{size >> 30} GB of memory; raise linear.min_count or lower linear.ngram_max"
            )
        weights = None if class_weights is None else class_weights[labels]
        for label in range(1 if label_count == 2 else 0, label_count):
            # There are more n-grams than reviews: liblinear's dual form converges in a few passes.
            regression = LogisticRegression(
                C=self.C, solver="liblinear", dual=True, max_iter=1000, random_state=self.seed
            )
            self.regressions.append(regression.fit(grams, labels == label, weights))

    def probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Of the labels [N, C]."""
        chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        return np.concatenate([self._probabilities(chunk) for chunk in chunks])

    def _probabilities(self, texts: Sequence[str]) -> FloatArray:
        grams = self.vectorizer.transform(texts)
        answers = [regression.predict_proba(grams) for regression in self.regressions]
        if len(answers) == 1:
            return np.asarray(answers[0])
        against_rest = np.stack([answer[:, 1] for answer in answers], axis=1)
        return np.asarray(against_rest / against_rest.sum(axis=1, keepdims=True))

    @property
    def parameter_count(self) -> int:
        return sum(it.coef_.size + it.intercept_.size for it in self.regressions)


def _prepared(text: str, normalization: str) -> str:
    form: Any = normalization.upper()
    return text.lower() if form == "NONE" else unicodedata.normalize(form, text.lower())
