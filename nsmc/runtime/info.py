"""What is in a bundle, from its files: `nsmc info`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from nsmc.runtime.bundle import TOKENIZER_FILE, WEIGHTS_FILE, digests, parameter_count
from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.teachers import all_knowledge, counted, packages, uncounted
from nsmc.terminal import first_few, harmless

_SHOWN = 10  # labels
_COLUMN = 24  # characters of what a value is called


def info(folder: Path) -> dict[str, Any]:
    """Plain values; the bundle is read and checked. Raises what `read_bundle` raises."""
    config = read_bundle(folder).config
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    return {
        "folder": str(folder),
        "network": {
            **asdict(config.encoder),  # type: ignore[call-overload]
            "embedding_dim": config.embedding_dim,
            "pooling": config.pooling,
        },
        "parameters": parameter_count(config),
        "weights": config.dtype,
        "vocabulary": config.vocab_size,
        "longest review": config.max_length,
        "morphemes": config.morphemes,
        "teachers": config.teachers,
        "labels": list(config.labels),
        "metrics": config.metrics,
        "confidence": config.confidence,
        "signature": config.signature,
        "command": config.command,
        "backend": config.encoder.backend,
        "bytes": sizes,
        "sha256": digests(folder),
    }


def as_text(content: dict[str, Any]) -> str:
    """For a terminal."""
    network, sizes = content["network"], content["bytes"]
    encoder = encoder_settings(network).describe()
    shape = f"{encoder}, embedding {network['embedding_dim']}, {network['pooling']} pooling"
    weights, tokenizer = (sizes[name] / 1e6 for name in (WEIGHTS_FILE, TOKENIZER_FILE))
    analyser = " ".join(f"{name} {number}" for name, number in (content["morphemes"] or {}).items())
    of_what = f"a review's morphemes, by {analyser}" if analyser else "a review"
    rows = {
        "bundle": content["folder"],
        "network": shape,
        "parameters": f"{content['parameters']:,} ({content['weights']})",
        "size": f"{weights:.2f} MB weights, {tokenizer:.2f} MB tokenizer",
        "vocabulary": f"{content['vocabulary']:,} byte-level BPE tokens",
        "reads": f"the first {content['longest review']} tokens of {of_what}",
        "answers": first_few(content["labels"], _SHOWN) or "nothing yet: a pretrained encoder",
        "trained by": content["command"] or "not known",
        **(_taught_by(content["teachers"]) if content["teachers"] else {}),
        "signature": content["signature"] or "none",
        "backend": content["backend"],
    }
    rows |= {name: f"{value:.4f}" for name, value in content["metrics"].items()}
    if confidence := content["confidence"]:
        rows["temperature"] = f"{confidence['temperature']:.4f}"
        before, after = confidence["calibration_error_before"], confidence["calibration_error"]
        rows["calibration"] = f"error {after:.4f}, without the temperature {before:.4f}"
        rows |= {
            f"surest {row['share']:.0%}": (
                f"{row['accuracy']:.1%} right, probability {row['probability']:.4f} and more"
            )
            for row in confidence["coverage"]
        }
    return "\n".join(harmless(f"{name:<{_COLUMN}}{value}") for name, value in rows.items())


def _taught_by(teachers: dict[str, Any]) -> dict[str, str]:
    rows = {"taught by": counted(teachers)} if teachers["count"] else {}
    if inherited := teachers.get("inherited"):
        rows["initial weights"] = f"taught by {uncounted(inherited)}"
    if morphemes := all_knowledge(teachers).morphemes:
        rows["teachers' morphemes"] = f"by {packages(morphemes)}"
    return rows
