"""The files of a corpus: fetched where they are missing, read, and split into parts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.data.corpus import Reviews, read_reviews, split_validation, without_spaces
from nsmc.data.download import RemoteFile, fetch_missing
from nsmc.data.unlabelled import fetch_unlabelled

UNLABELLED = "unlabelled"  # the part of reviews without labels, where there is one


@dataclass(frozen=True)
class CorpusFiles:
    """Files in `root`, and how the validation part is split off the training file.

    What is missing is downloaded if it is one of `remote_files`, by name; the unlabelled reviews
    are made from `unlabelled_archive`, a URL. Unless `needs_test`, the test file may be missing.
    `unlabelled_file` is None where none are wanted. A classifier `needs_both_labels`.
    """

    root: Path
    train_file: str
    test_file: str
    remote_files: Mapping[str, RemoteFile]
    validation_fraction: float
    split_seed: int
    unlabelled_file: str | None = None
    unlabelled_archive: str | None = None
    needs_test: bool = True
    needs_both_labels: bool = True

    @property
    def train(self) -> Path:
        return self.root / self.train_file

    @property
    def test(self) -> Path | None:
        """None where it is missing and not needed."""
        path = self.root / self.test_file
        return path if self.needs_test or path.is_file() else None

    @property
    def unlabelled(self) -> Path | None:
        return self.root / self.unlabelled_file if self.unlabelled_file else None

    def fetch(self) -> None:
        """Download what is missing; raises what `fetch_missing` and `fetch_unlabelled` raise."""
        names = [self.train_file]
        # A published test file keeps its texts out of the unlabelled ones even without a test.
        if self.needs_test or (self.unlabelled and self.test_file in self.remote_files):
            names.append(self.test_file)
        fetch_missing(self.root, {name: self.remote_files.get(name) for name in names})
        if self.unlabelled is not None:
            test = self.root / self.test_file
            fetch_unlabelled(self.unlabelled, self.unlabelled_archive, self.train, test)

    def fingerprint(self) -> str:
        """The digest of the corpus; raises FileNotFoundError for a missing file."""
        if self.test is not None:
            test: str | None = digest_of_file(self.test)
        else:
            published = self.remote_files.get(self.test_file)
            test = published.sha256 if published else None
        return fingerprint_of(digest_of_file(self.train), test)

    def check_labels(self, labels: npt.NDArray[np.int8]) -> None:
        """Raises ValueError where a classifier would see only one of the labels."""
        if self.needs_both_labels and len(np.unique(labels)) == 1:
            raise ValueError(
                f"{self.train}: every review has the label {labels[0]}; a classifier learns from "
                "reviews with the label 0 and reviews with the label 1"
            )

    def read(self, *, keep_ids: bool = True) -> dict[str, Reviews]:
        """The reviews by part: train, val and, where there are such files, test and unlabelled.

        Unlabelled reviews whose text, spaces aside, is in val or test are left out. Raises what
        `read_reviews`, `split_validation` and `check_labels` raise.
        """
        labelled = read_reviews(self.train, keep_ids=keep_ids)
        self.check_labels(labelled.labels)
        train, val = split_validation(labelled, self.validation_fraction, self.split_seed)
        parts = {"train": replace(train, dropped=labelled.dropped), "val": val}
        if self.test is not None:
            parts["test"] = read_reviews(self.test, keep_ids=keep_ids)
        if self.unlabelled is not None:
            held_out = {
                without_spaces(text)
                for name, part in parts.items()
                if name != "train"
                for text in part.texts
            }
            reviews = read_reviews(self.unlabelled, labelled=False, keep_ids=keep_ids)
            is_new = [without_spaces(text) not in held_out for text in reviews.texts]
            new = reviews.take(np.flatnonzero(is_new))
            parts[UNLABELLED] = replace(new, dropped=reviews.dropped)
        return parts


def fingerprint_of(train: str, test: str | None) -> str:
    """The digest of a corpus, of its files' SHA-256; `test` is None for a corpus without that."""
    return digest_of([train] if test is None else [train, test])
