"""Ctrl-C ends a job as an interruption, at whatever it is."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from nsmc.runs import job
from nsmc.training.signals import Interrupted


def leave(*_: object, **__: object) -> None:
    """What Lightning does where Ctrl-C hits it."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise SystemExit(1)  # noqa: B904 - as it does


def test_ctrl_c_while_training_or_measuring_is_no_exit_of_lightnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job, "best_checkpoint", lambda trainer: "best.ckpt")
    trainer: Any = SimpleNamespace(fit=leave, validate=leave)
    nothing: Any = None
    for interrupted in (
        lambda: job.fit(trainer, nothing, nothing, None),
        lambda: job.evaluate(trainer, nothing, nothing, test=False),
    ):
        with pytest.raises(Interrupted) as ended:
            interrupted()
        assert ended.value.signum == signal.SIGINT
