"""The runtime with the lowest, the pinned and the newest release of tokenizers.

Each has a folder in the environment that NSMC_RELEASES names; `make clients-test` makes it.
"""

import json
import os
import random
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from nsmc.data.corpus import read_reviews
from nsmc.runtime.locate import PRETRAINED
from tests.clients.releases import PROJECT, RELEASES, pinned
from tests.given import folder_given
from tests.hostile import HOSTILE, NORMALIZATIONS, PARTS, train_tokenizers

ENVIRONMENT = folder_given("NSMC_RELEASES")
NSMC = Path(os.environ.get("NSMC_ROOT", PROJECT.parent / "shared" / "nsmc"))
SAMPLE = PROJECT / "nsmc" / "data" / "sample"
MAX_LENGTH = 128

# All that read bundles or answer with them and need no training library.
_RUNTIME = (
    *("loading", "tokenization", "bundle_tokenizer", "token_tables", "bundle", "evaluation"),
    "pickling",
)
_COMMAND = ("predict", "predict_file", "evaluate", "info", "convert", "interactive")
TESTS = [
    *(f"tests/runtime/test_{name}.py" for name in _RUNTIME),
    *(f"tests/cli/test_cli_{name}.py" for name in _COMMAND),
]

pytestmark = pytest.mark.skipif(
    not ENVIRONMENT.exists(), reason="NSMC_RELEASES names no environment"
)


def command_of(release: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the environment's Python on our code with a release of tokenizers."""
    paths = (ENVIRONMENT / release, PROJECT)
    variables = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(ENVIRONMENT / "bin" / "python"), *arguments],
        env={**os.environ, **variables, **more.pop("env", {})},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=900,
        **more,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_tokenizers(folder)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 reviews, real ones where they are, and 20,000 hostile texts."""
    real = NSMC / "ratings_test.txt"
    reviews = read_reviews(real if real.exists() else SAMPLE / "ratings_train.txt").texts[:5_000]
    draw = random.Random(0)
    characters = [*PARTS, *filter(_is_old, map(chr, range(0x3000)))]
    hostile = ["".join(draw.choices(characters, k=draw.randrange(40))) for _ in range(20_000)]
    path = tmp_path_factory.mktemp("texts") / "texts.json"
    path.write_text(json.dumps([*reviews, *hostile, *HOSTILE]), encoding="utf-8")
    return path


def _is_old(character: str) -> bool:
    """Whether Unicode 3.2 has it: 1.0 orders marks that came after Unicode 9 as they should be."""
    return unicodedata.ucd_3_2_0.category(character) != "Cn"


@pytest.fixture(scope="module")
def ids(trained: Path, texts: Path) -> dict[str, Any]:
    """The answers of each release."""
    files = [*(trained / f"{name}.json" for name in NORMALIZATIONS), PRETRAINED / "tokenizer.json"]
    request = {
        "tokenizers": [str(file) for file in files],
        "texts": str(texts),
        "max_length": MAX_LENGTH,
    }
    answers = {}
    for release in RELEASES:
        done = command_of(release, "tests/clients/releases_client.py", input=json.dumps(request))
        assert done.returncode == 0, done.stderr
        answers[release] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("release", RELEASES)
def test_the_ids_are_those_of_the_pinned_release(release: str, ids: dict[str, Any]) -> None:
    found = ids[release]
    assert found["version"].replace("-rc.", "rc").startswith(release)
    for answer, expected in zip(found["answers"], ids[pinned()]["answers"], strict=True):
        assert answer == expected
    first = found["answers"][0]
    assert all(first[way] for way in ("alone", "threads", "fork", "read again", "pickle"))


@pytest.mark.parametrize("release", [release for release in RELEASES if release != pinned()])
def test_the_tests_of_the_runtime_pass(release: str, trained: Path) -> None:
    options = ("-q", "-p", "no:cacheprovider")
    done = command_of(release, "-m", "pytest", *options, *TESTS, env={"NSMC_TRAINED": str(trained)})
    assert done.returncode == 0, done.stdout[-10_000:]
