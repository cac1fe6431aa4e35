"""The Hydra entry point: `python train.py`, `python train.py -m seed=1,2,3`, `--help`.

It composes the configuration, checks it, and runs one job; what a user got wrong ends in one line.
"""

# First of all: Ctrl-C must not end in a traceback of the imports below, which take seconds.
from nsmc.termination import exit_on_signals

if __name__ == "__main__":
    exit_on_signals("interrupted")

import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nsmc.config.composition import flags, search_path
from nsmc.config.errors import one_line_errors
from nsmc.config.overrides import command_line, readable_arguments
from nsmc.config.schema import check_config, is_for_many_runs
from nsmc.runs.record import read_record
from nsmc.runs.resolvers import register_resolvers
from nsmc.runs.resume import AUTO, resumed_config
from nsmc.streams import accept_every_text
from nsmc.sweeps.stopping import how_to_go_on, is_started_for_jobs, run_until_told
from nsmc.training.signals import raise_on_signals

log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float:
    # Both again, for the processes that a launcher starts.
    accept_every_text(discard_output=True)
    register_resolvers()
    hydra_config = HydraConfig.get()
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    # hydra.job.chdir=true or not, paths are relative to where they were typed.
    os.chdir(hydra_config.runtime.cwd)
    with one_line_errors(in_sweep=is_sweep):
        if is_sweep and is_started_for_jobs():
            return run_until_told(lambda: _run(cfg, hydra_config, None))
        folder = Path(hydra_config.runtime.output_dir)
        advice = f": {how_to_go_on(folder.parent)}" if is_sweep else ""
        return _run(cfg, hydra_config, f"interrupted{advice}")


def _run(cfg: DictConfig, hydra_config: HydraConf, last_words: str | None) -> float:
    """Run a job; returns the metric that is monitored, NaN where there is none.

    `last_words` are printed where a signal ends the process before the run has begun; None where
    whoever started the process decides what a signal does.
    """
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    typed = list(hydra_config.overrides.task)
    overrides = [*search_path(), *typed]
    folder = Path(hydra_config.runtime.output_dir)
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    if values["resume"] in (None, AUTO):
        config = check_config(values)
        if config.resume == AUTO and read_record(folder) is None:
            log.info("resume=auto: no unfinished run is like this one; a new one begins")
    else:
        config = resumed_config(folder, values, typed)
    if not is_sweep and is_for_many_runs(config):
        raise ValueError("search and sweep are for many runs: python train.py -m …")
    if last_words is not None:
        exit_on_signals(last_words)
    # Only now: importing torch and Lightning takes seconds, a mistyped key should not.
    from nsmc.runs.run import run_and_report
    from nsmc.sweeps.trial import trial_callbacks

    raise_on_signals()
    command = command_line(overrides, flags())
    callbacks = trial_callbacks(config, folder)
    metrics = run_and_report(config, folder, command, overrides, is_sweep, callbacks)
    return metrics.get(config.callbacks.checkpoint.monitor, math.nan)


if __name__ == "__main__":
    accept_every_text(discard_output=True)
    register_resolvers()
    with one_line_errors():
        sys.argv[1:] = readable_arguments(sys.argv[1:])
        main()
