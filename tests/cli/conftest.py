"""What the tests of the command share: a small bundle, reviews, and an empty folder to be in."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsmc.runtime.predictor import Predictor
from tests.cli.running import BAD, GOOD, write_small_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(tmp_path_factory.mktemp("cli") / "bundle")


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    predictor = Predictor.load(bundle)
    assert [answer.label for answer in predictor([GOOD, BAD])] == ["positive", "negative"]
    return predictor


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """Ten reviews, in turn good and bad, which are all said to be good, and a damaged row."""
    path = tmp_path / "reviews.tsv"
    lines = [f"{n}\t{(GOOD, BAD)[n % 2]}\t1\n" for n in range(10)]
    path.write_text("id\tdocument\tlabel\n" + "".join(lines) + "10\tcut\n", encoding="utf-8")
    return path


@pytest.fixture
def many_lines(tmp_path: Path) -> Iterator[io.BufferedReader]:
    """A file whose answers fill every pipe, so that writing must wait for the reader."""
    path = tmp_path / "reviews.txt"
    path.write_text(f"{GOOD}\n" * 5_000, encoding="utf-8")
    with path.open("rb") as file:
        yield file
