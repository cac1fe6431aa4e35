"""The callback that exports the best weights as a bundle, and checks the bundle on the spot."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.tokenizer import PAD_ID
from nsmc.runtime.bundle import (
    FORMAT_VERSION,
    MORPHEMES_VERSION,
    BundleConfig,
    fill_bundle,
    rewrite_config,
    whole_bundle,
)
from nsmc.runtime.file_form import reading_of
from nsmc.runtime.golden import rescale_vectors, write_vectors
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.morphemes import analyser_versions
from nsmc.runtime.predictor import Predictor
from nsmc.training.calibration import Calibration
from nsmc.training.checkpoints import network_from_checkpoint
from nsmc.training.children import alone
from nsmc.training.classifier import TextClassifier
from nsmc.training.interruption import LastCheckpoint
from nsmc.training.metrics import defined
from nsmc.training.model_card import model_card
from nsmc.training.padding import pad

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # between the runtime's logits and torch's

_CHECKED_REVIEWS = 512  # validation reviews whose logits are compared


class BundleExport(L.Callback):
    """Writes the bundle when training ends; adds metrics when validation and testing end.

    `corpus`, `command`, `signature` and `teachers` say where the bundle comes from. Without
    `measured`, as where validations are of a part of the reviews, it gets no metrics. Where the
    runtime computes other logits from it, there is no bundle but a RuntimeError.
    """

    def __init__(
        self,
        folder: str,
        *,
        corpus: str,
        command: str,
        signature: str,
        teachers: dict[str, Any] | None = None,
        measured: bool = True,
    ) -> None:
        self.folder = Path(folder)
        self.corpus = corpus
        self.command = command
        self.signature = signature
        self.teachers = teachers
        self.measured = measured
        self.config: BundleConfig | None = None  # of the bundle, once it is written

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.config = None

    # Not an earlier hook: ModelCheckpoint runs last in each, so its best path could be stale.
    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        problem: Exception | None = None
        if trainer.is_global_zero:
            try:
                with alone():
                    self._export(trainer)
            except (OSError, RuntimeError, ValueError) as error:
                problem = error
        # All processes fail together: the others would wait for the first one for ever.
        problem = trainer.strategy.broadcast(problem)
        if problem is not None:
            raise problem

    def _export(self, trainer: L.Trainer) -> None:
        datamodule: ReviewDataModule = trainer.datamodule  # type: ignore[attr-defined]
        network = network_from_checkpoint(best_checkpoint(trainer))
        tensors = network.bundle_tensors()
        classifier = network if isinstance(network, TextClassifier) else None
        text_encoder = network.text_encoder if isinstance(network, TextClassifier) else network
        versions = analyser_versions() if datamodule.tokenizer.morphemes else None
        self.config = BundleConfig(
            encoder=text_encoder.settings,
            vocab_size=len(tensors["embedding.weight"]),
            embedding_dim=text_encoder.embedding_dim,
            pooling=classifier.pooling if classifier else "last",
            pad_id=PAD_ID,
            max_length=datamodule.max_length,
            labels=datamodule.corpus.labels if classifier else (),
            signature=self.signature,
            command=self.command,
            reading=_reading(datamodule) if classifier else None,
            morphemes=versions,
            teachers=self.teachers,
            format_version=FORMAT_VERSION if versions is None else MORPHEMES_VERSION,
        )
        card = model_card(self.config, self.corpus)
        with whole_bundle(self.folder) as scratch:
            fill_bundle(scratch, self.config, tensors, datamodule.corpus.tokenizer_path, card)
            _check(scratch, classifier, datamodule)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.config is None or not self.measured:  # during the fit there is no bundle yet
            return
        metrics = self.config.metrics | defined(trainer.callback_metrics, "val/", "test/")
        confidence = self.config.confidence
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Calibration):
                confidence = callback.confidence
        self.config = dataclasses.replace(self.config, metrics=metrics, confidence=confidence)
        rewrite_config(self.folder, self.config, model_card(self.config, self.corpus))
        rescale_vectors(self.folder, self.config)

    on_test_end = on_validation_end


def _reading(datamodule: ReviewDataModule) -> dict[str, Any]:
    files, labels = datamodule.files, datamodule.corpus.labels
    return reading_of(files.form.file_format, str(files.train), files.form.labels, labels)


def best_checkpoint(trainer: L.Trainer) -> str:
    """The path of the best checkpoint; "" before any.

    Where there was nothing left to train, it is the checkpoint that the fit started from, and with
    `fast_dev_run`, which keeps no best one, the last one. Raises ValueError without any.
    """
    callback = trainer.checkpoint_callback
    assert isinstance(callback, ModelCheckpoint)
    best = callback.best_model_path or str(trainer.ckpt_path or "")
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        callbacks: list[L.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        best = next(each.path for each in callbacks if isinstance(each, LastCheckpoint))
    if not best:
        raise ValueError(
            "no validation took place, so there is no best epoch: lower trainer.val_check_interval "
            "or trainer.check_val_every_n_epoch, or train for longer"
        )
    return best


def _check(folder: Path, classifier: TextClassifier | None, datamodule: ReviewDataModule) -> None:
    """Compare the runtime's logits with the classifier's, on validation reviews; add test vectors.

    A bundle without a classifier is only read.
    """
    if classifier is None:
        read_bundle(folder)
        return
    reviews = datamodule.corpus.splits["val"]
    rows = range(min(_CHECKED_REVIEWS, len(reviews)))
    token_ids = [reviews.review(row).tolist()[: datamodule.max_length] for row in rows]
    with torch.inference_mode():
        expected = classifier(*pad(token_ids)).numpy()
    difference = np.abs(Predictor.load(folder).logits(token_ids) - expected).max()
    if not difference <= TOLERANCE:  # written so that NaN fails, too
        raise RuntimeError(
            f"export failed: the runtime's logits differ from the classifier's by "
            f"{difference:.2g}; at most {TOLERANCE} is allowed"
        )
    write_vectors(folder)
    log.info("bundle checked on %d validation reviews: logits within %.1g", len(rows), difference)
