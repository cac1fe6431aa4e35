"""The HPARAMS tab, asked as its page asks it, of runs with unlike settings."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.get_experiment import Handler as Columns
from tensorboard.plugins.hparams.list_session_groups import Handler as Rows

from nsmc.config.schema import check_config
from nsmc.runs.hparams import log_hyperparameters, setting_columns, settings_of
from nsmc.training.tensorboard import Curves

PRETRAIN = ("experiment=pretrain", "data.unlabelled=false")
RUNS = {
    "a_language_model": (PRETRAIN, {"val/loss": 6.5}),
    "gru": ((), {"val/accuracy": 0.8, "val/loss": 0.5, "test/accuracy": 0.7}),
    "lstm": (
        ("model=lstm", "trainer.gradient_clip_val=null", "model.embedding_rank=8", "seed=1"),
        {"val/accuracy": 0.7, "val/loss": 0.6},
    ),
}
STATUSES = [api_pb2.STATUS_SUCCESS]


@pytest.fixture
def tab(tmp_path: Path, composed: Callable[..., dict[str, Any]]) -> Context:
    """TensorBoard's view of the three runs."""
    for name, (overrides, metrics) in RUNS.items():
        logger = Curves(str(tmp_path / name))
        trainer: Any = SimpleNamespace(loggers=[logger], global_step=9)
        log_hyperparameters(trainer, check_config(composed("data=sample", *overrides)), metrics)
        logger.finalize("success")
    events = EventMultiplexer()
    events.AddRunsFromDirectory(str(tmp_path))
    events.Reload()
    return Context(TBContext(data_provider=MultiplexerDataProvider(events, str(tmp_path))))


def columns_of(tab: Context) -> api_pb2.Experiment:
    return Columns(RequestContext(), tab, "", api_pb2.GetExperimentRequest()).run()


def rows_by(tab: Context, **column: Any) -> list[str]:
    """The names of the runs in the order of a column, those without a value last."""
    param = api_pb2.ColParams(order=api_pb2.ORDER_ASC, **column)
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=STATUSES, col_params=[param], slice_size=9
    )
    response = Rows(RequestContext(), tab, "", request).run()
    return [group.name for group in response.session_groups]


def test_every_column_can_be_sorted(tab: Context) -> None:
    columns = columns_of(tab)
    for info in columns.hparam_infos:
        assert sorted(rows_by(tab, hparam=info.name)) == sorted(RUNS), info.name
    for info in columns.metric_infos:
        assert sorted(rows_by(tab, metric=info.name)) == sorted(RUNS), info.name
    assert rows_by(tab, hparam="embedding_rank")[0] == "lstm"
    assert rows_by(tab, hparam="gradient_clip_val")[-1] == "lstm"


def test_it_opens_on_what_people_compare_whichever_run_is_read_first(tab: Context) -> None:
    columns = columns_of(tab)
    names = [info.name for info in columns.hparam_infos]
    assert names[:5] == ["architecture", "hidden_size", "lr", "seed", "task"]
    shown = [info.display_name for info in columns.metric_infos]
    assert shown[:3] == ["val/accuracy", "test/accuracy", "val/loss"]
    (accuracy, *_) = [info.name for info in columns.metric_infos]
    assert rows_by(tab, metric=accuracy) == ["lstm", "gru", "a_language_model"]


def test_every_setting_has_a_column_of_its_type(composed: Callable[..., dict[str, Any]]) -> None:
    settings = settings_of(check_config(composed("data=sample")))
    columns = {column.name: column for column in setting_columns()}
    assert columns.keys() == settings.keys()
    for name, value in settings.items():
        is_text = columns[name].type == api_pb2.DATA_TYPE_STRING
        assert value is None or is_text == isinstance(value, str | bool), name
        choices = [choice.string_value for choice in columns[name].domain_discrete.values]
        assert value is None or not choices or str(value) in choices, name
