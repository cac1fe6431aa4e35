"""Reviews with ratings, as three labels and as ten: linear, a GRU, the package's bundle fine-tuned.

    NSMC_ROOT=… RATINGS_ROOT=… python -m tests.benchmarks.ratings

The package's bundle has learnt from NSMC's training file, where many test reviews of this corpus
are, too. So the last table has the share of each label that is found among those and others.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from nsmc.data.corpus import Reviews, read_reviews
from nsmc.runtime.predictor import Predictor
from tests.benchmarks.common import CACHE, PROJECT, config

LABELS: dict[str, tuple[str, ...]] = {"three labels": (), "ten labels": ("data.label_map=null",)}
ENTRIES: dict[str, tuple[str, ...]] = {
    "linear": ("experiment=linear", "test=true", "seed=1"),
    "default": ("seed=1,2,3",),
    "finetune": ("experiment=finetune", "data.batch_size=256", "seed=1,2,3"),
}
METRICS = ("val/accuracy", "val/macro_f1", "test/accuracy", "test/macro_f1")


def main(nsmc: Path, ratings: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        print(f"  {'labels':<14}{'entry':<12}" + "".join(f"{name:>22}" for name in METRICS))
        for labels, mapping in LABELS.items():
            for entry, overrides in ENTRIES.items():
                folder = Path(scratch) / labels / entry
                _sweep(ratings, folder, [*mapping, *overrides])
                _print_metrics(labels, entry, folder)
        form = config(ratings, "data=ratings").data
        test = read_reviews(ratings / "test.csv", form.form)
        corpus = config(nsmc, "data=nsmc").data
        known = np.isin(test.texts, read_reviews(nsmc / corpus.train_file, corpus.form).texts)
        for entry in ("default", "finetune"):
            _print_shares(entry, Path(scratch) / "three labels" / entry, test, known)


def _sweep(root: Path, folder: Path, overrides: list[str]) -> None:
    command = [
        *(sys.executable, "train.py", "-m", "data=ratings", f"data.root={root}"),
        *(f"data.cache_dir={CACHE}", "trainer.accelerator=cpu", "logger=none"),
        *(f"hydra.sweep.dir='{folder}'", *overrides),
    ]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)


def _print_metrics(labels: str, entry: str, folder: Path) -> None:
    runs = [json.loads(path.read_text())["metrics"] for path in folder.glob("*/run.json")]
    shown = ""
    for name in METRICS:
        values = [run[name] for run in runs]
        spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
        shown += f"{statistics.mean(values):.4f}{spread}".rjust(22)
    print(f"  {labels:<14}{entry:<12}{shown}", flush=True)


def _print_shares(entry: str, folder: Path, test: Reviews, known: np.ndarray) -> None:
    """What share of each label's reviews the runs find, on average."""
    bundles = [Predictor.load(path) for path in folder.glob("*/bundle")]
    right = np.mean(
        [bundle.probabilities(test.texts).argmax(1) == test.labels for bundle in bundles], axis=0
    )
    for number, name in enumerate(test.label_names):
        for there, which in ((known, "in NSMC's training file"), (~known, "not there")):
            chosen = there & (test.labels == number)
            print(
                f"  {entry:<12}{name:<10}{which:<26}{chosen.sum():>6}{right[chosen].mean():>8.4f}"
            )


if __name__ == "__main__":
    main(Path(os.environ["NSMC_ROOT"]).resolve(), Path(os.environ["RATINGS_ROOT"]).resolve())
