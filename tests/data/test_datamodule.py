"""The data module serves every review of each part, prepares once, and shards among processes."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch.utils.data import DataLoader

import nsmc.data.datamodule
import nsmc.data.encoding
from nsmc.data.batching import Batch, BucketSampler
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.download import RemoteFile
from nsmc.data.encoding import TokenizerSettings
from nsmc.data.files import CorpusFiles
from nsmc.data.splitting import SplitSettings

# 100 training reviews of 1 to 20 words, of which 20 become the validation part, and 15 test ones.
TRAIN = [(" ".join(f"낱말{row}" for _ in range(1 + row % 20)), row % 2) for row in range(100)]
TEST = [(f"시험 {row} " * (1 + row % 4), row % 2) for row in range(15)]


def write_corpus(folder: Path) -> None:
    folder.mkdir()
    for name, rows in (("train.txt", TRAIN), ("test.txt", TEST)):
        lines = [f"{number}\t{text}\t{label}\n" for number, (text, label) in enumerate(rows)]
        (folder / name).write_text("id\tdocument\tlabel\n" + "".join(lines), encoding="utf-8")


def datamodule_of(
    folder: Path,
    *,
    root: Path | None = None,
    train_file: str = "train.txt",
    test_file: str = "test.txt",
    remote_files: Mapping[str, RemoteFile] | None = None,
    max_length: int = 1_000,
    pad_to: int | None = None,
    shuffle: bool = True,
    bucketing: bool = True,
    seed: int = 1,
    test: bool = True,
    unlabelled_file: str | None = None,
) -> ReviewDataModule:
    if not (folder / "corpus").exists():
        write_corpus(folder / "corpus")
    return ReviewDataModule(
        files=CorpusFiles(
            root=root or folder / "corpus",
            train_file=train_file,
            test_file=test_file,
            remote_files=remote_files or {},
            split=SplitSettings(validation_fraction=0.2, split_seed=3),
            unlabelled_file=unlabelled_file,
            needs_test=test,
        ),
        tokenizer=TokenizerSettings(vocab_size=300, min_frequency=2, normalization="nfc"),
        cache_dir=str(folder / "cache"),
        batch_size=13,
        eval_batch_size=6,
        max_length=max_length,
        pad_to=pad_to,
        shuffle=shuffle,
        bucketing=bucketing,
        seed=seed,
    )


def loaders_of(datamodule: ReviewDataModule) -> dict[str, DataLoader[Batch]]:
    return {
        "train": datamodule.train_dataloader(),
        "val": datamodule.val_dataloader(),
        "test": datamodule.test_dataloader(),
    }


def rows_of(loader: DataLoader[Batch]) -> list[list[int]]:
    return [batch.rows.tolist() for batch in loader]


def order_of(loader: DataLoader[Batch]) -> list[int]:
    return [row for rows in rows_of(loader) for row in rows]


def refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError("this must not be done again")


def test_each_loader_serves_every_review_of_its_part_once(tmp_path: Path) -> None:
    datamodule = datamodule_of(tmp_path)
    datamodule.prepare_data()
    for name, loader in loaders_of(datamodule).items():
        reviews = datamodule.corpus.splits[name]
        served: list[int] = []
        for batch in loader:
            rows, lengths = batch.rows.tolist(), batch.lengths.tolist()
            served += rows
            assert batch.labels.tolist() == [int(reviews.labels[row]) for row in rows]
            assert batch.token_ids.shape == (len(rows), max(lengths))
            for row, length, token_ids in zip(rows, lengths, batch.token_ids.tolist(), strict=True):
                assert token_ids[:length] == reviews.review(row).tolist()
                assert not any(token_ids[length:])
        assert sorted(served) == list(range(len(reviews)))
    assert [len(part) for part in datamodule.corpus.splits.values()] == [80, 20, 15]


def test_training_and_evaluation_have_their_own_batch_sizes(tmp_path: Path) -> None:
    loaders = loaders_of(datamodule_of(tmp_path))
    sizes = {name: sorted(map(len, rows_of(loader))) for name, loader in loaders.items()}
    assert sizes == {"train": [2] + [13] * 6, "val": [2, 6, 6, 6], "test": [3, 6, 6]}
    assert {name: len(loader) for name, loader in loaders.items()} == {
        "train": 7,
        "val": 4,
        "test": 3,
    }


def test_reviews_are_cut_and_padded_as_asked(tmp_path: Path) -> None:
    for loader in loaders_of(datamodule_of(tmp_path, max_length=9, pad_to=12)).values():
        for batch in loader:
            assert batch.token_ids.shape[1] == 12
            assert batch.lengths.max() <= 9
    longest = max(batch.token_ids.shape[1] for batch in datamodule_of(tmp_path).train_dataloader())
    assert longest > 12


def test_only_training_reviews_are_shuffled(tmp_path: Path) -> None:
    loaders = loaders_of(datamodule_of(tmp_path, bucketing=False))
    assert order_of(loaders["train"]) != list(range(80))
    assert order_of(loaders["val"]) == list(range(20))
    assert order_of(loaders["test"]) == list(range(15))


def test_without_shuffling_training_reviews_are_in_file_order(tmp_path: Path) -> None:
    loader = datamodule_of(tmp_path, shuffle=False, bucketing=False).train_dataloader()
    assert order_of(loader) == list(range(80))


def test_the_seed_and_the_epoch_decide_the_training_batches(tmp_path: Path) -> None:
    def batches(seed: int, epoch: int) -> list[list[int]]:
        loader = datamodule_of(tmp_path, seed=seed).train_dataloader()
        assert isinstance(loader.sampler, BucketSampler)  # whose set_epoch the Trainer calls
        loader.sampler.set_epoch(epoch)
        return rows_of(loader)

    assert batches(1, 0) == batches(1, 0)
    assert batches(1, 0) != batches(1, 1)
    assert batches(1, 0) != batches(2, 0)


def test_preparing_again_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datamodule = datamodule_of(tmp_path)
    datamodule.prepare_data()
    corpus = datamodule.corpus
    monkeypatch.setattr(nsmc.data.datamodule, "encode_corpus", refuse)
    monkeypatch.setattr(nsmc.data.files, "fetch_missing", refuse)
    datamodule.prepare_data()
    assert datamodule.corpus is corpus


def test_another_run_on_the_same_corpus_encodes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = datamodule_of(tmp_path)
    first.prepare_data()
    monkeypatch.setattr(nsmc.data.encoding, "train_tokenizer", refuse)
    second = datamodule_of(tmp_path, seed=9)  # the batches' seed, not the split's
    assert second.corpus.tokenizer_path == first.corpus.tokenizer_path


def test_nothing_is_read_or_written_before_it_is_needed(tmp_path: Path) -> None:
    datamodule_of(tmp_path, root=tmp_path / "absent")
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_there_is_preferred_to_its_published_version(tmp_path: Path) -> None:
    # The address has no server: an attempt to download would fail.
    remote = {
        name: RemoteFile("http://127.0.0.1:9/x", "0" * 64) for name in ("train.txt", "test.txt")
    }
    assert len(datamodule_of(tmp_path, remote_files=remote).corpus.splits["test"]) == 15


def test_a_missing_corpus_names_the_way_out(tmp_path: Path) -> None:
    datamodule = datamodule_of(tmp_path, root=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"absent/train\.txt .*data\.root"):
        datamodule.prepare_data()


# The address has no server: an attempt to download fails.
PUBLISHED = {"test.txt": RemoteFile("http://127.0.0.1:9/x", "0" * 64)}


@pytest.mark.parametrize("remote_files", [{}, PUBLISHED])
def test_a_test_file_that_is_not_wanted_is_not_needed(
    tmp_path: Path, remote_files: Mapping[str, RemoteFile]
) -> None:
    write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "test.txt").unlink()
    datamodule = datamodule_of(tmp_path, remote_files=remote_files, test=False)
    assert [len(part) for part in datamodule.corpus.splits.values()] == [80, 20]
    assert sorted(order_of(datamodule.train_dataloader())) == list(range(80))
    with pytest.raises(FileNotFoundError, match=r"test\.txt is not there"):
        datamodule_of(tmp_path, remote_files=remote_files).prepare_data()


def test_beside_unlabelled_reviews_a_published_test_file_is_needed(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "test.txt").unlink()
    (tmp_path / "corpus" / "more.txt").write_text("id\tdocument\n0\t글\n", encoding="utf-8")
    of_ones_own = datamodule_of(tmp_path, test=False, unlabelled_file="more.txt")
    assert len(of_ones_own.corpus.splits["unlabelled"]) == 1
    published = datamodule_of(
        tmp_path, test=False, unlabelled_file="more.txt", remote_files=PUBLISHED
    )
    with pytest.raises(FileNotFoundError, match=r"test\.txt is not there and http"):
        published.prepare_data()


def test_files_may_be_in_folders_of_the_root(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    datamodule = datamodule_of(
        tmp_path, root=tmp_path, train_file="corpus/train.txt", test_file="corpus/test.txt"
    )
    assert len(datamodule.corpus.splits["test"]) == 15


def shards_of(folder: Path, world_size: int) -> dict[str, list[list[list[int]]]]:
    """For each part, for each process, the rows of its batches."""
    shards: dict[str, list[list[list[int]]]] = {"train": [], "val": [], "test": []}
    for rank in range(world_size):
        datamodule = datamodule_of(folder)
        # All that it asks of the Trainer, which would start processes of its own.
        cast(Any, datamodule).trainer = SimpleNamespace(
            global_rank=rank,
            world_size=world_size,
            strategy=SimpleNamespace(root_device=torch.device("cpu")),
        )
        for name, loader in loaders_of(datamodule).items():
            shards[name].append(rows_of(loader))
    return shards


def test_processes_share_each_part(tmp_path: Path) -> None:
    shards = shards_of(tmp_path, world_size=3)
    rows = {
        name: sorted(row for shard in parts for batch in shard for row in batch)
        for name, parts in shards.items()
    }
    assert (rows["val"], rows["test"]) == (list(range(20)), list(range(15)))
    # Training: two steps of 3 x 13 leave 2 of 80, too few for three processes. Evaluation goes on
    # where one process has nothing left: a step of 3 x 6 leaves 2 of the 20 validation reviews.
    assert [list(map(len, shard)) for shard in shards["train"]] == [[13, 13]] * 3
    assert len(set(rows["train"])) == len(rows["train"]) == 78


def test_a_part_that_leaves_a_process_without_reviews_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="validation part has 20 reviews for 21 processes"):
        shards_of(tmp_path, world_size=21)
