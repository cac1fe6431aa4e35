"""Every argument of Lightning's Trainer is a key that takes what it takes there, or is refused."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as L

from nsmc.config.schema import KEYS, check_config
from nsmc.config.trainer_arguments import REFUSED, trainer_arguments
from nsmc.runs.signature import signature

Composed = Callable[..., dict[str, Any]]


def test_the_arguments_are_those_of_the_signature() -> None:
    parameters = inspect.signature(L.Trainer).parameters
    arguments = trainer_arguments()
    others = {"precision"}  # whose values stand elsewhere in Lightning's source
    assert {*arguments, *REFUSED} | others == {*parameters}
    for name, argument in arguments.items():
        assert argument.default == parameters[name].default, name
    assert {f"trainer.{name}" for name in arguments} <= {*KEYS}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_argument_that_would_break_a_promise_is_refused_with_the_reason(
    composed: Composed, name: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_config(composed(f"+trainer.{name}=1"))
    assert str(caught.value) == f"trainer.{name}: not an argument to set: {REFUSED[name]}"


@pytest.mark.parametrize(
    "override",
    [
        *("trainer.fast_dev_run=true", "trainer.fast_dev_run=3", "trainer.overfit_batches=2"),
        *("trainer.limit_train_batches=0.5", "trainer.limit_val_batches=3"),
        *("trainer.limit_test_batches=1.0", "trainer.val_check_interval=0.25"),
        *("trainer.max_time='00:00:10:00'", "trainer.max_time={seconds:2,milliseconds:0.5}"),
        *("trainer.deterministic=warn", "trainer.gradient_clip_algorithm=value"),
        *("trainer.profiler=pytorch", "trainer.benchmark=true", "trainer.min_epochs=2"),
        *("trainer.reload_dataloaders_every_n_epochs=1", "trainer.limit_predict_batches=0.1"),
    ],
)
def test_what_the_trainer_takes_is_taken(composed: Composed, override: str) -> None:
    values = composed(override)
    key = override.partition("=")[0].split(".")[1]
    assert check_config(values).model_dump()["trainer"][key] == values["trainer"][key]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_epochs=0", "trainer.max_epochs=0: must be a whole number, 1 and more, or -1"),
        ("trainer.max_epochs=-1", "trainer.max_epochs=-1: set trainer.max_steps or trainer.max_t"),
        ("trainer.limit_val_batches=0", "trainer.limit_val_batches=0: must be a number of batches"),
        ("trainer.limit_val_batches=1.5", "trainer.limit_val_batches=1.5: must be a number of"),
        ("trainer.fast_dev_run=-1", "trainer.fast_dev_run=-1: must be true, false, or a number of"),
        ("trainer.benchmark=1", "trainer.benchmark=1: must be true or false, or null"),
        ("trainer.min_epochs=a", "trainer.min_epochs=a: must be a whole number, or null"),
        ("trainer.max_time=3", "trainer.max_time=3: must be DAYS:HOURS:MINUTES:SECONDS, such as"),
        ("trainer.max_time={seconds: 0}", "max_time={seconds: 0}: must be DAYS:HOURS"),
        ("trainer.max_time={years: 1}", "or units with numbers, {minutes: 90}, or null"),
        ("trainer.strategy=fsdp", "must be 'auto' or 'ddp' (others divide the weights, which"),
        ("trainer.precision=64-true", "(the weights stay float32, as a bundle has them)"),
        ("trainer.devices=auto", "whole number (the processes are counted before torch looks"),
        ("trainer.val_check_interval='00:00:01:00'", "by the clock would make no run repeatable"),
        ("trainer.check_val_every_n_epoch=7", "=7: none of trainer.max_epochs=6 would be validat"),
        ("trainer.check_val_every_n_epoch=null", "set trainer.val_check_interval to a number of"),
        (
            "++trainer={max_steps:2,check_val_every_n_epoch:3}",
            "trainer.check_val_every_n_epoch=3: none of trainer.max_steps=2 would be validated",
        ),
    ],
)
def test_what_the_trainer_would_refuse_is_named_in_one_line(
    composed: Composed, override: str, message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_config(composed(override))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_schedule_needs_an_end(composed: Composed) -> None:
    endless = ("trainer.max_epochs=-1", "trainer.max_time='00:00:00:10'")
    with pytest.raises(ValueError, match=r"model\.schedule=one_cycle is planned for a number"):
        check_config(composed(*endless))
    check_config(composed(*endless, "model.schedule=constant"))
    check_config(composed("trainer.max_epochs=-1", "trainer.max_steps=10"))


def test_arguments_at_their_defaults_are_in_no_record_and_no_signature(composed: Composed) -> None:
    plain = check_config(composed("data=sample"))
    assert plain.model_dump()["trainer"].keys() == {
        *("accelerator", "devices", "num_nodes", "strategy", "precision", "max_epochs"),
        *("limit_train_batches", "gradient_clip_val", "log_every_n_steps", "deterministic"),
        "threads",
    }
    changed = check_config(composed("data=sample", "trainer.accumulate_grad_batches=2"))
    assert signature(plain, "corpus") != signature(changed, "corpus")
    shown = check_config(composed("data=sample", "trainer.profiler=simple"))
    assert signature(plain, "corpus") == signature(shown, "corpus")
