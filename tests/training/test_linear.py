"""The linear classifier learns, answers in order, and depends on its seed alone."""

import numpy as np
import pytest

from nsmc.training import linear
from nsmc.training.linear import LinearClassifier
from tests.commands import BAD, GOOD

TEXTS = [*GOOD, *BAD] * 4
LABELS = np.tile(np.array([1] * len(GOOD) + [0] * len(BAD), np.int8), 4)


def fitted(seed: int = 0, normalization: str = "nfc") -> LinearClassifier:
    classifier = LinearClassifier(
        ngram_min=1, ngram_max=4, min_count=2, C=8.0, normalization=normalization, seed=seed
    )
    classifier.fit(TEXTS, LABELS)
    return classifier


def test_it_learns_what_n_grams_tell() -> None:
    found = fitted().probabilities(["재밌다 최고", "지루하다 최악"])
    assert found[0] > 0.7 > 0.3 > found[1]


def test_answers_come_in_order_whatever_is_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fitted()
    at_once = classifier.probabilities(TEXTS)
    monkeypatch.setattr(linear, "_CHUNK", 3)
    np.testing.assert_array_equal(classifier.probabilities(TEXTS), at_once)


def test_a_seed_gives_the_same_classifier() -> None:
    np.testing.assert_array_equal(fitted(3).regression.coef_, fitted(3).regression.coef_)


def test_n_grams_go_across_spaces() -> None:
    names = fitted().vectorizer.get_feature_names_out()
    assert any(" " in name.strip() for name in names)


def test_decomposed_text_is_read_letter_by_letter() -> None:
    names = "".join(fitted(normalization="nfd").vectorizer.get_feature_names_out())
    assert "\N{HANGUL CHOSEONG CIEUC}" in names
    assert "재" not in names
    composed, decomposed = (fitted(normalization=form) for form in ("nfc", "nfd"))
    assert decomposed.parameter_count > composed.parameter_count
