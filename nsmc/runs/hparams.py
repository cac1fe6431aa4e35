"""The row of a run in TensorBoard's HPARAMS tab: its settings and its final metrics.

TensorBoard takes the tab's columns from one run, whichever it reads first, so each run names the
same ones, whatever its task. It ticks the first five settings and the first five metrics; settings
come in the order of their names, those that are said to differ before the others.

It sorts a column by its values, which fails where numbers meet texts: so a column's type is that
of the key in the schema, and null has no value.
"""

import time
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytorch_lightning as L
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.api_pb2 import (
    DATA_TYPE_FLOAT64,
    DATA_TYPE_STRING,
    STATUS_SUCCESS,
    Experiment,
    HParamInfo,
    MetricInfo,
    MetricName,
)
from tensorboard.plugins.hparams.metadata import (
    EXPERIMENT_TAG,
    NULL_TENSOR,
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
    create_summary_metadata,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)

from nsmc.config.schema import KEYS, MODEL_CONFIGS, RunConfig
from nsmc.config.steps import flat
from nsmc.training.targets import TARGET

Setting = str | float | bool

_TICKED = ("architecture", "hidden_size", "lr", "seed", "task")
_METRICS = (
    *("val/accuracy", "test/accuracy", "val/loss", "test/loss"),
    *("val/macro_f1", "test/macro_f1", "val/f1", "test/f1", "val/auroc", "test/auroc"),
    *("val/calibration_error", "test/calibration_error"),
)
_SECTION = "result"  # of the charts, each of one point, after all curves

_RARELY_CHANGED = ("model.adversarial_epsilon", "model.num_sampled")
# Of all architectures; one has no value for another one's settings.
_OF_THE_MODEL = [key for key in KEYS if key.startswith("model.") and key not in _RARELY_CHANGED]
_OTHERS = (
    *("task", "seed", "data.vocab_size", "data.batch_size", "data.normalization"),
    *("trainer.max_epochs", "trainer.precision", "trainer.gradient_clip_val"),
)
_KEYS = {key.rpartition(".")[2]: key for key in (*_OF_THE_MODEL, *_OTHERS)}  # by a column's name


def log_hyperparameters(trainer: L.Trainer, config: RunConfig, metrics: dict[str, float]) -> None:
    """Log the final metrics, and for TensorBoard the settings, once: else a column is empty."""
    final = {f"{_SECTION}/{name}": metrics[name] for name in _METRICS if name in metrics}
    for logger in trainer.loggers:
        logger.log_metrics(final, trainer.global_step)
        if isinstance(logger, TensorBoardLogger):
            if config.notes:
                logger.experiment.add_text("notes", config.notes, trainer.global_step)
            for part in _summaries(settings_of(config)):
                logger.experiment.file_writer.add_summary(part)
        logger.save()


def settings_of(config: RunConfig) -> dict[str, Setting | None]:
    """The settings that people compare; None is a number that is not set."""
    values = dict(flat(config.model_dump()))
    for key in ("model.optimizer", "model.schedule"):  # the class, where it is the user's
        values.setdefault(key, str(values.get(f"{key}.{TARGET}")).rpartition(".")[2])
    return {
        **{name: _plain(values.get(key)) for name, key in _KEYS.items()},
        "corpus": config.data.name,
        "tags": ", ".join(config.tags),
        "pretrained": config.init_from is not None,
        "teachers": len(config.distill.teachers),
    }


def setting_columns() -> list[HParamInfo]:
    """A column for each of `settings_of`, with its type and, where there are few, its choices."""
    types: dict[str, Any] = {name: KEYS[key].annotation for name, key in _KEYS.items()}
    types |= {
        "class_weights": str,
        "corpus": str,
        "tags": str,
        "optimizer": str,
        "schedule": str,
        "pretrained": bool,
        "teachers": int,
    }
    types["architecture"] = Literal[tuple(MODEL_CONFIGS)]
    return [_column(name, type_) for name, type_ in types.items()]


def _plain(value: Any) -> Setting | None:
    return str(value) if isinstance(value, list) else value


def metric_columns() -> list[MetricInfo]:
    return [
        MetricInfo(name=MetricName(tag=f"{_SECTION}/{name}"), display_name=name)
        for name in _METRICS
    ]


def _summaries(settings: dict[str, Setting | None]) -> Iterator[Summary]:
    """What TensorBoard needs: the columns, this run's values, and that it has ended."""
    columns = Experiment(hparam_infos=setting_columns(), metric_infos=metric_columns())
    start = SessionStartInfo(start_time_secs=time.time())
    for name, value in settings.items():
        if isinstance(value, str | bool):
            start.hparams[name].string_value = str(value)
        elif value is not None:
            start.hparams[name].number_value = value
    end = SessionEndInfo(status=STATUS_SUCCESS, end_time_secs=time.time())
    for tag, content in (
        (EXPERIMENT_TAG, HParamsPluginData(experiment=columns)),
        (SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start)),
        (SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end)),
    ):
        about = create_summary_metadata(content)
        yield Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=NULL_TENSOR)])


def _column(name: str, type_: Any) -> HParamInfo:
    column = HParamInfo(name=name, type=DATA_TYPE_FLOAT64, differs=name in _TICKED)
    if get_origin(type_) is Literal:
        column.type = DATA_TYPE_STRING
        column.domain_discrete.extend(get_args(type_))
    elif type_ in (bool, str) or get_origin(type_) is list:
        column.type = DATA_TYPE_STRING
        column.domain_discrete.extend(["False", "True"] if type_ is bool else [])
    return column
