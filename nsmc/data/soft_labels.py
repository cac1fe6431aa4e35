"""Soft labels: teachers' probabilities for reviews, which a student is trained towards.

A teacher is a bundle, a run's folder, or a file with the answers of any other program. A bundle
scores the same reviews once; its answers are kept.

Legend: N reviews, C labels.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsmc.data.cache import cached_folder, digest_of, digest_of_file, save_array
from nsmc.data.corpus import Reviews, one_hot
from nsmc.data.morphemes import texts_to_read
from nsmc.data.preparation import Progress
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE, opened_soft_labels, probabilities_in
from nsmc.reading.labels import listed, positions
from nsmc.runtime.bundle import CONFIG_FILE, digests
from nsmc.runtime.loading import read_config
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.floating]

_FORMAT = 2  # raised when the cached files change their meaning

_CHUNK = 4096  # reviews scored before progress is shown

_MIN_PROBABILITY = 1e-6  # keeps the logarithms finite

_WEIGHT_WITHOUT_UNLABELLED = 0.9


@dataclass(frozen=True)
class Distillation:
    """The teachers whose soft labels a student learns, and how.

    The logit of several teachers' mean is divided by `temperature`. `weight` is the soft label's
    share in the target of a labelled review; an unlabelled one has nothing else. None means 0
    beside unlabelled reviews, which carry the teachers' knowledge, and 0.9 without any, as nothing
    else would carry it.
    """

    teachers: tuple[str, ...]
    weight: float | None
    temperature: float

    def check(self, names: tuple[str, ...]) -> None:
        """Check that every teacher knows these labels, before one scores anything.

        Raises FileNotFoundError and ValueError as `soft_labels`.
        """
        for teacher in self.teachers:
            _check_labels(teacher, names)

    def targets(self, labelled: Reviews, unlabelled: Reviews | None, cache_dir: Path) -> FloatArray:
        """Targets [N, C] of labelled, then of unlabelled reviews; raises as `soft_labels`."""
        names = labelled.label_names
        targets = one_hot(labelled.labels, len(names))
        weight = self.weight
        if weight is None:
            weight = _WEIGHT_WITHOUT_UNLABELLED if unlabelled is None else 0.0
        if weight > 0:  # else nobody reads what the teachers say of these
            soft = self._softened(labelled, names, cache_dir)
            targets = weight * soft + (1 - weight) * targets
        if unlabelled is not None:
            targets = np.concatenate([targets, self._softened(unlabelled, names, cache_dir)])
        return _with_first(targets[:, 1:].astype(np.float32))

    def log_accuracy(self, val: Reviews, cache_dir: Path) -> None:
        """Log the accuracy of the teachers' mean, unless a file leaves out the validation part."""
        try:
            answers = self._softened(val, val.label_names, cache_dir)
        except ValueError:
            return
        of_truth = answers[np.arange(len(val)), val.labels]
        who = f"{len(self.teachers)} teachers together" if len(self.teachers) > 1 else "the teacher"
        log.info(
            "%s: validation accuracy %.4f, loss %.4f",
            *(who, (answers.argmax(axis=1) == val.labels).mean()),
            -np.log(of_truth).mean(),
        )

    def _softened(self, reviews: Reviews, names: tuple[str, ...], cache_dir: Path) -> FloatArray:
        of_all = [soft_labels(teacher, reviews, names, cache_dir) for teacher in self.teachers]
        others = np.mean([answers[:, 1:] for answers in of_all], axis=0, dtype=np.float64)
        mean = _with_first(np.asarray(others)).clip(_MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
        logits = np.log(mean) / self.temperature
        powers = np.exp(logits - logits[:, :1])
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _with_first(others: FloatArray) -> FloatArray:
    """Probabilities [N, C] from those of all labels but the first, which has what is left."""
    first = np.maximum(1 - others.sum(axis=1, keepdims=True), 0)
    return np.concatenate([first, others], axis=1)


def soft_labels(
    teacher: str, reviews: Reviews, names: tuple[str, ...], cache_dir: Path
) -> FloatArray:
    """The probabilities [N, C] that a teacher gives to the labels of these names.

    Raises FileNotFoundError where there is no such teacher, ValueError for one that is damaged, has
    other labels or, being a file, leaves out a review, and OSError where `cache_dir` cannot be
    written.
    """
    _check_labels(teacher, names)
    path = teacher_path(teacher)
    if not path.is_dir():
        return probabilities_in(path, reviews, names)
    key = digest_of([_FORMAT, teacher_digest(teacher), digest_of(reviews.texts)])
    folder = cache_dir / f"soft-labels-{key}"
    cached_folder(folder, lambda scratch: _score(scratch, path, reviews.texts, cache_dir))
    answers: FloatArray = np.load(folder / "probabilities.npy", allow_pickle=False)
    return answers[:, positions(names, read_config(path / CONFIG_FILE).labels)]


def _check_labels(teacher: str, names: tuple[str, ...]) -> None:
    """Raises ValueError for a teacher of other labels, FileNotFoundError where there is none."""
    try:
        path = teacher_path(teacher)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"distill.teachers: {error}") from None
    if not path.is_dir():
        with opened_soft_labels(path, names):
            return
    theirs = read_config(path / CONFIG_FILE).labels
    if positions(names, theirs) is None:
        raise ValueError(
            f"distill.teachers={teacher}: answers {listed(theirs)}; the corpus has {listed(names)}"
        )


def teacher_digest(teacher: str) -> str:
    """The digest of a bundle's weights and tokenizer, or of a file.

    Raises FileNotFoundError where there is neither.
    """
    path = teacher_path(teacher)
    return digest_of(digests(path)) if path.is_dir() else digest_of_file(path)


def teacher_path(teacher: str) -> Path:
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
        raise FileNotFoundError(f"{teacher}: no such file or folder") from None


def _score(folder: Path, bundle: Path, texts: Sequence[str], cache_dir: Path) -> None:
    log.info("scoring %s reviews with the teacher %s", f"{len(texts):,}", bundle)
    try:
        predictor = Predictor.load(bundle)
    except ValueError as error:
        raise ValueError(f"distill.teachers={bundle}: {error}") from None
    texts = texts_to_read(texts, predictor.config.morphemes is not None, cache_dir)

    def answers_to(chunk: Sequence[str]) -> FloatArray:
        probabilities: FloatArray = softmax(predictor.logits(predictor.encode_read(chunk)))
        return probabilities

    chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
    progress, answers, done = Progress(log, "scoring", len(texts)), [], 0
    for answer in mapped(answers_to, chunks):
        answers.append(answer)
        done += len(answer)
        progress.show(done)
    save_array(folder / "probabilities.npy", np.concatenate(answers))
