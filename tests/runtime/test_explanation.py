"""What words add to an answer, beside the predictor asked by hand."""

import math
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.explanation import explain
from nsmc.runtime.explanation_page import as_page
from nsmc.runtime.explanation_text import LEVELS, as_text, level
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle

# A word with the white space before it: both are left out together.
PIECES = ["이", " 영화", " 정말", "  최고예요", "\n그러나", " good", " \tmovie,", " 별로"]
TEXT, WORDS = "".join(PIECES), [piece.strip() for piece in PIECES]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.load(random_bundle(tmp_path_factory.mktemp("explained") / "bundle", scale=2.0))


@pytest.mark.parametrize(
    ("architecture", "pooling", "bidirectional", "labels"),
    [
        *product(sorted(ENCODERS), ("last", "max_mean"), (False, True), [("no", "yes")]),
        ("gru", "attention", True, ("a", "b", "c")),
    ],
)
def test_each_number_is_what_the_predictor_says_when_asked(
    tmp_path: Path, architecture: str, pooling: str, bidirectional: bool, labels: tuple[str, ...]
) -> None:
    predictor = Predictor.load(
        random_bundle(
            tmp_path / "bundle",
            scale=0.6 if architecture == "cnn" else 2.0,  # whose numbers are larger
            architecture=architecture,
            pooling=pooling,
            bidirectional=bidirectional,
            labels=labels,
        )
    )
    found = predictor.explain(TEXT)
    (answer,) = predictor([TEXT])
    number = labels.index(answer.label)
    assert found.label == answer.label
    assert found.is_whole
    assert [word.text for word in found.words] == WORDS
    (ids,) = predictor.encode([TEXT])
    beginnings = predictor.logits([ids[:end] for end in range(len(ids) + 1)])
    exponentials = np.exp(beginnings.astype(np.float64))
    expected = (exponentials / exponentials.sum(axis=1, keepdims=True))[:, number]
    np.testing.assert_allclose([found.start, *found.trace], expected, atol=1e-6)
    assert found.probability == found.trace[-1] == found.words[-1].after
    for index, word in enumerate(found.words):
        assert word.after in found.trace
        rest = "".join(PIECES[:index] + PIECES[index + 1 :])
        without = predictor.probabilities([rest])[0, number]
        assert word.without == pytest.approx(without, abs=1e-6)
        odds = [math.log(p / (1 - p)) for p in (found.probability, word.without)]
        assert word.weight == pytest.approx(odds[0] - odds[1], abs=1e-4)


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_text_is_explained_and_the_answer_is_the_predictor_s(
    predictor: Predictor, text: str
) -> None:
    found = explain(predictor, text)
    (answer,) = predictor([text])
    assert found.label == answer.label or found.probability == pytest.approx(0.5, abs=1e-5)
    assert found.probability == pytest.approx(answer.probability, abs=1e-5)
    assert len(found.trace) == len(predictor.encode([text])[0])
    assert all(math.isfinite(word.weight) for word in found.words)
    assert "\x1b" not in as_text(found, colour=False)
    Checker().feed(as_page([found]))


def test_no_text_has_no_words_and_a_long_one_says_that_it_goes_on(predictor: Predictor) -> None:
    empty = explain(predictor, "  ")
    assert (empty.words, empty.trace, empty.is_whole) == ((), (), True)
    assert empty.start == empty.probability
    longest = predictor.config.max_length
    for text in ("최고 " * 10 * longest, "가" * 10 * longest):
        found = explain(predictor, text)
        assert not found.is_whole
        assert len(found.trace) == longest
        assert "(not read)" in as_text(found, colour=False)
        assert "(not read)" in as_page([found])
    with pytest.raises(TypeError, match="a text is needed, not list"):
        explain(predictor, ["최고"])  # type: ignore[arg-type]


def test_a_text_of_exactly_as_many_tokens_as_are_read_is_whole(predictor: Predictor) -> None:
    longest = predictor.config.max_length
    text = "a" * longest
    assert len(predictor.encode([text])[0]) == longest
    assert explain(predictor, text).is_whole
    assert not explain(predictor, text + "a").is_whole


def test_colours_say_how_much_a_word_adds(predictor: Predictor) -> None:
    found = explain(predictor, TEXT)
    levels = [level(word, found.words) for word in found.words]
    assert max(map(abs, levels)) == LEVELS
    for word, strength in zip(found.words, levels, strict=True):
        assert strength == 0 or (strength > 0) == (word.weight > 0)
    assert as_text(found, colour=True).count("\x1b[30;48;5;") == sum(map(bool, levels))
    assert as_text(found, colour=False).splitlines()[1].split() == WORDS


class Checker(HTMLParser):
    """Refuses what could run or load anything, and collects the words in the order of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.words = list[str]()
        self._is_word = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "iframe", "link", "object", "a")
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        self._is_word = tag == "span"

    def handle_data(self, data: str) -> None:
        if self._is_word:
            self.words.append(data)
        self._is_word = False


def test_the_page_shows_the_words_and_runs_nothing(predictor: Predictor) -> None:
    hostile = '<script>alert("1")</script> </p> "> \x1b[2J & 최고'
    checker = Checker()
    checker.feed(as_page([explain(predictor, hostile), explain(predictor, TEXT)]))
    expected = [*hostile.replace("\x1b", "\N{REPLACEMENT CHARACTER}").split(), *WORDS]
    assert [word.strip() for word in checker.words] == expected
