"""The LightningDataModule: fetches, encodes and batches a corpus.

It takes plain values. After `prepare_data` it knows the vocabulary, which the model needs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as L
from torch.utils.data import DataLoader

from nsmc.data.batching import Batch, BatchDataset, BucketSampler, ReviewSource
from nsmc.data.bpe_dropout import sample_reviews
from nsmc.data.encoding import (
    EncodedCorpus,
    TokenizerSettings,
    concatenated,
    encode_corpus,
    take_any,
)
from nsmc.data.files import UNLABELLED, CorpusFiles
from nsmc.data.morphemes import texts_to_read
from nsmc.data.soft_labels import Distillation


class ReviewDataModule(L.LightningDataModule):
    """Serves the train, val and test parts of a corpus as `Batch`es.

    `batch_size` counts reviews for each process. `pad_to` is a fixed number of tokens, or None to
    pad to the longest review of each batch; longer reviews are cut to `max_length` tokens. In
    training, a merge of tokens is skipped with the probability `bpe_dropout`. `check` gets the
    number of reviews of each part before they are encoded.
    """

    def __init__(
        self,
        *,
        files: CorpusFiles,
        tokenizer: TokenizerSettings,
        cache_dir: str,
        batch_size: int,
        eval_batch_size: int,
        max_length: int,
        pad_to: int | None,
        shuffle: bool,
        bucketing: bool,
        seed: int,
        bpe_dropout: float = 0.0,
        bpe_samples: int = 8,
        distillation: Distillation | None = None,
        same_epochs: bool = False,
        check: Callable[[Mapping[str, int]], None] = take_any,
    ) -> None:
        super().__init__()
        self.files = files
        self.tokenizer = tokenizer
        self.cache_dir = Path(cache_dir).expanduser()
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_length = max_length
        self.pad_to = pad_to
        self.shuffle = shuffle
        self.bucketing = bucketing
        self.seed = seed
        self.bpe_dropout = bpe_dropout
        self.bpe_samples = bpe_samples
        self.distillation = distillation
        self.same_epochs = same_epochs
        self.check = check

    def prepare_data(self) -> None:
        """Download what is missing and encode the corpus, unless that was done before.

        Raises what fetching, reading and encoding the corpus and scoring it with teachers raise.
        """
        _ = self.training_reviews

    @cached_property
    def corpus(self) -> EncodedCorpus:
        self.files.fetch()
        return encode_corpus(self.files, self.tokenizer, self.cache_dir, self.check)

    @cached_property
    def training_reviews(self) -> ReviewSource:
        """What an epoch trains on: labelled and, if wanted, unlabelled reviews with targets."""
        corpus, cache_dir = self.corpus, self.cache_dir
        if self.distillation is not None:
            self.distillation.check(corpus.labels)
        names = [name for name in ("train", UNLABELLED) if name in corpus.splits]
        reviews = concatenated([corpus.splits[name] for name in names])
        if self.distillation is None and not self.bpe_dropout:
            return reviews
        parts = self.files.read()  # again: the encoded corpus does not keep the texts
        if self.distillation is not None:
            self.distillation.log_accuracy(parts["val"], cache_dir)
            targets = self.distillation.targets(parts["train"], parts.get(UNLABELLED), cache_dir)
            # Training accuracy is then agreement with the targets: not all reviews have labels.
            labels = targets.argmax(axis=1).astype(np.int16)
            reviews = replace(reviews, labels=labels, targets=targets)
        if not self.bpe_dropout:
            return reviews
        return sample_reviews(
            reviews,
            [text for name in names for text in self._read(parts[name].texts)],
            corpus.tokenizer(),
            dropout=self.bpe_dropout,
            samples=self.bpe_samples,
            seed=self.seed,
            cache_dir=cache_dir,
        )

    def _read(self, texts: Sequence[str]) -> Sequence[str]:
        return texts_to_read(texts, self.tokenizer.morphemes, self.cache_dir)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint's weights depend on; compared when a run goes on from it."""
        return {
            "corpus_fingerprint": self.corpus.corpus_fingerprint,
            "tokenizer_fingerprint": self.corpus.tokenizer_fingerprint,
            "labels": list(self.corpus.labels),
            **asdict(self.files.split),
            "group_column": self.files.form.file_format.group_column,
            "label_map": dict(self.files.form.labels.mapping or {}),
            "max_length": self.max_length,
        }

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("training", self.training_reviews)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("validation", self.corpus.splits["val"])

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("test", self.corpus.splits["test"])

    def _dataloader(self, part: str, reviews: ReviewSource) -> DataLoader[Batch]:
        """Raises ValueError for fewer reviews than processes, some of which would have none."""
        trainer = self.trainer  # None where the data is used without one
        world_size = trainer.world_size if trainer else 1
        if len(reviews) < world_size:
            raise ValueError(
                f"the {part} part has {len(reviews)} reviews for {world_size} processes: lower "
                "trainer.devices or trainer.num_nodes"
            )
        is_training = part == "training"
        sampler = BucketSampler(
            reviews,
            self.batch_size if is_training else self.eval_batch_size,
            shuffle=self.shuffle and is_training,
            bucketing=self.bucketing,
            seed=self.seed,
            same_steps=is_training,
            same_epochs=self.same_epochs,
            rank=trainer.global_rank if trainer else 0,
            world_size=world_size,
        )
        # The sampler yields whole batches, so the loader must not collect rows itself. Collation is
        # a few array operations on mapped memory: worker processes would only add to its cost.
        return DataLoader(
            BatchDataset(reviews, len(self.corpus.labels), self.max_length, self.pad_to),
            sampler=sampler,
            batch_size=None,
            pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
        )
