"""The runtime beside its peers: one review, many reviews, and `nsmc predict` as a process.

Each peer is a process of its own (`peers`), held to one core or two, and all of them are measured
in turn. The bundle has the blog's shape and random weights: what they are makes no difference to
the time.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from nsmc.data.corpus import read_reviews
from nsmc.runtime.bundle import TOKENIZER_FILE, write_bundle
from nsmc.runtime.choosing import BOXED
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.recurrence import HAS_KERNEL
from nsmc.training.classifier import RecurrentClassifier
from tests.benchmarks.common import PROJECT, row, timed_process

SINGLE_REVIEWS = 1_000
MANY_REVIEWS = 10_000
ROUNDS = 5
PROCESSES = 7

NETWORKS = (
    ("compiled", "numpy", "torch", "onnxruntime")
    if HAS_KERNEL
    else ("numpy", "torch", "onnxruntime")
)


def main(root: Path) -> None:
    drop_library_settings()
    texts = read_reviews(root / "ratings_test.txt").texts[:MANY_REVIEWS]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        reviews = folder / "reviews.txt"
        reviews.write_text("\n".join(" ".join(text.split()) for text in texts), encoding="utf-8")
        for cell in ("gru", "lstm"):
            random_bundle(cell, folder / cell)
            measure(cell, [(kind, folder / cell) for kind in NETWORKS], reviews)
        measure("fastText", [("fasttext", fasttext_model(root, folder))], reviews)
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
    bundle_config = replace(
        read_bundle(BOXED).config,
        cell=cell,
        embedding_dim=128,
        hidden_size=128,
        num_layers=1,
        bidirectional=False,
        pooling="last",
        dtype="float32",
    )
    classifier = RecurrentClassifier(
        vocab_size=bundle_config.vocab_size,
        cell=cell,
        embedding_dim=128,
        hidden_size=128,
        num_layers=1,
        bidirectional=False,
        pooling="last",
    )
    tensors = classifier.bundle_tensors()
    write_bundle(folder, bundle_config, tensors, BOXED / TOKENIZER_FILE, "")


def fasttext_model(root: Path, folder: Path) -> Path:
    """fastText with the parameters of `rivals`, but fewer epochs: here only its speed counts."""
    code = (
        "import fasttext, sys; fasttext.train_supervised(sys.argv[1], dim=50, epoch=1, lr=0.3, "
        "wordNgrams=2, minn=1, maxn=4, thread=2, verbose=0).save_model(sys.argv[2])"
    )
    train = read_reviews(root / "ratings_train.txt")
    lines = [
        f"__label__{label} {' '.join(text.split())}"
        for text, label in zip(train.texts, train.labels, strict=True)
    ]
    text, model = folder / "train.txt", folder / "model.bin"
    text.write_text("\n".join(lines), encoding="utf-8")
    subprocess.run([sys.executable, "-c", code, text, model], check=True, capture_output=True)
    return model


@contextlib.contextmanager
def peer(kind: str, cores: int, folder: Path, reviews: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of `peers` that is ready."""
    module = [sys.executable, "-m", "tests.benchmarks.peers"]
    command = [*module, kind, str(cores), str(folder), str(reviews)]
    kernel = "numpy" if kind == "numpy" else ""
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, "NSMC_KERNEL": kernel},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout and process.stdout.readline() == "ready\n", kind
        yield process


def asked(process: "subprocess.Popen[str]", what: str, count: int) -> list[float]:
    """Seconds that the process took."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{what} {count}\n")
    process.stdin.flush()
    return [float(value) for value in json.loads(process.stdout.readline())]


def measure(title: str, kinds: list[tuple[str, Path]], reviews: Path) -> None:
    """One review on one core, many on one and on two, by all in turn."""
    with contextlib.ExitStack() as stack:
        peers = {
            (kind, cores): stack.enter_context(peer(kind, cores, folder, reviews))
            for kind, folder in kinds
            for cores in (1, 2)
        }
        found: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for (kind, cores), process in peers.items():
                name = f"{title}, {kind}"
                if cores == 1:
                    seconds = asked(process, "one", SINGLE_REVIEWS)
                    one = f"{name}: one review, median µs"
                    found.setdefault(one, []).append(statistics.median(seconds) * 1e6)
                    percentile = statistics.quantiles(seconds, n=100)[98]
                    slow = f"{name}: one review, 99th percentile µs"
                    found.setdefault(slow, []).append(percentile * 1e6)
                rate = MANY_REVIEWS / asked(process, "many", MANY_REVIEWS)[0]
                many = f"{name}: reviews/s, cores: {cores}"
                found.setdefault(many, []).append(rate)
    for name, values in sorted(found.items(), key=lambda each: each[0].partition(": ")[2]):
        row(name, values, "{:,.0f}")


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
