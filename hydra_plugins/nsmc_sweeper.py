"""The sweeper behind `python train.py -m`, here because Hydra looks for plugins in this place only.

Hydra imports every plugin at each start, so this file imports next to nothing.
"""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class NsmcSweeper(Sweeper):
    """Plans a sweep, launches what is missing, and reports: see nsmc/sweeps."""

    def __init__(self, params: Any = None, random: Any = None, seed: Any = 0) -> None:
        """`params` has values to sweep over, from a YAML file: `{KEY: [VALUE, VALUE]}`.

        With `random`, so many of the combinations are run, as `seed` draws them.
        """
        self.params = {} if params is None else params
        self.random, self.seed = random, seed

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        from nsmc.sweeps.grid import choices
        from nsmc.sweeps.sweep import run_sweep

        assert self.config is not None and self.hydra_context is not None
        params = self.params
        if OmegaConf.is_config(params):
            params = OmegaConf.to_container(params, resolve=True)
        arguments = [*choices(params), *arguments]
        draw = (self.random, self.seed)
        return run_sweep(self.config, self.hydra_context, self.task_function, arguments, draw)
