"""transformers and transformers.js load a bundle's folder, and make the ids of its test vectors."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nsmc.conversion.convert import sample_texts
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import VECTORS_FILE
from nsmc.runtime.golden import write_vectors
from nsmc.runtime.loading import read_vocabulary
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.bundles import config_of, random_tensors, write_bundle
from tests.given import folder_given

HERE = Path(__file__).parent
CLIENTS = folder_given("NSMC_CLIENTS")
LIBRARY, NODE = CLIENTS / "transformers", CLIENTS / "node" / "node_modules"

needs_node = pytest.mark.skipif(
    not NODE.exists(), reason="NSMC_CLIENTS has no node_modules: it was made without npm"
)
needs_transformers = pytest.mark.skipif(
    not LIBRARY.exists(), reason="NSMC_CLIENTS has no transformers"
)


@pytest.fixture(scope="module", params=["package's", "nfkc", "none"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    if request.param == "package's":
        shutil.copytree(PRETRAINED, folder)
        return folder
    trained = train_tokenizer(
        sample_texts(), vocab_size=900, min_frequency=2, normalization=request.param
    )
    tokenizer = folder.with_name("tokenizer.json")
    save_tokenizer(trained, tokenizer)
    config = config_of(vocab_size=len(read_vocabulary(tokenizer)), max_length=30)
    write_bundle(folder, config, random_tensors(config), tokenizer)
    write_vectors(folder)
    return folder


def vectors_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / VECTORS_FILE).read_text("utf-8"))["vectors"]
    return found


def ask(command: Sequence[str], request: object, folder: Path, **environment: str) -> Any:
    done = subprocess.run(
        [*command],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_transformers
def test_transformers_makes_the_ids_of_all_vectors(bundle: Path, tmp_path: Path) -> None:
    vectors, reviews = vectors_of(bundle), sample_texts()
    expected = [each["ids"] for each in vectors] + Predictor.load(bundle).encode(reviews)
    request = {"bundle": str(bundle), "texts": [*(each["text"] for each in vectors), *reviews]}
    python = [str(CLIENTS / "bin" / "python"), str(HERE / "transformers_client.py")]
    found = ask(python, request, tmp_path, PYTHONPATH=str(LIBRARY))
    assert found["ids"] == expected
    assert found["lengths"] == [len(ids) for ids in expected]
    longest = max(found["lengths"])
    assert found["padded"] == [ids + [0] * (longest - len(ids)) for ids in expected]


@needs_node
def test_transformers_js_makes_them_but_for_what_javascript_calls_white_space(
    bundle: Path, tmp_path: Path
) -> None:
    vectors, reviews = vectors_of(bundle), sample_texts()
    texts = [*(each["text"] for each in vectors), *reviews]
    (tmp_path / "client.mjs").write_text((HERE / "transformers_client.mjs").read_text("utf-8"))
    (tmp_path / "node_modules").symlink_to(NODE)
    found = ask(["node", "client.mjs"], {"bundle": str(bundle), "texts": texts}, tmp_path)
    assert found[len(vectors) :] == Predictor.load(bundle).encode(reviews)
    others = [each for each, ids in zip(vectors, found, strict=False) if each["ids"] != ids]
    assert len(others) >= 2 and all("JavaScript" in each["about"] for each in others)
