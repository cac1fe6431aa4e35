"""What an epoch trains on: the labelled and, where wanted, unlabelled reviews with their targets.

This is where soft labels and BPE-dropout join the encoded corpus; without them it is the corpus's
training part as it is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nsmc.data.batching import ReviewSource
from nsmc.data.bpe_dropout import sample_reviews
from nsmc.data.encoding import EncodedCorpus, concatenated
from nsmc.data.files import UNLABELLED, CorpusFiles
from nsmc.data.soft_labels import Distillation


@dataclass(frozen=True)
class TrainingSettings:
    """`bpe_dropout` is the probability that a merge is skipped; `bpe_samples` are for each word."""

    bpe_dropout: float = 0.0
    bpe_samples: int = 8
    distillation: Distillation | None = None


def training_reviews(
    corpus: EncodedCorpus, files: CorpusFiles, settings: TrainingSettings, seed: int, cache: Path
) -> ReviewSource:
    """The reviews to train on.

    Raises what `CorpusFiles.read`, `soft_labels` and `sample_reviews` raise.
    """
    parts = [corpus.splits[name] for name in ("train", UNLABELLED) if name in corpus.splits]
    reviews = parts[0] if len(parts) == 1 else concatenated(parts)
    distillation = settings.distillation
    if distillation is None and not settings.bpe_dropout:
        return reviews
    read = files.read()  # again: the encoded corpus does not keep the texts
    if distillation is not None:
        distillation.log_accuracy(read["val"], cache)
        targets = distillation.targets(read["train"], read.get(UNLABELLED), cache)
        # Training accuracy is then agreement with the targets: unlabelled reviews have no labels.
        labels = targets.argmax(axis=1).astype(np.int16)
        reviews = replace(reviews, labels=labels, targets=targets)
    if not settings.bpe_dropout:
        return reviews
    return sample_reviews(
        reviews,
        [text for name in ("train", UNLABELLED) if name in read for text in read[name].texts],
        corpus.tokenizer(),
        dropout=settings.bpe_dropout,
        samples=settings.bpe_samples,
        seed=seed,
        cache_dir=cache,
    )
