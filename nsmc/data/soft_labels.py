"""Soft labels: what teachers say of reviews, as probabilities that a student is trained towards.

A teacher is a bundle, a run's folder, or a file with what any other program said: tab separated,
with the columns `id` and `probability` (of the label 1). A bundle is asked once for the same
reviews; its answers are kept.

Legend: N reviews.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsmc.atomic import write_file
from nsmc.data.cache import cached_folder, digest_of, digest_of_file, save_array
from nsmc.data.corpus import Reviews
from nsmc.runtime.bundle import digests
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor, softmax

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating]

SOFT_LABELS_FILE = "soft_labels.tsv"  # in the folder of a run that leaves some
_HEADER = "id\tprobability"

_FORMAT = 1  # raised when the cached files change their meaning

_CHUNK = 4096  # reviews between looks at the clock
_SECONDS_BETWEEN_LINES = 20

# Further from certain than any float32 logit: keeps the logarithms finite.
_LEAST = 1e-6


@dataclass(frozen=True)
class Distillation:
    """Whose soft labels a student learns, and how.

    Of several teachers the mean counts, its logit divided by `temperature`. `weight` is the soft
    label's share in the target of a labelled review; an unlabelled one has nothing else.
    """

    teachers: tuple[str, ...]
    weight: float
    temperature: float

    def targets(self, labelled: Reviews, unlabelled: Reviews | None, cache_dir: Path) -> FloatArray:
        """The targets of labelled reviews, then of unlabelled ones [N]; raises as `soft_labels`."""
        softened = self._softened(labelled, cache_dir)
        targets = self.weight * softened + (1 - self.weight) * labelled.labels
        if unlabelled is not None:
            targets = np.concatenate([targets, self._softened(unlabelled, cache_dir)])
        return targets.astype(np.float32)

    def log_accuracy(self, val: Reviews, cache_dir: Path) -> None:
        """Say how good the teachers are together, unless a file leaves out the validation part."""
        try:
            answers = self._softened(val, cache_dir)
        except ValueError:
            return
        of_truth = np.where(val.labels == 1, answers, 1 - answers)
        log.info(
            "%d teachers together: validation accuracy %.4f, loss %.4f",
            *(len(self.teachers), (of_truth > 0.5).mean(), -np.log(of_truth).mean()),
        )

    def _softened(self, reviews: Reviews, cache_dir: Path) -> FloatArray:
        of_all = [soft_labels(teacher, reviews, cache_dir) for teacher in self.teachers]
        mean = np.mean(of_all, axis=0, dtype=np.float64).clip(_LEAST, 1 - _LEAST)
        logit = np.log(mean / (1 - mean)) / self.temperature
        return (1 / (1 + np.exp(-logit))).astype(np.float32)


def soft_labels(teacher: str, reviews: Reviews, cache_dir: Path) -> FloatArray:
    """The probabilities of the label 1 [N] that a teacher gives.

    Raises FileNotFoundError where there is no such teacher, ValueError for one that is damaged or,
    being a file, leaves out a review, and OSError where `cache_dir` cannot be written.
    """
    path = _place(teacher)
    if not path.is_dir():
        return _from_file(path, reviews)
    key = digest_of([_FORMAT, teacher_digest(teacher), digest_of(reviews.texts)])
    folder = cache_dir / f"soft-labels-{key}"
    cached_folder(folder, lambda scratch: _ask(scratch, bundle_folder(path), reviews.texts))
    answers: FloatArray = np.load(folder / "probabilities.npy", allow_pickle=False)
    return answers


def teacher_digest(teacher: str) -> str:
    """The digest of a bundle's weights and tokenizer, or of a file.

    Raises FileNotFoundError where there is neither.
    """
    path = _place(teacher)
    if path.is_dir():
        return digest_of(digests(bundle_folder(path)))  # refuses a folder without a bundle
    if not path.is_file():
        raise FileNotFoundError(f"{teacher}: no such file or folder")
    return digest_of_file(path)


def _place(teacher: str) -> Path:
    path = Path(teacher).expanduser()
    soft_labels = path / SOFT_LABELS_FILE
    if soft_labels.is_file():
        return soft_labels
    try:
        return path if path.is_file() else bundle_folder(path)
    except FileNotFoundError:
        return path


def _ask(folder: Path, bundle: Path, texts: Sequence[str]) -> None:
    log.info("asking the teacher %s about %s reviews", bundle, f"{len(texts):,}")
    try:
        predictor, last_line = Predictor.load(bundle), time.monotonic()
    except ValueError as error:
        raise ValueError(f"distill.teachers={bundle}: {error}") from None

    def ask(chunk: Sequence[str]) -> FloatArray:
        probabilities: FloatArray = softmax(predictor.logits(predictor.encode(chunk)))[:, 1]
        return probabilities

    answers, done = [], 0
    chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
    for answer in mapped(ask, chunks):
        answers.append(answer)
        done += len(answer)
        if time.monotonic() - last_line > _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            log.info("asked about %s of %s reviews", f"{done:,}", f"{len(texts):,}")
    save_array(folder / "probabilities.npy", np.concatenate(answers))


def write_soft_labels(path: Path, ids: Sequence[str], probabilities: FloatArray) -> None:
    """Write a file of soft labels, whole or not at all."""
    rows = [f"{name}\t{value:.6f}" for name, value in zip(ids, probabilities, strict=True)]
    write_file(path, "\n".join([_HEADER, *rows]) + "\n")


def _from_file(path: Path, reviews: Reviews) -> FloatArray:
    known = _read(path)
    try:
        return np.array([known[review_id] for review_id in reviews.ids], np.float32)
    except KeyError as error:
        raise ValueError(f"{path}: no probability for the review with id {error}") from None


def _read(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise FileNotFoundError(f"distill.teachers: {path}: no such file or folder")
    known: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig") as file:  # an id may hold U+2028, no end of a line
            lines = [line.rstrip("\n") for line in file]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason})") from None
    if not lines or lines[0] != _HEADER:
        raise ValueError(f"{path}, row 1: expected the tab-separated columns id and probability")
    for row, line in enumerate(lines[1:], start=2):
        review_id, _, value = line.partition("\t")
        try:
            probability = float(value)
        except ValueError:
            probability = -1.0
        if not 0 <= probability <= 1:
            raise ValueError(f"{path}, row {row}: probability {value!r} is not between 0 and 1")
        if known.setdefault(review_id, probability) != probability:
            raise ValueError(
                f"{path}, row {row}: the id {review_id} had another probability before; each "
                "review needs an id of its own"
            )
    return known
