"""What is in a bundle, from its files: `nsmc info`."""

import math
from pathlib import Path
from typing import Any

from nsmc.runtime.bundle import (
    CARD_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    digests,
    expected_shapes,
)
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.recurrence import HAS_KERNEL
from nsmc.small_files import read_bytes
from nsmc.terminal import harmless


def info(folder: Path) -> dict[str, Any]:
    """Plain values; the bundle is read and checked. Raises what `read_bundle` raises."""
    config = read_bundle(folder).config
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    return {
        "folder": str(folder),
        "network": {
            "cell": config.cell,
            "layers": config.num_layers,
            "directions": 2 if config.bidirectional else 1,
            "hidden size": config.hidden_size,
            "embedding": config.embedding_dim,
            "pooling": config.pooling,
        },
        "parameters": sum(math.prod(shape) for shape in expected_shapes(config).values()),
        "weights": config.dtype,
        "vocabulary": config.vocab_size,
        "longest review": config.max_length,
        "labels": list(config.labels),
        "metrics": config.metrics,
        "signature": config.signature,
        "command": _command(folder / CARD_FILE),
        "recurrence": "compiled" if HAS_KERNEL else "numpy",
        "bytes": sizes,
        "sha256": digests(folder),
    }


def as_text(content: dict[str, Any]) -> str:
    """For a terminal."""
    network, sizes = content["network"], content["bytes"]
    directions = "both directions" if network["directions"] == 2 else "one direction"
    shape = (
        f"{network['cell'].upper()} {network['hidden size']}, {network['layers']} layer(s), "
        f"{directions}, embedding {network['embedding']}, {network['pooling']} pooling"
    )
    weights, tokenizer = (sizes[name] / 1e6 for name in (WEIGHTS_FILE, TOKENIZER_FILE))
    rows = {
        "bundle": content["folder"],
        "network": shape,
        "parameters": f"{content['parameters']:,} ({content['weights']})",
        "size": f"{weights:.2f} MB weights, {tokenizer:.2f} MB tokenizer",
        "vocabulary": f"{content['vocabulary']:,} byte-level BPE tokens",
        "reads": f"the first {content['longest review']} tokens of a review",
        "answers": ", ".join(content["labels"]) or "nothing yet: a pretrained encoder",
        "trained by": content["command"] or "not known",
        "signature": content["signature"] or "none",
        "recurrence": content["recurrence"],
    }
    rows |= {name: f"{value:.4f}" for name, value in content["metrics"].items()}
    return "\n".join(harmless(f"{name:<14}{value}") for name, value in rows.items())


def _command(card: Path) -> str:
    """The command that trained the bundle: the card's first indented line."""
    try:
        lines = read_bytes(card).decode("utf-8", "replace").splitlines()
    except (OSError, ValueError):  # missing, or no card of ours
        return ""
    return next((line.strip() for line in lines if line.startswith("    ")), "")
