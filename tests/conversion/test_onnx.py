"""The ONNX network against the predictor, for every network that a bundle can be."""

import dataclasses
import hashlib
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from nsmc.conversion.convert import convert
from nsmc.conversion.onnx import onnx_model
from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    ONNX_FILE,
    POOLINGS,
    TOKENIZER_FILE,
    VECTORS_FILE,
    WEIGHTS_FILE,
)
from nsmc.runtime.confidence import measured_confidence
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.int8 import restored, stored
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.locate import PRETRAINED
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


def random_of(scale: float = 0.6, **changes: object) -> Bundle:
    config = config_of(**changes)
    return Bundle(config, random_tensors(config, scale), TOKENIZER)


def twins(scale: float = 0.6, **changes: object) -> tuple[Predictor, onnxruntime.InferenceSession]:
    bundle = random_of(scale, **changes)
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


@every_network
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_onnx_s_own_evaluator_gives_the_same(
    cell: str, pooling: str, num_layers: int, bidirectional: bool, weights: str
) -> None:
    bundle = random_of(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    model = onnx_model(bundle, weights)
    batches: list[list[list[int]]] = [[[], [5], *random_reviews(10, longest=9)], [[]], []]
    for reviews in batches:
        lengths = np.array([len(review) for review in reviews], np.int32)
        ids = np.full((len(reviews), 11), -100)
        for row, review in zip(ids, reviews, strict=True):
            row[: len(review)] = review
        feed = {"token_ids": ids, "lengths": lengths}
        found: Any = ReferenceEvaluator(model).run(None, feed)
        expected = answers(session_of(model), reviews)
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=TOLERANCE)


@every_network
@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_each_node_has_a_name_and_is_needed_as_each_weight_is(
    cell: str, pooling: str, num_layers: int, bidirectional: bool, weights: str
) -> None:
    bundle = random_of(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    graph = onnx_model(bundle, weights).graph
    names = [node.name for node in graph.node]
    assert all(names)
    assert len(names) == len({*names})
    read = {name for node in graph.node for name in node.input} | {"probabilities"}
    assert [node.name for node in graph.node if not read.intersection(node.output)] == []
    assert [each.name for each in graph.initializer if each.name not in read] == []


@every_network
def test_int8_answers_as_an_int8_bundle_does(
    cell: str, pooling: str, num_layers: int, bidirectional: bool
) -> None:
    bundle = random_of(
        architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
    )
    model = onnx_model(bundle, "int8")
    onnx.checker.check_model(model, full_check=True)
    matrices = {each.name for each in model.graph.initializer if each.data_type == each.INT8}
    assert matrices == {name for name, each in bundle.tensors.items() if each.ndim > 1}
    predictor = Predictor(dataclasses.replace(bundle, arrays=restored(stored(bundle.tensors))))
    reviews = [[], [5], *random_reviews(200, longest=30)]
    expected = softmax(predictor.logits(reviews))
    found = answers(session_of(model), reviews)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert np.abs(found - softmax(Predictor(bundle).logits(reviews))).max() > 1e-4


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
    ids = [([[5, each]], [2]) for each in (V, 2**40, -1, -V, -V - 1, -(2**63))]
    for token_ids, lengths in (*ids, ([[5, 6]], [3]), ([[5, 6]], [4]), ([[5, 6], [5, 6]], [2, -1])):
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
    names = {ONNX_FILE, TOKENIZER_FILE, CONFIG_FILE, CARD_FILE, VECTORS_FILE}
    assert {path.name for path in made.iterdir()} >= names
    assert not (made / WEIGHTS_FILE).exists()
    model = onnx.load(str(made / ONNX_FILE))
    assert {each.key: each.value for each in model.metadata_props}["labels"] == "별로\t추천"
    said = {each.name: each.doc_string for each in model.graph.input}
    assert said["token_ids"].endswith(f"ids are from 0 to {V - 1}")
    assert said["lengths"].endswith("from 0")
    assert after["labels"] == ["별로", "추천"]
    reviews = random_reviews(20, longest=20)
    expected = softmax(Predictor.load(folder).logits(reviews))
    np.testing.assert_allclose(
        answers(session_of(model), reviews), expected, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_the_vectors_are_what_onnxruntime_answers(tmp_path: Path, weights: str) -> None:
    confidence = measured_confidence(np.arange(200) % 2, np.eye(2)[np.arange(200) % 2] / 3)
    folder = random_bundle(tmp_path / "bundle", confidence=confidence)
    made = convert(folder, "onnx", weights=weights).folder
    content = json.loads((made / VECTORS_FILE).read_text("utf-8"))
    vectors = content["vectors"]
    ids, expected = [vector["ids"] for vector in vectors], [v["probabilities"] for v in vectors]
    session = session_of(onnx.load(str(made / ONNX_FILE)))
    np.testing.assert_allclose(answers(session, ids), expected, rtol=0, atol=1e-5)
    assert ids == Predictor.load(folder).encode([vector["text"] for vector in vectors])
    assert not any("logits" in vector for vector in vectors)  # which the graph does not give


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_the_card_says_how_to_use_it_and_that_is_right(tmp_path: Path, weights: str) -> None:
    made = convert(PRETRAINED, "onnx", tmp_path / "onnx", weights=weights).folder
    config = json.loads((made / CONFIG_FILE).read_text("utf-8"))
    assert config["dtype"] == weights
    card = (made / CARD_FILE).read_text("utf-8")
    assert f"{read_bundle(PRETRAINED).config.metrics['test/accuracy']:.4f}" in card
    assert "nsmc.safetensors" not in card
    assert "from 0 to 9,999" in card
    assert f"The weights are {weights}, and all is computed in float32" in card
    program = card.split("0 included")[1].split("float32.\n", 1)[1]
    lines = [line[4:] for line in program.splitlines() if line.startswith("    ")]
    text = "정말 재미있게 봤습니다"
    source = "\n".join(lines).replace("FOLDER", str(made)).replace("TEXT", text)
    found: dict[str, Any] = {}
    exec(source, found)
    expected = Predictor.load().probabilities([text])
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=0.01)
    assert found["labels"] == config["labels"]


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
    for name in ("onnx", "onnx_folder"):
        monkeypatch.delitem(sys.modules, f"nsmc.conversion.{name}", raising=False)
    with pytest.raises(ValueError, match=r'pip install "\.\[onnx\]"') as caught:
        convert(folder, "onnx")
    assert len(str(caught.value).splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bundle"}
    convert(folder, "float16")  # which needs neither
