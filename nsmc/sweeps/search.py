"""`search=optuna`: asks for trials, has them run, and tells the study how they came out."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsmc.atomic import write_file
from nsmc.config.overrides import written
from nsmc.config.schema import RunConfig, check_config
from nsmc.config.search import Range, SearchConfig
from nsmc.data.cache import digest_of
from nsmc.reports.report import IMPORTANCES_FILE
from nsmc.runs.prepare import prepare
from nsmc.runs.record import read_record, state_of
from nsmc.sweeps.costs import COSTS, costs_of, least_megabytes
from nsmc.sweeps.plan import Job, plan_jobs, record_refused

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from nsmc.sweeps.study import Study

log = logging.getLogger(__name__)

Compose = Callable[[Sequence[str]], Mapping[str, Any]]
Launch = Callable[[Sequence[Job]], None]


def run_search(
    compose: Compose,
    launching: Callable[[], AbstractContextManager[Launch]],
    overrides: Sequence[str],
    folder: Path,
    dry_run: bool,
) -> list[Job]:
    """Run trials until there are as many as wanted; the jobs that were run here.

    `launching` is entered before the first trial, and gives what launches the jobs of each.
    Raises ValueError for a space whose ends make no valid configuration.
    """
    config = check_config(compose(overrides))
    search = config.search
    assert search is not None
    check_space(compose, overrides, search)
    from nsmc.sweeps.study import Study

    _check_costs(config, search)
    keys = ", ".join(search.space)
    if dry_run and not folder.exists():
        begun = "none of them begun" if search.storage is None else "some perhaps begun elsewhere"
        print(f"a search of {search.trials} trials, {begun}, over {keys}")
        return []
    monitor, jobs = config.callbacks.checkpoint.monitor, list[Job]()
    with closing(Study(folder, search, monitor, _base(config))) as study, study.reached():
        if dry_run:
            print(
                f"a search of {search.trials} trials, {study.count()} of them begun and "
                f"{len(study.left_behind())} to resume, over {keys}"
            )
            return []
        if search.objectives and search.pruner != "none":
            log.info("search.objectives: with more than one, no trial is ended early")
        with launching() as launch:
            began = time.monotonic()
            while batch := _next_jobs(study, compose, overrides, config.seed):
                _run_batch(study, launch, batch)
                jobs += batch.values()
                now = time.monotonic()
                study.spend(now - began)
                began = now
                if importances := study.importances():
                    text = json.dumps(importances, indent=2) + "\n"
                    write_file(folder / IMPORTANCES_FILE, text)
        if search.hours is not None and study.spent() >= search.hours:
            log.info("search.hours=%g: spent; no further trial begins", search.hours)
    return jobs


def _check_costs(config: RunConfig, search: SearchConfig) -> None:
    """Raises ValueError for costs of what has none: only a network's classifier is a bundle."""
    keys = ("objectives", "max_megabytes", "max_microseconds")
    chosen = [f"search.{key}" for key in keys if getattr(search, key) is not None]
    if chosen and config.task != "classify":
        raise ValueError(f"{', '.join(chosen)}: for task=classify, and not for task={config.task}")


def check_space(compose: Compose, overrides: Sequence[str], search: SearchConfig) -> None:
    """Check every choice and both ends of every range, before the first trial.

    Raises ValueError for what makes no valid configuration.
    """
    choices = {
        key: [values.low, values.high] if isinstance(values, Range) else values
        for key, values in search.space.items()
    }
    for number in range(max(map(len, choices.values()))):
        tried = {key: values[number % len(values)] for key, values in choices.items()}
        check_config(compose([*overrides, *_as_overrides(tried)]))


def _as_overrides(parameters: Mapping[str, Any]) -> list[str]:
    return [f"{key}={_as_text(value)}" for key, value in parameters.items()]


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"  # what is more than that is noise, in a table and in a folder's name
    return written(value)


def _base(config: RunConfig) -> str:
    """A digest of what all trials of a search have in common."""
    assert config.search is not None
    space = config.search.model_dump(include={"space"})
    # Also where they change no trial's result; a limit that changes makes other trials bad ones.
    limits = config.search.model_dump(include={"objectives", *(f"max_{w}" for w in COSTS)})
    objective = config.callbacks.checkpoint.monitor
    return digest_of([prepare(config).signature, space, objective, *([limits] if limits else [])])


def _next_jobs(
    study: "Study", compose: Compose, overrides: Sequence[str], seed: int
) -> dict[int, Job]:
    """The next jobs by trial number: those left behind first, then new ones; none when done."""
    search, jobs = study.search, dict[int, Job]()
    with study.locked():
        trials: list[BaseTrial] = [*study.left_behind()[: search.n_jobs]]
        while len(jobs) < search.n_jobs and (trials or study.may_begin()):
            trial = trials.pop(0) if trials else study.begin(seed)
            parameters = _as_overrides(trial.params)
            own = [*overrides, *parameters, f"search.trial={trial.number}"]
            (job,) = plan_jobs(compose, [own], study.folder, force=False, shared=set(overrides))
            study.claim(trial, job.folder.name)
            log.info("trial %d: %s", trial.number, " ".join(parameters))
            if not _is_too_large(study, trial.number, job):
                jobs[trial.number] = job
    return jobs


def _is_too_large(study: "Study", number: int, job: Job) -> bool:
    """Whether a trial breaks the limit of the size, so that there is no need to train it."""
    most = study.search.max_megabytes
    if most is None or job.config is None or job.state != "new":
        return False
    megabytes = least_megabytes(job.config, study.folder)
    if megabytes <= most:
        return False
    study.spare(number, megabytes)
    told = "trial %d: not trained: %.2f MB at least, search.max_megabytes=%g"
    log.info(told, number, megabytes, most)
    return True


def _run_batch(study: "Study", launch: Launch, batch: Mapping[int, Job]) -> None:
    record_refused(list(batch.values()), study.folder)
    # Two trials with the same parameters are one job.
    launch(list({job.folder: job for job in batch.values() if job.is_to_run}.values()))
    for number, job in batch.items():
        if state_of(job.folder) != "running":  # by another process
            record = read_record(job.folder) or {}
            is_finished = record.get("status") == "finished"
            costs = costs_of(job.folder, record, study.search) if is_finished else {}
            study.finish(number, record, costs)
