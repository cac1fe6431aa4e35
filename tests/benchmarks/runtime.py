"""The runtime beside its peers: one review, many reviews, and `nsmc predict` as a process.

The peers take turns in a process (`peers`) that is held to one core, then in one with two, and both
again with tokenizers 1.0, where `make bench` has put it. The bundles: GRU and LSTM of the blog's
shape and random weights, as what they are makes no difference to the time, and the package's, whose
weights have half the width.
"""

import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from nsmc.data.corpus import read_reviews
from nsmc.runtime.bundle import TOKENIZER_FILE
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from tests.benchmarks.common import PROJECT, row, timed_process
from tests.benchmarks.rivals import train_fasttext
from tests.bundles import changed, classifier_like, write_bundle

MANY_REVIEWS = 20_000
PROCESSES = 7
TOKENIZERS_1 = PROJECT / ".venv" / "tokenizers-1"


def main(root: Path) -> None:
    drop_library_settings()
    texts = read_reviews(root / "ratings_test.txt").texts[:MANY_REVIEWS]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        file = folder / "texts.json"
        file.write_text(json.dumps(texts), encoding="utf-8")
        fasttext = fasttext_model(root, folder)
        for cell in ("gru", "lstm"):
            random_bundle(cell, folder / cell)
        for name, bundle in (
            ("gru", folder / "gru"),
            ("lstm", folder / "lstm"),
            ("the package's bundle", PRETRAINED),
        ):
            measure(name, bundle, fasttext, file)
        measure_process(folder / "gru")


def drop_library_settings() -> None:
    """Settings of numpy's matrix library, such as another processor's kernels, would slow it."""
    for name in list(os.environ):
        if name.startswith("OPENBLAS_"):
            del os.environ[name]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the command `nsmc` has it


def random_bundle(cell: str, folder: Path) -> None:
    """The blog's shape, with the tokenizer that comes with the package."""
    torch.manual_seed(0)
    bundle_config = changed(
        read_bundle(PRETRAINED).config,
        architecture=cell,
        embedding_dim=128,
        hidden_size=128,
        num_layers=1,
        bidirectional=False,
        pooling="last",
        dtype="float32",
    )
    tensors = classifier_like(bundle_config).bundle_tensors()
    write_bundle(folder, bundle_config, tensors, PRETRAINED / TOKENIZER_FILE, "")


def fasttext_model(root: Path, folder: Path) -> Path:
    """fastText as in the benchmark `quality`, but for its epochs: here only its speed counts."""
    model = train_fasttext(read_reviews(root / "ratings_train.txt"), 0, folder, epochs=1)
    path = folder / "model.bin"
    model.save_model(str(path))
    return path


def measure(name: str, bundle: Path, fasttext: Path, texts: Path) -> None:
    """One review on one core, many on one and on two, with each release of tokenizers."""
    releases = {"as installed": "", "1.0": str(TOKENIZERS_1)}
    for release, path in releases.items():
        if path and not TOKENIZERS_1.exists():
            continue
        for cores in (1, 2):
            command = [sys.executable, "-m", "tests.benchmarks.peers"]
            command += [str(bundle), str(fasttext), str(texts), str(cores)]
            done = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": path},
            )
            print(f"  {name}, cores: {cores}, tokenizers: {release}")
            show(json.loads(done.stdout))


def show(found: dict[str, dict[str, list[Any]]]) -> None:
    """Rows of each peer, and what ours takes beside the others in the same round."""
    medians = {
        name: [statistics.median(each) * 1e6 for each in seconds["one"]]
        for name, seconds in found.items()
        if seconds["one"]
    }
    for name, times in medians.items():
        row(f"{name}: one review, median µs", times, "{:.1f}")
        slow = [statistics.quantiles(each, n=100)[98] * 1e6 for each in found[name]["one"]]
        row(f"{name}: one review, 99th percentile µs", slow, "{:.0f}")
    rates = {
        name: [MANY_REVIEWS / each for each in seconds["many"]] for name, seconds in found.items()
    }
    for name, rate in rates.items():
        row(f"{name}: many reviews, reviews/s", rate, "{:,.0f}")
    for other in ("onnxruntime", "fastText"):
        for ours in ("nsmc", "nsmc in AVX2"):
            for kind, values in (("one review's time", medians), ("rate of many", rates)):
                if ours in values:
                    pairs = zip(values[ours], values[other], strict=True)
                    ratios = [mine / theirs for mine, theirs in pairs]
                    row(f"{ours}: {kind}, ratio to {other}", ratios, "{:.2f}")


def measure_process(bundle: Path) -> None:
    review = "와 진짜 재밌는 영화임미다!!"
    predict = [sys.executable, "-m", "nsmc.cli", "predict", str(bundle), review]
    import_torch = [sys.executable, "-c", "import torch"]
    compileall.compile_dir(PROJECT / "nsmc", quiet=1)  # as an installed package is
    ours, theirs = [], []
    for _ in range(PROCESSES):
        ours.append(timed_process(predict))
        theirs.append(timed_process(import_torch))
    ratios = [mine[0] / other[0] for mine, other in zip(ours, theirs, strict=True)]
    row("nsmc predict, whole process: seconds", [seconds for seconds, _ in ours], "{:.2f}")
    row("nsmc predict, whole process: peak MB", [megabytes for _, megabytes in ours], "{:.0f}")
    row("python -c 'import torch': seconds", [seconds for seconds, _ in theirs], "{:.2f}")
    row("nsmc predict: ratio to importing torch", ratios, "{:.2f}")
