"""Builds Lightning's Trainer from the configuration: its arguments and its profiler."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as L
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import (
    AdvancedProfiler,
    Profiler,
    PyTorchProfiler,
    SimpleProfiler,
)

from nsmc.config.schema import RunConfig
from nsmc.config.trainer import TrainerConfig
from nsmc.training.checkpoints import AtomicCheckpointIO
from nsmc.training.progress import ProgressBar

CHECKPOINTS = "checkpoints"  # the folder in a run's folder

_PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}

# Keys of the section that are not passed on as they are.
_DONE_HERE = {"threads", "profiler", "overfit_batches", "enable_progress_bar"}

# Where the Trainer's own defaults are others.
_DEFAULTS = {"num_sanity_val_steps": 0, "enable_model_summary": False}


def build_trainer(
    config: RunConfig, folder: Path, callbacks: list[L.Callback], loggers: Sequence[Logger] = ()
) -> L.Trainer:
    """Raises ValueError for arguments that Lightning refuses."""
    is_slurms = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    # Without Lightning's handlers of signals; see nsmc/training/slurm.py.
    cluster = [SLURMEnvironment(auto_requeue=False)] if is_slurms else []
    try:
        trainer = L.Trainer(
            **_arguments(config.trainer),
            callbacks=callbacks,
            logger=[*loggers],
            plugins=[AtomicCheckpointIO(), *cluster],
            profiler=_profiler(config.trainer, folder),
            # Not the run's folder: in a job of Slurm's Lightning would resume from an
            # hpc_ckpt_*.ckpt that an earlier version of this program left there.
            default_root_dir=folder / CHECKPOINTS,
            use_distributed_sampler=False,  # the datamodule's sampler deals the reviews out itself
            enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        )
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from None
    # With `max_steps` Lightning would end an epoch again that was over in the checkpoint.
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]
    return trainer


def _arguments(config: TrainerConfig) -> dict[str, Any]:
    arguments = {**_DEFAULTS, **config.model_dump(exclude=_DONE_HERE)}
    if config.overfit_batches:
        # Lightning's own argument would put another sampler in the place of ours, which the
        # datamodule makes repeat its batches.
        limits = ("limit_train_batches", "limit_val_batches")
        arguments |= dict.fromkeys(limits, config.overfit_batches)
    return arguments


def _profiler(config: TrainerConfig, folder: Path) -> Profiler | None:
    """One that writes into the run's folder."""
    if config.profiler is None:
        return None
    return _PROFILERS[config.profiler](dirpath=str(folder), filename="profile")


def check_hardware(config: TrainerConfig) -> None:
    """Raises ValueError, in one line, where the machine cannot do what the configuration asks."""
    accelerator = config.accelerator
    if accelerator in ("gpu", "cuda", "mps") and not _available(accelerator):
        raise ValueError(
            f"trainer.accelerator={accelerator}: this machine has none that torch "
            f"{torch.__version__} can use; set trainer.accelerator=cpu or auto"
        )
    uses_gpu = accelerator != "cpu" and _available("gpu")
    gpus = torch.cuda.device_count()
    if uses_gpu and gpus and config.devices > gpus:
        raise ValueError(f"trainer.devices={config.devices}: this machine has {gpus} GPU(s)")
    if config.precision == "16-mixed" and not uses_gpu:
        raise ValueError(
            "trainer.precision=16-mixed: needs a GPU; set trainer.precision=32-true or bf16-mixed"
        )


def _available(accelerator: str) -> bool:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    return {"cuda": cuda, "mps": mps, "gpu": cuda or mps, "auto": True}[accelerator]
