"""The LightningModule: loss, metrics, optimizer and schedule around the classifier.

It takes plain values, so its checkpoints load with weights-only loading.
"""

import pytorch_lightning as L
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryF1Score

from nsmc.data.batching import Batch
from nsmc.training.classifier import RecurrentClassifier

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


class SentimentModule(L.LightningModule):
    """Trains a RecurrentClassifier with cross-entropy.

    `schedule` is constant, one_cycle (Smith and Topin 2018, https://arxiv.org/abs/1708.07120; `lr`
    is its peak) or cosine (from `lr` down to 0). Steps return the loss and, for the callbacks, the
    probability [B] of the positive label.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        cell: str,
        embedding_dim: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        pooling: str,
        dropout: float,
        optimizer: str,
        lr: float,
        weight_decay: float,
        schedule: str,
        label_smoothing: float,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # the run logs them once, with its final metrics
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.label_smoothing = label_smoothing
        self.classifier = RecurrentClassifier(
            vocab_size=vocab_size,
            cell=cell,
            embedding_dim=embedding_dim,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            pooling=pooling,
            dropout=dropout,
            word_dropout=word_dropout,
        )
        self.train_metrics = _metrics("train")
        self.val_metrics = _metrics("val")
        self.test_metrics = _metrics("test")

    def forward(self, batch: Batch) -> Tensor:
        return self.classifier(batch.token_ids, batch.lengths)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._step(batch, "train", self.train_metrics)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._step(batch, "val", self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._step(batch, "test", self.test_metrics)

    def _step(self, batch: Batch, stage: str, metrics: MetricCollection) -> dict[str, Tensor]:
        logits = self(batch).float()  # mixed precision may give bfloat16
        is_training = stage == "train"
        # Smoothing changes what is minimised; the losses that are compared stay plain.
        smoothing = self.label_smoothing if is_training else 0.0
        loss = F.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        probabilities = logits.detach().softmax(dim=-1)[:, 1]
        metrics.update(probabilities, batch.labels)
        self.log(
            f"{stage}/loss",
            loss,
            on_step=is_training,
            on_epoch=True,
            prog_bar=is_training,
            batch_size=len(batch.labels),
            sync_dist=True,
        )
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(batch.labels))
        return {"loss": loss, "probabilities": probabilities}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        # Fused steps are fastest, but Lightning cannot clip gradients under mixed precision then.
        fused = True if self.trainer.precision == "32-true" else None
        optimizer = OPTIMIZERS[self.optimizer](
            self.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=fused
        )
        if self.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler: LRScheduler
        if self.schedule == "one_cycle":
            scheduler = OneCycleLR(optimizer, max_lr=self.lr, total_steps=steps)
        else:
            scheduler = CosineAnnealingLR(optimizer, T_max=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_train_start(self) -> None:
        """Raises ValueError where a resumed schedule was planned for another number of steps."""
        scheduler = self.lr_schedulers()
        if scheduler is None:
            return
        planned = getattr(scheduler, "total_steps", None) or getattr(scheduler, "T_max", None)
        steps = int(self.trainer.estimated_stepping_batches)
        if planned != steps:
            raise ValueError(
                f"the checkpoint's {self.schedule} schedule was planned for {planned} steps, this "
                f"run has {steps}: keep trainer.max_epochs and the batches as they were, or start "
                "with model.schedule=constant"
            )

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


def _metrics(stage: str) -> MetricCollection:
    # Probabilities and labels are ours: checking them again at each step costs more than it finds.
    return MetricCollection(
        {
            "accuracy": BinaryAccuracy(validate_args=False),
            "f1": BinaryF1Score(validate_args=False),
            "auroc": BinaryAUROC(validate_args=False),
        },
        prefix=f"{stage}/",
    )
