"""`nsmc merge`: several bundles side by side in one, whose logits are the mean of theirs.

The networks keep to themselves: each weight matrix has one block for each of them, and zeros
elsewhere. Only the last layer adds them up. So the bundle is an ordinary one, of an encoder that is
as wide as all of them together, for whatever reads bundles.
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.conversion.card import merged_card, weights_card
from nsmc.conversion.convert import sample_texts
from nsmc.runtime.bundle import (
    CARD_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    BundleConfig,
    fill_bundle,
    whole_bundle,
)
from nsmc.runtime.golden import PROBES, write_vectors
from nsmc.runtime.loading import Bundle, read_bundle, refuse_giant
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.teachers import Knowledge, all_knowledge, merged, teachers_entry

# Keys of `config.json` in which none of them may differ, beside those of the architecture.
_IN_COMMON = ("pooling", "labels", "max_length", "pad_id", "morphemes")

# float32 adds up the logits of several networks in another order.
_LARGEST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Merged:
    """Where the bundle is, what it is like, and how far its logits are from the mean."""

    folder: Path
    config: BundleConfig
    bytes: int
    difference: float
    texts: int  # that were compared

    def __str__(self) -> str:
        return (
            f"{self.folder}: {self.bytes / 1e6:.2f} MB, embedding {self.config.embedding_dim}, "
            f"{self.config.encoder.describe()}; the mean of the logits within "
            f"{self.difference:.1g} on {self.texts} texts"
        )


def merge(folders: Sequence[Path], output: Path, names: Sequence[str] = ()) -> Merged:
    """Write the bundles of `folders`, which the user calls `names`, as one in float32 to `output`.

    Raises what `fill_merged` raises, and OSError where the output cannot be written.
    """
    for folder in folders:
        if output.resolve() == folder.resolve() or folder.resolve() in output.resolve().parents:
            raise ValueError(f"{output}: a bundle to merge is there; choose another --output")
    command = shlex.join(["nsmc", "merge", *(names or map(str, folders)), "--output", str(output)])
    with whole_bundle(output) as scratch:
        merged = fill_merged(scratch, folders, command, str(output))
    return replace(merged, folder=output)


def fill_merged(scratch: Path, folders: Sequence[Path], command: str, title: str) -> Merged:
    """Fill the empty folder `scratch` with the bundles of `folders` as one, called `title`.

    Each one's logits are divided by its temperature before the mean, so the answers are the
    geometric mean of the probabilities that the bundles answer with. What was measured of them,
    metrics and confidence, is left out. Raises what `read_bundle` raises, and ValueError for
    bundles that differ in more than their sizes or have the same weights.
    """
    if len(folders) < 2:
        raise ValueError("name at least two bundles to merge")
    bundles = [read_bundle(folder) for folder in folders]
    for folder, bundle in zip(folders, bundles, strict=True):
        _check_alike(folders[0], bundles[0].config, folder, bundle.config)
    _check_different(folders, bundles)
    config = _merged_config(command, [bundle.config for bundle in bundles])
    refuse_giant(config, f"{title}: ")
    card = merged_card(_first_card(folders[0], bundles), config, len(bundles))
    texts = [*PROBES, *sample_texts()]
    tensors = _merged_tensors(bundles, config)
    fill_bundle(scratch, config, tensors, folders[0] / TOKENIZER_FILE, card)
    difference = _difference(Predictor(read_bundle(scratch)), bundles, texts)
    if not difference <= _LARGEST_DIFFERENCE:
        raise ValueError(
            f"{title}: its logits would be {difference:.3g} off the mean of these bundles'; "
            "leave out the one with the largest logits"
        )
    write_vectors(scratch)
    size = (scratch / WEIGHTS_FILE).stat().st_size
    return Merged(scratch, config, size, difference, len(texts))


def _first_card(folder: Path, bundles: Sequence[Bundle]) -> str:
    """The card in the folder, which says so where the weights of any bundle were int8."""
    card = folder / CARD_FILE
    text = card.read_text("utf-8", errors="replace") if card.is_file() else ""
    were_int8 = any(bundle.config.dtype == "int8" for bundle in bundles)
    return weights_card(text, "int8" if were_int8 else "float32", "float32")


def _check_different(folders: Sequence[Path], bundles: Sequence[Bundle]) -> None:
    """Raises ValueError for weights that are there twice, which would bring nothing."""
    seen: dict[str, Path] = {}
    for folder, bundle in zip(folders, bundles, strict=True):
        digest = bundle.config.sha256[WEIGHTS_FILE]
        if digest in seen:
            raise ValueError(f"{folder}: the same weights as {seen[digest]}; name other runs")
        seen[digest] = folder


def _check_alike(ours: Path, one: BundleConfig, theirs: Path, other: BundleConfig) -> None:
    """Raises ValueError for bundles that cannot stand side by side."""
    if not other.labels:
        raise ValueError(f"{theirs}: a pretrained encoder, which classifies nothing yet")
    if one.pooling == "attention":
        raise ValueError(f"{ours}: attention looks at all of a state at once; it cannot be merged")
    if _tokens(ours) != _tokens(theirs):
        raise ValueError(
            f"{theirs}: its tokens are not those of {ours}; bundles that are merged have one "
            "tokenizer (data.tokenizer=RUN gives a run that of another one)"
        )
    size = one.encoder.size_setting
    our_values, their_values = _in_common(one, size), _in_common(other, size)
    for name, value in our_values.items():
        if (their_value := their_values.get(name)) != value:
            raise ValueError(
                f"{theirs}: {name}={_shown(their_value)}, where {ours} has {_shown(value)}; only "
                f"{size}, embedding_dim and weights may differ"
            )


def _in_common(config: BundleConfig, size: str) -> dict[str, Any]:
    """What must be the same; that of the encoder, in which architectures differ, comes first."""
    encoder: dict[str, Any] = asdict(config.encoder)  # type: ignore[call-overload]
    encoder.pop(size, None)
    return encoder | {key: getattr(config, key) for key in _IN_COMMON}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " and ".join(f"{name} {version}" for name, version in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _tokens(folder: Path) -> object:
    """The tokenizer of a bundle, but for where it cuts texts."""
    content = json.loads((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if key != "truncation"}


def _merged_config(command: str, configs: Sequence[BundleConfig]) -> BundleConfig:
    first = configs[0]
    size = first.encoder.size_setting
    encoder = replace(  # type: ignore[type-var]
        first.encoder, **{size: sum(getattr(config.encoder, size) for config in configs)}
    )
    return replace(
        first,
        encoder=encoder,
        embedding_dim=sum(config.embedding_dim for config in configs),
        dtype="float32",
        metrics={},
        signature="",
        command=command.encode("utf-8", "replace").decode(),
        reading=first.reading if all(c.reading == first.reading for c in configs) else None,
        confidence=None,
        teachers=_teachers(configs),
    )


def _teachers(configs: Iterable[BundleConfig]) -> dict[str, Any] | None:
    """What stands behind all of their teachers; these are not counted, as some may be the same."""
    known = [all_knowledge(config.teachers) for config in configs if config.teachers is not None]
    if not known:
        return None
    behind = Knowledge(
        merged(knowledge.morphemes for knowledge in known),
        any(knowledge.unknown for knowledge in known),
    )
    return teachers_entry([], behind)


def _merged_tensors(bundles: Sequence[Bundle], config: BundleConfig) -> dict[str, Array]:
    blocks = config.encoder.blocks()
    (states,) = blocks.pop("states")
    pooled = 2 * states if config.pooling == "max_mean" else states
    blocks |= {"embedding.weight": (0, 1), "ln1.weight": (0, pooled)}
    tensors = {
        name: side_by_side([bundle.tensors[name] for bundle in bundles], parts)
        for name, parts in blocks.items()
    }
    shares = [1 / (len(bundles) * bundle.config.temperature) for bundle in bundles]
    last = [
        share * bundle.tensors["ln1.weight"] for share, bundle in zip(shares, bundles, strict=True)
    ]
    tensors["ln1.weight"] = side_by_side(last, blocks["ln1.weight"])
    biases = [bundle.tensors["ln1.bias"] for bundle in bundles]
    tensors["ln1.bias"] = np.tensordot(np.asarray(shares, np.float32), np.stack(biases), 1)
    return tensors


def side_by_side(arrays: Sequence[Array], parts: Sequence[int]) -> Array:
    """One array with a block for each of these, and zeros elsewhere.

    `parts` says for each axis in how many parts it is, each of which takes one part of every
    array's; an axis with 0 parts is the same for all.
    """
    places = [
        _places([array.shape[axis] for array in arrays], count) for axis, count in enumerate(parts)
    ]
    shape = [max(int(indexes[-1]) + 1 for indexes in of_axis) for of_axis in places]
    joined = np.zeros(shape, np.float32)
    for array, *indexes in zip(arrays, *places, strict=True):
        joined[np.ix_(*indexes)] = array
    return joined


def _places(sizes: Sequence[int], count: int) -> list[Any]:
    """Where each array's numbers go along an axis in `count` parts, by the arrays' sizes there."""
    if count == 0:
        return [np.arange(size) for size in sizes]
    part = sum(sizes) // count
    starts = np.cumsum([0, *sizes]) // count
    return [
        np.concatenate([k * part + start + np.arange(size // count) for k in range(count)])
        for size, start in zip(sizes, starts, strict=False)
    ]


def _difference(predictor: Predictor, bundles: Sequence[Bundle], texts: list[str]) -> float:
    """The largest one of a logit from the mean of the bundles', as a share of logits beyond 1."""
    token_ids = predictor.encode(texts)
    of_each = [Predictor(each).logits(token_ids) / each.config.temperature for each in bundles]
    expected = np.mean(of_each, axis=0)
    difference = np.abs(predictor.logits(token_ids) - expected).max()
    return float(difference / max(1, np.abs(of_each).max()))
