"""The callback that draws validation results, for every logger that takes images and texts.

Of each validation: the confusion matrix, how often answers are right that are so and so sure,
and, as readable text, the reviews that the classifier is most wrong about; for TensorBoard
precision-recall curves, too. Of validations that follow each other within seconds some are left
out, but not the last of a training that ends: on a small corpus charts would take several times as
long as the training.

Legend: N reviews, C labels.
"""

import time
import unicodedata
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytorch_lightning as L
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger
from torchmetrics import CatMetric

from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.fonts import drawable, families
from nsmc.training.metrics import is_after_fit
from nsmc.training.reliability import reliability_figure

_HARDEST = 20  # reviews shown
_MOST_LABELS = 30  # of which there are charts
_SECONDS_BETWEEN = 10.0  # at least, from charts to charts
_LONGEST_NAME = 20  # characters of a label's name in the confusion matrix

_INK = "#888888"  # legible on TensorBoard's light background and on its dark one

_MARKUP = set("<>&|*_`~[]\\#")  # what Markdown or HTML would interpret

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


class _Validation(NamedTuple):
    probabilities: FloatArray  # [N, C]
    labels: IntArray  # [N]
    rows: IntArray  # [N], in the validation part
    step: int


class ValidationCharts(L.Callback):
    """Collects the validation results of all processes, and draws them on the first one."""

    def __init__(self) -> None:
        self._results = CatMetric(nan_strategy="disable")  # [N, C + 2]: probabilities, label, row
        self._undrawn: _Validation | None = None
        self._drawn_at = float("-inf")

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._results.to(pl_module.device).reset()

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        about = torch.stack([batch.labels, batch.rows], dim=1)
        self._results.update(torch.cat([outputs["probabilities"], about], dim=1))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        results = self._results.compute().cpu().numpy()
        is_sanity_check = trainer.sanity_checking
        if not trainer.is_global_zero or is_after_fit(trainer) or is_sanity_check:
            return
        labels, rows = results[:, -2:].T.astype(int)
        self._undrawn = _Validation(results[:, :-2], labels, rows, trainer.global_step)
        if time.monotonic() - self._drawn_at >= _SECONDS_BETWEEN:
            self._draw(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._draw(trainer)

    def _draw(self, trainer: L.Trainer) -> None:
        if self._undrawn is None:
            return
        (probabilities, labels, rows, step), self._undrawn = self._undrawn, None
        datamodule: ReviewDataModule = trainer.datamodule  # type: ignore[attr-defined]
        names = datamodule.corpus.labels
        matrix = pixels(confusion_matrix_figure(probabilities, labels, names))
        reliability = pixels(reliability_figure(probabilities, labels))
        text = hardest_reviews(probabilities, labels, rows, names, datamodule)
        for logger in takers(trainer):
            log_image(logger, "val/confusion_matrix", matrix, step)
            log_image(logger, "val/reliability", reliability, step)
            log_text(logger, "val/hardest_reviews", text, step)
            if isinstance(logger, TensorBoardLogger):
                _log_curves(logger, probabilities, labels, names, step)
        self._drawn_at = time.monotonic()


def takers(trainer: L.Trainer) -> list[Logger]:
    """The loggers that may take images and texts."""
    return [logger for logger in trainer.loggers if not isinstance(logger, CSVLogger)]


def log_image(logger: Logger, name: str, image: npt.NDArray[np.uint8], step: int) -> None:
    """Log an image [height, width, 4] to a logger that takes images."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, image, step, dataformats="HWC")
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, image, key=name, step=step)
    elif hasattr(logger, "log_image"):  # as W&B's
        logger.log_image(name, [image], step)


def log_text(logger: Logger, name: str, text: str, step: int) -> None:
    """Log a text in Markdown to a logger that takes texts."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_text(name, text, step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_text(logger.run_id, text, f"{name}_step_{step}.md")
    elif hasattr(logger, "log_text"):
        logger.log_text(name, columns=["text"], data=[[text]], step=step)


def _log_curves(
    logger: TensorBoardLogger,
    probabilities: FloatArray,
    labels: IntArray,
    names: tuple[str, ...],
    step: int,
) -> None:
    """Precision against recall, which TensorBoard draws itself."""
    for label in [1] if len(names) == 2 else charted(labels, len(names)):
        tag = "val/precision_recall" + (f"/{names[label]}" if len(names) > 2 else "")
        logger.experiment.add_pr_curve(tag, labels == label, probabilities[:, label], step)


def charted(labels: IntArray, label_count: int) -> list[int]:
    """The labels that charts show: all, or those that most of the reviews have."""
    counts = np.bincount(labels, minlength=label_count)
    return sorted(np.argsort(-counts, kind="stable")[:_MOST_LABELS].tolist())


def confusion_matrix_figure(
    probabilities: FloatArray, labels: IntArray, names: tuple[str, ...]
) -> Figure:
    """Counts and shares of the true labels [N], from the probabilities [N, C] of all labels."""
    shown = charted(labels, len(names))
    row_of_label = np.full(len(names), len(shown))  # those that are not shown share the last row
    row_of_label[shown] = np.arange(len(shown))
    counts = np.zeros((len(shown) + 1, len(shown) + 1), dtype=np.int64)
    np.add.at(counts, (row_of_label[labels], row_of_label[probabilities.argmax(axis=1)]), 1)
    shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))[:-1, :-1]
    size = 2 + max(0.45, min(0.8, 8 / len(shown))) * len(shown)  # inches
    figure = Figure(figsize=(size + 0.6, size), dpi=150, facecolor="none", layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_labels(axes, names, shown)
    is_crowded = len(shown) > 10
    for (row, column), count in np.ndenumerate(counts[:-1, :-1]):
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        text = f"{share:.0%}" if is_crowded else f"{count:,}\n{share:.1%}"
        if count or not is_crowded:
            axes.text(column, row, text, ha="center", va="center", c=colour)
    return figure


def _name_labels(axes: Any, names: tuple[str, ...], shown: list[int]) -> None:
    """The axes' texts; numbers instead of names that no font can draw."""
    ticks = [names[label] for label in shown]
    ticks = [f"{name[: _LONGEST_NAME - 1]}…" if name[_LONGEST_NAME:] else name for name in ticks]
    notes = [f"{len(shown)} of {len(names):,} labels"] if len(shown) < len(names) else []
    if any(drawable(name) != name for name in ticks):
        ticks = [str(label) for label in shown]
        notes.append("numbers of labels: no font of this machine has their letters")
    style: dict[str, Any] = {"family": families("".join(ticks)), "color": _INK, "parse_math": False}
    is_long = max(map(len, ticks)) > 8 or len(ticks) > 10
    axes.set_xticks(range(len(ticks)), ticks, rotation=90 if is_long else 0, **style)
    axes.set_yticks(range(len(ticks)), ticks, **style)
    axes.set_xlabel("\n".join(["predicted", *notes]), color=_INK)
    axes.set_ylabel("true", color=_INK)
    axes.tick_params(color=_INK)
    axes.spines[:].set_color(_INK)


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
    of_true_label = probabilities[np.arange(len(labels)), labels]
    lines = ["The probability of the true label, the true label, and the review:", ""]
    for index in np.argsort(of_true_label, kind="stable")[:_HARDEST]:
        text = tokenizer.decode(datamodule.corpus.splits["val"].review(rows[index]).tolist())
        # Decomposed Hangul (normalization nfd) is hard to read.
        one_line = " ".join(unicodedata.normalize("NFC", text).split())
        label = without_markup(names[labels[index]])
        lines.append(f"1. **{of_true_label[index]:.4f}** {label}: {without_markup(one_line)}")
    return "\n".join(lines)


def without_markup(text: str) -> str:
    """The text as Markdown shows it."""
    return "".join(f"&#{ord(char)};" if char in _MARKUP else char for char in text)
