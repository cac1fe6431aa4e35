"""A client written from docs/bundle.md alone passes the test vectors of every kind of bundle."""

import json
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import POOLINGS, VECTORS_FILE
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.golden import write_vectors
from nsmc.runtime.loading import read_vocabulary
from nsmc.runtime.locate import PRETRAINED
from tests.bundles import config_of, random_bundle, random_tensors, write_bundle
from tests.hostile import PAIRS

CLIENT = Path(__file__).with_name("plain_client.cjs")
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(not NODE, reason="needs Node")


def assert_passes(folder: Path) -> None:
    done = subprocess.run(
        [str(NODE), str(CLIENT)],
        input=json.dumps({"bundle": str(folder)}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    content = json.loads((folder / VECTORS_FILE).read_text(encoding="utf-8"))
    vectors, answers = content["vectors"] + content["utf16_vectors"], json.loads(done.stdout)
    for vector, answer in zip(vectors, answers, strict=True):
        assert answer["ids"] == vector["ids"], vector
        for key in ("logits", "probabilities"):
            np.testing.assert_allclose(
                answer[key], vector[key], rtol=0, atol=content["tolerance"], err_msg=str(vector)
            )


def test_of_the_package_s_bundle() -> None:
    assert_passes(PRETRAINED)


@pytest.mark.parametrize(
    ("architecture", "pooling", "bidirectional"),
    list(product(sorted(ENCODERS), POOLINGS, (False, True))),
)
def test_of_every_architecture(
    tmp_path: Path, architecture: str, pooling: str, bidirectional: bool
) -> None:
    folder = random_bundle(
        tmp_path / "bundle",
        architecture=architecture,
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=2,
        labels=("a", "b", "c"),
        dtype=("float32", "float16", "int8")[POOLINGS.index(pooling) % 3],
    )
    write_vectors(folder)
    assert_passes(folder)


@pytest.mark.parametrize("normalization", ["none", "nfc", "nfd", "nfkc", "nfkd"])
def test_of_every_normalization_and_a_vocabulary_where_all_shows(
    normalization: str, tmp_path: Path
) -> None:
    trained = train_tokenizer(
        [pair * 2 for pair in PAIRS] * 2,
        vocab_size=4_000,
        min_frequency=2,
        normalization=normalization,
    )
    tokenizer = tmp_path / "tokenizer.json"
    save_tokenizer(trained, tokenizer)
    config = config_of(vocab_size=len(read_vocabulary(tokenizer)), max_length=100)
    write_bundle(tmp_path / "bundle", config, random_tensors(config), tokenizer)
    write_vectors(tmp_path / "bundle")
    assert_passes(tmp_path / "bundle")
