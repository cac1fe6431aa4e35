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
from nsmc.training.checkpoint_state import (
    check_content,
    check_plain_states,
    check_state,
    is_compressed,
    is_score,
    name_of,
)
from nsmc.training.classifier import TextClassifier
from nsmc.training.epochs import ends_epoch
from nsmc.training.language_model import LanguageModule
from nsmc.training.metrics import is_after_fit
from nsmc.training.module import SentimentModule
from nsmc.training.text_encoder import TextEncoder

LAST = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all: on a full disk, the earlier one stays as it was."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Raises OSError naming the file where it cannot be written.

        Raises ValueError for a callback's state that could not be read again with nothing executed.
        """
        check_plain_states(checkpoint.get("callbacks", {}))
        content = io.BytesIO()  # torch's own writer would hide why a file cannot be written
        torch.save(checkpoint, content)
        path = Path(path)
        earlier = "the one before it is untouched; " if path.is_file() else ""
        advice = f"{earlier}make room, or mend the folder, and resume the run"
        with whole_file(path, advice=advice, parents=True) as file:
            file.write(content.getbuffer())


class BestCheckpoint(ModelCheckpoint):
    """Keeps the best epoch's checkpoint, also where the run's folder was moved in between.

    Where the earlier best one is gone, the best of the epochs that follow is kept. Of a path in the
    state only the name counts: the file is read, and deleted once it is no longer the best.

    A validation within an epoch counts at once, one at an epoch's end once the epoch is over: the
    loops' state is then that of a finished epoch. An epoch without one leaves no checkpoint.
    """

    _is_validated = False  # since a checkpoint was last considered

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or is_after_fit(trainer):
            return
        self._is_validated = True
        if not ends_epoch(trainer):
            self._consider(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._is_validated:
            self._consider(trainer, pl_module)

    def _consider(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._is_validated = False
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

    The other run, which continues from `checkpoint`, then keeps the better of that one and its own;
    only its own where it has another `monitor`, which measures something else.
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
        inside = Path(path, "checkpoints", LAST)
        advice = f", but a run's folder: name its {inside}" if inside.is_file() else ""
        raise FileNotFoundError(f"{path}: no such checkpoint{advice}")
    try:
        if is_compressed(Path(path)):
            raise ValueError("it is compressed")
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        check_content(checkpoint)
    except Exception as error:  # a damaged archive may raise anything
        raise _not_a_checkpoint(path, error) from None
    return checkpoint


def _not_a_checkpoint(path: str, error: Exception) -> ValueError:
    details = f" ({error})" if isinstance(error, ValueError) else ""  # torch's text is for others
    return ValueError(f"{path}: not a checkpoint of this program, or damaged{details}")


def differences(
    checkpoint: Mapping[str, Any],
    module: SentimentModule | LanguageModule,
    datamodule: ReviewDataModule,
) -> dict[str, tuple[Any, Any]]:
    """Where a checkpoint is of another model, optimization, corpus, split or tokenizer.

    By name, the checkpoint's value and that of the run with this module and this data. With any,
    its weights, or its optimizer's state, would mean something else in the run.
    """
    data = checkpoint.get(type(datamodule).__name__)
    theirs = _flat(checkpoint["hyper_parameters"] | (data if isinstance(data, dict) else {}))
    ours = _flat({**module.hparams, **datamodule.state_dict()})
    return {
        name: (theirs.get(name), value) for name, value in ours.items() if theirs.get(name) != value
    }


def epochs_behind(checkpoint: Mapping[str, Any]) -> int:
    """How many whole epochs a checkpoint has behind it."""
    position = checkpoint.get("callbacks", {}).get("LastCheckpoint", {})
    return int(checkpoint.get("epoch", 0)) + (not position.get("taken"))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with those of each section instead of the section."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat


def network_from_checkpoint(path: str) -> TextClassifier | TextEncoder:
    """The network of a checkpoint, a classifier or an encoder, on the CPU, in evaluation mode."""
    checkpoint = load_checkpoint(path)
    settings = checkpoint["hyper_parameters"]
    module_class = LanguageModule if "encoder" in settings else SentimentModule
    try:
        module = module_class(**settings)
        module.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise _not_a_checkpoint(path, error) from None
    return module.network.eval()
