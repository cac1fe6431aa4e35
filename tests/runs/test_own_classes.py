"""What is known of a user's classes before a run begins, and when it is interrupted."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as L

from nsmc.config.schema import RunConfig, check_config
from nsmc.runs import run
from nsmc.runs.own_classes import build_own_callbacks, check_own_classes, check_resumable
from nsmc.training.signals import Interrupted

Composed = Callable[..., dict[str, Any]]

SWA = "{_target_: pytorch_lightning.callbacks.StochasticWeightAveraging, swa_lrs: 0.01}"


def config_of(composed: Composed, *overrides: str) -> RunConfig:
    return check_config(composed("data=sample", *overrides))


def test_a_run_with_a_callback_that_keeps_too_little_is_warned_of_and_not_resumed(
    composed: Composed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(composed, f"+callbacks.extra.swa={SWA}")
    with caplog.at_level(logging.WARNING):
        check_resumable(config, tmp_path, is_resumed=False)
    assert "callbacks.extra.swa: StochasticWeightAveraging keeps too little" in caplog.text
    with pytest.raises(ValueError, match=r"callbacks\.extra\.swa: .*: begin a new run, or remove"):
        check_resumable(config, tmp_path, is_resumed=True)
    check_resumable(config_of(composed), tmp_path, is_resumed=True)


def test_an_interrupted_run_is_told_only_what_works(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_job", interrupted)
    for more, advice in (
        ([f"+callbacks.extra.swa={SWA}"], "StochasticWeightAveraging keeps too little"),
        ([], "go on with "),
    ):
        config = config_of(composed, *more)
        with pytest.raises(Interrupted) as ended:
            run.run_and_report(config, tmp_path / "run", "", [], is_sweep=False)
        assert advice in ended.value.advice
        assert ("resume=" in ended.value.advice) == (not more)


@pytest.mark.parametrize("name", ["LearningRateMonitor", "DeviceStatsMonitor"])
def test_callbacks_that_write_to_loggers_need_one(composed: Composed, name: str) -> None:
    target = f"+callbacks.extra.it={{_target_: pytorch_lightning.callbacks.{name}}}"
    with pytest.raises(ValueError, match=rf"callbacks\.extra\.it: {name} writes to loggers, and"):
        build_own_callbacks(config_of(composed, target, "logger=none"))
    (built,) = build_own_callbacks(config_of(composed, target))
    assert isinstance(built, L.Callback)


def test_a_logger_whose_extra_is_missing_is_named(
    composed: Composed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsmc.runs.loggers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^logger\.wandb.* extra \"?wandb"):
        check_own_classes(config_of(composed, "logger=wandb"))
