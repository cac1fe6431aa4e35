"""The LightningModule: loss, metrics, optimizer and schedule around the classifier.

It takes plain values, so its checkpoints load with weights-only loading.
"""

from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics import MetricCollection

from nsmc.data.batching import Batch
from nsmc.training.classifier import TextClassifier
from nsmc.training.losses import Regularization, cross_entropy, training_loss
from nsmc.training.metrics import MeanLoss, classification_metrics, is_after_fit
from nsmc.training.optimization import Optimization, learning_rate
from nsmc.training.stepping import SteppingModule

_KEPT_LOGITS = 1_500  # of each review in a batch; of 1,024 reviews 12 MB with their targets


class SentimentModule(SteppingModule):
    """Trains a TextClassifier; the arguments are the settings of the classes that they name.

    `class_weights` [C] weigh the labels in the loss that is minimised, and in no other. Validation
    and test steps return the loss and, for the callbacks, the probabilities [B, C] of the labels.
    """

    class_weights: Tensor | None

    lr = learning_rate

    def __init__(
        self,
        *,
        classifier: dict[str, Any],
        optimization: dict[str, Any],
        regularization: dict[str, Any],
        class_weights: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # the run logs them once, with its final metrics
        self.classifier = TextClassifier(**classifier)
        self.optimization = Optimization(**optimization)
        self.regularization = Regularization(**regularization)
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.train_loss = MeanLoss(synced_in_steps=True)
        self.val_loss, self.test_loss = MeanLoss(), MeanLoss()
        label_count = self.classifier.ln1.out_features
        self.most_kept = max(1, _KEPT_LOGITS // label_count)
        self.train_metrics = classification_metrics("train", label_count)
        self.val_metrics = classification_metrics("val", label_count)
        self.test_metrics = classification_metrics("test", label_count)
        self._logged = set[str]()  # the stages whose metrics this epoch's log has

    @property
    def network(self) -> TextClassifier:
        """What is exported."""
        return self.classifier

    def forward(self, batch: Batch) -> Tensor:
        return self.classifier(batch.token_ids, batch.lengths)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss, logits = training_loss(
            self.classifier, batch, self.regularization, self.class_weights
        )
        self.keep(logits, batch.targets, batch.labels)
        return {"loss": loss}

    def measure(self, *tensors: Tensor) -> None:
        self._measure("train", *tensors)

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._measure("val", self(batch), batch.targets, batch.labels)

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return self._measure("test", self(batch), batch.targets, batch.labels)

    def _measure(
        self, stage: str, logits: Tensor, targets: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Log the metrics and the loss without what regularizers add to it."""
        logits = logits.float()  # mixed precision may give bfloat16
        loss = cross_entropy(logits, targets)
        probabilities = logits.softmax(dim=-1)
        mean_loss: MeanLoss = getattr(self, f"{stage}_loss")
        metrics: MetricCollection = getattr(self, f"{stage}_metrics")
        metrics.update(probabilities, labels)
        is_training = stage == "train"
        mean_loss(loss, len(labels))
        logger = False if is_after_fit(self._trainer) else None  # None is the default
        if is_training or stage not in self._logged:
            self.log(
                f"{stage}/loss",
                mean_loss,
                on_step=is_training,
                on_epoch=True,
                logger=logger,
            )
        if stage not in self._logged:
            # Once an epoch, whose end computes them: Lightning takes a millisecond for each call.
            self.log_dict(metrics, on_step=False, on_epoch=True, logger=logger)
            self._logged.add(stage)
        return {"loss": loss, "probabilities": probabilities}

    def on_train_epoch_start(self) -> None:
        self._logged.discard("train")

    def on_validation_epoch_start(self) -> None:
        self._logged.discard("val")

    def on_test_epoch_start(self) -> None:
        self._logged.discard("test")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return self.optimization.configure(self)

    def on_train_start(self) -> None:
        super().on_train_start()
        # An epoch that goes on where another fit stopped does not start again.
        self._logged.discard("train")
        self.optimization.check_planned_steps(self)
