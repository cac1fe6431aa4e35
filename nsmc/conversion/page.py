"""A bundle as one HTML page that classifies without a network, a server or another file.

The page's own files are in `nsmc/page`. What it carries of the bundle is one object: `config`, the
`tokenizer` (normalizers, the id of each byte), `vectors` that the page checks itself with, the
`card`, and the `arrays` (tensors, merges) by their place in `data`. That is compressed by zlib, of
which every browser has the other half, and written in letters, 16 of them for 13 bytes.
"""

import base64
import dataclasses
import hashlib
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

import nsmc
from nsmc.runtime.bundle import CARD_FILE, TOKENIZER_FILE, flat, refuse_morphemes
from nsmc.runtime.card import without_metadata
from nsmc.runtime.golden import vectors_of
from nsmc.runtime.int8 import restored, stored
from nsmc.runtime.loading import Bundle, read_vocabulary
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.tokenizer_file import byte_letters
from nsmc.small_files import read_json

LANGUAGES = ("auto", "ko", "en")
WEIGHTS = ("int8", "float16")

_PAGE = Path(nsmc.__file__).with_name("page")
_SCRIPTS = (
    "tokenizer.js",
    "network.js",
    "classifier.js",
    "texts.js",
    "table.js",
    "card.js",
    "page.js",
)
_MOST_IN_TITLE = 4  # labels
_LARGEST_TOKENIZER = 256 << 20  # bytes
_ALIGNED = 4  # bytes: where each array begins
_MERGES, _RESULTS = "tokenizer.merges", "tokenizer.results"
# What ASCII prints, but for the space and what JSON or HTML would have to escape: 91 letters.
_LETTERS = bytes(byte for byte in range(0x21, 0x7F) if chr(byte) not in '"<\\')
_BITS = 13  # that two letters hold: 91 x 91 is a little more than 2 to the 13th


def page_of(folder: Path, bundle: Bundle, *, weights: str, language: str) -> tuple[str, Predictor]:
    """The page, and a predictor with the weights that it has.

    Raises ValueError for a tokenizer that the page cannot have.
    """
    refuse_morphemes(bundle.config, "a page")
    tensors = _stored(bundle, weights)
    predictor = Predictor(dataclasses.replace(bundle, arrays=restored(tensors)))
    tokenizer, merges = _tokenizer(folder / TOKENIZER_FILE)
    places, data = _packed({**tensors, **merges})
    compressed = zlib.compress(data, 9)
    card = folder / CARD_FILE
    content = {
        # Not what was measured: it may be NaN, which browsers do not read.
        "config": flat(dataclasses.replace(bundle.config, metrics={})),
        "tokenizer": tokenizer,
        "arrays": places,
        "vectors": vectors_of(predictor, read_vocabulary(folder / TOKENIZER_FILE)),
        "card": without_metadata(card.read_text("utf-8")) if card.is_file() else "",
        "language": None if language == "auto" else language,
        "unsure_below": (bundle.config.confidence or {}).get("unsure_below") or 0,
        "size": len(compressed),
        "data": in_letters(compressed),
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


def _packed(
    arrays: Mapping[str, npt.NDArray[Any]],
) -> tuple[dict[str, dict[str, Any]], bytes]:
    """Type, shape and place of each array, and all of them one behind the other, little-endian."""
    places, data = dict[str, dict[str, Any]](), bytearray()
    for name, array in arrays.items():
        data += bytes(-len(data) % _ALIGNED)
        places[name] = {"dtype": str(array.dtype), "shape": [*array.shape], "offset": len(data)}
        data += np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return places, bytes(data)


def in_letters(content: bytes) -> str:
    """Two letters for each 13 bits, the lowest first; the last two are filled up with zeros."""
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    groups = np.pad(bits, (0, -len(bits) % _BITS)).reshape(-1, _BITS)
    values = groups @ (1 << np.arange(_BITS, dtype=np.uint16))
    pairs = np.stack(np.divmod(values, len(_LETTERS)), axis=1)
    return np.frombuffer(_LETTERS, np.uint8)[pairs].tobytes().decode()


def _tokenizer(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What the page needs of tokenizer.json, and its merges as ids.

    Of a merge the two parts are enough where the page can count the results: the first has the id
    `first`, and each new token the next one. Raises ValueError where that is not all of it.
    """
    content = read_json(path, _LARGEST_TOKENIZER)
    if content["pre_tokenizer"].get("add_prefix_space"):
        raise ValueError(f"{path}: adds a space before each text, which the page does not")
    vocabulary: dict[str, int] = content["model"]["vocab"]
    letters = byte_letters()
    if missing := [byte for byte, letter in enumerate(letters) if letter not in vocabulary]:
        raise ValueError(f"{path}: {len(missing)} of 256 bytes are no tokens; the page needs all")
    parts = [_parts(merge) for merge in content["model"]["merges"]]
    results = [left + right for left, right in parts]
    made = {*letters}
    for pair, result in zip(parts, results, strict=True):
        if not made.issuperset(pair):
            raise ValueError(f"{path}: the merge {' '.join(pair)!r} has a part that none makes")
        made.add(result)
    ids = [vocabulary[result] for result in results]
    merges = {_MERGES: _ids([[vocabulary[left], vocabulary[right]] for left, right in parts])}
    order = {result: number for number, result in enumerate(dict.fromkeys(results))}
    first = ids[0] if ids else 0
    if ids != [first + order[result] for result in results]:
        merges[_RESULTS] = _ids(ids)
    steps = _steps(content.get("normalizer"))
    known = {"normalizers": steps, "bytes": [vocabulary[letter] for letter in letters]}
    return {**known, "first": first}, merges


def _parts(merge: str | list[str]) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else merge


def _ids(ids: list[Any]) -> npt.NDArray[Any]:
    """Ids in two bytes each, or in four where one needs it."""
    array = np.array(ids, np.uint32)
    return array.astype(np.uint16) if array.max(initial=0) <= np.iinfo(np.uint16).max else array


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
