"""The learning rate's range test (Smith 2015, https://arxiv.org/abs/1506.01186), by Lightning.

The rate grows from step to step until the loss explodes; a good one is where the loss falls most
steeply. Of a schedule it is the peak.
"""

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as L
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning.tuner import lr_finder
from pytorch_lightning.tuner.tuning import Tuner

from nsmc.atomic import whole_file
from nsmc.config.schema import RunConfig
from nsmc.runs.build import build_datamodule, build_module
from nsmc.runs.logs import quieten
from nsmc.runs.prepare import check_inputs
from nsmc.runs.trainer import check_hardware

_FEWEST = 10  # steps; of fewer, no slope can be told
_SMOOTHING = 0.98  # the share of earlier losses in Lightning's mean

Show = Callable[[str], None]


class RangeTest(NamedTuple):
    """The loss after each step, by its learning rate, and the rate where it fell most steeply.

    `suggestion` is None where it never fell; `problem` says then why, else it is "".
    """

    rates: list[float]
    losses: list[float]
    suggestion: float | None
    problem: str = ""


def range_test(
    config: RunConfig, steps: int, lowest: float, highest: float, show: Show | None = None
) -> RangeTest:
    """Train for `steps` with rates that grow from `lowest` to `highest`; nothing is kept.

    `show` gets a line now and then; without it there is a bar. Raises ValueError or OSError, in one
    line, for what a user can mend.
    """
    if config.task == "linear" or config.recipe:
        raise ValueError("only a network's training has a learning rate: leave out task=linear")
    if steps < _FEWEST:
        raise ValueError(f"--steps {steps}: a range test needs {_FEWEST} and more; 200 are usual")
    if not 0 < lowest < highest < math.inf:
        raise ValueError(f"--lowest {lowest:g} --highest {highest:g}: no range above 0")
    check_inputs(config)
    check_hardware(config.trainer)
    quieten(is_first=True)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config)
    module = build_module(config, datamodule)
    lines = _lines_for_the_bar(show, config.callbacks.log_interval_seconds)
    with tempfile.TemporaryDirectory() as scratch, lines:
        finder = Tuner(_trainer(config, Path(scratch), steps)).lr_find(
            module,
            datamodule=datamodule,
            min_lr=lowest,
            max_lr=highest,
            num_training=steps,
            update_attr=False,
        )
    assert finder is not None
    rates, losses = finder.results["lr"], _unbiased(finder.results["loss"])
    are_finite = [*map(math.isfinite, losses), False]
    count = are_finite.index(False)  # after a loss that is no number come others
    if not count:
        raise ValueError(
            f"the loss of the first step is {losses[0]} already, at a learning rate of "
            f"{rates[0]:.2g}: that is not the rate's fault; debug=default shows where it comes from"
        )
    begin = min(10, steps // 4)  # whose smoothed loss says little
    index = _steepest_fall(losses[:count], begin)
    suggestion = None if index is None else rates[index]
    problem = "" if suggestion is not None else _problem(rates, count, steps)
    return RangeTest(rates[:count], losses[:count], suggestion, problem)


def _unbiased(losses: list[float]) -> list[float]:
    """The smoothed losses, with Lightning's correction for the few first ones made right.

    It counts a step too many, so that the first loss is half of what it was and others follow.
    """
    kept = [_SMOOTHING ** (step + 1) for step in range(len(losses) + 1)]
    return [
        loss * (1 - after) / (1 - before)
        for loss, before, after in zip(losses, kept, kept[1:], strict=False)
    ]


def _steepest_fall(losses: list[float], begin: int) -> int | None:
    """The step, from `begin` on, about which the loss falls most; None where it never falls.

    By steps, and so by the rate's logarithm: by the rate itself, as Lightning counts, the noise of
    a flat start would be steep, as its rates differ by next to nothing.
    """
    falls = {i: losses[i - 1] - losses[i + 1] for i in range(begin + 1, len(losses) - 1)}
    index = max(falls, key=falls.__getitem__, default=None)
    return index if index is not None and falls[index] > 0 else None


def _problem(rates: list[float], count: int, steps: int) -> str:
    """Why no rate is suggested after `count` steps whose loss was a number."""
    if count < steps:
        return (
            f"the loss exploded after {count} of {steps} steps, at a learning rate of "
            f"{rates[count - 1]:.2g}, and did not fall before: begin lower with --lowest"
        )
    return "the loss never fell: choose another range with --lowest and --highest"


class _Lines:
    """Stands in for the bar of Lightning's range test, which would fill a log file."""

    def __init__(self, show: Show, seconds: float, desc: str, total: int) -> None:
        self._show, self._seconds, self._total = show, seconds, total
        self._done, self._last = 0, time.monotonic()

    def update(self) -> None:
        self._done += 1
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            self._show(f"{self._done} of {self._total} steps")

    def close(self) -> None:
        """Nothing stays behind."""


@contextmanager
def _lines_for_the_bar(show: Show | None, seconds: float) -> Iterator[None]:
    """Lightning takes no other bar, and no callback, for its range test."""
    module: Any = lr_finder
    bar = module.tqdm
    module.tqdm = bar if show is None else partial(_Lines, show, seconds)
    try:
        yield
    finally:
        module.tqdm = bar


def _trainer(config: RunConfig, scratch: Path, steps: int) -> L.Trainer:
    chosen = config.trainer
    return L.Trainer(
        accelerator=chosen.accelerator,
        devices=1,
        precision=chosen.precision,
        gradient_clip_val=chosen.gradient_clip_val,
        gradient_clip_algorithm=chosen.gradient_clip_algorithm,
        accumulate_grad_batches=chosen.accumulate_grad_batches,
        max_epochs=-1,
        max_steps=steps,
        check_val_every_n_epoch=2**31,  # never
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=scratch,
    )


def write_plot(result: RangeTest, path: Path) -> None:
    """The loss over the learning rate, as PNG. Raises OSError where it cannot be written."""
    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(result.rates, result.losses)
    if result.suggestion is not None:
        axes.axvline(result.suggestion, linestyle="--", label=f"model.lr={result.suggestion:.2g}")
        axes.legend()
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss, smoothed")
    with whole_file(path, parents=True) as file:
        figure.savefig(file, format="png")
