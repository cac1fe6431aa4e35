"""The bundle: the folder that a trained classifier is shipped as; its contract and its writing.

`nsmc.safetensors` (float32, float16 or int8 weights), `tokenizer.json`, `config.json` and a model
card, `README.md`; `test_vectors.json` for clients in other languages, and `tokenizer_config.json`
for transformers. In ONNX's form the weights are in `nsmc.onnx`.
Writing is atomic. Reading, which trusts nothing, is in `loading`.
"""

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from safetensors.numpy import save

from nsmc.atomic import is_unfinished, whole_folder, write_file
from nsmc.runtime.encoders.settings import EncoderSettings
from nsmc.runtime.int8 import SCALE, is_matrix, stored
from nsmc.runtime.packing import Array
from nsmc.runtime.tokenizer_file import portable, transformers_config

WEIGHTS_FILE = "nsmc.safetensors"
TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
VECTORS_FILE = "test_vectors.json"
ONNX_FILE = "nsmc.onnx"

NAMES = (  # of all files that a bundle may have
    *(WEIGHTS_FILE, ONNX_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE),
    *(CONFIG_FILE, CARD_FILE, VECTORS_FILE),
)

Pooling = Literal["last", "mean", "max", "max_mean", "attention"]
POOLINGS: tuple[str, ...] = get_args(Pooling)

MOST_LABELS = 32_767  # whose numbers fit into 16 bits
# Bytes that the weights, or the embedding folded with the input projection, may take in memory.
LARGEST_MEMORY = 8 << 30

_LONGEST_LABEL = 1_000  # characters

MOST_TOKENS = 65_536  # that `max_length` may be: a review's states are in memory together

DTYPES = {"float32": "F32", "float16": "F16", "int8": "I8"}  # their names in a safetensors file

# A list that is written line by line, of nothing but numbers; no text holds the end of a line.
_NUMBERS = re.compile(r"\[\n([\d\s.,eE+-]+)\n\s*\]")

FORMAT = "nsmc-bundle"
FORMAT_VERSION = 1
# Of bundles that read morphemes: what reads the first one alone would answer wrongly from it.
MORPHEMES_VERSION = 2


@dataclass(frozen=True)
class BundleConfig:
    """What `config.json` says: how to compute, what the answers mean, and where it comes from."""

    encoder: EncoderSettings  # in the file beside the other keys, not in a section of their own
    vocab_size: int
    embedding_dim: int
    pooling: str  # one of POOLINGS
    pad_id: int
    max_length: int  # tokens; what follows them in a longer review is not read
    labels: tuple[str, ...]  # two or more; none for a pretrained encoder: it classifies nothing yet
    dtype: str = "float32"  # of the weights in the file, one of DTYPES; computed in float32
    metrics: dict[str, float] = field(default_factory=dict)
    signature: str = ""  # of the run that trained it
    command: str = ""  # that trained it
    reading: dict[str, Any] | None = None  # how its corpus's files were read; see `file_form`
    confidence: dict[str, Any] | None = None  # how far to trust its probabilities; see there
    # Kiwi's packages and versions, where the tokenizer reads what they make of a text
    morphemes: dict[str, str] | None = None
    teachers: dict[str, Any] | None = None  # of a student; see there
    # Of the weights and the tokenizer; filled in when a bundle is written.
    sha256: dict[str, str] = field(default_factory=dict, compare=False)
    format: str = FORMAT
    format_version: int = FORMAT_VERSION

    @property
    def temperature(self) -> float:
        """What the logits are divided by before their softmax."""
        return float(self.confidence["temperature"]) if self.confidence else 1.0


def refuse_morphemes(config: BundleConfig, form: str) -> None:
    """Raises ValueError for a bundle that reads morphemes, where a form cannot make them."""
    if config.morphemes is not None:
        raise ValueError(
            f"the bundle reads morphemes, which {form} cannot make; teach a student with it "
            "(distill.teachers), and convert that"
        )


def pooled_width(pooling: str, width: int) -> int:
    """How many numbers pooling makes of states of `width` numbers."""
    return 2 * width if pooling == "max_mean" else width


def expected_shapes(config: BundleConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor that a bundle with this configuration must hold."""
    width = config.encoder.width
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (config.vocab_size, config.embedding_dim),
        **config.encoder.shapes(config.embedding_dim),
    }
    if not config.labels:  # a pretrained encoder
        return shapes
    if config.pooling == "attention":
        shapes["attention.weight"] = (1, width)
    shapes["ln1.weight"] = (len(config.labels), pooled_width(config.pooling, width))
    shapes["ln1.bias"] = (len(config.labels),)
    return shapes


def parameter_count(config: BundleConfig) -> int:
    return sum(math.prod(shape) for shape in expected_shapes(config).values())


def stored_arrays(config: BundleConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The name, type and shape of each array in the weights' file; see `int8` for its scales."""
    arrays = dict[str, tuple[str, tuple[int, ...]]]()
    for name, shape in expected_shapes(config).items():
        is_coded = config.dtype == "int8" and is_matrix(shape)
        dtype = "float32" if config.dtype == "int8" and not is_coded else config.dtype
        arrays[name] = DTYPES[dtype], shape
        if is_coded:
            arrays[f"{name}{SCALE}"] = DTYPES["float32"], shape[:1]
    return arrays


def memory_needed(encoder: EncoderSettings, vocab_size: int, embedding_dim: int) -> int:
    """Bytes of the weights, or of the tables of tokens where these take more; without the head."""
    weights = sum(map(math.prod, encoder.shapes(embedding_dim).values()))
    return 4 * max(vocab_size * embedding_dim + weights, vocab_size * encoder.table_width)


def are_labels(names: Sequence[str]) -> bool:
    """Whether they can name labels: two or more different texts that can be printed."""
    are_readable = all(0 < len(name) <= _LONGEST_LABEL and name.isprintable() for name in names)
    return are_readable and 2 <= len(names) == len({*names}) <= MOST_LABELS


@contextlib.contextmanager
def whole_bundle(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, that is at `folder` once the body has ended well.

    An older bundle is replaced. Raises ValueError where something else is there, and what
    `whole_folder` raises.
    """
    folder = folder.resolve() if folder.is_symlink() else folder  # a link stays one
    _check_replaceable(folder)
    with whole_folder(folder) as scratch:
        yield scratch


def _check_replaceable(folder: Path) -> None:
    """Raises ValueError where `folder` is there and is not a bundle."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose another place for the bundle")
    entries = [entry for entry in folder.iterdir() if not is_unfinished(entry.name)]
    for entry in sorted(entries):
        if entry.name not in NAMES or entry.is_dir():
            raise ValueError(
                f"{folder} holds {entry.name}, which is no part of a bundle and would be lost; "
                "move it away, or choose another place for the bundle"
            )
    if entries and not any((folder / name).is_file() for name in (WEIGHTS_FILE, ONNX_FILE)):
        raise ValueError(f"{folder} is no bundle; choose another place for the bundle")


def fill_bundle(
    folder: Path,
    config: BundleConfig,
    tensors: Mapping[str, Array],
    tokenizer_file: Path,
    card: str,
) -> None:
    """Write a bundle's files into an empty folder.

    Raises ValueError where the tensors are not those that the configuration calls for.
    """
    shapes, expected = {name: t.shape for name, t in tensors.items()}, expected_shapes(config)
    if shapes != expected:
        raise ValueError(f"the weights {shapes} are not those of the configuration: {expected}")
    if config.dtype == "int8":
        plain = {name: np.ascontiguousarray(t) for name, t in stored(tensors).items()}
    else:
        plain = {name: np.ascontiguousarray(t, dtype=config.dtype) for name, t in tensors.items()}
    architecture = config.encoder.architecture
    metadata = {"format": "pt", "model": f"{FORMAT} {FORMAT_VERSION}", "cell": architecture}
    (folder / WEIGHTS_FILE).write_bytes(_ordered(save(plain, metadata=metadata)))
    write_tokenizer(folder, config, tokenizer_file)
    complete = replace(config, sha256=digests(folder))
    (folder / CONFIG_FILE).write_text(config_json(complete), encoding="utf-8")
    (folder / CARD_FILE).write_text(card, encoding="utf-8")


def write_tokenizer(folder: Path, config: BundleConfig, tokenizer_file: Path) -> None:
    """Write `tokenizer.json`, which cuts texts at `max_length` by itself, and its configuration.

    There is none where morphemes are read: whoever loads it would have the tokenizer read the text.
    """
    content = portable(tokenizer_file.read_text(encoding="utf-8"), config.max_length)
    (folder / TOKENIZER_FILE).write_text(content, encoding="utf-8")
    if config.morphemes is not None:
        return
    settings = json.dumps(transformers_config(config.max_length), indent=2) + "\n"
    (folder / TOKENIZER_CONFIG_FILE).write_text(settings, encoding="utf-8")


def _ordered(content: bytes) -> bytes:
    """A safetensors file whose header is the same for the same tensors.

    The library writes metadata in an order that changes from call to call; the digest of a bundle
    must not. The format: 8 bytes of the header's length, the header, padded with spaces, the data.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":"))
    padded = header.encode().ljust(-(-len(header.encode()) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + content[8 + size :]


def rewrite_config(folder: Path, config: BundleConfig, card: str) -> None:
    """Replace `config.json` and the model card, each atomically, when more metrics are known."""
    config = replace(config, sha256=digests(folder))
    for name, text in ((CONFIG_FILE, config_json(config)), (CARD_FILE, card)):
        write_file(folder / name, text)


def digests(folder: Path, names: Sequence[str] = (WEIGHTS_FILE, TOKENIZER_FILE)) -> dict[str, str]:
    """The SHA-256 of a bundle's files, by default the weights and the tokenizer, hexadecimal."""
    sha256 = {}
    for name in names:
        with (folder / name).open("rb") as file:
            sha256[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sha256


def config_json(config: BundleConfig) -> str:
    """The content of `config.json`."""
    return json_text(flat(config))


def json_text(values: dict[str, Any]) -> str:
    """JSON for people, too: the numbers of a list stand in one line."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    return _NUMBERS.sub(lambda found: f"[{' '.join(found.group(1).split())}]", text)


def flat(config: BundleConfig) -> dict[str, Any]:
    """The keys and values of `config.json`: those of the encoder are among the others."""
    values = asdict(config)
    for key in ("morphemes", "teachers"):  # which most bundles have nothing to say of
        if values[key] is None:
            del values[key]
    return {**values.pop("encoder"), **values}
