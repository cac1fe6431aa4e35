"""The linear classifier learns, answers in order, and depends on its seed alone."""

import numpy as np
import pytest

from nsmc.training import linear
from nsmc.training.linear import FloatArray, LinearClassifier
from tests.commands import BAD, GOOD

TEXTS = [*GOOD, *BAD] * 4
LABELS = np.tile(np.array([1] * len(GOOD) + [0] * len(BAD), np.int16), 4)


def fitted(seed: int = 0, normalization: str = "nfc") -> LinearClassifier:
    classifier = LinearClassifier(
        ngram_min=1, ngram_max=4, min_count=2, C=8.0, normalization=normalization, seed=seed
    )
    classifier.fit(TEXTS, LABELS, 2)
    return classifier


def test_it_learns_what_n_grams_tell() -> None:
    found = fitted().probabilities(["재밌다 최고", "지루하다 최악"])
    assert found[0, 1] > 0.7 > 0.3 > found[1, 1]


def test_answers_come_in_order_whatever_is_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = fitted()
    at_once = classifier.probabilities(TEXTS)
    monkeypatch.setattr(linear, "_CHUNK", 3)
    np.testing.assert_array_equal(classifier.probabilities(TEXTS), at_once)


def test_a_seed_gives_the_same_classifier() -> None:
    np.testing.assert_array_equal(*(fitted(3).regressions[0].coef_ for _ in range(2)))


def test_n_grams_go_across_spaces() -> None:
    names = fitted().vectorizer.get_feature_names_out()
    assert any(" " in name.strip() for name in names)


def test_decomposed_text_is_read_letter_by_letter() -> None:
    names = "".join(fitted(normalization="nfd").vectorizer.get_feature_names_out())
    assert "\N{HANGUL CHOSEONG CIEUC}" in names
    assert "재" not in names
    composed, decomposed = (fitted(normalization=form) for form in ("nfc", "nfd"))
    assert decomposed.parameter_count > composed.parameter_count


def test_of_three_labels_each_has_a_probability_and_weights_favour_their_own() -> None:
    texts = [*GOOD, *BAD, *(f"그저 그렇다 {text}" for text in BAD)] * 2
    labels = np.array([2] * 5 + [0] * 5 + [1] * 5 + [2] * 5 + [0] * 5 + [1] * 5, np.int16)

    def answers(weights: list[float] | None) -> FloatArray:
        classifier = LinearClassifier(
            ngram_min=1, ngram_max=4, min_count=2, C=8.0, normalization="nfc", seed=0
        )
        classifier.fit(texts, labels, 3, None if weights is None else np.array(weights))
        assert classifier.parameter_count == 3 * len(classifier.vectorizer.vocabulary_) + 3
        return classifier.probabilities(["재밌다 최고", "지루하다", "그저 그렇다"])

    plain, weighted = answers(None), answers([0.2, 2.6, 0.2])
    np.testing.assert_array_equal(plain.argmax(axis=1), [2, 0, 1])
    np.testing.assert_allclose(plain.sum(axis=1), 1)
    assert (weighted[:, 1] > plain[:, 1]).all()


def test_weights_that_would_not_fit_into_memory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear, "_LARGEST", 1000)
    with pytest.raises(
        ValueError, match=r"n-grams for 2 labels .* raise linear\.min_count or lower"
    ):
        fitted()


def test_words_can_be_the_units() -> None:
    classifier = LinearClassifier(
        ngram_min=1, ngram_max=2, min_count=1, C=8.0, normalization="nfc", seed=0, units="words"
    )
    classifier.fit(["재밌VA 다EF", "지루하VA 다EF !SF"] * 3, np.array([1, 0] * 3, np.int16), 2)
    assert {*classifier.vectorizer.get_feature_names_out()} == {
        *("재밌va", "다ef", "지루하va", "!sf"),
        *("재밌va 다ef", "지루하va 다ef", "다ef !sf"),
    }
