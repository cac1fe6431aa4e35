"""The files of a corpus: fetched where they are missing, read, and split into parts."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.data.corpus import NSMC, CorpusForm, LabelArray, Reviews, read_reviews, without_spaces
from nsmc.data.download import RemoteFile, fetch_missing
from nsmc.data.splitting import HELD_OUT, SplitSettings, split
from nsmc.data.unlabelled import fetch_unlabelled
from nsmc.reading.labels import LabelRules, listed
from nsmc.runtime.bundle import are_labels

log = logging.getLogger(__name__)

UNLABELLED = "unlabelled"  # the part of reviews without labels, where there is one


@dataclass(frozen=True)
class CorpusFiles:
    """Files in `root`, their form, and how parts without a file are split off the training file.

    What is missing is downloaded if it is one of `remote_files`, by name; the unlabelled reviews
    are made from `unlabelled_archive`, a URL. Unless `needs_test`, the test file may be missing.
    `unlabelled_file` is None where none are wanted. A `classifier` needs reviews of two labels.
    """

    root: Path
    train_file: str
    split: SplitSettings
    test_file: str | None = None
    validation_file: str | None = None
    form: CorpusForm = NSMC
    remote_files: Mapping[str, RemoteFile] = field(default_factory=dict)
    unlabelled_file: str | None = None
    unlabelled_archive: str | None = None
    needs_test: bool = True
    classifier: bool = True

    @property
    def train(self) -> Path:
        return self.root / self.train_file

    @property
    def test(self) -> Path | None:
        """None where there is no such file, or it is missing and not needed."""
        path = self.root / self.test_file if self.test_file else None
        return path if path and (self.needs_test or path.is_file()) else None

    @property
    def validation(self) -> Path | None:
        return self.root / self.validation_file if self.validation_file else None

    @property
    def unlabelled(self) -> Path | None:
        return self.root / self.unlabelled_file if self.unlabelled_file else None

    def fetch(self) -> None:
        """Download what is missing; raises what `fetch_missing` and `fetch_unlabelled` raise."""
        names = [name for name in (self.train_file, self.validation_file) if name]
        # A published test file keeps its texts out of the unlabelled ones even without a test.
        if self.test_file and (
            self.needs_test or (self.unlabelled and self.test_file in self.remote_files)
        ):
            names.append(self.test_file)
        fetch_missing(self.root, {name: self.remote_files.get(name) for name in names})
        if self.unlabelled is not None:
            test = self.root / self.test_file if self.test_file else None
            fetch_unlabelled(self.unlabelled, self.unlabelled_archive, self.train, test)

    def fingerprint(self) -> str:
        """The digest of the corpus; raises FileNotFoundError for a missing file."""
        published = self.remote_files.get(self.test_file or "")
        test = published.sha256 if published else None
        if self.test is not None:
            test = digest_of_file(self.test)
        validation = digest_of_file(self.validation) if self.validation else None
        return fingerprint_of(digest_of_file(self.train), test, validation)

    def check_labels(self, names: tuple[str, ...], labels: LabelArray) -> None:
        """Raises ValueError where a classifier would see only one label, or not all of them."""
        if not self.classifier:
            return
        counts = np.bincount(labels, minlength=len(names)).tolist() if names else []
        problem = labels_problem(self.form.labels, dict(zip(names, counts, strict=True)))
        if problem:
            raise ValueError(f"{self.train}: {problem}")

    def read(self, *, keep_ids: bool = True) -> dict[str, Reviews]:
        """The reviews by part: train, val and, where they are wanted, test and unlabelled.

        Unlabelled reviews whose text, spaces aside, is in val or test are left out, and counted.
        Raises ValueError where none are left, and what `read_reviews`, `split` and `check_labels`
        raise.
        """
        labelled = read_reviews(self.train, self.form, keep_ids=keep_ids)
        names = labelled.label_names
        self.check_labels(names, labelled.labels)
        parts = {
            name: read_reviews(path, self.form, keep_ids=keep_ids, names=names, prefix=f"{name} ")
            for name, path in (("val", self.validation), ("test", self.test))
            if path is not None
        }
        wanted = {"validation": self.validation is None, "test": self.test_file is None}
        parts = split(labelled, self.split, **wanted) | parts
        parts = {name: parts[name] for name in ("train", "val", "test") if name in parts}
        if self.unlabelled is not None:
            held_out = {
                without_spaces(text)
                for name, part in parts.items()
                if name != "train"
                for text in part.texts
            }
            reviews = read_reviews(
                self.unlabelled,
                self.form.without_labels(),
                keep_ids=keep_ids,
                prefix=f"{UNLABELLED} ",
            )
            is_new = [without_spaces(text) not in held_out for text in reviews.texts]
            new = reviews.take(np.flatnonzero(is_new))
            if not len(new):
                raise ValueError(
                    f"{self.unlabelled}: all its texts are in the validation or test part, too; "
                    "set data.unlabelled=false, or another data.unlabelled_file"
                )
            lost = {HELD_OUT: len(reviews) - len(new)} if len(new) < len(reviews) else {}
            parts[UNLABELLED] = replace(new, left_out={**reviews.left_out, **lost})
        return parts


def labels_problem(rules: LabelRules, counts: Mapping[str, int]) -> str:
    """Why no classifier can learn labels with these counts of reviews; "" where one can."""
    if sum(map(bool, counts.values())) < 2:
        only = [f"every review has the label {name!r}" for name, count in counts.items() if count]
        return (
            f"{''.join(only) or 'no review has a label'}; a classifier learns from reviews of two "
            "labels or more"
        )
    if missing := rules.missing(counts):
        return missing
    if not are_labels([*counts]):
        return (
            f"labels such as {listed(counts)} cannot name answers: they are too long, too many, "
            "or cannot be printed; is data.label_column right?"
        )
    return ""


def fingerprint_of(train: str, test: str | None, validation: str | None = None) -> str:
    """The digest of a corpus, of its files' SHA-256; None for a file that it does not have."""
    files = [digest for digest in (train, test) if digest is not None]
    return digest_of([*files, {"validation": validation}] if validation else files)


def summary_of(parts: Mapping[str, Reviews]) -> dict[str, Any]:
    """What is to be said of the parts, in plain values: see `log_summary`."""
    return {
        "reviews": {name: len(part) for name, part in parts.items()},
        "left_out": sum((Counter(part.left_out) for part in parts.values()), Counter()),
        "shared_texts": shared_texts(parts),
        "unused_keys": unused_keys(parts),
    }


def shared_texts(parts: Mapping[str, Reviews]) -> list[tuple[str, str, int]]:
    """How many reviews of a part have a text that an earlier part has: (part, earlier, count).

    The parts are train, val and test, in that order; pairs that share none are left out.
    """
    names = [name for name in ("train", "val", "test") if name in parts]
    texts = {name: [text.strip() for text in parts[name].texts] for name in names}
    distinct = {name: set(texts[name]) for name in names}
    counts = [
        (name, other, sum(text in distinct[other] for text in texts[name]))
        for other, name in combinations(names, 2)
    ]
    return [each for each in counts if each[2]]


def unused_keys(parts: Mapping[str, Reviews]) -> list[str]:
    """The keys of data.label_map that no row of the labelled parts has."""
    unused = [part.unused_keys for name, part in parts.items() if name != UNLABELLED]
    return [key for key in unused[0] if all(key in others for others in unused)]


def log_summary(summary: Mapping[str, Any], folder: Path, end: str = "") -> None:
    """Log how many reviews there are and what was left out; warn of texts that parts share."""
    counts = ", ".join(f"{name} {count:,}" for name, count in summary["reviews"].items())
    left_out = ", ".join(
        f"{count:,} row{'s' * (count != 1)} {what}" for what, count in summary["left_out"].items()
    )
    said = [f"{counts} reviews", left_out and f"left out: {left_out}", end]
    log.info("%s: %s", folder, "; ".join(filter(None, said)))
    if unused := summary.get("unused_keys"):  # which corpora that were encoded earlier lack
        log.warning("data.label_map: no row has a label for %s; is the map right?", listed(unused))
    titles = {"train": "training", "val": "validation"}
    for name, other, count in summary["shared_texts"]:
        log.warning(
            "%s of the %s part's %s reviews have a text of the %s part",
            *(f"{count:,}", titles.get(name, name), f"{summary['reviews'][name]:,}"),
            titles[other],
        )
