"""A bundle as one HTML page that classifies without a network, a server or another file.

The page's own files are in `nsmc/page`. What it carries of the bundle is one object: `config`, the
`tokenizer` (normalizers, the id of each byte, the merges as ids), the `tensors` by their place in
`data`, `vectors` that the page checks itself with, and the `card`.
"""

import base64
import dataclasses
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

import nsmc
from nsmc.runtime.bundle import CARD_FILE, TOKENIZER_FILE, flat
from nsmc.runtime.card import without_metadata
from nsmc.runtime.golden import vectors_of
from nsmc.runtime.int8 import SCALE, restored, stored
from nsmc.runtime.loading import Bundle, read_vocabulary
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.tokenizer_file import byte_letters
from nsmc.small_files import read_json

LANGUAGES = ("auto", "ko", "en")
WEIGHTS = ("int8", "float16")

_PAGE = Path(nsmc.__file__).with_name("page")
_SCRIPTS = ("tokenizer.js", "network.js", "classifier.js", "texts.js", "table.js", "page.js")
_MOST_IN_TITLE = 4  # labels
_LARGEST_TOKENIZER = 256 << 20  # bytes
_ALIGNED = 4  # bytes: where each array begins


def page_of(folder: Path, bundle: Bundle, *, weights: str, language: str) -> tuple[str, Predictor]:
    """The page, and a predictor with the weights that it has.

    Raises ValueError for a tokenizer that the page cannot have.
    """
    arrays, data = _stored(bundle, weights), _Data()
    tensors = {name: each.astype(np.float32) for name, each in restored(arrays).items()}
    predictor = Predictor(dataclasses.replace(bundle, tensors=tensors))
    card = folder / CARD_FILE
    content = {
        "config": flat(bundle.config),
        "tokenizer": _tokenizer(folder / TOKENIZER_FILE, data),
        "tensors": _about(arrays, data),
        "vectors": vectors_of(predictor, read_vocabulary(folder / TOKENIZER_FILE)),
        "card": without_metadata(card.read_text("utf-8")) if card.is_file() else "",
        "language": None if language == "auto" else language,
        "unsure_below": (bundle.config.confidence or {}).get("unsure_below") or 0,
        "data": base64.b64encode(bytes(data.content)).decode(),
    }
    return _page(content, bundle.config.labels), predictor


def _stored(bundle: Bundle, weights: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays that the page has; raises ValueError for weights too large for their type."""
    if weights == "int8":
        return stored(bundle.tensors)
    largest = max(float(np.abs(tensor).max()) for tensor in bundle.tensors.values())
    if largest > float(np.finfo(np.float16).max):
        raise ValueError(f"weights up to {largest:.3g} do not fit into float16")
    return {name: tensor.astype(np.float16) for name, tensor in bundle.tensors.items()}


class _Data:
    """Arrays one behind the other."""

    def __init__(self) -> None:
        self.content = bytearray()

    def add(self, array: npt.NDArray[Any]) -> int:
        """Append an array, little-endian; returns where it begins."""
        self.content += bytes(-len(self.content) % _ALIGNED)
        start = len(self.content)
        self.content += np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        return start


def _about(arrays: Mapping[str, npt.NDArray[Any]], data: _Data) -> list[dict[str, Any]]:
    """Name, type, shape and place of each tensor, and where the scales of its rows are."""
    places = {name: data.add(array) for name, array in arrays.items()}
    return [
        {
            "name": name,
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "offset": places[name],
            "scale": places.get(f"{name}{SCALE}"),
        }
        for name, array in arrays.items()
        if not name.endswith(SCALE)
    ]


def _tokenizer(path: Path, data: _Data) -> dict[str, Any]:
    """What the page needs of tokenizer.json; raises ValueError where that is not all of it."""
    content = read_json(path, _LARGEST_TOKENIZER)
    if content["pre_tokenizer"].get("add_prefix_space"):
        raise ValueError(f"{path}: adds a space before each text, which the page does not")
    vocabulary: dict[str, int] = content["model"]["vocab"]
    letters = byte_letters()
    if missing := [byte for byte, letter in enumerate(letters) if letter not in vocabulary]:
        raise ValueError(f"{path}: {len(missing)} of 256 bytes are no tokens; the page needs all")
    merges = []
    for merge in content["model"]["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        merges += [vocabulary[left], vocabulary[right], vocabulary[left + right]]
    return {
        "normalizers": _steps(content.get("normalizer")),
        "bytes": [vocabulary[letter] for letter in letters],
        "merges": {"offset": data.add(np.array(merges, np.uint32)), "length": len(merges)},
    }


def _steps(normalizer: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The normalizers in order, whatever sequences they are in."""
    if normalizer is None:
        return []
    if normalizer["type"] != "Sequence":
        return [normalizer]
    return [step for each in normalizer["normalizers"] for step in _steps(each)]


def _page(content: dict[str, Any], labels: Sequence[str]) -> str:
    style = (_PAGE / "page.css").read_text("utf-8")
    # Each file in a block of its own, so that what it declares stays there.
    script = "\n".join(f"{{\n{(_PAGE / name).read_text('utf-8')}}}" for name in _SCRIPTS)
    # In a script, only this could end it.
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Template((_PAGE / "page.html").read_text("utf-8")).substitute(
        title=html.escape(" · ".join([*labels[:_MOST_IN_TITLE], "…"][: len(labels)])),
        style=style,
        style_digest=_digest(style),
        script=script,
        script_digest=_digest(script),
        content=text,
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
