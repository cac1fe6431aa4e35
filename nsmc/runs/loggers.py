"""Builds the loggers that a configuration names, and tells them what a run is.

Those of Lightning's that are known here write into the run's folder, under the run's name, and a
resumed run goes on in the same place. Any other gets the arguments that it is given, and no more.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import (
    CSVLogger,
    Logger,
    MLFlowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from pytorch_lightning.utilities import rank_zero_only

from nsmc.config.schema import RunConfig
from nsmc.config.steps import flat
from nsmc.data.cache import digest_of
from nsmc.extras import needs_extra
from nsmc.training.targets import build, class_of

_MLFLOW_STORE = "sqlite:///outputs/mlflow.db"
_RUN_TAG = "nsmc.run"  # by which a resumed run is found in MLflow
_NO_SETTINGS = ("recipe", "search", "sweep", "logger")  # sections that are none of a run


@dataclass(frozen=True)
class LoggedRun:
    """The run that is logged, which began at `started`.

    `step` is the one that it is resumed from: TensorBoard then drops what was logged after it, and
    the numbers of this part go into a CSV file of their own.
    """

    folder: Path
    started: str = ""
    step: int | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None

    @property
    def id(self) -> str:
        """The same whenever the run is resumed, and no other run's."""
        return digest_of([str(self.folder.absolute()), self.started])[:16]


def build_loggers(config: RunConfig, run: LoggedRun) -> list[Logger]:
    """The loggers in the order of their names' appearance.

    Raises ValueError, in one line, for one that cannot be built.
    """
    return [_logger(name, spec, run) for name, spec in config.logger.chosen.items()]


def check_loggers(config: RunConfig) -> None:
    """Raises ValueError, naming it, for a logger whose class, or whose extra, is not there."""
    for name, spec in config.logger.chosen.items():
        known = _known(class_of(spec, f"logger.{name}"))
        if known in _EXTRAS and find_spec(_EXTRAS[known]) is None:
            raise ValueError(needs_extra(f"logger.{name}", _EXTRAS[known]))


def _known(logger_class: Any) -> type[Logger] | None:
    """The class that it is, or inherits from, of those that are known here."""
    is_class = isinstance(logger_class, type)
    known = [each for each in _DEFAULTS if is_class and issubclass(logger_class, each)]
    return known[0] if known else None


def _logger(name: str, spec: Mapping[str, Any], run: LoggedRun) -> Logger:
    key = f"logger.{name}"
    known = _known(class_of(spec, key))
    try:
        defaults = _DEFAULTS[known](spec, run) if known else {}
        return build(spec, key, Logger, **defaults)  # type: ignore[type-abstract]
    except (ModuleNotFoundError, ValueError) as error:
        is_missing = isinstance(error.__cause__ or error, ModuleNotFoundError)
        if is_missing and known in _EXTRAS:
            raise ValueError(needs_extra(key, _EXTRAS[known])) from None
        raise


def _of_tensorboard(spec: Mapping[str, Any], run: LoggedRun) -> dict[str, Any]:
    # Without hp_metric, or each run would have an empty column in the HPARAMS tab.
    where = {"save_dir": str(run.folder), "name": "", "version": "", "default_hp_metric": False}
    return {**where, "purge_step": None if run.step is None else run.step + 1}


def _of_csv(spec: Mapping[str, Any], run: LoggedRun) -> dict[str, Any]:
    version = "csv" if run.step is None else f"csv_from_step_{run.step}"
    return {"save_dir": str(run.folder), "name": "", "version": version}


def _of_mlflow(spec: Mapping[str, Any], run: LoggedRun) -> dict[str, Any]:
    from mlflow.tracking import MlflowClient  # of an extra

    store = spec.get("tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI") or _MLFLOW_STORE
    if store == _MLFLOW_STORE:
        Path("outputs").mkdir(exist_ok=True)
    if getattr(rank_zero_only, "rank", 0):  # the first process alone logs
        return {"tracking_uri": store}
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(spec.get("experiment_name", "lightning_logs"))
    earlier: list[Any] = []
    if experiment is not None:
        wanted = f"tags.`{_RUN_TAG}` = '{run.id}'"
        earlier = client.search_runs([experiment.experiment_id], wanted, max_results=1)
    tags = {_RUN_TAG: run.id, "folder": str(run.folder), **dict.fromkeys(run.tags, "true")}
    tags |= {"mlflow.note.content": run.notes} if run.notes else {}
    return {
        "tracking_uri": store,
        "run_name": run.folder.name,
        "run_id": earlier[0].info.run_id if earlier else None,
        "tags": tags,
    }


def _of_wandb(spec: Mapping[str, Any], run: LoggedRun) -> dict[str, Any]:
    return {
        "name": run.folder.name,
        "save_dir": str(run.folder),
        "id": run.id,
        "resume": "allow",
        "tags": [*run.tags],
        "notes": run.notes,
    }


_DEFAULTS: dict[type[Logger], Callable[[Mapping[str, Any], LoggedRun], dict[str, Any]]] = {
    TensorBoardLogger: _of_tensorboard,
    CSVLogger: _of_csv,
    MLFlowLogger: _of_mlflow,
    WandbLogger: _of_wandb,
}
_EXTRAS: dict[type[Logger] | None, str] = {MLFlowLogger: "mlflow", WandbLogger: "wandb"}


def log_settings(loggers: list[Logger], config: RunConfig) -> None:
    """Log the configuration, for loggers that take it when a run begins.

    TensorBoard gets it at the end, with the metrics (see hparams.py), and CSV is for numbers.
    """
    values = flat({k: v for k, v in config.model_dump().items() if k not in _NO_SETTINGS})
    for logger in loggers:
        if not isinstance(logger, TensorBoardLogger | CSVLogger):
            logger.log_hyperparams(dict(values))


def close_loggers() -> None:
    """End the run of W&B, which Lightning leaves open: a sweep's next job would go on in it."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and hasattr(wandb, "finish"):
        wandb.finish()
