"""Runs a sweep: plan, launch what is missing, say what failed, report."""

import logging
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from nsmc.config.overrides import pasteable
from nsmc.config.schema import SweepConfig, check_section
from nsmc.reports.report import write_report
from nsmc.runs.record import RECORD_FILE, state_of
from nsmc.runs.resolvers import register_resolvers
from nsmc.sweeps.dry_run import counts, plan_table
from nsmc.sweeps.grid import DRAWN, combinations, drawn
from nsmc.sweeps.launching import launch, starts_processes
from nsmc.sweeps.plan import Job, plan_jobs, record_refused
from nsmc.sweeps.search import Launch, run_search
from nsmc.sweeps.stopping import how_to_go_on, lock_for_jobs
from nsmc.training.signals import Interrupted, raise_on_signals

log = logging.getLogger(__name__)


def run_sweep(
    master: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    arguments: Sequence[str],
    draw: tuple[Any, Any],
) -> None:
    """Run the jobs that the arguments, with values separated by commas, stand for.

    `master` is the configuration without those; `draw` says how many of the jobs to run, and has
    the seed that chooses them. Raises ValueError, at the end, where jobs failed.
    """
    register_resolvers()
    values = OmegaConf.to_container(master.sweep, resolve=True)
    options = check_section(SweepConfig, values, "sweep")
    folder = Path(master.hydra.sweep.dir)
    compose = partial(compose_job, context.config_loader, master)
    grid = combinations(context.config_loader, arguments)
    launching = partial(_launching, folder, master, context, task)
    if master.get("search") is not None:
        if len(grid) > 1:
            raise ValueError("a search takes no lists of values: put them into search.space")
        if draw[0] is not None:
            raise ValueError(f"{DRAWN}={draw[0]}: draws from a grid; a search has search.trials")
        jobs = run_search(compose, launching, grid[0], folder, options.dry_run)
        if options.dry_run:
            return
        if jobs or any(folder.glob(f"*/{RECORD_FILE}")):
            _finish(jobs, folder)
        else:  # of a search that machines share
            log.info("no trial was left to begin here")
        return
    chosen = drawn(grid, *draw)
    jobs = plan_jobs(compose, chosen, folder, options.force)
    if options.dry_run:
        print(plan_table(jobs, folder))
        _raise_for([job for job in jobs if job.state == "refused"], jobs, "refused")
        return
    if all(job.state == "refused" for job in jobs):
        raise ValueError(jobs[0].error)
    log.info("%s in %s", counts(jobs), folder)
    record_refused(jobs, folder)
    with launching() as launch_jobs:
        launch_jobs([job for job in jobs if job.is_to_run])
    _finish(jobs, folder)


@contextmanager
def _launching(
    folder: Path, master: DictConfig, context: HydraContext, task: TaskFunction
) -> Iterator[Launch]:
    """What launches jobs, for as long as the sweep goes; to an interruption, add how to go on."""
    raise_on_signals()
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, folder / "multirun.yaml")
    lock = lock_for_jobs(folder) if starts_processes(master.hydra.launcher) else nullcontext()
    try:
        with lock as held:
            yield partial(launch, master=master, context=context, task=task, lock=held)
    except (KeyboardInterrupt, Interrupted) as error:
        signum = error.signum if isinstance(error, Interrupted) else signal.SIGINT
        raise Interrupted(signum, how_to_go_on(folder)) from None


def compose_job(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]
) -> Mapping[str, Any]:
    """The configuration of one job, as plain values."""
    config = loader.load_sweep_config(master, list(overrides))
    with open_dict(config):
        del config["hydra"]
    values: Any = OmegaConf.to_container(config, resolve=True)
    return values


def _finish(jobs: Sequence[Job], folder: Path) -> None:
    """Report. Raises ValueError where a job neither finished nor runs elsewhere."""
    print(write_report([folder], ansi=sys.stdout.isatty(), is_sweep=True), flush=True)
    states = {job.folder: state_of(job.folder) for job in jobs}
    if elsewhere := sum(state == "running" for state in states.values()):
        log.info("%d of %d jobs are run by another process", elsewhere, len(jobs))
    done = ("finished", "pruned", "running")
    _raise_for([job for job in jobs if states[job.folder] not in done], jobs, "not finished")


def _raise_for(bad: Sequence[Job], jobs: Sequence[Job], what: str) -> None:
    if not bad:
        return
    line = f"{len(bad)} of {len(jobs)} jobs {what}"
    if all(job.state == "refused" for job in bad):  # the same command would be refused again
        raise ValueError(f"{line}; correct what is said of each, above")
    name = pasteable("sweep", jobs[0].folder.parent.name)
    raise ValueError(f"{line}; the same command with {name} tries them again, and no others")
