"""The LightningDataModule: fetches, encodes and batches a corpus.

It takes plain values. After `prepare_data` it knows the vocabulary, which the model needs.
"""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as L
from torch.utils.data import DataLoader

from nsmc.data.batching import Batch, BatchDataset, BucketSampler, ReviewSource
from nsmc.data.encoding import EncodedCorpus, TokenizerSettings, encode_corpus
from nsmc.data.files import CorpusFiles
from nsmc.data.training_set import TrainingSettings, training_reviews


class ReviewDataModule(L.LightningDataModule):
    """Serves the train, val and test parts of a corpus as `Batch`es.

    `batch_size` counts reviews for each process. `pad_to` is a fixed number of tokens, or None to
    pad to the longest review of each batch; longer reviews are cut to `max_length` tokens.
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
        training: TrainingSettings | None = None,
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
        self.training = training or TrainingSettings()

    def prepare_data(self) -> None:
        """Download what is missing and encode the corpus, unless that was done before.

        Raises what `CorpusFiles.fetch`, `encode_corpus` and `training_reviews` raise.
        """
        _ = self.training_reviews

    @cached_property
    def corpus(self) -> EncodedCorpus:
        self.files.fetch()
        return encode_corpus(self.files, self.tokenizer, self.cache_dir)

    @cached_property
    def training_reviews(self) -> ReviewSource:
        """What an epoch trains on."""
        return training_reviews(self.corpus, self.files, self.training, self.seed, self.cache_dir)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint's weights depend on; compared when a run goes on from it."""
        return {
            "corpus_fingerprint": self.corpus.corpus_fingerprint,
            "tokenizer_fingerprint": self.corpus.tokenizer_fingerprint,
            "labels": list(self.corpus.labels),
            **asdict(self.files.split),
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
