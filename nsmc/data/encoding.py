"""Turns corpus files into memory-mapped token ids, once for each content and setting.

Reads, splits, trains the tokenizer on the training part, and encodes all three parts. The result is
a cached folder: `tokenizer.json` and three arrays for each of train, val and, where there is a test
file, test.
"""

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import Tokenizer

from nsmc.data.cache import cached_folder, digest_of, digest_of_file, save_array
from nsmc.data.corpus import Reviews, read_reviews, split_validation, without_spaces
from nsmc.data.preparation import Progress, return_memory
from nsmc.data.texts_on_disk import TextsOnDisk
from nsmc.data.tokenizer import IntArray, Texts, encode, save_tokenizer, train_tokenizer
from nsmc.runtime.loading import read_tokenizer

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")
UNLABELLED = "unlabelled"  # a fourth part, where there is one

# The texts and labels [N] of each part of a corpus.
Parts = dict[str, tuple[TextsOnDisk, npt.NDArray[np.int8]]]

_FIELDS = ("token_ids", "offsets", "labels")  # of EncodedReviews: the arrays that are kept

_FORMAT = 5  # raised when the cached files change their meaning


@dataclass(frozen=True)
class EncodedReviews:
    """N reviews as token ids, one after the other in a flat array.

    `token_ids` [total tokens]; review i is `token_ids[offsets[i]:offsets[i + 1]]`; `offsets`
    [N + 1]; `labels` [N]; `targets` [N] are probabilities of the label 1 that training aims at
    instead of the labels. The arrays may be memory-mapped and read-only.
    """

    token_ids: npt.NDArray[np.integer[Any]]
    offsets: IntArray
    labels: npt.NDArray[np.int8]
    targets: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def lengths(self, epoch: int) -> IntArray:
        """The tokens of each review [N]; the same in every epoch."""
        return np.diff(self.offsets)

    def select(self, rows: IntArray, epoch: int) -> tuple["EncodedReviews", IntArray]:
        """Reviews that hold those in `rows` as they are in an epoch, and their places in them."""
        return self, rows

    def review(self, row: int) -> npt.NDArray[np.int64]:
        """The token ids of one review [T]."""
        return self.token_ids[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)


@dataclass(frozen=True)
class EncodingSettings:
    """What, besides the corpus itself, determines the tokenizer and the encoded corpus.

    `tokenizer` is the SHA-256 of a `tokenizer.json` that is used instead of training one.
    """

    validation_fraction: float
    split_seed: int
    vocab_size: int
    min_frequency: int
    normalization: str
    tokenizer: str | None = None


@dataclass(frozen=True)
class CorpusFiles:
    """Where the corpus is; `unlabelled` is a file of reviews without labels, if wanted.

    `test` is None where there is no test file and none is needed; `test_digest` is then the SHA-256
    of the one that is published, if any. Where a corpus `classifies`, it must have both labels.
    """

    train: Path
    test: Path | None
    unlabelled: Path | None = None
    tokenizer: Path | None = None
    test_digest: str | None = None
    classifies: bool = True

    def fingerprint(self) -> str:
        """The digest of the corpus; raises FileNotFoundError for a missing file."""
        train = digest_of_file(self.train)
        test = self.test_digest if self.test is None else digest_of_file(self.test)
        return fingerprint_of(train, test)

    def check_labels(self, labels: npt.NDArray[np.int8]) -> None:
        """Raises ValueError where those of the training file are one label alone."""
        if self.classifies and len(np.unique(labels)) == 1:
            raise ValueError(
                f"{self.train}: every review has the label {labels[0]}; a classifier learns from "
                "reviews with the label 0 and reviews with the label 1"
            )

    def read_training(
        self, settings: EncodingSettings, *, keep_ids: bool = True
    ) -> tuple[Reviews, Reviews]:
        """The training and the validation reviews.

        Raises what `read_reviews` and `check_labels` raise.
        """
        reviews = read_reviews(self.train, keep_ids=keep_ids)
        self.check_labels(reviews.labels)
        train, val = split_validation(reviews, settings.validation_fraction, settings.split_seed)
        return replace(train, dropped=reviews.dropped), val

    def read_unlabelled(self, val: Reviews, *, keep_ids: bool = True) -> Reviews:
        """The unlabelled reviews, but for texts that, spaces aside, are in `val` or the test file.

        Raises what `read_reviews` raises.
        """
        assert self.unlabelled is not None
        reviews = read_reviews(self.unlabelled, labelled=False, keep_ids=keep_ids)
        held_out = (val,) if self.test is None else (val, read_reviews(self.test))
        known = {without_spaces(text) for part in held_out for text in part.texts}
        new = [row for row, text in enumerate(reviews.texts) if without_spaces(text) not in known]
        return reviews.take(np.array(new, dtype=np.int64))


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded parts, the tokenizer, and the fingerprints of what they were made from.

    The parts are train, val and, where there is such a file, test and unlabelled.
    """

    splits: dict[str, EncodedReviews]
    tokenizer_path: Path
    corpus_fingerprint: str
    tokenizer_fingerprint: str
    dropped: int

    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.tokenizer_path))


def fingerprint_of(train: str, test: str | None) -> str:
    """The digest of a corpus, of its files' SHA-256; `test` is None for a corpus without that."""
    return digest_of([train] if test is None else [train, test])


def encode_corpus(files: CorpusFiles, settings: EncodingSettings, cache_dir: Path) -> EncodedCorpus:
    """Encode the corpus, unless a run did it before: the result is kept under `cache_dir`.

    Raises what `read_reviews` raises, and OSError where `cache_dir` cannot be written.
    """
    corpus_fingerprint = files.fingerprint()
    parts: list[Any] = [corpus_fingerprint, asdict(settings)]
    if files.test is None:
        parts.append("no test part")
    if files.unlabelled is not None:
        parts.append(digest_of_file(files.unlabelled))
    folder = cache_dir / digest_of([_FORMAT, tokenizers.__version__, *parts])
    trained = cache_dir / f"{folder.name}-tokenizer"
    built = cached_folder(folder, lambda scratch: _build(scratch, files, settings, trained))
    info = json.loads((folder / "info.json").read_text())
    splits = {name: _open(folder, name) for name in info["reviews"]}
    files.check_labels(splits["train"].labels)  # a language model may have encoded the corpus
    counts = ", ".join(f"{name} {count:,}" for name, count in info["reviews"].items())
    log.info(
        "%s: %s reviews; %d rows without a text left out; %s",
        *(files.train.parent, counts, info["dropped"]),
        f"encoded into {folder}" if built else f"encoded earlier ({folder})",
    )
    return EncodedCorpus(
        splits=splits,
        tokenizer_path=folder / "tokenizer.json",
        corpus_fingerprint=corpus_fingerprint,
        tokenizer_fingerprint=digest_of_file(folder / "tokenizer.json")[:16],
        dropped=info["dropped"],
    )


def _build(folder: Path, files: CorpusFiles, settings: EncodingSettings, trained: Path) -> None:
    parts, dropped = _read_parts(folder, files, settings)
    tokenizer = _tokenizer(folder / "tokenizer.json", files, parts, settings, trained)
    for name, (texts, labels) in parts.items():
        log.info("encoding %s: %s reviews", name, f"{len(labels):,}")
        _save(folder, name, encode_texts(tokenizer, texts, labels))
        texts.remove()
        return_memory()
    info = {"reviews": {name: len(texts) for name, (texts, _) in parts.items()}, "dropped": dropped}
    (folder / "info.json").write_text(json.dumps(info))


def _read_parts(folder: Path, files: CorpusFiles, settings: EncodingSettings) -> tuple[Parts, int]:
    """The texts, kept in `folder`, and labels of each part, and how many rows were dropped."""
    log.info("reading %s", " and ".join(str(path) for path in (files.train, files.test) if path))
    train, val = files.read_training(settings, keep_ids=False)
    reviews = {"train": train, "val": val}
    if files.test is not None:
        reviews["test"] = read_reviews(files.test, keep_ids=False)
    if files.unlabelled is not None:
        log.info("reading %s", files.unlabelled)
        reviews[UNLABELLED] = files.read_unlabelled(val, keep_ids=False)
    parts = {
        name: (TextsOnDisk(folder / f"{name}.texts", part.texts), part.labels)
        for name, part in reviews.items()
    }
    return parts, sum(part.dropped for part in reviews.values())


def _tokenizer(
    path: Path,
    files: CorpusFiles,
    parts: Parts,
    settings: EncodingSettings,
    trained: Path,
) -> Tokenizer:
    """The tokenizer that is given, or one trained on the reviews that are trained on; at `path`.

    A trained one is kept in the folder `trained`, too: its minutes are not lost where the encoding
    that follows is interrupted.
    """
    source = files.tokenizer
    if source is None:
        cached_folder(trained, lambda scratch: _train(scratch / path.name, parts, settings))
        source = trained / path.name
    tokenizer = read_tokenizer(source)
    shutil.copyfile(source, path)
    return tokenizer


def _train(path: Path, parts: Parts, settings: EncodingSettings) -> None:
    texts = [parts[name][0] for name in ("train", UNLABELLED) if name in parts]
    log.info("training the tokenizer on %s reviews", f"{sum(map(len, texts)):,}")
    tokenizer = train_tokenizer(
        *texts,
        vocab_size=settings.vocab_size,
        min_frequency=settings.min_frequency,
        normalization=settings.normalization,
    )
    save_tokenizer(tokenizer, path)


def encode_texts(
    tokenizer: Tokenizer, texts: Texts, labels: npt.NDArray[np.int8]
) -> EncodedReviews:
    """Encode reviews in memory; the ids have the smallest unsigned type that holds them."""
    dtype = np.min_scalar_type(tokenizer.get_vocab_size() - 1)
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
    """Several parts as one, in memory, without targets."""
    lengths = np.concatenate([part.lengths(0) for part in parts])
    return EncodedReviews(
        np.concatenate([part.token_ids for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([part.labels for part in parts]),
    )


def _save(folder: Path, name: str, encoded: EncodedReviews) -> None:
    for field in _FIELDS:
        save_array(folder / f"{name}.{field}.npy", getattr(encoded, field))


def _open(folder: Path, name: str) -> EncodedReviews:
    arrays = {
        field: np.load(folder / f"{name}.{field}.npy", mmap_mode="r", allow_pickle=False)
        for field in _FIELDS
    }
    return EncodedReviews(**arrays)
