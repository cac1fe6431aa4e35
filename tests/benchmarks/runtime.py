"""The runtime beside its peers: one review, many reviews, and `nsmc predict` as a process.

The peers take turns in a process (`peers`) that is held to one core, then in one with two. The
bundle has the blog's shape and random weights: what they are makes no difference to the time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

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
            measure(cell, folder / cell, fasttext, file)
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


def measure(cell: str, bundle: Path, fasttext: Path, texts: Path) -> None:
    """One review on one core, many on one and on two."""
    for cores in (1, 2):
        command = [sys.executable, "-m", "tests.benchmarks.peers"]
        command += [str(bundle), str(fasttext), str(texts), str(cores)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        found = json.loads(done.stdout)
        print(f"  {cell}, cores: {cores}")
        for name, seconds in found.items():
            if rounds := seconds["one"]:
                medians = [statistics.median(each) * 1e6 for each in rounds]
                slow = [statistics.quantiles(each, n=100)[98] * 1e6 for each in rounds]
                row(f"{name}: one review, median µs", medians, "{:.0f}")
                row(f"{name}: one review, 99th percentile µs", slow, "{:.0f}")
        for name, seconds in found.items():
            rates = [MANY_REVIEWS / each for each in seconds["many"]]
            row(f"{name}: many reviews, reviews/s", rates, "{:,.0f}")


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
