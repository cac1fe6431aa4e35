"""The LightningModule: loss, metrics, optimizer and schedule around the classifier.

It takes plain values, so its checkpoints load with weights-only loading.
"""

from typing import Any

import pytorch_lightning as L
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC, BinaryF1Score

from nsmc.data.batching import Batch
from nsmc.training.classifier import RecurrentClassifier
from nsmc.training.losses import Regularization, cross_entropy, training_loss
from nsmc.training.optimization import Optimization


class SentimentModule(L.LightningModule):
    """Trains a RecurrentClassifier with cross-entropy.

    The three arguments hold the settings of `RecurrentClassifier`, `Optimization` and
    `Regularization`. Validation and test steps return the loss and, for the callbacks, the
    probability [B] of the positive label.
    """

    def __init__(
        self,
        *,
        classifier: dict[str, Any],
        optimization: dict[str, Any],
        regularization: dict[str, Any],
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # the run logs them once, with its final metrics
        self.classifier = RecurrentClassifier(**classifier)
        self.optimization = Optimization(**optimization)
        self.regularization = Regularization(**regularization)
        self.train_metrics = _metrics("train")
        self.val_metrics = _metrics("val")
        self.test_metrics = _metrics("test")

    @property
    def network(self) -> RecurrentClassifier:
        """What is exported."""
        return self.classifier

    def forward(self, batch: Batch) -> Tensor:
        return self.classifier(batch.token_ids, batch.lengths)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss, logits = training_loss(self.classifier, batch, self.regularization)
        self._measure(batch, "train", self.train_metrics, logits)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._measure(batch, "val", self.val_metrics, self(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._measure(batch, "test", self.test_metrics, self(batch))

    def _measure(
        self, batch: Batch, stage: str, metrics: MetricCollection, logits: Tensor
    ) -> dict[str, Tensor]:
        """Log the plain loss, whatever regularizers add to what is minimised, and the metrics."""
        logits = logits.detach().float()  # mixed precision may give bfloat16
        loss = cross_entropy(logits, batch.targets)
        probabilities = logits.softmax(dim=-1)[:, 1]
        metrics.update(probabilities, batch.labels)
        is_training = stage == "train"
        self.log(
            f"{stage}/loss",
            loss,
            on_step=is_training,
            on_epoch=True,
            prog_bar=is_training,
            batch_size=len(batch.lengths),
            sync_dist=True,
        )
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(batch.lengths))
        return {"loss": loss, "probabilities": probabilities}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return self.optimization.configure(self)

    def on_train_start(self) -> None:
        self.optimization.check_planned_steps(self)

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
