"""The learning rate's range test (Smith 2015, https://arxiv.org/abs/1506.01186), by Lightning.

The rate grows from step to step until the loss explodes; a good one is where the loss falls most
steeply. Of a schedule it is the peak.
"""

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as L
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytorch_lightning.tuner.tuning import Tuner

from nsmc.atomic import whole_file
from nsmc.config.schema import RunConfig
from nsmc.runs.build import build_datamodule, build_module
from nsmc.runs.logs import quieten
from nsmc.runs.prepare import check_inputs
from nsmc.runs.trainer import check_hardware


class RangeTest(NamedTuple):
    """The loss after each step, by its learning rate; `suggestion` is None where it never fell."""

    rates: list[float]
    losses: list[float]
    suggestion: float | None


def range_test(config: RunConfig, steps: int, lowest: float, highest: float) -> RangeTest:
    """Train for `steps` with rates that grow from `lowest` to `highest`; nothing is kept.

    Raises ValueError or OSError, in one line, for what a user can mend.
    """
    if config.task == "linear" or config.recipe:
        raise ValueError("only a network's training has a learning rate: leave out task=linear")
    if not 0 < lowest < highest or steps < 2:
        raise ValueError(f"from {lowest} up to {highest} in {steps} steps: no range above 0")
    check_inputs(config)
    check_hardware(config.trainer)
    quieten(is_first=True)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, workers=True, verbose=False)
    datamodule = build_datamodule(config)
    module = build_module(config, datamodule)
    with tempfile.TemporaryDirectory() as scratch:
        finder = Tuner(_trainer(config, Path(scratch), steps)).lr_find(
            module,
            datamodule=datamodule,
            min_lr=lowest,
            max_lr=highest,
            num_training=steps,
            update_attr=False,
        )
    assert finder is not None
    pairs = zip(finder.results["lr"], finder.results["loss"], strict=True)
    measured = [(rate, loss) for rate, loss in pairs if math.isfinite(loss)]
    rates, losses = [rate for rate, _ in measured], [loss for _, loss in measured]
    return RangeTest(rates, losses, finder.suggestion(skip_begin=min(10, steps // 4)))


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
