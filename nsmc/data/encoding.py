"""Turns corpus files into memory-mapped token ids, once for each content and setting.

Trains the tokenizer on the training part and encodes all parts. The result is a cached folder:
`tokenizer.json` and three arrays for each part; of what is measured on, also who the reviews are.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import Tokenizer

from nsmc.comparison.answers import PARTS, ReviewKeys, as_ids
from nsmc.comparison.slices import slices_of
from nsmc.data.cache import cached_folder, digest_of, digest_of_file, load_arrays, save_arrays
from nsmc.data.corpus import LabelArray, Reviews
from nsmc.data.files import UNLABELLED, CorpusFiles, log_summary, summary_of
from nsmc.data.morphemes import texts_to_read
from nsmc.data.preparation import Progress, return_memory
from nsmc.data.tokenizer import IntArray, Texts, encode, save_tokenizer, train_tokenizer
from nsmc.reading.rows import format_of
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.morphemes import analyser_versions
from nsmc.runtime.tokenizer import BundleTokenizer
from nsmc.runtime.tokenizer_file import portable

log = logging.getLogger(__name__)

_FIELDS = ("token_ids", "offsets", "labels")  # of EncodedReviews: the arrays that are kept
_KEYS = ("ids", "slices")  # of ReviewKeys

_FORMAT = 8  # raised when the cached files change their meaning


@dataclass(frozen=True)
class EncodedReviews:
    """N reviews as token ids, one after the other in a flat array.

    `token_ids` [total tokens]; review i is `token_ids[offsets[i]:offsets[i + 1]]`; `offsets`
    [N + 1]; `labels` [N]; `targets` [N, C] are probabilities of the C labels that training aims at
    instead of the labels. The arrays may be memory-mapped and read-only.
    """

    token_ids: npt.NDArray[np.integer[Any]]
    offsets: IntArray
    labels: LabelArray
    targets: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def lengths(self, epoch: int) -> IntArray:
        """The tokens of each review [N]; the same in every epoch."""
        return np.diff(self.offsets)

    def select(self, rows: IntArray, epoch: int) -> tuple["EncodedReviews", IntArray]:
        """Reviews that hold those in `rows`, and their indices there; the same in every epoch."""
        return self, rows

    def review(self, row: int) -> npt.NDArray[np.int64]:
        """The token ids of one review [T]."""
        return self.token_ids[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)


@dataclass(frozen=True)
class TokenizerSettings:
    """How the tokenizer is trained; or, as `file`, a `tokenizer.json` to use instead.

    With `morphemes` it reads the morphemes of the texts.
    """

    vocab_size: int
    min_frequency: int
    normalization: str
    file: Path | None = None
    morphemes: bool = False


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded parts, the tokenizer, and the fingerprints of what they were made from.

    The parts are train, val and, where they are wanted, test and unlabelled. `labels` are the names
    of the labels by number. `keys` say who the reviews of val and test are.
    """

    splits: dict[str, EncodedReviews]
    labels: tuple[str, ...]
    tokenizer_path: Path
    corpus_fingerprint: str
    tokenizer_fingerprint: str
    keys: dict[str, ReviewKeys] = field(default_factory=dict)

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.tokenizer_path))


def take_any(reviews: Mapping[str, int]) -> None:
    """The check of a corpus's size for those who have none."""


def encode_corpus(
    files: CorpusFiles,
    settings: TokenizerSettings,
    cache_dir: Path,
    check: Callable[[Mapping[str, int]], None] = take_any,
) -> EncodedCorpus:
    """Encode the corpus, unless a run did it before: the result is kept under `cache_dir`.

    `check` gets the number of reviews of each part before they are encoded. Raises what it and
    `CorpusFiles.read` raise, and OSError where `cache_dir` cannot be written.
    """
    corpus_fingerprint = files.fingerprint()
    paths = [path for path in (files.train, files.validation, files.test, files.unlabelled) if path]
    key = {
        **asdict(settings),
        "format": _FORMAT,
        "tokenizers": tokenizers.__version__,
        "corpus": corpus_fingerprint,
        "split": asdict(files.split),
        "form": asdict(files.form),
        "formats": [format_of(str(path), files.form.file_format) for path in paths],
        "label_order": [*(files.form.labels.mapping or ())],  # digests do not see that of a mapping
        "file": digest_of_file(settings.file) if settings.file else None,
        "morphemes": analyser_versions() if settings.morphemes else None,
        "unlabelled": digest_of_file(files.unlabelled) if files.unlabelled else None,
        "has_test": files.test is not None,  # a published one counts in the fingerprint anyway
    }
    folder = cache_dir / digest_of(key)
    built = cached_folder(folder, lambda scratch: _build(scratch, files, settings, folder, check))
    info = json.loads((folder / "info.json").read_text())
    check(info["reviews"])
    splits = {name: _open(folder, name) for name in info["reviews"]}
    labels = tuple(info["labels"])
    files.check_labels(
        labels, splits["train"].labels
    )  # a language model may have encoded the corpus
    how = f"encoded into {folder}" if built else f"encoded earlier ({folder})"
    log_summary(info, files.train.parent, how)
    return EncodedCorpus(
        splits=splits,
        labels=labels,
        tokenizer_path=folder / "tokenizer.json",
        corpus_fingerprint=corpus_fingerprint,
        tokenizer_fingerprint=digest_of_file(folder / "tokenizer.json")[:16],
        keys={name: _open_keys(folder, name) for name in PARTS if name in splits},
    )


def _build(
    scratch: Path,
    files: CorpusFiles,
    settings: TokenizerSettings,
    folder: Path,
    check: Callable[[Mapping[str, int]], None],
) -> None:
    """Fill `scratch`, which becomes `folder`."""
    read = [files.train, files.validation, files.test, files.unlabelled]
    log.info("reading %s", " and ".join(str(path) for path in read if path))
    reviews = files.read()
    info = {**summary_of(reviews), "labels": reviews["train"].label_names}
    check(info["reviews"])
    for name in reviews.keys() & set(PARTS):
        _save_keys(scratch, name, reviews[name])
    labels = {name: part.labels for name, part in reviews.items()}
    texts = {
        name: TextsOnDisk(
            scratch / f"{name}.texts", texts_to_read(part.texts, settings.morphemes, folder.parent)
        )
        for name, part in reviews.items()
    }
    del reviews
    tokenizer_file = settings.file
    if tokenizer_file is None:
        # In a folder of its own: its minutes are not lost where the encoding is interrupted.
        trained = folder.with_name(f"{folder.name}-tokenizer")
        tokenizer_file = trained / "tokenizer.json"
        cached_folder(trained, lambda scratch: _train(scratch, texts, settings))
    tokenizer = read_tokenizer(tokenizer_file)
    # A bundle's cuts texts at its own max_length, which is not this run's.
    content = portable(tokenizer_file.read_text(encoding="utf-8"), max_length=None)
    (scratch / "tokenizer.json").write_text(content, encoding="utf-8")
    for name, part in texts.items():
        log.info("encoding %s: %s reviews", name, f"{len(part):,}")
        encoded = encode_texts(tokenizer, part, labels[name])
        save_arrays(scratch, **{f"{name}.{key}": getattr(encoded, key) for key in _FIELDS})
        part.remove()
        return_memory()
    (scratch / "info.json").write_text(json.dumps(info))


def _train(scratch: Path, texts: Mapping[str, Texts], settings: TokenizerSettings) -> None:
    parts = [texts[name] for name in ("train", UNLABELLED) if name in texts]
    log.info("training the tokenizer on %s reviews", f"{sum(map(len, parts)):,}")
    tokenizer = train_tokenizer(
        *parts,
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        normalization=settings.normalization,
    )
    save_tokenizer(tokenizer, scratch / "tokenizer.json")


class TextsOnDisk:
    """Texts in a file, read in slices: training a tokenizer on them needs a gigabyte itself."""

    def __init__(self, path: Path, texts: Sequence[str]) -> None:
        """Write the texts to `path`; raises OSError where that fails."""
        self._path = path
        sizes = []
        with path.open("wb") as file:
            for text in texts:
                sizes.append(file.write(text.encode("utf-8")))
        self._offsets = np.fromiter(accumulate(sizes, initial=0), np.int64, len(sizes) + 1)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, rows: slice) -> list[str]:
        """The texts of a slice without a step."""
        start, stop, _ = rows.indices(len(self))
        offsets = self._offsets[start : max(start, stop) + 1].tolist()
        with self._path.open("rb") as file:
            file.seek(offsets[0])
            content = file.read(offsets[-1] - offsets[0])
        ends = [offset - offsets[0] for offset in offsets]
        return [content[begin:end].decode("utf-8") for begin, end in pairwise(ends)]

    def remove(self) -> None:
        """Delete the file; the length is still known."""
        self._path.unlink()


def encode_texts(tokenizer: BundleTokenizer, texts: Texts, labels: LabelArray) -> EncodedReviews:
    """Encode reviews in memory; the ids have the smallest unsigned type that holds them."""
    dtype = np.min_scalar_type(tokenizer.vocab_size - 1)
    token_ids, lengths = [], []
    progress, done = Progress(log, "encoding", len(texts)), 0
    for ids_of_texts in encode(tokenizer, texts):
        done += len(ids_of_texts)
        progress.show(done)
        lengths.append(np.array([len(ids) for ids in ids_of_texts]))
        token_ids.append(np.fromiter(chain.from_iterable(ids_of_texts), dtype=dtype))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
    return EncodedReviews(np.concatenate(token_ids), offsets, labels)


def concatenated(parts: Sequence[EncodedReviews]) -> EncodedReviews:
    """Several parts as one, in memory, without targets; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([part.lengths(0) for part in parts])
    return EncodedReviews(
        np.concatenate([part.token_ids for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([part.labels for part in parts]),
    )


def _open(folder: Path, name: str) -> EncodedReviews:
    return EncodedReviews(*load_arrays(folder, [f"{name}.{key}" for key in _FIELDS]).values())


def _save_keys(folder: Path, name: str, reviews: Reviews) -> None:
    keys = {"ids": as_ids(reviews.ids), "slices": slices_of(reviews.texts)}
    save_arrays(folder, **{f"{name}.{key}": keys[key] for key in _KEYS})


def _open_keys(folder: Path, name: str) -> ReviewKeys:
    return ReviewKeys(*load_arrays(folder, [f"{name}.{key}" for key in _KEYS]).values())
