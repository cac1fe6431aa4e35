"""The LightningDataModule: fetches, encodes and batches a corpus.

It takes plain values. After `prepare_data` it knows the vocabulary, which the model needs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as L
from torch.utils.data import DataLoader

from nsmc.data.batching import Batch, BatchDataset, BucketSampler
from nsmc.data.download import RemoteFile, fetch_missing
from nsmc.data.encoding import EncodedCorpus, EncodingSettings, encode_corpus


class ReviewDataModule(L.LightningDataModule):
    """Serves the train, val and test parts of a corpus as `Batch`es.

    `train_file` and `test_file` are in `root`; `remote_files` says where those that are not there
    can be downloaded from. `batch_size` counts reviews for each process. `pad_to` is a fixed number
    of tokens, or None to pad to the longest review of each batch; longer reviews are cut to
    `max_length` tokens.
    """

    def __init__(
        self,
        *,
        root: str,
        train_file: str,
        test_file: str,
        remote_files: Mapping[str, RemoteFile],
        cache_dir: str,
        encoding: EncodingSettings,
        batch_size: int,
        eval_batch_size: int,
        max_length: int,
        pad_to: int | None,
        shuffle: bool,
        bucketing: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.root = Path(root).expanduser()
        self.train_file = train_file
        self.test_file = test_file
        self.remote_files = remote_files
        self.cache_dir = Path(cache_dir).expanduser()
        self.encoding = encoding
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_length = max_length
        self.pad_to = pad_to
        self.shuffle = shuffle
        self.bucketing = bucketing
        self.seed = seed
        self._corpus: EncodedCorpus | None = None

    def prepare_data(self) -> None:
        """Download what is missing and encode the corpus, unless that was done before.

        Raises what `fetch_missing` and `encode_corpus` raise.
        """
        if self._corpus is None:
            names = (self.train_file, self.test_file)
            fetch_missing(self.root, {name: self.remote_files.get(name) for name in names})
            self._corpus = encode_corpus(
                self.root / self.train_file,
                self.root / self.test_file,
                self.encoding,
                self.cache_dir,
            )

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

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        return self._dataloader("test")

    def _dataloader(self, split: str) -> DataLoader[Batch]:
        reviews = self.corpus.splits[split]
        is_training = split == "train"
        trainer = self.trainer  # None where the data is used without one
        sampler = BucketSampler(
            np.diff(reviews.offsets),
            self.batch_size if is_training else self.eval_batch_size,
            shuffle=self.shuffle and is_training,
            bucketing=self.bucketing,
            seed=self.seed,
            same_steps=is_training,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
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
