"""Soft labels: teachers' probabilities for reviews, which a student is trained towards.

A teacher is a bundle, a run's folder, or a file with the answers of any other program: tab
separated, with the columns `id` and `probability` (of the label 1). A bundle scores the same
reviews once; its answers are kept.

Legend: N reviews.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsmc.atomic import write_file
from nsmc.data.cache import cached_folder, digest_of, digest_of_file, save_array
from nsmc.data.corpus import Reviews, read_lines
from nsmc.data.preparation import Progress
from nsmc.runtime.bundle import digests
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor, softmax

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating]

SOFT_LABELS_FILE = "soft_labels.tsv"  # in the folder of a run that leaves some
_HEADER = "id\tprobability"

_FORMAT = 1  # raised when the cached files change their meaning

_CHUNK = 4096  # reviews scored before progress is shown

_MIN_PROBABILITY = 1e-6  # keeps the logarithms finite


@dataclass(frozen=True)
class Distillation:
    """The teachers whose soft labels a student learns, and how.

    The logit of several teachers' mean is divided by `temperature`. `weight` is the soft label's
    share in the target of a labelled review; an unlabelled one has nothing else.
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
        """Log the accuracy of the teachers' mean, unless a file leaves out the validation part."""
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
        mean = np.mean(of_all, axis=0, dtype=np.float64).clip(
            _MIN_PROBABILITY, 1 - _MIN_PROBABILITY
        )
        logit = np.log(mean / (1 - mean)) / self.temperature
        return (1 / (1 + np.exp(-logit))).astype(np.float32)


def soft_labels(teacher: str, reviews: Reviews, cache_dir: Path) -> FloatArray:
    """The probabilities of the label 1 [N] that a teacher gives.

    Raises FileNotFoundError where there is no such teacher, ValueError for one that is damaged or,
    being a file, leaves out a review, and OSError where `cache_dir` cannot be written.
    """
    path = _resolve(teacher)
    if not path.is_dir():
        return _from_file(path, reviews)
    key = digest_of([_FORMAT, teacher_digest(teacher), digest_of(reviews.texts)])
    folder = cache_dir / f"soft-labels-{key}"
    cached_folder(folder, lambda scratch: _score(scratch, path, reviews.texts))
    answers: FloatArray = np.load(folder / "probabilities.npy", allow_pickle=False)
    return answers


def teacher_digest(teacher: str) -> str:
    """The digest of a bundle's weights and tokenizer, or of a file.

    Raises FileNotFoundError where there is neither.
    """
    path = _resolve(teacher)
    return digest_of(digests(path)) if path.is_dir() else digest_of_file(path)


def _resolve(teacher: str) -> Path:
    """The file of soft labels or the bundle's folder that a teacher's name stands for."""
    path = Path(teacher).expanduser()
    if (path / SOFT_LABELS_FILE).is_file():
        return path / SOFT_LABELS_FILE
    if path.is_file():
        return path
    try:
        return bundle_folder(path)
    except FileNotFoundError:
        if path.exists():
            raise
        raise FileNotFoundError(f"distill.teachers={teacher}: no such file or folder") from None


def _score(folder: Path, bundle: Path, texts: Sequence[str]) -> None:
    log.info("scoring %s reviews with the teacher %s", f"{len(texts):,}", bundle)
    try:
        predictor = Predictor.load(bundle)
    except ValueError as error:
        raise ValueError(f"distill.teachers={bundle}: {error}") from None

    def answers_to(chunk: Sequence[str]) -> FloatArray:
        probabilities: FloatArray = softmax(predictor.logits(predictor.encode(chunk)))[:, 1]
        return probabilities

    chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
    progress, answers, done = Progress(log, "scoring", len(texts)), [], 0
    for answer in mapped(answers_to, chunks):
        answers.append(answer)
        done += len(answer)
        progress.show(done)
    save_array(folder / "probabilities.npy", np.concatenate(answers))


def write_soft_labels(path: Path, ids: Sequence[str], probabilities: FloatArray) -> None:
    """Write a file of soft labels, whole or not at all."""
    rows = [f"{name}\t{value:.6f}" for name, value in zip(ids, probabilities, strict=True)]
    write_file(path, "\n".join([_HEADER, *rows]) + "\n")


def _from_file(path: Path, reviews: Reviews) -> FloatArray:
    probabilities = _read(path)
    try:
        return np.array([probabilities[review_id] for review_id in reviews.ids], np.float32)
    except KeyError as error:
        raise ValueError(f"{path}: no probability for the review with id {error}") from None


def _read(path: Path) -> dict[str, float]:
    """Probabilities by id."""
    lines = read_lines(path)
    if next(lines, "") != _HEADER:
        raise ValueError(f"{path}, row 1: expected the tab-separated columns id and probability")
    probabilities: dict[str, float] = {}
    for row, line in enumerate(lines, start=2):
        review_id, _, value = line.partition("\t")
        try:
            probability = float(value)
        except ValueError:
            probability = -1.0
        if not 0 <= probability <= 1:
            raise ValueError(f"{path}, row {row}: probability {value!r} is not between 0 and 1")
        if probabilities.setdefault(review_id, probability) != probability:
            raise ValueError(
                f"{path}, row {row}: the id {review_id} had another probability before; each "
                "review needs an id of its own"
            )
    return probabilities
