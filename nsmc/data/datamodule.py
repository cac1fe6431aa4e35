"""The LightningDataModule: fetches, encodes and batches a corpus.

It takes plain values. After `prepare_data` it knows the vocabulary, which the model needs.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as L
from torch.utils.data import DataLoader

from nsmc.data.batching import Batch, BatchDataset, BucketSampler, ReviewSource
from nsmc.data.encoding import CorpusFiles, EncodedCorpus, EncodingSettings, encode_corpus
from nsmc.data.source import CorpusSource
from nsmc.data.training_set import TrainingSettings, training_reviews


class ReviewDataModule(L.LightningDataModule):
    """Serves the train, val and test parts of a corpus as `Batch`es.

    `source` says where its files are. Without a `test` the test file may be missing, and where
    `classifies`, one label alone is refused. `tokenizer` is the path of a `tokenizer.json` to use
    instead of training one. `batch_size` counts reviews for each process. `pad_to` is a fixed
    number of tokens, or None to pad to the longest review of each batch; longer reviews are cut to
    `max_length` tokens.
    """

    def __init__(
        self,
        *,
        source: CorpusSource,
        cache_dir: str,
        encoding: EncodingSettings,
        batch_size: int,
        eval_batch_size: int,
        max_length: int,
        pad_to: int | None,
        shuffle: bool,
        bucketing: bool,
        seed: int,
        tokenizer: str | None = None,
        training: TrainingSettings | None = None,
        test: bool = True,
        classifies: bool = True,
    ) -> None:
        super().__init__()
        self.source = source
        published_test = source.remote_files.get(source.test_file)
        self.files = CorpusFiles(
            train=source.train,
            test=source.test,
            test_digest=published_test.sha256 if published_test else None,
            unlabelled=source.unlabelled,
            tokenizer=Path(tokenizer) if tokenizer else None,
            classifies=classifies,
        )
        self.test = test
        self.cache_dir = Path(cache_dir).expanduser()
        self.encoding = encoding
        self.training = training or TrainingSettings()
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_length = max_length
        self.pad_to = pad_to
        self.shuffle = shuffle
        self.bucketing = bucketing
        self.seed = seed
        self._corpus: EncodedCorpus | None = None
        self._training_reviews: ReviewSource | None = None

    def prepare_data(self) -> None:
        """Download what is missing and encode the corpus, unless that was done before.

        Raises what `CorpusSource.fetch` and `encode_corpus` raise.
        """
        if self._corpus is None:
            self.fetch()
            self._corpus = encode_corpus(self.files, self.encoding, self.cache_dir)
        if self._training_reviews is None:
            self._training_reviews = training_reviews(
                self._corpus, self.files, self.encoding, self.training, self.seed, self.cache_dir
            )

    def fetch(self) -> None:
        """Download what is missing; raises what `CorpusSource.fetch` raises."""
        self.source.fetch(self.test)
        there = self.source.test if self.source.test.is_file() else None
        self.files = replace(self.files, test=there)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint's weights depend on; compared when a run goes on from it."""
        return {
            "corpus_fingerprint": self.corpus.corpus_fingerprint,
            "tokenizer_fingerprint": self.corpus.tokenizer_fingerprint,
            "split_seed": self.encoding.split_seed,
            "validation_fraction": self.encoding.validation_fraction,
            "max_length": self.max_length,
        }

    @property
    def corpus(self) -> EncodedCorpus:
        self.prepare_data()
        assert self._corpus is not None
        return self._corpus

    @property
    def training_reviews(self) -> ReviewSource:
        """What an epoch trains on."""
        self.prepare_data()
        assert self._training_reviews is not None
        return self._training_reviews

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
            BatchDataset(reviews, self.max_length, self.pad_to),
            sampler=sampler,
            batch_size=None,
            collate_fn=_unchanged,
            pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
        )


def _unchanged(batch: Any) -> Any:
    return batch
