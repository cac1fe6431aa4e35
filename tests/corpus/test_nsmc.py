"""Checks on the real NSMC files; NSMC_ROOT names their folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nsmc.data.encoding
from nsmc.data.corpus import read_reviews
from nsmc.data.encoding import TokenizerSettings, encode_corpus
from nsmc.data.files import CorpusFiles
from nsmc.data.splitting import SplitSettings, split_off
from nsmc.runtime.predictor import Predictor
from tests.given import folder_given

ROOT = folder_given("NSMC_ROOT")
PROJECT = Path(__file__).parents[2]
SETTINGS = TokenizerSettings(vocab_size=10_000, min_frequency=2, normalization="nfc")

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="NSMC_ROOT names no folder")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here: encoding takes half a minute."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("name", "reviews", "empty", "quoted", "positive"),
    [
        ("ratings_train.txt", 149_995, 5, 623, 74_825),
        ("ratings_test.txt", 49_997, 3, 233, 25_171),
    ],
)
def test_every_review_is_read_as_it_was_written(
    name: str, reviews: int, empty: int, quoted: int, positive: int
) -> None:
    corpus = read_reviews(ROOT / name)
    assert (len(corpus), corpus.left_out) == (reviews, {"without a text": empty})
    assert int(corpus.labels.sum()) == positive
    with_quote = [text for text in corpus.texts if '"' in text]
    assert len(with_quote) == quoted
    # With a layer of quoting left on, each of them would begin and end with a quote.
    assert sum(text[0] == text[-1] == '"' for text in with_quote) < quoted / 4


def test_no_validation_text_is_a_training_text() -> None:
    corpus = read_reviews(ROOT / "ratings_train.txt")
    train, val = split_off(corpus, 0.1, 1, "validation_fraction")
    assert len(train) + len(val) == 149_995
    assert abs(len(val) - 15_000) < 50
    assert not {text.strip() for text in train.texts} & {text.strip() for text in val.texts}
    # Texts with both labels, some of them frequent, go to one side whole: 0.0011 for this seed.
    assert abs(train.labels.mean() - val.labels.mean()) < 0.002


def test_a_second_run_encodes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CorpusFiles(ROOT, "ratings_train.txt", SplitSettings(0.1, 0), "ratings_test.txt")
    first = encode_corpus(files, SETTINGS, cache)
    lengths = np.diff(first.splits["train"].offsets)
    assert 16 < lengths.mean() < 17
    assert lengths.min() >= 1
    assert first.tokenizer().get_vocab_size() == 10_000

    def refuse(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(nsmc.data.encoding, "_build", refuse)
    second = encode_corpus(files, SETTINGS, cache)
    assert second.tokenizer_fingerprint == first.tokenizer_fingerprint


def test_one_epoch_learns_and_its_bundle_answers(cache: Path, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "train.py", f"data.root={ROOT}", f"data.cache_dir={cache}"),
        *("data.split_seed=0", "trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=none"),
        *("test=false", f"hydra.run.dir={tmp_path}"),
    ]
    environment = {**os.environ}
    environment.pop("OMP_NUM_THREADS", None)  # on all cores, unlike the tests
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, env=environment)
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    # Guessing gives 0.50; one epoch of the default configuration gave 0.84 when this was written.
    assert record["metrics"]["val/accuracy"] > 0.80
    predictor = Predictor.load(tmp_path / "bundle")
    labels = [
        answer.label for answer in predictor(["정말 최고의 영화입니다", "시간이 아깝다 쓰레기"])
    ]
    assert labels == ["positive", "negative"]
