"""Makes run records, as jobs write them: of many settings, tasks and outcomes."""

import json
import math
import random
from pathlib import Path
from typing import Any

from nsmc.reports.leaderboard import Leaderboard, leaderboard
from nsmc.reports.records import Run, read_runs

FINGERPRINT = "f1" * 32


def config(**changes: Any) -> dict[str, Any]:
    """A run's resolved configuration; `model__lr=0.1` changes `model.lr`."""
    values: dict[str, Any] = {
        "data": {
            "name": "nsmc",
            "root": "outputs/corpora/nsmc",
            "remote_files": {"ratings_train.txt": {"url": "https://example.org", "sha256": "0"}},
            "cache_dir": "outputs/cache",
            "labels": ["negative", "positive"],
            "split_seed": changes.get("seed", 1),
            "vocab_size": 10_000,
            "batch_size": 512,
        },
        "model": {
            "architecture": "gru",
            "embedding_dim": 128,
            "hidden_size": 128,
            "bidirectional": False,
            "dropout": 0.2,
            "lr": 0.004,
        },
        "trainer": {"max_epochs": 6, "gradient_clip_val": 1.0, "log_every_n_steps": 50},
        "callbacks": {"checkpoint": {"monitor": "val/accuracy"}, "log_interval_seconds": 30.0},
        "logger": {"tensorboard": True, "csv": True},
        "task": "classify",
        "seed": 1,
        "ckpt_path": None,
        "test": True,
    }
    for key, value in changes.items():
        *sections, name = key.split("__")
        target = values
        for section in sections:
            target = target[section]
        target[name] = value
    return values


def record(
    accuracy: float | None = 0.8, test: float | None = None, **changes: Any
) -> dict[str, Any]:
    """A finished run's record, with a signature of its own; `changes` are of the configuration."""
    made = config(**changes)
    metrics = {"val/accuracy": accuracy, "test/accuracy": test}
    return {
        "status": "finished",
        "error": None,
        "signature": json.dumps(made),
        "command": "python train.py",
        "overrides": [],
        "config": made,
        "metrics": {name: value for name, value in metrics.items() if value is not None},
        "history": [],
        "seconds": 70.0,
        "train_seconds": 60.0,
        "reviews_per_second": 8000.0,
        "epochs": 6,
        "parameters": 1_379_330,
        "bundle_bytes": 6_000_000,
        "corpus_fingerprint": FINGERPRINT,
        "started": "2026-01-01T12:00:00+00:00",
        "finished": "2026-01-01T12:01:10+00:00",
        "trial": None,
    }


def write(folder: Path, content: dict[str, Any]) -> Path:
    """Write a record as the `run.json` of a run's folder; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def runs_of(folder: Path, *records: dict[str, Any]) -> list[Run]:
    """Write records into folders 0, 1, … and read them."""
    for index, content in enumerate(records):
        write(folder / f"{index}", content)
    runs, problems = read_runs([folder])
    assert not problems
    return runs


def board_of(folder: Path, *records: dict[str, Any]) -> Leaderboard:
    return leaderboard(runs_of(folder, *records))


def mixed() -> list[dict[str, Any]]:
    """Records of all three tasks; each has its own settings that differ."""
    language_models = [record(None, task="pretrain", model__hidden_size=h) for h in (64, 128)]
    for content, loss in zip(language_models, (7.5, 7.0), strict=True):
        content["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
        content["metrics"]["val/loss"] = loss
    return [
        record(0.8, task="classify", model__architecture="lstm"),
        *language_models,
        record(0.9, task="linear", linear={"ngram_max": 6}, model__lr=1.0),
        {**record(0.7, task="linear", linear={"ngram_max": 4}), "bundle_bytes": 0},
    ]


def write_many(folder: Path, count: int) -> None:
    """Runs like a search's: of many cells, sizes and rates, three seeds each; some failed."""
    chance = random.Random(0)
    for index in range(count):
        setting, seed = divmod(index, 3)
        made = _random_record(random.Random(setting), chance, seed)
        if index % 25 == 7:
            made |= {"status": "failed", "metrics": {}, "error": "CUDA out of memory: 2.1 GiB"}
        elif index % 25 == 16:
            made |= {"status": "interrupted", "metrics": {}}
        elif index % 25 == 21:
            made |= {"status": "pruned", "metrics": {}}
        write(folder / f"{index}_{made['config']['model']['architecture']}_seed-{seed}", made)


def _random_record(setting: random.Random, chance: random.Random, seed: int) -> dict[str, Any]:
    cell, hidden = setting.choice(["gru", "lstm"]), setting.choice([32, 64, 128, 256])
    rate, dropout = 10 ** setting.uniform(-4, -1.5), setting.choice([0.0, 0.2, 0.4])
    names: dict[str, Any] = {"model__architecture": cell, "model__hidden_size": hidden}
    made = record(seed=seed, model__lr=rate, model__dropout=dropout, **names)
    peak = 0.84 + 0.01 * math.log2(hidden / 32) - 0.02 * abs(math.log10(rate / 0.004))
    accuracies = [
        peak - 0.1 * 0.4**epoch + chance.gauss(0, 0.0015) - 0.002 * max(0, epoch - 4)
        for epoch in range(1, 7)
    ]
    made["history"] = [
        {
            "epoch": epoch,
            "step": 279 * epoch,
            "train/loss": 0.3 + 0.4 * 0.6**epoch + chance.gauss(0, 0.004),
            "val/loss": 0.35 + 0.2 * 0.5**epoch,
            "val/accuracy": accuracy,
        }
        for epoch, accuracy in enumerate(accuracies, 1)
    ]
    seconds = 20 + hidden * (1.2 if cell == "lstm" else 1.0) + chance.gauss(0, 3)
    parameters = 10_000 * 128 + hidden * (128 + hidden) * (4 if cell == "lstm" else 3)
    best = max(accuracies)
    made["metrics"] = {"val/accuracy": best, "test/accuracy": best - 0.004}
    measures = {"train_seconds": seconds, "seconds": seconds + 9, "parameters": parameters}
    return {**made, **measures, "bundle_bytes": 4 * parameters + 500_000}
