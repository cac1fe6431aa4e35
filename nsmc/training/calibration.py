"""The callback that measures how far the best weights' probabilities can be trusted."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as L
import torch
from torchmetrics import CatMetric

from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime.confidence import measured_confidence
from nsmc.runtime.familiarity import Profile
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.softmax import exact_softmax
from nsmc.training.children import alone
from nsmc.training.metrics import is_after_fit

_MOST_LABELS = 1000  # of which the probabilities of all reviews are kept
_MOST_REVIEWS = 20_000  # whose tokens are looked at


class Calibration(L.Callback):
    """Fits a temperature on the validation part, of all processes, once the fit has ended.

    `confidence` is then what the bundle says of its probabilities, and of the texts that they are
    for: see `runtime/confidence.py`.
    """

    def __init__(self) -> None:
        self.confidence: dict[str, Any] | None = None
        # [N, C + 2]: the logarithms of the probabilities, which are logits, the label and the row.
        # Rows are exact in float32 up to 16 million.
        self._results = CatMetric(nan_strategy="disable")

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.confidence = None

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._results.to(pl_module.device).reset()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        if is_after_fit(trainer) and outputs["probabilities"].shape[1] <= _MOST_LABELS:
            smallest = torch.finfo(torch.float32).tiny
            logits = outputs["probabilities"].clamp(min=smallest).log()
            about = torch.stack([batch.labels, batch.rows], dim=1)
            self._results.update(torch.cat([logits, about], dim=1))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not (is_after_fit(trainer) and self._results.update_called):
            return
        results = self._results.compute().cpu().numpy()  # of all processes, which all take part
        self._results.reset()
        if not trainer.is_global_zero:
            return
        with alone():
            logits, (labels, rows) = results[:, :-2], results[:, -2:].T.astype(int)
            self.confidence = measured_confidence(labels, logits)
            if self.confidence is not None:
                answers = exact_softmax(logits / self.confidence["temperature"]).max(axis=1)
                datamodule: ReviewDataModule = trainer.datamodule  # type: ignore[attr-defined]
                self.confidence["texts"] = _profile(datamodule, rows, answers)


def _profile(
    datamodule: ReviewDataModule,
    rows: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
) -> dict[str, Any]:
    """What the validation reviews of these rows are like, and how sure their answers."""
    corpus, longest = datamodule.corpus, datamodule.max_length
    profile, shown = Profile(read_tokenizer(corpus.tokenizer_path).lone_bytes), slice(_MOST_REVIEWS)
    reviews = [corpus.splits["val"].review(row)[:longest].tolist() for row in rows[shown]]
    profile.add(reviews, probabilities[shown])
    return profile.as_json()
