"""The classes that a user names by `_target_`: looked for, and tried, before a run begins.

So a misspelt module ends a run at once, and not when the corpus is encoded.
"""

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as L
from pytorch_lightning.callbacks import (
    BatchSizeFinder,
    DeviceStatsMonitor,
    GradientAccumulationScheduler,
    LearningRateFinder,
    LearningRateMonitor,
    ModelPruning,
    StochasticWeightAveraging,
    ThroughputMonitor,
)

from nsmc.config.commands import relative_path
from nsmc.config.schema import RunConfig
from nsmc.runs.loggers import check_loggers
from nsmc.training.optimization import Optimization
from nsmc.training.targets import build, class_of

log = logging.getLogger(__name__)

_FOR_LOGGERS = (LearningRateMonitor, DeviceStatsMonitor, ThroughputMonitor)

# Callbacks of Lightning's that do not keep in a checkpoint all that they do to a training.
_NOT_RESUMABLE = (
    *(BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder, ModelPruning),
    StochasticWeightAveraging,
)


def check_own_classes(config: RunConfig) -> None:
    """Look for the loggers' classes, and try the optimizer and the schedule.

    Raises ValueError, naming the key, where there is no such thing or it cannot be made.
    """
    check_loggers(config)
    Optimization(**config.model.optimization()).check()


def build_own_callbacks(config: RunConfig) -> list[L.Callback]:
    """Those of `callbacks.extra`.

    Raises ValueError, naming the key, for one that cannot be made or has no logger to write to.
    """
    callbacks = []
    for name, spec in config.callbacks.extra.items():
        callback = build(spec, f"callbacks.extra.{name}", L.Callback)
        if isinstance(callback, _FOR_LOGGERS) and not config.logger.chosen:
            raise ValueError(
                f"callbacks.extra.{name}: {type(callback).__name__} writes to loggers, and there "
                "is none: choose one, such as logger=csv"
            )
        callbacks.append(callback)
    return callbacks


def check_resumable(config: RunConfig, folder: Path, is_resumed: bool) -> None:
    """Warn of a callback with which a run cannot be resumed; raises ValueError where it is."""
    reason = why_not_resumable(config)
    if reason and is_resumed:
        raise ValueError(f"{reason}: {how_to_start_over(folder)}")
    if reason:
        log.warning("%s: interrupted, this one can only start over", reason)


def why_not_resumable(config: RunConfig) -> str:
    """Names the first callback with which a run cannot be resumed; "" without any."""
    for name, spec in config.callbacks.extra.items():
        target: Any = class_of(spec, f"callbacks.extra.{name}")
        if isinstance(target, type) and issubclass(target, _NOT_RESUMABLE):
            return (
                f"callbacks.extra.{name}: {target.__name__} keeps too little in checkpoints for a "
                "run to be resumed to the bit"
            )
    return ""


def how_to_start_over(folder: Path) -> str:
    checkpoints = relative_path(folder / "checkpoints")
    return f"begin a new run, or remove {checkpoints} to start over in that folder"
