"""Small bundles of random weights, for the tests of what reads bundles."""

from pathlib import Path

import numpy as np

from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import BundleConfig, expected_shapes, write_bundle
from nsmc.runtime.recurrence import Array

_TEXTS = ["이 영화 정말 최고예요", "정말 별로 재미없는 영화", "good movie, 10 points!"]
TOKENIZER = train_tokenizer(_TEXTS * 3, vocab_size=280, min_frequency=2, normalization="nfc")


def config_of(**changes: object) -> BundleConfig:
    values: dict[str, object] = {
        "cell": "gru",
        "vocab_size": TOKENIZER.get_vocab_size(),
        "embedding_dim": 5,
        "hidden_size": 7,
        "num_layers": 1,
        "bidirectional": False,
        "pooling": "last",
        "pad_id": 0,
        "max_length": 64,
        "labels": ("negative", "positive"),
    }
    return BundleConfig(**{**values, **changes})  # type: ignore[arg-type]


def random_tensors(config: BundleConfig, scale: float = 0.6, seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, scale, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }


def random_bundle(folder: Path, card: str = "", scale: float = 0.6, **changes: object) -> Path:
    """A bundle at `folder`; keywords change its configuration. Returns the folder."""
    config = config_of(**changes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    tokenizer_file = folder.parent / "trained-tokenizer.json"
    save_tokenizer(TOKENIZER, tokenizer_file)
    write_bundle(folder, config, random_tensors(config, scale), tokenizer_file, card)
    tokenizer_file.unlink()
    return folder
