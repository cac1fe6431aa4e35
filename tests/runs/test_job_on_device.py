"""A whole run on a device that refuses tensors of the CPU: all callbacks, the export and checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

from nsmc.config.schema import check_config
from nsmc.runs import trainer
from nsmc.runs.job import run_job
from nsmc.runtime.loading import read_bundle
from tests.pretended_gpu import DEVICE, PretendedGPU
from tests.training.conftest import expected_warnings


class AnyAccelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        pass


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has trainings use the pretended GPU."""
    original = trainer._arguments

    def arguments(*given: Any) -> dict[str, Any]:
        strategy = SingleDeviceStrategy(device=DEVICE, accelerator=AnyAccelerator())
        return {**original(*given), "accelerator": "auto", "strategy": strategy}

    monkeypatch.setattr(trainer, "_arguments", arguments)
    # Lightning formats numbers, which torch does not do for those on `meta`.
    monkeypatch.setattr(torch.Tensor, "__format__", lambda number, form: f"{number.item():{form}}")


@expected_warnings
@pytest.mark.filterwarnings("ignore:Total length of")  # counted on the device
@pytest.mark.usefixtures("on_device")
@pytest.mark.parametrize("task", ["classify", "pretrain"])
def test_a_run_has_its_tensors_on_the_device(
    composed: Callable[..., dict[str, Any]], corpus: Path, tmp_path: Path, task: str
) -> None:
    chosen = [
        *("data=sample", f"data.root={corpus}", f"data.cache_dir={tmp_path}/cache", f"task={task}"),
        *("data.vocab_size=300", "data.validation_fraction=0.25", "data.batch_size=8"),
        *("trainer.max_epochs=2", "model.hidden_size=4", "model.embedding_dim=4"),
        *("callbacks.averaging.decay=0.9", "callbacks.early_stopping.patience=1"),
        # Fused steps are refused where the device is neither a CPU nor a GPU.
        "model.optimizer={_target_: torch.optim.SGD}",
    ]
    if task == "pretrain":
        chosen.append("callbacks.checkpoint.monitor=val/loss")
    config = check_config(composed(*chosen))
    with PretendedGPU():
        record = run_job(config, tmp_path / "run", "train")
    assert record["status"] == "finished"
    assert read_bundle(tmp_path / "run" / "bundle").config.embedding_dim == 4
