"""The runtime: one review's latency, many reviews' throughput, and `nsmc predict` as a process.

The bundle has the blog's shape and random weights: what they are makes no difference to the time.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from nsmc.data.corpus import read_reviews
from nsmc.experiments.build import build_datamodule
from nsmc.runtime.bundle import BundleConfig, write_bundle
from nsmc.runtime.predictor import Predictor
from nsmc.training.classifier import RecurrentClassifier
from tests.benchmarks.common import config, row, timed_process

SINGLE_REVIEWS = 2_000
MANY_REVIEWS = 20_000
ROUNDS = 5
PROCESSES = 9


def main(root: Path) -> None:
    texts = read_reviews(root / "ratings_test.txt").texts
    for cell in ("gru", "lstm"):
        with tempfile.TemporaryDirectory() as parent:
            bundle = random_bundle(root, cell, Path(parent) / "bundle")
            measure_single(Predictor.load(bundle), cell, texts[:SINGLE_REVIEWS])
            measure_many(Predictor.load(bundle), cell, texts[:MANY_REVIEWS])
            if cell == "gru":
                measure_process(bundle)


def random_bundle(root: Path, cell: str, folder: Path) -> Path:
    each = config(root, f"model={cell}")
    tokenizer_file = build_datamodule(each).corpus.tokenizer_path
    torch.manual_seed(0)
    classifier = RecurrentClassifier(
        vocab_size=each.data.vocab_size,
        cell=cell,
        embedding_dim=128,
        hidden_size=128,
        num_layers=1,
        bidirectional=False,
        pooling="last",
    )
    bundle_config = BundleConfig(
        cell=cell,
        vocab_size=each.data.vocab_size,
        embedding_dim=128,
        hidden_size=128,
        num_layers=1,
        bidirectional=False,
        pooling="last",
        pad_id=0,
        max_length=128,
        labels=("negative", "positive"),
    )
    write_bundle(folder, bundle_config, classifier.bundle_tensors(), tokenizer_file, "")
    return folder


def measure_single(predictor: Predictor, cell: str, texts: list[str]) -> None:
    medians, slowest = [], []
    for _ in range(ROUNDS):
        seconds = []
        for text in texts:
            start = time.perf_counter()
            predictor([text])
            seconds.append(time.perf_counter() - start)
        medians.append(statistics.median(seconds) * 1e6)
        slowest.append(statistics.quantiles(seconds, n=100)[98] * 1e6)
    row(f"{cell}, one review with tokenization: median µs", medians, "{:.0f}")
    row(f"{cell}, one review with tokenization: 99th percentile µs", slowest, "{:.0f}")


def measure_many(predictor: Predictor, cell: str, texts: list[str]) -> None:
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        predictor(texts)
        rates.append(len(texts) / (time.perf_counter() - start))
    row(f"{cell}, many reviews with tokenization: reviews/s", rates, "{:,.0f}")


def measure_process(bundle: Path) -> None:
    review = "와 진짜 재밌는 영화임미다!!"
    predict = [sys.executable, "-m", "nsmc.cli", "predict", str(bundle), review]
    import_torch = [sys.executable, "-c", "import torch"]
    ours, theirs = [], []
    for _ in range(PROCESSES):
        ours.append(timed_process(predict))
        theirs.append(timed_process(import_torch))
    ratios = [mine[0] / other[0] for mine, other in zip(ours, theirs, strict=True)]
    row("nsmc predict, whole process: seconds", [seconds for seconds, _ in ours], "{:.2f}")
    row("nsmc predict, whole process: peak MB", [megabytes for _, megabytes in ours], "{:.0f}")
    row("python -c 'import torch': seconds", [seconds for seconds, _ in theirs], "{:.2f}")
    row("nsmc predict: ratio to importing torch", ratios, "{:.2f}")
