"""The TensorBoard logger: the loss curves come first, train and validation side by side.

TensorBoard sorts its charts by name, into sections by what precedes the first slash. So metrics,
whose names begin with the split, are renamed here to begin with what is measured.
"""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

_SPLITS = ("train", "val", "test")
_OPTIMIZATION = ("learning_rate", "reviews_per_second")


class Curves(TensorBoardLogger):
    """Writes events and nothing else, into the folder itself so that TensorBoard shows its name."""

    def __init__(self, save_dir: str, **settings: Any) -> None:
        # Without hp_metric, or each run would have an empty column in the HPARAMS tab.
        own = {"name": "", "version": "", "default_hp_metric": False}
        super().__init__(save_dir, **{**own, **settings})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # Lightning adds the epoch, a curve that shows nothing.
        named = {curve_name(name): value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(named, step)

    @rank_zero_only
    def save(self) -> None:
        """Lightning's own would also leave an empty hparams.yaml."""
        self.experiment.flush()


def curve_name(metric: str) -> str:
    """`loss/val` for `val/loss`, `metrics/accuracy_val` for `val/accuracy`.

    The loss within an epoch comes last in its section, or it would be between the other two.
    """
    split, _, name = metric.partition("/")
    if split not in _SPLITS:
        return metric
    if name in _OPTIMIZATION:
        return f"optimization/{name}"
    if name == "loss_step":
        return "loss/within_epoch"
    if name in ("loss", "loss_epoch"):
        return f"loss/{split}"
    return f"metrics/{name}_{split}"
