"""What the Trainer's limits mean with the batches that there are, once the reviews are counted.

Lightning finds the same out later, when the corpus is encoded, or when the training is over.
"""

import math
from collections.abc import Iterator, Mapping

from nsmc.config.schema import RunConfig
from nsmc.config.trainer import TrainerConfig
from nsmc.data.files import UNLABELLED

_PARTS = {"train": "an epoch", "val": "the validation part", "test": "the test part"}


def check_batches(config: RunConfig, reviews: Mapping[str, int]) -> None:
    """Raises ValueError, in one line, for limits that leave no batch or no validation.

    `reviews` counts those of each part.
    """
    trainer = config.trainer
    if config.task == "linear" or trainer.fast_dev_run:  # which sets the limits itself
        return
    batches = _batches(config, reviews)
    for key, parts in _limits(config).items():
        share = getattr(trainer, key)
        fewest = min(parts, key=lambda part: batches[part])
        if type(share) is float and share and not int(batches[fewest] * share):
            raise ValueError(
                f"trainer.{key}={share}: {_PARTS[fewest]} has {_counted(batches[fewest])}, and "
                f"that share of them is none; {smallest_share(batches[fewest])} is the smallest "
                "that works, or give a number of batches"
            )
    of_an_epoch = _limited(batches["train"], trainer.overfit_batches or trainer.limit_train_batches)
    interval, every = trainer.val_check_interval, trainer.check_val_every_n_epoch
    if type(interval) is int and every is not None and interval > of_an_epoch:
        raise ValueError(
            f"trainer.val_check_interval={interval}: an epoch has {_counted(of_an_epoch)}; lower "
            "it, or count on from epoch to epoch with trainer.check_val_every_n_epoch=null"
        )
    if not may_validate(trainer, of_an_epoch):
        raise ValueError(
            f"{' '.join(_plan(trainer))}: with {_counted(of_an_epoch)} in an epoch, the training "
            "would end without a validation, and what is exported is chosen by one; "
            "validate more often, or train for longer"
        )


def _batches(config: RunConfig, reviews: Mapping[str, int]) -> dict[str, int]:
    """How many each part has for every process; of an incomplete last one some have none."""
    data, processes = config.data, config.trainer.processes
    sizes = {"train": data.batch_size, "val": data.eval_batch_size, "test": data.eval_batch_size}
    counts = {**reviews, "train": reviews["train"] + reviews.get(UNLABELLED, 0)}
    batches = {}
    for part in [part for part in sizes if part in counts]:
        whole, rest = divmod(counts[part], sizes[part] * processes)
        batches[part] = max(1, whole + (rest >= processes))  # none at all is refused elsewhere
    return batches


def _limits(config: RunConfig) -> dict[str, list[str]]:
    """The keys that may be shares, with the parts that they limit."""
    limits = {"limit_train_batches": ["train"], "limit_val_batches": ["val"]}
    if config.trainer.overfit_batches:
        limits = {"overfit_batches": ["train", "val"]}
    if config.test and config.task == "classify":
        limits["limit_test_batches"] = ["test"]
    return limits


def _limited(batches: int, limit: float | None) -> int:
    if limit is None:
        return batches
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def smallest_share(batches: int) -> float:
    """The smallest share, of few digits, of so many batches that is one of them."""
    scale = 10 ** (len(str(batches)) + 1)
    return math.ceil(scale / batches) / scale


def may_validate(trainer: TrainerConfig, batches: int) -> bool:
    """Whether a validation may take place in a training with so many batches in an epoch.

    Steps that are all made (`max_steps`), and time that is over, are followed by one where the
    epoch is one that is validated.
    """
    last = _last_batch(trainer, batches)
    every, interval = trainer.check_val_every_n_epoch, trainer.val_check_interval
    ends_by_steps = trainer.max_steps > 0 and last == _batches_until(trainer, batches)
    if every is None:
        assert isinstance(interval, int)
        return last >= interval or ends_by_steps or trainer.max_time is not None
    before = (every - 1) * batches  # the first epoch that is validated
    if last <= before:
        return False
    between = batches if interval is None else interval
    if isinstance(between, float):
        between = max(1, int(batches * between))
    stops_there = ends_by_steps and math.ceil(last / batches) % every == 0
    return last - before >= between or stops_there or trainer.max_time is not None


def _last_batch(trainer: TrainerConfig, batches: int) -> float:
    """The number of batches of the whole training, from 1; infinite where only time ends it."""
    by_epochs = trainer.max_epochs * batches if trainer.max_epochs > 0 else math.inf
    return min(by_epochs, _batches_until(trainer, batches))


def _batches_until(trainer: TrainerConfig, batches: int) -> float:
    """The same, were `max_steps` alone to end it."""
    if trainer.max_steps < 1:
        return math.inf
    together = trainer.accumulate_grad_batches
    epochs, steps = divmod(trainer.max_steps - 1, math.ceil(batches / together))
    return epochs * batches + min((steps + 1) * together, batches)


def _plan(trainer: TrainerConfig) -> Iterator[str]:
    """The settings that say when a training ends and when it is validated."""
    keys = {"max_epochs": -1, "max_steps": -1, "val_check_interval": None}
    for key, unset in keys.items():
        if (value := getattr(trainer, key)) != unset:
            yield f"trainer.{key}={value}"
    every = trainer.check_val_every_n_epoch
    yield f"trainer.check_val_every_n_epoch={'null' if every is None else every}"


def _counted(batches: int) -> str:
    return f"{batches:,} batch{'es' * (batches != 1)}"
