"""The TensorBoard logger: the loss curves come first, train and validation side by side.

TensorBoard sorts its charts by name and makes a section of what precedes the first slash. So the
metrics, whose names begin with the split, get names here that begin with what is measured. They
keep their own names everywhere else.
"""

from collections.abc import Mapping

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

_SPLITS = ("train", "val", "test")
_OF_THE_OPTIMIZATION = ("learning_rate", "reviews_per_second")


class Curves(TensorBoardLogger):
    """Writes events and nothing else, into the folder itself so that TensorBoard shows its name."""

    def __init__(self, folder: str, purge_step: int | None = None) -> None:
        # Without hp_metric, or each run would have an empty column in the HPARAMS tab.
        super().__init__(
            folder, name="", version="", default_hp_metric=False, purge_step=purge_step
        )

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        # Lightning adds the epoch, which as a curve says nothing.
        named = {curve_name(name): value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(named, step)

    @rank_zero_only
    def save(self) -> None:
        """Lightning's own would also leave an empty hparams.yaml."""
        self.experiment.flush()


def curve_name(metric: str) -> str:
    """`loss/val` for `val/loss`, `metrics/accuracy_val` for `val/accuracy`.

    The loss within an epoch comes last of its section, or it would come between the other two.
    """
    split, _, name = metric.partition("/")
    if split not in _SPLITS:
        return metric
    if name in _OF_THE_OPTIMIZATION:
        return f"optimization/{name}"
    if name == "loss_step":
        return "loss/within_epoch"
    if name in ("loss", "loss_epoch"):
        return f"loss/{split}"
    return f"metrics/{name}_{split}"
