"""The predictor against the torch classifier, and its answers to whatever it is given."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime import compiled
from nsmc.runtime.bundle import POOLINGS, expected_shapes
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.loading import Bundle
from nsmc.runtime.network import NumpyNetwork
from nsmc.runtime.packing import Array, Packed
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import exact_softmax, softmax
from nsmc.training.classifier import TextClassifier
from nsmc.training.padding import pad
from tests.bundles import TOKENIZER, VOCAB_SIZE, classifier_like, config_of, write_bundle

pytestmark = pytest.mark.usefixtures("each_kernel")

TEXTS = ["이 영화 정말 최고예요", "정말 별로 재미없는 영화", "good movie, 10 points!"]
V = VOCAB_SIZE
TOLERANCE = 1e-5

every_network = pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional", "num_layers"),
    list(product(sorted(ENCODERS), POOLINGS, (False, True), (1, 2))),
)
every_form = pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"), list(product(sorted(ENCODERS), POOLINGS, (False, True)))
)


def twins(scale: float = 0.6, **changes: object) -> tuple[Predictor, TextClassifier]:
    """A predictor and the torch classifier with the same random weights, normal and this wide."""
    config = config_of(**changes)
    torch.manual_seed(0)
    classifier = classifier_like(config).eval()
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_(0, scale)
    return Predictor(Bundle(config, classifier.bundle_tensors(), TOKENIZER)), classifier


def predictor_of(**changes: object) -> Predictor:
    return twins(**changes)[0]  # type: ignore[arg-type]


PREDICTOR = predictor_of()


def torch_logits(classifier: TextClassifier, reviews: Sequence[list[int]]) -> Array:
    with torch.inference_mode():
        return classifier(*pad(list(reviews))).numpy()


def random_reviews(count: int, longest: int, seed: int = 0) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, longest + 1, count)
    return [generator.integers(0, V, length).tolist() for length in lengths]


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


# --- equality with the classifier ---


@every_network
def test_logits_equal_the_torch_classifier_s_alone_and_in_a_batch(
    cell: str, pooling: str, bidirectional: bool, num_layers: int
) -> None:
    predictor, classifier = twins(
        architecture=cell, pooling=pooling, bidirectional=bidirectional, num_layers=num_layers
    )
    reviews = [[], [5], *random_reviews(12, longest=30), [], [7, 7]]
    expected = torch_logits(classifier, reviews)
    logits = predictor.logits(reviews)
    assert logits.dtype == np.float32
    close(logits, expected)
    close(np.concatenate([predictor.logits([review]) for review in reviews]), expected)
    assert np.ptp(expected, axis=0).min() > 0.1  # the reviews do differ


@every_form
def test_reviews_without_a_token_get_the_bias(cell: str, pooling: str, bidirectional: bool) -> None:
    predictor, classifier = twins(
        architecture=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2
    )
    bias = classifier.ln1.bias.detach().numpy()
    close(predictor.logits([[]]), bias[None])
    close(predictor.logits([[], [], []]), np.tile(bias, (3, 1)))


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"), list(product(("gru", "lstm"), POOLINGS, (False, True)))
)
def test_saturated_gates_give_no_warning_and_the_classifier_s_logits(
    cell: str, pooling: str, bidirectional: bool
) -> None:
    # Pre-activations in the thousands: exp overflows in float32. Warnings are errors in this suite.
    # Attention scores in the hundreds turn a rounding error of the last digit into 1e-4 of a share.
    tolerance = 40 * 1e-3
    predictor, classifier = twins(
        scale=40, architecture=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2
    )
    reviews = [[], [5], *random_reviews(6, longest=12)]
    expected = torch_logits(classifier, reviews)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(predictor.logits(reviews), expected, rtol=0, atol=tolerance)
    alone = [predictor.logits([review])[0] for review in reviews]
    np.testing.assert_allclose(alone, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_more_reviews_than_one_internal_batch_keep_their_order(pooling: str) -> None:
    predictor, classifier = twins(pooling=pooling, bidirectional=True)
    reviews = random_reviews(300, longest=20)  # two internal batches and a rest
    close(predictor.logits(reviews), torch_logits(classifier, reviews))


def test_answers_stand_in_the_order_of_the_texts() -> None:
    predictor = PREDICTOR
    texts = [f"{'영화 ' * (i % 7)}{i}" for i in range(300)]
    for text, answer in zip(texts, predictor(texts), strict=True):
        alone = predictor([text])[0]
        assert answer.label == alone.label
        assert answer.probability == pytest.approx(alone.probability, abs=TOLERANCE)


def test_no_text_gets_no_answer() -> None:
    assert PREDICTOR([]) == []
    assert PREDICTOR.logits([]).shape == (0, 2)


# --- what the answers mean ---


def test_probabilities_are_the_softmax_of_the_logits_and_the_label_is_the_likelier() -> None:
    predictor = predictor_of(labels=("bad", "good"), bidirectional=True)
    texts = [*"가나다라마바사아자차카타파하", "", "good movie", "정말 최고"]
    logits = predictor.logits(predictor.encode(texts)).astype(np.float64)
    odds = np.exp(logits[:, 1] - logits[:, 0])
    expected = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    for row, answer in zip(expected, predictor(texts), strict=True):
        assert answer.label == ("bad", "good")[int(row.argmax())]
        assert answer.probability == pytest.approx(row.max(), abs=1e-6)
        assert 0.5 <= answer.probability <= 1
    assert {answer.label for answer in predictor(texts)} == {"bad", "good"}


@pytest.mark.parametrize("count", [2, 3, 10, 1_000])
def test_with_any_number_of_labels_the_answer_is_the_likeliest(count: int) -> None:
    labels = tuple(f"별 {number}" for number in range(count))
    predictor = predictor_of(labels=labels, bidirectional=True)
    texts = [*"가나다라마바사아자차카타파하", "", "good movie", "정말 최고"]
    logits = predictor.logits(predictor.encode(texts)).astype(np.float64)
    probabilities = predictor.probabilities(texts)
    assert probabilities.shape == (len(texts), count)
    assert probabilities.dtype == np.float64
    odds = np.exp(logits)
    np.testing.assert_allclose(probabilities, odds / odds.sum(axis=1, keepdims=True), rtol=1e-6)
    answers = predictor(texts)
    likeliest = [labels[number] for number in probabilities.argmax(axis=1).tolist()]
    assert [answer.label for answer in answers] == likeliest
    found = [answer.probability for answer in answers]
    np.testing.assert_allclose(found, probabilities.max(axis=1), rtol=1e-12)
    assert len(set(likeliest)) > 1
    assert predictor.probabilities([]).shape == (0, count)


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")])
def test_of_labels_that_are_as_likely_the_first_is_the_answer(labels: tuple[str, ...]) -> None:
    config = config_of(labels=labels)
    tensors = {name: np.zeros(shape, np.float32) for name, shape in expected_shapes(config).items()}
    predictor = Predictor(Bundle(config, tensors, TOKENIZER))
    (answer,) = predictor(["최고"])
    assert answer.label == "a"
    assert answer.probability == pytest.approx(1 / len(labels))


def test_softmax_of_a_hand_worked_case_and_of_numbers_that_would_overflow() -> None:
    close(softmax(np.array([[0.0, np.log(3)]], np.float32)), [[0.25, 0.75]])
    close(softmax(np.array([[1e4, -1e4], [-3e38, -3e38]], np.float32)), [[1, 0], [0.5, 0.5]])
    (sure,) = exact_softmax(np.array([[40, 0, 0]], np.float32))
    np.testing.assert_allclose(sure[1:], np.exp(-40.0), rtol=1e-12)


def test_an_encoder_s_bundle_is_refused_and_the_message_says_what_it_is_for() -> None:
    config = config_of(labels=())
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(0, 1, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    with pytest.raises(ValueError, match=r"classifies nothing: train a classifier .*init_from"):
        Predictor(Bundle(config, tensors, TOKENIZER))


# --- texts ---


def test_a_long_review_is_cut_at_max_length_and_not_read_further() -> None:
    whole, cut = predictor_of(max_length=10_000), predictor_of(max_length=5)
    text, other = "정말 재미있는 영화, 또 보고 싶다", "정말 재미있는 영화가 아니다. 그만"
    ids = whole.encode([text])[0]
    assert len(ids) > 5
    assert cut.encode([text]) == [ids[:5]]
    assert cut.encode([text, "a"]) == [ids[:5], *whole.encode(["a"])]
    assert cut.encode([other]) == [ids[:5]]  # they part only later
    assert cut([text]) == cut([other])
    assert whole([text]) != whole([other])
    close(cut.logits(cut.encode([text])), whole.logits([ids[:5]]))


STRANGE_TEXTS = {
    "empty": "",
    "white space": " \t\r\n\u3000\u00a0",
    "emoji": "👍🏽👨‍👩‍👧‍👦 최고 🎬",
    "NUL": "영화\x00최고",
    "only NUL": "\x00",
    "control characters": "".join(map(chr, range(32))),
    "lone surrogate": "최고\ud83d",
    "only a surrogate": "\udcff",
    "decomposed": "한글",
    "right to left": "فيلم جيد جدا",
    "noncharacter": "\uffff\U0010ffff",
    "pad token": "<pad> <pad>",
    "one megabyte in one word": "가" * 350_000,
    "one megabyte of words": "영화 최고 " * 70_000,
}


@pytest.mark.parametrize("name", STRANGE_TEXTS)
def test_every_text_gets_an_answer_the_same_alone_and_in_a_batch(name: str) -> None:
    predictor = predictor_of(bidirectional=True, pooling="attention")
    text = STRANGE_TEXTS[name]
    alone = predictor([text])[0]
    assert alone.label in ("negative", "positive")
    assert 0.5 <= alone.probability <= 1
    batched = predictor(["영화", text, "정말 최고예요"])[1]
    assert batched.label == alone.label
    assert batched.probability == pytest.approx(alone.probability, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("texts", "index", "kind"),
    [
        *(([None], 0, "NoneType"), (["최고", float("nan")], 1, "float"), ([b"good"], 0, "bytes")),
        *((("a", "b", 7), 2, "int"), ([["최고"]], 0, "list"), ({1: "최고"}, 0, "int")),
    ],
)
def test_what_is_no_text_is_said_with_its_index_and_type(texts: Any, index: int, kind: str) -> None:
    for ask in (PREDICTOR, PREDICTOR.encode):
        with pytest.raises(TypeError, match=f"^text {index} is of type {kind}, not a str$"):
            ask(texts)


@pytest.mark.parametrize("texts", ["최고", b"good", None, 7])
def test_what_is_no_list_of_texts_is_refused(texts: Any) -> None:
    for ask in (PREDICTOR, PREDICTOR.encode, PREDICTOR.probabilities):
        with pytest.raises(TypeError, match="a list of texts is needed"):
            ask(texts)


def test_texts_may_come_from_a_generator() -> None:
    assert PREDICTOR(text for text in TEXTS) == PREDICTOR(TEXTS)  # type: ignore[arg-type]


def test_what_utf_8_cannot_hold_is_read_as_a_question_mark() -> None:
    assert PREDICTOR.encode(["최고\ud83d"]) == PREDICTOR.encode(["최고?"])
    assert PREDICTOR.encode(["최고\ud83d", "a"]) == PREDICTOR.encode(["최고?", "a"])


def test_no_text_is_read_as_padding() -> None:
    for text in ("<pad>", "a<pad>b", "<pad><pad>", " <pad> "):
        assert 0 not in PREDICTOR.encode([text])[0]


@settings(deadline=None, max_examples=100)
@given(text=st.text(), before=st.sampled_from(["", " ", "\t", "\u3000"]))
def test_white_space_around_a_review_changes_nothing(text: str, before: str) -> None:
    ids = PREDICTOR.encode([text])
    for after in ("\n", "\r\n", " \n\n"):
        assert PREDICTOR.encode([before + text + after]) == ids
    assert PREDICTOR.encode([text + "\n", text]) == ids * 2


# --- as a library ---


def modules_after(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh Python has loaded after running the code."""
    code += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.split())


def test_classifying_loads_no_training_framework(tmp_path: Path, tokenizer_file: Path) -> None:
    _, classifier = twins()
    tensors = classifier.bundle_tensors()
    write_bundle(tmp_path / "bundle", config_of(), tensors, tokenizer_file, card="")
    loaded = modules_after(
        "import sys, nsmc.cli, nsmc.runtime.predictor\n"
        "assert nsmc.cli.main(['predict', sys.argv[1], '정말 최고예요']) == 0",
        str(tmp_path / "bundle"),
    )
    assert loaded.isdisjoint(
        {"torch", "pandas", "pytorch_lightning", "hydra", "omegaconf", "matplotlib", "pydantic"}
    )
    assert "tokenizers" in loaded  # it did classify


def test_one_answer_of_the_command_loads_nothing_that_it_does_not_need() -> None:
    loaded = modules_after(
        "import sys; before = {*sys.modules}\n"
        "import gc, nsmc.cli\n"
        "assert nsmc.cli.main(['predict', 'pretrained', '정말 최고예요']) == 0 and gc.isenabled()\n"
        "for name in before: sys.modules.pop(name, None)\n"
        "sys.modules['sys'] = sys"
    )
    assert "tokenizers" in loaded
    assert loaded.isdisjoint({"shutil", "bz2", "lzma", "gzip", "heapq", "difflib"})
    assert loaded.isdisjoint(
        {"nsmc.runtime.explanation", "nsmc.runtime.hub", "nsmc.reading.gzipped"}
    )


def test_the_command_loads_numpy_only_when_it_classifies() -> None:
    assert modules_after("import nsmc.cli").isdisjoint({"numpy", "tokenizers", "safetensors"})


def test_without_the_compiled_network_the_package_answers_the_same() -> None:
    code = (
        "import sys\n{}sys.modules['nsmc.runtime._kernel'] = None\n"
        "from nsmc import Predictor; from nsmc.runtime.compiled import HAS_KERNEL\n"
        "print(HAS_KERNEL, *Predictor.load().logits([[5, 6, 7], [], [8]]).ravel())"
    )
    found = []
    for comment in ("", "#"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(comment)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found.append(done.stdout.split())
    assert found[0][0] == "False"
    logits = [[float(value) for value in values] for _, *values in found]
    np.testing.assert_allclose(logits[0], logits[1], rtol=0, atol=1e-6)


@every_form
def test_ids_that_are_not_in_the_vocabulary_are_refused(
    cell: str, pooling: str, bidirectional: bool
) -> None:
    predictor = predictor_of(architecture=cell, pooling=pooling, bidirectional=bidirectional)
    size = predictor.config.vocab_size
    for wrong in (-1, size, 2**40, -(2**63), 2**63, -(2**80)):
        for reviews in ([[wrong]], [[5], [], [5, wrong, 5]]):
            with pytest.raises(ValueError, match=f"from 0 to {size - 1}"):
                predictor.logits(reviews)


@pytest.mark.parametrize("architecture", ["gru", "cnn"])
def test_ids_that_are_no_integers_are_refused(architecture: str) -> None:
    predictor = predictor_of(architecture=architecture)  # the CNN is numpy's with any kernel
    wrongs: list[Any] = [[1.5], [1.0], [1, 2.5], ["1"], [None], [[1]], [float("nan")]]
    wrongs += np.array([1.5]), np.array([1.0]), np.array([1, 2.0], object), np.zeros((1, 1))
    reviews: Any
    for wrong in wrongs:
        for reviews in ([wrong], [[5], [], wrong], np.array([[1.5, 2], [1, 2]])):
            with pytest.raises(TypeError, match="integer"):
                predictor.logits(reviews)
    expected = predictor.logits([[1, 2], [3]])
    for dtype in (np.uint8, np.int32, np.int64, np.uint64, object):
        reviews = [np.array([1, 2], dtype), [np.int64(3)]]
        np.testing.assert_array_equal(predictor.logits(reviews), expected)
        np.testing.assert_array_equal(predictor.logits(reviews[:1]), expected[:1])


# --- the tables of tokens ---


def has_table(predictor: Predictor) -> bool:
    return predictor._network.has_tables


@every_form
def test_answers_before_and_after_the_table_is_made_are_the_same(
    cell: str, pooling: str, bidirectional: bool
) -> None:
    predictor = predictor_of(architecture=cell, pooling=pooling, bidirectional=bidirectional)
    reviews = [[], [5], *random_reviews(10, longest=20)]
    before = predictor.logits(reviews)
    alone = predictor.logits([reviews[-1]])
    assert not has_table(predictor)
    predictor.logits(random_reviews(300, longest=30))
    assert has_table(predictor)
    np.testing.assert_array_equal(predictor.logits(reviews), before)
    np.testing.assert_array_equal(predictor.logits([reviews[-1]]), alone)


@pytest.mark.parametrize(("cell", "pooling"), [("gru", "last"), ("lstm", "last"), ("cnn", "max")])
def test_logits_are_the_same_to_the_bit_alone_in_any_batch_and_whatever_was_asked_before(
    cell: str, pooling: str
) -> None:
    network = {"architecture": cell, "pooling": pooling, "filter_widths": [1, 2, 4]}
    predictor = predictor_of(**network)
    reviews = random_reviews(2_000, longest=20)
    first = np.concatenate([predictor_of(**network).logits([review]) for review in reviews[:50]])
    together = predictor.logits(reviews)
    np.testing.assert_array_equal(together[:50], first)
    alone = np.concatenate([predictor.logits([review]) for review in reviews])
    np.testing.assert_array_equal(together, alone)
    order = np.random.default_rng(0).permutation(len(reviews))
    np.testing.assert_array_equal(predictor.logits([reviews[i] for i in order]), together[order])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_of_long_reviews_few_are_computed_together(
    pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []
    computed = NumpyNetwork._logits

    def spy(self: NumpyNetwork, packed: Packed) -> Array:
        shapes.append((len(packed.active), len(packed.lengths)))
        return computed(self, packed)

    monkeypatch.setattr(compiled, "HAS_KERNEL", False)
    predictor = predictor_of(pooling=pooling)
    reviews = [[5] * length for length in (40_000, 20_000, 20_000, *[100] * 400, 1, 0)]
    expected = np.concatenate([predictor.logits([review]) for review in reviews])
    monkeypatch.setattr(NumpyNetwork, "_logits", spy)
    np.testing.assert_allclose(predictor.logits(reviews), expected, rtol=0, atol=1e-5)
    assert all(steps * count <= 1 << 15 or count == 1 for steps, count in shapes)
    assert sum(count for _, count in shapes) == len(reviews)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_threads_that_ask_at_once_get_the_answers_that_one_gets(cell: str) -> None:
    network = {"architecture": cell, "bidirectional": True, "pooling": "attention"}
    work = [[f"{'영화 최고 ' * (row % 5)}{worker}" for row in range(40)] for worker in range(8)]
    expected = [predictor_of(**network)(texts) for texts in work]
    for _ in range(5):  # each time while the tables are made
        predictor, start = predictor_of(**network), Barrier(8)

        def answer_often(
            worker: int, predictor: Predictor = predictor, start: Barrier = start
        ) -> bool:
            start.wait(timeout=30)
            return all(predictor(work[worker]) == expected[worker] for _ in range(12))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(answer_often, range(8)))
        assert has_table(predictor)


# --- the package ---


def test_the_package_alone_imports_no_numpy_and_the_predictor_comes_when_asked_for() -> None:
    heavy = {"numpy", "tokenizers", "safetensors", "torch"}
    assert modules_after("import nsmc; assert nsmc.__version__").isdisjoint(heavy)
    code = (
        "from nsmc import Prediction, Predictor\n"
        "import nsmc.runtime.predictor as place\n"
        "assert (Prediction, Predictor) == (place.Prediction, place.Predictor)"
    )
    assert {"numpy", "tokenizers"} <= modules_after(code)
    assert "torch" not in modules_after(code)


def test_the_package_has_nothing_that_it_does_not_say() -> None:
    import nsmc

    with pytest.raises(AttributeError, match="no attribute 'Predictr'"):
        nsmc.Predictr  # noqa: B018
