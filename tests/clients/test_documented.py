"""The programs in docs/other-languages.md, run as they stand there: ids and probabilities.

`make clients-test` gets what they need, where Maven and npm are there to get it.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from nsmc.conversion.convert import convert, sample_texts
from nsmc.runtime.bundle import VECTORS_FILE
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from tests.bundles import random_bundle
from tests.given import folder_given

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "other-languages.md").read_text(encoding="utf-8")
CLIENTS = folder_given("NSMC_CLIENTS")
JARS, NODE = CLIENTS / "jars", CLIENTS / "node" / "node_modules"

TOLERANCE = 1e-5

_ENDS_OF_LINES = "[\n\r\u2028\u2029]"  # for Java and Node

needs_java = pytest.mark.skipif(
    not any(JARS.glob("*.jar")), reason="NSMC_CLIENTS has no jars: it was made without Maven"
)
needs_node = pytest.mark.skipif(
    not NODE.exists(), reason="NSMC_CLIENTS has no node_modules: it was made without npm"
)


def program(language: str) -> str:
    """The page's program in a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(scope="module", params=["package's", "int8", "five labels"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle's folder; the ONNX form lies beside it."""
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    weights = "int8" if request.param == "int8" else "float32"
    if request.param == "package's":
        shutil.copytree(PRETRAINED, folder)
    elif request.param == "int8":
        convert(PRETRAINED, "int8", folder)
    else:
        labels = ("아주 나쁨", "나쁨", "보통", "좋음", "아주 좋음")
        random_bundle(
            folder, architecture="lstm", pooling="max_mean", labels=labels, max_length=1000
        )
    convert(folder, "onnx", folder.with_name("bundle-onnx"), weights=weights)
    return folder


def lines() -> list[str]:
    """Reviews and hard texts that are one line each, also longer than any `max_length`."""
    hard = ["", " ", "\u3000", "<pad>", "ㅋ" * 3000, "영화 " * 2000, "👨\u200d👩", "e\u0301"]
    vectors = json.loads((PRETRAINED / VECTORS_FILE).read_text(encoding="utf-8"))["vectors"]
    # Without those that test_transformers.py names: JavaScript's idea of white space is its own.
    hard += [each["text"] for each in vectors if "JavaScript" not in each["about"]]
    return [text for text in [*sample_texts(), *hard] if not re.search(_ENDS_OF_LINES, text)]


def assert_same(command: Sequence[str], bundle: Path, folder: Path) -> None:
    """Ask the program about all lines, and compare its labels, probabilities and ids."""
    texts, predictor = lines(), Predictor.load(bundle)
    done = subprocess.run(
        [*command, f"{bundle}-onnx"],
        input="".join(f"{text}\n" for text in texts).encode(),
        capture_output=True,
        cwd=folder,
        env={**os.environ, "DJL_CACHE_DIR": str(folder)},  # where it puts the jar's library
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    rows = [line.split("\t") for line in done.stdout.decode().split("\n")[:-1]]
    assert len(rows) == len(texts)
    expected = predictor.encode(texts)
    assert [json.loads(ids) for _, _, ids in rows] == expected
    shares = softmax(predictor.scaled(predictor.logits(expected)))
    found = np.array([json.loads(probabilities) for _, probabilities, _ in rows])
    np.testing.assert_allclose(found, shares, rtol=0, atol=TOLERANCE)
    labels = predictor.config.labels
    assert [label for label, _, _ in rows] == [labels[best] for best in found.argmax(axis=1)]


@needs_java
def test_the_java_program_answers_the_same(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "Classify.java").write_text(program("java"), encoding="utf-8")
    assert_same(["java", "-cp", f"{JARS}/*", "Classify.java"], bundle, tmp_path)


@needs_node
def test_the_javascript_program_answers_the_same(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "classify.mjs").write_text(program("javascript"), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(NODE)
    assert_same(["node", "classify.mjs"], bundle, tmp_path)


def test_the_page_names_the_versions_that_are_tested() -> None:
    space = "{http://maven.apache.org/POM/4.0.0}"
    pom = ElementTree.parse(HERE / "pom.xml").getroot()
    for dependency in pom.iter(f"{space}dependency"):
        parts = [dependency.findtext(f"{space}{name}") for name in ("groupId", "artifactId")]
        assert f"    {':'.join(map(str, parts))}:{dependency.findtext(f'{space}version')}\n" in PAGE
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    for name, version in package["dependencies"].items():
        assert f" {name}@{version}" in PAGE
