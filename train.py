"""The Hydra entry point: `python train.py`, `python train.py model=lstm seed=7`, `--help`.

It composes the configuration, checks it, and runs one job; what a user got wrong ends in one line.
"""

import os
import shlex
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from nsmc.experiments.errors import one_line_errors
from nsmc.experiments.resolvers import register_resolvers
from nsmc.experiments.schema import check_config

register_resolvers()


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float:
    with one_line_errors():
        config = check_config(OmegaConf.to_container(cfg, resolve=True))
        # Only now: importing torch and Lightning takes seconds, a mistyped key should not.
        from nsmc.experiments.job import run_job

        hydra_config = HydraConfig.get()
        command = shlex.join(["python", "train.py", *hydra_config.overrides.task])
        metrics = run_job(config, Path(hydra_config.runtime.output_dir), command)
        return metrics[config.callbacks.checkpoint.monitor]


if __name__ == "__main__":
    with one_line_errors():
        main()
