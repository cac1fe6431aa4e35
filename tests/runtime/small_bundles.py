"""Bundles small enough to be made for a single test."""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import BundleConfig, expected_shapes
from nsmc.runtime.recurrence import Array

TEXTS = ["이 영화 정말 최고예요", "정말 별로 재미없는 영화", "good movie, 10 points!"]


def small_tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS * 3, vocab_size=280, min_frequency=2, normalization="nfc")


def small_config(vocab_size: int, **changes: object) -> BundleConfig:
    values: dict[str, object] = {
        "cell": "gru",
        "vocab_size": vocab_size,
        "embedding_dim": 3,
        "hidden_size": 4,
        "num_layers": 1,
        "bidirectional": False,
        "pooling": "last",
        "pad_id": 0,
        "max_length": 64,
        "labels": ("negative", "positive"),
    }
    return BundleConfig(**{**values, **changes})  # type: ignore[arg-type]


def random_tensors(config: BundleConfig, seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }


def small_tokenizer_file(folder: Path) -> Path:
    path = folder / "small_tokenizer.json"
    save_tokenizer(small_tokenizer(), path)
    return path


def edit_json(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")
