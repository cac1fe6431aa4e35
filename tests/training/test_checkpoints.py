"""Checkpoints: written whole or not at all, found where a run was moved, the best one kept."""

import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as L
import torch

from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.checkpoints import (
    AtomicCheckpointIO,
    BestCheckpoint,
    adopt_best,
)
from nsmc.training.export import best_checkpoint
from nsmc.training.module import SentimentModule
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings


def best(folder: Path, mode: str = "max") -> BestCheckpoint:
    return BestCheckpoint(
        dirpath=folder,
        filename="epoch-{epoch:02d}",
        auto_insert_metric_name=False,
        monitor="val/accuracy" if mode == "max" else "val/loss",
        mode=mode,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def state(path: str, score: float) -> dict[str, Any]:
    """What a checkpoint keeps of a BestCheckpoint."""
    kept = torch.tensor(score)
    return {
        "monitor": "val/accuracy",
        "dirpath": str(Path(path).parent),
        "best_model_path": path,
        "best_model_score": kept,
        "best_k_models": {path: kept},
        "kth_best_model_path": path,
        "kth_value": kept,
        "last_model_path": "",
    }


def test_a_write_that_fails_leaves_the_checkpoint_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, path = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    writer.save_checkpoint({"step": 1}, path)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"last\.ckpt: No space left on device; the one before"):
        writer.save_checkpoint({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*/file/last\.ckpt"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "file" / "last.ckpt")


def test_the_best_survives_that_its_folder_is_moved(tmp_path: Path) -> None:
    (tmp_path / "epoch-03.ckpt").touch()
    callback = best(tmp_path)
    callback.load_state_dict(state("/before/moving/epoch-03.ckpt", 0.9))
    assert callback.best_model_path == str(tmp_path / "epoch-03.ckpt")
    assert callback.best_k_models == {str(tmp_path / "epoch-03.ckpt"): torch.tensor(0.9)}
    assert callback.kth_best_model_path == str(tmp_path / "epoch-03.ckpt")


@pytest.mark.parametrize("earlier", [0.0, 2.0])
def test_a_run_that_starts_from_another_keeps_the_better_of_both(
    tmp_path: Path,
    datamodule: ReviewDataModule,
    new_module: Callable[..., SentimentModule],
    new_trainer: Callable[..., L.Trainer],
    earlier: float,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    callback = best(first)
    trainer = new_trainer(callback, max_epochs=1)
    trainer.fit(new_module(), datamodule=datamodule)
    found = Path(callback.best_model_path)
    content = torch.load(found, weights_only=True)
    content["callbacks"][callback.state_key] = state(str(found), earlier)
    torch.save(content, first / "last.ckpt")

    adopt_best(first / "last.ckpt", second, "val/accuracy")
    callback = best(second)
    trainer = new_trainer(callback, max_epochs=2)
    trainer.fit(new_module(), datamodule=datamodule, ckpt_path=str(first / "last.ckpt"))
    expected = "epoch-00.ckpt" if earlier == 2.0 else "epoch-01.ckpt"
    assert callback.best_model_path == str(second / expected)
    assert best_checkpoint(trainer) == str(second / expected)
    assert found.is_file()  # the other run's


@pytest.mark.parametrize(("monitor", "names"), [("val/accuracy", ["e.ckpt"]), ("val/loss", [])])
def test_the_best_by_another_metric_is_left_where_it_is(
    tmp_path: Path, monitor: str, names: list[str]
) -> None:
    (tmp_path / "e.ckpt").touch()
    content = {"hyper_parameters": {}, "state_dict": {}, "callbacks": {"best": state("e.ckpt", 1)}}
    torch.save(content, tmp_path / "last.ckpt")
    adopt_best(tmp_path / "last.ckpt", tmp_path / "new", monitor)
    assert [path.name for path in (tmp_path / "new").glob("*")] == names


def test_a_best_checkpoint_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    callback = best(tmp_path)
    callback.load_state_dict(state("/before/moving/epoch-03.ckpt", 0.9))
    assert (callback.best_model_path, callback.best_k_models) == ("", {})


@pytest.mark.parametrize(
    "key", ["best_model_path", "kth_best_model_path", "last_model_path", "dirpath"]
)
def test_no_path_in_a_checkpoint_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "epoch-03.ckpt").touch()
    for path in (tmp_path / "epoch-03.ckpt", f"{folder}/../../victim.ckpt", folder / "last.ckpt"):
        callback = best(folder)
        callback.load_state_dict({**state(str(folder / "epoch-03.ckpt"), 0.9), key: str(path)})
        paths = [callback.best_model_path, callback.kth_best_model_path, *callback.best_k_models]
        assert {*paths, callback.last_model_path} <= {str(folder / "epoch-03.ckpt"), ""}


def test_a_link_is_not_the_best_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "epoch-03.ckpt").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    callback = best(tmp_path)
    callback.load_state_dict(state("epoch-03.ckpt", 0.9))
    assert callback.best_model_path == ""


@pytest.mark.parametrize("score", [None, "0.9", torch.zeros(2), torch.tensor(1)])
def test_a_score_that_is_none_ends_in_one_line(tmp_path: Path, score: Any) -> None:
    (tmp_path / "epoch-03.ckpt").touch()
    tampered = {**state("epoch-03.ckpt", 0.9), "best_model_score": score}
    with pytest.raises(ValueError, match="the checkpoint is damaged: best_model_score of Best"):
        best(tmp_path).load_state_dict(tampered)


def test_where_nothing_was_left_to_train_the_checkpoint_itself_is_the_best(tmp_path: Path) -> None:
    trainer: Any = SimpleNamespace(
        checkpoint_callback=best(tmp_path), ckpt_path="last.ckpt", fast_dev_run=False
    )
    assert best_checkpoint(trainer) == "last.ckpt"
    trainer.ckpt_path = None
    with pytest.raises(ValueError, match="no validation took place"):
        best_checkpoint(trainer)
