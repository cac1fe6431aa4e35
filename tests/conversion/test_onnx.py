"""The ONNX network against the predictor, for every network that a bundle can be."""

import hashlib
import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from nsmc.conversion.convert import convert
from nsmc.conversion.onnx import onnx_model
from nsmc.runtime.bundle import (
    CONFIG_FILE,
    ONNX_FILE,
    POOLINGS,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
)
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.loading import Bundle
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from tests.bundles import TOKENIZER, VOCAB_SIZE, config_of, random_bundle, random_tensors

TOLERANCE = 1e-5
V = VOCAB_SIZE


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def random_reviews(count: int, longest: int, seed: int = 0) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(0, longest + 1, count)
    return [generator.integers(0, V, length).tolist() for length in lengths]


def answers(
    session: onnxruntime.InferenceSession, reviews: list[list[int]], padding: int = 0, pad: int = 0
) -> np.ndarray:
    """The probabilities of one batch, with extra tokens of padding."""
    lengths = np.array([len(review) for review in reviews], np.int32)
    ids = np.full((len(reviews), int(lengths.max(initial=0)) + padding), pad, np.int64)
    for row, review in zip(ids, reviews, strict=True):
        row[: len(review)] = review
    (found,) = session.run(None, {"token_ids": ids, "lengths": lengths})
    return found


def twins(scale: float = 0.6, **changes: object) -> tuple[Predictor, onnxruntime.InferenceSession]:
    config = config_of(**changes)
    bundle = Bundle(config, random_tensors(config, scale), TOKENIZER)
    model = onnx_model(bundle)
    onnx.checker.check_model(model, full_check=True)
    return Predictor(bundle), session_of(model)


every_network = pytest.mark.parametrize(
    ("cell", "pooling", "num_layers", "bidirectional"),
    list(product(sorted(ENCODERS), POOLINGS, (1, 2), (False, True))),
)


@every_network
def test_its_probabilities_are_the_predictor_s(
    cell: str, pooling: str, num_layers: int, bidirectional: bool
) -> None:
    predictor, session = twins(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    reviews = [[], [5], *random_reviews(2_000, longest=30), [], [7, 7]]
    expected = softmax(predictor.logits(reviews))
    found = answers(session, reviews)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-6)
    assert np.ptp(expected, axis=0).min() > 0.02  # the reviews do differ


def test_the_temperature_is_in_the_graph() -> None:
    confidence = {"temperature": 2.5}
    predictor, session = twins(confidence=confidence)
    reviews = random_reviews(100, longest=30)
    expected = softmax(predictor.logits(reviews) / np.float32(2.5))
    np.testing.assert_allclose(answers(session, reviews), expected, rtol=0, atol=TOLERANCE)


@every_network
def test_padding_changes_nothing_whatever_is_in_it(
    cell: str, pooling: str, num_layers: int, bidirectional: bool
) -> None:
    _, session = twins(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    reviews = [[], *random_reviews(20, longest=12)]
    expected = answers(session, reviews)
    for padding, pad in ((1, 0), (9, V - 1), (3, -100), (3, 2**62)):
        found = answers(session, reviews, padding, pad)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("cell", "pooling"), list(product(sorted(ENCODERS), POOLINGS)))
def test_one_review_alone_gets_the_answer_that_it_gets_among_others(
    cell: str, pooling: str
) -> None:
    predictor, session = twins(architecture=cell, pooling=pooling, bidirectional=True, num_layers=2)
    for review in [[5], [0], *random_reviews(20, longest=64)]:
        if review:
            found = answers(session, [review])
            expected = softmax(predictor.logits([review]))
            np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@every_network
def test_reviews_without_a_token_and_no_review_at_all_are_answered_too(
    cell: str, pooling: str, num_layers: int, bidirectional: bool
) -> None:
    predictor, session = twins(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    for padding in (0, 1, 5):
        found = answers(session, [[], []], padding)
        expected = softmax(predictor.logits([[], []]))
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
        assert answers(session, [], padding).shape == (0, 2)


@every_network
def test_what_is_no_token_s_id_and_lengths_beyond_the_row_are_refused(
    cell: str, pooling: str, num_layers: int, bidirectional: bool
) -> None:
    _, session = twins(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    for token_ids, lengths in (([[5, V]], [2]), ([[5, 6]], [3]), ([[5, 6], [5, 6]], [2, -1])):
        feed = {"token_ids": np.array(token_ids), "lengths": np.array(lengths, np.int32)}
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            session.run(None, feed)


@pytest.mark.parametrize(("cell", "pooling"), list(product(sorted(ENCODERS), POOLINGS)))
def test_wide_weights_that_saturate_the_gates_are_no_trouble(cell: str, pooling: str) -> None:
    predictor, session = twins(scale=5, architecture=cell, pooling=pooling)
    reviews = random_reviews(50, longest=20)
    expected = softmax(predictor.logits(reviews))
    np.testing.assert_allclose(answers(session, reviews), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_folder_is_all_that_a_client_needs(tmp_path: Path, dtype: str) -> None:
    folder = random_bundle(tmp_path / "bundle", dtype=dtype, labels=("별로", "추천"))
    made = convert(folder, "onnx").folder
    before, after = (json.loads((each / CONFIG_FILE).read_text("utf-8")) for each in (folder, made))
    assert after["sha256"] == {
        name: hashlib.sha256((made / name).read_bytes()).hexdigest()
        for name in (ONNX_FILE, TOKENIZER_FILE)
    }
    assert after["dtype"] == "float32"  # whatever the bundle's is
    assert {key for key in after if after[key] != before[key]} <= {"sha256", "dtype"}
    assert {path.name for path in made.iterdir()} == {
        *(ONNX_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, CONFIG_FILE)
    }
    model = onnx.load(str(made / ONNX_FILE))
    assert {each.key: each.value for each in model.metadata_props}["labels"] == "별로\t추천"
    assert after["labels"] == ["별로", "추천"]
    reviews = random_reviews(20, longest=20)
    expected = softmax(Predictor.load(folder).logits(reviews))
    np.testing.assert_allclose(
        answers(session_of(model), reviews), expected, rtol=0, atol=TOLERANCE
    )


def test_the_same_bundle_gives_the_same_file(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", pooling="attention", bidirectional=True)
    first = (convert(folder, "onnx", tmp_path / "a").folder / ONNX_FILE).read_bytes()
    assert (convert(folder, "onnx", tmp_path / "b").folder / ONNX_FILE).read_bytes() == first


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_without_the_library_it_is_said_what_to_install(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = random_bundle(tmp_path / "bundle")
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "nsmc.conversion.onnx")
    with pytest.raises(ValueError, match=r'pip install "\.\[onnx\]"') as caught:
        convert(folder, "onnx")
    assert len(str(caught.value).splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}
    convert(folder, "float16")  # which needs neither
