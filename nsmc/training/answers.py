"""The callback that keeps what the best weights say of each validation and test review."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from torchmetrics import CatMetric

from nsmc.comparison.answers import Answers, sorted_by_id, write_answers
from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.encoding import EncodedCorpus
from nsmc.training.children import alone
from nsmc.training.metrics import is_after_fit


class AnswerKeeper(L.Callback):
    """Collects the answers of all processes; the first one writes them into the run's `folder`.

    What is measured while the fit goes on is of weights that are still changing, and is not kept.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._parts = dict[str, Answers]()
        # [N, 5]: row, label, answer, probability of the answer and of the label. Rows and labels
        # are exact in float32 up to 16 million.
        self._results = CatMetric(nan_strategy="disable")

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._parts.clear()

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._results.to(pl_module.device).reset()

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        if is_after_fit(trainer):
            highest, answers = outputs["probabilities"].max(dim=1)
            of_label = outputs["probabilities"].gather(1, batch.labels[:, None]).squeeze(1)
            columns = [batch.rows, batch.labels, answers, highest, of_label]
            self._results.update(torch.stack([column.float() for column in columns], dim=1))

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        self.on_validation_batch_end(trainer, pl_module, outputs, batch)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._keep(trainer, "val")

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._keep(trainer, "test")

    def _keep(self, trainer: L.Trainer, part: str) -> None:
        if not is_after_fit(trainer):
            return
        results = self._results.compute().cpu().numpy()  # of all processes, which all take part
        self._results.reset()
        if not trainer.is_global_zero:
            return
        with alone():
            datamodule: ReviewDataModule = trainer.datamodule  # type: ignore[attr-defined]
            self._parts[part] = _answers(results, datamodule.corpus, part)
            write_answers(self.folder, self._parts)


def _answers(results: np.ndarray[Any, Any], corpus: EncodedCorpus, part: str) -> Answers:
    rows, labels, answers, highest, of_label = results.T
    keys, index = corpus.keys[part], rows.astype(np.int64)
    return sorted_by_id(
        Answers(
            ids=keys.ids[index],
            labels=labels.astype(np.int16),
            answers=answers.astype(np.int16),
            probabilities=highest,
            label_probabilities=of_label,
            slices=keys.slices[index],
            names=corpus.labels,
        )
    )
