"""Bundles in the hands of other programs: candle, OpenVINO and an old release of tokenizers.

They run in an environment of their own, which NSMC_CLIENTS names; `make clients-test` makes it.
"""

import json
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.conversion.onnx import onnx_model
from nsmc.data.corpus import read_reviews
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import POOLINGS, TOKENIZER_FILE, expected_shapes
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.golden import PROBES
from nsmc.runtime.int8 import restored, stored
from nsmc.runtime.loading import Bundle
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from tests.bundles import TOKENIZER, VOCAB_SIZE, config_of, random_tensors, write_bundle
from tests.given import folder_given

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "nsmc" / "data" / "sample" / "ratings_train.txt"
PYTHON = folder_given("NSMC_CLIENTS") / "bin" / "python"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="NSMC_CLIENTS names no environment")


def ask(program: str, request: object) -> Any:
    finished = subprocess.run(
        [str(PYTHON), str(HERE / program)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Thousands of reviews, alone and with the end of a line as a line-reading program has it."""
    reviews = read_reviews(SAMPLE).texts
    hard = [
        *PROBES,
        "",
        " ",
        "\n",
        "\u3000",
        "<pad>",
        "\ufeff",
        "ㅋ" * 300,
        "\U0001f468\u200d\U0001f469",
    ]
    return [
        *reviews,
        *(f"{text}\n" for text in reviews),
        *(f"  {text}\r\n" for text in hard),
        *hard,
    ]


@pytest.fixture(scope="module", params=["nfc", "nfd"])
def tokenizer_file(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    reviews = read_reviews(SAMPLE).texts
    tokenizer = train_tokenizer(
        reviews, vocab_size=3000, min_frequency=2, normalization=request.param
    )
    save_tokenizer(tokenizer, path)
    return path


def bundle_of(folder: Path, cell: str, tokenizer_file: Path) -> Path:
    config = config_of(
        architecture=cell,
        vocab_size=len(json.loads(tokenizer_file.read_text())["model"]["vocab"]),
        embedding_dim=24,
        hidden_size=32,
        num_layers=1,
        bidirectional=False,
        pooling="last",
        pad_id=0,
        max_length=128,
        labels=("negative", "positive"),
    )
    generator = np.random.default_rng(3)
    tensors = {
        name: generator.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    write_bundle(folder, config, tensors, tokenizer_file, "")
    return folder


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_candle_computes_the_same_logits(
    cell: str, tokenizer_file: Path, texts: list[str], tmp_path: Path
) -> None:
    predictor = Predictor.load(bundle_of(tmp_path / "bundle", cell, tokenizer_file))
    ids = predictor.encode(texts[:200] + texts[-8:])
    found = ask("candle_client.py", {"bundle": str(tmp_path / "bundle"), "ids": ids})
    np.testing.assert_allclose(found, predictor.logits(ids), rtol=0, atol=1e-5)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("cell", sorted(ENCODERS))
def test_openvino_computes_the_same_probabilities_whatever_the_padding(
    cell: str, weights: str, texts: list[str], tmp_path: Path
) -> None:
    requests: list[dict[str, Any]] = []
    expected = []
    for pooling, num_layers, bidirectional in product(POOLINGS, (1, 2), (False, True)):
        config = config_of(
            architecture=cell, pooling=pooling, num_layers=num_layers, bidirectional=bidirectional
        )
        tensors = random_tensors(config)
        model = tmp_path / f"{len(requests)}.onnx"
        network = onnx_model(Bundle(config, tensors, TOKENIZER), weights)
        model.write_bytes(network.SerializeToString())
        computed = tensors if weights == "float32" else restored(stored(tensors))
        predictor = Predictor(Bundle(config, computed, TOKENIZER))
        ids = [*predictor.encode(texts[:126]), [], []]
        batches = [padded(ids[:64]), padded(ids[64:-2]), padded(ids[-2:]), padded([])]
        requests.append({"model": str(model), "batches": batches})
        expected.append(softmax(predictor.logits(ids)))
    for batches, reference in zip(ask("openvino_client.py", requests), expected, strict=True):
        *with_reviews, without = batches
        assert without == []
        np.testing.assert_allclose(np.concatenate(with_reviews), reference, rtol=0, atol=1e-5)


def test_openvino_survives_ids_and_lengths_that_there_are_not(tmp_path: Path) -> None:
    """It refuses neither; what it answers means nothing, but other reviews are answered rightly."""
    ids = [[5, each] for each in (-1, VOCAB_SIZE, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))]
    lengths = (3, 4, 100, 2**31 - 1, -1, -3, -4, -(2**31))
    batches = [
        *({"token_ids": [[5, 6], row], "lengths": [2, 2]} for row in ids),
        *({"token_ids": [[5, 6], [5, 6]], "lengths": [2, length]} for length in lengths),
    ]
    requests: list[dict[str, Any]] = []
    expected = []
    for cell, pooling, bidirectional in product(sorted(ENCODERS), POOLINGS, (False, True)):
        config = config_of(architecture=cell, pooling=pooling, bidirectional=bidirectional)
        bundle = Bundle(config, random_tensors(config), TOKENIZER)
        model = tmp_path / f"{len(requests)}.onnx"
        model.write_bytes(onnx_model(bundle).SerializeToString())
        requests.append({"model": str(model), "batches": batches})
        expected.append(softmax(Predictor(bundle).logits([[5, 6]]))[0])
    for answers, right in zip(ask("openvino_client.py", requests), expected, strict=True):
        for first, _ in answers:
            np.testing.assert_allclose(first, right, rtol=0, atol=1e-5)


def padded(reviews: list[list[int]]) -> dict[str, list[Any]]:
    """A batch of an ONNX network: rows as long as the longest and two more, of what is no id."""
    lengths = [len(ids) for ids in reviews]
    width = max(lengths, default=0) + 2
    return {
        "token_ids": [[*ids, *[-100] * (width - len(ids))] for ids in reviews],
        "lengths": lengths,
    }


def test_the_old_tokenizers_give_the_same_ids(
    tokenizer_file: Path, texts: list[str], tmp_path: Path
) -> None:
    predictor = Predictor.load(bundle_of(tmp_path / "bundle", "gru", tokenizer_file))
    path = tmp_path / "bundle" / TOKENIZER_FILE
    found = ask("tokenizers_client.py", {"tokenizer": str(path), "texts": texts})
    assert found == predictor.encode(texts)
