"""The plan of a sweep: every job composed and checked, and what has become of it so far."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsmc.config.errors import describe
from nsmc.config.schema import DataConfig, RunConfig, check_config
from nsmc.data.cache import digest_of
from nsmc.runs.record import RECORD_FILE, read_record, state_of, write_record
from nsmc.runs.signature import corpus_fingerprint, signature
from nsmc.runs.sources import check_sources
from nsmc.sweeps.names import job_name

log = logging.getLogger(__name__)

# Among several folders of one job the most useful one counts.
_USEFUL = ("refused", "new", "failed", "pruned", "interrupted", "running", "finished")


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    `state` is new, running (elsewhere), interrupted, failed, pruned, finished, or refused, where
    the configuration is wrong: `config` is then None and `error` says why.
    """

    overrides: tuple[str, ...]
    folder: Path
    signature: str
    state: str
    config: RunConfig | None
    corpus: str = ""
    error: str = ""

    @property
    def is_to_run(self) -> bool:
        return self.state not in ("finished", "running", "refused")


def plan_jobs(
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    combinations: Sequence[Sequence[str]],
    sweep_folder: Path,
    force: bool,
    shared: Set[str] | None = None,
) -> list[Job]:
    """The jobs of a sweep, each once, in the order of the combinations.

    `compose` gives the configuration for a job's overrides. With `force`, jobs that were run get a
    new folder and are new. `shared` are the overrides that tell no job from the others. Raises
    nothing for a job that is wrong: it is refused.
    """
    known = runs_by_signature(sweep_folder)
    fingerprint = functools.cache(corpus_fingerprint_of_files)
    shared = shared_overrides(combinations) if shared is None else shared
    jobs: dict[str, Job] = {}
    for overrides in combinations:
        job = _plan_job(compose, tuple(overrides), shared, sweep_folder, fingerprint)
        if job.signature in jobs:  # two ways to say the same
            continue
        folder = known.get(job.signature)
        if folder is not None and job.state != "refused":
            job = _again(job, folder) if force else _known(job, folder)
        elif job.state == "new" and (job.folder / RECORD_FILE).exists():
            job = _again(job, job.folder)  # its name is taken by a run whose record is damaged
        jobs[job.signature] = job
    return list(jobs.values())


def shared_overrides(combinations: Sequence[Sequence[str]]) -> set[str]:
    """The overrides that all jobs have; none where there is one job."""
    sets = [set(overrides) for overrides in combinations]
    return set.intersection(*sets) if len(sets) > 1 else set()


def record_refused(jobs: Sequence[Job], sweep_folder: Path) -> None:
    """Record the jobs that are refused, and forget those that were refused before."""
    for path in sweep_folder.glob(f"*/{RECORD_FILE}"):
        if (read_record(path.parent) or {}).get("refused"):
            path.unlink()
            with suppress(OSError):  # more than the record, which is all that was left there
                path.parent.rmdir()
    for job in jobs:
        if job.state == "refused":
            log.error("error: %s", job.error)
            job.folder.mkdir(parents=True, exist_ok=True)
            about = {"refused": True, "status": "failed", "error": job.error}
            write_record(job.folder, {**about, "overrides": list(job.overrides)})


def runs_by_signature(sweep_folder: Path) -> dict[str, Path]:
    """The folder of each job that the sweep has run, by signature."""
    found: dict[str, tuple[int, float, Path]] = {}
    for path in sweep_folder.glob(f"*/{RECORD_FILE}"):
        record = read_record(path.parent)
        if record is None or "signature" not in record:
            continue
        rank = (_USEFUL.index(state_of(path.parent)), path.stat().st_mtime, path.parent)
        found[record["signature"]] = max(found.get(record["signature"], rank), rank)
    return {key: folder for key, (_, _, folder) in found.items()}


def corpus_fingerprint_of_files(data_json: str, test: bool) -> str:
    """As `corpus_fingerprint`, of a configuration that can be remembered."""
    return corpus_fingerprint(DataConfig.model_validate_json(data_json), test)


def _plan_job(
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    overrides: tuple[str, ...],
    shared: Set[str],
    sweep_folder: Path,
    fingerprint: Callable[[str, bool], str],
) -> Job:
    try:
        config = check_config(compose(overrides))
        if config.resume is not None:
            raise ValueError(f"resume={config.resume}: a sweep goes on by itself; leave it out")
        check_sources(config)
        corpus = fingerprint(_corpus_files(config.data).model_dump_json(), config.test)
        key = signature(config, corpus, overrides=overrides)
    except Exception as error:
        key = digest_of(["refused", *overrides])
        folder = sweep_folder / job_name(overrides, shared, key)
        return Job(overrides, folder, key, "refused", None, error=describe(error))
    return Job(
        overrides, sweep_folder / job_name(overrides, shared, key), key, "new", config, corpus
    )


def _corpus_files(data: DataConfig) -> DataConfig:
    """The configuration with what has nothing to do with the files made equal."""
    return data.model_copy(update={"split_seed": 0, "vocab_size": 257, "batch_size": 1})


def _known(job: Job, folder: Path) -> Job:
    return Job(job.overrides, folder, job.signature, state_of(folder), job.config, job.corpus)


def _again(job: Job, folder: Path) -> Job:
    """The job in a folder of its own, beside those of its earlier runs, which stay."""
    number = 2
    while (fresh := job.folder.with_name(f"{job.folder.name}-{number}")).exists():
        number += 1
    return Job(job.overrides, fresh, job.signature, "new", job.config, job.corpus)
