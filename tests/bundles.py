"""Small bundles of random weights, for the tests of what reads bundles."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nsmc.runtime.bundle import BundleConfig, expected_shapes, fill_bundle, flat, whole_bundle
from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.packing import Array
from nsmc.runtime.tokenizer import BundleTokenizer

if TYPE_CHECKING:
    from nsmc.training.classifier import TextClassifier

# Trained on a few words such as 정말 영화 최고 movie. It is a file because the tests of the runtime
# also run with a release of tokenizers that cannot train.
TOKENIZER_FILE = Path(__file__).with_name("tokenizer.json")
TOKENIZER = read_tokenizer(TOKENIZER_FILE)
VOCAB_SIZE = TOKENIZER.vocab_size


def wrapped(library: Any) -> BundleTokenizer:
    """What was just trained, as what was read from a file."""
    return BundleTokenizer(library, library.get_vocab_size())


def config_of(**changes: Any) -> BundleConfig:
    """A small configuration; keywords change its keys, as config.json has them."""
    values: dict[str, Any] = {
        "architecture": "gru",
        "vocab_size": VOCAB_SIZE,
        "embedding_dim": 5,
        "hidden_size": 7,
        "num_layers": 1,
        "bidirectional": False,
        "filter_widths": [2, 3],
        "num_filters": 4,
        "pooling": "last",
        "pad_id": 0,
        "max_length": 64,
        "labels": ("negative", "positive"),
    }
    values |= changes
    own: dict[str, Any] = {"encoder": encoder_settings(values)}
    own |= {f.name: values[f.name] for f in fields(BundleConfig) if f.name in values}
    return BundleConfig(**own)


def changed(config: BundleConfig, **changes: Any) -> BundleConfig:
    """The configuration with other values for some keys of config.json."""
    return config_of(**{**flat(config), "labels": config.labels, **changes})


def random_tensors(config: BundleConfig, scale: float = 0.6, seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, scale, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }


def write_bundle(
    folder: Path,
    config: BundleConfig,
    tensors: Mapping[str, Array],
    tokenizer_file: Path,
    card: str = "",
) -> None:
    """A bundle at `folder`, where an older one is replaced."""
    with whole_bundle(folder) as scratch:
        fill_bundle(scratch, config, tensors, tokenizer_file, card)


def random_bundle(
    folder: Path,
    card: str = "",
    scale: float = 0.6,
    seed: int = 0,
    like: BundleConfig | None = None,
    **changes: Any,
) -> Path:
    """A bundle at `folder`, `like` a configuration or with changes to `config_of`'s.

    Returns the folder.
    """
    config = like or config_of(**changes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(folder, config, random_tensors(config, scale, seed), TOKENIZER_FILE, card)
    return folder


def classifier_like(config: BundleConfig, **changes: Any) -> "TextClassifier":
    """A torch classifier of the same shape, with weights of its own."""
    from nsmc.training.classifier import TextClassifier  # only who wants one waits for torch

    return TextClassifier(
        **{
            **asdict(config.encoder),  # type: ignore[call-overload]
            "vocab_size": config.vocab_size,
            "embedding_dim": config.embedding_dim,
            "pooling": config.pooling,
            "label_count": len(config.labels),
            **changes,
        }
    )
