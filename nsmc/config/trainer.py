"""The section `trainer`: any argument of Lightning's Trainer, and the CPU's threads.

The arguments that bear on a promise of this program's, such as exact resuming, stand here with
their ranges. All others take what the Trainer's own signature says.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model

from nsmc.config.keys import NO_EFFECT, Because, SparseSection
from nsmc.config.trainer_arguments import Argument, trainer_arguments

PositiveInt = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _takes(words: str, is_right: Callable[[Any], bool]) -> BeforeValidator:
    """One check in place of a union's, whose error would name each of its types in turn."""

    def check(value: Any) -> Any:
        if not is_right(value):
            raise ValueError(words)
        return value

    return BeforeValidator(check)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_share(value: Any) -> bool:
    return type(value) is float and 0 < value <= 1


_UNITS = {"weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds"}


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"\s*\d+(:\d\d){3}\s*", value) is not None
    if not isinstance(value, dict):
        return value is None
    are_numbers = all(type(number) in (int, float) for number in value.values())
    return are_numbers and value.keys() <= _UNITS and sum(value.values()) > 0


Limit = Annotated[
    int | float | None,
    _takes(
        "a number of batches, 1 and more, or a share of them, above 0 to 1.0",
        lambda value: value is None or _is_count(value) or _is_share(value),
    ),
]
Repeated = Annotated[
    int | float,
    _takes(
        "a number of batches, a share of them, or 0",
        lambda value: (
            (type(value) in (int, float) and value == 0) or _is_count(value) or _is_share(value)
        ),
    ),
]
End = Annotated[
    Literal[-1] | PositiveInt,
    _takes(
        "a whole number, 1 and more, or -1 for no limit",
        lambda value: _is_count(value) or (type(value) is int and value == -1),
    ),
]
Try = Annotated[
    bool | int,
    _takes(
        "true, false, or a number of batches",
        lambda value: type(value) is bool or (type(value) is int and value >= 0),
    ),
]
Time = Annotated[
    str | dict[str, int | float] | None,
    _takes(
        "DAYS:HOURS:MINUTES:SECONDS, such as 00:12:00:00 (in a file in quotes), or units with "
        "numbers, {minutes: 90}",
        _is_time,
    ),
]


class _TrainerConfig(SparseSection):
    accelerator: Annotated[
        Literal["auto", "cpu", "gpu", "cuda", "mps"], Because("no others were tried")
    ]
    devices: Annotated[
        PositiveInt, Because("the processes are counted before torch looks for devices")
    ]
    num_nodes: PositiveInt
    strategy: Annotated[
        Literal["auto", "ddp"],
        Because("others divide the weights, which checkpoints and the bundle need whole"),
    ]
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"],
        Because("the weights stay float32, as a bundle has them"),
    ]
    max_epochs: End
    max_steps: End = -1
    max_time: Time = None
    limit_train_batches: Limit
    limit_val_batches: Limit = None
    limit_test_batches: Limit = None
    overfit_batches: Repeated = 0.0
    fast_dev_run: Try = False
    val_check_interval: Annotated[
        Limit, Because("validations by the clock would make no run repeatable")
    ] = None
    check_val_every_n_epoch: PositiveInt | None = 1
    accumulate_grad_batches: PositiveInt = 1
    gradient_clip_val: Annotated[float, Field(gt=0)] | None
    gradient_clip_algorithm: Literal["norm", "value"] | None = None
    log_every_n_steps: Annotated[PositiveInt, NO_EFFECT]
    deterministic: Annotated[
        bool | Literal["warn"],
        _takes("true, false or warn", lambda value: type(value) is bool or value == "warn"),
    ]
    num_sanity_val_steps: Annotated[Annotated[int, Field(ge=-1)], NO_EFFECT] = 0
    enable_model_summary: Annotated[bool, NO_EFFECT] = False
    profiler: Annotated[Literal["simple", "advanced", "pytorch"] | None, NO_EFFECT] = None
    enable_progress_bar: Annotated[bool | None, NO_EFFECT] = None
    threads: Annotated[PositiveInt | None, NO_EFFECT]

    @property
    def processes(self) -> int:
        """How many processes train together, on all machines."""
        return self.devices * self.num_nodes

    @property
    def measures_all(self) -> bool:
        """Whether validations and tests are of all reviews."""
        limits = (self.limit_val_batches, self.limit_test_batches)
        are_whole = all(limit is None or (type(limit) is float and limit == 1) for limit in limits)
        return are_whole and not self.fast_dev_run and not self.overfit_batches

    def contradictions(self, schedule: str) -> Iterator[str]:
        """What is wrong with the arguments together."""
        every, interval = self.check_val_every_n_epoch, self.val_check_interval
        if self.fast_dev_run:  # which sets all of these itself
            return
        is_endless = self.max_epochs == -1 and self.max_steps == -1
        if is_endless and self.max_time is None:
            yield "trainer.max_epochs=-1: set trainer.max_steps or trainer.max_time"
        elif is_endless and schedule != "constant":
            yield (
                f"model.schedule={schedule} is planned for a number of steps: set "
                "trainer.max_epochs or trainer.max_steps, or model.schedule=constant"
            )
        for key in ("max_epochs", "max_steps"):  # an epoch has a step at least
            if every is not None and every > (end := getattr(self, key)) > 0:
                yield (
                    f"trainer.check_val_every_n_epoch={every}: none of trainer.{key}="
                    f"{end} would be validated, and the best one is what is exported"
                )
        if every is None and type(interval) is not int:
            yield (
                "trainer.check_val_every_n_epoch=null counts batches from epoch to epoch: set "
                "trainer.val_check_interval to a number of them"
            )


# Arguments that would break a promise of a run's, and what is done so that they keep it.
KEPT = {
    "accumulate_grad_batches": "checkpoints are written after whole steps; schedules count steps",
    "check_val_every_n_epoch": "the best of the epochs that are validated is exported",
    "enable_progress_bar": "the run has its own bar, or lines in a log file",
    "fast_dev_run": "tries the export, too, and keeps nothing",
    "limit_test_batches": "no bundle claims the metrics of a part",
    "limit_val_batches": "no bundle claims the metrics of a part",
    "max_steps": "the last step is validated; schedules end with it",
    "max_time": "what was trained until then is validated and exported",
    "overfit_batches": "the run's own sampler repeats its batches",
    "profiler": "writes into the run's folder",
}

# Of the others, those that can change no result.
_NO_EFFECT = {"detect_anomaly", "enable_autolog_hparams", "limit_predict_batches", "model_registry"}

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _field(name: str, argument: Argument) -> Any:
    words = [_WORDS[each] for each in argument.types if each in _WORDS]
    marks: list[Any] = [_takes(" or ".join(words), argument.takes)]
    marks += [NO_EFFECT] * (name in _NO_EFFECT)
    return (Annotated[argument.annotation, *marks], argument.default)


_OTHERS: dict[str, Any] = {
    name: _field(name, argument)
    for name, argument in trainer_arguments().items()
    if name not in _TrainerConfig.model_fields
}

if TYPE_CHECKING:
    TrainerConfig = _TrainerConfig
else:
    TrainerConfig = create_model("TrainerConfig", __base__=_TrainerConfig, **_OTHERS)
