"""Checkpoints: written whole or not at all, read with nothing executed, found again when moved."""

import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from nsmc.atomic import whole_file
from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.checkpoint_state import check_state, grows, is_score, name_of, problem_of
from nsmc.training.classifier import TextClassifier
from nsmc.training.language_model import LanguageModule
from nsmc.training.module import SentimentModule
from nsmc.training.starting import weights_alone
from nsmc.training.text_encoder import TextEncoder

LAST = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there once it is on the disk.

    A process that dies or a disk that fills up in between leaves the earlier checkpoint as it was.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Raises OSError naming the file where it cannot be written."""
        content = io.BytesIO()  # torch's own writer would hide why a file cannot be written
        torch.save(checkpoint, content)
        place = Path(path)
        left = "the one before it is untouched; " if place.is_file() else ""
        advice = f"{left}make room, or mend the folder, and resume the run"
        with whole_file(place, advice=advice, parents=True) as file:
            file.write(content.getbuffer())


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch's checkpoint; its state survives that the run folder is moved.

    Where the best one of then is no longer there, the best of what follows is kept. Of a path in
    the state only the name counts: the file is read, and deleted once it is no longer the best.
    """

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        value = trainer.callback_metrics.get(str(self.monitor))
        if value is not None and torch.isnan(value):
            raise ValueError(
                f"callbacks.checkpoint.monitor={self.monitor} is undefined: all validation reviews "
                "have one label; choose val/loss, or set data.validation_fraction higher"
            )
        super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        name = name_of(state_dict.get("best_model_path"))
        here = Path(str(self.dirpath)) / name
        if name in ("", LAST) or here.is_symlink() or not here.is_file():
            return
        check_state("BestCheckpoint", state_dict, best_model_score=is_score)
        score = state_dict["best_model_score"]
        super().load_state_dict(
            {
                "dirpath": self.dirpath,
                "best_model_path": str(here),
                "best_model_score": score,
                "best_k_models": {str(here): score},
                "kth_best_model_path": str(here),
                "kth_value": score,
                "last_model_path": "",
            }
        )


def adopt_best(checkpoint: Path, folder: Path, monitor: str) -> None:
    """Copy the best checkpoint of the run that `checkpoint` is from into another run's `folder`.

    The other run, which goes on from `checkpoint` and looks at `monitor`, then keeps the better of
    that one and its own. One that looks at another metric than before keeps the best of its own.
    """
    for state in load_checkpoint(str(checkpoint)).get("callbacks", {}).values():
        # Run folders may have been moved: checkpoints of one run stay beside each other.
        name = name_of(state.get("best_model_path"))
        best = checkpoint.parent / name
        if state.get("monitor") == monitor and name not in ("", LAST) and best.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(best, folder / name)


def load_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint's content on the CPU, with nothing unpickled but plain values.

    Raises FileNotFoundError for a missing file, ValueError for one that is no such checkpoint.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        if grows(Path(path)):
            raise ValueError("it is compressed")
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        problem = problem_of(checkpoint)
    except Exception as error:  # whatever a damaged archive makes of itself
        details = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: not a checkpoint, or damaged ({details})") from None
    if problem:
        raise ValueError(f"{path}: not a checkpoint of this program, or damaged: {problem}")
    return checkpoint


def check_checkpoint(
    path: str, module: SentimentModule | LanguageModule, datamodule: ReviewDataModule
) -> None:
    """Check that a run with this module and this data can go on from a checkpoint.

    Raises what `load_checkpoint` raises, and ValueError where the checkpoint comes from another
    model, corpus, split or tokenizer: its weights would mean something else here.
    """
    checkpoint = load_checkpoint(path)
    of_data = checkpoint.get(type(datamodule).__name__)
    settings = {**checkpoint["hyper_parameters"], **(of_data if isinstance(of_data, dict) else {})}
    theirs = _flat(settings)
    for name, ours in _flat({**module.hparams, **datamodule.state_dict()}).items():
        if theirs.get(name) != ours:
            raise ValueError(
                f"ckpt_path={path} has {name}={theirs.get(name)}, this run {name}={ours}: "
                f"go on with the configuration it was trained with, or {weights_alone(path)}"
            )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with those of each section in its place."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def network_from_checkpoint(path: str) -> TextClassifier | TextEncoder:
    """The network of a checkpoint, a classifier or an encoder, on the CPU, in evaluation mode."""
    checkpoint = load_checkpoint(path)
    settings = checkpoint["hyper_parameters"]
    kind = LanguageModule if "encoder" in settings else SentimentModule
    try:
        module = kind(**settings)
        module.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, TypeError, KeyError, ValueError, AttributeError) as error:
        details = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: not a checkpoint of this program ({details})") from None
    return module.network.eval()
