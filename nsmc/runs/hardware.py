"""Checks that the machine has what trainer.accelerator, devices and precision ask for."""

import torch

from nsmc.config.schema import TrainerConfig


def check_hardware(config: TrainerConfig) -> None:
    """Raises ValueError, in one line, where the machine cannot do what the configuration asks."""
    accelerator = config.accelerator
    if accelerator in ("gpu", "cuda", "mps") and not _available(accelerator):
        raise ValueError(
            f"trainer.accelerator={accelerator}: this machine has none that torch "
            f"{torch.__version__} can use; set trainer.accelerator=cpu or auto"
        )
    uses_gpu = accelerator != "cpu" and _available("gpu")
    found = torch.cuda.device_count()
    if uses_gpu and found and config.devices > found:
        raise ValueError(f"trainer.devices={config.devices}: this machine has {found} GPU(s)")
    if config.precision == "16-mixed" and not uses_gpu:
        raise ValueError(
            "trainer.precision=16-mixed: needs a GPU; set trainer.precision=32-true or bf16-mixed"
        )


def _available(accelerator: str) -> bool:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    return {"cuda": cuda, "mps": mps, "gpu": cuda or mps, "auto": True}[accelerator]
