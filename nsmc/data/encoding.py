"""Turns corpus files into memory-mapped token ids, once for each content and setting.

Reads, splits, trains the tokenizer on the training part, and encodes all three parts. The result is
a cached folder: `tokenizer.json` and three arrays for each of train, val and test.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import Tokenizer

from nsmc.data.cache import cached_folder, digest_of, digest_of_file
from nsmc.data.corpus import Reviews, read_reviews, split_validation
from nsmc.data.tokenizer import encode, save_tokenizer, train_tokenizer

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")

_SECONDS_BETWEEN_LINES = 20

_FORMAT = 2  # raised when the cached files change their meaning


@dataclass(frozen=True)
class EncodedReviews:
    """N reviews as token ids, one after the other in a flat array.

    `token_ids` [total tokens]; review i is `token_ids[offsets[i]:offsets[i + 1]]`; `offsets`
    [N + 1]; `labels` [N]. The arrays are memory-mapped and read-only.
    """

    token_ids: npt.NDArray[np.unsignedinteger[Any]]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.labels)

    def review(self, row: int) -> npt.NDArray[np.int64]:
        """The token ids of one review [T]."""
        return self.token_ids[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)


@dataclass(frozen=True)
class EncodingSettings:
    """What, besides the corpus itself, determines the tokenizer and the encoded corpus."""

    validation_fraction: float
    split_seed: int
    vocab_size: int
    min_frequency: int
    normalization: str


@dataclass(frozen=True)
class EncodedCorpus:
    """The three encoded parts, the tokenizer, and the fingerprints of what they were made from."""

    splits: dict[str, EncodedReviews]
    tokenizer_path: Path
    corpus_fingerprint: str
    tokenizer_fingerprint: str
    dropped: int

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.tokenizer_path))


def encode_corpus(
    train_file: Path, test_file: Path, settings: EncodingSettings, cache_dir: Path
) -> EncodedCorpus:
    """Encode a corpus, or open what an earlier run encoded from the same content and settings.

    Raises what `read_reviews` raises, and OSError where `cache_dir` cannot be written.
    """
    corpus_fingerprint = digest_of([digest_of_file(train_file), digest_of_file(test_file)])
    key = digest_of([_FORMAT, tokenizers.__version__, corpus_fingerprint, asdict(settings)])
    folder = cache_dir / key
    built = cached_folder(folder, lambda scratch: _build(scratch, train_file, test_file, settings))
    info = json.loads((folder / "info.json").read_text())
    counts = ", ".join(f"{name} {info['reviews'][name]:,}" for name in SPLITS)
    log.info(
        "%s: %s reviews; %d rows without a text left out; %s",
        *(train_file.parent, counts, info["dropped"]),
        f"encoded into {folder}" if built else f"encoded earlier ({folder})",
    )
    return EncodedCorpus(
        splits={name: _open(folder, name) for name in SPLITS},
        tokenizer_path=folder / "tokenizer.json",
        corpus_fingerprint=corpus_fingerprint,
        tokenizer_fingerprint=digest_of_file(folder / "tokenizer.json")[:16],
        dropped=info["dropped"],
    )


def _build(folder: Path, train_file: Path, test_file: Path, settings: EncodingSettings) -> None:
    log.info("reading %s and %s", train_file, test_file)
    labelled, test = read_reviews(train_file), read_reviews(test_file)
    dropped = labelled.dropped + test.dropped
    train, val = split_validation(labelled, settings.validation_fraction, settings.split_seed)
    log.info("training the tokenizer on %s reviews", f"{len(train):,}")
    tokenizer = train_tokenizer(
        train.texts,
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        normalization=settings.normalization,
    )
    save_tokenizer(tokenizer, folder / "tokenizer.json")
    parts = {"train": train, "val": val, "test": test}
    for name, reviews in parts.items():
        log.info("encoding %s: %s reviews", name, f"{len(reviews):,}")
        _save(folder, name, encode_reviews(tokenizer, reviews))
    info = {"reviews": {name: len(part) for name, part in parts.items()}, "dropped": dropped}
    (folder / "info.json").write_text(json.dumps(info))


def encode_reviews(tokenizer: Tokenizer, reviews: Reviews) -> EncodedReviews:
    """Encode reviews in memory; the ids have the smallest unsigned type that holds them."""
    dtype = np.min_scalar_type(tokenizer.get_vocab_size() - 1)
    token_ids, lengths = [], []
    last_line, done = time.monotonic(), 0
    for ids_of_texts in encode(tokenizer, reviews.texts):
        done += len(ids_of_texts)
        if time.monotonic() - last_line > _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            log.info("encoded %s of %s reviews", f"{done:,}", f"{len(reviews):,}")
        lengths.append(np.array([len(ids) for ids in ids_of_texts]))
        token_ids.append(np.fromiter(chain.from_iterable(ids_of_texts), dtype=dtype))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
    return EncodedReviews(np.concatenate(token_ids), offsets, reviews.labels)


def _save(folder: Path, name: str, encoded: EncodedReviews) -> None:
    for field, array in vars(encoded).items():
        np.save(folder / f"{name}.{field}.npy", array)


def _open(folder: Path, name: str) -> EncodedReviews:
    fields = ("token_ids", "offsets", "labels")
    arrays = {
        field: np.load(folder / f"{name}.{field}.npy", mmap_mode="r", allow_pickle=False)
        for field in fields
    }
    return EncodedReviews(**arrays)
