"""How reading, tokenizing, encoding and batching grow with the corpus: NSMC up to ten times over.

Each size runs in a process of its own, from files to one epoch's batches. The copies differ from
the original by a number at the end, so that no text is merely looked up.
"""

import sys
import tempfile
from pathlib import Path

from nsmc.data.corpus import read_reviews
from nsmc.runs.build import build_datamodule
from tests.benchmarks.common import config, row, timed_process

COPIES = (1, 4, 10)


def main(root: Path) -> None:
    per_review = []
    for copies in COPIES:
        with tempfile.TemporaryDirectory() as folder:
            reviews = write_copies(root, Path(folder), copies)
            command = [sys.executable, "-m", "tests.benchmarks.scale", folder]
            seconds, megabytes = timed_process(command)
        per_review.append(seconds / reviews * 1e6)
        row(f"{reviews:,} reviews: seconds", [seconds], "{:.0f}")
        row(f"{reviews:,} reviews: µs for each", [per_review[-1]], "{:.0f}")
        row(f"{reviews:,} reviews: peak MB", [megabytes], "{:,.0f}")


def write_copies(root: Path, folder: Path, copies: int) -> int:
    reviews = read_reviews(root / "ratings_train.txt")
    with (folder / "ratings_train.txt").open("w", encoding="utf-8") as file:
        print("id", "document", "label", sep="\t", file=file)
        for copy in range(copies):
            for text, label in zip(reviews.texts, reviews.labels, strict=True):
                print(copy, f"{text} {copy}" if copy else text, label, sep="\t", file=file)
    (folder / "ratings_test.txt").write_bytes((root / "ratings_test.txt").read_bytes())
    return copies * len(reviews)


def encode_and_batch(folder: Path) -> None:
    """What is measured: everything before training, and an epoch's batches."""
    each = config(folder, f"data.cache_dir={folder}/cache")
    for _ in build_datamodule(each).train_dataloader():
        pass


if __name__ == "__main__":
    encode_and_batch(Path(sys.argv[1]))
