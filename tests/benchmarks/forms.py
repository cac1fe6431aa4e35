"""What the package's bundle loses in smaller forms: size, and accuracy on validation and test.

float16 is how it comes. With int8 or fewer tokens it is what `nsmc convert` writes; nothing is
trained again.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nsmc.conversion.convert import convert
from nsmc.data.corpus import NSMC, Reviews, read_reviews
from nsmc.data.splitting import SplitSettings, split
from nsmc.runtime.bundle import TOKENIZER_FILE, WEIGHTS_FILE
from nsmc.runtime.coverage import Coverage
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.benchmarks.common import config

VOCABULARIES = (None, 8_000, 6_000, 4_000, 2_000, 1_000)
DTYPES = ("float16", "int8")


def main(root: Path) -> None:
    data = config(root, "experiment=best").data
    settings = SplitSettings(data.validation_fraction, data.split_seed)
    train = read_reviews(root / "ratings_train.txt", NSMC)
    parts = [
        split(train, settings, validation=True, test=False)["val"],
        read_reviews(root / "ratings_test.txt", NSMC),
    ]
    names = ("tokens", "weights", "MB", "tokenizer MB", "ids a review", "validation", "test")
    print(" ".join(f"{name:>12}" for name in (*names, "calibration")))
    for vocab_size in VOCABULARIES:
        for dtype in DTYPES:
            print(" ".join(f"{cell:>12}" for cell in _row(dtype, vocab_size, parts)), flush=True)


def _row(dtype: str, vocab_size: int | None, parts: Sequence[Reviews]) -> list[str]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = convert(PRETRAINED, dtype, Path(scratch) / "bundle", vocab_size=vocab_size).folder
        sizes = [(folder / name).stat().st_size / 1e6 for name in (WEIGHTS_FILE, TOKENIZER_FILE)]
        predictor = Predictor.load(folder)
    ids = np.mean([len(ids) for ids in predictor.encode(parts[-1].texts)])
    cells = [f"{predictor.config.vocab_size:,}", dtype, *(f"{size:.2f}" for size in sizes)]
    cells.append(f"{ids:.1f}")
    for reviews in parts:
        probabilities, coverage = predictor.probabilities(reviews.texts), Coverage()
        is_right = probabilities.argmax(axis=1) == reviews.labels
        coverage.add(probabilities.max(axis=1), is_right)
        cells.append(f"{is_right.mean():.4f}")
    return [*cells, f"{coverage.calibration_error():.4f}"]  # of the test part
