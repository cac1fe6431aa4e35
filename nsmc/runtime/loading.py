"""Reads a bundle and checks all of it; nothing in a bundle is ever executed.

Names, sizes, shapes and types are compared with the configuration, and files with their digests,
before a weight is read.
"""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from nsmc.runtime.bundle import (
    CONFIG_FILE,
    DTYPES,
    FORMAT,
    FORMAT_VERSION,
    LARGEST_MEMORY,
    MORPHEMES_VERSION,
    MOST_LABELS,
    MOST_TOKENS,
    POOLINGS,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    BundleConfig,
    are_labels,
    digests,
    memory_needed,
    stored_arrays,
)
from nsmc.runtime.confidence import check_confidence
from nsmc.runtime.encoders import ENCODERS, encoder_settings
from nsmc.runtime.encoders.settings import expected, is_allowed, own_settings
from nsmc.runtime.int8 import restored
from nsmc.runtime.morphemes import PACKAGES
from nsmc.runtime.packing import Array, Numbers
from nsmc.runtime.teachers import check_teachers
from nsmc.runtime.tokenizer import BundleTokenizer, check_process
from nsmc.runtime.tokenizer_file import NO_LETTERS, check_vocabulary
from nsmc.small_files import read_bytes, read_json, read_text

_LARGEST_CONFIG = 16 << 20  # bytes; most have a thousand, those of many labels more
_LARGEST_HEADER = 1 << 20  # bytes of the weights' file that are no weights
_LARGEST_TOKENIZER = 256 << 20  # bytes; a million tokens take some 80 MB

_NORMALIZERS = ("NFC", "NFD", "NFKC", "NFKD", "Strip", "Lowercase", "Replace", "Sequence")
_MOST_NORMALIZERS = 32
_DEEPEST_SEQUENCE = 4
_LARGEST_GROWTH = 8  # of a text by all Replace normalizers together
_MOST = 2**31 - 1  # tokens of a vocabulary, and dimensions

_SIZES = {"F32": 4, "F16": 2, "I8": 1}  # bytes of a number

# Beyond any weight that was trained; sums of such numbers stay finite in float32.
_LARGEST_WEIGHT = 1e6


@dataclass(frozen=True)
class Bundle:
    """A checked bundle in memory.

    Its arrays are those of the file, in float16 as well as in float32; of int8, the numbers.
    """

    config: BundleConfig
    arrays: Mapping[str, Numbers]
    tokenizer: BundleTokenizer

    @cached_property
    def tensors(self) -> dict[str, Array]:
        """The same in float32; float16 is widened when they are first asked for."""
        return {name: array.astype(np.float32, copy=False) for name, array in self.arrays.items()}


def read_bundle(folder: Path) -> Bundle:
    """Read and check a bundle.

    Raises FileNotFoundError for a missing folder or file, ValueError, in one line that names the
    file, for anything that is not a sound bundle.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; a bundle is a folder")
    for name in (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            problem = "is not a regular file" if (folder / name).exists() else "is missing"
            raise FileNotFoundError(f"{folder}: not a bundle, {name} {problem}")
    config = read_config(folder / CONFIG_FILE)
    _refuse_giants(folder, config)
    # Before anything is parsed: damage can make a parser fail in ways that cannot be caught.
    for name, digest in digests(folder).items():
        if config.sha256.get(name) != digest:
            raise ValueError(f"{folder / name}: altered; its SHA-256 is not the one in config.json")
    arrays = _read_weights(folder / WEIGHTS_FILE, config)
    return Bundle(config, arrays, _read_tokenizer(folder / TOKENIZER_FILE, config))


def largest_sizes(config: BundleConfig) -> dict[str, int]:
    """The most bytes that the weights and the tokenizer of a bundle may have."""
    arrays = stored_arrays(config).values()
    return {
        WEIGHTS_FILE: sum(_SIZES[t] * math.prod(shape) for t, shape in arrays) + _LARGEST_HEADER,
        TOKENIZER_FILE: _LARGEST_TOKENIZER,
    }


def _refuse_giants(folder: Path, config: BundleConfig) -> None:
    """Raises ValueError for files larger than the configuration allows, before one is read."""
    for name, limit in largest_sizes(config).items():
        size = (folder / name).stat().st_size
        if size > limit:
            raise ValueError(f"{folder / name}: {size:,} bytes; at most {limit:,} are expected")
    refuse_giant(config, f"{folder / CONFIG_FILE}: ")


def refuse_giant(config: BundleConfig, where: str = "") -> None:
    """Raises ValueError, which begins with `where`, for a network larger than any that is used."""
    needed = memory_needed(config.encoder, config.vocab_size, config.embedding_dim)
    if needed > LARGEST_MEMORY:
        raise ValueError(f"{where}would take {needed >> 30} GB of memory to use")


def read_config(path: Path) -> BundleConfig:
    """Read and check a bundle's `config.json`; raises ValueError for one that is damaged."""
    content = read_json(path, _LARGEST_CONFIG)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'{path}: not the configuration of a bundle (no "format": "{FORMAT}")')
    version = content.get("format_version")
    if type(version) is not int or version not in (FORMAT_VERSION, MORPHEMES_VERSION):
        raise ValueError(
            f"{path}: format_version {repr(version)[:40]}; this program reads {FORMAT_VERSION} and "
            f"{MORPHEMES_VERSION}"
        )
    if "cell" in content:  # what the first bundles call it
        content.setdefault("architecture", content["cell"])
    _check_config(path, content)
    # What later versions add is ignored.
    values = {
        each.name: content[each.name] for each in fields(BundleConfig) if each.name in content
    }
    values |= {"encoder": encoder_settings(content), "labels": tuple(content["labels"])}
    return BundleConfig(**values)


def _check_config(path: Path, values: dict[str, Any]) -> None:
    def require(key: str, good: bool, wanted: str) -> None:
        if not good:
            value = repr(values[key])[:40] if key in values else "missing"
            raise ValueError(f"{path}: {key} is {value}; expected {wanted}")

    for key, choices in (("architecture", ENCODERS), ("pooling", POOLINGS)):
        require(key, values.get(key) in tuple(choices), ", ".join(choices))
    for key, annotation in own_settings(ENCODERS[values["architecture"]]).items():
        require(key, is_allowed(annotation, values.get(key)), expected(annotation))
    for key, most in (("vocab_size", _MOST), ("embedding_dim", _MOST), ("max_length", MOST_TOKENS)):
        size = values.get(key)
        require(key, type(size) is int and 0 < size <= most, f"a positive integer up to {most:,}")
    require("pad_id", type(values.get("pad_id")) is int and values["pad_id"] == 0, "0")
    for key in ("signature", "command"):
        require(key, isinstance(values.get(key, ""), str), "a text")
    labels: Any = values.get("labels")
    are_names = isinstance(labels, list) and all(isinstance(name, str) for name in labels)
    are_right = are_names and (not labels or are_labels(labels))
    require("labels", are_right, f"two to {MOST_LABELS:,} different names that can be printed")
    require("dtype", values.get("dtype", "float32") in tuple(DTYPES), " or ".join(DTYPES))
    metrics = values.get("metrics", {})
    are_numbers = isinstance(metrics, dict) and all(
        type(value) is float or (type(value) is int and abs(value) <= 2**53)
        for value in metrics.values()
    )
    require("metrics", are_numbers, "a table of numbers")
    require("sha256", isinstance(values.get("sha256"), dict), "a table")
    if values.get("reading") is not None:
        from nsmc.runtime.file_form import check_reading  # with all that reads files

        try:
            check_reading(values["reading"], labels)
        except ValueError as error:
            raise ValueError(f"{path}: reading is damaged: {error}") from None
    if values["format_version"] == FORMAT_VERSION:
        require("morphemes", values.get("morphemes") is None, "none in this format_version")
    else:
        versions = values.get("morphemes")
        are_versions = isinstance(versions, dict) and all(
            isinstance(versions.get(name), str) for name in PACKAGES
        )
        require("morphemes", are_versions, f"the versions of {' and '.join(PACKAGES)}")
    for key, check in (("confidence", check_confidence), ("teachers", check_teachers)):
        if values.get(key) is not None:
            try:
                check(values[key])
            except ValueError as error:
                raise ValueError(f"{path}: {key} is damaged: {error}") from None


def _read_weights(path: Path, config: BundleConfig) -> Mapping[str, Numbers]:
    expected_arrays = stored_arrays(config)
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no dict
            for name in sorted(expected_arrays.keys() ^ slices.keys()):
                problem = "is missing" if name in expected_arrays else "does not belong there"
                raise ValueError(f"{path}: tensor {name!r} {problem}")
            for name, (wanted, shape) in expected_arrays.items():
                dtype, actual = slices[name].get_dtype(), tuple(slices[name].get_shape())
                if (dtype, actual) != (wanted, shape):
                    raise ValueError(
                        f"{path}: tensor {name!r} is {dtype} {list(actual)}; "
                        f"config.json calls for {wanted} {list(shape)}"
                    )
            arrays = {name: file.get_tensor(name) for name in expected_arrays}
    except SafetensorError as error:
        details = " ".join(str(error).split())[:100]
        raise ValueError(f"{path}: not a safetensors file, or damaged ({details})") from None
    arrays = restored(arrays) if config.dtype == "int8" else arrays
    for name, array in arrays.items():
        if not _are_moderate(array):
            raise ValueError(f"{path}: tensor {name!r} has values that are not finite or too large")
    return arrays


def _are_moderate(array: Numbers) -> bool:
    """Whether all are finite, and below the largest weight."""
    if array.dtype == np.float16:  # which holds none so large; its bits are compared faster
        infinite = 0x7C00
        largest, least = array.view(np.int16).max(), array.view(np.uint16).max()
        return bool(largest < infinite and least < 0x8000 | infinite)
    # Written so that NaN, which both of these pass on, fails, too.
    return bool(array.max() < _LARGEST_WEIGHT and array.min() > -_LARGEST_WEIGHT)


def read_tokenizer(path: Path) -> BundleTokenizer:
    """Read and check a `tokenizer.json`.

    Raises ValueError, in one line that names the file, for one that is damaged or is not of the
    kind that bundles have.
    """
    check_process()
    with _damage_named(path):
        content = read_bytes(path, _LARGEST_TOKENIZER)
        # And not all of its JSON, which would be in memory with the library's.
        parts = _parts(content.decode("utf-8"))
        return BundleTokenizer.read(path, content, *parts)


def read_vocabulary(path: Path) -> dict[str, int]:
    """The id of each token of a `tokenizer.json`; raises as `read_tokenizer` does."""
    with _damage_named(path):
        content = json.loads(read_text(path, _LARGEST_TOKENIZER))
        _check_tokenizer(content)
        vocabulary: dict[str, int] = content["model"]["vocab"]
        return vocabulary


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Raises ValueError, in one line that names the file, for whatever its reading raises."""
    try:
        yield
    except MemoryError:
        raise
    except BaseException as error:
        # A panic of the library's is no Exception; what a signal's handler raises is none, either.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        details = " ".join(str(error).split())[:100]
        raise ValueError(f"{path}: not a tokenizer, or damaged ({details})") from None


def _parts(text: str) -> tuple[int, bool, frozenset[int]]:
    """Of a checked tokenizer how many tokens it has, whether it replaces, its lone bytes."""
    content = json.loads(text)
    normalizers, vocabulary = _check_tokenizer(content), content["model"]["vocab"]
    lone = frozenset(vocabulary[each] for each in NO_LETTERS if each in vocabulary)
    return len(vocabulary), "Replace" in normalizers, lone


def _read_tokenizer(path: Path, config: BundleConfig) -> BundleTokenizer:
    tokenizer = read_tokenizer(path)
    if tokenizer.vocab_size != config.vocab_size:
        raise ValueError(
            f"{path}: {tokenizer.vocab_size} tokens; "
            f"config.json calls for vocab_size {config.vocab_size}"
        )
    return tokenizer


def _check_tokenizer(content: dict[str, Any]) -> list[str]:
    """Raises ValueError for what the contract leaves out: it could answer differently, or panic.

    Returns the types of the normalizers.
    """
    model = content["model"]
    if model["type"] != "BPE" or model.get("dropout") or model.get("byte_fallback"):
        raise ValueError("not a plain BPE model")
    affixes = ("continuing_subword_prefix", "end_of_word_suffix", "unk_token")
    if any(model.get(key) for key in affixes) or content.get("post_processor"):
        raise ValueError("has affixes, unknown tokens or a post-processor")
    if model["vocab"].get("<pad>") != 0 or content.get("added_tokens"):
        raise ValueError("<pad> is not id 0, or there are added tokens")
    ids = model["vocab"].values()  # tokenizers 1.0 has a table up to the highest
    if min(ids) < 0 or max(ids) >= len(ids):
        raise ValueError(f"{len(ids)} tokens with ids from {min(ids)} to {max(ids)}")
    check_vocabulary(model["vocab"])
    pre_tokenizer = content["pre_tokenizer"]
    if pre_tokenizer["type"] != "ByteLevel" or pre_tokenizer.get("use_regex") is False:
        raise ValueError("not byte-level words")
    return _check_normalizers(content["normalizer"]) if content.get("normalizer") else []


def _check_normalizers(normalizer: dict[str, Any]) -> list[str]:
    """Raises ValueError for what the contract leaves out, and for what makes a text explode.

    Returns the types.
    """
    normalizers = list(_flat(normalizer, _DEEPEST_SEQUENCE))
    if len(normalizers) > _MOST_NORMALIZERS:
        raise ValueError(f"{len(normalizers)} normalizers; at most {_MOST_NORMALIZERS} are read")
    growth = 1.0
    for each in normalizers:
        if each["type"] not in _NORMALIZERS:
            raise ValueError(f"normalizer {each['type']} is none of {', '.join(_NORMALIZERS)}")
        if each["type"] == "Replace":
            if not each["pattern"].get("String"):
                raise ValueError("a Replace normalizer without a plain text to replace")
            before, after = each["pattern"]["String"].encode(), each["content"].encode()
            growth *= max(len(after) / len(before), 1)
    if growth > _LARGEST_GROWTH:
        raise ValueError(f"normalizers that make a text {growth:.0f} times as long")
    return [each["type"] for each in normalizers]


def _flat(normalizer: dict[str, Any], deepest: int) -> Iterator[dict[str, Any]]:
    """The normalizer, or those of a Sequence in order."""
    if normalizer["type"] != "Sequence":
        yield normalizer
        return
    if not deepest:
        raise ValueError("normalizers nested too deeply")
    for each in normalizer["normalizers"]:
        yield from _flat(each, deepest - 1)
