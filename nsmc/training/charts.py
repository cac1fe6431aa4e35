"""The callback that draws validation results for TensorBoard.

After each validation: the confusion matrix, the precision-recall curve, and, as readable text, the
reviews that the classifier is most wrong about.
"""

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as L
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning.loggers import TensorBoardLogger
from torchmetrics import CatMetric

from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.fonts import drawable, families
from nsmc.training.metrics import is_after_fit

_HARDEST = 20  # reviews shown

_INK = "#888888"  # legible on TensorBoard's light background and on its dark one

_MARKUP = set("<>&|*_`~[]\\#")  # what Markdown or HTML would interpret

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


class ValidationCharts(L.Callback):
    """Collects the validation results of all processes, and draws them on the first one."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._results = CatMetric(nan_strategy="disable")  # [N, 3]: probability, label, row

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._results.to(pl_module.device).reset()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        self._results.update(
            torch.stack([outputs["probabilities"], batch.labels, batch.rows], dim=1)
        )

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        results = self._results.compute().reshape(-1, 3).cpu().numpy()
        probabilities, (labels, rows) = results[:, 0], results[:, 1:].T.astype(int)
        logger = trainer.logger
        draws = trainer.is_global_zero and not is_after_fit(trainer)
        if not isinstance(logger, TensorBoardLogger) or not draws:
            return
        writer, step = logger.experiment, trainer.global_step
        figure = confusion_matrix_figure(probabilities, labels, self.labels)
        writer.add_image("val/confusion_matrix", pixels(figure), step, dataformats="HWC")
        writer.add_pr_curve("val/precision_recall", labels, probabilities, step)
        datamodule: ReviewDataModule = trainer.datamodule  # type: ignore[attr-defined]
        text = hardest_reviews(probabilities, labels, rows, self.labels, datamodule)
        writer.add_text("val/hardest_reviews", text, step)


def confusion_matrix_figure(
    probabilities: FloatArray, labels: IntArray, names: tuple[str, ...]
) -> Figure:
    """Counts and shares of the true label, from the probability [N] of the positive label."""
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (labels, (probabilities > 0.5).astype(int)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(4.2, 3.6), dpi=150, facecolor="none", layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    is_drawable = all(drawable(name) == name for name in names)
    shown = list(names) if is_drawable else [str(label) for label in range(len(names))]
    style: dict[str, Any] = {"family": families("".join(shown)), "color": _INK}
    axes.set_xticks([0, 1], shown, **style)
    axes.set_yticks([0, 1], shown, **style)
    axes.set_xlabel("predicted", color=_INK)
    axes.set_ylabel("true", color=_INK)
    axes.tick_params(color=_INK)
    axes.spines[:].set_color(_INK)
    for (true, predicted), count in np.ndenumerate(counts):
        share = shares[true, predicted]
        colour = "white" if share > 0.5 else "black"
        axes.text(predicted, true, f"{count:,}\n{share:.1%}", ha="center", va="center", c=colour)
    return figure


def pixels(figure: Figure) -> npt.NDArray[np.uint8]:
    """The figure as [height, width, 4]; `SummaryWriter.add_figure` would lose the transparency."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def hardest_reviews(
    probabilities: FloatArray,
    labels: IntArray,
    rows: IntArray,
    names: tuple[str, ...],
    datamodule: ReviewDataModule,
) -> str:
    """A Markdown list of the reviews whose true label got the least probability."""
    tokenizer = datamodule.corpus.tokenizer()
    of_true_label = np.where(labels == 1, probabilities, 1 - probabilities)
    lines = ["The probability of the true label, the true label, and the review:", ""]
    for index in np.argsort(of_true_label, kind="stable")[:_HARDEST]:
        text = tokenizer.decode(datamodule.corpus.splits["val"].review(rows[index]).tolist())
        # Decomposed Hangul (normalization nfd) is hard to read.
        one_line = " ".join(unicodedata.normalize("NFC", text).split())
        review = "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in one_line)
        lines.append(f"1. **{of_true_label[index]:.4f}** {names[labels[index]]}: {review}")
    return "\n".join(lines)
