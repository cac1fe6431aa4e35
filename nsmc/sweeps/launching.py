"""Has Hydra's launchers run the jobs of a sweep; their records say how it went."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext

from filelock import FileLock
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from nsmc.config.errors import describe
from nsmc.config.overrides import quoted
from nsmc.runs.record import read_record, state_of, write_record
from nsmc.runtime.parallel import available_cores
from nsmc.sweeps.plan import Job
from nsmc.sweeps.stopping import stopping_together

log = logging.getLogger(__name__)

_ATTEMPTS = 2  # at jobs whose process, or whose neighbour's, died


def launch(
    jobs: Sequence[Job],
    master: DictConfig,
    context: HydraContext,
    task: TaskFunction,
    lock: FileLock | None,
) -> None:
    """Run the jobs, each in its folder; in processes of their own they watch the `lock`.

    A process that dies, as for lack of memory, may take others with it, and the launcher gives up:
    the jobs that are left are launched once more, and those that die again have failed.
    """
    n_jobs = _n_jobs(master.hydra.launcher)
    for _ in range(_ATTEMPTS):
        if not jobs:
            return
        with read_write(master.hydra), open_dict(master.hydra):  # which Hydra 1.4 makes read-only
            # Resolved here: where a launcher's processes are, the resolvers are not known.
            master.hydra.sweep.dir = str(jobs[0].folder.parent)
        launcher = Plugins.instance().instantiate_launcher(
            config=master, hydra_context=context, task_function=task
        )
        try:
            with nullcontext() if lock is None else stopping_together(lock):
                launcher.launch([_launched(job, n_jobs) for job in jobs], initial_job_idx=0)
            return
        except Exception as error:
            log.error("error: a job's process died: %s", describe(error)[:200])
            jobs = [job for job in jobs if _is_left(job)]
    for job in jobs:
        job.folder.mkdir(parents=True, exist_ok=True)
        record = {"overrides": list(job.overrides), **(read_record(job.folder) or {})}
        write_record(job.folder, {**record, "status": "failed", "error": "its process died"})


def _is_left(job: Job) -> bool:
    return state_of(job.folder) in ("new", "interrupted")


def starts_processes(launcher: DictConfig) -> bool:
    """Whether the launcher runs jobs in processes of their own that must end with the sweep.

    A cluster's jobs go on without it.
    """
    return _n_jobs(launcher) > 1 or _name(launcher) == "LocalLauncher"  # submitit's


def _launched(job: Job, n_jobs: int) -> list[str]:
    """A job's overrides, with its folder and, if others run beside it, its share of the threads."""
    # Both: a launcher's process composes anew, and would name an unnamed sweep by its own clock.
    overrides = [
        *job.overrides,
        f"hydra.sweep.dir={quoted(str(job.folder.parent))}",
        f"hydra.sweep.subdir={quoted(job.folder.name)}",
    ]
    if n_jobs > 1 and job.config is not None and job.config.trainer.threads is None:
        overrides.append(f"trainer.threads={max(1, available_cores() // n_jobs)}")
    return overrides


def _n_jobs(launcher: DictConfig) -> int:
    """How many jobs joblib runs in parallel; with 1 it runs them in this process."""
    if _name(launcher) != "JoblibLauncher":
        return 1
    from joblib import effective_n_jobs  # type: ignore[import-untyped]  # of an extra

    jobs_at_once: int = effective_n_jobs(launcher.n_jobs)
    return jobs_at_once


def _name(launcher: DictConfig) -> str:
    return str(launcher.get("_target_", "")).rpartition(".")[2]
