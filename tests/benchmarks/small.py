"""Small corpora: what is best for 1,000, 4,000 and 16,000 reviews of NSMC and of ratings.

    NSMC_ROOT=… RATINGS_ROOT=… python -m tests.benchmarks.small [--sizes N …] [--entries NAME …]

Subsets of the training files, stratified by label, each less a tenth for choosing the epoch; what
is compared is the accuracy on 5,000 other reviews of the same files. No test file is read. The
packaged bundle has learnt from NSMC's labels, so there it is no rival.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nsmc.data.corpus import Reviews, read_reviews
from tests.benchmarks.common import PROJECT, config

SIZES = (1_000, 4_000, 16_000)
SEEDS = (1, 2, 3)
MEASURED = 5_000
ENTRIES: dict[str, tuple[str, ...]] = {
    "linear": ("experiment=linear", "test=true"),
    "default": (),
    "small": ("experiment=small",),
    "finetune": ("experiment=finetune",),
}


def main(root: Path, sizes: Sequence[int] = SIZES, entries: Sequence[str] = tuple(ENTRIES)) -> None:
    ratings = Path(os.environ.get("RATINGS_ROOT", ""))
    corpora = {"nsmc": root}
    if (ratings / "train.csv").is_file():
        corpora["ratings"] = ratings
    print(f"  {'corpus':<10}{'reviews':>8}  {'entry':<22}{'accuracy':>9}{'±':>8}{'macro F1':>10}")
    for name, folder in corpora.items():
        data = config(folder, f"data={name}").data
        reviews = read_reviews(folder / data.train_file, data.form)
        for size in sizes:
            for entry in entries:
                if name == "nsmc" and entry == "finetune":
                    continue
                results = [_measured(reviews, size, seed, ENTRIES[entry]) for seed in SEEDS]
                accuracy, f1 = zip(*results, strict=True)
                print(
                    f"  {name:<10}{size:>8,}  {entry:<22}{statistics.mean(accuracy):>9.4f}"
                    f"{statistics.stdev(accuracy):>8.4f}{statistics.mean(f1):>10.4f}",
                    flush=True,
                )


def _measured(
    reviews: Reviews, size: int, seed: int, overrides: Sequence[str]
) -> tuple[float, float]:
    """Accuracy and macro F1 of one run on the reviews that are not trained on."""
    with tempfile.TemporaryDirectory() as folder:
        for file, part in _subsets(reviews, size, seed):
            with (Path(folder) / file).open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(["text", "label"])
                names = (part.label_names[label] for label in part.labels)
                writer.writerows(zip(part.texts, names, strict=True))
        command = [
            *(sys.executable, "train.py", "data=files", f"data.root={folder}"),
            *("data.train_file=train.csv", "data.test_file=test.csv", f"seed={seed}"),
            *(f"data.cache_dir={folder}/cache", "trainer.accelerator=cpu", "logger=none"),
            *(f"hydra.run.dir={folder}/run", *overrides),
        ]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
        metrics = json.loads((Path(folder) / "run" / "run.json").read_text())["metrics"]
    return metrics["test/accuracy"], metrics["test/macro_f1"]


def _subsets(reviews: Reviews, size: int, seed: int) -> Iterator[tuple[str, Reviews]]:
    """The reviews to train on, the same share of each label, and others to measure on."""
    rows = np.random.default_rng(seed).permutation(len(reviews))
    by_label = np.argsort(reviews.labels[rows], kind="stable")
    spread = rows[by_label[np.argsort(_places(reviews.labels[rows][by_label]), kind="stable")]]
    yield "train.csv", reviews.take(spread[:size])
    yield "test.csv", reviews.take(spread[size : size + MEASURED])


def _places(labels: np.ndarray) -> np.ndarray:
    """Where each review is among those of its label, from 0 to 1; the labels are sorted."""
    counts = np.bincount(labels)
    return np.concatenate([np.arange(count) / count for count in counts if count])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--entries", nargs="+", default=[*ENTRIES], choices=[*ENTRIES])
    options = parser.parse_args()
    main(Path(os.environ["NSMC_ROOT"]).resolve(), options.sizes, options.entries)
