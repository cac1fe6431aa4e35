"""The Hydra entry point: `python train.py`, `python train.py model=lstm seed=7`, `--help`.

It composes the configuration, checks it, and runs one job; what a user got wrong ends in one line.
"""

import shlex
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nsmc.experiments.errors import one_line_errors
from nsmc.experiments.resolvers import register_resolvers
from nsmc.experiments.schema import check_config


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float:
    hydra_config = HydraConfig.get()
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    with one_line_errors(others_follow=is_sweep):
        values: Any = OmegaConf.to_container(cfg, resolve=True)
        config = check_config(values)
        # Only now: importing torch and Lightning takes seconds, a mistyped key should not.
        from nsmc.experiments.job import run_job

        if is_sweep and config.trainer.processes > 1:
            raise ValueError(
                f"trainer.devices={config.trainer.devices}: several processes and a sweep (-m) do "
                "not go together; start the runs one by one"
            )
        command = shlex.join(["python", "train.py", *hydra_config.overrides.task])
        metrics = run_job(config, Path(hydra_config.runtime.output_dir), command)
        return metrics[config.callbacks.checkpoint.monitor]


if __name__ == "__main__":
    register_resolvers()
    with one_line_errors():
        main()
