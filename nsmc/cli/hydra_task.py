"""Composes the configuration with Hydra, checks it, and runs one job; for `nsmc train`, `train.py`.

What a user got wrong ends in one line.
"""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nsmc.config.commands import train_command
from nsmc.config.composition import CONFIG_NAME, CONFIGS, check_left_out, flags, search_path
from nsmc.config.errors import one_line_errors
from nsmc.config.hydra_releases import set_version_base, trusting_configurations
from nsmc.config.overrides import command_line, readable_arguments
from nsmc.config.schema import check_config, is_for_many_runs
from nsmc.config.steps import flat
from nsmc.runs.prepare import check_inputs
from nsmc.runs.processes import is_first, number_among_unwatched
from nsmc.runs.record import read_record
from nsmc.runs.resolvers import register_resolvers
from nsmc.runs.resume import AUTO, resumed_config, with_own_model
from nsmc.sweeps.stopping import how_to_go_on, is_started_for_jobs, run_until_stopped
from nsmc.terminal import accept_every_text
from nsmc.termination import exit_on_signals
from nsmc.training.signals import raise_on_signals

log = logging.getLogger(__name__)


def train(words: Sequence[str]) -> int:
    """Run what the command line's words say, flags of Hydra's among them; returns the exit code.

    It does what `hydra.main` does, which would take the words from `sys.argv`: that must stay as it
    was typed, because Lightning starts further processes with it.
    """
    accept_every_text(discard_output=True)
    register_resolvers()
    set_version_base()
    with one_line_errors():
        parser = get_args_parser()
        parser.prog = train_command()
        options = parser.parse_intermixed_args(readable_arguments(words))
        options.overrides = with_own_model(options.overrides)
        if options.experimental_rerun is not None:  # it would load a pickle
            raise ValueError("--experimental-rerun: use nsmc rerun RUN_FOLDER")
        if options.config_path is not None and "://" not in options.config_path:
            options.config_path = str(Path(options.config_path).absolute())
        with trusting_configurations():
            _run_hydra(options, parser, run_task, str(CONFIGS), CONFIG_NAME)
    return 0


def run_task(cfg: DictConfig) -> float:
    """Run one job, alone or of a sweep; Hydra calls this."""
    # Both again, for the processes that a launcher starts.
    accept_every_text(discard_output=True)
    register_resolvers()
    hydra_config = HydraConfig.get()
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    # hydra.job.chdir=true or not, paths are relative to where they were typed.
    os.chdir(hydra_config.runtime.cwd)
    folder = Path(hydra_config.runtime.output_dir)
    with one_line_errors(folder, in_sweep=is_sweep):
        if is_sweep and is_started_for_jobs():
            return run_until_stopped(lambda: _run(cfg, hydra_config, None))
        advice = f": {how_to_go_on(folder.parent)}" if is_sweep else ""
        return _run(cfg, hydra_config, f"interrupted{advice}")


def _run(cfg: DictConfig, hydra_config: HydraConf, message: str | None) -> float:
    """Run a job; returns the metric that is monitored, NaN where there is none.

    `message` is printed if a signal ends the process before the run has begun; None leaves signals
    to whoever started the process.
    """
    is_sweep = hydra_config.mode == RunMode.MULTIRUN
    typed = list(hydra_config.overrides.task)
    overrides = [*search_path(), *typed]
    folder = Path(hydra_config.runtime.output_dir)
    values: Any = OmegaConf.to_container(cfg, resolve=True)
    if values["resume"] in (None, AUTO):
        config = check_config(values)
        if config.recipe:
            check_left_out(overrides)
        if config.resume == AUTO and read_record(folder) is None:
            log.info("resume=auto: no unfinished run is like this one; a new one begins")
    else:
        config = resumed_config(folder, values, typed)
    if not is_sweep and is_for_many_runs(config):
        raise ValueError(f"search and sweep are for many runs: {train_command()} -m …")
    if not is_sweep and values["resume"] in (None, AUTO):
        _check_no_grid(hydra_config.sweeper, typed)
    if message is not None:
        exit_on_signals(message)
    # Before torch and Lightning are imported, which takes seconds; but others that find each other
    # by themselves must hear of what is wrong.
    if is_first(config.trainer) and number_among_unwatched(config.trainer) is None:
        check_inputs(config)
    from nsmc.runs.run import run_and_report

    raise_on_signals()
    command = command_line(overrides, flags())
    monitor = config.callbacks.checkpoint.monitor
    callbacks = []
    if config.search and config.search.ends_trials_early:
        from nsmc.sweeps.pruning import pruning  # only those who search pay for its import

        callbacks = [pruning(config.search, monitor, folder)]
    metrics = run_and_report(config, folder, command, overrides, is_sweep, callbacks)
    return metrics.get(monitor, math.nan)


def _check_no_grid(sweeper: Any, typed: Sequence[str]) -> None:
    """Raises ValueError for a grid's keys of which no value was typed, as one is for each job."""
    settings: Any = OmegaConf.to_container(sweeper)
    params = settings.get("params")
    if not isinstance(params, Mapping):
        return
    chosen = {override.lstrip("+").partition("=")[0] for override in typed}
    if keys := [key for key, _ in flat(params) if key not in chosen]:
        raise ValueError(
            f"hydra.sweeper.params: values of {', '.join(keys)} are for many runs: "
            f"{train_command()} -m …; hydra.sweeper.params=null makes it one run"
        )
