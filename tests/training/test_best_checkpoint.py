"""Which checkpoint is measured and exported, where a run went on from another one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from nsmc.training.export import best_checkpoint


def trainer(here: Path, mode: str, score: float | None, ckpt_path: Path | None = None) -> Any:
    """A trainer whose own best checkpoint, if any, has this score."""
    callback = ModelCheckpoint(dirpath=here, monitor="val/accuracy", mode=mode)
    if score is not None:
        callback.best_model_path = str(here / "own.ckpt")
        callback.best_model_score = torch.tensor(score)
    resumed = str(ckpt_path) if ckpt_path else None
    return SimpleNamespace(checkpoint_callback=callback, ckpt_path=resumed)


def earlier_run(folder: Path, score: float) -> Path:
    """An earlier run's last.ckpt, whose best checkpoint lies beside it; the folder was moved."""
    folder.mkdir()
    (folder / "best.ckpt").touch()
    state = {"best_model_path": "/before/moving/best.ckpt", "best_model_score": torch.tensor(score)}
    callbacks = {"ModelCheckpoint": state, "EarlyStopping": {"wait_count": 0}}
    content = {"hyper_parameters": {}, "state_dict": {}, "callbacks": callbacks}
    torch.save(content, folder / "last.ckpt")
    return folder / "last.ckpt"


@pytest.mark.parametrize(
    ("mode", "own", "earlier", "expected"),
    [
        ("max", 0.8, 0.9, "best.ckpt"),
        ("max", 0.9, 0.8, "own.ckpt"),
        ("max", 0.8, 0.8, "own.ckpt"),
        ("min", 0.8, 0.9, "own.ckpt"),
        ("min", 0.9, 0.8, "best.ckpt"),
        ("max", None, 0.8, "best.ckpt"),  # nothing was left to train
    ],
)
def test_the_better_of_two_runs_counts(
    tmp_path: Path, mode: str, own: float | None, earlier: float, expected: str
) -> None:
    last = earlier_run(tmp_path / "earlier", earlier)
    assert Path(best_checkpoint(trainer(tmp_path, mode, own, last))).name == expected


def test_a_best_checkpoint_that_is_gone_does_not_count(tmp_path: Path) -> None:
    last = earlier_run(tmp_path / "earlier", 0.9)
    (last.parent / "best.ckpt").unlink()
    assert Path(best_checkpoint(trainer(tmp_path, "max", 0.8, last))).name == "own.ckpt"
    assert Path(best_checkpoint(trainer(tmp_path, "max", None, last))) == last


def test_a_fresh_run_has_its_own_best_or_none(tmp_path: Path) -> None:
    assert Path(best_checkpoint(trainer(tmp_path, "max", 0.8))).name == "own.ckpt"
    assert best_checkpoint(trainer(tmp_path, "max", None)) == ""
