"""The job of `task=linear`: fits the linear classifier, measures it, and writes its soft labels.

These, of all reviews that students may be trained or chosen on, make the run a teacher.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.comparison.answers import write_answers
from nsmc.config.schema import RunConfig
from nsmc.data.corpus import Reviews
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.files import UNLABELLED, log_summary, summary_of
from nsmc.data.morphemes import texts_to_read
from nsmc.data.soft_labels_file import (
    SOFT_LABELS_FILE,
    check_ids,
    check_writable,
    write_soft_labels,
)
from nsmc.extras import needs_extra
from nsmc.runs.measured import answers_to, measured
from nsmc.training.class_weights import class_weights

log = logging.getLogger(__name__)

_LEAST_LOG = -100  # of a probability that is 0, so that the loss stays finite


def train_linear(config: RunConfig, datamodule: ReviewDataModule, folder: Path) -> dict[str, Any]:
    """Returns what that adds to the record.

    Raises ValueError without scikit-learn, and what reading the corpus raises.
    """
    try:
        from nsmc.training.linear import LinearClassifier
    except ImportError:
        raise ValueError(needs_extra("task=linear", "linear")) from None
    started = time.perf_counter()
    datamodule.files.fetch()
    reviews = datamodule.files.read()
    log_summary(summary_of(reviews), datamodule.files.train.parent)
    train, val, test = reviews["train"], reviews["val"], reviews.pop("test", None)
    ids = [review_id for part in reviews.values() for review_id in part.ids]
    check_writable(ids, train.label_names)
    check_ids(ids, [text for part in reviews.values() for text in part.texts])
    label_count = len(train.label_names)
    chosen = config.linear.class_weights
    is_own = chosen != config.model.class_weights  # else it follows that one, which was typed
    key = f"{'linear' if is_own else 'model'}.class_weights"
    weights = class_weights(chosen, train.labels, label_count, key)
    settings = config.linear.model_dump(exclude={"class_weights"})
    classifier = LinearClassifier(
        **settings, normalization=config.data.normalization, seed=config.seed
    )

    def read(part: Reviews) -> Sequence[str]:
        return texts_to_read(part.texts, config.data.morphemes, datamodule.cache_dir)

    log.info("fitting %s reviews", f"{len(train):,}")
    classifier.fit(read(train), train.labels, label_count, weights)
    train_seconds = time.perf_counter() - started
    if config.data.unlabelled and UNLABELLED not in reviews:
        log.info("no unlabelled reviews in %s: the others alone get soft labels", config.data.root)
    probabilities = {}
    for name, part in reviews.items():
        log.info("scoring %s %s reviews", f"{len(part):,}", name)
        probabilities[name] = classifier.probabilities(read(part))
    metrics = measured("val", val.labels, _logarithms(probabilities["val"]))
    answers = {"val": answers_to(val, probabilities["val"])}
    if config.test and test is not None:
        of_test = classifier.probabilities(read(test))
        metrics |= measured("test", test.labels, _logarithms(of_test))
        answers["test"] = answers_to(test, of_test)
    write_answers(folder, answers)
    soft_labels = np.concatenate([*probabilities.values()])
    write_soft_labels(folder / SOFT_LABELS_FILE, ids, train.label_names, soft_labels)
    return {
        "metrics": metrics,
        "parameters": classifier.parameter_count,
        "train_seconds": round(train_seconds, 3),
        "reviews_per_second": round(len(train) / train_seconds, 1),
        "seconds": round(time.perf_counter() - started, 3),
        "bundle_bytes": 0,
    }


def _logarithms(probabilities: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(probabilities), _LEAST_LOG)
