"""A linear classifier over character n-grams: a teacher that errs where no neural network does.

TF-IDF weights and logistic regression, both scikit-learn's. N-grams go across spaces, so it sees
which words follow each other, and spellings that a tokenizer's vocabulary splits.

Legend: N reviews.
"""

import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

FloatArray = npt.NDArray[np.float64]

_CHUNK = 50_000  # texts whose n-grams are in memory at the same time


class LinearClassifier:
    """N-grams have `ngram_min` to `ngram_max` characters of the Unicode form `normalization` (none,
    nfc, nfd, nfkc or nfkd; decomposed, Hangul is read jamo by jamo) and occur in `min_count`
    reviews at least. `C` is the inverse of the regularization's strength: the greater, the closer
    to the training labels.
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
    ) -> None:
        self.vectorizer = TfidfVectorizer(
            analyzer="char",
            preprocessor=partial(_prepared, normalization=normalization),
            ngram_range=(ngram_min, ngram_max),
            min_df=min_count,
            sublinear_tf=True,
            dtype=np.float32,
        )
        # There are more n-grams than reviews, so liblinear's dual form converges in a few passes.
        self.regression = LogisticRegression(
            C=C, solver="liblinear", dual=True, max_iter=1000, random_state=seed
        )

    def fit(self, texts: Sequence[str], labels: npt.NDArray[np.int16]) -> None:
        """Raises ValueError where no n-gram occurs often enough."""
        self.regression.fit(self.vectorizer.fit_transform(texts), labels)

    def probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Of the label 1 [N]."""
        chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
        answers = [self.regression.predict_proba(self.vectorizer.transform(c)) for c in chunks]
        return np.concatenate(answers)[:, 1]

    @property
    def parameter_count(self) -> int:
        return int(self.regression.coef_.size + self.regression.intercept_.size)


def _prepared(text: str, normalization: str) -> str:
    form: Any = normalization.upper()
    return text.lower() if form == "NONE" else unicodedata.normalize(form, text.lower())
