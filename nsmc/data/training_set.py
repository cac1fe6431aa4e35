"""What an epoch trains on: the labelled and, where wanted, unlabelled reviews with their targets.

This is where soft labels and BPE-dropout join the encoded corpus; without them it is the corpus's
training part as it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nsmc.data.batching import ReviewSource
from nsmc.data.corpus import Reviews
from nsmc.data.encoding import (
    UNLABELLED,
    CorpusFiles,
    EncodedCorpus,
    EncodingSettings,
    concatenated,
)
from nsmc.data.segmentation import segment
from nsmc.data.soft_labels import Distillation


@dataclass(frozen=True)
class TrainingSettings:
    """`bpe_dropout` is the probability that a merge is passed over; `cuts` the draws per word."""

    bpe_dropout: float = 0.0
    cuts: int = 8
    distillation: Distillation | None = None


def training_reviews(
    corpus: EncodedCorpus,
    files: CorpusFiles,
    encoding: EncodingSettings,
    settings: TrainingSettings,
    seed: int,
    cache_dir: Path,
) -> ReviewSource:
    """The reviews to train on; raises what `read_reviews`, `soft_labels` and `segment` raise."""
    parts = [corpus.splits[name] for name in ("train", UNLABELLED) if name in corpus.splits]
    reviews = parts[0] if len(parts) == 1 else concatenated(parts)
    distillation, bpe_dropout = settings.distillation, settings.bpe_dropout
    if distillation is None and not bpe_dropout:
        return reviews
    labelled, unlabelled, val = _read(files, encoding)
    if distillation is not None:
        distillation.log_accuracy(val, cache_dir)
        targets = distillation.targets(labelled, unlabelled, cache_dir)
        # Training accuracy is then agreement with the targets: unlabelled reviews have no labels.
        labels = (targets > 0.5).astype(np.int8)
        reviews = replace(reviews, labels=labels, targets=targets)
    if not bpe_dropout:
        return reviews
    texts = labelled.texts + (unlabelled.texts if unlabelled is not None else [])
    return segment(
        reviews,
        texts,
        corpus.tokenizer(),
        dropout=bpe_dropout,
        cuts=settings.cuts,
        seed=seed,
        cache_dir=cache_dir,
    )


def _read(
    files: CorpusFiles, encoding: EncodingSettings
) -> tuple[Reviews, Reviews | None, Reviews]:
    """The texts again, which the encoded corpus does not keep: labelled, unlabelled, validation."""
    labelled, val = files.read_training(encoding)
    unlabelled = files.read_unlabelled(val) if files.unlabelled is not None else None
    return labelled, unlabelled, val
