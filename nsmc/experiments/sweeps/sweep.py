"""Runs a sweep: plan, launch what is missing, say what failed, report."""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from nsmc.experiments.record import read_record, write_record
from nsmc.experiments.reports.report import write_report
from nsmc.experiments.resolvers import register_resolvers
from nsmc.experiments.schema import check_sweep
from nsmc.experiments.sweeps.plan import Job, plan_jobs
from nsmc.experiments.sweeps.search import Compose, run_search
from nsmc.experiments.sweeps.stopping import stopped_together
from nsmc.experiments.sweeps.tell import counts, plan_table
from nsmc.training.signals import Interrupted

log = logging.getLogger(__name__)


def run_sweep(
    master: DictConfig, context: HydraContext, task: TaskFunction, arguments: Sequence[str]
) -> None:
    """Run the jobs that the arguments, with values separated by commas, stand for.

    `master` is the configuration without those. Raises ValueError, at the end, where jobs failed.
    """
    register_resolvers()
    options = check_sweep(OmegaConf.to_container(master.sweep, resolve=True))
    folder = Path(master.hydra.sweep.dir)
    compose = partial(compose_job, context.config_loader, master)
    if master.get("search") is not None:
        _search(master, context, task, arguments, compose, options.dry_run)
        return
    jobs = plan_jobs(compose, combinations(context.config_loader, arguments), folder, options.force)
    if options.dry_run:
        print(plan_table(jobs, folder))
        _raise_for([job for job in jobs if job.state == "refused"], jobs, "refused")
        return
    if all(job.state == "refused" for job in jobs):
        raise ValueError(jobs[0].error)
    log.info("%s in %s", counts(jobs), folder)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(master, folder / "multirun.yaml")
    _record_refused(jobs)
    with _advice(folder):
        launch([job for job in jobs if job.is_to_run], master, context, task)
    finish(jobs, folder)


def _search(
    master: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    arguments: Sequence[str],
    compose: Compose,
    dry_run: bool,
) -> None:
    overrides, *others = combinations(context.config_loader, arguments)
    if others:
        raise ValueError("a search takes no lists of values: put them into search.space")
    folder = Path(master.hydra.sweep.dir)
    with _advice(folder):
        launched = partial(launch, master=master, context=context, task=task)
        jobs = run_search(compose, launched, overrides, folder, dry_run)
    if not dry_run:
        finish(jobs, folder)


@contextmanager
def _advice(folder: Path) -> Iterator[None]:
    """Add to an interruption how to go on."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as error:
        signum = error.signum if isinstance(error, Interrupted) else signal.SIGINT
        advice = f"the same command with sweep={folder.name} goes on with what is missing"
        raise Interrupted(signum, advice) from None


def combinations(loader: ConfigLoader, arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job. Raises HydraException for a value that is no list of choices."""
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
    return BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]


def compose_job(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str]
) -> Mapping[str, Any]:
    """The configuration of one job, as plain values."""
    config = loader.load_sweep_config(master, list(overrides))
    with open_dict(config):
        del config["hydra"]
    values: Any = OmegaConf.to_container(config, resolve=True)
    return values


def launch(
    jobs: Sequence[Job], master: DictConfig, context: HydraContext, task: TaskFunction
) -> None:
    """Have Hydra's launcher run the jobs, each in its folder. Their records say how it went."""
    if not jobs:
        return
    with open_dict(master):
        # Resolved here: where a launcher's processes are, the resolvers are not known.
        master.hydra.sweep.dir = str(jobs[0].folder.parent)
    launcher = Plugins.instance().instantiate_launcher(
        config=master, hydra_context=context, task_function=task
    )
    at_once = _jobs_at_once(master.hydra.launcher)
    together = stopped_together([job.folder for job in jobs]) if at_once else nullcontext()
    with together:
        launcher.launch([_launched(job, at_once) for job in jobs], initial_job_idx=0)


def _launched(job: Job, at_once: int) -> list[str]:
    """A job's overrides, with its folder and, where others run beside it, its share of threads."""
    overrides = [*job.overrides, f"hydra.sweep.subdir='{job.folder.name}'"]
    if at_once and job.config is not None and job.config.trainer.threads is None:
        overrides.append(f"trainer.threads={max(1, _cores() // at_once)}")
    return overrides


def _jobs_at_once(launcher: DictConfig) -> int:
    """How many jobs run at once in processes of their own on this machine; 0 where none do."""
    wanted = launcher.get("n_jobs") or 0
    return wanted if wanted >= 0 else max(1, _cores() + 1 + wanted)  # as joblib counts


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # those that this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _record_refused(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.state == "refused":
            log.error("error: %s", job.error)
            job.folder.mkdir(parents=True, exist_ok=True)
            record = {"status": "failed", "error": job.error, "overrides": list(job.overrides)}
            write_record(job.folder, record)


def finish(jobs: Sequence[Job], folder: Path) -> None:
    """Report. Raises ValueError where jobs are not finished."""
    print(write_report([folder], ansi=sys.stdout.isatty()), flush=True)
    open_ = [job for job in jobs if not _is_done(job)]
    _raise_for(open_, jobs, "not finished")


def _is_done(job: Job) -> bool:
    return (read_record(job.folder) or {}).get("status") in ("finished", "pruned")


def _raise_for(bad: Sequence[Job], jobs: Sequence[Job], what: str) -> None:
    if bad:
        raise ValueError(
            f"{len(bad)} of {len(jobs)} jobs {what}; the same command with "
            f"sweep={jobs[0].folder.parent.name} tries them again, and no others"
        )
